"""`RuncrateToolkit` on the emulator: tools, approval, progress, whole agents."""

from __future__ import annotations

import asyncio
import copy
import json
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langchain_core.messages import ToolMessage
from langchain_core.utils.function_calling import convert_to_openai_tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

import runcrate_core as rc
import runcrate_core.toolkit as rt
from langchain_runcrate import RuncrateToolkit
from runcrate_core.spending import cleanup
from runcrate_emulator import JobOutcome
from tests.core.cloud import _server, cloud, sent
from tests.langchain.gpu_agent import ScriptedModel, Turn, last
from tests.langchain.replaying import named, use

__all__ = ["_server", "cloud"]  # fixtures

LIMITS = rc.SpendLimits(
    max_price_per_hour=2, max_runtime_minutes=60, max_total_usd=5, max_instances=2, max_gpus=2
)
EVERY_TOOL = [tool.name for tool in rt.AgentToolbox(limits=LIMITS, files_dir=".").tools]
JOB = {"command": "echo ok > $RUNCRATE_OUTPUT_DIR/r.txt", "gpu_type": "A100"}
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGZBcGFDaGVja0tleUZvclRlc3RzT25seTAwMDAw a@b"


@pytest.fixture(autouse=True)
def _quick_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cleanup, "END_WAITS_S", (0.1, 0.2))
    monkeypatch.setattr(cleanup, "TERMINATING_WAITS_S", (0.1,))


@pytest.fixture
async def toolkit(cloud: Any, tmp_path: Path) -> AsyncIterator[RuncrateToolkit]:
    client = rc.Runcrate(cloud.api_key, base_url=cloud.base_url)
    toolkit = RuncrateToolkit(client, limits=LIMITS, files_dir=tmp_path, poll_interval=0.02)
    yield toolkit
    await toolkit.aclose()
    client.close()


# --- what a tool is --------------------------------------------------------------------------


def test_without_limits_the_toolkit_only_reads(cloud: Any) -> None:
    with rc.Runcrate(cloud.api_key, base_url=cloud.base_url) as client:
        tools = RuncrateToolkit(client).get_tools()
        assert len(tools) == 16
        assert all(tool.metadata["runcrate"]["readOnlyHint"] for tool in tools if tool.metadata)
        assert RuncrateToolkit(client).interrupt_on() == {}
        with RuncrateToolkit(client).session() as session:
            pass
        assert session.report == rc.CleanupReport()


def test_tools_carry_their_hints(toolkit: RuncrateToolkit) -> None:
    launch = named(toolkit, "launch_instance")
    assert launch.metadata == {
        "runcrate": {
            "readOnlyHint": False,
            "destructiveHint": False,
            "idempotentHint": False,
            "costsMoney": True,
        }
    }
    assert launch.tags == ["runcrate", "costs-money"]
    assert named(toolkit, "terminate_instance").tags == ["runcrate", "destructive"]
    assert launch.response_format == "content_and_artifact"


def test_every_tool_is_offered_without_its_runtime(toolkit: RuncrateToolkit) -> None:
    tools = toolkit.get_tools()
    assert [tool.name for tool in tools] == EVERY_TOOL
    for tool in tools:
        function = json.loads(json.dumps(convert_to_openai_tool(tool)))["function"]
        assert (function["name"], function["description"]) == (tool.name, tool.description)
        assert "runtime" not in function["parameters"].get("properties", {})


def test_tools_can_be_chosen_by_name(cloud: Any) -> None:
    with rc.Runcrate(cloud.api_key, base_url=cloud.base_url) as client:
        [tool] = RuncrateToolkit(client, include=["runcrate_get_balance"]).get_tools()
        assert tool.name == "runcrate_get_balance"
        with pytest.raises(rc.ConfigurationError, match="is not a tool"):
            RuncrateToolkit(client, include=["get_balance"])


