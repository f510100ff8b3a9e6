"""Opening a chat stream, with repeats until its first content, and the errors it may end in."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from runcrate_core.errors import (
    ResponseFormatError,
    RuncrateError,
    StreamError,
    StreamStalledError,
    StreamTruncatedError,
)
from runcrate_core.protocol.attempts import attempts
from runcrate_core.protocol.chat_stream import ChatStreamReader, StreamFault
from runcrate_core.protocol.error_mapping import ErrorBody, parse_error_body
from runcrate_core.protocol.response import (
    Failure,
    Response,
    TransportFailure,
    malformed,
    request_id_of,
)
from runcrate_core.protocol.steps import CloseStream, OpenStream, ReadBytes, StreamedResponse

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from runcrate_core.protocol.attempts import CallContext
    from runcrate_core.protocol.chat_types import ChatCompletionChunk
    from runcrate_core.protocol.request import Request
    from runcrate_core.protocol.steps import Step

# Codes that servers put into an error event stand for the status they would have answered.
_STATUS_OF_CODE: Final = {
    "authentication_error": 401,
    "bad_request": 400,
    "budget_exceeded": 402,
    "budget_reached": 402,
    "context_length_exceeded": 400,
    "engine_overloaded_error": 503,
    "forbidden": 403,
    "insufficient_credits": 402,
    "internal_error": 500,
    "internal_server_error": 500,
    "invalid_api_key": 401,
    "invalid_request_error": 400,
    "model_not_found": 404,
    "not_found": 404,
    "overloaded": 503,
    "overloaded_error": 503,
    "rate_limit_exceeded": 429,
    "rate_limited": 429,
    "server_error": 500,
    "service_unavailable": 503,
    "tool_use_failed": 400,
    "unauthorized": 401,
    "validation_error": 422,
}
_ERROR_STATUSES: Final = range(400, 600)
_STATUS_DIGITS: Final = 3


@dataclass(slots=True)
class OpenedStream:
    """A stream whose first content has come.

    Attributes:
        opened: The unread rest.
        reader: Has read as far as the first content.
        first: The chunks read so far.
    """

    opened: StreamedResponse
    reader: ChatStreamReader
    first: list[ChatCompletionChunk]


def open_stream(
    request: Request,
    context: CallContext,
    *,
    idle_s: float,
) -> Generator[Step, Any, OpenedStream]:
    """Open a chat stream and read to its first content.

    Until then a failure is repeated like that of any other call, an error sent as the first
    event included; afterwards nothing is ever repeated.

    Args:
        request: The request with `stream: true`.
        context: What the client's calls share.
        idle_s: Seconds the stream may stay without content.

    Raises:
        RuncrateError: It could not be opened.
    """
    clock = context.policy.clock
    started: list[OpenedStream] = []

    def exchange(
        request: Request,
    ) -> Generator[Step, Any, Response | TransportFailure | StreamedResponse]:
        reply: StreamedResponse | Response | TransportFailure = yield OpenStream(request)
        if not isinstance(reply, StreamedResponse):
            return reply
        reader = ChatStreamReader(idle_s=idle_s, now=clock())
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
        started.append(OpenedStream(reply, reader, first))
        return reply

    yield from attempts(request, context, exchange)
    return started[-1]


def _read_to_first_chunk(
    request: Request,
    opened: StreamedResponse,
    reader: ChatStreamReader,
    first: list[ChatCompletionChunk],
    clock: Callable[[], float],
) -> Generator[Step, Any, Response | TransportFailure | None]:
    while not first and reader.fault is None and not reader.done:
        data = yield ReadBytes(opened)
        if isinstance(data, TransportFailure):
            return data
        first += reader.end(clock()) if data is None else reader.feed(data, clock())
        if data is None:
            break
    fault = reader.fault
    if first or fault is None:
        return None
    if fault.kind == "error_event":
        return answer_of_error_event(fault, opened.headers)
    if fault.kind == "stalled":
        return TransportFailure(Failure.READ_TIMEOUT, "the stream stayed without content")
    if fault.kind == "truncated" and not reader.chunks_received and _is_json(opened):
        raise malformed(
            Response(opened.status, opened.headers), request, "it is whole JSON instead of a stream"
        )
    if fault.kind == "truncated":
        return TransportFailure(Failure.BROKEN, "the stream ended before its first content")
    return None


def _is_json(opened: StreamedResponse) -> bool:
    return "json" in opened.headers.get("content-type", "")


def answer_of_error_event(fault: StreamFault, headers: Mapping[str, str]) -> Response:
    """Return the error answer that an error in the first event stands for."""
    body = json.dumps({"error": fault.error}).encode()
    return Response(status_of_error(parse_error_body(body), fault.error), dict(headers), body)


def status_of_error(refusal: ErrorBody, error: Any) -> int:
    """Return the HTTP status that an error event stands for; 500 when it does not tell."""
    fields = error if isinstance(error, dict) else {}
    for value in (fields.get("status"), fields.get("status_code"), fields.get("code")):
        if (status := _status_in(value)) is not None:
            return status
    for name in (refusal.code, fields.get("type")):
        if isinstance(name, str) and name.lower() in _STATUS_OF_CODE:
            return _STATUS_OF_CODE[name.lower()]
    return 500


def _status_in(value: object) -> int | None:
    # `int` refuses thousands of digits.
    if isinstance(value, str) and len(value) == _STATUS_DIGITS and value.isdecimal():
        value = int(value)
    return value if isinstance(value, int) and value in _ERROR_STATUSES else None


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
    """Return the error for a stream that failed after it had begun."""
    where = f"The stream of `{request.method} {request.route}`"
    safe = (
        f"{chunks} chunks had been delivered; they are folded in `.partial`. It was not started "
        "again; tool calls in it may be cut off and must not be carried out."
    )
    about: dict[str, Any] = {
        "request_id": request_id_of(opened.headers),
        "partial": partial,
        "chunks_received": chunks,
        "attempts": 1,
    }
    match fault.kind:
        case "error_event":
            refusal = parse_error_body(json.dumps({"error": fault.error}).encode(), secrets)
            status = status_of_error(refusal, fault.error)
            said = refusal.message or "no reason given"
            return StreamError(
                f"{where} failed: {said}. {safe}",
                status_code=status,
                code=refusal.code,
                details=refusal.details,
                **about,
            )
        case "truncated":
            why = f" ({fault.detail})" if fault.detail else ""
            return StreamTruncatedError(
                f"{where} ended before the answer was whole{why}. {safe}", **about
            )
        case "stalled":
            return StreamStalledError(
                f"{where} sent no content for {idle_s:g} s. {safe}", idle_s=idle_s, **about
            )
        case _:
            return _format_error(fault, where, about)


def _format_error(fault: StreamFault, where: str, about: dict[str, Any]) -> ResponseFormatError:
    error = ResponseFormatError(
        f"{where} is not what the API promises: {fault.detail}. The rest of it was not read.",
        request_id=about["request_id"],
        attempts=1,
    )
    error.partial = about["partial"]  # type: ignore[attr-defined] # useful, though not every format error has one
    return error
