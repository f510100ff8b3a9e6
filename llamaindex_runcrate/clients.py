"""How the parts of this package hold their clients, and keep the key out of everything else."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

from llama_index.core.bridge.pydantic import (
    ConfigDict,
    Field,
    PrivateAttr,
    field_validator,
    model_validator,
)
from llama_index.core.schema import BaseComponent
from pydantic import AliasChoices, SecretStr

# Its names load when they are used: importing this package loads no HTTP client.
import runcrate_core
from runcrate_core import Timeout, toolkit

if TYPE_CHECKING:
    from runcrate_core import AsyncRuncrate, Runcrate

# Arguments that leave the object when its clients have been made of them.
_TAKEN_AWAY = ("api_key", "default_headers", "client", "async_client")


class Clients:
    """The clients of a component. Copies of the component share them.

    Args:
        client: A client of either kind.
        async_client: An asynchronous client, next to a blocking one.
        are_own: Whether they were made for the component, and are closed with it.
    """

    def __init__(self, client: Any, async_client: Any = None, *, are_own: bool = False) -> None:
        self._are_own = are_own
        self.pair = toolkit.ClientPair(client, async_client)

    def close(self) -> None:
        """Close the blocking client, unless it was given."""
        self.pair.close()
        if self._are_own:
            self.pair.sync.close()

    async def aclose(self) -> None:
        """Close both clients, unless they were given."""
        self.close()
        await self.pair.aclose()

    def __deepcopy__(self, memo: dict[int, Any]) -> Clients:
        return self


class Connected(BaseComponent):
    """A component that talks to Runcrate.

    The key goes into the clients and nowhere else: it is not in `repr`, `to_dict`, `to_json`,
    pickles, events or validation errors. A pickle holds the settings; where it is loaded, the key
    is read from `RUNCRATE_API_KEY`.

    The clients may be used from any thread and under any number of event loops, one after another
    or at once, which LlamaIndex does behind many blocking calls (evaluators, extractors, property
    graphs). They make all repeats there are; see `max_retries`.
    """

    model_config = ConfigDict(
        hide_input_in_errors=True,  # the key is one of the arguments
        extra="forbid",  # a misspelt setting would go unnoticed
        arbitrary_types_allowed=True,
        populate_by_name=True,
    )

    api_base: str | None = Field(
        default=None,
        frozen=True,
        validation_alias=AliasChoices("api_base", "base_url"),
        description="Address of the inference API, with or without `/v1`; otherwise "
        "RUNCRATE_API_BASE, otherwise Runcrate's own.",
    )
    timeout: float | Timeout | None = Field(
        default=None,
        description="Seconds of silence while waiting for an answer, 600 for chat otherwise; or a "
        "`runcrate_core.Timeout` or `httpx.Timeout`.",
    )
    max_retries: int | None = Field(
        default=None, frozen=True, ge=0, description="Repeats after the first attempt; 3 otherwise."
    )
    stream_idle_timeout: float | None = Field(
        default=None,
        frozen=True,
        description="Seconds a stream may stay without content; 120 otherwise.",
    )
    api_key: SecretStr | str | None = Field(
        default=None,
        exclude=True,
        repr=False,
        description="The key, or RUNCRATE_API_KEY. Reads as None afterwards: the clients have it.",
    )
    default_headers: dict[str, str] | None = Field(
        default=None,
        exclude=True,
        repr=False,
        description="Sent with every request. Reads as None afterwards.",
    )
    client: Any = Field(
        default=None,
        exclude=True,
        repr=False,
        description="A `Runcrate` or `AsyncRuncrate` to use instead of one made from the settings "
        "above; it may be shared, and is not closed with this object.",
    )
    async_client: Any = Field(
        default=None,
        exclude=True,
        repr=False,
        description="An `AsyncRuncrate` next to `client`; its twin otherwise.",
    )

    _clients: Clients = PrivateAttr()

    @field_validator("timeout", mode="before")
    @classmethod
    def _timeout_in_any_form(cls, value: Any) -> Any:
        return value if isinstance(value, int | float | dict) else Timeout.of(value)

    @model_validator(mode="before")
    @classmethod
    def _without_class_name(cls, fields: Any) -> Any:
        """Take what `to_dict` gives, which names the class as well."""
        if isinstance(fields, dict):
            return {name: value for name, value in fields.items() if name != "class_name"}
        return fields

    def model_post_init(self, context: Any, /) -> None:
        """Make the clients, and forget what only they need to know."""
        super().model_post_init(context)
        given = {name: getattr(self, name) for name in _TAKEN_AWAY}
        for name in _TAKEN_AWAY:
            self.__dict__[name] = None
        client, async_client = given["client"], given["async_client"]
        if isinstance(client, Clients):
            self._clients = client
        elif client is None and async_client is None:
            self._clients = Clients(runcrate_core.Runcrate(**self._settings(given)), are_own=True)
        else:
            self._clients = Clients(client, async_client)

    def _settings(self, given: dict[str, Any]) -> dict[str, Any]:
        key = given["api_key"]
        settings: dict[str, Any] = {
            "api_key": key.get_secret_value() if isinstance(key, SecretStr) else key,
            "inference_url": self.api_base,
            "default_headers": given["default_headers"],
            "max_retries": self.max_retries,
            "stream_idle_timeout": self.stream_idle_timeout,
        }
        return {name: value for name, value in settings.items() if value is not None}

    @property
    def _sync_client(self) -> Runcrate:
        """The client of the blocking calls.

        Raises:
            ConfigurationError: Only an `async_client` was given, with connections of its own.
        """
        return self._clients.pair.sync

    @property
    def _async_client(self) -> AsyncRuncrate:
        """The client of the asynchronous calls; it shares the other's budget and rate limit.

        Raises:
            ConfigurationError: Only a `client` was given, with connections of its own.
        """
        return self._clients.pair.async_

    def __getstate__(self) -> dict[str, Any]:
        # The base class leaves out, with no more than a log line, what cannot be pickled: the
        # copy would then talk to another address. Better to fail here, with the client's reason.
        pickle.dumps(self._clients)
        return super().__getstate__()

    def __setstate__(self, state: dict[str, Any]) -> None:
        clients = state["__pydantic_private__"]["_clients"]
        type(self).__init__(self, **(state["__dict__"] | {"client": clients}))

    def close(self) -> None:
        """Close the connections of blocking calls; further ones are refused.

        Clients that were given are left alone, here as in `aclose`.
        """
        self._clients.close()

    async def aclose(self) -> None:
        """Close the connections of blocking calls and of the running event loop."""
        await self._clients.aclose()
