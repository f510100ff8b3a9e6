"""Agents and workflows: tools, streams, structured output, hand-over, and what goes wrong."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from llama_index.core.agent.workflow import (
    AgentStream,
    AgentWorkflow,
    FunctionAgent,
    ReActAgent,
    ToolCall,
    ToolCallResult,
)
from llama_index.core.llms import ChatMessage, ImageBlock, TextBlock
from llama_index.core.tools import FunctionTool
from llama_index.core.workflow import (
    Context,
    HumanResponseEvent,
    InputRequiredEvent,
    JsonSerializer,
)
from pydantic import BaseModel

from tests.chat_service import call_piece, chunk, completion, end
from tests.llamaindex.ignored_warnings import IGNORED_WARNINGS
from tests.llamaindex.scripts import with_tool

pytestmark = IGNORED_WARNINGS


def multiply(a: float, b: float) -> float:
    """Multiply two numbers."""
    return a * b


def weather(city: str) -> str:
    """Tell the current weather of a city."""
    return f"It is raining frogs in {city}."


async def run(agent: Any, said: str, **options: Any) -> tuple[Any, list[Any]]:
    """Run an agent; return its result and the events it streamed."""
    handler = agent.run(said, **options)
    events = [event async for event in handler.stream_events()]
    return await handler, events


def called(events: list[Any]) -> list[tuple[str, dict[str, Any]]]:
    return [(e.tool_name, e.tool_kwargs) for e in events if type(e) is ToolCall]


@pytest.mark.parametrize("streaming", [True, False])
async def test_function_agent(runcrate_emulator, emulated_llm, streaming) -> None:
    runcrate_emulator.on_chat = with_tool("multiply", {"a": 12.5, "b": 8}, "It is 100.")
    agent = FunctionAgent(tools=[multiply, weather], llm=emulated_llm, streaming=streaming)
    result, events = await run(agent, "What is 12.5 times 8? Use the tool.")
    assert called(events) == [("multiply", {"a": 12.5, "b": 8})]
    assert "100" in str(result)
    assert result.raw["usage"]["total_tokens"] > 0
    streamed = [event for event in events if isinstance(event, AgentStream)]
    assert bool(streamed) is streaming
    if streaming:
        assert "".join(event.delta for event in streamed).endswith(str(result))


def test_function_agent_in_two_event_loops(emulated_llm) -> None:
    async def main() -> str:
        agent = FunctionAgent(tools=[weather], llm=emulated_llm)
        return str((await run(agent, "What is the weather in Oslo?"))[0])

    assert "frogs" in asyncio.run(main())
    assert "frogs" in asyncio.run(main())


async def test_react_agent(runcrate_emulator, emulated_llm) -> None:
    runcrate_emulator.on_chat = with_tool("weather", {"city": "Oslo"}, "It is raining frogs.")
    agent = ReActAgent(tools=[multiply, weather], llm=emulated_llm)
    result, events = await run(agent, "What is the weather in Oslo?")
    assert called(events) == [("weather", {"city": "Oslo"})]
    assert "frogs" in str(result)


async def test_a_model_without_tools_becomes_a_react_agent(runcrate_emulator) -> None:
    from llamaindex_runcrate import RuncrateLLM

    runcrate_emulator.on_chat = with_tool("weather", {"city": "Oslo"}, "It is raining frogs.")
    llm = RuncrateLLM(
        model="google/gemma-2-9b-it",
        api_base=runcrate_emulator.inference_url,
        api_key=runcrate_emulator.api_key,
    )
    workflow = AgentWorkflow.from_tools_or_functions([weather], llm=llm)
    assert isinstance(next(iter(workflow.agents.values())), ReActAgent)
    result, _ = await run(workflow, "What is the weather in Oslo?")
    assert "frogs" in str(result)
    llm.close()


async def test_agent_workflow(emulated_llm) -> None:
    workflow = AgentWorkflow.from_tools_or_functions([weather, multiply], llm=emulated_llm)
    result, events = await run(workflow, "What is the weather in Oslo?")
    assert called(events) == [("weather", {"city": "Oslo"})]
    assert "frogs" in str(result)


async def test_a_conversation_goes_on_in_a_context_that_can_be_stored(emulated_llm) -> None:
    agent = FunctionAgent(tools=[weather], llm=emulated_llm)
    context = Context(agent)
    await run(agent, "What is the weather in Oslo?", ctx=context)
    stored = json.loads(json.dumps(context.to_dict(serializer=JsonSerializer())))
    again = Context.from_dict(agent, stored, serializer=JsonSerializer())
    result, _ = await run(agent, "And what is the weather in Rome?", ctx=again)
    assert "Rome" in str(result)


class Report(BaseModel):
    """A weather report."""

    city: str
    weather: str


async def test_an_agents_structured_answer(emulated_llm) -> None:
    agent = FunctionAgent(tools=[weather], llm=emulated_llm, output_cls=Report)
    result, _ = await run(agent, "What is the weather in Oslo?")
    assert result.get_pydantic_model(Report).city == "Oslo"


# What no well-behaved model does is told by the test.


async def test_parallel_calls_interleaved(made_llm, service) -> None:
    pieces = [
        call_piece(0, identifier="1", name="weather"),
        call_piece(1, identifier="2", name="weather"),
        call_piece(0, text='{"city": "Os'),
        call_piece(1, text='{"city": "Ro'),
        call_piece(0, text='lo"}'),
        call_piece(1, text='me"}'),
    ]
    service.will_say(
        [*(chunk({"tool_calls": [piece]}) for piece in pieces), *end("tool_calls")],
        completion("Frogs everywhere."),
    )
    agent = FunctionAgent(tools=[weather], llm=made_llm())
    result, events = await run(agent, "x")
    assert called(events) == [("weather", {"city": "Oslo"}), ("weather", {"city": "Rome"})]
    assert str(result) == "Frogs everywhere."
    sent = service.last["messages"]
    assert [message["role"] for message in sent] == ["user", "assistant", "tool", "tool"]
    assert [call["id"] for call in sent[1]["tool_calls"]] == ["1", "2"]
    assert [message["tool_call_id"] for message in sent[2:]] == ["1", "2"]
    partial = [
        e.tool_calls[0].tool_kwargs for e in events if isinstance(e, AgentStream) and e.tool_calls
    ]
    assert partial[0] == {}
    assert {"city": "Os"} in partial


async def test_an_answer_that_is_all_thoughts_is_not_lost(made_llm, service) -> None:
    service.will_say(completion("", reasoning_content="It is 4."))
    for streaming in (True, False):
        agent = FunctionAgent(tools=[weather], llm=made_llm(), streaming=streaming)
        result, events = await run(agent, "x")
        assert str(result) == "It is 4."
    thoughts = [e.thinking_delta for e in events if isinstance(e, AgentStream)]
    assert thoughts == []


async def test_thoughts_are_streamed_and_sent_back_between_tool_calls(made_llm, service) -> None:
    service.will_say(
        completion(None, reasoning_content="I need it.", calls=[("1", "weather", '{"city": "O"}')]),
        completion("Frogs.", reasoning_content="Done."),
    )
    agent = FunctionAgent(tools=[weather], llm=made_llm())
    _, events = await run(agent, "x")
    thoughts = [e.thinking_delta for e in events if isinstance(e, AgentStream) and e.thinking_delta]
    assert "".join(thoughts) == "I need it.Done."
    assert service.last["messages"][1]["reasoning_content"] == "I need it."


async def test_the_first_tool_can_be_chosen(made_llm, service) -> None:
    service.will_say(completion(calls=[("1", "weather", '{"city": "O"}')]), completion("Frogs."))
    agent = FunctionAgent(tools=[weather], llm=made_llm(), initial_tool_choice="weather")
    await run(agent, "x")
    first, second = service.requests
    assert first["tool_choice"] == {"type": "function", "function": {"name": "weather"}}
    assert "tool_choice" not in second


async def test_an_image_that_a_tool_returns_is_seen(made_llm, service) -> None:
    def draw() -> list[Any]:
        """Draw."""
        return [ImageBlock(url="https://x.test/a.png")]

    service.will_say(completion(calls=[("1", "draw", "")]), completion("Nice."))
    agent = FunctionAgent(tools=[FunctionTool.from_defaults(draw)], llm=made_llm())
    await run(agent, "x")
    *_, result, shown = service.last["messages"]
    assert result["role"] == "tool"
    assert result["content"]
    assert shown["content"][-1]["image_url"]["url"] == "https://x.test/a.png"


async def test_a_tool_that_answers_directly(made_llm, service) -> None:
    tool = FunctionTool.from_defaults(weather, return_direct=True)
    service.will_say(completion(calls=[("1", "weather", '{"city": "Oslo"}')]), completion("Hello."))
    agent = FunctionAgent(tools=[tool], llm=made_llm())
    context = Context(agent)
    result, _ = await run(agent, "x", ctx=context)
    assert "frogs" in str(result)
    await run(agent, "y", ctx=context)
    answers = [m for m in service.last["messages"] if m["role"] == "assistant"]
    assert all("tool_call_id" not in message for message in answers)


async def test_the_last_word_when_an_agent_has_run_too_long(made_llm, service) -> None:
    """LlamaIndex puts a system message last, which many models refuse."""

    def decide(body: dict[str, Any]) -> Any:
        if "tools" in body:
            return completion(calls=[("1", "weather", '{"city": "O"}')])
        return completion("That is all.")

    service.decides(decide)
    agent = FunctionAgent(tools=[weather], llm=made_llm(), early_stopping_method="generate")
    result, _ = await run(agent, "x", max_iterations=2)
    assert str(result) == "That is all."
    assert [m["role"] for m in service.last["messages"]].count("system") == 0
    assert service.last["messages"][-1]["role"] == "user"


async def test_parallel_calls_with_a_human_in_the_loop(made_llm, service) -> None:
    """Each call asks once, and each answer reaches its own call."""
    done: list[str] = []

    # LlamaIndex reads the annotation itself, not its name: no postponed ones here.
    async def erase(ctx, name: str) -> str:
        """Erase something."""
        answer = await ctx.wait_for_event(
            HumanResponseEvent,
            waiter_event=InputRequiredEvent(prefix=f"Erase {name}?", user_name=name),
            waiter_id=f"erase {name}",
            requirements={"user_name": name},
        )
        if answer.response == "yes":
            done.append(name)
        return answer.response

    erase.__annotations__["ctx"] = Context
    names = ["a", "b", "c"]
    service.will_say(
        completion(calls=[(name, "erase", json.dumps({"name": name})) for name in names]),
        completion("Done."),
    )
    agent = FunctionAgent(tools=[erase], llm=made_llm())
    handler = agent.run("x")
    asked = []
    async for event in handler.stream_events():
        if isinstance(event, InputRequiredEvent):
            asked.append(event.prefix)
            answer = "no" if event.user_name == "b" else "yes"
            handler.ctx.send_event(HumanResponseEvent(response=answer, user_name=event.user_name))
    assert str(await handler) == "Done."
    assert sorted(asked) == ["Erase a?", "Erase b?", "Erase c?"]
    assert sorted(done) == ["a", "c"]
    results = {
        m["tool_call_id"]: m["content"] for m in service.last["messages"] if m["role"] == "tool"
    }
    assert results == {"a": "yes", "b": "no", "c": "yes"}


async def test_a_tools_error_reaches_the_model(made_llm, service) -> None:
    def fail() -> str:
        """Fail."""
        raise RuntimeError("the disk is full")

    service.will_say(completion(calls=[("1", "fail", "{}")]), completion("I see."))
    agent = FunctionAgent(tools=[fail], llm=made_llm())
    result, events = await run(agent, "x")
    (outcome,) = [event for event in events if isinstance(event, ToolCallResult)]
    assert outcome.tool_output.is_error
    assert "the disk is full" in service.last["messages"][-1]["content"]
    assert str(result) == "I see."


async def test_a_history_may_hold_text_images_and_documents(emulated_llm) -> None:
    agent = FunctionAgent(tools=[weather], llm=emulated_llm)
    message = ChatMessage(role="user", blocks=[TextBlock(text="What is the weather in Oslo?")])
    handler = agent.run(message, chat_history=[ChatMessage(role="assistant", content="Hello!")])
    assert "frogs" in str(await handler)