def test_a_toolkit_without_key_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RUNCRATE_API_KEY")
    with pytest.raises(rc.ConfigurationError):
        RuncrateToolkit()
    monkeypatch.setenv("RUNCRATE_API_KEY", "rc_live_test")
    toolkit = RuncrateToolkit()
    toolkit.close()
    with pytest.raises(rc.ConfigurationError, match="closed"):
        use(toolkit, "get_balance")


def test_the_result_is_json_and_its_artifact_the_same(toolkit: RuncrateToolkit) -> None:
    call = {"name": "runcrate_get_balance", "args": {}, "id": "1", "type": "tool_call"}
    message = named(toolkit, "get_balance").invoke(call)
    assert isinstance(message, ToolMessage)
    assert json.loads(str(message.content)) == message.artifact
    assert message.status == "success"


# --- failures --------------------------------------------------------------------------------


async def test_what_a_model_can_do_something_about_reaches_it(
    cloud: Any, toolkit: RuncrateToolkit
) -> None:
    call = {"name": "x", "args": {"instance_id": "nothing"}, "id": "1", "type": "tool_call"}
    for message in (
        named(toolkit, "get_instance").invoke(call),
        await named(toolkit, "get_instance").ainvoke(call),
    ):
        assert message.status == "error"
        assert "not_found" in message.content
        assert message.content.endswith("Check the identifier in a list.")
        assert cloud.api_key not in message.content


def test_wrong_arguments_are_named_without_their_values(toolkit: RuncrateToolkit) -> None:
    call = {
        "name": "x",
        "args": {"max_runtime_minutes": 1, "secret": "rc_live_zzz"},
        "id": "1",
        "type": "tool_call",
    }
    message = named(toolkit, "plan_instance").invoke(call)
    assert message.status == "error"
    assert "`max_runtime_minutes`: Input should be greater than or equal to 5" in message.content
    assert "zzz" not in message.content


def test_what_only_the_program_can_set_right_is_raised(cloud: Any) -> None:
    client = rc.Runcrate(cloud.api_key, base_url=cloud.base_url)
    toolkit = RuncrateToolkit(client, limits=LIMITS)
    client.close()
    with pytest.raises(rc.ConfigurationError, match="closed"):
        named(toolkit, "list_instances").invoke({})


def test_a_refusal_of_the_guard_reaches_the_model(cloud: Any, toolkit: RuncrateToolkit) -> None:
    told = named(toolkit, "plan_instance").invoke({"gpu_type": "H200", "max_runtime_minutes": 30})
    assert told.startswith("The spending limits forbid this")
    assert "Nothing was launched." in told
    assert sent(cloud, "POST /instances") == []


def test_an_approver_of_the_program_is_asked_too(cloud: Any) -> None:
    asked: list[str] = []

    def approve(plan: rc.Proposal) -> bool:
        asked.append(plan.describe())
        return False

    with rc.Runcrate(cloud.api_key, base_url=cloud.base_url) as client:
        toolkit = RuncrateToolkit(client, limits=LIMITS, approve=approve)
        told = named(toolkit, "run_job").invoke({**JOB, "max_runtime_minutes": 10})
    assert told.startswith("This was not approved: agent-")
    assert len(asked) == 1
    assert cloud.world.jobs == {}


# --- progress --------------------------------------------------------------------------------


async def test_progress_reaches_every_listener(toolkit: RuncrateToolkit) -> None:
    job = use(toolkit, "run_job", **JOB, max_runtime_minutes=10)
    wait = named(toolkit, "wait_for_job")
    events = [
        event
        async for event in wait.astream_events({"job_id": job["id"]}, version="v2")
        if event["event"] == "on_custom_event"
    ]
    assert events[-1]["name"] == "runcrate_progress"
    assert events[-1]["data"] == {
        "tool": "runcrate_wait_for_job",
        "id": job["id"],
        "status": "succeeded",
    }
    model = ScriptedModel(turns=[lambda _: [("wait_for_job", {"job_id": job["id"]})]])
    agent = create_agent(model, toolkit.get_tools())
    streamed = [
        chunk
        async for chunk in agent.astream(
            {"messages": [("user", "wait")]}, stream_mode=["custom", "tools"]
        )
    ]
    told = [chunk for mode, chunk in streamed if mode == "custom"]
    assert told[-1]["runcrate_progress"]["status"] == "succeeded"
    deltas = [chunk for mode, chunk in streamed if mode == "tools" and "delta" in str(chunk)]
    assert "succeeded" in str(deltas[-1])
    sync = list(agent.stream({"messages": [("user", "wait")]}, stream_mode="custom"))
    assert sync[-1]["runcrate_progress"]["status"] == "succeeded"


