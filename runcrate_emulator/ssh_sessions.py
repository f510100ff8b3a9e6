"""One SSH connection to an emulated instance: login, sessions, files, and real commands."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, cast

import asyncssh
from asyncssh.channel import SSHChannel

from runcrate_emulator.ssh_servers import INSTANCE_VARIABLE, MAX_SESSIONS, USER

if TYPE_CHECKING:
    from runcrate_emulator.ssh_servers import SshHost, SshServers

_BLOCK = 65_536
_LOOPBACK_NAMES = {"127.0.0.1", "localhost", "::1"}


class Login(asyncssh.SSHServer):
    """One connection: who may log in, what may be opened, and how often."""

    def __init__(self, servers: SshServers, host: SshHost) -> None:
        self._servers = servers
        self.host = host
        self._connection: asyncssh.SSHServerConnection | None = None
        self.sessions = 0

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        """Refuse everybody while the instance does not run."""
        self._connection = conn
        self.host.connections.add(conn)
        if not self._servers.is_running(self.host.instance_id):
            conn.abort()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - of the interface
        """Count the connection no longer; the idle stop begins."""
        if self._connection is not None:
            self.host.connections.discard(self._connection)
            self.host.active_at = self._servers.now()

    def begin_auth(self, username: str) -> bool:
        """Let the keys and the authority in, for the one user there is."""
        if username == USER and self._connection is not None:
            self._connection.set_authorized_keys(self._servers.authorized_keys(self.host))
        return True

    def session_requested(self) -> asyncssh.SSHServerSession[bytes]:
        """Open a session, unless there are as many as OpenSSH allows."""
        if self.sessions >= MAX_SESSIONS:
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_CONNECT_FAILED, "open failed")
        self.sessions += 1
        return Session(self)

    def connection_requested(
        self,
        dest_host: str,
        dest_port: int,  # noqa: ARG002 - of the interface
        orig_host: str,  # noqa: ARG002 - of the interface
        orig_port: int,  # noqa: ARG002 - of the interface
    ) -> bool:
        """Forward ports of the loopback, where servers of an instance listen."""
        return dest_host in _LOOPBACK_NAMES

    async def run(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        """Start the command of a session."""
        command = process.command
        if command is None:
            process.stderr.write(b"The emulator runs commands and has no interactive shell.\n")
            process.exit(1)
            return
        self._servers.commands.append((self.host.instance_id, command))
        # A task of its own, as those of a connection are cancelled with it.
        task = asyncio.get_running_loop().create_task(_run_command(self.host, process, command))
        self.host.tasks.add(task)
        task.add_done_callback(self.host.tasks.discard)


class Session(asyncssh.SSHServerProcess[bytes]):
    """A session that counts until its end."""

    def __init__(self, login: Login) -> None:
        files = functools.partial(Files, login.host)
        super().__init__(login.run, files, sftp_version=3, allow_scp=False)
        self._login = login

    def connection_lost(self, exc: Exception | None) -> None:
        """Count the session no longer."""
        super().connection_lost(exc)
        self._login.sessions -= 1


class Files(asyncssh.SFTPServer):
    """SFTP whose relative paths begin in the directory of the instance."""

    def __init__(self, host: SshHost, channel: SSHChannel[bytes]) -> None:
        super().__init__(cast("asyncssh.SSHServerChannel[bytes]", channel))
        self._directory = os.fsencode(host.directory)

    def map_path(self, path: bytes) -> bytes:
        """Return the path on this computer."""
        return os.path.join(self._directory, path)  # noqa: PTH118 - of bytes

    def realpath(self, path: bytes) -> bytes:
        """Return the absolute path."""
        return os.path.realpath(self.map_path(path))


async def _run_command(
    host: SshHost, process: asyncssh.SSHServerProcess[bytes], command: str
) -> None:
    """Run a command as `sshd` does: it outlives its channel, and its output may outlive it."""
    child = await asyncio.create_subprocess_exec(
        shutil.which("bash") or "/bin/sh",
        "-c",
        command,
        cwd=host.directory,
        env=_environment(host),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    host.children.add(child.pid)
    feeding = asyncio.ensure_future(_feed(process.stdin, child.stdin))
    try:
        _, _, status = await asyncio.gather(
            _pass_on(child.stdout, process.stdout),
            _pass_on(child.stderr, process.stderr),
            child.wait(),
        )
    finally:
        feeding.cancel()
        host.children.discard(child.pid)
    with contextlib.suppress(OSError, asyncssh.Error):  # the client may have closed the channel
        if status < 0:
            process.exit_with_signal(signal.Signals(-status).name.removeprefix("SIG"))
        else:
            process.exit(status)


async def _feed(reader: asyncssh.SSHReader[bytes], writer: asyncio.StreamWriter | None) -> None:
    if writer is None:
        return
    try:
        with contextlib.suppress(OSError, asyncssh.BreakReceived, asyncssh.SignalReceived):
            while data := await reader.read(_BLOCK):
                writer.write(data)
                await writer.drain()
    finally:
        writer.close()
        with contextlib.suppress(OSError):  # the command may have closed its input
            await writer.wait_closed()


async def _pass_on(reader: asyncio.StreamReader | None, writer: asyncssh.SSHWriter[bytes]) -> None:
    """Pass output on; what comes after the client has closed the channel is dropped."""
    is_open = True
    while reader is not None and (data := await reader.read(_BLOCK)):
        if is_open:
            try:
                writer.write(data)
                await writer.drain()
            except (OSError, asyncssh.Error):
                is_open = False


def _environment(host: SshHost) -> dict[str, str]:
    """Return the environment of a command: little of this computer, none of its secrets."""
    interpreter = str(Path(sys.executable).parent)
    return {
        "PATH": os.pathsep.join((interpreter, os.environ.get("PATH", os.defpath))),
        "HOME": str(host.directory),
        "USER": USER,
        "LOGNAME": USER,
        "LANG": "C.UTF-8",
        "SHELL": shutil.which("bash") or "/bin/sh",
        INSTANCE_VARIABLE: str(host.directory),
    }
