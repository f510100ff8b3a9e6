"""Answers of an OpenAI-compatible server, and one in the test's own process that gives them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx

from runcrate_core import AsyncRuncrate, Runcrate
from tests.servers import sse

Response = dict[str, Any] | list[dict[str, Any]] | httpx.Response

MODEL = "deepseek-ai/DeepSeek-V3.2"
USAGE = {"prompt_tokens": 12, "completion_tokens": 7, "total_tokens": 19}
_HEAD = {"id": "chatcmpl-7", "created": 1, "model": MODEL}


def completion(
    content: Any = None,
    *,
    calls: list[tuple[str, str, Any]] | None = None,
    finish_reason: str | None = None,
    usage: Any = USAGE,
    **message: Any,
) -> dict[str, Any]:
    """A complete response; `calls` are (id, name, arguments)."""
    said: dict[str, Any] = {"role": "assistant", "content": content, **message}
    if calls:
        said["tool_calls"] = [
            {"id": identifier, "type": "function", "function": {"name": name, "arguments": text}}
            for identifier, name, text in calls
        ]
    finish_reason = finish_reason or ("tool_calls" if calls else "stop")
    choice = {"index": 0, "message": said, "finish_reason": finish_reason}
    answer = {**_HEAD, "object": "chat.completion", "choices": [choice]}
    return answer if usage is None else {**answer, "usage": usage}


def chunk(
    delta: dict[str, Any] | None = None,
    finish_reason: str | None = None,
    index: int = 0,
    **members: Any,
) -> dict[str, Any]:
    """A chunk of a stream; without a delta it has no choice."""
    choice = {"index": index, "delta": delta, "finish_reason": finish_reason}
    choices = [] if delta is None else [choice]
    return {**_HEAD, "object": "chat.completion.chunk", "choices": choices, **members}


def call_piece(
    index: int | None, text: str = "", identifier: str | None = None, name: str | None = None
) -> dict[str, Any]:
    """A piece of a tool call, as it is in a delta."""
    piece: dict[str, Any] = {"function": {"arguments": text} | ({"name": name} if name else {})}
    if identifier is not None:
        piece |= {"id": identifier, "type": "function"}
    return piece if index is None else piece | {"index": index}


def calls_delta(*pieces: Any) -> dict[str, Any]:
    """A delta with pieces of tool calls."""
    return {"tool_calls": list(pieces)}


def end(finish_reason: str = "stop", usage: Any = USAGE) -> list[dict[str, Any]]:
    """The last two chunks of a stream."""
    return [chunk({}, finish_reason), chunk(None, usage=usage)]


def chunks_of(whole: dict[str, Any], size: int = 3) -> list[dict[str, Any]]:
    """A complete response as a stream would bring it, texts cut every few characters."""
    choice = whole["choices"][0]
    message = choice["message"]
    chunks = [chunk({"role": "assistant", "content": ""})]
    texts = ("reasoning_content", "reasoning", "content")
    others = {n: v for n, v in message.items() if n not in (*texts, "role", "tool_calls")}
    if others:
        chunks.append(chunk(others))
    for name in texts:
        text = message.get(name) or ""
        chunks += [chunk({name: text[i : i + size]}) for i in range(0, len(text), size)]
    for index, call in enumerate(message.get("tool_calls") or ()):
        text, name = call["function"]["arguments"], call["function"]["name"]
        pieces = [call_piece(index, identifier=call["id"], name=name)]
        pieces += [call_piece(index, text[i : i + size]) for i in range(0, len(text), size)]
        chunks += [chunk(calls_delta(piece)) for piece in pieces]
    chunks += end(choice["finish_reason"], whole.get("usage"))
    return [one | {"id": whole["id"]} for one in chunks]


def vector(text: str) -> list[float]:
    """A vector that tells its text."""
    return [float(len(text)), float(sum(map(ord, text)) % 97), 1.0]


def vectors(body: dict[str, Any]) -> dict[str, Any]:
    """Answer a request of embeddings, its vectors out of order as a service may send them."""
    data = [{"index": n, "embedding": vector(text)} for n, text in enumerate(body["input"])]
    usage = {"prompt_tokens": 1, "total_tokens": 1}
    return {"object": "list", "data": data[::-1], "model": body["model"], "usage": usage}


def refusal(status: int = 400, message: str = "not supported", code: str = "x") -> httpx.Response:
    """An answer with an error status."""
    return httpx.Response(status, json={"error": {"message": message, "code": code}})


class Body(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body that knows whether it was closed, and how much of it was read."""

    def __init__(self, pieces: list[bytes]) -> None:
        self.pieces = pieces
        self.read = 0
        self.closed = False

    def __iter__(self) -> Iterator[bytes]:
        for piece in self.pieces:
            self.read += 1
            yield piece

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self:
            yield piece

    def close(self) -> None:
        self.closed = True

    async def aclose(self) -> None:
        self.closed = True


@dataclass
class Service:
    """Answers in place of Runcrate.

    Attributes:
        requests: The bodies of the requests to it.
        headers: Their headers.
        bodies: The streams that it answered with.
    """

    requests: list[dict[str, Any]] = field(default_factory=list)
    headers: list[httpx.Headers] = field(default_factory=list)
    bodies: list[Body] = field(default_factory=list)
    _answers: list[Response] = field(default_factory=list)
    _decide: Callable[[dict[str, Any]], Response] | None = None

    def will_say(self, *answers: Response) -> None:
        """Answer in turn; the last answer is given again and again."""
        self._answers, self._decide = list(answers), None

    def decides(self, decide: Callable[[dict[str, Any]], Response]) -> None:
        """Answer as a function says, which is given the body of the request."""
        self._decide = decide

    def __call__(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        self.requests.append(body)
        self.headers.append(request.headers)
        if self._decide is not None:
            answer = self._decide(body)
        else:
            answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, httpx.Response):
            return httpx.Response(
                answer.status_code, headers=dict(answer.headers), content=answer.content
            )
        if not body.get("stream"):
            assert isinstance(answer, dict)
            return httpx.Response(
                200, content=json.dumps(answer), headers={"content-type": "application/json"}
            )
        chunks = answer if isinstance(answer, list) else chunks_of(answer)
        stream = Body(sse(*chunks))
        self.bodies.append(stream)
        return httpx.Response(200, headers={"content-type": "text/event-stream"}, stream=stream)

    def clients(self, **options: Any) -> dict[str, Any]:
        """Arguments that make a part of `llamaindex_runcrate` talk to this service."""
        settings: dict[str, Any] = {"api_key": "rc_live_test", "max_retries": 0, **options}
        own = self.http_clients()
        return {
            "client": Runcrate(http_client=own["http_client"], **settings),
            "async_client": AsyncRuncrate(http_client=own["http_async_client"], **settings),
        }

    def http_clients(self) -> dict[str, Any]:
        """Arguments that make a part of `langchain_runcrate` talk to this service."""
        transport = httpx.MockTransport(self)
        return {
            "http_client": httpx.Client(transport=transport),
            "http_async_client": httpx.AsyncClient(transport=transport),
        }

    @property
    def last(self) -> dict[str, Any]:
        """The body of the last request."""
        return self.requests[-1]