# --- approval --------------------------------------------------------------------------------


def test_the_middleware_is_configured_by_the_toolkit(toolkit: RuncrateToolkit) -> None:
    policy = toolkit.interrupt_on()
    assert set(policy) == {
        "runcrate_launch_instance",
        "runcrate_update_instance_limits",
        "runcrate_terminate_instance",
        "runcrate_run_job",
        "runcrate_cancel_job",
    }
    assert all(
        config["allowed_decisions"] == ["approve", "edit", "reject"] for config in policy.values()
    )
    HumanInTheLoopMiddleware(interrupt_on=policy)


def plan(messages: Any) -> Any:
    return [("plan_instance", {"gpu_type": "A100", "max_runtime_minutes": 60})]


def cheaper_plan(messages: Any) -> Any:
    assert "too long" in str(messages[-1].content)
    return [("plan_instance", {"gpu_type": "A100", "max_runtime_minutes": 20})]


def launch(messages: Any) -> Any:
    return [("launch_instance", {"plan_token": last(messages, "plan_instance")["plan_token"]})]


def wait(messages: Any) -> Any:
    return [("wait_for_instance", {"instance_id": last(messages, "launch_instance")["id"]})]


def run_job(messages: Any) -> Any:
    return [("run_job", {**JOB, "max_runtime_minutes": 10})]


def wait_for_job(messages: Any) -> Any:
    return [("wait_for_job", {"job_id": last(messages, "run_job")["id"]})]


def fetch(messages: Any) -> Any:
    job = last(messages, "run_job")["id"]
    return [("download_job_artifact", {"job_id": job, "path": "r.txt"})]


def terminate(messages: Any) -> Any:
    instance = last(messages, "launch_instance")
    return [
        (
            "terminate_instance",
            {"instance_id": instance["id"], "expected_name": instance["name"]},
        )
    ]


WHOLE_STORY: list[Turn] = [
    lambda _: [("list_instance_types", {"max_price_per_hour": 2}), ("get_balance", {})],
    plan,
    launch,
    cheaper_plan,
    launch,
    wait,
    run_job,
    wait_for_job,
    fetch,
    terminate,
    lambda _: [("get_spending", {})],
]


def approved_agent(toolkit: RuncrateToolkit, mode: Any, turns: list[Turn]) -> Any:
    return create_agent(
        ScriptedModel(turns=turns),
        toolkit.get_tools(),
        middleware=[
            HumanInTheLoopMiddleware(interrupt_on=toolkit.interrupt_on(), interrupt_mode=mode)
        ],
        checkpointer=InMemorySaver(),
    )


