"""Reading a chat stream without I/O: from the bytes of a body to chunks, and how it ended.

A stream is complete when `[DONE]` came, or when each choice seen has a finish reason: some servers
never send `[DONE]`. After a finish reason reading continues, for the chunk with the usage. A
body that ends in any other way was cut, and one without any choice holds no response.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from runcrate_core.protocol.chat_accumulator import (
    ChatAccumulator,
    CompletionContext,
    has_message,
)
from runcrate_core.protocol.chat_types import ChatCompletionChunk, error_of
from runcrate_core.protocol.response import Failure, TransportFailure
from runcrate_core.protocol.sse import (
    DONE,
    MAX_EVENT_BYTES,
    SSEBoundError,
    SSEDecoder,
    separate_objects,
)
from runcrate_core.protocol.unicode_text import SurrogateJoiner

if TYPE_CHECKING:
    from collections.abc import Sequence

FaultKind = Literal["truncated", "stalled", "error_event", "invalid_json", "line_too_long"]

# After its last choice has finished, a server owes at most the usage and `[DONE]`. Pings are then
# not listened to for as long as while a response is awaited.
MAX_TRAILER_S: Final = 10.0

_NO_CHOICE: Final = "it held no response"

# Unlike `json.loads`, this looks for no white space around the value; it takes half the time.
_parse: Final = json.JSONDecoder().raw_decode


@dataclass(frozen=True, slots=True)
class StreamFault:
    """The reason why a stream did not complete.

    Attributes:
        kind: `truncated`: the body ended too early. `stalled`: nothing of the response came for too
            long. `error_event`: the server sent an error. `invalid_json`: an event is not a JSON
            object. `line_too_long`: an event is larger than the bound.
        chunks_received: Chunks read before it; with 0 an error event is like an error status.
        detail: What is known, without any content; may be empty.
        error: The error sent, of an `error_event`.
        offset: Where an event stops being JSON, in characters, of `invalid_json`.
    """

    kind: FaultKind
    chunks_received: int
    detail: str = ""
    error: dict[str, Any] | None = field(default=None, repr=False)
    offset: int | None = None


class ChatStreamReader:
    """Reads one chat stream, bytes in, chunks out.

    It never raises: a failure is in `fault`, after the chunks before it were returned.

    Attributes:
        idle_s: Seconds without content after which the stream counts as stalled.
        done: The response is complete and nothing more is to be read: `[DONE]` came, or the body
            ended properly without it.
        fault: What went wrong; nothing is read after it.
        chunks_received: Chunks returned.
    """

    def __init__(
        self,
        *,
        idle_s: float,
        now: float,
        context: CompletionContext | None = None,
        max_event_bytes: int = MAX_EVENT_BYTES,
    ) -> None:
        self.idle_s = idle_s
        self.done = False
        self.fault: StreamFault | None = None
        self.chunks_received = 0
        self._decoder = SSEDecoder(max_event_bytes=max_event_bytes)
        self._fold = ChatAccumulator(context)
        self._surrogates = SurrogateJoiner()
        # When the first read without content was made, since content last came. A reader of
        # chunks who takes long makes no reads, and so cannot make a stream look stalled.
        self._silent_since: float | None = now

    @property
    def completed(self) -> bool:
        """True if the response is complete."""
        return self.done or (self.fault is None and self._fold.finished)

    def feed(self, data: bytes, now: float) -> list[ChatCompletionChunk]:
        """Read the next bytes of the body.

        Args:
            data: The bytes, cut anywhere.
            now: The time, in seconds, of a clock that never goes back.

        Returns:
            The chunks these bytes complete; their tool calls are repaired. Check `fault` and
            `done` after using them.
        """
        if self.done or self.fault is not None:
            return []
        try:
            payloads = self._decoder.feed(data)
        except SSEBoundError as error:
            chunks = self._read(error.events, now)
            if not self._over:
                self.fault = StreamFault("line_too_long", self.chunks_received, str(error))
            return chunks
        return self._read(payloads, now)

    def end(self, now: float) -> list[ChatCompletionChunk]:
        """End the body, and decide whether the response is complete.

        Args:
            now: The time, in seconds, of the same clock.

        Returns:
            The chunk that lacked its blank line, if there is one.
        """
        if self._over:
            return []
        chunks = self._read(self._decoder.close(lenient=True), now)
        if self.completed:
            self.done = True
        elif self.fault is None:
            detail = "" if self._fold.has_choices else _NO_CHOICE
            if not self.chunks_received:
                detail = "it had no event"
            self.fault = StreamFault("truncated", self.chunks_received, detail)
        return chunks

    def read_complete(self, body: bytes, now: float) -> list[ChatCompletionChunk]:
        """Read a body that is a complete response, which some servers send in place of a stream.

        Args:
            body: The body, in which there was no event.
            now: The time, in seconds, of the same clock.

        Returns:
            The response as the only chunk; nothing if the body is anything else.
        """
        try:
            value = json.loads(body)
        except (ValueError, RecursionError):
            return []
        if not isinstance(value, dict) or not has_message(value) or error_of(value) is not None:
            return []
        self.fault = None
        chunks = self._read([body.decode().strip()], now)
        self.done = True
        return chunks

    def fail(self, failure: TransportFailure) -> None:
        """Note that the connection failed; a response that is complete by then is not affected."""
        if self._over or self.completed:
            return
        kind: FaultKind = "stalled" if failure.failure is Failure.READ_TIMEOUT else "truncated"
        detail = failure.note or failure.failure.value
        self.fault = StreamFault(kind, self.chunks_received, detail)

    def stalled(self, now: float) -> bool:
        """True if reads have brought nothing of the response for too long.

        Comments, empty deltas and other signs of life do not count. The time starts at the first
        read without content.

        Args:
            now: The time, in seconds, of the same clock.
        """
        patience_s = min(self.idle_s, MAX_TRAILER_S) if self.completed else self.idle_s
        return self._silent_since is not None and now - self._silent_since >= patience_s

    def completion(self, *, partial: bool = False) -> dict[str, Any]:
        """Return the chunks read so far, folded into the form of a response without streaming.

        Args:
            partial: Treat the response as unfinished even if it is not. As long as it is, tool
                calls without a finish reason are named `incomplete_tool_calls`.
        """
        return self._fold.completion(partial=partial or not self.completed)

    @property
    def _over(self) -> bool:
        return self.done or self.fault is not None

    def _read(self, payloads: Sequence[str], now: float) -> list[ChatCompletionChunk]:
        chunks: list[ChatCompletionChunk] = []
        carries = False
        surrogates = self._surrogates
        unread = [*reversed(payloads)]
        while unread:
            payload = unread.pop()
            try:
                event, end = _parse(payload)
            except (ValueError, RecursionError):
                event, end = None, -1
            if end != len(payload) or type(event) is not dict:
                event = self._read_unusual(payload, len(chunks), unread)
                if event is None:
                    if self._over:
                        break
                    continue
            # Inside a JSON text the quotes would be escaped: this is a member, or a complete value.
            if '"error"' in payload or "choices" not in event:
                error = error_of(event)
                if error is not None:
                    received = self.chunks_received + len(chunks)
                    self.fault = StreamFault("error_event", received, error=error)
                    break
            # One character is searched for three times as fast as two.
            if ("\\" in payload or surrogates.held) and surrogates.concerns(payload):
                surrogates.repair(event)
            carries |= self._fold.add(event)
            chunks.append(ChatCompletionChunk(event))
        self.chunks_received += len(chunks)
        if carries:
            self._silent_since = None
        elif self._silent_since is None:
            self._silent_since = now
        elif self.stalled(now):
            self._give_up()
        return chunks

    def _read_unusual(self, payload: str, chunks: int, unread: list[str]) -> dict[str, Any] | None:
        """Read what is not just a JSON object; None, with `done` or `fault` set if it ends."""
        if len(parts := separate_objects(payload)) > 1:
            unread += reversed(parts)
            return None
        text = payload.strip()
        if not text:
            return None  # sent by some servers to keep the connection open
        received = self.chunks_received + chunks
        if text == DONE:
            if self._fold.has_choices:
                self.done = True
            else:
                self.fault = StreamFault("truncated", received, _NO_CHOICE)
            return None
        offset = 0
        try:
            event = json.loads(text)
        except RecursionError:
            event = None
        except ValueError as error:
            event, offset = None, getattr(error, "pos", 0)
        if isinstance(event, dict):
            return event
        detail = f"event {received + 1} is not a JSON object (character {offset})"
        self.fault = StreamFault("invalid_json", received, detail, offset=offset)
        return None

    def _give_up(self) -> None:
        if self._over:
            return
        if self.completed:
            self.done = True
        else:
            self.fault = StreamFault("stalled", self.chunks_received)
