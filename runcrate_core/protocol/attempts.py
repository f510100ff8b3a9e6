"""The attempts of one call: wait for the rate limit, send, decide, wait, retry."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from runcrate_core.errors import ResponseFormatError
from runcrate_core.protocol.error_mapping import (
    ErrorBody,
    error_of_failure,
    error_of_response,
    parse_error_body,
)
from runcrate_core.protocol.large_values import LARGE
from runcrate_core.protocol.rate_limiter import RateLimit, RateLimiter
from runcrate_core.protocol.request import Surface
from runcrate_core.protocol.request_events import emit, response_event
from runcrate_core.protocol.response import Response, TransportFailure
from runcrate_core.protocol.retry import (
    CONFLICT,
    FIRST_SERVER_ERROR,
    IDEMPOTENCY_IN_PROGRESS,
    LAUNCH_REFUSED,
    REFUSED_UNTOUCHED,
    REQUEST_TIMEOUT,
    GiveUp,
    RetryBudget,
    RetryPolicy,
    decide_retry,
)
from runcrate_core.protocol.steps import (
    Call,
    CloseStream,
    RunInThread,
    Send,
    Sleep,
    Step,
    StreamedResponse,
)

if TYPE_CHECKING:
    from runcrate_core.errors import RuncrateError
    from runcrate_core.hooks import RequestEvent
    from runcrate_core.protocol.request import Request

T = TypeVar("T")
StreamedT = TypeVar("StreamedT", bound=StreamedResponse)
# Makes one attempt. A complete response or a failure is decided on, an opened body is a success.
Exchange = Callable[["Request"], Generator[Step, Any, Response | TransportFailure | StreamedT]]

logger = logging.getLogger("runcrate_core")
_NOT_FOUND = 404
_NO_CONTENT = 204


@dataclass(frozen=True, slots=True)
class CallContext:
    """State that all attempts of a client's calls share.

    Attributes:
        policy: The retry policy.
        budget: Retry tokens.
        limiter: The rate limiter of the key, or `None` when it is switched off.
        on_request: The user's hook.
        secrets: Exact values that must not appear in an error.
    """

    policy: RetryPolicy = field(default_factory=RetryPolicy)
    budget: RetryBudget = field(default_factory=RetryBudget)
    limiter: RateLimiter | None = None
    on_request: Callable[[RequestEvent], object] | None = None
    secrets: tuple[str, ...] = field(default=(), repr=False)


def send_once(request: Request) -> Generator[Step, Any, Response | TransportFailure]:
    """Exchange a request for a response that is read completely."""
    reply: Response | TransportFailure = yield Send(request)
    return reply


def attempt_call(call: Call[T], context: CallContext) -> Generator[Step, Any, T]:
    """Run a call with its retries and return its parsed result.

    Raises:
        RuncrateError: The last failure, when nothing more is to be tried.
    """
    response: Response = yield from attempts(call.request, context, send_once)
    try:
        if len(response.body) > LARGE:
            return (yield from RunInThread(partial(call.parse, response)))
        return call.parse(response)
    except ResponseFormatError as error:
        # The frames of parsers hold the body, which may contain the key.
        raise error.with_traceback(None) from error.__cause__


def open_body(
    request: Request, context: CallContext, exchange: Exchange[StreamedT]
) -> Generator[Step, Any, StreamedT]:
    """Open a response with its retries and return what `exchange` opened, its body unread.

    Raises:
        RuncrateError: The last failure, when nothing more is to be tried.
    """
    reply = yield from attempts(request, context, exchange)
    if isinstance(reply, Response):  # pragma: no cover - of a success, the transport opens the body
        raise TypeError(reply)
    return reply


def attempts(
    request: Request, context: CallContext, exchange: Exchange[StreamedT]
) -> Generator[Step, Any, Response | StreamedT]:
    """Send a request until it succeeds or must not be retried.

    Args:
        request: What to send.
        context: What the client's calls share.
        exchange: How one attempt is made.

    Returns:
        The successful response, or what `exchange` opened.

    Raises:
        RuncrateError: The last failure.
    """
    policy = context.policy
    started = policy.clock()
    number = 0
    may_have_been_received = False
    context.budget.begin_call()
    try:
        while True:
            number += 1
            reply = yield from _one_attempt(request, number, context, exchange)
            if isinstance(reply, StreamedResponse):
                context.budget.refund(number)
                return reply
            if isinstance(reply, Response) and reply.ok:
                context.budget.refund(number)
                return reply
            if may_have_been_received and _finds_nothing(request, reply):
                return Response(status=_NO_CONTENT)
            error_body = _error_body(reply, context.secrets)
            may_have_been_received |= may_have_acted(reply, error_body.decisive_code)
            decision = decide_retry(
                request,
                reply,
                error_code=error_body.decisive_code,
                attempts=number,
                elapsed_s=policy.clock() - started,
                policy=policy,
            )
            if not isinstance(decision, GiveUp) and not context.budget.take():
                decision = GiveUp("the retry budget is spent, as many calls are failing")
            if isinstance(decision, GiveUp):
                error = _error(request, reply, error_body, number, decision, context.secrets)
                error.may_have_been_received = may_have_been_received
                raise error
            _log_retry(request, reply, decision.seconds, number)
            yield Sleep(decision.seconds)
    finally:
        context.budget.end_call()


def _one_attempt(
    request: Request, number: int, context: CallContext, exchange: Exchange[StreamedT]
) -> Generator[Step, Any, Response | TransportFailure | StreamedT]:
    policy = context.policy
    # The rate limit is of the key, which other hosts never see.
    limiter = context.limiter if request.surface is not Surface.EXTERNAL else None
    if limiter is not None:
        while (pause := limiter.acquire(policy.clock(), policy.random)) > 0:
            yield Sleep(pause)
    sent_at = policy.clock()
    reply: Response | TransportFailure | StreamedT | None = None
    try:
        reply = yield from exchange(request)
    finally:
        if limiter is not None:
            responded = reply is not None and not isinstance(reply, TransportFailure)
            state = RateLimit.read(reply.headers) if responded else None  # type: ignore[union-attr] # responded
            limiter.release(state, responded=responded, now=policy.clock())
    logs = logger.isEnabledFor(logging.DEBUG)
    if context.on_request is None and not logs:
        return reply
    elapsed_s = policy.clock() - sent_at
    if logs:
        logger.debug("%s: %s after %.2f s", _named(request), _outcome(reply), elapsed_s)
    if context.on_request is None:
        return reply

    def event(content: bool) -> RequestEvent:  # noqa: FBT001 - called by `emit` alone
        return response_event(request, reply, attempt=number, elapsed_s=elapsed_s, content=content)

    try:
        yield from emit(context.on_request, event)
    except GeneratorExit:
        raise  # nothing can be asked for any more
    except BaseException:
        if isinstance(reply, StreamedResponse) and reply.body is not None:
            yield CloseStream(reply)
        raise
    return reply


def _finds_nothing(request: Request, reply: object) -> bool:
    """True if a DELETE finds nothing; in a retry, that means that the first, lost one worked."""
    deletes = request.method == "DELETE"
    return deletes and isinstance(reply, Response) and reply.status == _NOT_FOUND


def may_have_acted(reply: Response | TransportFailure, error_code: str) -> bool:
    """Return whether the API may have acted on a request that failed so.

    A gateway returns 408 and 5xx for a request that the API behind it still handles; a conflict
    of keys says that the first request with the key is being handled.
    """
    match reply:
        case TransportFailure():
            return reply.may_have_been_received
        case Response(status=status) if status == CONFLICT:
            return error_code == IDEMPOTENCY_IN_PROGRESS
        case Response(status=status):
            unknown = status == REQUEST_TIMEOUT or status >= FIRST_SERVER_ERROR
            refused = status in REFUSED_UNTOUCHED or error_code == LAUNCH_REFUSED
            return unknown and not refused


def _error_body(reply: Response | TransportFailure, secrets: tuple[str, ...]) -> ErrorBody:
    if isinstance(reply, Response):
        return parse_error_body(reply.body, secrets)
    return ErrorBody("", None, None)


def _error(
    request: Request,
    reply: Response | TransportFailure,
    error_body: ErrorBody,
    number: int,
    decision: GiveUp,
    secrets: tuple[str, ...],
) -> RuncrateError:
    if isinstance(reply, TransportFailure):
        return error_of_failure(reply, request, attempts=number, why_not_repeated=decision.reason)
    return error_of_response(
        reply,
        request,
        error_body,
        attempts=number,
        why_not_repeated=decision.reason,
        secrets=secrets,
    )


def _log_retry(
    request: Request, reply: Response | TransportFailure, wait: float, number: int
) -> None:
    text = "%s: %s; attempt %d follows in %.2f s"
    logger.info(text, _named(request), _outcome(reply), number + 1, wait)


def _named(request: Request) -> str:
    """Return a request as a log shows it: without its query, and without an external URL."""
    return f"{request.method} {request.route}"


def _outcome(reply: Response | TransportFailure | StreamedResponse) -> str:
    return reply.failure.value if isinstance(reply, TransportFailure) else str(reply.status)
