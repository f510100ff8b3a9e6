"""Agents and workflows: streams, structured output, thoughts, images, and what goes wrong.

What any model must do with agents is in the conformance suite; approval is tested with the tools.
"""

from __future__ import annotations

import json
from typing import Any

from llama_index.core.agent.workflow import AgentStream, FunctionAgent, ToolCall
from llama_index.core.workflow import Context, JsonSerializer
from pydantic import BaseModel

from tests.chat_service import completion
from tests.llamaindex.ignored_warnings import IGNORED_WARNINGS

pytestmark = IGNORED_WARNINGS


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


class Report(BaseModel):
    """A weather report."""

    city: str
    weather: str


async def test_an_agent_with_a_structured_answer(emulated_llm):
    agent = FunctionAgent(tools=[weather], llm=emulated_llm, output_cls=Report)
    result, events = await run(agent, "What is the weather in Oslo?")
    assert called(events) == [("weather", {"city": "Oslo"})]
    assert result.get_pydantic_model(Report).city == "Oslo"
    assert result.raw["usage"]["total_tokens"] > 0


async def test_a_conversation_goes_on_in_a_context_that_can_be_stored(emulated_llm):
    agent = FunctionAgent(tools=[weather], llm=emulated_llm)
    context = Context(agent)
    await run(agent, "What is the weather in Oslo?", ctx=context)
    stored = json.loads(json.dumps(context.to_dict(serializer=JsonSerializer())))
    again = Context.from_dict(agent, stored, serializer=JsonSerializer())
    result, _ = await run(agent, "And what is the weather in Rome?", ctx=again)
    assert "Rome" in str(result)


# What no well-behaved model does is told by the test.


async def test_thoughts_are_streamed_and_sent_back_between_tool_calls(made_llm, service):
    service.will_say(
        completion(None, reasoning_content="I need it.", calls=[("1", "weather", '{"city": "O"}')]),
        completion("Frogs.", reasoning_content="Done."),
    )
    agent = FunctionAgent(tools=[weather], llm=made_llm())
    _, events = await run(agent, "x")
    thoughts = [e.thinking_delta for e in events if isinstance(e, AgentStream) and e.thinking_delta]
    assert "".join(thoughts) == "I need it.Done."
    assert service.last["messages"][1]["reasoning_content"] == "I need it."
