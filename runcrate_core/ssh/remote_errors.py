"""Errors of files on an instance, as those of this library: with the path and the reason."""

from __future__ import annotations

import contextlib
import stat
from typing import TYPE_CHECKING, Final

import asyncssh

from runcrate_core.errors import RemoteFileError, SSHConnectionError

if TYPE_CHECKING:
    from collections.abc import Iterator

_LOST: Final = (
    asyncssh.SFTPConnectionLost,
    asyncssh.SFTPNoConnection,
    asyncssh.DisconnectError,
    asyncssh.ChannelOpenError,
    ConnectionError,  # of the socket; errors of files here are other kinds of `OSError`
    EOFError,
)
_REASONS: Final = (
    (asyncssh.SFTPNoSuchFile, "file_not_found", "does not exist"),
    (asyncssh.SFTPNoSuchPath, "file_not_found", "does not exist"),
    (asyncssh.SFTPPermissionDenied, "permission_denied", "may not be accessed"),
    (asyncssh.SFTPWriteProtect, "permission_denied", "may not be written"),
    (asyncssh.SFTPFileIsADirectory, "is_directory", "is a directory"),
    (asyncssh.SFTPNotADirectory, "not_a_directory", "is not a directory"),
    (asyncssh.SFTPInvalidFilename, "invalid_path", "is not a usable path"),
    (asyncssh.SFTPNoSpaceOnFilesystem, "disk_full", "does not fit: the disk is full"),
    (asyncssh.SFTPQuotaExceeded, "disk_full", "does not fit: the quota is used up"),
)


@contextlib.contextmanager
def errors_of(path: str) -> Iterator[None]:
    """Raise the errors of SFTP as those of this library."""
    try:
        yield
    except _LOST as error:
        raise SSHConnectionError(
            f"The connection was lost during the transfer of `{path}`. The target was not changed; "
            "a part file may be left next to it. Try again."
        ) from error
    except asyncssh.SFTPError as error:
        found = next(
            ((reason, text) for kind, reason, text in _REASONS if isinstance(error, kind)),
            ("failed", f"could not be used ({error.reason})"),
        )
        raise RemoteFileError(
            f"`{path}` on the instance {found[1]}. The target was not changed.",
            path=path,
            reason=found[0],
        ) from error


def directory_error(path: str) -> RemoteFileError:
    """Return the error for a directory where a file is needed."""
    return RemoteFileError(
        f"`{path}` on the instance is a directory. Nothing was changed.",
        path=path,
        reason="is_directory",
    )


def require_regular(mode: int | None, path: str) -> None:
    """Refuse pipes and devices: reading them waits or never ends, writing would replace them."""
    if mode is not None and stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        raise RemoteFileError(
            f"`{path}` on the instance is not a regular file. Nothing was transferred.",
            path=path,
            reason="invalid_path",
        )
