"""Downloads: to a temporary file, resumed after cuts, verified, and moved into place."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal

from runcrate_core.errors import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
)
from runcrate_core.protocol.attempts import open_body
from runcrate_core.protocol.media_types import contradicts, media_type, suffix_of
from runcrate_core.protocol.ranges import Fit
from runcrate_core.protocol.redaction import origin_of
from runcrate_core.protocol.request import ReadTimeout, Request, RetrySafety, Surface
from runcrate_core.protocol.response import Failure, Response, TransportFailure
from runcrate_core.protocol.retry import wait_before
from runcrate_core.protocol.steps import (
    CloseStream,
    GetRunner,
    InvokeCallback,
    MakeTempFile,
    Now,
    OpenStream,
    ReadBytes,
    RunInThread,
    Sleep,
    StreamedResponse,
)
from runcrate_core.protocol.transfer import (
    DEFAULT_LIMIT,
    MIN_WINDOW_BYTES,
    WINDOW_S,
    Pace,
    Transfer,
    Wanted,
)

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from runcrate_core.protocol.attempts import CallContext
    from runcrate_core.protocol.steps import Flow, Sink, Step

# Called with the bytes done and their total, which is `None` while it is unknown.
OnProgress = Callable[[int, int | None], Any]
Media = Literal["image", "audio", "video"]

# Bytes are written (and progress is reported) in amounts of this size.
WRITE_BYTES: Final = 1024 * 1024
MAX_REDIRECTS: Final = 5
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_RANGE_NOT_SATISFIABLE: Final = 416


@dataclass(frozen=True, slots=True)
class Fetched:
    """A file that was fetched into memory.

    Attributes:
        content: Its bytes.
        content_type: Media type that the server gave it, in lower case; may be empty.
    """

    content: bytes
    content_type: str


def download_flow(
    source: Request | str,
    target: Path,
    *,
    sha256: str | None = None,
    size: int | None = None,
    limit: int = DEFAULT_LIMIT,
    on_progress: OnProgress | None = None,
    media: Media | None = None,
) -> Flow[Path]:
    """Download a file. An existing file is replaced only by a verified one.

    A connection that is cut is gone on with where the server allows it. The key is sent with
    `source` only if that is a request to one of the two APIs; a redirect is followed without it.

    Args:
        source: A request to an API, or a URL that an API gave.
        target: Where to put the file; its directory must exist.
        sha256: Its checksum, when it is known.
        size: Its length in bytes, when it is known.
        limit: Most bytes to take, after decoding.
        on_progress: Called with the bytes done and their total (`None` while it is unknown).
        media: What it must be; a target without a suffix then gets the one of what came.

    Returns:
        Where the file is.

    Raises:
        OSError: It cannot be written.
        ResponseFormatError: It is larger than `limit` or not what it must be, or its URL
            must not be fetched.
        APIConnectionError: It was cut too often.
        APIStatusError: It was refused.
    """
    transfer = Transfer(_request(source), Wanted.of(limit=limit, size=size, sha256=sha256))
    part = yield from MakeTempFile(target)
    try:
        yield from RunInThread(part.create)
        yield from transfer_flow(transfer, part, on_progress)
        if media is not None:
            _require_media(transfer, media)
            if not target.suffix:
                suffix = suffix_of(transfer.head, transfer.content_type)
                target = target.with_name(target.name + suffix)
        yield from RunInThread(functools.partial(part.move_to, target))
    except GeneratorExit:
        part.discard()  # nothing can be asked for any more
        raise
    except BaseException:
        yield from RunInThread(part.discard)
        raise
    return target


def fetch_flow(source: Request | str, *, limit: int, media: Media) -> Flow[Fetched]:
    """Fetch a file into memory; see `download_flow`.

    Args:
        source: A request to an API, or a URL that an API gave.
        limit: Most bytes to take, after decoding.
        media: What it must be.
    """
    transfer = Transfer(_request(source), Wanted.of(limit=limit, size=None, sha256=None))
    memory = _Memory()
    yield from transfer_flow(transfer, memory, None)
    _require_media(transfer, media)
    return Fetched(b"".join(memory.pieces), transfer.content_type)


def transfer_flow(transfer: Transfer, sink: Sink, on_progress: OnProgress | None) -> Flow[None]:
    """Transfer a file into a sink, over as many connections as needed, and verify it."""
    context = (yield from GetRunner()).context
    while True:
        opened = yield from _open(transfer, context)
        if opened is None:
            continue
        try:
            failure = yield from _receive(transfer, opened, sink, on_progress)
        except GeneratorExit:
            raise  # nothing can be asked for any more
        except BaseException:
            yield CloseStream(opened)
            raise
        yield CloseStream(opened)
        if failure is None:
            transfer.verify()
            return
        yield Sleep(_wait_after_cut(transfer, failure, context))


def _open(transfer: Transfer, context: CallContext) -> Flow[StreamedResponse | None]:
    """Request the file or its rest; `None` if the complete file must be requested instead."""
    headers = transfer.next_headers()
    request = replace(transfer.request, headers=transfer.request.headers + headers)
    for _ in range(MAX_REDIRECTS + 1):
        try:
            reply = yield from open_body(request, context, _open_once)
        except APIStatusError as error:
            if error.status_code == _RANGE_NOT_SATISFIABLE and transfer.received:
                transfer.misfit()
                return None
            if request.surface is Surface.EXTERNAL:
                raise _refused(request, error) from None
            raise
        if reply.status not in _REDIRECTS:
            return reply
        location = reply.headers.get("location", "")
        request = replace(external_request(location), headers=headers)
    raise transfer.error(f"its URL redirects more than {MAX_REDIRECTS} times")


def _open_once(
    request: Request,
) -> Generator[Step, Any, Response | TransportFailure | StreamedResponse]:
    reply: StreamedResponse | Response | TransportFailure = yield OpenStream(request, raw=True)
    if isinstance(reply, Response) and reply.status in _REDIRECTS:
        return StreamedResponse(reply.status, dict(reply.headers), None)
    return reply


def _receive(
    transfer: Transfer,
    opened: StreamedResponse,
    sink: Sink,
    on_progress: OnProgress | None,
) -> Flow[TransportFailure | None]:
    """Receive a body until it ends or fails; return why it did not complete."""
    fit = transfer.begin(opened.status, opened.headers)
    if fit is Fit.MISFIT:
        return _MISFIT
    if fit is Fit.COMPLETE:
        yield from RunInThread(sink.restart)
    if transfer.total is not None:
        yield from RunInThread(functools.partial(sink.reserve, transfer.total - transfer.received))
    if on_progress is not None:
        yield _progress_step(on_progress, transfer)
    waiting, pace = bytearray(), Pace()
    while True:
        data: bytes | TransportFailure | None = yield ReadBytes(opened)
        if isinstance(data, bytes):
            if len(data) >= MIN_WINDOW_BYTES:
                pace = Pace()
            elif pace.is_too_slow(len(data), (yield from Now())):
                data = _TRICKLE
        for piece in transfer.take(data) if isinstance(data, bytes) else ():
            waiting += piece
            if len(waiting) >= WRITE_BYTES:
                yield from _write(transfer, sink, waiting, on_progress)
        if not isinstance(data, bytes):
            yield from _write(transfer, sink, waiting, on_progress)
            return data if data is not None or transfer.is_whole() else _ENDED_EARLY


_ENDED_EARLY: Final = TransportFailure(Failure.BROKEN, "it ended before it was complete")
_TRICKLE: Final = TransportFailure(
    Failure.READ_TIMEOUT, f"fewer than {MIN_WINDOW_BYTES} bytes came within {WINDOW_S:g} s"
)
_MISFIT: Final = TransportFailure(Failure.BROKEN, "the rest that came does not fit")


def _write(
    transfer: Transfer, sink: Sink, waiting: bytearray, on_progress: OnProgress | None
) -> Flow[None]:
    """Write buffered bytes, and report progress."""
    if not waiting:
        return
    data = bytes(waiting)
    waiting.clear()

    def store() -> None:
        transfer.digest(data)
        sink.write(data)

    yield from RunInThread(store)
    if on_progress is not None:
        yield _progress_step(on_progress, transfer)


def _progress_step(on_progress: OnProgress, transfer: Transfer) -> InvokeCallback:
    done = transfer.received, transfer.total

    @functools.wraps(on_progress)
    def report(done: tuple[int, int | None]) -> Any:
        return on_progress(*done)

    return InvokeCallback(report, done)


def _wait_after_cut(transfer: Transfer, failure: TransportFailure, context: CallContext) -> float:
    """Return the seconds to wait before resuming.

    Raises:
        APIConnectionError: It was cut too often.
    """
    if failure is _MISFIT:
        return 0.0
    received, total = transfer.received, transfer.total
    cuts = transfer.cut()
    resumes = cuts <= context.policy.max_retries and (cuts == 1 or context.budget.take())
    if not resumes:
        timed_out = failure.failure is Failure.READ_TIMEOUT
        of_total = "" if total is None else f" of {total}"
        note = f" ({failure.note})" if failure.note else ""
        raise (APITimeoutError if timed_out else APIConnectionError)(
            f"The file of `{transfer.request.method} {transfer.request.route}` was cut off after "
            f"{received}{of_total} bytes: {failure.failure.value}{note}. Nothing of it was kept, "
            "and a file that was there before is unchanged. Download it again.",
            attempts=cuts,
        )
    return wait_before(cuts, None, context.policy.random)


def _require_media(transfer: Transfer, media: Media) -> None:
    kind = media_type(transfer.head, transfer.content_type)
    if not transfer.received:
        raise transfer.error("it is empty")
    if contradicts(kind, media):
        raise transfer.error(f"it is `{kind}`, not {media}")


def _request(source: Request | str) -> Request:
    return external_request(source) if isinstance(source, str) else source


def external_request(url: str) -> Request:
    """Return the request for a file at a URL that did not come from the program."""
    return Request(
        surface=Surface.EXTERNAL,
        method="GET",
        path=url,
        route=origin_of(url) or "(no URL)",
        retry=RetrySafety.SAFE,
        read_timeout=ReadTimeout.TRANSFER,
    )


def _refused(request: Request, error: APIStatusError) -> APIStatusError:
    # The body is not shown: a storage service quotes the signature of the URL in it.
    return type(error)(
        f"The file at {request.route} was refused with status {error.status_code}. Nothing was "
        "kept. Such URLs expire: ask the API for the file again.",
        status_code=error.status_code,
        attempts=error.attempts,
    )


class _Memory:
    """A sink that keeps what comes."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.pieces.append(data)

    def restart(self) -> None:
        self.pieces.clear()

    def reserve(self, size: int) -> None:
        """Memory is bounded by the limit of the transfer."""
