"""Four ways to ask a model, as one: whole or streamed, blocking or not."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from llama_index.core.llms import LLM, ChatMessage
from llama_index.core.prompts import PromptTemplate
from llama_index.core.workflow import Context, StartEvent, StopEvent, Workflow, step

from tests.llamaindex.conformance import CHAT_WAYS as WAYS
from tests.llamaindex.conformance import COMPLETION_WAYS, collected
from tests.llamaindex.conformance import PREDICT_WAYS as PREDICTIONS
from tests.llamaindex.conformance import STREAM_WAYS as STREAMS

__all__ = ["COMPLETION_WAYS", "PREDICTIONS", "STREAMS", "WAYS", "collected"]  # of the suite

PROMPT = PromptTemplate("About {topic}.")


async def ask(llm: LLM, way: str, said: str | Sequence[ChatMessage], **kwargs: Any) -> list[Any]:
    """Return the answer's chunks; of a complete response there is one."""
    messages: Any = said
    if isinstance(said, str) and way in WAYS:
        messages = [ChatMessage(role="user", content=said)]
    return await collected(getattr(llm, way)(messages, **kwargs))


async def ask_with_tools(llm, way, tools, said, **kwargs):
    """The same, with tools."""
    return await collected(getattr(llm, f"{way}_with_tools")(tools, user_msg=said, **kwargs))


async def predict(llm: Any, way: str, output_cls: Any, **llm_kwargs: Any) -> list[Any]:
    """Return an object, with the partial ones before it where they are streamed."""
    result = getattr(llm, way)(output_cls, PROMPT, llm_kwargs or None, topic="the sea")
    return await collected(result)


class OwnWorkflow(Workflow):
    """Uses a tool in a step, without an agent."""

    def __init__(self, use: Callable[[Context], Awaitable[Any]]) -> None:
        super().__init__(timeout=20)
        self.use = use

    @step
    async def only(self, ctx: Context, ev: StartEvent) -> StopEvent:
        return StopEvent(result=await self.use(ctx))
