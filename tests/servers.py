"""A loopback server that really cuts, stalls and lies, as its script says."""

from __future__ import annotations

import contextlib
import email
import json
import socket
import struct
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal, Self

End = Literal["keep", "close", "reset", "hold", "no response"]


@dataclass(frozen=True)
class Reply:
    """What one request is answered with.

    Attributes:
        status: HTTP status.
        json: JSON body.
        body: Body instead of `json`, in pieces; a number waits so many seconds.
        headers: Further headers.
        length: A `Content-Length` to claim; `None` sends chunks.
        drip_s: Seconds to wait after each byte of the head.
        end: What happens to the connection afterwards. `hold`: it stays open without a word;
            `no response`: not even a head is sent before it is closed.
    """

    status: int = 200
    json: Any = None
    body: Iterable[bytes | float] | None = None
    headers: dict[str, str] = field(default_factory=dict)
    length: int | None = None
    drip_s: float = 0.0
    end: End = "keep"


@dataclass(frozen=True)
class Received:
    """A request that arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def form(self) -> list[tuple[Any, ...]]:
        """The parts of a form: name, file name and type, and content."""
        head = f"Content-Type: {self.headers['content-type']}\r\n\r\n".encode()
        return [
            (
                part.get_param("name", header="content-disposition"),
                part.get_filename(),
                part["content-type"],
                part.get_payload(decode=True),
            )
            for part in email.message_from_bytes(head + self.body).get_payload()
        ]


def raw_reply(
    body: bytes, kind: str = "application/json", status: int = 200, **headers: str
) -> Reply:
    """Return a reply with these bytes as its complete body; `etag="x"` is a header."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, body=[body], length=len(body), headers={"content-type": kind, **named})


def sse(*events: Any, done: bool = True) -> list[bytes]:
    """Return chat chunks as the pieces of an event stream."""
    pieces = [f"data: {json.dumps(event)}\n\n".encode() for event in events]
    return [*pieces, b"data: [DONE]\n\n"] if done else pieces


def text_chunk(text: str, finish: str | None = None) -> dict[str, Any]:
    """Return a chat chunk with some text."""
    delta = {"content": text} if text else {}
    choices = [{"index": 0, "delta": delta, "finish_reason": finish}]
    return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": "m", "choices": choices}


def stream_reply(pieces: Iterable[bytes | float], **options: Any) -> Reply:
    """Return a reply that is an event stream."""
    return Reply(headers={"content-type": "text/event-stream"}, body=list(pieces), **options)


class ScriptedServer:
    """Answers requests with the replies of its script, in order; the last one is repeated."""

    def __init__(self, *replies: Reply) -> None:
        self.replies = list(replies)
        self.received: list[Received] = []
        self.open_connections = 0
        self.connections = 0
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        # Heads and pieces are small writes: without this each waits for a delayed acknowledgement.
        self._listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(128)
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._sockets: list[socket.socket] = []

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        with contextlib.suppress(OSError):
            # A closed socket goes on listening while another thread waits in `accept`.
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._sockets:
            connection.close()

    @property
    def sent(self) -> int:
        """How many requests arrived."""
        return len(self.received)

    def _accept(self) -> None:
        while not self._over.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._sockets.append(connection)
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        file = connection.makefile("rb")
        with self._lock:
            self.open_connections += 1
        try:
            while self._exchange(connection, file):
                pass
        except OSError:
            pass
        finally:
            with self._lock:
                self.open_connections -= 1
            file.close()
            connection.close()

    def _exchange(self, connection: socket.socket, file: Any) -> bool:
        start = file.readline().decode("latin-1").split()
        if len(start) < 2:
            return False
        headers = {}
        while line := file.readline().strip():
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
        body = file.read(int(headers.get("content-length", 0)))
        with self._lock:
            self.received.append(Received(start[0], start[1], headers, body))
            reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        return self._answer(connection, reply)

    def _answer(self, connection: socket.socket, reply: Reply) -> bool:
        if reply.end != "no response":
            self._send(connection, reply)
        if reply.end == "hold":
            self._over.wait(30)
        if reply.end == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return reply.end == "keep"

    def _send(self, connection: socket.socket, reply: Reply) -> None:
        body: list[bytes | float]
        if reply.body is not None:
            body = list(reply.body)
        else:
            body = [b"" if reply.json is None else json.dumps(reply.json).encode()]
        headers = {"content-type": "application/json", **reply.headers}
        chunked = reply.body is not None and reply.length is None
        if chunked:
            headers["transfer-encoding"] = "chunked"
        else:
            whole = sum(len(piece) for piece in body if isinstance(piece, bytes))
            headers["content-length"] = str(reply.length if reply.length is not None else whole)
        fields = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head = f"HTTP/1.1 {reply.status} Scripted\r\n{fields}\r\n".encode("latin-1")
        size = 1 if reply.drip_s else len(head)
        for start in range(0, len(head), size):
            connection.sendall(head[start : start + size])
            self._over.wait(reply.drip_s)
        for piece in body:
            if isinstance(piece, float):
                self._over.wait(piece)
            elif chunked and piece:
                connection.sendall(b"%x\r\n%b\r\n" % (len(piece), piece))
            else:
                connection.sendall(piece)
        if chunked and reply.end == "keep":
            connection.sendall(b"0\r\n\r\n")
