"""Real SSH servers for emulated instances, one each, on loopback ports.

Commands are real: they run on this computer, as the user who started the emulator. The working
directory and home of an instance is a temporary directory, where relative paths of SFTP begin
too; absolute paths mean the same files for commands and for SFTP, as on a rented instance. So this
is a convenience for tests and demos, and no isolation.

The certificates are real as well: signed by an authority of this emulator, valid for one
instance and a short time.
"""

import asyncio
import contextlib
import functools
import hashlib
import logging
import os
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar, cast

import asyncssh
from asyncssh.channel import SSHChannel
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

LOOPBACK = "127.0.0.1"  # never another address: commands run as the user
USER = "root"  # the user of rented instances; here only a name
MAX_SESSIONS = 10  # the default of OpenSSH, per connection
CERTIFICATE_LIFETIME_S = 300.0
_WATCH_INTERVAL_S = 0.1
_START_TIMEOUT_S = 10.0
_BLOCK = 65_536
_VARIABLE = "RUNCRATE_EMULATED_INSTANCE"  # by which the processes of an instance are found
_LOOPBACK_NAMES = {LOOPBACK, "localhost", "::1"}

T = TypeVar("T")
_LOG = logging.getLogger("runcrate_emulator.ssh")


@dataclass
class _Host:
    """The SSH server of one instance."""

    instance_id: str
    directory: Path
    public_keys: tuple[str, ...]
    variables: dict[str, str]
    host_key: asyncssh.SSHKey
    server: asyncssh.SSHAcceptor | None = None
    connections: set[asyncssh.SSHServerConnection] = field(default_factory=set)
    children: set[int] = field(default_factory=set)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    active_at: datetime | None = None
    was_running: bool = False

    @property
    def port(self) -> int:
        return 0 if self.server is None else int(self.server.get_port())


