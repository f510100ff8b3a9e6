"""Atomic file writes: to a temporary file, then moved into place."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
import threading
from typing import TYPE_CHECKING, BinaryIO, Final

from runcrate_core.protocol.file_names import part_file_name, safe_file_name

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# A name that nobody could guess and put a link at; opening follows no link and takes no file that
# is there. The modes that a system lacks are 0.
_CREATE: Final = (
    os.O_RDWR
    | os.O_CREAT
    | os.O_EXCL
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)
# As `open` makes files: the user's umask takes away from it.
_MODE: Final = 0o666
_RANDOM_BYTES: Final = 6


class PartFile:
    """A temporary file `<name>.<random>.part` in the directory of its target.

    Nothing is made before `create`. A cancelled task leaves the thread that works for it running;
    so each function holds a lock, and after `discard` none does anything.

    Args:
        target: Where the file is to be in the end.
    """

    def __init__(self, target: Path) -> None:
        self.path = target.with_name(part_file_name(target.name, secrets.token_hex(_RANDOM_BYTES)))
        self._target = target
        self._file: BinaryIO | None = None
        self._is_over = False
        self._lock = threading.Lock()

    def create(self) -> None:
        """Make the empty file.

        Raises:
            OSError: The directory does not exist or is read-only, or the target is a directory.
        """
        require_target(self._target)
        with self._lock:
            if not self._is_over:
                self._file = os.fdopen(os.open(self.path, _CREATE, _MODE), "wb")
                if self._target.is_file() and not self._target.is_symlink():
                    self.path.chmod(stat.S_IMODE(self._target.stat().st_mode))  # who may read it

    def write(self, data: bytes) -> None:
        """Append bytes."""
        self._on_file(lambda file: file.write(data))

    def restart(self) -> None:
        """Drop what was written."""

        def drop(file: BinaryIO) -> None:
            file.seek(0)
            file.truncate()

        self._on_file(drop)

    def reserve(self, size: int) -> None:
        """Check that so many further bytes fit on the disk.

        Raises:
            OSError: They do not (`ENOSPC`).
        """
        free = shutil.disk_usage(self.path.parent).free
        if size > free:
            raise OSError(
                errno.ENOSPC,
                f"The file needs {size} bytes and the disk has {free} left; nothing was kept",
                str(self._target),
            )

    def move_to(self, target: Path) -> None:
        """Put the file at its place in one step, over what is there.

        Raises:
            OSError: It cannot be put there.
        """

        def move(file: BinaryIO) -> None:
            file.close()
            self.path.replace(target)
            self._is_over = True

        self._on_file(move)

    def discard(self) -> None:
        """Remove the file, unless it was moved; may be called again."""
        with self._lock:
            file, self._file = self._file, None
            if file is None or self._is_over:
                self._is_over = True
                return
            self._is_over = True
            try:
                file.close()  # may fail on a full disk, as it writes what is buffered
            finally:
                self.path.unlink(missing_ok=True)

    def _on_file(self, work: Callable[[BinaryIO], object]) -> None:
        with self._lock:
            if self._file is not None and not self._is_over:
                work(self._file)


def require_target(target: Path) -> None:
    """Check that a file can be put somewhere, before something is done or paid for it.

    Raises:
        OSError: Its directory does not exist, or it is a directory, a pipe or a device.
    """
    if not target.parent.is_dir():
        raise FileNotFoundError(
            errno.ENOENT, "The directory to write to does not exist", str(target.parent)
        )
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, "The target is a directory, not a file", str(target))
    if target.exists() and not target.is_file():  # such as `/dev/null`, which would be replaced
        raise OSError(errno.EINVAL, "The target is a pipe or device, not a file", str(target))


def write_atomically(target: Path, data: bytes) -> Path:
    """Write a file so that an earlier one stays intact when writing fails; return its path.

    Raises:
        OSError: It cannot be written.
    """
    part = PartFile(target)
    part.create()
    try:
        part.write(data)
        part.move_to(target)
    finally:
        part.discard()
    return target


def path_inside(directory: Path, name: str) -> Path:
    """Return the path in a directory for a file that a server has named.

    Args:
        directory: An existing directory.
        name: The server's name; of a path, only the last part counts.

    Raises:
        ValueError: Nothing usable is left of the name, or a link of this name leads out of the
            directory.
    """
    path = directory / safe_file_name(name)
    if not path.resolve().is_relative_to(directory.resolve()):
        raise ValueError(
            f"`{path.name}` in the directory is a link that leads out of it. Nothing was written."
        )
    return path
