"""Host keys of instances: trusted at the first connection, then pinned in a file.

The API publishes no host key, so the first one that an instance shows is trusted. Each later
connection must show the same, and another is refused before anything is sent.

The file has one line for each instance: its identifier, the type of the key, the key.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from runcrate_core.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

STATE_DIR_VARIABLE: Final = "RUNCRATE_STATE_DIR"
FILE_NAME: Final = "instance_host_keys"
_FIELDS: Final = 3
_SAFE_IN_FIELDS: Final = "!$&'()*+,/:;=?@[]"


@dataclass(frozen=True)
class HostKey:
    """A public host key.

    Attributes:
        type: Such as `ssh-ed25519`.
        data: The key in base64.
    """

    type: str
    data: str

    @classmethod
    def parse(cls, text: str) -> HostKey:
        """Read the OpenSSH form, `type base64 [comment]`.

        Raises:
            ValueError: It has another form.
        """
        fields = text.split()
        if len(fields) < _FIELDS - 1:
            raise ValueError("A host key has a type and a value.")
        return cls(fields[0], fields[1])


def parse_pins(text: str) -> dict[str, HostKey]:
    """Read the lines of the file; of several lines for one instance the first counts.

    Raises:
        ValueError: A line has another form; it is named by its number.
    """
    pins: dict[str, HostKey] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        fields = line.split()
        if not fields or fields[0].startswith("#"):
            continue
        if len(fields) != _FIELDS:
            raise ValueError(f"line {number} is not `instance type key`")
        pins.setdefault(fields[0], HostKey(fields[1], fields[2]))
    return pins


def render_pin(instance_id: str, key: HostKey, before: str) -> str:
    """Return what to append to the file for a new key.

    Args:
        instance_id: Identifier of the instance.
        key: Its key.
        before: The present text of the file, whose last line may be torn off.
    """
    start = "\n" if before and not before.endswith("\n") else ""
    return f"{start}{_as_field(instance_id)} {key.type} {key.data}\n"


def _as_field(instance_id: str) -> str:
    """Return an identifier as one field of a line, which most are as they are.

    A value that is no identifier has no pin; the request that follows refuses it by name.
    """
    return quote(str(instance_id), safe=_SAFE_IN_FIELDS, errors="backslashreplace")


def state_directory(environ: Mapping[str, str], platform: str, home: Path) -> Path:
    """Return the directory for state of this user.

    Args:
        environ: Environment variables; `RUNCRATE_STATE_DIR` decides, if it is set.
        platform: As `sys.platform`.
        home: Home directory.
    """
    if environ.get(STATE_DIR_VARIABLE):
        return Path(environ[STATE_DIR_VARIABLE]).expanduser()
    if platform == "win32":
        return Path(environ.get("LOCALAPPDATA") or home / "AppData" / "Local") / "runcrate"
    if platform == "darwin":
        return home / "Library" / "Application Support" / "runcrate"
    return Path(environ.get("XDG_STATE_HOME") or home / ".local" / "state") / "runcrate"


class HostKeyStore:
    """The file of pinned host keys.

    Args:
        path: The file; `instance_host_keys` in the state directory of the user when not given.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or state_directory(os.environ, sys.platform, Path.home()) / FILE_NAME

    def find(self, instance_id: str) -> HostKey | None:
        """Return the key that is pinned for an instance.

        Raises:
            ConfigurationError: The file cannot be read.
        """
        return self._parse(self._read()).get(_as_field(instance_id))

    def pin(self, instance_id: str, key: HostKey) -> HostKey:
        """Pin a key, unless another process was first; return the key that is pinned now.

        Raises:
            ConfigurationError: The file cannot be written.
        """
        line = render_pin(instance_id, key, self._read())
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            # One small write to the end: of two processes at the same time, one is first.
            file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                os.write(file, line.encode())
            finally:
                os.close(file)
        except OSError as error:
            raise self._unusable(f"cannot be written ({error.strerror})") from error
        return self._parse(self._read()).get(_as_field(instance_id), key)

    def _read(self) -> str:
        try:
            return self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return ""
        except (OSError, ValueError) as error:
            raise self._unusable("cannot be read") from error

    def _parse(self, text: str) -> dict[str, HostKey]:
        try:
            return parse_pins(text)
        except ValueError as error:
            raise self._unusable(f"is damaged: {error}") from error

    def _unusable(self, problem: str) -> ConfigurationError:
        return ConfigurationError(
            f"The file of host keys `{self.path}` {problem}. Nothing was sent to the instance. "
            f"Correct it, or set `{STATE_DIR_VARIABLE}` to another directory."
        )
