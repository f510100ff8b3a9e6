"""`RuncrateToolkit` on the emulator: tools, approval, progress, whole agents.

Limits and sessions are tested in the core.
"""

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
from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langchain_core.utils.function_calling import convert_to_openai_tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

import runcrate_core as rc
import runcrate_core.toolkit as rt
from langchain_runcrate import RuncrateToolkit
from runcrate_emulator import JobOutcome
from tests.agent_story import JOB, REFUSED, Turns, answer, check_story, quick_ends, waits
from tests.core.cloud import _server, cloud, sent
from tests.langchain.gpu_agent import ScriptedModel, Turn, last
from tests.langchain.replaying import named, use

__all__ = ["_server", "cloud", "quick_ends"]  # fixtures

LIMITS = rc.SpendLimits(
    max_price_per_hour=2, max_runtime_minutes=60, max_total_usd=5, max_instances=2, max_gpus=2
)
EVERY_TOOL = [tool.name for tool in rt.AgentToolbox(limits=LIMITS, files_dir=".").tools]
TURNS = Turns(last)
pytestmark = pytest.mark.usefixtures("quick_ends")


@pytest.fixture
async def toolkit(cloud, tmp_path):
    client = rc.Runcrate(cloud.api_key, base_url=cloud.base_url)
    toolkit = RuncrateToolkit(client, limits=LIMITS, files_dir=tmp_path, poll_interval=0.02)
    yield toolkit
    await toolkit.aclose()
    client.close()


# --- what a tool is --------------------------------------------------------------------------


def test_without_limits_the_toolkit_only_reads():
    toolkit = RuncrateToolkit()
    names = [tool.name for tool in toolkit.get_tools()]
    assert names == [tool.name for tool in rt.AgentToolbox().tools]
    assert toolkit.interrupt_on() == {}


def test_tools_carry_their_hints_and_show_no_runtime(toolkit):
    tools = toolkit.get_tools()
    assert [tool.name for tool in tools] == EVERY_TOOL
    for tool in tools:
        function = json.loads(json.dumps(convert_to_openai_tool(tool)))["function"]
        assert (function["name"], function["description"]) == (tool.name, tool.description)
        assert "runtime" not in function["parameters"].get("properties", {})
    launch = named(toolkit, "launch_instance")
    not_so = dict.fromkeys(("readOnlyHint", "destructiveHint", "idempotentHint"), False)
    assert launch.metadata == {"runcrate": {**not_so, "costsMoney": True}}
    assert launch.tags == ["runcrate", "costs-money"]
    assert named(toolkit, "terminate_instance").tags == ["runcrate", "destructive"]
    assert launch.response_format == "content_and_artifact"


def test_a_toolkit_without_key_or_with_unknown_tools_is_refused(cloud, monkeypatch):
    [tool] = RuncrateToolkit(include=["runcrate_get_balance"]).get_tools()
    assert tool.name == "runcrate_get_balance"
    with pytest.raises(rc.ConfigurationError, match="is not a tool"):
        RuncrateToolkit(include=["get_balance"])
    toolkit = RuncrateToolkit()
    toolkit.close()
    with pytest.raises(rc.ConfigurationError, match="closed"):  # raised: no model can help it
        use(toolkit, "get_balance")
    monkeypatch.delenv("RUNCRATE_API_KEY")
    with pytest.raises(rc.ConfigurationError):
        RuncrateToolkit()


# --- failures --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tool", "arguments", "words"),
    [
        ("get_instance", {"instance_id": "nothing"}, "Check the identifier in a list"),
        ("plan_instance", {"max_runtime_minutes": 1, "secret": "rc_live_zzz"}, "greater than"),
        ("plan_instance", {"gpu_type": "H200", "max_runtime_minutes": 30}, "limits forbid this"),
    ],
)
async def test_what_a_model_can_do_something_about_reaches_it(
    cloud, toolkit, tool, arguments, words
):
    call = {"name": "x", "args": arguments, "id": "1", "type": "tool_call"}
    for message in (named(toolkit, tool).invoke(call), await named(toolkit, tool).ainvoke(call)):
        assert message.status == "error"
        assert words in message.content
        assert "zzz" not in message.content
        assert cloud.api_key not in message.content
    assert sent(cloud, "POST /instances") == []


