"""Commands and files on real SSH servers: the emulator's and OpenSSH's."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from runcrate_core.errors import (
    ConfigurationError,
    RemoteFileError,
    SSHConnectionError,
)
from runcrate_core.ssh import commands
from tests.core.both_clients import cancelled
from tests.ssh.hosts import INSTANCE, eventually, processes

on_both_servers = pytest.mark.parametrize("host", ["emulator", "sshd"], indirect=True)

MIB = 1024 * 1024


@on_both_servers
def test_a_command_gives_its_output_in_order_and_its_exit_code(host):
    with host.shell() as shell:
        result = shell.run("echo out; echo err >&2; echo again; exit 7")
        assert (result.output, result.exit_code) == ("out\nerr\nagain\n", 7)
        assert not result.truncated
        assert shell.run("printf 'no newline'").output == "no newline"
        assert shell.run("cat").output == ""  # standard input is empty
        assert shell.run("kill -9 $$").exit_code == 137
        quoted = shell.run('echo "it\'s" \'$HOME\' `echo x`; echo "ü 😀"')
        assert quoted.output == "it's $HOME x\nü 😀\n"


@on_both_servers
async def test_the_asynchronous_shell_is_awaited_or_entered(host):
    shell = await host.async_shell()
    try:
        assert (await shell.run("echo a")).output == "a\n"
    finally:
        await shell.close()
    async with host.async_shell() as entered:
        results = await asyncio.gather(*(entered.run(f"echo {n}") for n in range(4)))
        assert [result.output for result in results] == [f"{n}\n" for n in range(4)]


def test_output_comes_as_it_is_written(host):
    pieces: list[tuple[float, str]] = []
    with host.shell() as shell:
        shell.run(
            "echo a; sleep 0.4; echo b", on_output=lambda it: pieces.append((time.time(), it))
        )
    assert "".join(text for _, text in pieces) == "a\nb\n"
    assert pieces[-1][0] - pieces[0][0] > 0.2


def test_long_output_is_cut(host):
    with host.shell() as shell:
        result = shell.run("head -c 3000000 /dev/zero | tr '\\0' x", max_output=1_000_000)
        assert (len(result.output), result.truncated, result.exit_code) == (1_000_000, True, 0)
        both = shell.run("seq 100000", max_output=1000, keep="both")
        assert both.output.startswith("1\n2\n")
        assert both.output.endswith("99999\n100000\n")
        assert "bytes left out" in both.output


@on_both_servers
def test_32_commands_and_8_files_at_once_on_10_sessions(host):
    with host.shell() as shell, ThreadPoolExecutor(40) as threads:
        running = [threads.submit(shell.run, f"sleep 0.1; echo {n}") for n in range(32)]
        for n in range(8):
            threads.submit(shell.write_bytes, f"{host.folder}/f{n}", b"x" * n)
        results = [future.result() for future in running]
        assert [result.exit_code for result in results] == [0] * 32
        assert [result.output for result in results] == [f"{n}\n" for n in range(32)]
    assert [(host.folder / f"f{n}").stat().st_size for n in range(8)] == list(range(8))
    assert len(host.logins) == 1


@on_both_servers
def test_a_timeout_leaves_no_process(host):
    mark = f"10{time.time_ns() % 1_000_000_000}"
    command = (
        f"sleep {mark}1 & setsid sleep {mark}2 & (trap '' TERM; sleep {mark}3; sleep {mark}4) & "
        f"echo started; sleep {mark}5"
    )
    with host.shell() as shell:
        before = time.monotonic()
        result = shell.run(command, timeout=1.0)
        assert time.monotonic() - before < 30
        assert (result.output, result.exit_code, result.timed_out) == ("started\n", 124, True)
        assert eventually(lambda: not processes(f"sleep {mark}"))


def test_a_command_that_ignores_the_end_is_killed(host, monkeypatch):
    shorter = commands._WRAPPER.replace(f"-k {commands.KILL_AFTER_S}", "-k 0.3")
    monkeypatch.setattr(commands, "_WRAPPER", shorter)
    mark = f"20{time.time_ns() % 1_000_000_000}"
    with host.shell() as shell:
        result = shell.run(f"trap '' TERM; while true; do sleep {mark}; done", timeout=0.3)
        assert (result.exit_code, result.timed_out) == (124, True)
        assert eventually(lambda: not processes(f"sleep {mark}"))


async def test_a_cancelled_command_leaves_no_process(host):
    mark = f"30{time.time_ns() % 1_000_000_000}"
    async with host.async_shell() as shell:
        task = asyncio.create_task(shell.run(f"sleep {mark}1 & sleep {mark}2"))
        assert await asyncio.to_thread(eventually, lambda: len(processes(f"sleep {mark}")) > 1)
        await cancelled(task)
        assert await asyncio.to_thread(eventually, lambda: not processes(f"sleep {mark}"))
        assert (await shell.run("echo alive")).output == "alive\n"


def test_a_callback_that_fails_ends_the_command(host):
    mark = f"40{time.time_ns() % 1_000_000_000}"

    def fail(_):
        raise KeyError("mine")

    with host.shell() as shell:
        with pytest.raises(KeyError, match="mine"):
            shell.run(f"echo x; sleep {mark}", on_output=fail)
        assert eventually(lambda: not processes(f"sleep {mark}"))


def test_what_a_finished_command_left_in_the_background_runs_on(host):
    mark = f"50{time.time_ns() % 1_000_000_000}"
    with host.shell() as shell:
        before = time.monotonic()
        result = shell.run(f"sleep {mark} & echo started")
        assert (result.output, result.exit_code) == ("started\n", 0)
        assert time.monotonic() - before < 30  # it holds the output open
        assert processes(f"sleep {mark}")
        shell.run(f"pkill -f 'sleep {mark}'")


@on_both_servers
def test_a_dropped_connection_gives_no_exit_code_and_one_run(host):
    runs = f"{host.folder}/runs"
    with host.shell() as shell:
        threading.Timer(0.5, host.drop).start()
        result = shell.run(f"echo run >> {runs}; echo before; sleep 1; echo after")
        assert (result.output, result.exit_code) == ("before\n", None)
        assert not result.timed_out
        again = shell.run(f"sleep 1; cat {runs}")  # on a new connection
        assert again.output == "run\n"
    assert len(host.logins) == 2
    assert len(set(host.logins)) == 2  # another key, and so another certificate


def test_a_connection_that_is_lost_or_idle_is_opened_again(host):
    with host.shell(idle_timeout=0.3) as shell:
        for number in range(3):
            assert shell.run(f"echo {number}").output == f"{number}\n"
            host.drop()
        assert shell.run("sleep 0.5; echo a").output == "a\n"  # a running command is no idleness
        assert shell.is_connected
        assert eventually(lambda: not shell.is_connected)
        assert shell.run("echo b").output == "b\n"
    assert len(host.logins) == 5


@on_both_servers
def test_the_host_key_is_pinned_and_a_damaged_pin_is_refused(host):
    with host.shell() as shell:
        shell.run("true")
    assert host.known_hosts.read_text().startswith(f"{INSTANCE} ssh-ed25519 AAAA")
    host.known_hosts.write_text("# mine\n\nhalf a\n")
    with pytest.raises(ConfigurationError, match="line 3"):
        host.shell()


@on_both_servers
def test_files_go_up_and_down(host, tmp_path):
    source = tmp_path / "source"
    (source / "deep" / "empty").mkdir(parents=True)
    (source / "run.sh").write_text("#!/bin/sh\necho ran\n")
    (source / "run.sh").chmod(0o755)
    (source / "deep" / "ünï code.bin").write_bytes(bytes(range(256)) * 999)
    (source / "link").symlink_to("/etc/passwd")
    odd = b"caf\xe9.txt"  # not UTF-8
    Path(os.fsdecode(bytes(source) + b"/deep/" + odd)).write_text("x")
    seen: list[tuple[int, int | None]] = []
    with host.shell() as shell:
        target = f"{host.folder}/new/tree"
        shell.upload(source, target, on_progress=lambda done, total: seen.append((done, total)))
        assert shell.run(f"{target}/run.sh").output == "ran\n"
        assert seen[-1][0] == seen[-1][1] == 256 * 999 + 20
        assert [entry.name for entry in shell.list_files(target)] == ["deep", "run.sh"]
        back = shell.download(target, tmp_path / "back")
        assert (back / "deep" / "ünï code.bin").read_bytes() == bytes(range(256)) * 999
        assert (back / "run.sh").stat().st_mode & 0o100
        assert (back / "deep" / os.fsdecode(odd)).read_text() == "x"
        one = shell.download(f"{target}/run.sh", tmp_path)
        assert one == tmp_path / "run.sh"
        shell.upload(one, f"{host.folder}/new")
        assert shell.read_bytes(f"{host.folder}/new/run.sh") == one.read_bytes()
        left = shell.run(f"find {host.folder} {tmp_path}/back -name '*.part'").output
        assert left == ""


@on_both_servers
def test_errors_of_files_name_path_and_reason(host, tmp_path):
    os.mkfifo(host.folder / "pipe")
    (host.folder / "folder" / Path(__file__).name).mkdir(parents=True)
    nested = host.folder / "nested"
    nested.joinpath(*["d"] * 201).mkdir(parents=True)
    with host.shell() as shell:
        cases = [
            (lambda: shell.read_bytes(f"{host.folder}/pipe"), "invalid_path"),
            (lambda: shell.download(f"{host.folder}/pipe", tmp_path / "x"), "invalid_path"),
            (lambda: shell.read_bytes("/dev/zero"), "invalid_path"),
            (lambda: shell.write_bytes(f"{host.folder}/pipe", b"x"), "invalid_path"),
            (lambda: shell.upload(Path(__file__), f"{host.folder}/pipe"), "invalid_path"),
            (lambda: shell.upload(Path(__file__), f"{host.folder}/folder"), "is_directory"),
            (lambda: shell.read_bytes(f"{host.folder}/none"), "file_not_found"),
            (lambda: shell.download(f"{host.folder}/none", tmp_path / "x"), "file_not_found"),
            (lambda: shell.read_bytes(str(host.folder)), "is_directory"),
            (lambda: shell.write_bytes(str(host.folder), b""), "is_directory"),
            (lambda: shell.write_bytes("", b""), "invalid_path"),
            (lambda: shell.write_bytes("a\0b", b""), "invalid_path"),
            (lambda: shell.write_bytes("a\udcff", b""), "invalid_path"),
            (lambda: shell.list_files(f"{host.folder}/none"), "file_not_found"),
            (lambda: shell.download(str(nested), tmp_path / "nested"), "invalid_path"),
        ]
        for act, reason in cases:
            with pytest.raises(RemoteFileError) as caught:
                act()
            assert caught.value.reason == reason, caught.value
        shell.write_bytes(f"{host.folder}/long", b"x" * 100)
        with pytest.raises(RemoteFileError, match="longer than 99 bytes"):
            shell.read_bytes(f"{host.folder}/long", max_bytes=99)
        assert len(shell.read_bytes(f"{host.folder}/long", max_bytes=100)) == 100
        with pytest.raises(FileNotFoundError):
            shell.upload(tmp_path / "none", "x")
        with pytest.raises(FileNotFoundError):
            shell.download(f"{host.folder}/long", tmp_path / "no" / "such" / "folder")


@on_both_servers
def test_a_written_file_keeps_its_mode_and_the_links_to_it(host, tmp_path):
    real, link = host.folder / "run.sh", host.folder / "link"
    real.write_text("old")
    real.chmod(0o750)
    link.symlink_to("run.sh")
    with host.shell() as shell:
        shell.write_bytes(str(link), b"new")
        assert (real.read_text(), real.stat().st_mode & 0o777) == ("new", 0o750)
        (tmp_path / "link").write_text("newer")
        shell.upload(tmp_path, str(host.folder))
        assert real.read_text() == "newer"
    assert link.is_symlink()


@on_both_servers
def test_a_lost_connection_leaves_the_target_as_it_was(host, tmp_path):
    big = tmp_path / "big"
    big.write_bytes(b"x" * (16 * MIB))
    with host.shell() as shell:
        shell.write_bytes(f"{host.folder}/target", b"before")

        def cut(done, _total):
            if done > 4 * MIB:
                host.drop()

        with pytest.raises(SSHConnectionError, match="not changed"):
            shell.upload(big, f"{host.folder}/target", on_progress=cut)
        assert shell.read_bytes(f"{host.folder}/target") == b"before"


@on_both_servers
def test_a_port_of_the_instance_is_reached_also_after_a_lost_connection(host):
    server = (
        "import http.server as h; s = h.HTTPServer(('127.0.0.1', 0), h.SimpleHTTPRequestHandler); "
        "print(s.server_port, flush=True); s.serve_forever()"
    )
    serve = (
        f'cd {host.folder} && nohup python3 -c "{server}" > port 2> /dev/null & '
        f"until [ -s {host.folder}/port ]; do sleep 0.05; done; "
        f"cat {host.folder}/port; pgrep -n -f serve_forever"
    )
    with host.shell() as shell:
        port, pid = shell.run(serve).output.split()
        shell.write_bytes(f"{host.folder}/page", b"hello")
        url = shell.forward(int(port))
        try:
            assert url.startswith("http://127.0.0.1:")
            assert httpx.get(f"{url}/page").text == "hello"
            host.drop()
            assert httpx.get(f"{url}/page").text == "hello"
        finally:
            shell.run(f"kill {pid}")
        with pytest.raises(httpx.TransportError):
            httpx.get(url)
    with pytest.raises(httpx.ConnectError):
        httpx.get(url)


@pytest.mark.parametrize("host", ["sshd"], indirect=True)
def test_an_open_connection_to_a_port_is_closed_quietly(host, caplog):
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as local:
        with host.shell() as shell:
            url = httpx.URL(shell.forward(server.getsockname()[1]))
            local.connect((url.host, url.port))
            accepted, _ = server.accept()
        with accepted:
            assert local.recv(1) == b""
    assert [record.message for record in caplog.records if record.name == "asyncio"] == []


def test_a_closed_shell_says_so(host):
    shell = host.shell()
    shell.close()
    shell.close()
    with pytest.raises(ConfigurationError, match="was closed"):
        shell.run("true")


async def test_blocking_and_asynchronous_code_share_one_connection(host):
    shell = await asyncio.to_thread(host.shell)
    try:
        result, other = await asyncio.gather(
            shell.arun("sleep 0.2; echo a"), asyncio.to_thread(shell.run, "echo b")
        )
        assert (result.output, other.output) == ("a\n", "b\n")
        assert len(host.logins) == 1
    finally:
        await shell.aclose()
