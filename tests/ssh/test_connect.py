"""`client.instances.connect` on emulated instances: logins, pins, idle stop and clear errors."""

from __future__ import annotations

import errno
import filecmp
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import asyncssh
import pytest

import runcrate_core as rc
from runcrate_core.ssh import sync_shell
from runcrate_core.ssh.connection import ConnectionOptions
from runcrate_core.ssh.login import Login
from runcrate_core.ssh.shell import AsyncInstanceShell
from runcrate_core.ssh.shell_pool import ShellPool
from runcrate_core.ssh.sync_shell import InstanceShell
from runcrate_emulator import Emulator, ssh_sessions
from tests.core.cloud import in_child
from tests.repository import ROOT
from tests.ssh.hosts import eventually, processes

EMULATOR = {"ssh": True, "clock_speed": 0}
LARGE_MIB = 40  # more than twice of what it may take


@pytest.fixture
def client(cloud: Emulator) -> Iterator[rc.Runcrate]:
    with rc.Runcrate(cloud.api_key, base_url=cloud.base_url) as made:
        yield made


def launch(client: rc.Runcrate, cloud: Emulator, **options: Any) -> rc.Instance:
    instance = client.instances.create(gpu_type="A100", max_runtime_minutes=60, **options)
    cloud.clock.advance(30)
    return client.instances.get(instance.id)


@pytest.fixture
def instance(client: rc.Runcrate, cloud: Emulator) -> rc.Instance:
    return launch(client, cloud)


@pytest.fixture
def shell(client: rc.Runcrate, instance: rc.Instance) -> Iterator[InstanceShell]:
    with client.instances.connect(instance.id) as connected:
        yield connected


def test_a_certificate_of_the_api_logs_in(shell, instance):
    assert shell.run("echo $USER").output == "root\n"
    assert shell.instance_id == instance.id
    assert "rc_live" not in repr(shell)


async def test_the_asynchronous_client_too(cloud):
    async with rc.AsyncRuncrate(cloud.api_key, base_url=cloud.base_url) as client:
        instance = await client.instances.create(gpu_type="A100", max_runtime_minutes=60)
        cloud.clock.advance(30)
        async with client.instances.connect(instance.id) as shell:
            assert (await shell.run("pwd")).exit_code == 0


async def test_a_certificate_is_for_one_instance(client, cloud, instance, tmp_path):
    cloud.world.sold_out.clear()
    other = launch(client, cloud)

    async def log_in(public_key):
        issued = client.instances.issue_ssh_certificate(instance.id, public_key=public_key)
        return Login("127.0.0.1", other.model_extra["ssh_port"], "root", issued.certificate)

    options = ConnectionOptions(known_hosts=tmp_path / "known_hosts")
    with pytest.raises(rc.SSHAuthenticationError, match="refused the certificate"):
        await AsyncInstanceShell(other.id, log_in, options=options)


def test_a_key_pair_logs_in_where_it_was_launched_with_it(client, cloud, tmp_path):
    key = asyncssh.generate_private_key("ssh-ed25519")
    path = tmp_path / "id_ed25519"
    key.write_private_key(path, passphrase="open", rounds=1, ignore_few_rounds=True)
    added = client.ssh_keys.create(name="laptop", public_key=key.export_public_key().decode())
    instance = launch(client, cloud, ssh_key_id=added.id)
    before = len(cloud.requests)
    with client.instances.connect(instance.id, private_key=path, passphrase="open") as shell:
        assert shell.run("echo in").output == "in\n"
    assert not any("certificate" in request.path for request in cloud.requests[before:])
    with pytest.raises(ValueError, match="passphrase"):
        client.instances.connect(instance.id, private_key=path)
    other = asyncssh.generate_private_key("ssh-ed25519").export_private_key().decode()
    with pytest.raises(rc.SSHAuthenticationError, match="ssh_key_id"):
        client.instances.connect(instance.id, private_key=other)


def test_a_changed_host_key_is_refused_unsent(client, cloud, instance, tmp_path, monkeypatch):
    known_hosts = tmp_path / "known_hosts"
    with client.instances.connect(instance.id, known_hosts=known_hosts) as shell:
        shell.run("true")
        cloud.ssh.replace_host_key(instance.id)
        logins: list[str] = []
        monkeypatch.setattr(
            ssh_sessions.Login, "begin_auth", lambda _self, name: bool(logins.append(name))
        )
        ran = len(cloud.ssh.commands)
        with pytest.raises(rc.HostKeyChangedError, match="before anything was sent"):
            shell.run("echo secret")
        with pytest.raises(rc.HostKeyChangedError):
            shell.write_bytes("secret", b"secret")
    with pytest.raises(rc.HostKeyChangedError, match=re.escape(str(known_hosts))):
        client.instances.connect(instance.id, known_hosts=known_hosts)
    assert not logins  # not even the user's name
    assert len(cloud.ssh.commands) == ran


def test_an_expired_certificate_says_until_when_it_was_valid(client, cloud, instance, monkeypatch):
    monkeypatch.setattr(cloud.ssh, "certificate_lifetime_s", -5)
    with pytest.raises(rc.SSHAuthenticationError, match=r"valid until 20.* UTC.*Nothing was run"):
        client.instances.connect(instance.id)


