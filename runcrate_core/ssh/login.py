"""Login to an instance: address, user, and a certificate of the API or the user's own key.

The flow asks the API; it is run again for each connection, as certificates are short-lived.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from runcrate_core.api.instances import get
from runcrate_core.api.ssh_keys import issue_certificate
from runcrate_core.errors import ConflictError, NotFoundError, SSHConnectionError

if TYPE_CHECKING:
    from runcrate_core.api.instances import Instance
    from runcrate_core.protocol.steps import Flow

DEFAULT_PORT: Final = 22
DEFAULT_USER: Final = "root"


@dataclass(frozen=True)
class Login:
    """Address and user of a login.

    Attributes:
        host: IP address of the instance.
        port: Its SSH port.
        user: The user there.
        certificate: A certificate for the public key, when the API issued one.
    """

    host: str
    port: int = DEFAULT_PORT
    user: str = DEFAULT_USER
    certificate: str | None = field(default=None, repr=False)


def log_in_with_certificate(instance_id: str, public_key: str) -> Flow[Login]:
    """Request a certificate, and the IP address if it contains none.

    Args:
        instance_id: Identifier.
        public_key: The public half of a key that exists in memory only.

    Raises:
        SSHConnectionError: The instance does not run, or has no IP address.
        NotFoundError: There is no such instance, or the API issues no certificates.
    """
    try:
        issued = yield from issue_certificate(instance_id, public_key=public_key)
    except (ConflictError, NotFoundError) as error:
        instance = yield from get(instance_id)
        _require_reachable(instance)
        if isinstance(error, ConflictError):
            raise
        raise NotFoundError(
            f"The API issues no SSH certificate for the instance `{instance_id}`. Nothing was run. "
            "Launch it with `ssh_key_id=...` and connect with `private_key=Path(...)`.",
            **_facts(error),
        ) from error
    host = issued.ip
    if not host:
        host = _require_reachable((yield from get(instance_id)))
    return Login(host, issued.port or DEFAULT_PORT, issued.user or DEFAULT_USER, issued.certificate)


def log_in_with_key(instance_id: str) -> Flow[Login]:
    """Look up the IP address of an instance, for a key that it was launched with.

    Raises:
        SSHConnectionError: The instance does not run, or has no IP address.
        NotFoundError: There is no such instance.
    """
    instance = yield from get(instance_id)
    host = _require_reachable(instance)
    extra: dict[str, Any] = instance.model_extra or {}
    port = extra.get("ssh_port")  # seen in code of users; not documented
    return Login(host, port if isinstance(port, int) else DEFAULT_PORT)


def _require_reachable(instance: Instance) -> str:
    """Return the IP address of a running instance.

    Raises:
        SSHConnectionError: It has none.
    """
    if instance.has_ended:
        raise SSHConnectionError(
            f"The instance `{instance.id}` has ended (status `{instance.status}`), and its disk is "
            "lost. Nothing was run, and no other instance was launched."
        )
    if not instance.ip:
        raise SSHConnectionError(
            f"The instance `{instance.id}` has no IP address yet (status `{instance.status}`). "
            "Nothing was run. Call `instances.wait_until_running` first."
        )
    return instance.ip


def _facts(error: NotFoundError) -> dict[str, Any]:
    names = ("status_code", "code", "request_id", "attempts")
    return {name: getattr(error, name) for name in names}
