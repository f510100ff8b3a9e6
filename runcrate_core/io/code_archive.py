"""Packing code: a directory becomes a `.tar.gz` on disk, the same bytes for the same files."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import stat
import tarfile
import tempfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, cast

from runcrate_core.protocol.code_archive import (
    Choice,
    Entry,
    Kind,
    SkippedFile,
    in_archive_order,
    require_packable,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

# Opening follows no link, should one take a file's place after it was checked.
_READ: Final = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
# How the file for an archive is opened: never made. A cancelled upload has removed it while the
# thread that packs continues, and must leave no code behind.
_FILL: Final = "r+b"
# All that is kept of a file's mode, as the rest differs between machines.
_EXECUTABLE: Final = 0o755
_PLAIN: Final = 0o644
# The levels differ little in size and much in time; 6 is what `gzip` takes.
_COMPRESSION: Final = 6


@dataclass(frozen=True, slots=True)
class CodeArchive:
    """A `.tar.gz` that is ready to be sent.

    Attributes:
        path: Where it is.
        bytes: Its length.
        sha256: Its checksum in hexadecimal.
        skipped: Files of the directory that are not in it.
        unmatched: Patterns that matched nothing in the directory.
    """

    path: Path
    bytes: int
    sha256: str
    skipped: tuple[SkippedFile, ...] = ()
    unmatched: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, path: Path, skipped: Iterable[SkippedFile] = (), unmatched: Iterable[str] = ()
    ) -> CodeArchive:
        """Describe an archive that is on disk."""
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            return cls(path, file.tell(), digest, tuple(skipped), tuple(unmatched))


@dataclass(frozen=True, slots=True)
class CodeSource:
    """An archive as the body of a request, which reports how much of it was read.

    Attributes:
        archive: The archive.
        on_progress: Called with the bytes read and their total, from whichever thread reads.
    """

    archive: CodeArchive
    on_progress: Callable[[int, int], object] | None = None

    def size(self) -> int:
        """Return the length in bytes."""
        return self.archive.bytes

    def open(self) -> BinaryIO:
        """Return the content, to be read from its beginning."""
        if self.on_progress is None:
            return self.archive.path.open("rb")
        return cast("BinaryIO", _ReportingFile(self.archive, self.on_progress))


class _ReportingFile(io.FileIO):
    def __init__(self, archive: CodeArchive, on_progress: Callable[[int, int], object]) -> None:
        super().__init__(archive.path)
        self._total = archive.bytes
        self._on_progress = on_progress

    def read(self, size: int | None = -1, /) -> bytes:
        piece = super().read(-1 if size is None else size)
        if piece:
            self._on_progress(self.tell(), self._total)
        return piece


def new_archive_file() -> Path:
    """Make an empty temporary file that only this user may read; return where it is."""
    number, path = tempfile.mkstemp(prefix="runcrate-code-", suffix=".tar.gz")
    os.close(number)
    return Path(path)


def make_archive(
    source: str | os.PathLike[str] | bytes, choice: Choice, target: Path
) -> CodeArchive:
    """Return the archive of some code.

    Args:
        source: A directory, a `.tar.gz` file or the bytes of one.
        choice: What to pack of a directory.
        target: Where an archive is written that is not on disk yet: an empty file.

    Raises:
        ValueError: It is neither, or too large.
        OSError: It cannot be read, or `target` is no longer there.
    """
    if isinstance(source, bytes):
        with target.open(_FILL) as file:
            file.write(source)
        require_archive(target, "the bytes")
        return CodeArchive.of(target)
    path = Path(source)
    if path.is_file():
        require_archive(path, str(path))
        return CodeArchive.of(path)
    if not path.is_dir():
        raise ValueError(f"{path} is neither a directory nor a .tar.gz file. Nothing was sent.")
    choice = choice.below(path.absolute().as_posix())
    files, skipped = scan(path, choice)
    require_packable(files)
    with target.open(_FILL) as file:
        write_archive(path, files, file)
    return CodeArchive.of(target, skipped, choice.unmatched(files, skipped))


def require_archive(path: Path, label: str) -> None:
    """Refuse a file that jobs could not unpack, before anything is sent and paid.

    Raises:
        ValueError: It is not a `.tar.gz`.
    """
    try:
        with tarfile.open(path, "r:gz") as archive:
            archive.next()
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        if isinstance(error, FileNotFoundError | PermissionError):
            raise
        raise ValueError(
            f"{label} is not a .tar.gz archive, and a job could not unpack it. Nothing was sent. "
            "Give a directory, or make the archive with `tar -czf`."
        ) from None


def scan(directory: Path, choice: Choice) -> tuple[list[Entry], list[SkippedFile]]:
    """Return the files of a directory that are packed, and what is not. No link is followed.

    Raises:
        OSError: A part of it cannot be read.
    """
    files: list[Entry] = []
    skipped: list[SkippedFile] = []
    waiting = [""]
    while waiting:
        below = waiting.pop()
        with os.scandir(directory / below) as found:
            entries = [_entry(item, below) for item in found]
        for entry in entries:
            reason = choice.reason_to_skip(entry)
            if reason is not None:
                skipped.append(SkippedFile(entry.path, reason))
            elif entry.kind is Kind.DIRECTORY:
                waiting.append(f"{entry.path}/")
            else:
                files.append(entry)
    return in_archive_order(files), sorted(skipped, key=lambda item: item.path.split("/"))


def write_archive(directory: Path, files: list[Entry], target: BinaryIO) -> None:
    """Write a `.tar.gz` of files. It does not contain when, where or by whom it was packed.

    Raises:
        OSError: A file cannot be read, or has become shorter meanwhile.
    """
    with (
        gzip.GzipFile("", "wb", _COMPRESSION, target, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for entry in files:
            with os.fdopen(os.open(directory / entry.path, _READ), "rb") as file:
                about = tarfile.TarInfo(entry.path)
                about.size = os.fstat(file.fileno()).st_size
                about.mode = _EXECUTABLE if entry.is_executable else _PLAIN
                archive.addfile(about, file)


def _entry(item: os.DirEntry[str], below: str) -> Entry:
    path = f"{below}{item.name}"
    if item.is_symlink():
        return Entry(path, Kind.LINK)
    if item.is_dir(follow_symlinks=False):
        return Entry(path, Kind.DIRECTORY)
    about = item.stat(follow_symlinks=False)
    if not stat.S_ISREG(about.st_mode):
        return Entry(path, Kind.OTHER)
    return Entry(path, Kind.FILE, about.st_size, bool(about.st_mode & stat.S_IXUSR))