def test_an_approver_of_the_program_is_asked_too(cloud):
    asked: list[str] = []
    with rc.Runcrate(cloud.api_key, base_url=cloud.base_url) as client:
        toolkit = RuncrateToolkit(
            client, limits=LIMITS, approve=lambda plan: asked.append(plan.describe()) or False
        )
        told = named(toolkit, "run_job").invoke({**JOB, "max_runtime_minutes": 10})
    assert told.startswith("This was not approved: agent-")
    assert len(asked) == 1
    assert cloud.world.jobs == {}


# --- progress --------------------------------------------------------------------------------


async def test_progress_is_told_to_the_streams_of_an_agent(toolkit):
    """Other listeners are those of the media tools, whose progress is told by the same code."""
    job = use(toolkit, "run_job", **JOB, max_runtime_minutes=10)
    told = {"tool": "runcrate_wait_for_job", "id": job["id"], "status": "succeeded"}
    model = ScriptedModel(turns=[lambda _: [("wait_for_job", {"job_id": job["id"]})]])
    agent = create_agent(model, toolkit.get_tools())
    question: Any = {"messages": [("user", "wait")]}
    streamed = [chunk async for chunk in agent.astream(question, stream_mode="custom")]
    for chunks in (streamed, list(agent.stream(question, stream_mode="custom"))):
        assert chunks[-1] == {"runcrate_progress": told}


# --- approval --------------------------------------------------------------------------------


