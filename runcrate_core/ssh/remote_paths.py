"""Paths on an instance, and names that an instance gave to files which are saved here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from runcrate_core.errors import RemoteFileError
from runcrate_core.protocol.file_names import is_device_name, part_file_name, safe_file_name
from runcrate_core.protocol.unicode_text import valid_text

_LONGEST_PATH_BYTES: Final = 4096


@dataclass(frozen=True)
class RemoteFile:
    """An entry of a directory on an instance.

    Attributes:
        name: Its name in the directory.
        is_directory: Whether it is a directory.
        size: Bytes, when the instance reports them.
    """

    name: str
    is_directory: bool
    size: int | None


def check_remote_path(path: str) -> str:
    """Return a path on an instance that can be sent.

    Args:
        path: Absolute, or relative to the home directory of the user there.

    Raises:
        RemoteFileError: It is empty, too long, not valid Unicode or has a NUL character
            (`invalid_path`).
    """
    is_text = path and "\0" not in path and valid_text(path) == path
    if not is_text or len(path.encode()) > _LONGEST_PATH_BYTES:
        raise RemoteFileError(
            f"{path[:80]!r} is not a path on the instance. Nothing was transferred.",
            path=path,
            reason="invalid_path",
        )
    return path


def part_path(path: str, random: str) -> str:
    """Return where a file or directory is written before it is moved to its place."""
    target = PurePosixPath(path)
    return str(target.with_name(part_file_name(target.name, random)))


def check_entry_name(name: str, directory: str, *, is_windows: bool) -> str:
    """Return the name of an entry of a directory on the instance, if it can be used here.

    An instance may give any name. One that would lead out of the directory, or that this system
    would read as another, is refused: a changed name could fall on another file.

    Args:
        name: The entry's name.
        directory: Its directory on the instance.
        is_windows: Whether the rules of Windows apply here.

    Raises:
        RemoteFileError: The name cannot be used (`invalid_path`).
    """
    if name in {"", ".", ".."} or "/" in name or "\0" in name:
        usable = False
    elif is_windows:
        # With a letter in front, as dots at the start are allowed and would be taken away.
        usable = safe_file_name(f"_{name}") == f"_{name}" and not is_device_name(name)
    else:
        usable = True
    if not usable:
        raise RemoteFileError(
            f"The directory `{directory}` on the instance has an entry called {name[:80]!r}, which "
            "cannot be saved here. The download was stopped; rename it there.",
            path=f"{directory}/{name}",
            reason="invalid_path",
        )
    return name
