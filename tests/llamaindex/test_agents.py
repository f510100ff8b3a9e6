"""Agents: structured output, usage and reasoning.

What any model must do with agents is in the conformance suite; approval is tested with the tools.
"""

from __future__ import annotations

from llama_index.core.agent.workflow import AgentStream, FunctionAgent
from pydantic import BaseModel

from tests.chat_service import completion
from tests.llamaindex.ignored_warnings import IGNORED_WARNINGS

pytestmark = IGNORED_WARNINGS


def weather(city: str) -> str:
    """Tell the current weather of a city."""
    return f"It is raining frogs in {city}."


class Report(BaseModel):
    """A weather report."""

    city: str
    weather: str


async def test_a_structured_answer_and_the_usage_of_an_agent(emulated_llm):
    agent = FunctionAgent(tools=[weather], llm=emulated_llm, output_cls=Report)
    result = await agent.run("What is the weather in Oslo?")
    assert [(call.tool_name, call.tool_kwargs) for call in result.tool_calls] == [
        ("weather", {"city": "Oslo"})
    ]
    assert result.get_pydantic_model(Report).city == "Oslo"
    assert result.raw["usage"]["total_tokens"] > 0


async def test_reasoning_is_streamed_and_sent_back_between_tool_calls(made_llm, service):
    service.will_say(
        completion(None, reasoning_content="I need it.", calls=[("1", "weather", '{"city": "O"}')]),
        completion("Frogs.", reasoning_content="Done."),
    )
    handler = FunctionAgent(tools=[weather], llm=made_llm()).run("x")
    events = [event async for event in handler.stream_events() if isinstance(event, AgentStream)]
    await handler
    assert "".join(event.thinking_delta or "" for event in events) == "I need it.Done."
    assert service.last["messages"][1]["reasoning_content"] == "I need it."
