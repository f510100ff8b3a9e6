"""Answers of an OpenAI-compatible server, and models that talk to it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage, AIMessageChunk

from langchain_runcrate import ChatRuncrate
from tests import chat_service
from tests.chat_service import MODEL, USAGE, chunk
from tests.servers import Reply, ScriptedServer, sse, stream_reply

KEY = "rc_live_test"


def chat(server: ScriptedServer, **options: Any) -> ChatRuncrate:
    """Return a model that talks to a server, without waiting between repeats."""
    fields = {"model": MODEL, "api_key": KEY, "base_url": f"{server.url}/v1", "max_retries": 0}
    return ChatRuncrate(**{**fields, **options})


def completion(message=None, finish="stop", **members):
    """Return a complete response."""
    said = {"content": "Hello!", **(message or {})}
    return {**chat_service.completion(finish_reason=finish, **said), **members}


def whole(message: dict[str, Any] | None = None, finish: str = "stop", **members: Any) -> Reply:
    """Return a reply with a complete response."""
    return Reply(json=completion(message, finish, **members))


def reply_of(response: dict[str, Any], *, stream: bool = False) -> Reply:
    """Return a reply with a response, complete or streamed."""
    if stream:
        return stream_reply(sse(*chat_service.chunks_of(response)))
    return Reply(json=response)


def structured(
    method: str, text: str, finish: str = "stop", *, name: str, stream: bool = False
) -> Reply:
    """Return the reply of a model that gives an object, or as much of it as this text has."""
    said = [("c", name, text)] if method == "function_calling" else None
    content = None if said else text
    response = chat_service.completion(content, calls=said, finish_reason=finish)
    return reply_of(response, stream=stream)


class Recorder(BaseCallbackHandler):
    """Keeps what its callbacks are given."""

    run_inline = True

    def __init__(self) -> None:
        self.started: list[dict[str, Any]] = []
        self.tokens: list[tuple[str, Any]] = []
        self.ended: list[Any] = []
        self.failed: list[Any] = []
        self.events: list[tuple[str, Any]] = []

    def on_chat_model_start(self, serialized, messages, **told):
        self.started.append({"serialized": serialized, "messages": messages, **told})

    def on_llm_new_token(self, token, *, chunk, **_):
        self.tokens.append((token, chunk.message))

    def on_llm_end(self, response, **_):
        self.ended.append(response)

    def on_llm_error(self, error, *, response, **_):
        self.failed.append(response)

    def on_custom_event(self, name, data, **_):
        self.events.append((name, data))


def usage_chunk(usage: dict[str, Any] | None = None) -> Any:
    """Return the chunk with the usage, which has no choices."""
    return chunk(None, usage=usage or USAGE)


def streamed(*deltas: dict[str, Any], finish: str = "stop", **options: Any) -> Reply:
    """Return a reply that streams an answer in the usual order."""
    events = [chunk({"role": "assistant", "content": ""}), *map(chunk, deltas)]
    return stream_reply(sse(*events, chunk({}, finish), usage_chunk()), **options)


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


def closed(server: ScriptedServer) -> bool:
    """Wait for a while until a server has no open connections; return True if so."""
    for _ in range(200):
        if not server.open_connections:
            return True
        time.sleep(0.01)
    return False


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