NONSENSE = b'{"data": {"certificate": "nonsense", "ip": "127.0.0.1", "user": "root", "port": 1}}'


@pytest.mark.parametrize(
    ("fault", "error", "problem"),
    [
        ({"status": 404, "code": "not_found"}, rc.NotFoundError, "private_key"),
        ({"status": 409, "code": "conflict"}, rc.ConflictError, None),
        ({"status": 200, "body": NONSENSE}, rc.ResponseFormatError, "certificate"),
    ],
)
def test_a_certificate_that_is_refused_or_none_says_so(
    client, cloud, instance, fault, error, problem
):
    cloud.fail("POST /instances/{id}/ssh-certificate", **fault)
    with pytest.raises(error, match=problem):
        client.instances.connect(instance.id)


def test_an_instance_that_cannot_be_reached_says_so(client, cloud, instance):
    cloud.ssh.remove(instance.id)
    with pytest.raises(rc.SSHConnectionError, match="refused"):
        client.instances.connect(instance.id, connect_timeout=0.3)
    cloud.world.sold_out.clear()
    starting = client.instances.create(gpu_type="A100", max_runtime_minutes=60)
    with pytest.raises(rc.SSHConnectionError, match=r"no IP address yet.*wait_until_running"):
        client.instances.connect(starting.id)
    with pytest.raises(rc.NotFoundError):
        client.instances.connect("00000000-0000-4000-8000-000000000000")
    with pytest.raises(ValueError, match="segment"):
        client.instances.connect("../x")


def test_ssh_that_starts_late_is_waited_for(client, cloud, instance):
    port = instance.model_extra["ssh_port"]
    cloud.ssh.remove(instance.id)
    threading.Timer(0.4, lambda: cloud.ssh.add(instance.id, (), port=port)).start()
    with client.instances.connect(instance.id) as shell:
        assert shell.run("echo there").output == "there\n"


def test_an_idle_shell_lets_the_idle_stop_work(client, cloud):
    instance = launch(client, cloud, idle_shutdown_minutes=5)

    def nobody_is_connected() -> bool:
        cloud.clock.advance(1)
        return cloud.ssh.active_at(instance.id) < cloud.clock.now()

    with client.instances.connect(instance.id, idle_timeout=0.5) as shell:
        shell.run("true")
        cloud.clock.advance(600)
        assert client.instances.get(instance.id).status == "running"  # somebody is connected
        assert eventually(lambda: not shell.is_connected)
        assert eventually(nobody_is_connected)  # the server notices a little later
        cloud.clock.advance(298)
        assert client.instances.get(instance.id).status == "running"
        cloud.clock.advance(20)
        after = client.instances.get(instance.id)
        assert (after.status, after.stop_reason) == ("terminated", "idle")


def test_a_full_disk_says_so_and_keeps_what_was_there(shell, tmp_path, monkeypatch):
    (tmp_path / "big").write_bytes(b"x" * 100_000)

    def full(*_args):
        raise OSError(errno.ENOSPC, "No space left on device")

    shell.write_bytes("target", b"before")
    with monkeypatch.context() as patch:
        patch.setattr(ssh_sessions.Files, "write", full)  # the disk fills up meanwhile
        with pytest.raises(rc.RemoteFileError, match=r"full|failed|space") as caught:
            shell.upload(tmp_path / "big", "target")
        assert "not changed" in str(caught.value)
    no_room = asyncssh.SFTPVFSAttrs(bsize=4096, frsize=4096, blocks=1000, bfree=1, bavail=1)
    with monkeypatch.context() as patch:
        patch.setattr(ssh_sessions.Files, "statvfs", lambda *_: no_room)
        for act in (
            lambda: shell.upload(tmp_path / "big", "target"),
            lambda: shell.write_bytes("target", b"x" * 5000),
            lambda: shell.upload(tmp_path, "tree"),
        ):
            with pytest.raises(rc.RemoteFileError, match="disk of the instance is full") as caught:
                act()
            assert caught.value.reason == "disk_full"
    assert shell.read_bytes("target") == b"before"
    assert [entry.name for entry in shell.list_files()] == ["target"]


def test_a_full_disk_here_says_so(shell, tmp_path, monkeypatch):
    shell.write_bytes("file", b"x" * 5000)
    free = shutil.disk_usage(tmp_path)._replace(free=100)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: free)
    with pytest.raises(OSError, match="nothing was kept"):
        shell.download("file", tmp_path / "file")
    assert not list(tmp_path.glob("file*"))


def test_names_and_links_do_not_lead_out_of_a_download(shell, tmp_path, monkeypatch):
    (tmp_path / "outside").mkdir()
    (tmp_path / "back").mkdir()
    (tmp_path / "back" / "tree").symlink_to(tmp_path / "outside")
    shell.write_bytes("work/tree/file", b"x")
    with pytest.raises(OSError, match="leads out"):
        shell.download("work", tmp_path / "back")
    assert not list((tmp_path / "outside").iterdir())

    async def names(_self, _path):
        yield asyncssh.SFTPName(b"../escaped", attrs=asyncssh.SFTPAttrs(permissions=0o100644))

    monkeypatch.setattr(ssh_sessions.Files, "scandir", names)
    with pytest.raises(rc.RemoteFileError, match="cannot be saved here"):
        shell.download("work/tree", tmp_path / "deep" / "tree")
    assert not (tmp_path / "deep" / "escaped").exists()