class SshServers:
    """The SSH servers of an emulator's instances, in a thread of their own.

    Args:
        is_running: Tells of an instance whether it runs now.
        now: The emulated time.

    Attributes:
        certificate_lifetime_s: Real seconds for which certificates are valid; may be set.
        commands: Every command that was run, as `(instance id, command)`.
        connections_made: How many connections were accepted in all.
    """

    def __init__(self, is_running: Callable[[str], bool], now: Callable[[], datetime]) -> None:
        self.certificate_lifetime_s = CERTIFICATE_LIFETIME_S
        self.commands: list[tuple[str, str]] = []
        self.connections_made = 0
        self._is_running = is_running
        self._now = now
        self._authority = asyncssh.generate_private_key("ssh-ed25519")
        self._hosts: dict[str, _Host] = {}
        self._root = Path(tempfile.mkdtemp(prefix="runcrate-emulator-"))
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._serve, name="runcrate-emulator-ssh", daemon=True
        )
        self._thread.start()

    def add(
        self,
        instance_id: str,
        public_keys: Iterable[str],
        variables: dict[str, str] | None = None,
        *,
        port: int = 0,
    ) -> int:
        """Start the server of an instance; it refuses logins until the instance runs.

        Args:
            instance_id: Identifier.
            public_keys: Keys that may log in besides certificates.
            variables: Environment variables of its commands.
            port: Its port; 0 takes a free one.

        Returns:
            Its port.
        """
        host = self._hosts.get(instance_id)
        if host is None:
            directory = self._root / instance_id
            directory.mkdir()
            host = _Host(
                instance_id,
                directory.resolve(),
                tuple(public_keys),
                dict(variables or {}),
                _host_key(instance_id),
            )
            self._hosts[instance_id] = host
            self._call(self._listen(host, port))
        return host.port

    def remove(self, instance_id: str) -> None:
        """End the server of an instance, its processes and its files."""
        host = self._hosts.pop(instance_id, None)
        if host is not None:
            self._call(self._stop(host))

    def sign(self, instance_id: str, public_key: str) -> str:
        """Return a certificate with which a key may log in to an instance for a short time.

        Raises:
            ValueError: It is no public key.
        """
        try:
            key = asyncssh.import_public_key(public_key)
        except asyncssh.KeyImportError as error:
            raise ValueError(str(error)) from error
        now = int(datetime.now().timestamp())  # noqa: DTZ005 - a time stamp has no zone
        certificate = self._authority.generate_user_certificate(
            key,
            f"emulated {instance_id}",
            principals=[USER, instance_id],
            valid_after=now - 60,
            valid_before=int(now + self.certificate_lifetime_s),
        )
        return certificate.export_certificate().decode().strip()

    def active_at(self, instance_id: str) -> datetime | None:
        """When somebody was last connected, as far as known; now while somebody is."""
        host = self._hosts.get(instance_id)
        if host is None:
            return None
        return self._now() if host.connections else host.active_at

    def directory(self, instance_id: str) -> Path:
        """The directory in which commands of an instance run."""
        return self._hosts[instance_id].directory

    def open_connections(self, instance_id: str) -> int:
        """Number of current connections of an instance."""
        return len(self._hosts[instance_id].connections)

    def drop_connections(self, instance_id: str | None = None) -> None:
        """Cut the connections of one instance, or of all, as a broken network does."""
        hosts = list(self._hosts.values()) if instance_id is None else [self._hosts[instance_id]]
        self._call(self._abort(hosts))

    def replace_host_key(self, instance_id: str) -> None:
        """Give an instance another host key, as an attacker's server has."""
        host = self._hosts[instance_id]
        host.host_key = asyncssh.generate_private_key("ssh-ed25519")
        self._call(self._listen(host, host.port))

    def clear(self) -> None:
        """End all servers, their processes and files."""
        for instance_id in list(self._hosts):
            self.remove(instance_id)
        self.commands.clear()

    def close(self) -> None:
        """End everything, and the thread; may be called again."""
        if self._loop.is_closed():
            return
        self.clear()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_START_TIMEOUT_S)
        shutil.rmtree(self._root, ignore_errors=True)

    def _call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(_START_TIMEOUT_S)

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.set_exception_handler(_log_failure)
        watching = self._loop.create_task(self._watch())
        try:
            self._loop.run_forever()
        finally:
            watching.cancel()
            left = asyncio.all_tasks(self._loop)
            for task in left:
                task.cancel()
            self._loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
            self._loop.close()

    async def _watch(self) -> None:
        """Close the connections of instances that have stopped by themselves."""
        while True:
            await asyncio.sleep(_WATCH_INTERVAL_S)
            for host in list(self._hosts.values()):
                runs = self._is_running(host.instance_id)
                if not runs and (host.was_running or host.connections):
                    await self._abort([host])
                    _end_processes(host)
                host.was_running = runs

    async def _listen(self, host: _Host, port: int = 0) -> None:
        if host.server is not None:
            host.server.close()
            await self._abort([host])
            await host.server.wait_closed()
        host.server = await asyncssh.listen(
            LOOPBACK,
            port,
            reuse_address=True,
            server_factory=functools.partial(_Login, self, host),
            server_host_keys=[host.host_key],
            encoding=None,
            config=None,
            allow_scp=False,
        )

    async def _abort(self, hosts: list[_Host]) -> None:
        for host in hosts:
            for connection in list(host.connections):
                connection.abort()

    async def _stop(self, host: _Host) -> None:
        if host.server is not None:
            host.server.close()
        await self._abort([host])
        _end_processes(host)
        if host.tasks:
            await asyncio.wait(host.tasks, timeout=_START_TIMEOUT_S / 2)
        shutil.rmtree(host.directory, ignore_errors=True)

    def authorized_keys(self, host: _Host) -> asyncssh.SSHAuthorizedKeys:
        """Return who may log in to an instance."""
        authority = self._authority.export_public_key().decode().strip()
        lines = [f'cert-authority,principals="{host.instance_id}" {authority}', *host.public_keys]
        return asyncssh.import_authorized_keys("\n".join(lines) + "\n")

    def note_connection(
        self, host: _Host, connection: asyncssh.SSHServerConnection, *, is_open: bool
    ) -> None:
        """Count who is connected, for the idle stop."""
        if is_open:
            self.connections_made += 1
            host.connections.add(connection)
        else:
            host.connections.discard(connection)
            host.active_at = self._now()

    def runs(self, host: _Host) -> bool:
        """Return whether an instance runs now."""
        return self._is_running(host.instance_id)


