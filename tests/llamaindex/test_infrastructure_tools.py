"""The infrastructure tools of LlamaIndex: the same guard, and approval through workflow events."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
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
)

import runcrate_core as rc
import runcrate_core.toolkit as rt
from llamaindex_runcrate import (
    ApprovalRequiredEvent,
    RuncrateInfrastructureToolSpec,
    ToolProgressEvent,
    approval,
)
from runcrate_emulator import Emulator
from tests.agent_story import JOB, REFUSED, Turns, answer, check_story, quick_ends
from tests.core.cloud import _server, cloud, sent
from tests.langchain.test_sandbox import free_port, served_by
from tests.llamaindex.calls import OwnWorkflow
from tests.llamaindex.ignored_warnings import IGNORED_WARNINGS

pytestmark = [*IGNORED_WARNINGS, pytest.mark.usefixtures("quick_ends")]
__all__ = ["_server", "cloud", "quick_ends"]  # fixtures

LIMITS = rc.SpendLimits(
    max_price_per_hour=2, max_runtime_minutes=60, max_total_usd=5, max_instances=3, max_gpus=3
)
PLAN = {"gpu_type": "A100", "max_runtime_minutes": 10}
Turn = Callable[[list[ChatMessage]], list[tuple[str, dict[str, Any]]]]


@pytest.fixture
async def make(cloud, tmp_path):
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


# --- what a tool is --------------------------------------------------------------------------


def test_without_limits_it_only_reads():
    spec = RuncrateInfrastructureToolSpec()
    assert spec.spec_functions == [tool.name for tool in rt.AgentToolbox().tools]


def test_a_model_sees_arguments_and_nothing_of_the_context(make):
    spec = make()
    assert isinstance(spec, BaseToolSpec)
    assert spec.spec_functions == [
        tool.name for tool in rt.AgentToolbox(limits=LIMITS, files_dir=".").tools
    ]
    assert spec.spec_functions == [tool.metadata.name for tool in spec.to_tool_list()]
    with pytest.raises(rc.ConfigurationError, match="`get_balance` is not one of these tools"):
        spec.to_tool_list(["get_balance"])
    for tool in spec.to_tool_list():
        function = tool.metadata.to_openai_tool()["function"]
        properties = function["parameters"]["properties"]
        assert "ctx" not in properties
        shown = inspect.signature(tool.fn).parameters
        assert list(shown) == ["ctx", *properties]
        assert list(inspect.signature(tool.async_fn).parameters) == list(shown)
        assert (tool.fn.__name__, tool.fn.__doc__) == (function["name"], function["description"])
        assert tool.requires_context
    described = ToolMetadata(name="runcrate_get_balance", description="Money.")
    [tool] = spec.to_tool_list(["runcrate_get_balance"], {"runcrate_get_balance": described})
    assert tool.metadata is described


def test_a_spec_without_key_or_closed_is_refused(monkeypatch):
    spec = RuncrateInfrastructureToolSpec(include=["runcrate_get_balance"])
    spec.close()
    with pytest.raises(rc.ConfigurationError, match="closed"):
        named(spec, "get_balance")()
    monkeypatch.delenv("RUNCRATE_API_KEY")
    with pytest.raises(rc.ConfigurationError):
        RuncrateInfrastructureToolSpec()


def test_failures_tell_a_model_what_to_do(cloud, make):
    spec = make()
    with pytest.raises(rc.RuncrateError, match="Check the identifier in a list") as caught:
        named(spec, "get_instance")(instance_id="nothing")
    assert isinstance(caught.value.__cause__, rc.NotFoundError)
    output = call_tool(named(spec, "get_instance"), {"instance_id": "nothing"})
    assert (output.is_error, cloud.api_key in output.content) == (True, False)
    with pytest.raises(rc.RuncrateError, match="`max_runtime_minutes`: Input should be") as wrong:
        named(spec, "plan_instance")(max_runtime_minutes=1, secret="rc_live_zzz")
    assert "zzz" not in str(wrong.value)


# --- approval where nobody can be asked ------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("launch_instance", {"plan_token": "plan-1"}),
        ("terminate_instance", {"instance_id": "i", "expected_name": "agent-a"}),
        ("run_command", {"instance_id": "i", "command": "x"}),
    ],
)
async def test_where_nobody_can_be_asked_it_refuses(cloud, make, name, arguments):
    tool = named(make(allow_commands=True), name)
    with pytest.raises(rc.SpendRefusedError, match="who can only be asked in a workflow"):
        tool(**arguments)
    with pytest.raises(rc.SpendRefusedError, match="outside of a workflow nobody can be asked"):
        await tool.acall(**arguments)
    assert cloud.requests == []


async def test_a_function_may_approve_instead(cloud, make):
    asked: list[str] = []

    def approve(plan: rc.Proposal) -> bool:
        asked.append(plan.describe())
        return len(asked) > 1

    run_job = named(make(approve=approve), "run_job")
    with pytest.raises(rc.RuncrateError, match="This was not approved"):
        run_job(**JOB, max_runtime_minutes=5)
    assert json.loads(run_job(**JOB, max_runtime_minutes=5).content)["id"]
    assert json.loads((await run_job.acall(**JOB, max_runtime_minutes=6)).content)["id"]
    assert len(asked) == 3
    assert len(cloud.world.jobs) == 2


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


async def told_by(agent, decide):
    """Run an agent whose questions are answered; return questions, progress and result."""
    handler = agent.run("Train a model, fetch it, and clean up.")
    events: list[Any] = []
    async for event in handler.stream_events():
        events.append(event)
        if isinstance(event, ApprovalRequiredEvent) and (answer := decide(event)):
            handler.ctx.send_event(answer)
    asked = [event for event in events if isinstance(event, ApprovalRequiredEvent)]
    progress = [event for event in events if isinstance(event, ToolProgressEvent)]
    return asked, progress, await handler


TURNS = Turns(last)


async def test_a_whole_story_with_approval(cloud, make):
    spec = make()
    seen: list[ChatMessage] = []
    story = [*TURNS.story, lambda messages: seen.extend(messages) or []]
    async with spec.session() as session:
        asked, progress, result = await told_by(
            agent(spec, story), lambda event: event.answer(answer(event.prefix))
        )
    assert str(result) == "Done."
    check_story(cloud, [event.prefix for event in asked], spec.ledger)
    assert asked[1].tool_name == "runcrate_launch_instance"
    assert asked[1].arguments.keys() == {"plan_token"}
    assert all(isinstance(event, InputRequiredEvent) for event in asked)
    assert REFUSED in results(seen, "launch_instance")[0]
    waited = {event.tool for event in progress}
    assert waited == {"runcrate_wait_for_instance", "runcrate_wait_for_job"}
    assert progress[-1].status == "succeeded"
    assert session.report == rc.CleanupReport()


def three_launches(messages: list[ChatMessage]) -> Any:
    plans = [json.loads(text) for text in results(messages, "plan_instance")]
    return [("launch_instance", {"plan_token": item["plan_token"]}) for item in plans]


LAUNCHES: list[Turn] = [lambda _: [("plan_instance", PLAN)] * 3, three_launches]
EQUAL_JOBS: list[Turn] = [lambda _: [("run_job", {**JOB, "max_runtime_minutes": 5})] * 3]


@pytest.mark.parametrize(
    ("turns", "tool", "route", "wrapped"),
    [
        (LAUNCHES, "launch_instance", "POST /instances", False),
        (EQUAL_JOBS, "run_job", "POST /jobs", False),
        (EQUAL_JOBS, "run_job", "POST /jobs", True),
    ],
    ids=["different calls", "equal calls", "in a workflow of agents"],
)
@pytest.mark.parametrize("yes", [0, 2])
async def test_three_parallel_questions_have_three_answers(
    cloud, make, turns, tool, route, wrapped, yes
):
    spec = make()
    seen: list[ChatMessage] = []
    answers = iter(["yes"] * yes + ["no"] * (3 - yes))
    one: Any = agent(spec, [*turns, lambda messages: seen.extend(messages) or []])
    async with spec.session() as session:
        workflow = AgentWorkflow(agents=[one]) if wrapped else one
        asked, _, _ = await told_by(workflow, lambda event: event.answer(next(answers)))
        assert len(sent(cloud, route)) == yes
    assert len(session.report.ended) == yes
    assert len({event.question_id for event in asked}) == len(asked) == 3
    given = results(seen, tool)
    assert len(given) == 3
    assert sum("A person refused" in text for text in given) == 3 - yes


@pytest.mark.parametrize(
    ("response", "is_approved"),
    [
        *((text, False) for text in ("", "no", "yes?", "yes please", "ok", None, True, ["yes"])),
        *((text, True) for text in ("yes", "Y", " approve\n", "APPROVED")),
    ],
)
async def test_only_an_explicit_yes_approves(cloud, make, response, is_approved):
    def decide(event: ApprovalRequiredEvent) -> HumanResponseEvent:
        return HumanResponseEvent(response=response, question_id=event.question_id)

    asked, _, _ = await told_by(agent(make(), [TURNS.run_job]), decide)
    assert len(asked) == 1
    assert len(sent(cloud, "POST /jobs")) == is_approved


@pytest.mark.parametrize("is_answered", [False, True])
async def test_no_answer_or_one_to_another_question_means_no(cloud, make, is_answered):
    other = HumanResponseEvent(response="yes", question_id="another")
    seen: list[ChatMessage] = []
    turns = [TURNS.run_job, lambda messages: seen.extend(messages) or []]
    await told_by(
        agent(make(approval_timeout=0.2), turns), lambda _: other if is_answered else None
    )
    [told] = results(seen, "run_job")
    assert told.startswith("Nobody approved `runcrate_run_job` within 0 seconds.")
    assert cloud.requests == []


async def test_wrong_arguments_are_not_asked_for(cloud, make):
    turns: list[Turn] = [lambda _: [("run_job", {"command": "x"})]]
    asked, _, _ = await told_by(agent(make(), turns), lambda _: pytest.fail("a person was asked"))
    assert asked == []
    assert cloud.requests == []


# --- workflows of one's own, and older ones --------------------------------------------------


@pytest.mark.parametrize("response", ["yes", "no"])
async def test_a_question_can_be_answered_after_the_program_was_started_again(
    cloud, make, response
):
    def program() -> OwnWorkflow:
        tool = named(make(), "run_job")
        return OwnWorkflow(lambda ctx: tool.acall(ctx=ctx, **JOB, max_runtime_minutes=5))

    handler = program().run()
    async for event in handler.stream_events():
        if isinstance(event, ApprovalRequiredEvent):
            question = event
            break
    stored = json.dumps(handler.ctx.to_dict(serializer=JsonSerializer()))
    await handler.cancel_run()
    assert cloud.api_key not in stored
    assert sent(cloud, "POST /jobs") == []

    again = program()
    context = Context.from_dict(again, json.loads(stored), serializer=JsonSerializer())
    handler = again.run(ctx=context)
    handler.ctx.send_event(question.answer(response))
    if response == "yes":
        assert json.loads((await handler).content)["id"] in cloud.world.jobs
    else:
        with pytest.raises(rc.SpendRefusedError, match="A person refused"):
            await handler
    assert len(sent(cloud, "POST /jobs")) == (response == "yes")


def test_a_question_is_of_one_tool_its_arguments_and_its_call():
    asked = ("a", {"x": 1}, "")
    others = [("b", {"x": 1}, ""), ("a", {"x": 2}, ""), ("a", {"x": 1}, "call-1")]
    assert len({approval.question_id(*each) for each in (asked, *others)}) == 4
    assert approval.call_identity() == ""  # outside of a step


# --- models that are served on instances ---------------------------------------------------------


async def test_a_served_model_is_an_llm():
    """Its instance, server and tunnel are tested with LangChain's sandboxes."""
    with Emulator(ssh=True, clock_speed=600.0) as cloud:
        client = rc.AsyncRuncrate(cloud.api_key, base_url=cloud.base_url)
        spec = RuncrateInfrastructureToolSpec(client, limits=LIMITS)
        async with spec.serve(**served_by(free_port())) as served:
            llm = served.llm()
            assert (await llm.acomplete("Hello!")).text == "served"
            await llm.aclose()
        await spec.aclose()
        await client.aclose()
