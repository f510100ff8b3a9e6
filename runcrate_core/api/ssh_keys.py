"""SSH access: the workspace's keys, and short-lived certificates for instances without one.

Facts: seed 003, the official SDK 0.5.0 and the official command line (certificates).
"""

from __future__ import annotations

import base64
import hashlib

from runcrate_core.api.envelope import ApiModel, UtcDatetime, parse_empty, parse_item, parse_list
from runcrate_core.api.resources import AsyncResource, SyncResource, async_endpoint, endpoint
from runcrate_core.protocol.json_body import without_none
from runcrate_core.protocol.reconcile import Creation, by_name, create_once
from runcrate_core.protocol.request import RetrySafety, infrastructure_request
from runcrate_core.protocol.steps import Call, Flow


class SSHKey(ApiModel):
    """A public key that may be given to instances. Keys belong to the workspace.

    Attributes:
        fingerprint: As `ssh-keygen -l` shows it.
        type: Such as `ssh-ed25519`.
        last_used: When an instance was last launched with it.
        recovered: Whether the response to its creation was lost and it was found by its name.
    """

    id: str
    name: str = ""
    fingerprint: str | None = None
    type: str | None = None
    created_at: UtcDatetime | None = None
    last_used: UtcDatetime | None = None
    project_id: str | None = None
    recovered: bool = False


class SSHCertificate(ApiModel):
    """A short-lived certificate for one instance, and where to log in with it.

    Attributes:
        certificate: The text to store next to the private key, as `<key>-cert.pub`.
        ip: Address of the instance.
        user: The user to log in as.
        port: The SSH port.
    """

    certificate: str
    ip: str | None = None
    user: str | None = None
    port: int | None = None


def list_ssh_keys() -> Call[list[SSHKey]]:
    """List the SSH keys of the workspace.

    Returns:
        All keys; the API does not page them.

    Example:
        ```python
        for key in client.ssh_keys.list():
            print(key.id, key.name, key.fingerprint)
        ```
    """
    request = infrastructure_request("GET", "/ssh-keys", RetrySafety.SAFE)
    return Call(request, parse_list(SSHKey, request))


def create(*, name: str, public_key: str, type: str | None = None) -> Flow[SSHKey]:  # noqa: A002 - the API's name
    """Add an SSH key to the workspace.

    Args:
        name: Name by which people know it.
        public_key: One line of a `.pub` file, such as `ssh-ed25519 AAAA... me@laptop`.
        type: Kind of key; the API reads it from the key when not given.

    Returns:
        The key; its `id` is what `instances.create(ssh_key_id=...)` takes.

    Raises:
        ValueError: It is a private key; nothing was sent.
        ConflictError: The key, or its name, is there already; nothing was added.
        UnprocessableEntityError: It is not a public key.

    Example:
        ```python
        key = client.ssh_keys.create(name="my-laptop", public_key="ssh-ed25519 AAAA...")
        ```
    """
    if "PRIVATE KEY" in public_key:
        raise ValueError(
            "`public_key` holds a private key, which must never leave this computer. Give the line "
            "of its `.pub` file. Nothing was sent."
        )
    body = without_none(name=name, public_key=public_key, type=type)
    request = infrastructure_request("POST", "/ssh-keys", RetrySafety.NEVER, body=body)
    creation = Creation(
        label="SSH key",
        name=name,
        look_up="ssh_keys.list()",
        find=by_name(name, list_ssh_keys, matches=lambda key: _has_content(key, public_key)),
        is_paid=False,
    )
    return create_once(Call(request, parse_item(SSHKey, request)), creation)


def _has_content(key: SSHKey, public_key: str) -> bool:
    """Return whether a key is this one, by its fingerprint if there is one."""
    prefix = "SHA256:"
    try:
        digest = hashlib.sha256(base64.b64decode(public_key.split()[1], validate=True)).digest()
    except (IndexError, ValueError):
        return True
    expected = prefix + base64.b64encode(digest).decode().rstrip("=")
    shown = (key.fingerprint or "").strip().rstrip("=")
    return not shown.startswith(prefix) or shown == expected


def delete(ssh_key_id: str) -> Call[None]:
    """Delete an SSH key from the workspace. Instances that have it keep it.

    Args:
        ssh_key_id: Identifier.

    Raises:
        ValueError: `ssh_key_id` is not an identifier; nothing was sent.
        NotFoundError: There is no such key.

    Example:
        ```python
        client.ssh_keys.delete(key.id)
        ```
    """
    identifiers = {"ssh_key_id": ssh_key_id}
    request = infrastructure_request(
        "DELETE", "/ssh-keys/{ssh_key_id}", RetrySafety.SAFE, identifiers=identifiers
    )
    return Call(request, parse_empty(request))


def issue_certificate(instance_id: str, *, public_key: str) -> Call[SSHCertificate]:
    """Return a short-lived certificate with which a key may log in to an instance.

    For instances that were launched without `ssh_key_id`; known from the official command line
    alone.

    Args:
        instance_id: Identifier of a running instance.
        public_key: One line of a `.pub` file.

    Returns:
        The certificate, with IP address, user and port.

    Raises:
        ValueError: `instance_id` is not an identifier; nothing was sent.
        NotFoundError: There is no such instance in the environment.

    Example:
        ```python
        certificate = client.instances.issue_ssh_certificate(
            instance.id, public_key="ssh-ed25519 AAAA..."
        )
        print(f"ssh {certificate.user}@{certificate.ip}")
        ```
    """
    request = infrastructure_request(
        "POST",
        "/instances/{instance_id}/ssh-certificate",
        # A certificate costs nothing and expires automatically, so a second one does no harm.
        RetrySafety.SAFE,
        identifiers={"instance_id": instance_id},
        body={"public_key": public_key},
    )
    return Call(request, parse_item(SSHCertificate, request))


class SSHKeys(SyncResource):
    """`client.ssh_keys`."""

    list = endpoint(list_ssh_keys)
    create = endpoint(create)
    delete = endpoint(delete)


class AsyncSSHKeys(AsyncResource):
    """`client.ssh_keys` of the asynchronous client."""

    list = async_endpoint(list_ssh_keys)
    create = async_endpoint(create)
    delete = async_endpoint(delete)
