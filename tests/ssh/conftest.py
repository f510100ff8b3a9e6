from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.core.cloud import _server, cloud
from tests.ssh.hosts import Host, emulator_host, sshd_host

__all__ = ["_server", "cloud"]  # fixtures

SERVERS = {"emulator": emulator_host, "sshd": sshd_host}


@pytest.fixture
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Host]:
    """A real SSH server: the emulator's, or OpenSSH's where a test is marked `on_both_servers`."""
    with SERVERS[getattr(request, "param", "emulator")](tmp_path) as running:
        yield running
