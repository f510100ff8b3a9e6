"""The one server that all candidates are measured against: it answers prepared bytes.

The answer is asked for by the name of the model, `KIND-COUNT[-DELAY_MS]`: `text-500` is a stream
of 500 chunks (or the complete response, when `stream` is not set). The delay is before each event,
or before the complete response. The kind `faulty` is text, but 22 % of the requests, drawn from a
seed, get a 429, a 503 or a cut connection. It runs in a process of its own.
"""

from __future__ import annotations

import asyncio
import functools
import json
import random
import re
import socket
import sys
from typing import Any

_MODEL = re.compile(rb'"model":\s*"([a-z]+)-(\d+)(?:-(\d+))?"')
_LENGTH = re.compile(rb"(?i)\r\ncontent-length:\s*(\d+)")
_BASE = {"id": "chatcmpl-1", "created": 1711500000, "model": "m"}
USAGE = {"prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 30}
FAULTS = 0.22
_draw = random.Random(22)
ARGUMENTS = '{"text": "' + "word " * 4 + '"}'


def delta(kind: str, number: int, count: int) -> dict[str, Any]:
    """Return the delta of one chunk."""
    if kind == "reasoning":
        return {"reasoning_content": f"step{number} "}
    if kind == "tool":
        if number == 0:
            function = {"name": "write", "arguments": '{"text": "'}
            return {"tool_calls": [{"index": 0, "id": "call_1", "type": "function",
                                    "function": function}]}  # fmt: skip
        piece = '"}' if number == count - 1 else f"word{number} "
        return {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}
    return {"content": f"word{number} "}


@functools.cache
def stream_events(kind: str, count: int) -> tuple[bytes, ...]:
    """Return the events of a stream."""
    finish = "tool_calls" if kind == "tool" else "stop"
    chunks = [
        {"delta": delta(kind, number, count), "finish_reason": None} for number in range(count)
    ]
    chunks.append({"delta": {}, "finish_reason": finish})
    events = [
        _BASE | {"object": "chat.completion.chunk", "choices": [{"index": 0} | chunk]}
        for chunk in chunks
    ]
    events.append(_BASE | {"object": "chat.completion.chunk", "choices": [], "usage": USAGE})
    lines = [f"data: {json.dumps(event)}\n\n".encode() for event in events]
    return (*lines, b"data: [DONE]\n\n")


@functools.cache
def whole_body(kind: str, count: int) -> bytes:
    """Return the complete response that the stream adds up to, or vectors."""
    if kind == "embed":
        vector = [round(0.001 * number, 3) for number in range(256)]
        return json.dumps({"vector": vector}).encode()
    text = "".join(f"word{number} " for number in range(count))
    message: dict[str, Any] = {"role": "assistant", "content": text}
    if kind == "tool":
        function = {"name": "write", "arguments": json.dumps({"text": text})}
        call = {"id": "call_1", "type": "function", "function": function}
        message = {"role": "assistant", "content": None, "tool_calls": [call]}
    finish = "tool_calls" if kind == "tool" else "stop"
    choice = {"index": 0, "message": message, "finish_reason": finish}
    answer = _BASE | {"object": "chat.completion", "choices": [choice], "usage": USAGE}
    return json.dumps(answer).encode()


@functools.cache
def create_call(kind: str, count: int) -> bytes:
    """Return the complete response with its head."""
    body = whole_body(kind, count)
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}"
    return f"{head}\r\n\r\n".encode() + body


@functools.cache
def embedding_answer(texts: int) -> bytes:
    """Return so many vectors."""
    vector = [round(0.001 * number, 3) for number in range(256)]
    data = [{"object": "embedding", "index": n, "embedding": vector} for n in range(texts)]
    body = json.dumps({"object": "list", "data": data, "model": "m", "usage": USAGE}).encode()
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}"
    return f"{head}\r\n\r\n".encode() + body


@functools.cache
def stream_answer(kind: str, count: int) -> bytes:
    """Return a stream as it goes over the wire: an HTTP chunk for each event."""
    head = (
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    )
    events = stream_events(kind, count)
    return head + b"".join(map(http_chunk, events)) + b"0\r\n\r\n"


def http_chunk(data: bytes) -> bytes:
    """Return data in the framing of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def fault(answer: bytes) -> bytes | None:
    """Return the bytes of a fault, or `None`: a refusal, no answer, or half of it."""
    if _draw.random() >= FAULTS:
        return None
    refusal = "HTTP/1.1 {}\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{{}}"
    statuses = ("429 Too Many Requests", "503 Service Unavailable")
    refusals = (refusal.format(status).encode() for status in statuses)
    return _draw.choice((*refusals, b"", answer[: len(answer) // 2]))


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer the requests of one connection."""
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            found = _LENGTH.search(head)
            body = await reader.readexactly(int(found.group(1))) if found else b""
            await answer(head, body, writer)
    except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
        pass  # the client has gone, or the measurements are over
    finally:
        writer.close()


async def answer(head: bytes, body: bytes, writer: asyncio.StreamWriter) -> None:
    """Answer one request."""
    if b"/embeddings" in head[:64]:
        texts = json.loads(body)["input"]
        writer.write(embedding_answer(1 if isinstance(texts, str) else len(texts)))
        return
    found = _MODEL.search(body)
    kind, count, delay = found.groups() if found else (b"text", b"1", None)
    name, number = kind.decode(), int(count)
    if b'"stream":true' not in body.replace(b" ", b""):
        await asyncio.sleep(int(delay or 0) / 1000)
        whole = create_call(name, number)
        broken = fault(whole) if name == "faulty" else None
        writer.write(whole if broken is None else broken)
        if broken is not None and not broken.endswith(b"{}"):
            writer.close()
            return
    elif delay is None:
        writer.write(stream_answer(name, number))
    else:
        writer.write(stream_answer(name, 0).partition(b"\r\n\r\n")[0] + b"\r\n\r\n")
        for event in stream_events(name, number):
            await asyncio.sleep(int(delay) / 1000)
            if writer.is_closing():
                return  # the client has seen enough
            writer.write(http_chunk(event))
        writer.write(b"0\r\n\r\n")
    await writer.drain()


async def main() -> None:
    """Serve on a free port until standard input ends, then stop."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen(4096)
    server = await asyncio.start_server(serve, sock=listener, limit=1 << 26)
    print(listener.getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    server.close()  # `async with` would wait for the clients to close their connections


if __name__ == "__main__":
    asyncio.run(main())
