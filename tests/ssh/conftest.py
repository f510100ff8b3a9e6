from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ssh.hosts import Host, emulator_host, sshd_host

HOSTS = {"emulator": emulator_host, "sshd": sshd_host}


@pytest.fixture(params=HOSTS)
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Host]:
    """Each real SSH server in turn."""
    with HOSTS[request.param](tmp_path) as running:
        yield running
