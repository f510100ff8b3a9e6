"""Answers of an OpenAI-compatible server, and models that talk to it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from langchain_core.messages import AIMessage, AIMessageChunk

from langchain_runcrate import ChatRuncrate
from tests.servers import Reply, ScriptedServer, sse, stream_reply

KEY = "rc_live_test"
MODEL = "deepseek-ai/DeepSeek-V3.2"
USAGE = {"prompt_tokens": 12, "completion_tokens": 7, "total_tokens": 19}


def chat(server: ScriptedServer, **options: Any) -> ChatRuncrate:
    """Return a model that talks to a server, without waiting between repeats."""
    fields = {"model": MODEL, "api_key": KEY, "base_url": f"{server.url}/v1", "max_retries": 0}
    return ChatRuncrate(**{**fields, **options})


def completion(
    message: dict[str, Any] | None = None, finish: str = "stop", **members: Any
) -> dict[str, Any]:
    """Return a complete response."""
    said = {"role": "assistant", "content": "Hello!", **(message or {})}
    return {
        "id": "chatcmpl-7",
        "object": "chat.completion",
        "created": 1,
        "model": MODEL,
        "choices": [{"index": 0, "message": said, "finish_reason": finish}],
        "usage": USAGE,
        **members,
    }


def whole(message: dict[str, Any] | None = None, finish: str = "stop", **members: Any) -> Reply:
    """Return a reply with a complete response."""
    return Reply(json=completion(message, finish, **members))


def chunk(delta: dict[str, Any] | None = None, finish: str | None = None, **members: Any) -> Any:
    """Return a streamed chunk."""
    choice = {"index": 0, "delta": delta or {}, "finish_reason": finish}
    head = {"id": "chatcmpl-7", "object": "chat.completion.chunk", "created": 1, "model": MODEL}
    return {**head, "choices": [choice], **members}


def usage_chunk(usage: dict[str, Any] | None = None) -> Any:
    """Return the chunk with the usage, which has no choices."""
    return {**chunk(), "choices": [], "usage": usage or USAGE}


def streamed(*deltas: dict[str, Any], finish: str = "stop", **options: Any) -> Reply:
    """Return a reply that streams an answer in the usual order."""
    events = [chunk({"role": "assistant", "content": ""}), *map(chunk, deltas)]
    return stream_reply(sse(*events, chunk({}, finish), usage_chunk()), **options)


def tool_delta(
    index: int, arguments: str, call_id: str | None = None, name: str | None = None
) -> Any:
    """Return a piece of a tool call."""
    function = {"arguments": arguments} | ({"name": name} if name else {})
    head = {"id": call_id, "type": "function"} if call_id else {}
    return {"index": index, **head, "function": function}


def calls_delta(*pieces: Any) -> dict[str, Any]:
    """Return a delta with pieces of tool calls."""
    return {"tool_calls": list(pieces)}


def invoke(model: Any, prompt: Any = "Hi", **options: Any) -> AIMessage:
    """Ask for a complete response, blocking."""
    return model.invoke(prompt, **options)


def ainvoke(model: Any, prompt: Any = "Hi", **options: Any) -> AIMessage:
    """Ask for a complete response, asynchronously."""

    async def ask() -> AIMessage:
        try:
            return await model.ainvoke(prompt, **options)
        finally:
            await close(model)

    return asyncio.run(ask())


def stream(model: Any, prompt: Any = "Hi", **options: Any) -> AIMessageChunk:
    """Ask for a streamed response, blocking; return its chunks as one."""
    return joined(list(model.stream(prompt, **options)))


def astream(model: Any, prompt: Any = "Hi", **options: Any) -> AIMessageChunk:
    """Ask for a streamed response, asynchronously; return its chunks as one."""

    async def ask() -> list[AIMessageChunk]:
        try:
            return [piece async for piece in model.astream(prompt, **options)]
        finally:
            await close(model)

    return joined(asyncio.run(ask()))


async def close(model: Any) -> None:
    """Close the connections of a model, or of the model that was bound."""
    await getattr(model, "bound", model).aclose()


def joined(chunks: list[AIMessageChunk]) -> AIMessageChunk:
    """Join chunks as users do, one after the other."""
    first, *others = chunks
    for other in others:
        first = first + other
    return first


WHOLE: list[Callable[..., AIMessage]] = [invoke, ainvoke]
STREAMED: list[Callable[..., AIMessageChunk]] = [stream, astream]
EVERY = [*WHOLE, *STREAMED]


def is_streamed(ask: Callable[..., Any]) -> bool:
    """Whether a way of asking streams."""
    return ask in STREAMED
