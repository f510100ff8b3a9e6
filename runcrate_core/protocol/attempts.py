"""The attempts of one call: gate, send, judge, wait, send again."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from runcrate_core.observing import RequestEvent
from runcrate_core.protocol.answer import Answer, TransportFailure, request_id_of
from runcrate_core.protocol.rate_limit import RateLimit, RateLimitGate
from runcrate_core.protocol.refusals import (
    Refusal,
    error_of_answer,
    error_of_failure,
    read_refusal,
)
from runcrate_core.protocol.request import Surface
from runcrate_core.protocol.retry import (
    REFUSED_UNTOUCHED,
    GiveUp,
    RetryBudget,
    RetryPolicy,
    judge,
)
from runcrate_core.protocol.steps import Call, Notify, Opened, Release, Send, Sleep, Step

if TYPE_CHECKING:
    from runcrate_core.errors import RuncrateError
    from runcrate_core.protocol.request import Request

T = TypeVar("T")
Exchange = Callable[["Request"], Generator[Step, Any, Answer | TransportFailure | Opened]]

logger = logging.getLogger("runcrate_core")
_NOT_FOUND = 404
_NO_CONTENT = 204


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What the attempts of a client's calls share.

    Attributes:
        policy: The numbers of repeating.
        budget: Retry tokens.
        gate: The rate-limit gate of the key, or `None` when it is switched off.
        on_request: The user's hook.
        secrets: Exact values that must not appear in an error.
    """

    policy: RetryPolicy = field(default_factory=RetryPolicy)
    budget: RetryBudget = field(default_factory=RetryBudget)
    gate: RateLimitGate | None = None
    on_request: Callable[[RequestEvent], object] | None = None
    secrets: tuple[str, ...] = field(default=(), repr=False)


def send_once(request: Request) -> Generator[Step, Any, Answer | TransportFailure | Opened]:
    """Exchange a request for an answer that is read whole."""
    reply: Answer | TransportFailure = yield Send(request)
    return reply


def attempt_call(call: Call[T], around: Circumstances) -> Generator[Step, Any, T]:
    """Carry out a call with its repeats and return its parsed result.

    Raises:
        RuncrateError: The last failure, when nothing more is to be tried.
    """
    answer = yield from attempts(call.request, around, send_once)
    if not isinstance(answer, Answer):  # pragma: no cover - `send_once` opens nothing
        raise TypeError(answer)
    return call.parse(answer)


def attempts(
    request: Request, around: Circumstances, exchange: Exchange
) -> Generator[Step, Any, Answer | Opened]:
    """Send a request until it succeeds or may not be sent again.

    Args:
        request: What to send.
        around: What the client's calls share.
        exchange: How one attempt is made.

    Returns:
        The successful answer.

    Raises:
        RuncrateError: The last failure.
    """
    policy = around.policy
    started = policy.clock()
    number = 0
    may_have_arrived = False
    while True:
        number += 1
        reply = yield from _one_attempt(request, number, around, exchange)
        if isinstance(reply, Opened) or (isinstance(reply, Answer) and reply.ok):
            around.budget.refund(number)
            return reply
        if may_have_arrived and _finds_nothing(request, reply):
            return Answer(status=_NO_CONTENT)
        refusal = _refusal(reply, around.secrets)
        verdict = judge(
            request,
            reply,
            error_code=refusal.decisive_code,
            attempts=number,
            elapsed_s=policy.clock() - started,
            policy=policy,
        )
        if not isinstance(verdict, GiveUp) and not around.budget.take():
            verdict = GiveUp("the retry budget is spent, as many calls are failing")
        if isinstance(verdict, GiveUp):
            raise _error(request, reply, refusal, number, verdict, around.secrets)
        _log_repeat(request, reply, verdict.seconds, number)
        may_have_arrived = may_have_arrived or _acted_on(reply)
        yield Sleep(verdict.seconds)


def _one_attempt(
    request: Request, number: int, around: Circumstances, exchange: Exchange
) -> Generator[Step, Any, Answer | TransportFailure | Opened]:
    policy = around.policy
    # The rate limit is of the key, which a foreign address never sees.
    gate = around.gate if request.surface is not Surface.EXTERNAL else None
    if gate is not None:
        while (pause := gate.admit(policy.clock(), policy.random())) > 0:
            yield Sleep(pause)
    sent_at = policy.clock()
    reply: Answer | TransportFailure | Opened | None = None
    try:
        reply = yield from exchange(request)
    finally:
        if gate is not None:
            answered = isinstance(reply, Answer | Opened)
            state = RateLimit.read(reply.headers) if isinstance(reply, Answer | Opened) else None
            gate.settle(state, answered=answered, now=policy.clock())
    if around.on_request is not None:
        event = _event(request, reply, number, policy.clock() - sent_at)
        try:
            yield Notify(around.on_request, event)
        except Exception as error:  # noqa: BLE001 - watching must not break what is watched
            logger.warning("The `on_request` hook raised %s.", type(error).__name__)
        except GeneratorExit:
            raise  # nothing can be asked for any more
        except BaseException:
            if isinstance(reply, Opened) and reply.body is not None:
                yield Release(reply)
            raise
    return reply


def _finds_nothing(request: Request, reply: object) -> bool:
    """Whether a DELETE finds nothing; repeated, that means that the first, lost one worked."""
    deletes = request.method == "DELETE"
    return deletes and isinstance(reply, Answer) and reply.status == _NOT_FOUND


def _acted_on(reply: Answer | TransportFailure) -> bool:
    """Whether the server may have done what it was asked for, although it did not say so."""
    if isinstance(reply, TransportFailure):
        return reply.may_have_arrived
    return reply.status not in REFUSED_UNTOUCHED


def _refusal(reply: Answer | TransportFailure, secrets: tuple[str, ...]) -> Refusal:
    if isinstance(reply, Answer):
        return read_refusal(reply.body, secrets)
    return Refusal("", None, None)


def _error(
    request: Request,
    reply: Answer | TransportFailure,
    refusal: Refusal,
    number: int,
    verdict: GiveUp,
    secrets: tuple[str, ...],
) -> RuncrateError:
    if isinstance(reply, TransportFailure):
        return error_of_failure(reply, request, attempts=number, why_not_repeated=verdict.reason)
    return error_of_answer(
        reply,
        request,
        refusal,
        attempts=number,
        why_not_repeated=verdict.reason,
        secrets=secrets,
    )


def _log_repeat(
    request: Request, reply: Answer | TransportFailure, wait: float, number: int
) -> None:
    outcome = reply.failure.value if isinstance(reply, TransportFailure) else str(reply.status)
    logger.info(
        "%s %s: %s; attempt %d follows in %.2f s",
        request.method,
        request.route,
        outcome,
        number + 1,
        wait,
    )


def _event(
    request: Request, reply: Answer | TransportFailure | Opened, number: int, elapsed_s: float
) -> RequestEvent:
    status, failure, request_id = None, None, None
    if isinstance(reply, TransportFailure):
        failure = reply.failure.value
    else:
        status, request_id = reply.status, request_id_of(reply.headers)
    return RequestEvent(
        surface=request.surface.value,
        method=request.method,
        route=request.route,
        attempt=number,
        elapsed_s=elapsed_s,
        status=status,
        failure=failure,
        request_id=request_id,
    )
