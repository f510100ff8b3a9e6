"""Two real SSH servers with the same face: that of the emulator, and OpenSSH's `sshd`."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from runcrate_core.ssh.connection import ConnectionOptions
from runcrate_core.ssh.login import Login
from runcrate_core.ssh.shell import AsyncInstanceShell
from runcrate_core.ssh.sync_shell import InstanceShell
from runcrate_emulator.ssh_servers import SshServers

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
INSTANCE = "instance-1"
_SSHD_CONFIG = """
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host_key
TrustedUserCAKeys {folder}/ca.pub
AuthorizedKeysFile {folder}/authorized_keys
PidFile none
StrictModes no
UsePAM no
PermitRootLogin yes
PasswordAuthentication no
MaxSessions 10
# Keeps bash from reading the start-up files of this computer; the standard suite calls `python`.
SetEnv SHLVL=2 PATH={path}
Subsystem sftp internal-sftp
"""


@dataclass
class Host:
    """A running SSH server, and how to log in.

    Attributes:
        logins: Public keys for which a certificate was asked.
        certificate_lifetime_s: Validity of the next certificates; negative: expired.
    """

    port: int
    folder: Path
    sign: Any
    drop: Any
    known_hosts: Path
    logins: list[str] = field(default_factory=list)

    async def log_in(self, public_key: str | None) -> Login:
        assert public_key is not None
        self.logins.append(public_key)
        return Login("127.0.0.1", self.port, "root", self.sign(public_key))

    def options(self, **changes: Any) -> ConnectionOptions:
        return ConnectionOptions(**{"known_hosts": self.known_hosts, **changes})

    def async_shell(self, **options: Any) -> AsyncInstanceShell:
        return AsyncInstanceShell(INSTANCE, self.log_in, options=self.options(**options))

    def shell(self, **options: Any) -> InstanceShell:
        return InstanceShell(lambda: self.async_shell(**options))


@contextlib.contextmanager
def emulator_host(folder: Path) -> Iterator[Host]:
    from datetime import UTC, datetime

    servers = SshServers(lambda _: True, lambda: datetime.now(UTC))
    try:
        port = servers.add(INSTANCE, ())
        yield Host(
            port,
            servers.directory(INSTANCE),
            lambda key: servers.sign(INSTANCE, key),
            lambda: servers.drop_connections(INSTANCE),
            folder / "known_hosts",
        )
    finally:
        servers.close()


@contextlib.contextmanager
def sshd_host(folder: Path) -> Iterator[Host]:
    if SSHD is None:
        pytest.skip("OpenSSH's sshd is not installed (apt-get install openssh-server)")
    if os.geteuid() != 0:
        pytest.skip("sshd logs in another user, which only root may do")
    Path("/run/sshd").mkdir(exist_ok=True)
    authority = asyncssh.generate_private_key("ssh-ed25519")
    authority.write_public_key(folder / "ca.pub")
    asyncssh.generate_private_key("ssh-ed25519").write_private_key(folder / "host_key")
    (folder / "host_key").chmod(0o600)
    (folder / "authorized_keys").touch()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = folder / "sshd_config"
    config.write_text(_SSHD_CONFIG.format(port=port, folder=folder, path=_path()))
    log = (folder / "sshd.log").open("wb")
    server = subprocess.Popen([SSHD, "-D", "-e", "-f", config], stderr=log)
    try:
        _wait_for(port, server, folder / "sshd.log")

        def sign(public_key: str) -> str:
            certificate = authority.generate_user_certificate(
                asyncssh.import_public_key(public_key),
                "test",
                principals=["root"],
                valid_after="-1m",
                valid_before="+5m",
            )
            return certificate.export_certificate().decode().strip()

        work = folder / "work"
        work.mkdir()
        yield Host(port, work, sign, lambda: _kill_children(server.pid), folder / "known_hosts")
    finally:
        _kill_children(server.pid)
        server.terminate()
        server.wait(10)
        log.close()


def _path() -> str:
    return f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"


def _wait_for(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    def is_reached() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    if not eventually(lambda: is_reached() or server.poll() is not None) or not is_reached():
        pytest.fail(f"sshd did not start: {log.read_text()}")


def _kill_children(parent: int) -> None:
    """End the processes of connections, which cuts them; commands live on."""
    command = ["pkill", "-KILL", "-P", str(parent)]
    subprocess.run(command, check=False)


def eventually(condition: Callable[[], bool], seconds: float = 20.0) -> bool:
    """Wait for a condition; return whether it became true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def processes(marker: str) -> list[str]:
    """The running processes whose command line contains a text."""
    command = ["pgrep", "-f", marker]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    return found.stdout.split()
