"""Files between this computer and an instance, over SFTP.

A file is written next to its target and moved into place when it is complete; of a failed transfer
nothing is left at the target. Data passes in blocks, so memory does not grow with the file.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import os
import secrets
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final, cast

import asyncssh

from runcrate_core.errors import RemoteFileError
from runcrate_core.io.files import PartFile, require_target
from runcrate_core.ssh.remote_errors import directory_error, errors_of, require_regular
from runcrate_core.ssh.remote_paths import (
    RemoteFile,
    check_entry_name,
    check_remote_path,
    part_path,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

# Called with the bytes done and all bytes, as other transfers of this library do.
OnProgress = Callable[[int, int | None], Any]

_BLOCK: Final = 131_072  # bytes; OpenSSH takes less than 256 KiB in one packet
_REQUESTS: Final = 8  # blocks on their way at the same time
_RANDOM_BYTES: Final = 6
_MAX_DEPTH: Final = 200
_KEPT_MODE: Final = 0o777


class FileTransfer:
    """Transfers on one open connection.

    Args:
        sftp: The file client.
        on_progress: Called with the bytes done and all bytes of the transfer.
    """

    def __init__(self, sftp: asyncssh.SFTPClient, on_progress: OnProgress | None = None) -> None:
        self._sftp = sftp
        self._on_progress = on_progress
        self._done = 0
        self._total: int | None = None

    async def upload(self, source: Path, target: str) -> None:
        """Upload a file or a directory.

        Raises:
            OSError: The source cannot be read.
            RemoteFileError: The target cannot be written.
        """
        check_remote_path(target)
        if await asyncio.to_thread(source.is_dir):
            directories, files = await asyncio.to_thread(_local_tree, source)
            self._total = sum(size for _, _, size in files)
            await self._upload_directory(directories, files, target)
            return
        size = (await asyncio.to_thread(source.stat)).st_size
        self._total = size
        with errors_of(target):
            if await self._sftp.isdir(target):
                target = str(PurePosixPath(target) / source.name)
            target, _ = await self._destination(target)
            await self._make_directory(str(PurePosixPath(target).parent))
        await self._check_space(target, size)
        await self._upload_file(source, target)

    async def write_bytes(self, target: str, data: bytes) -> None:
        """Write a file on the instance, complete or not at all; its mode is kept."""
        check_remote_path(target)
        with errors_of(target):
            target, mode = await self._destination(target)
            await self._make_directory(str(PurePosixPath(target).parent))
        await self._check_space(target, len(data))

        async def write(part: str) -> None:
            async with self._sftp.open(part, "wb", block_size=_BLOCK) as file:
                for start in range(0, len(data), _BLOCK):
                    await file.write(data[start : start + _BLOCK])
            if mode is not None:
                await self._sftp.chmod(part, mode)

        await self._replace(target, write)

    async def download(self, source: str, target: Path) -> Path:
        """Download a file or a directory.

        Returns:
            Where it is: `target`, or in it when a file was downloaded into a directory.

        Raises:
            OSError: The target cannot be written.
            RemoteFileError: The source cannot be read.
        """
        check_remote_path(source)
        with errors_of(source):
            attributes = await self._sftp.stat(source)
        if not stat.S_ISDIR(attributes.permissions or 0):
            require_regular(attributes.permissions, source)
            if await asyncio.to_thread(target.is_dir):
                name = check_entry_name(PurePosixPath(source).name, source, is_windows=_WINDOWS)
                target = target / name
            self._total = attributes.size
            await self._download_file(source, target, attributes)
            return target
        files = [entry async for entry in self._remote_tree(source)]
        self._total = sum(size for _, size in files)
        await asyncio.to_thread(target.mkdir, parents=True, exist_ok=True)
        for path, _ in files:
            local = target.joinpath(*path.parts)
            await asyncio.to_thread(_make_inside, target, local.parent)
            remote = f"{source.rstrip('/')}/{path}"
            with errors_of(remote):
                entry = await self._sftp.stat(remote)
            await self._download_file(remote, local, entry)
        return target

    async def read_bytes(self, source: str, max_bytes: int) -> bytes:
        """Return the content of a file.

        Raises:
            RemoteFileError: It cannot be read, or is longer than `max_bytes` (`too_large`).
        """
        check_remote_path(source)
        with errors_of(source):
            attributes = await self._sftp.stat(source)
            if stat.S_ISDIR(attributes.permissions or 0):
                raise directory_error(source)
            require_regular(attributes.permissions, source)
            async with self._sftp.open(source, "rb", block_size=_BLOCK) as file:
                data = bytearray()
                read = _binary_read(file)
                while len(data) <= max_bytes:
                    block = await read(min(_BLOCK, max_bytes + 1 - len(data)), len(data))
                    if not block:
                        return bytes(data)
                    data += block
        raise RemoteFileError(
            f"The file `{source}` is longer than {max_bytes} bytes. Nothing was read. Download it, "
            "or read a part of it with a command.",
            path=source,
            reason="too_large",
        )

    async def list_files(self, path: str) -> list[RemoteFile]:
        """Return the entries of a directory, sorted by name."""
        check_remote_path(path)
        with errors_of(path):
            entries = [entry async for entry in self._sftp.scandir(path)]
        files = [
            RemoteFile(
                str(entry.filename),
                stat.S_ISDIR(entry.attrs.permissions or 0),
                entry.attrs.size,
            )
            for entry in entries
            if entry.filename not in {".", ".."}
        ]
        return sorted(files, key=lambda file: file.name)

    async def _upload_directory(
        self,
        directories: list[PurePosixPath],
        files: list[tuple[Path, PurePosixPath, int]],
        target: str,
    ) -> None:
        """Upload into a new directory that is then moved, or file by file into one that exists."""
        with errors_of(target):
            exists = await self._sftp.exists(target)
            if exists and not await self._sftp.isdir(target):
                raise RemoteFileError(
                    f"`{target}` on the instance is a file, and a directory was to be uploaded "
                    "there. Nothing was changed.",
                    path=target,
                    reason="not_a_directory",
                )
            await self._make_directory(str(PurePosixPath(target).parent))
        await self._check_space(target, sum(size for _, _, size in files))
        root = target if exists else part_path(target, secrets.token_hex(_RANDOM_BYTES))
        try:
            with errors_of(target):
                for directory in (PurePosixPath(), *directories):
                    await self._make_directory(str(PurePosixPath(root) / directory))
            for source, path, _ in files:
                place = str(PurePosixPath(root) / path)
                if exists:
                    with errors_of(place):
                        place, _ = await self._destination(place)
                await self._upload_file(source, place)
            if not exists:
                with errors_of(target):
                    await self._sftp.posix_rename(root, target)
        except BaseException:
            if not exists:
                await self._clean_up(self._sftp.rmtree(root, ignore_errors=True))
            raise

    async def _upload_file(self, source: Path, target: str) -> None:
        start = self._done
        mode = stat.S_IMODE((await asyncio.to_thread(source.stat)).st_mode) & _KEPT_MODE

        async def put(part: str) -> None:
            await self._sftp.put(
                str(source),
                part,
                block_size=_BLOCK,
                max_requests=_REQUESTS,
                progress_handler=lambda _source, _target, done, _size: self._report(start + done),
            )
            await self._sftp.chmod(part, mode)

        size = await self._replace(target, put)
        self._done = start + size
        self._report(self._done)

    async def _destination(self, target: str) -> tuple[str, int | None]:
        """Return where a file is written, and the mode of the one that is there.

        A link stays, and the file to which it leads is written.

        Raises:
            RemoteFileError: It is a directory, a pipe or a device.
        """
        try:
            mode = (await self._sftp.stat(target)).permissions or 0
        except asyncssh.SFTPNoSuchFile:
            return target, None
        if stat.S_ISDIR(mode):
            raise directory_error(target)
        require_regular(mode, target)
        if await self._sftp.islink(target):
            target = str(await self._sftp.realpath(target))
        return target, stat.S_IMODE(mode)

    async def _replace(self, target: str, write: Callable[[str], Awaitable[None]]) -> int:
        """Write next to a target, and move it into place; return the size."""
        part = part_path(target, secrets.token_hex(_RANDOM_BYTES))
        try:
            with errors_of(target):
                await write(part)
                size = (await self._sftp.stat(part)).size or 0
                await self._sftp.posix_rename(part, target)
        except BaseException as error:
            await self._clean_up(self._sftp.remove(part))
            if isinstance(error, RemoteFileError) and error.reason == "failed":
                await self._check_space(target, 1)  # SFTP has no code of its own for a full disk
            raise
        return size

    async def _download_file(
        self, source: str, target: Path, attributes: asyncssh.SFTPAttrs
    ) -> None:
        start, size = self._done, attributes.size or 0
        part = PartFile(target)
        await asyncio.to_thread(require_target, target)
        await asyncio.to_thread(part.reserve, size)
        await asyncio.to_thread(part.create)
        try:
            with errors_of(source):
                async with self._sftp.open(
                    source, "rb", block_size=_BLOCK, max_requests=_REQUESTS
                ) as file:
                    position = 0
                    read = _binary_read(file)
                    while block := await read(_BLOCK * _REQUESTS, position):
                        await asyncio.to_thread(part.write, block)
                        position += len(block)
                        self._done = start + position
                        self._report(self._done)
            if position < size:
                raise RemoteFileError(
                    f"The file `{source}` became shorter while it was downloaded. Nothing was "
                    "saved. Try again.",
                    path=source,
                )
            await asyncio.to_thread(part.move_to, target)
            mode = stat.S_IMODE(attributes.permissions or 0) & stat.S_IXUSR
            if mode:
                await asyncio.to_thread(_make_executable, target)
        finally:
            await asyncio.to_thread(part.discard)

    async def _remote_tree(self, root: str) -> AsyncIterator[tuple[PurePosixPath, int]]:
        """Yield the regular files of a directory and those below it, with their sizes.

        Links are left out: one could lead to any file, or round in a circle.
        """
        unread = [PurePosixPath()]
        while unread:
            inside = unread.pop()
            directory = f"{root.rstrip('/')}/{inside}" if inside.parts else root
            if len(inside.parts) > _MAX_DEPTH:
                raise RemoteFileError(
                    f"`{root}` on the instance has directories nested more than {_MAX_DEPTH} deep. "
                    "Nothing was saved. Pack it there, and download the archive.",
                    path=directory,
                    reason="invalid_path",
                )
            with errors_of(directory):
                entries = [entry async for entry in self._sftp.scandir(directory)]
            for entry in entries:
                if entry.filename in {".", ".."}:
                    continue
                name = check_entry_name(str(entry.filename), directory, is_windows=_WINDOWS)
                mode = entry.attrs.permissions or 0
                if stat.S_ISDIR(mode):
                    unread.append(inside / name)
                elif stat.S_ISREG(mode):
                    yield inside / name, entry.attrs.size or 0

    async def _make_directory(self, path: str) -> None:
        if path not in {"", ".", "/"} and not await self._sftp.isdir(path):
            await self._sftp.makedirs(path, exist_ok=True)

    async def _check_space(self, target: str, size: int) -> None:
        """Check that a file fits on the disk of the instance, where it reports the free space.

        Raises:
            RemoteFileError: It does not (`disk_full`).
        """
        try:
            system = await self._sftp.statvfs(str(PurePosixPath(target).parent))
        except asyncssh.SFTPError:
            return
        free = (system.bavail or 0) * (system.frsize or system.bsize or 1)
        if system.blocks and free < size:
            raise RemoteFileError(
                f"The disk of the instance is full: {free} bytes are free and `{target}` needs "
                f"{size}. The target was not changed. Remove files there, or launch with more "
                "`storage`.",
                path=target,
                reason="disk_full",
            )

    async def _clean_up(self, removal: Any) -> None:
        with contextlib.suppress(asyncssh.Error, OSError, asyncio.CancelledError):
            await removal

    def _report(self, done: int) -> None:
        if self._on_progress is None:
            return
        result = self._on_progress(done, self._total)
        if inspect.iscoroutine(result):
            result.close()
            raise TypeError("`on_progress` of a file transfer must be an ordinary function.")


_WINDOWS: Final = os.name == "nt"


def _binary_read(
    file: asyncssh.SFTPClientFile,
) -> Callable[[int, int], Awaitable[bytes]]:
    """Return the reading of a file that was opened as binary, with the type that it then has."""
    return cast("Callable[[int, int], Awaitable[bytes]]", file.read)


def _local_tree(
    root: Path,
) -> tuple[list[PurePosixPath], list[tuple[Path, PurePosixPath, int]]]:
    """Return the directories and the regular files below a directory.

    Links are left out, as a link may lead out of the directory.
    """
    directories: list[PurePosixPath] = []
    files: list[tuple[Path, PurePosixPath, int]] = []
    for directory, names, file_names in os.walk(root, onerror=_raise):
        inside = PurePosixPath(*Path(directory).relative_to(root).parts)
        names[:] = sorted(name for name in names if not (Path(directory) / name).is_symlink())
        directories += [inside / name for name in names]
        for name in sorted(file_names):
            path = Path(directory) / name
            attributes = path.lstat()
            if stat.S_ISREG(attributes.st_mode):
                files.append((path, inside / name, attributes.st_size))
    return directories, files


def _raise(error: OSError) -> None:
    raise error


def _make_inside(root: Path, directory: Path) -> None:
    """Make a directory below another one, through no link that leads out of it.

    Raises:
        OSError: It cannot be made, or a link there leads out of `root`.
    """
    directory.mkdir(parents=True, exist_ok=True)
    if not directory.resolve().is_relative_to(root.resolve()):
        raise OSError(f"`{directory}` leads out of `{root}` by a link. Nothing was written there.")


def _make_executable(path: Path) -> None:
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
