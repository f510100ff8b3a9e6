"""Settings of a connection to an instance, as `client.instances.connect` takes them."""

from __future__ import annotations

import codecs
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypedDict

_KEY_START: Final = b"-----BEGIN"
_MAX_PORT: Final = 65_535


@dataclass(frozen=True)
class ShellSettings:
    """See `connect`.

    Attributes:
        instance_id: Identifier.
        private_key: An own key instead of a certificate.
        passphrase: Of that key.
        idle_timeout: Seconds without use after which the connection is closed.
        connect_timeout: Seconds in which opening it is tried.
        known_hosts: The file of pinned host keys.
    """

    instance_id: str
    private_key: str | bytes | Path | None = field(default=None, repr=False)
    passphrase: str | None = field(default=None, repr=False)
    idle_timeout: float = 60.0
    connect_timeout: float = 20.0
    known_hosts: Path | None = None


class ConnectOptions(TypedDict, total=False):
    """Options of a connection; see `connect`."""

    private_key: str | bytes | Path | None
    passphrase: str | None
    idle_timeout: float
    connect_timeout: float
    known_hosts: Path | None


def connect(
    instance_id: str,
    *,
    private_key: str | bytes | Path | None = None,
    passphrase: str | None = None,
    idle_timeout: float = 60.0,
    connect_timeout: float = 20.0,
    known_hosts: Path | None = None,
) -> ShellSettings:
    """Connect to a running instance over SSH: run commands, transfer files, reach its ports.

    Needs `pip install "runcrate-integrations[ssh]"`. Without `private_key` the API issues a
    short-lived certificate for a key that exists in memory only. The host key that an instance
    shows first is trusted and pinned in a file; another one is refused later. While a connection
    is open, the idle stop of the server does not count; so it is closed when it is idle here.

    Args:
        instance_id: Identifier of a running instance.
        private_key: For an instance that was launched with `ssh_key_id`: the key as a
            `pathlib.Path` of its file, or its text. A string is never read as a path.
        passphrase: Of `private_key`, if it has one.
        idle_timeout: Seconds without use after which the connection is closed; the next call
            opens another.
        connect_timeout: Seconds in which opening a connection is tried, as an instance that has
            just started may refuse the first ones.
        known_hosts: The file of pinned host keys; one in the state directory of the user
            (`RUNCRATE_STATE_DIR`) when not given.

    Returns:
        A shell for `with`. The asynchronous client's can be awaited, or used with `async with`.

    Raises:
        ConfigurationError: `asyncssh` is not installed, or the file of host keys is not usable.
        SSHConnectionError: The instance does not run, has no IP address or cannot be reached.
        SSHAuthenticationError: It refused the certificate or the key.
        HostKeyChangedError: It has another host key than at the first connection.
        NotFoundError: There is no such instance.

    Example:
        ```python
        with client.instances.connect(instance.id) as shell:
            shell.upload("train.py", "train.py")
            print(shell.run("python3 train.py", timeout=600).output)
        ```
    """
    pins = None if known_hosts is None else Path(known_hosts)
    return ShellSettings(instance_id, private_key, passphrase, idle_timeout, connect_timeout, pins)


def check_port(port: Any) -> None:
    """Refuse an invalid port number.

    Raises:
        ValueError: It is none.
    """
    if type(port) is not int or not 1 <= port <= _MAX_PORT:
        raise ValueError(f"A port is from 1 to {_MAX_PORT}, not {port!r}.")


def private_key_text(key: str | bytes | Path) -> bytes:
    """Return a private key as text.

    Args:
        key: A `Path` to its file, or its text.

    Raises:
        ValueError: A string that is not a key: it is never read as a path.
        OSError: The file cannot be read.
    """
    if isinstance(key, Path):
        return key.expanduser().read_bytes().removeprefix(codecs.BOM_UTF8)
    # What cannot be encoded is no key; an error of the codec would hold all of its text.
    text = key.encode(errors="replace") if isinstance(key, str) else bytes(key)
    if not text.lstrip().startswith(_KEY_START):
        raise ValueError(
            "`private_key` is not the text of a private key. Give a `pathlib.Path` for a file. "
            "Nothing was sent."
        )
    return text
