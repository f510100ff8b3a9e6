"""The infrastructure tools of LlamaIndex: the same guard, and approval through workflow events."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.agent.workflow import AgentWorkflow, FunctionAgent
from llama_index.core.base.llms.types import ChatMessage, TextBlock, ToolCallBlock
from llama_index.core.llms.mock import MockFunctionCallingLLM
from llama_index.core.tools import ToolMetadata
from llama_index.core.tools.calling import call_tool
from llama_index.core.tools.tool_spec.base import BaseToolSpec
from llama_index.core.workflow import (
    Context,
    HumanResponseEvent,
    InputRequiredEvent,
    JsonSerializer,
    StartEvent,
    StopEvent,
    Workflow,
    step,
)

import runcrate_core as rc
import runcrate_core.toolkit as rt
from llamaindex_runcrate import (
    ApprovalRequiredEvent,
    RuncrateInfrastructureToolSpec,
    ToolProgressEvent,
    approval,
)
from runcrate_core.spending import cleanup
from tests.core.cloud import _server, cloud, sent
from tests.llamaindex.ignored_warnings import IGNORED_WARNINGS

pytestmark = IGNORED_WARNINGS
__all__ = ["_server", "cloud"]  # fixtures

LIMITS = rc.SpendLimits(
    max_price_per_hour=2, max_runtime_minutes=60, max_total_usd=5, max_instances=3, max_gpus=3
)
JOB = {"command": "echo ok > $RUNCRATE_OUTPUT_DIR/r.txt", "gpu_type": "A100"}
PLAN = {"gpu_type": "A100", "max_runtime_minutes": 10}
Turn = Callable[[list[ChatMessage]], list[tuple[str, dict[str, Any]]]]


@pytest.fixture(autouse=True)
def _quick_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cleanup, "END_WAITS_S", (0.1, 0.2))
    monkeypatch.setattr(cleanup, "TERMINATING_WAITS_S", (0.1,))


@pytest.fixture
async def make(cloud: Any, tmp_path: Path) -> AsyncIterator[Callable[..., Any]]:
    """Makes tool specs on the emulator."""
    client = rc.Runcrate(cloud.api_key, base_url=cloud.base_url)
    made: list[RuncrateInfrastructureToolSpec] = []

    def make(**options: Any) -> RuncrateInfrastructureToolSpec:
        settings = {"limits": LIMITS, "files_dir": tmp_path, "poll_interval": 0.02} | options
        made.append(RuncrateInfrastructureToolSpec(client, **settings))
        return made[-1]

    yield make
    for spec in made:
        await spec.aclose()
    client.close()


def named(spec: RuncrateInfrastructureToolSpec, name: str) -> Any:
    [tool] = spec.to_tool_list([f"runcrate_{name}"])
    return tool


def use(spec: RuncrateInfrastructureToolSpec, name: str, /, **arguments: Any) -> Any:
    return json.loads(named(spec, name)(**arguments).content)


async def ause(spec: RuncrateInfrastructureToolSpec, name: str, /, **arguments: Any) -> Any:
    return json.loads((await named(spec, name).acall(**arguments)).content)


# --- what a tool is --------------------------------------------------------------------------


def test_it_is_a_tool_spec(make: Any) -> None:
    spec = make()
    assert isinstance(spec, BaseToolSpec)
    tools = spec.to_tool_list()
    assert [tool.metadata.name for tool in tools] == [
        tool.name for tool in rt.AgentToolbox(limits=LIMITS, files_dir=".").tools
    ]
    assert spec.spec_functions == [tool.metadata.name for tool in tools]


def test_without_limits_it_only_reads(cloud: Any) -> None:
    with rc.Runcrate(cloud.api_key, base_url=cloud.base_url) as client:
        tools = RuncrateInfrastructureToolSpec(client).to_tool_list()
        assert len(tools) == 16
        assert not any("launch" in (tool.metadata.name or "") for tool in tools)
        [balance] = RuncrateInfrastructureToolSpec(
            client, include=["runcrate_get_balance"]
        ).to_tool_list()
        assert "100" in balance().content
        with RuncrateInfrastructureToolSpec(client).session() as session:
            pass
        assert session.report == rc.CleanupReport()


def test_a_model_sees_arguments_and_nothing_of_the_context(make: Any) -> None:
    for tool in make().to_tool_list():
        function = tool.metadata.to_openai_tool()["function"]
        properties = function["parameters"]["properties"]
        assert "ctx" not in properties
        shown = inspect.signature(tool.fn).parameters
        assert list(shown) == ["ctx", *properties]
        assert list(inspect.signature(tool.async_fn).parameters) == list(shown)
        assert (tool.fn.__name__, tool.fn.__doc__) == (function["name"], function["description"])
        assert tool.requires_context
    described = ToolMetadata(name="runcrate_get_balance", description="Money.")
    [tool] = make().to_tool_list(["runcrate_get_balance"], {"runcrate_get_balance": described})
    assert tool.metadata is described


def test_no_key_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RUNCRATE_API_KEY")
    with pytest.raises(rc.ConfigurationError):
        RuncrateInfrastructureToolSpec()
    monkeypatch.setenv("RUNCRATE_API_KEY", "rc_live_test")
    spec = RuncrateInfrastructureToolSpec()
    spec.close()
    with pytest.raises(rc.ConfigurationError, match="closed"):
        named(spec, "get_balance")()


def test_failures_tell_a_model_what_to_do(cloud: Any, make: Any) -> None:
    spec = make()
    with pytest.raises(rc.RuncrateError, match="Check the identifier in a list") as caught:
        named(spec, "get_instance")(instance_id="nothing")
    assert isinstance(caught.value.__cause__, rc.NotFoundError)
    output = call_tool(named(spec, "get_instance"), {"instance_id": "nothing"})
    assert (output.is_error, cloud.api_key in output.content) == (True, False)
    with pytest.raises(rc.RuncrateError, match="`max_runtime_minutes`: Input should be") as wrong:
        named(spec, "plan_instance")(max_runtime_minutes=1, secret="rc_live_zzz")
    assert "zzz" not in str(wrong.value)


async def test_tools_work_from_both_kinds_of_code(make: Any) -> None:
    spec = make(ask_human=False)
    plan = use(spec, "plan_instance", **PLAN)
    instance = await ause(spec, "launch_instance", plan_token=plan["plan_token"])
    assert use(spec, "wait_for_instance", instance_id=instance["id"])["status"] == "running"
    job = use(spec, "run_job", **JOB, max_runtime_minutes=5)
    assert (await ause(spec, "wait_for_job", job_id=job["id"]))["status"] == "succeeded"
    assert [(entry.kind, entry.is_live) for entry in spec.ledger.entries] == [
        ("instance", True),
        ("job", False),
    ]


# --- approval where nobody can be asked ------------------------------------------------------

CHANGES = [
    ("launch_instance", {"plan_token": "plan-1"}),
    ("update_instance_limits", {"instance_id": "i", "max_runtime_minutes": 10}),
    ("terminate_instance", {"instance_id": "i", "expected_name": "agent-a"}),
    ("run_job", {**JOB, "max_runtime_minutes": 5}),
    ("cancel_job", {"job_id": "j"}),
]


@pytest.mark.parametrize(("name", "arguments"), CHANGES)
async def test_where_nobody_can_be_asked_it_refuses(
    cloud: Any, make: Any, name: str, arguments: dict[str, Any]
) -> None:
    tool = named(make(), name)
    with pytest.raises(rc.SpendRefusedError, match="who can only be asked in a workflow"):
        tool(**arguments)
    with pytest.raises(rc.SpendRefusedError, match="outside of a workflow nobody can be asked"):
        await tool.acall(**arguments)
    assert cloud.requests == []


async def test_a_function_may_approve_instead(cloud: Any, make: Any) -> None:
    asked: list[str] = []

    def approve(plan: rc.Proposal) -> bool:
        asked.append(plan.describe())
        return len(asked) > 1

    spec = make(approve=approve)
    with pytest.raises(rc.RuncrateError, match="This was not approved"):
        named(spec, "run_job")(**JOB, max_runtime_minutes=5)
    assert use(spec, "run_job", **JOB, max_runtime_minutes=5)["id"]
    assert len(asked) == 2
    assert len(cloud.world.jobs) == 1


# --- approval in a workflow ------------------------------------------------------------------


def agent(spec: RuncrateInfrastructureToolSpec, turns: list[Turn]) -> FunctionAgent:
    """Return an agent that makes the calls of a script, turn by turn."""

    def respond(messages: list[ChatMessage], **_: Any) -> ChatMessage:
        number = sum(message.role == "assistant" for message in messages)
        calls = turns[number](messages) if number < len(turns) else []
        blocks: list[Any] = [
            ToolCallBlock(
                tool_call_id=f"{name}-{number}-{index}",
                tool_name=f"runcrate_{name}",
                tool_kwargs=arguments,
            )
            for index, (name, arguments) in enumerate(calls)
        ]
        return ChatMessage(role="assistant", blocks=blocks or [TextBlock(text="Done.")])

    return FunctionAgent(
        tools=spec.to_tool_list(),
        llm=MockFunctionCallingLLM(response_generator=respond),
        streaming=False,
    )


def results(messages: list[ChatMessage], name: str) -> list[str]:
    """Return what a tool gave, the latest last."""
    return [
        message.content or ""
        for message in messages
        if message.role == "tool"
        and str(message.additional_kwargs["tool_call_id"]).startswith(f"{name}-")
    ]


def last(messages: list[ChatMessage], name: str) -> Any:
    return json.loads(results(messages, name)[-1])


async def told_by(
    agent: Workflow, decide: Callable[[ApprovalRequiredEvent], HumanResponseEvent | None]
) -> tuple[list[ApprovalRequiredEvent], list[ToolProgressEvent], Any]:
    """Run an agent whose questions are answered; returns questions, progress and result."""
    handler = agent.run("Train a model, fetch it, and clean up.")
    asked: list[ApprovalRequiredEvent] = []
    progress: list[ToolProgressEvent] = []
    async for event in handler.stream_events():
        if isinstance(event, ApprovalRequiredEvent):
            asked.append(event)
            answer = decide(event)
            if answer is not None:
                handler.ctx.send_event(answer)
        elif isinstance(event, ToolProgressEvent):
            progress.append(event)
    return asked, progress, await handler


def plan(messages: list[ChatMessage]) -> Any:
    return [("plan_instance", {"gpu_type": "A100", "max_runtime_minutes": 60})]


def cheaper_plan(messages: list[ChatMessage]) -> Any:
    assert "too dear" in results(messages, "launch_instance")[-1]
    return [("plan_instance", {"gpu_type": "A100", "max_runtime_minutes": 20})]


def launch(messages: list[ChatMessage]) -> Any:
    return [("launch_instance", {"plan_token": last(messages, "plan_instance")["plan_token"]})]


def wait(messages: list[ChatMessage]) -> Any:
    return [("wait_for_instance", {"instance_id": last(messages, "launch_instance")["id"]})]


def run_job(messages: list[ChatMessage]) -> Any:
    return [("run_job", {**JOB, "max_runtime_minutes": 10})]


def wait_for_job(messages: list[ChatMessage]) -> Any:
    return [("wait_for_job", {"job_id": last(messages, "run_job")["id"]})]


def fetch(messages: list[ChatMessage]) -> Any:
    job = last(messages, "run_job")["id"]
    return [("download_job_artifact", {"job_id": job, "path": "r.txt"})]


def terminate(messages: list[ChatMessage]) -> Any:
    instance = last(messages, "launch_instance")
    return [
        (
            "terminate_instance",
            {"instance_id": instance["id"], "expected_name": instance["name"]},
        )
    ]


async def test_a_whole_story_with_approval(cloud: Any, make: Any) -> None:
    spec = make()
    story = [
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

    def decide(event: ApprovalRequiredEvent) -> HumanResponseEvent:
        dear = "at most 1.49 USD" in event.prefix
        return event.answer("too dear" if dear else " Yes ")

    async with spec.session() as session:
        asked, progress, result = await told_by(agent(spec, story), decide)
    assert str(result) == "Done."
    assert [event.tool_name for event in asked] == [
        "runcrate_launch_instance",
        "runcrate_launch_instance",
        "runcrate_run_job",
        "runcrate_terminate_instance",
    ]
    assert all(isinstance(event, InputRequiredEvent) for event in asked)
    assert "1 x A100 in us-east-1 at 1.49 USD an hour for at most 20 minutes" in asked[1].prefix
    assert asked[1].arguments.keys() == {"plan_token"}
    assert {event.tool for event in progress} == {
        "runcrate_wait_for_instance",
        "runcrate_wait_for_job",
    }
    assert progress[-1].status == "succeeded"
    assert session.report == rc.CleanupReport()
    assert (cloud.world.live_instances, cloud.world.live_jobs) == ({}, {})
    assert len(sent(cloud, "POST /instances")) == 1
    usage = [entry for entry in cloud.world.ledger.transactions if entry.type == "usage"]
    billed = -sum((entry.amount for entry in usage), Decimal())
    assert abs(spec.ledger.total_usd - billed) < Decimal("0.00001")


def three_plans(_: list[ChatMessage]) -> Any:
    return [("plan_instance", PLAN)] * 3


def three_launches(messages: list[ChatMessage]) -> Any:
    plans = [json.loads(text) for text in results(messages, "plan_instance")]
    return [("launch_instance", {"plan_token": item["plan_token"]}) for item in plans]


def three_equal_jobs(_: list[ChatMessage]) -> Any:
    return [("run_job", {**JOB, "max_runtime_minutes": 5})] * 3


@pytest.mark.parametrize(
    ("turns", "tool", "route"),
    [
        ([three_plans, three_launches], "launch_instance", "POST /instances"),
        ([three_equal_jobs], "run_job", "POST /jobs"),
    ],
    ids=["different calls", "equal calls"],
)
@pytest.mark.parametrize("yes", [0, 2])
async def test_three_parallel_questions_have_three_answers(
    cloud: Any, make: Any, turns: list[Turn], tool: str, route: str, yes: int
) -> None:
    spec = make()
    seen: list[list[ChatMessage]] = []
    answered = 0

    def decide(event: ApprovalRequiredEvent) -> HumanResponseEvent:
        nonlocal answered
        answered += 1
        return event.answer("yes" if answered <= yes else "no")

    def keep(messages: list[ChatMessage]) -> Any:
        seen.append(messages)
        return []

    async with spec.session():
        asked, _, _ = await told_by(agent(spec, [*turns, keep]), decide)
        assert len(sent(cloud, route)) == yes
    assert len({event.question_id for event in asked}) == len(asked) == 3
    given = results(seen[0], tool)
    assert len(given) == 3
    assert sum("A person refused" in text for text in given) == 3 - yes


@pytest.mark.parametrize("yes", [0, 2])
async def test_a_workflow_of_agents_asks_once_for_each_call(
    cloud: Any, make: Any, yes: int
) -> None:
    spec = make()
    workflow = AgentWorkflow(agents=[agent(spec, [three_equal_jobs])])
    answers = iter(["yes"] * yes + ["no"] * (3 - yes))
    async with spec.session():
        asked, _, _ = await told_by(workflow, lambda event: event.answer(next(answers)))
        assert len(sent(cloud, "POST /jobs")) == yes
    assert len({event.question_id for event in asked}) == len(asked) == 3


@pytest.mark.parametrize(
    "response", ["", "no", "yes?", "yes please", "YES!", "ok", None, True, 1, ["yes"]]
)
async def test_anything_but_an_explicit_yes_refuses(
    cloud: Any, make: Any, response: object
) -> None:
    spec = make()

    def decide(event: ApprovalRequiredEvent) -> HumanResponseEvent:
        return HumanResponseEvent(response=response, question_id=event.question_id)

    asked, _, _ = await told_by(agent(spec, [run_job]), decide)
    assert len(asked) == 1
    assert sent(cloud, "POST /jobs") == []


@pytest.mark.parametrize("response", ["yes", "Y", " approve\n", "APPROVED"])
async def test_an_explicit_yes_approves(cloud: Any, make: Any, response: str) -> None:
    spec = make()
    await told_by(agent(spec, [run_job]), lambda event: event.answer(response))
    assert len(sent(cloud, "POST /jobs")) == 1


async def test_an_answer_to_another_question_is_none(cloud: Any, make: Any) -> None:
    spec = make(approval_timeout=0.3)

    def decide(event: ApprovalRequiredEvent) -> HumanResponseEvent:
        return HumanResponseEvent(response="yes", question_id="another")

    await told_by(agent(spec, [run_job]), decide)
    assert sent(cloud, "POST /jobs") == []


async def test_no_answer_means_no(cloud: Any, make: Any) -> None:
    spec = make(approval_timeout=0.2)
    seen: list[list[ChatMessage]] = []

    def keep(messages: list[ChatMessage]) -> Any:
        seen.append(messages)
        return []

    await told_by(agent(spec, [run_job, keep]), lambda _: None)
    [told] = results(seen[0], "run_job")
    assert told.startswith("Nobody approved `runcrate_run_job` within 0 seconds.")
    assert cloud.requests == []


async def test_wrong_arguments_are_not_asked_for(cloud: Any, make: Any) -> None:
    spec = make()
    asked, _, _ = await told_by(agent(spec, [lambda _: [("run_job", {"command": "x"})]]), _never)
    assert asked == []
    assert cloud.requests == []


def _never(_: ApprovalRequiredEvent) -> HumanResponseEvent:
    raise AssertionError("nobody was to be asked")


def waits(cloud: Any) -> bool:
    """Whether somebody has asked whether a machine runs."""
    return any(entry.route.endswith("/status") for entry in cloud.requests)


async def test_a_cancelled_agent_leaves_nothing_running(cloud: Any, make: Any) -> None:
    cloud.clock_speed = 0  # nothing becomes ready: the agent waits
    spec = make(ask_human=False)

    async def story() -> None:
        async with spec.session():
            await told_by(agent(spec, [plan, launch, wait]), _never)

    task = asyncio.create_task(story())
    while not waits(cloud):
        assert not task.done()
        await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert cloud.world.live_instances == {}


# --- workflows of one's own, and older ones --------------------------------------------------


class OwnWorkflow(Workflow):
    """Calls a tool in a step, without an agent."""

    def __init__(self, tool: Any) -> None:
        super().__init__(timeout=10)
        self.tool = tool

    @step
    async def only(self, ctx: Context, ev: StartEvent) -> StopEvent:
        output = await self.tool.acall(ctx=ctx, **JOB, max_runtime_minutes=5)
        return StopEvent(result=output.content)


async def test_a_workflow_of_one_s_own_may_ask(cloud: Any, make: Any) -> None:
    handler = OwnWorkflow(named(make(), "run_job")).run()
    async for event in handler.stream_events():
        if isinstance(event, ApprovalRequiredEvent):
            handler.ctx.send_event(event.answer("yes"))
    assert json.loads(await handler)["id"] in cloud.world.jobs


@pytest.mark.parametrize("response", ["yes", "no"])
async def test_a_question_can_be_answered_after_the_program_was_started_again(
    cloud: Any, make: Any, response: str
) -> None:
    handler = OwnWorkflow(named(make(), "run_job")).run()
    async for event in handler.stream_events():
        if isinstance(event, ApprovalRequiredEvent):
            question = event
            break
    stored = json.dumps(handler.ctx.to_dict(serializer=JsonSerializer()))
    await handler.cancel_run()
    assert cloud.api_key not in stored
    assert sent(cloud, "POST /jobs") == []

    again = OwnWorkflow(named(make(), "run_job"))
    context = Context.from_dict(again, json.loads(stored), serializer=JsonSerializer())
    handler = again.run(ctx=context)
    handler.ctx.send_event(question.answer(response))
    if response == "yes":
        assert json.loads(await handler)["id"] in cloud.world.jobs
    else:
        with pytest.raises(rc.SpendRefusedError, match="A person refused"):
            await handler
    assert len(sent(cloud, "POST /jobs")) == (response == "yes")


def test_equal_calls_are_told_apart_by_what_is_known_of_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert approval.call_identity() == ""  # outside of a step
    ids = {
        approval.question_id("a", {"x": 1}, ""),
        approval.question_id("b", {"x": 1}, ""),
        approval.question_id("a", {"x": 2}, ""),
        approval.question_id("a", {"x": 1}, "call-1"),
    }
    assert len(ids) == 4
    assert approval.question_id("a", {"x": 1, "y": 2}, "") == approval.question_id(
        "a", {"y": 2, "x": 1}, ""
    )