class _Login(asyncssh.SSHServer):
    """One connection: who may log in, what may be opened, and how often."""

    def __init__(self, servers: SshServers, host: _Host) -> None:
        self._servers = servers
        self._host = host
        self._connection: asyncssh.SSHServerConnection | None = None
        self._sessions = 0

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        """Refuse everybody while the instance does not run."""
        self._connection = conn
        self._servers.note_connection(self._host, conn, is_open=True)
        if not self._servers.runs(self._host):
            conn.abort()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - of the interface
        """Count the connection no longer."""
        if self._connection is not None:
            self._servers.note_connection(self._host, self._connection, is_open=False)

    def begin_auth(self, username: str) -> bool:
        """Let the keys and the authority in, for the one user there is."""
        if username == USER and self._connection is not None:
            self._connection.set_authorized_keys(self._servers.authorized_keys(self._host))
        return True

    def session_requested(self) -> asyncssh.SSHServerSession[bytes]:
        """Open a session, unless there are as many as OpenSSH allows."""
        if self._sessions >= MAX_SESSIONS:
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_CONNECT_FAILED, "open failed")
        self._sessions += 1
        return _Session(self._run, functools.partial(_Files, self._host), self._session_over)

    def connection_requested(
        self,
        dest_host: str,
        dest_port: int,  # noqa: ARG002 - of the interface
        orig_host: str,  # noqa: ARG002 - of the interface
        orig_port: int,  # noqa: ARG002 - of the interface
    ) -> bool:
        """Forward ports of the loopback, where servers of an instance listen."""
        return dest_host in _LOOPBACK_NAMES

    def _session_over(self) -> None:
        self._sessions -= 1

    async def _run(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        command = process.command
        if command is None:
            process.stderr.write(b"The emulator runs commands and has no interactive shell.\n")
            process.exit(1)
            return
        self._servers.commands.append((self._host.instance_id, command))
        # A task of its own, as those of a connection are cancelled with it.
        task = asyncio.get_running_loop().create_task(_run_command(self._host, process, command))
        self._host.tasks.add(task)
        task.add_done_callback(self._host.tasks.discard)


class _Session(asyncssh.SSHServerProcess[bytes]):
    """A session that reports its end."""

    def __init__(
        self,
        run: Callable[[asyncssh.SSHServerProcess[bytes]], Coroutine[Any, Any, None]],
        files: Callable[[SSHChannel[bytes]], asyncssh.SFTPServer],
        on_end: Callable[[], None],
    ) -> None:
        super().__init__(run, files, sftp_version=3, allow_scp=False)
        self._on_end = on_end

    def connection_lost(self, exc: Exception | None) -> None:
        """Report the end."""
        super().connection_lost(exc)
        self._on_end()


class _Files(asyncssh.SFTPServer):
    """SFTP whose relative paths begin in the directory of the instance."""

    def __init__(self, host: _Host, channel: SSHChannel[bytes]) -> None:
        super().__init__(cast("asyncssh.SSHServerChannel[bytes]", channel))
        self._directory = os.fsencode(host.directory)

    def map_path(self, path: bytes) -> bytes:
        """Return the path on this computer."""
        return os.path.join(self._directory, path)  # noqa: PTH118 - of bytes

    def realpath(self, path: bytes) -> bytes:
        """Return the absolute path."""
        return os.path.realpath(self.map_path(path))


async def _run_command(
    host: _Host, process: asyncssh.SSHServerProcess[bytes], command: str
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
    with contextlib.suppress(OSError, asyncssh.BreakReceived, asyncssh.SignalReceived):
        while data := await reader.read(_BLOCK):
            writer.write(data)
            await writer.drain()
    writer.close()


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


def _environment(host: _Host) -> dict[str, str]:
    """Return the environment of a command: little of this computer, none of its secrets."""
    interpreter = str(Path(sys.executable).parent)
    return {
        "PATH": os.pathsep.join((interpreter, os.environ.get("PATH", os.defpath))),
        "HOME": str(host.directory),
        "USER": USER,
        "LOGNAME": USER,
        "LANG": "C.UTF-8",
        "SHELL": shutil.which("bash") or "/bin/sh",
        **host.variables,
        _VARIABLE: host.instance_id,
    }


def _end_processes(host: _Host) -> None:
    """End what the commands of an instance have left running."""
    for group in host.children:
        with contextlib.suppress(OSError):
            os.killpg(group, signal.SIGKILL)
    mark = f"{_VARIABLE}={host.instance_id}".encode()
    for entry in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if mark in entry.read_bytes().split(b"\0"):
                os.kill(int(entry.parent.name), signal.SIGKILL)


def _host_key(instance_id: str) -> asyncssh.SSHKey:
    """Return the host key of an instance: always the same, as it is pinned by its identifier."""
    seed = hashlib.sha256(f"host key of {instance_id}".encode()).digest()
    key = Ed25519PrivateKey.from_private_bytes(seed)
    text = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.OpenSSH,
        serialization.NoEncryption(),
    )
    return asyncssh.import_private_key(text)


def _log_failure(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:  # noqa: ARG001 - of asyncio
    _LOG.debug("%s", context.get("message"), exc_info=context.get("exception"))
