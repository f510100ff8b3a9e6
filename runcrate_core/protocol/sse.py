"""Server-sent events from bytes, by the rules of the WHATWG HTML standard (section 9.2.6).

Only CR, LF and CRLF end a line: text decoders that also split at U+2028, U+2029 or U+0085 break
JSON strings that hold these characters, so the work is done on bytes. The unit kept between two
reads is the unfinished *event*, which makes the common case (a read holding complete `data: ...`
events) one `bytes.split` and one slice an event.
"""

from __future__ import annotations

import json
import re
from itertools import takewhile
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

# One event, and so one line, may not be larger: a server that never ends a line would otherwise
# fill the memory. The largest honest chat events (images as data URIs) stay well below.
MAX_EVENT_BYTES: Final = 8 * 1024 * 1024

# What OpenAI-compatible servers send as the data of the last event.
DONE: Final = "[DONE]"

_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
# `10 in data` takes a sixth of the time of `b"\n" in data`.
_LINE_FEED: Final = 10
_CARRIAGE_RETURN: Final = 13
_PREFIX: Final = b"data: "
_PREFIX_SIZE: Final = len(_PREFIX)
_BETWEEN_OBJECTS: Final = re.compile(r"(?<=\})\n(?=\{|\[DONE\])")


class SSEBoundError(ValueError):
    """An event is larger than the decoder's bound.

    Attributes:
        events: The data of the events that were complete before it, in order.
    """

    def __init__(self, message: str, events: Sequence[str] = ()) -> None:
        super().__init__(message)  # the events' content stays out of `str` and `repr`
        self.events = tuple(events)


class SSEDecoder:
    """Turns the bytes of a body, cut anywhere, into the data of its events.

    Names, identifiers and reconnection times of events mean nothing in streams of chat chunks.
    """

    def __init__(self, *, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self._max_event_bytes = max_event_bytes
        self._pending = bytearray()  # the unfinished event
        self._exceeded = False
        self._head: bytes | None = b""  # what may still become a byte order mark; None after it
        self._skip_line_feed = False  # the last read ended in CR: a first LF belongs to it

    def feed(self, data: bytes) -> list[str]:
        """Read the next bytes of the body.

        Args:
            data: The bytes, cut anywhere; may be empty.

        Returns:
            The data of each event these bytes complete, oldest first.

        Raises:
            SSEBoundError: An event is too large; the decoder takes no more bytes.
        """
        if (
            not self._pending
            and data.startswith(_PREFIX)
            and data.endswith(b"\n\n")
            and data.find(b"\n") == len(data) - 2
            and self._head is None
            and not self._skip_line_feed
            and not self._exceeded
            and _CARRIAGE_RETURN not in data
            and len(data) <= self._max_event_bytes
        ):
            # One complete event of one line: what nearly every read of a token stream brings.
            return [data[_PREFIX_SIZE:-2].decode("utf-8", "replace")]
        payloads = []
        for block in self._blocks(data):
            if block.startswith(_PREFIX) and _LINE_FEED not in block:
                payloads.append(block[_PREFIX_SIZE:].decode("utf-8", "replace"))
            elif block and (payload := _data_of(block)) is not None:
                payloads.append(payload)
        if self._exceeded:
            raise self._bound_error(payloads)
        return payloads

    def close(self, *, lenient: bool = False) -> list[str]:
        """End the body.

        Args:
            lenient: Keep an event that the body ends in the middle of (no blank line follows it)
                when its data is evidently complete: `[DONE]`, a JSON object or a JSON array. The
                standard discards it, but servers that stop right after their last event exist.

        Returns:
            The data of that event, apart for each object in it, or nothing.
        """
        payload = _data_of(bytes(self._pending))
        self._pending.clear()
        parts = separate_objects(payload) if lenient and payload is not None else []
        return list(takewhile(_is_whole, parts))

    def _blocks(self, data: bytes) -> list[bytes]:
        """Return the bytes of each event completed, with LF line ends, without its blank line."""
        if self._exceeded:
            return []
        if self._head is not None or self._skip_line_feed or _CARRIAGE_RETURN in data:
            data = self._normalised(data)
        pending = self._pending
        if pending:
            ends = b"\n\n" in data or (pending[-1] == _LINE_FEED and data.startswith(b"\n"))
            pending += data
            if not ends:  # only noted: looking through it all at each read takes quadratic time
                self._check_pending()
                return []
            data = bytes(pending)
            pending.clear()
        blocks = data.split(b"\n\n")
        rest = blocks.pop()
        if len(data) > self._max_event_bytes:
            for number, block in enumerate(blocks):
                if len(block) > self._max_event_bytes:
                    self._exceeded = True
                    return blocks[:number]
        if rest:
            pending += rest
            self._check_pending()
        return blocks

    def _check_pending(self) -> None:
        """Bound the unfinished event; a last line feed does not count, as it may be its end."""
        if len(self._pending) - self._pending.endswith(b"\n") > self._max_event_bytes:
            self._pending.clear()
            self._exceeded = True

    def _bound_error(self, events: list[str]) -> SSEBoundError:
        return SSEBoundError(
            f"a server-sent event is larger than {self._max_event_bytes} bytes", events
        )

    def _normalised(self, data: bytes) -> bytes:
        """Strip the byte order mark at the start and make every line end one LF."""
        if self._head is not None:
            data = self._head + data
            if len(data) < len(_BYTE_ORDER_MARK) and _BYTE_ORDER_MARK.startswith(data):
                self._head = data
                return b""
            self._head = None
            data = data.removeprefix(_BYTE_ORDER_MARK)
        if not data:
            return data
        if self._skip_line_feed and data.startswith(b"\n"):
            data = data[1:]
        self._skip_line_feed = data.endswith(b"\r")
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _data_of(block: bytes) -> str | None:
    """Return the data lines of one event; None when it has none."""
    data = []
    for line in block.decode("utf-8", "replace").split("\n"):
        field, _, value = line.partition(":")
        if field == "data":
            data.append(value.removeprefix(" "))
    return "\n".join(data) if data else None


def separate_objects(data: str) -> list[str]:
    """Return the JSON objects in an event's data, and the end mark, apart.

    Some servers end their events with one line end instead of two; no JSON text holds such a place.
    """
    return _BETWEEN_OBJECTS.split(data)


def _is_whole(data: str) -> bool:
    """True when no byte of the data can be missing."""
    if data.strip() == DONE:
        return True
    try:
        return isinstance(json.loads(data), dict | list)
    except (ValueError, RecursionError):
        return False
