"""Secrets: the names of the environment variables that everything in an environment is given.

Facts: the official SDK 0.5.0. Values are set on the dashboard and never leave the server.
"""

from __future__ import annotations

from pydantic import ConfigDict

from runcrate_core.api.envelope import ApiModel, UtcDatetime, parse_list
from runcrate_core.api.resources import AsyncResource, SyncResource, async_endpoint, endpoint
from runcrate_core.protocol.request import RetrySafety, infrastructure_request
from runcrate_core.protocol.steps import Call


class Secret(ApiModel):
    """The name of a secret. Unlike elsewhere, unknown fields are dropped: one might be a value.

    Attributes:
        key: Name of the environment variable.
        sensitive: Whether the dashboard hides the value, too.
        updated_at: When the value was last set.
    """

    model_config = ConfigDict(extra="ignore")

    key: str
    sensitive: bool = False
    updated_at: UtcDatetime | None = None


def list_secrets() -> Call[list[Secret]]:
    """List the names of the environment's secrets, never their values.

    Every instance and job in the environment is given them as environment variables; a variable
    of the same name that a launch brings wins.

    Returns:
        The names in alphabetical order.

    Example:
        ```python
        has_token = any(secret.key == "HF_TOKEN" for secret in client.secrets.list())
        ```
    """
    request = infrastructure_request("GET", "/secrets", RetrySafety.SAFE)
    return Call(request, parse_list(Secret, request))


class Secrets(SyncResource):
    """`client.secrets`."""

    list = endpoint(list_secrets)


class AsyncSecrets(AsyncResource):
    """`client.secrets` of the asynchronous client."""

    list = async_endpoint(list_secrets)
