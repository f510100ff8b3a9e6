"""Real SSH servers for emulated instances, one each, on loopback ports.

Commands are real: they run on this computer, as the user who started the emulator. The working
directory and home of an instance is a temporary directory, where relative paths of SFTP begin
too; absolute paths mean the same files for commands and for SFTP, as on a rented instance. So this
is a convenience for tests and demos, and no isolation.

The certificates are real as well: signed by an authority of this emulator, valid for one
instance and a short time.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import asyncssh
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from runcrate_emulator.loopback import LOOPBACK

USER = "root"  # the user of rented instances; here only a name
MAX_SESSIONS = 10  # the default of OpenSSH, per connection
CERTIFICATE_LIFETIME_S = 300.0
_WATCH_INTERVAL_S = 0.1
_START_TIMEOUT_S = 10.0
INSTANCE_VARIABLE = "RUNCRATE_EMULATED_INSTANCE"
"""Variable with the directory of an instance, by which its processes are found.

Its identifier would not do: other emulators have instances of the same one.
"""

T = TypeVar("T")
_LOG = logging.getLogger("runcrate_emulator.ssh")


@dataclass
class SshHost:
    """The SSH server of one instance."""

    instance_id: str
    directory: Path
    public_keys: tuple[str, ...]
    host_key: asyncssh.SSHKey
    server: asyncssh.SSHAcceptor | None = None
    connections: set[asyncssh.SSHServerConnection] = field(default_factory=set)
    children: set[int] = field(default_factory=set)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    active_at: datetime | None = None
    was_running: bool = False

    @property
    def port(self) -> int:
        """The port on which it listens; 0 before it does."""
        return 0 if self.server is None else int(self.server.get_port())


class SshServers:
    """The SSH servers of an emulator's instances, in a thread of their own.

    Attributes:
        certificate_lifetime_s: Real seconds for which certificates are valid; may be set.
        commands: Every command that was run, as `(instance id, command)`.
    """

    def __init__(self, is_running: Callable[[str], bool], now: Callable[[], datetime]) -> None:
        self.certificate_lifetime_s = CERTIFICATE_LIFETIME_S
        self.commands: list[tuple[str, str]] = []
        self.is_running = is_running
        self.now = now
        self._authority = asyncssh.generate_private_key("ssh-ed25519")
        self._hosts: dict[str, SshHost] = {}
        self._root = Path(tempfile.mkdtemp(prefix="runcrate-emulator-"))
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._serve, name="runcrate-emulator-ssh", daemon=True
        )
        self._thread.start()

    def add(self, instance_id: str, public_keys: Iterable[str], *, port: int = 0) -> int:
        """Start the server of an instance and return its port.

        It refuses logins until the instance runs. The keys may log in besides certificates.
        """
        directory = self._root / instance_id
        directory.mkdir()
        keys = tuple(public_keys)
        host = SshHost(instance_id, directory.resolve(), keys, _host_key(instance_id))
        self._hosts[instance_id] = host
        self._call(self._listen(host, port))
        return host.port

    def remove(self, instance_id: str) -> None:
        """End the server of an instance, its processes and its files."""
        host = self._hosts.pop(instance_id, None)
        if host is not None:
            self._call(self._stop(host))

    def sign(self, instance_id: str, public_key: str) -> str:
        """Return a certificate with which a key may log in to an instance for a short time."""
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
        """Time of the last connection, as far as known; now while somebody is connected."""
        host = self._hosts.get(instance_id)
        if host is None:
            return None
        return self.now() if host.connections else host.active_at

    def directory(self, instance_id: str) -> Path:
        """The directory in which commands of an instance run."""
        return self._hosts[instance_id].directory

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
        self._loop.set_exception_handler(
            lambda _, about: _LOG.debug("%s", about.get("message"), exc_info=about.get("exception"))
        )
        _watching = self._loop.create_task(self._watch())  # a loop alone would let it be collected
        try:
            self._loop.run_forever()
        finally:
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
                runs = self.is_running(host.instance_id)
                if not runs and (host.was_running or host.connections):
                    await self._abort([host])
                    _end_processes(host)
                host.was_running = runs

    async def _listen(self, host: SshHost, port: int = 0) -> None:
        from runcrate_emulator.ssh_sessions import Login  # noqa: PLC0415 - imports this module

        if host.server is not None:
            host.server.close()
            await self._abort([host])
            await host.server.wait_closed()
        host.server = await asyncssh.listen(
            LOOPBACK,
            port,
            reuse_address=True,
            server_factory=lambda: Login(self, host),
            server_host_keys=[host.host_key],
            encoding=None,
            config=None,
            allow_scp=False,
        )

    async def _abort(self, hosts: list[SshHost]) -> None:
        for host in hosts:
            for connection in list(host.connections):
                connection.abort()

    async def _stop(self, host: SshHost) -> None:
        if host.server is not None:
            host.server.close()
        await self._abort([host])
        _end_processes(host)
        if host.tasks:
            await asyncio.wait(host.tasks, timeout=_START_TIMEOUT_S / 2)
        shutil.rmtree(host.directory, ignore_errors=True)

    def authorized_keys(self, host: SshHost) -> asyncssh.SSHAuthorizedKeys:
        """Return who may log in to an instance."""
        authority = self._authority.export_public_key().decode().strip()
        lines = [f'cert-authority,principals="{host.instance_id}" {authority}', *host.public_keys]
        return asyncssh.import_authorized_keys("\n".join(lines) + "\n")


def _end_processes(host: SshHost) -> None:
    """End what the commands of an instance have left running."""
    for group in host.children:
        with contextlib.suppress(OSError):
            os.killpg(group, signal.SIGKILL)
    mark = f"{INSTANCE_VARIABLE}={host.directory}".encode()
    for entry in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if mark in entry.read_bytes().split(b"\0"):
                os.kill(int(entry.parent.name), signal.SIGKILL)


def _host_key(instance_id: str) -> asyncssh.SSHKey:
    """Return the host key of an instance: always the same, as it is pinned by its identifier."""
    seed = hashlib.sha256(f"host key of {instance_id}".encode()).digest()
    key = Ed25519PrivateKey.from_private_bytes(seed)
    openssh = serialization.PrivateFormat.OpenSSH
    encoding, no_encryption = serialization.Encoding.PEM, serialization.NoEncryption()
    text = key.private_bytes(encoding, openssh, no_encryption)
    return asyncssh.import_private_key(text)
