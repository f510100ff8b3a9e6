"""`RuncrateSandbox` on the emulator: launching within limits, setting up, and always ending.

Agents that work in it are an example, which its own tests run.
"""

from __future__ import annotations

import asyncio
import inspect
import shlex
import socket
import threading
import time
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

import runcrate_core as rc
from langchain_runcrate import ChatRuncrate, RuncrateSandbox, RuncrateToolkit
from langchain_runcrate.sandbox_provider import RuncrateSandboxProvider
from runcrate_core.api import instances
from runcrate_core.ssh.settings import connect
from runcrate_core.toolkit import ConnectOptions, LaunchOptions
from runcrate_emulator import Emulator
from tests.ssh.hosts import processes

ROOT = Path(__file__).parent.parent.parent
LIMITS = rc.SpendLimits(max_price_per_hour=2, max_runtime_minutes=30, max_total_usd=5)
QUICK: dict[str, Any] = {"gpu_type": "A100", "poll_interval": 0.02}


@pytest.fixture(scope="module")
def shared_cloud():
    with Emulator(ssh=True, clock_speed=600.0) as running:
        yield running


@pytest.fixture
def cloud(shared_cloud):
    shared_cloud.reset()
    return shared_cloud


@pytest.fixture
def client(cloud):
    with rc.Runcrate(cloud.api_key, base_url=cloud.base_url) as made:
        yield made


def live(client: rc.Runcrate) -> list[str]:
    return [item.name for item in client.instances.list() if not item.has_ended]


# --- launching -------------------------------------------------------------------------------


def test_a_sandbox_lives_as_long_as_its_block(client):
    lines: list[str] = []
    launch = RuncrateSandbox.launch(
        client, limits=LIMITS, setup=["echo ready > state"], on_status=lines.append, **QUICK
    )
    with launch as sandbox:
        assert sandbox.execute("cat state").output == "ready\n"
        assert live(client) == [launch.instance.name]
        assert launch.instance.max_runtime_minutes == 30
        assert sandbox.id == launch.instance.id
    assert not live(client)
    assert launch.report is not None
    assert launch.report.ended == (launch.instance.name,)
    assert [line.split()[0] for line in lines] == ["Launching", launch.instance.name, "Setting"]
    assert len(launch.ledger.entries) == 1


async def test_a_sandbox_is_launched_asynchronously(cloud, client):
    async with rc.AsyncRuncrate(cloud.api_key, base_url=cloud.base_url) as async_client:
        async with RuncrateSandbox.launch(async_client, limits=LIMITS, **QUICK) as sandbox:
            result, other = await asyncio.gather(
                sandbox.aexecute("echo a"), asyncio.to_thread(sandbox.execute, "echo b")
            )
            assert (result.output, other.output) == ("a\n", "b\n")
            path = (await sandbox.aexecute("echo $PWD/file")).output.strip()
            [uploaded] = await sandbox.aupload_files([(path, b"x")])
            assert uploaded.error is None
            [downloaded] = await sandbox.adownload_files([path])
            assert downloaded.content == b"x"
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(sandbox.aexecute("sleep 5"), 0.1)
    assert not live(client)


@pytest.mark.parametrize(
    ("wish", "error"),
    [
        ({"max_runtime_minutes": 600}, rc.SpendRefusedError),
        ({"gpu_count": 8}, rc.SpendRefusedError),
        ({"setup": [""]}, ValueError),
        ({"idle_shutdown_minuts": 5}, TypeError),
        ({"wait_timeout": -1}, ValueError),
        ({"approve": lambda _: False}, rc.SpendRefusedError),
    ],
)
def test_limits_refuse_before_any_request(cloud, client, wish, error):
    with pytest.raises(error), RuncrateSandbox.launch(client, limits=LIMITS, **QUICK, **wish):
        pass
    launches = [entry for entry in cloud.requests if entry.method == "POST"]
    # An approver is asked about a plan, which needs the prices.
    assert (launches if "approve" in wish else cloud.requests) == []


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"setup": ["echo fine", "echo broken pip >&2; exit 9"]}, r"exit code 9(?s:.*)broken pip"),
        ({"setup": ["sleep 60"], "setup_timeout": 0.5}, r"longer than 0\.5 seconds"),
        ({}, "of the block"),
    ],
)
def test_whatever_fails_the_instance_is_terminated(client, options, match, is_async):
    launch = RuncrateSandbox.launch(client, limits=LIMITS, **QUICK, **options)

    async def enter() -> None:
        if is_async:
            async with launch:
                raise rc.InstanceSetupError("of the block")
        with launch:
            raise rc.InstanceSetupError("of the block")

    with pytest.raises(rc.InstanceSetupError, match=match) as caught:
        asyncio.run(enter())
    if "exit code" in match:
        assert (caught.value.exit_code, caught.value.output) == (9, "broken pip")
    assert not live(client)
    assert launch.report is not None
    assert len(launch.report.ended) == 1


def test_the_typed_options_are_those_that_are_taken():
    named = {"gpu_type", "max_runtime_minutes"}
    waits = {"setup_timeout", "wait_timeout", "poll_interval"}
    assert LaunchOptions.__annotations__.keys() - waits == instances.LAUNCH_FIELDS - named
    connecting = inspect.signature(connect).parameters.keys()
    assert ConnectOptions.__annotations__.keys() == connecting - {"instance_id"}


# --- one that runs already -------------------------------------------------------------------