def test_the_middleware_is_configured_by_the_toolkit(toolkit):
    policy = toolkit.interrupt_on()
    names = {name.removeprefix("runcrate_") for name in policy}
    instances = {"launch_instance", "update_instance_limits", "terminate_instance"}
    assert names == instances | {"run_job", "cancel_job"}
    for config in policy.values():
        assert config["allowed_decisions"] == ["approve", "edit", "reject"]
    HumanInTheLoopMiddleware(interrupt_on=policy)
    commands = RuncrateToolkit(limits=LIMITS, allow_commands=True).interrupt_on().keys()
    assert commands - policy.keys() == {"runcrate_run_command", "runcrate_write_file"}


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
    """Answers each question, in the words of `HumanInTheLoopMiddleware`."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def decide(self, interrupt: Any) -> Any:
        if "action_requests" not in interrupt.value:
            return self.one(interrupt.value)
        requests = interrupt.value["action_requests"]
        return {"decisions": [self.one(request) for request in requests]}

    def one(self, request: Any) -> Any:
        self.asked.append(request["description"])
        said = answer(request["description"])
        return {"type": "approve"} if said == "yes" else {"type": "reject", "message": said}


async def told_by(agent: Any, person: Person, *, is_async: bool) -> Any:
    config = {"configurable": {"thread_id": "1"}}
    step: Any = {"messages": [("user", "Train a model, fetch it, and clean up.")]}
    while True:
        state = await agent.ainvoke(step, config) if is_async else agent.invoke(step, config)
        if not state.get("__interrupt__"):
            return state
        step = Command(
            resume={interrupt.id: person.decide(interrupt) for interrupt in state["__interrupt__"]}
        )


@pytest.mark.parametrize(("mode", "is_async"), [("batched", False), ("per_call", True)])
async def test_a_whole_story_with_approval(cloud, toolkit, tmp_path, mode, is_async):
    cloud.world.on_job = lambda _: JobOutcome(artifacts={"r.txt": "ok\n"})
    person = Person()
    agent = approved_agent(toolkit, mode, TURNS.story)
    with toolkit.session() as session:
        state = await told_by(agent, person, is_async=is_async)
    messages = state["messages"]
    assert messages[-1].content == "Done."
    assert any(REFUSED in str(message.content) for message in messages)
    fetched = last(messages, "download_job_artifact")
    assert Path(fetched["saved_to"]).parent == tmp_path
    assert fetched["content"] == {"untrusted_text": "ok\n"}
    assert session.report == rc.CleanupReport()
    check_story(cloud, person.asked, toolkit.ledger)
    spent = last(messages, "get_spending")["spent_or_reserved_usd"]
    assert spent == float(round(toolkit.ledger.total_usd, 2))


def test_tools_are_copied_but_not_pickled_as_that_would_exceed_the_limits(toolkit):
    copied = copy.deepcopy(named(toolkit, "get_balance"))
    assert json.loads(copied.invoke({}))["balance_usd"] == 100
    for made in (toolkit, copied):
        with pytest.raises(pickle.PicklingError, match="share one ledger"):
            pickle.dumps(made)


# --- interruptions ---------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["blocking", "asynchronous", "cancelled"])
async def test_an_agent_that_breaks_leaves_nothing_running(cloud, toolkit, how):
    turns = [TURNS.plan, TURNS.launch, TURNS.run_job]
    if how == "cancelled":
        cloud.clock_speed = 0  # nothing becomes ready: the agent waits
        turns.append(TURNS.wait)
    else:
        turns.append(lambda _: 1 / 0)
    agent: Any = create_agent(ScriptedModel(turns=turns), toolkit.get_tools())
    question: Any = {"messages": [("user", "go")]}

    async def story() -> None:
        if how == "blocking":
            with toolkit.session():
                agent.invoke(question)
        else:
            async with toolkit.session():
                await agent.ainvoke(question)

    task = asyncio.create_task(story())
    if how == "cancelled":
        while not waits(cloud):
            assert not task.done()
            await asyncio.sleep(0.02)
        task.cancel()
    with pytest.raises((ZeroDivisionError, asyncio.CancelledError)):
        await task
    assert len(toolkit.ledger.entries) == 2
    assert (cloud.world.live_instances, cloud.world.live_jobs) == ({}, {})


AGENT = """
    from langchain.agents import create_agent
    from langchain_runcrate import RuncrateToolkit
    from runcrate_core import SpendLimits
    from tests.agent_story import Turns
    from tests.langchain.gpu_agent import ScriptedModel, last

    turns = Turns(last)
    toolkit = RuncrateToolkit(limits=SpendLimits(max_price_per_hour=2), poll_interval=0.1)
    model = ScriptedModel(turns=[turns.plan, turns.launch, turns.wait])
    with toolkit.session():
        create_agent(model, toolkit.get_tools()).invoke({"messages": [("user", "go")]})
"""


@pytest.mark.parametrize("signal_name", ["SIGINT", "SIGTERM", "SIGKILL"])
def test_a_signal_leaves_nothing_running(cloud, signal_name):
    """Sessions of programs that are asynchronous are tested with the core's."""
    cloud.clock_speed = 0
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(AGENT)],
        env={**os.environ, **cloud.environment_variables()},
        cwd=Path(__file__).parents[2],
        stderr=subprocess.PIPE,
    ) as process:
        while not waits(cloud):  # the signal comes while a tool waits
            assert process.poll() is None, process.communicate()[1]
            time.sleep(0.02)
        assert len(cloud.world.live_instances) == 1
        process.send_signal(signal.Signals[signal_name])
        process.communicate(timeout=30)
    assert process.returncode != 0
    if signal_name == "SIGKILL":  # nobody is left to end it but its own lifetime
        [identifier] = cloud.world.live_instances
        cloud.clock.advance(61 * 60)
        with rc.Runcrate(cloud.api_key, base_url=cloud.base_url) as client:
            assert client.instances.get(identifier).stop_reason == "max_runtime"
    assert cloud.world.live_instances == {}