class Person:
    """Approves what costs at most 60 cents, and says why otherwise."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def decide(self, interrupt: Any) -> Any:
        if "action_requests" not in interrupt.value:
            return self.one(interrupt.value)
        requests = interrupt.value["action_requests"]
        return {"decisions": [self.one(request) for request in requests]}

    def one(self, request: Any) -> Any:
        description = request["description"]
        self.asked.append(description)
        if "at most 1.49 USD" in description:
            return {"type": "reject", "message": "too long, and so too dear"}
        return {"type": "approve"}


async def told_by(agent: Any, person: Person, *, is_async: bool) -> Any:
    config = {"configurable": {"thread_id": "1"}}
    step: Any = {"messages": [("user", "Train a model, fetch it, and clean up.")]}
    while True:
        if is_async:
            state = await agent.ainvoke(step, config)
        else:
            state = agent.invoke(step, config)
        if not state.get("__interrupt__"):
            return state
        step = Command(
            resume={interrupt.id: person.decide(interrupt) for interrupt in state["__interrupt__"]}
        )


@pytest.mark.parametrize("is_async", [False, True], ids=["blocking", "asynchronous"])
@pytest.mark.parametrize("mode", ["batched", "per_call"])
async def test_a_whole_story_with_approval(
    cloud: Any, toolkit: RuncrateToolkit, tmp_path: Path, mode: str, is_async: bool
) -> None:
    cloud.world.on_job = lambda _: JobOutcome(artifacts={"r.txt": "ok\n"})
    person = Person()
    agent = approved_agent(toolkit, mode, WHOLE_STORY)
    with toolkit.session() as session:
        state = await told_by(agent, person, is_async=is_async)
    messages = state["messages"]
    assert messages[-1].content == "Done."
    assert [text.split(" ")[0] for text in person.asked] == ["Launch", "Launch", "Run", "Terminate"]
    assert "at 1.49 USD an hour for at most 60 minutes: at most 1.49 USD" in person.asked[0]
    assert "for at most 20 minutes: at most 0.50 USD" in person.asked[1]
    assert "at up to 2 USD an hour for at most 10 minutes: at most 0.33 USD" in person.asked[2]
    fetched = last(messages, "download_job_artifact")
    assert Path(fetched["saved_to"]).parent == tmp_path
    assert fetched["content"] == {"untrusted_text": "ok\n"}
    assert session.report == rc.CleanupReport()
    assert (cloud.world.live_instances, cloud.world.live_jobs) == ({}, {})
    assert len(sent(cloud, "POST /instances")) == 1
    usage = [entry for entry in cloud.world.ledger.transactions if entry.type == "usage"]
    billed = -sum((entry.amount for entry in usage), Decimal())
    assert round(toolkit.ledger.total_usd, 2) == round(billed, 2)
    assert abs(toolkit.ledger.total_usd - billed) < Decimal("0.00001")
    assert last(messages, "get_spending")["spent_or_reserved_usd"] == float(round(billed, 2))


async def test_parallel_launches_are_approved_one_by_one(
    cloud: Any, toolkit: RuncrateToolkit
) -> None:
    """The limits hold for what a person approved, too: the third machine is one too many."""
    turns: list[Turn] = [
        lambda _: [("plan_instance", {"gpu_type": "A100", "max_runtime_minutes": 10})] * 3,
        lambda messages: [
            ("launch_instance", {"plan_token": json.loads(str(message.content))["plan_token"]})
            for message in messages[-3:]
        ],
    ]
    person = Person()
    agent = approved_agent(toolkit, "per_call", turns)
    async with toolkit.session() as session:
        state = await told_by(agent, person, is_async=True)
        answers = [message for message in state["messages"] if isinstance(message, ToolMessage)]
    assert len(person.asked) == 3
    assert sorted(message.status for message in answers[-3:]) == ["error", "success", "success"]
    assert len(session.report.ended) == 2
    assert cloud.world.live_instances == {}


async def test_a_person_may_change_a_call(cloud: Any, toolkit: RuncrateToolkit) -> None:
    class Shorter(Person):
        def one(self, request: Any) -> Any:
            arguments = {**request["args"], "max_runtime_minutes": 5}
            action = {"name": request["name"], "args": arguments}
            return {"type": "edit", "edited_action": action}

    agent = approved_agent(toolkit, "per_call", [run_job])
    await told_by(agent, Shorter(), is_async=True)
    [request] = sent(cloud, "POST /jobs")
    assert request.json["max_runtime_minutes"] == 5


def test_tools_may_be_copied(toolkit: RuncrateToolkit) -> None:
    copied = copy.deepcopy(named(toolkit, "get_balance"))
    assert json.loads(copied.invoke({}))["balance_usd"] == 100


def test_tools_are_not_pickled_as_a_copy_would_exceed_the_limits(toolkit: RuncrateToolkit) -> None:
    for made in (toolkit, named(toolkit, "get_balance")):
        with pytest.raises(pickle.PicklingError, match="share one ledger"):
            pickle.dumps(made)


# --- interruptions ---------------------------------------------------------------------------


class Boom(Exception):
    """What breaks an agent in the middle."""


def boom(_: Any) -> Any:
    raise Boom


@pytest.mark.parametrize("is_async", [False, True], ids=["blocking", "asynchronous"])
async def test_an_agent_that_breaks_leaves_nothing_running(
    cloud: Any, toolkit: RuncrateToolkit, is_async: bool
) -> None:
    agent = approved_agent(toolkit, "batched", [plan, launch, run_job, boom])

    class Yes(Person):
        def one(self, request: Any) -> Any:
            return {"type": "approve"}

    async def story() -> None:
        if is_async:
            async with toolkit.session():
                await told_by(agent, Yes(), is_async=True)
        else:
            with toolkit.session():
                await told_by(agent, Yes(), is_async=False)

    with pytest.raises(Boom):
        await story()
    assert len(toolkit.ledger.entries) == 2
    assert (cloud.world.live_instances, cloud.world.live_jobs) == ({}, {})


def waits(cloud: Any) -> bool:
    """Whether somebody has asked whether a machine runs."""
    return any(entry.route.endswith("/status") for entry in cloud.requests)


async def test_a_cancelled_agent_leaves_nothing_running(
    cloud: Any, toolkit: RuncrateToolkit
) -> None:
    cloud.clock_speed = 0  # nothing becomes ready: the agent waits
    agent = create_agent(ScriptedModel(turns=[plan, launch, wait]), toolkit.get_tools())

    async def story() -> None:
        async with toolkit.session():
            await agent.ainvoke({"messages": [("user", "go")]})

    task = asyncio.create_task(story())
    while not sent(cloud, "GET /instances/{id}/status"):
        await asyncio.sleep(0.02)
        if any("/status" in entry.route for entry in cloud.requests):
            break
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert cloud.world.live_instances == {}


AGENT = """
    import asyncio, sys
    from langchain.agents import create_agent
    from langchain_runcrate import RuncrateToolkit
    from runcrate_core import SpendLimits
    from tests.langchain.gpu_agent import ScriptedModel, last

    def plan(_): return [("plan_instance", {"gpu_type": "A100", "max_runtime_minutes": 5})]
    def launch(messages):
        return [("launch_instance", {"plan_token": last(messages, "plan_instance")["plan_token"]})]
    def wait(messages):
        print("started", flush=True)
        return [("wait_for_instance", {"instance_id": last(messages, "launch_instance")["id"]})]

    toolkit = RuncrateToolkit(limits=SpendLimits(max_price_per_hour=2), poll_interval=0.1)
    agent = create_agent(ScriptedModel(turns=[plan, launch, wait]), toolkit.get_tools())
    question = {"messages": [("user", "go")]}

    def blocking():
        with toolkit.session():
            agent.invoke(question)

    async def asynchronous():
        async with toolkit.session():
            await agent.ainvoke(question)

    blocking() if sys.argv[1] == "blocking" else asyncio.run(asynchronous())
"""


@pytest.fixture
def agent_process(cloud: Any, request: pytest.FixtureRequest) -> Iterator[Any]:
    cloud.clock_speed = 0
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(AGENT), request.param],
        env={**os.environ, **cloud.environment_variables()},
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n", process.communicate()[1]
    yield process
    process.kill()
    process.communicate()


@pytest.mark.parametrize(
    ("agent_process", "signal_name"),
    [("blocking", "SIGINT"), ("asynchronous", "SIGTERM")],
    indirect=["agent_process"],
)
def test_a_signal_leaves_nothing_running(cloud: Any, agent_process: Any, signal_name: str) -> None:
    assert len(cloud.world.live_instances) == 1
    while not waits(cloud):  # the signal comes while a tool waits
        time.sleep(0.02)
    agent_process.send_signal(signal.Signals[signal_name])
    agent_process.communicate(timeout=30)
    assert agent_process.returncode != 0
    assert cloud.world.live_instances == {}
