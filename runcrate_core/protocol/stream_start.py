"""Opening a chat stream: retries until its first content, and the errors of a stream."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from runcrate_core.errors import (
    RuncrateError,
    StreamError,
    StreamStalledError,
    StreamTruncatedError,
)
from runcrate_core.protocol.attempts import open_body
from runcrate_core.protocol.chat_stream import ChatStreamReader, StreamFault
from runcrate_core.protocol.chat_types import error_of
from runcrate_core.protocol.error_mapping import parse_error_body, status_of_error
from runcrate_core.protocol.response import (
    Failure,
    Response,
    TransportFailure,
    malformed,
    request_id_of,
)
from runcrate_core.protocol.sse import MAX_EVENT_BYTES
from runcrate_core.protocol.steps import CloseStream, OpenStream, ReadBytes, StreamedResponse

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from runcrate_core.protocol.attempts import CallContext
    from runcrate_core.protocol.chat_accumulator import CompletionContext
    from runcrate_core.protocol.chat_types import ChatCompletionChunk
    from runcrate_core.protocol.request import Request
    from runcrate_core.protocol.steps import Step

# A body without events is kept so far, to see what else it is; longer if it may be JSON.
BEGINNING_BYTES: Final = 64 * 1024
_HEAD_BYTES: Final = 1024


class StreamRequest(NamedTuple):
    """A request whose response is a chat stream.

    Attributes:
        request: The request with `stream: true`.
        context: The parts of it that decide how the stream is read.
    """

    request: Request
    context: CompletionContext


@dataclass(frozen=True, slots=True)
class OpenedStream(StreamedResponse):
    """A stream whose first content has come; its body is the unread rest.

    Attributes:
        reader: Has read as far as the first content.
        first: The chunks read so far.
    """

    reader: ChatStreamReader
    first: list[ChatCompletionChunk]


def open_stream(
    stream: StreamRequest,
    context: CallContext,
    *,
    idle_s: float,
) -> Generator[Step, Any, OpenedStream]:
    """Open a chat stream and read to its first content.

    Until then a failure is retried like that of any other call, an error sent as the first
    event included; afterwards nothing is ever retried.

    Args:
        stream: The request, and how its response is read.
        context: What the client's calls share.
        idle_s: Seconds the stream may stay without content.

    Raises:
        RuncrateError: It could not be opened.
    """
    clock = context.policy.clock
    exchange = partial(_open_once, reading=stream.context, idle_s=idle_s, clock=clock)
    return (yield from open_body(stream.request, context, exchange))


def _open_once(
    request: Request, *, reading: CompletionContext, idle_s: float, clock: Callable[[], float]
) -> Generator[Step, Any, Response | TransportFailure | OpenedStream]:
    reply: StreamedResponse | Response | TransportFailure = yield OpenStream(request)
    if not isinstance(reply, StreamedResponse):
        return reply
    reader = ChatStreamReader(idle_s=idle_s, now=clock(), context=reading)
    first: list[ChatCompletionChunk] = []
    try:
        failure = yield from _read_to_first_chunk(request, reply, reader, first, clock)
    except GeneratorExit:
        raise  # nothing can be asked for any more
    except BaseException:
        yield CloseStream(reply)
        raise
    if failure is not None and not first:
        yield CloseStream(reply)
        return failure
    return OpenedStream(reply.status, reply.headers, reply.body, reader, first)


def _read_to_first_chunk(
    request: Request,
    opened: StreamedResponse,
    reader: ChatStreamReader,
    first: list[ChatCompletionChunk],
    clock: Callable[[], float],
) -> Generator[Step, Any, Response | TransportFailure | None]:
    beginning = bytearray()
    while not first and reader.fault is None and not reader.done:
        data = yield ReadBytes(opened)
        if isinstance(data, TransportFailure):
            return data
        first += reader.end(clock()) if data is None else reader.feed(data, clock())
        is_json = (beginning or data or b"")[:_HEAD_BYTES].lstrip().startswith(b"{")
        limit = MAX_EVENT_BYTES if is_json else BEGINNING_BYTES
        beginning += (data or b"")[: max(0, limit - len(beginning))]
        if data is None or (len(beginning) >= limit and not _claims_events(opened)):
            break
    fault = reader.fault
    if not first and not reader.chunks_received and (fault is None or fault.kind == "truncated"):
        first += reader.read_complete(bytes(beginning), clock())
        if first:
            return None
        refused = _other_than_stream(request, opened, bytes(beginning))
        if refused is not None:
            return refused
    if first or fault is None:
        return None
    if fault.kind == "error_event":
        return error_event_response(fault, opened.headers)
    if fault.kind == "stalled":
        return TransportFailure(Failure.READ_TIMEOUT, "the stream stayed without content")
    if fault.kind == "truncated":
        return TransportFailure(Failure.BROKEN, "the stream ended before its first content")
    return None


def _claims_events(opened: StreamedResponse) -> bool:
    return "event-stream" in opened.headers.get("content-type", "")


def _other_than_stream(
    request: Request, opened: StreamedResponse, beginning: bytes
) -> Response | None:
    """Return the error response that a body without events is; `None` if nothing speaks for it.

    Raises:
        ResponseFormatError: It is a complete response, a web page or another text.
    """
    text = beginning.strip()
    head = Response(opened.status, opened.headers, text)
    if text.startswith(b"{"):
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            value = {}
        error = error_of(value)
        if error is not None:
            fault = StreamFault("error_event", 0, error=error)
            return error_event_response(fault, opened.headers)
        raise malformed(head, request, "it is JSON instead of a stream")
    if text.startswith(b"<") or "html" in head.content_type:
        raise malformed(head, request, "it is a web page instead of a stream, as of a proxy")
    if text and not _claims_events(opened) and head.content_type:
        raise malformed(head, request, f"it is `{head.content_type}` instead of a stream")
    return None


def error_event_response(fault: StreamFault, headers: Mapping[str, str]) -> Response:
    """Return the error response that an error in the first event stands for."""
    body = json.dumps({"error": fault.error}).encode()
    return Response(status_of_error(parse_error_body(body), fault.error), dict(headers), body)


def error_of_fault(
    fault: StreamFault,
    request: Request,
    opened: StreamedResponse,
    *,
    partial: Any,
    chunks: int,
    idle_s: float,
    secrets: tuple[str, ...] = (),
) -> RuncrateError:
    """Return the error for a stream that failed after it had started."""
    where = f"The stream of `{request.method} {request.route}`"
    safe = (
        f"{chunks} chunks had been delivered; they are folded in `.partial`. It was not started "
        "again; tool calls in it may be cut off and must not be run."
    )
    about: dict[str, Any] = {
        "request_id": request_id_of(opened.headers),
        "partial": partial,
        "chunks_received": chunks,
        "attempts": 1,
    }
    match fault.kind:
        case "error_event":
            error_body = parse_error_body(json.dumps({"error": fault.error}).encode(), secrets)
            status = status_of_error(error_body, fault.error)
            reason = error_body.message or "no reason given"
            return StreamError(
                f"{where} failed: {reason}. {safe}",
                status_code=status,
                code=error_body.code,
                details=error_body.details,
                **about,
            )
        case "truncated":
            why = f" ({fault.detail})" if fault.detail else ""
            return StreamTruncatedError(
                f"{where} ended before the response was complete{why}. {safe}", **about
            )
        case "stalled":
            return StreamStalledError(
                f"{where} sent no content for {idle_s:g} s. {safe}", idle_s=idle_s, **about
            )
        case _:
            return StreamError(
                f"{where} is not what the API promises: {fault.detail}. The rest of it was not "
                f"read. {safe}",
                **about,
            )