def test_an_instance_that_runs_already_lives_on(client):
    made = client.instances.create(gpu_type="A100", max_runtime_minutes=30)
    client.instances.wait_until_running(made.id, poll_interval=0.02)
    sandbox = RuncrateSandbox(client, made.id)
    assert sandbox.execute("exit 5").exit_code == 5
    timed_out = sandbox.execute("sleep 30", timeout=1)
    assert timed_out.exit_code == 124
    assert "ended after 1 seconds" in timed_out.output
    assert sandbox.execute("").exit_code == 126
    home = sandbox.execute("pwd").output.strip()
    refused = sandbox.upload_files([("relative", b"x"), (home, b"x")])
    assert [item.error for item in refused] == ["invalid_path", "is_directory"]
    assert sandbox.execute("echo no limit", timeout=0).output == "no limit\n"
    sandbox.close()
    assert len(live(client)) == 1


def test_an_instance_that_is_gone_is_told_and_not_replaced(client):
    with RuncrateSandbox.launch(client, limits=LIMITS, **QUICK) as sandbox:
        client.instances.terminate(sandbox.id)
        result = sandbox.execute("echo x")
        assert "has ended" in result.output
        assert "no other instance was launched" in result.output
        [failed] = sandbox.download_files(["/etc/hostname"])
        assert "has ended" in str(failed.error)
    assert not live(client)


def test_a_lost_connection_is_told_and_the_command_not_repeated(cloud, client):
    with RuncrateSandbox.launch(client, limits=LIMITS, **QUICK) as sandbox:
        threading.Timer(0.7, cloud.ssh.drop_connections).start()
        result = sandbox.execute("echo once >> runs; echo before; sleep 2")
        assert result.exit_code is None
        assert result.output.startswith("before\n")
        assert "not run again" in result.output
        assert sandbox.execute("sleep 2; cat runs").output == "once\n"


# --- the provider of `dcode` -----------------------------------------------------------------


def test_the_provider_launches_and_ends(cloud, client, monkeypatch):
    for name, value in cloud.environment_variables().items():
        monkeypatch.setenv(name, value)
    provider = RuncrateSandboxProvider()
    sandbox = provider.get_or_create(max_runtime_minutes=30, max_total_usd=5, **QUICK)
    again = RuncrateSandboxProvider().get_or_create(sandbox_id=sandbox.id)
    assert again.execute("echo a").output == "a\n"
    again.close()
    with pytest.raises(rc.ConfigurationError, match="not launched by this program"):
        RuncrateSandboxProvider().delete(sandbox_id=sandbox.id)
    provider.delete(sandbox_id=sandbox.id)
    assert not live(client)


def test_the_entry_point_names_the_provider():
    declared = (ROOT / "pyproject.toml").read_text()
    assert '[project.entry-points."deepagents_code.sandbox_providers"]' in declared
    for entry in entry_points(group="deepagents_code.sandbox_providers"):
        if entry.name == "runcrate":
            assert entry.load() is RuncrateSandboxProvider


# --- serving ---------------------------------------------------------------------------------

SERVER = """
import json, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
class Handler(BaseHTTPRequestHandler):
    def reply(self, value):
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(value).encode())
    def do_GET(self):
        self.reply({"object": "list", "data": [{"id": "tiny", "object": "model"}]})
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.reply({"id": "1", "object": "chat.completion", "created": 1, "model": asked["model"],
            "choices": [{"index": 0, "finish_reason": "stop",
                         "message": {"role": "assistant", "content": "served"}}]})
    def log_message(self, *_): pass
print("listening", flush=True)
HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


def served_by(port: int) -> dict[str, Any]:
    """Return the arguments with which that server is put on an instance and started."""
    setup = [f"printf %s {shlex.quote(SERVER)} > server.py"]
    command = f"python3 server.py {port}"
    return {"command": command, "image_or_setup": setup, "port": port, **QUICK}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_served_model_answers_through_the_tunnel(cloud, client):
    toolkit = RuncrateToolkit(client, limits=LIMITS)
    port = free_port()
    with toolkit.serve(**served_by(port), limits=LIMITS) as served:
        assert served.models == ("tiny",)
        model = served.chat()
        assert isinstance(model, ChatRuncrate)
        assert model.invoke("Hello!", stream=False).text == "served"
        cloud.ssh.drop_connections()
        assert served.chat().invoke("Hello again!", stream=False).text == "served"
        [entry] = toolkit.ledger.live
    assert not live(client)
    for _ in range(100):
        if not processes(f"server.py {port}"):
            break
        time.sleep(0.05)
    assert not processes(f"server.py {port}")
    assert entry.name == served.instance.name
    toolkit.close()


@pytest.mark.parametrize("wrong", [{"command": " "}, {"port": 0}, {"start_timeout": -1}])
def test_a_server_that_cannot_be_started_launches_nothing(cloud, client, wrong):
    toolkit = RuncrateToolkit(client, limits=LIMITS)
    with pytest.raises(ValueError), toolkit.serve(**{"command": "serve", **wrong}):  # noqa: PT011 - each has its own words
        pass
    assert cloud.requests == []
    toolkit.close()


@pytest.mark.parametrize(
    ("command", "outcome"),
    [
        ("echo no such model >&2; exit 1", "ended before it served"),
        ("echo loading weights; sleep 60", "did not respond within 1 seconds"),
    ],
)
def test_a_server_that_does_not_start_ends_with_its_log(client, command, outcome):
    with pytest.raises(rc.SpendRefusedError, match="limits"):
        RuncrateToolkit(client).serve(command)
    toolkit = RuncrateToolkit(client, limits=LIMITS)
    with pytest.raises(rc.InstanceSetupError, match=outcome) as caught:
        with toolkit.serve(command, port=free_port(), start_timeout=1, **QUICK):
            pass
    assert ("no such model" in str(caught.value)) or ("loading weights" in str(caught.value))
    assert not live(client)
    toolkit.close()