def run_program(code: str, folder: Path, **environment: str) -> str:
    """Run a program with its files in a folder and return what it prints."""
    paths = {"PYTHONPATH": str(ROOT), "HOME": str(folder), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=paths | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout


def test_without_the_extra_one_line_says_what_to_install(tmp_path):
    code = """
import sys
sys.modules["asyncssh"] = None
from runcrate_core import Runcrate
from runcrate_emulator import Emulator
with Emulator():
    pass
for action in (lambda: Runcrate("rc_live_test").instances.connect("x"), Emulator(ssh=True).start):
    try:
        action()
    except Exception as error:
        print(type(error).__name__, error)
"""
    client, emulator = run_program(code, tmp_path).splitlines()
    advice = 'Run: pip install "runcrate-integrations[{}]"'
    assert client.startswith("ConfigurationError Commands on instances need asyncssh. Nothing was")
    assert client.endswith(advice.format("ssh"))
    assert emulator.startswith("ModuleNotFoundError SSH servers need asyncssh. ")
    assert emulator.endswith(advice.format("emulator,ssh"))


def test_an_emulator_without_ssh_runs_nothing():
    with Emulator(clock_speed=0) as plain:
        with rc.Runcrate(plain.api_key, base_url=plain.base_url) as client:
            instance = launch(client, plain)
            assert instance.ip.startswith("203.0.113.")
            assert "ssh_port" not in instance.model_extra
        with pytest.raises(RuntimeError, match="ssh=True"):
            _ = plain.ssh


def test_an_instance_that_ends_leaves_nothing_and_is_not_replaced(client, cloud, shell, instance):
    mark = f"60{time.time_ns() % 1_000_000_000}"
    directory = cloud.ssh.directory(instance.id)
    shell.run(f"setsid sleep {mark} & echo x > file")
    assert processes(f"sleep {mark}")
    assert (directory / "file").exists()
    client.instances.terminate(instance.id)
    assert not processes(f"sleep {mark}")
    assert not directory.exists()
    with pytest.raises(rc.SSHConnectionError, match=r"has ended.*no other instance was launched"):
        shell.run("echo x")
    assert len(client.instances.list()) <= 1


def test_an_instance_whose_lifetime_is_over_closes_its_connections(cloud, shell):
    shell.run("true")
    cloud.clock.advance(3700)
    result = shell.run("sleep 5; echo after") if shell.is_connected else None
    assert result is None or result.exit_code is None
    with pytest.raises(rc.SSHConnectionError, match="has ended"):
        shell.run("echo x")


def test_a_program_ends_with_a_shell_that_is_still_open(cloud, instance, tmp_path):
    code = f"""
import atexit, time
from runcrate_core import Runcrate
atexit.register(time.sleep, 0.1)  # in which the thread of the connection ends
shell = Runcrate().instances.connect({instance.id!r})
print(shell.run("echo open").output, end="")
"""
    assert run_program(code, tmp_path, **cloud.environment_variables()) == "open\n"


def test_large_files_take_little_memory(cloud, instance, tmp_path):
    code = f"""
from pathlib import Path
from runcrate_core import Runcrate

def peak():  # of this program alone; `getrusage` begins with that of its parent
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))

with Runcrate().instances.connect({instance.id!r}) as shell:
    for name in ("small", "big"):
        before = peak()
        shell.upload(name, name)
        shell.download(name, f"{{name}}-back")
    print(peak() - before)
"""
    for name, size_mib in (("small", 4), ("big", LARGE_MIB)):
        (tmp_path / name).write_bytes(bytes(range(256)) * 4096 * size_mib)
    more_kib = int(run_program(code, tmp_path, **cloud.environment_variables()))
    assert filecmp.cmp(tmp_path / "big", tmp_path / "big-back", shallow=False)
    assert more_kib < 16 * 1024


def test_a_shell_whose_event_loop_cannot_be_made_raises(monkeypatch):
    """The program has no descriptor left, for example: nothing waits forever."""

    def refuse(main):
        main.close()
        raise OSError("Too many open files")

    monkeypatch.setattr(sync_shell.asyncio, "run", refuse)
    with pytest.raises(OSError, match="Too many open files"):
        InstanceShell(pytest.fail)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_shell_is_closed_in_a_child_process(client, instance):
    pool = ShellPool()
    pooled = pool.get(client._driver, instance.id)

    def is_closed(shell: InstanceShell) -> bool:
        with pytest.raises(rc.ConfigurationError, match="closed"):
            shell.run("true")
        shell.close()
        return True

    assert in_child(partial(is_closed, pooled))  # the pool forgets its shells before all else
    assert pooled.run("echo here").output == "here\n"
    del pooled
    assert in_child(lambda: True)
    pool.close()
