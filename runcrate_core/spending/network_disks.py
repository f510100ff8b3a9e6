"""Network disks, on which a ledger cannot be kept."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Final

from runcrate_core.errors import ConfigurationError

# File systems whose locks or shared memory SQLite's write-ahead log cannot rely on.
_NETWORK_FILE_SYSTEMS: Final = frozenset(
    {
        "9p",
        "afs",
        "beegfs",
        "ceph",
        "cifs",
        "davfs",
        "fuse.davfs2",
        "fuse.gcsfuse",
        "fuse.glusterfs",
        "fuse.rclone",
        "fuse.s3fs",
        "fuse.sshfs",
        "glusterfs",
        "gpfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs4",
        "smb3",
        "smbfs",
    }
)
_WINDOWS_REMOTE_DRIVE: Final = 4


def require_local_disk(path: Path) -> None:
    """Refuse a network disk, where two computers, or even two processes, would corrupt the file.

    Raises:
        ConfigurationError: The path is on a network disk.
    """
    kind = network_file_system(path)
    if kind is not None:
        raise ConfigurationError(
            f"The ledger `{path}` is on a network disk ({kind}), whose locks SQLite's write-ahead "
            "log cannot rely on. Nothing was launched. Use a path on a local disk."
        )


def network_file_system(path: Path) -> str | None:
    """Return the kind of the network file system that a path is on, if it is on one."""
    if sys.platform == "win32":
        return _windows_network_drive(path)
    try:
        mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    kind = file_system_of(path.parent.resolve(), mounts)
    return kind if kind in _NETWORK_FILE_SYSTEMS else None


def file_system_of(directory: Path, mounts: str) -> str | None:
    """Return the kind of file system of a directory, from the text of `/proc/self/mountinfo`."""
    longest, kind = -1, None
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        parts = before.split(" ")
        if len(parts) < 5 or not after:  # noqa: PLR2004 - the mount point is the fifth field
            continue
        mount = Path(parts[4].encode().decode("unicode_escape"))
        if len(mount.parts) >= longest and (mount == directory or mount in directory.parents):
            longest, kind = len(mount.parts), after.split(" ")[0]
    return kind


def _windows_network_drive(path: Path) -> str | None:
    import ctypes  # noqa: PLC0415 - of one system alone

    if str(path).startswith("\\\\"):
        return "a network share"
    drives: Any = ctypes.windll.kernel32  # type: ignore[attr-defined] # of Windows alone
    is_remote = drives.GetDriveTypeW(f"{path.drive}\\") == _WINDOWS_REMOTE_DRIVE
    return "a network drive" if is_remote else None
