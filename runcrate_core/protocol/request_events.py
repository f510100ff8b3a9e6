"""Request events for tracing hooks, built from a request and its outcome."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

from runcrate_core.hooks import RequestEvent
from runcrate_core.protocol.chat_types import extract_cost, extract_usage
from runcrate_core.protocol.request import Surface
from runcrate_core.protocol.response import Response, TransportFailure, request_id_of
from runcrate_core.protocol.steps import InvokeCallback

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from runcrate_core.protocol.request import Request
    from runcrate_core.protocol.steps import Step, StreamedResponse

logger = logging.getLogger("runcrate_core")


def captures_content(hook: object) -> bool:
    """Return whether a hook asks for the text of messages."""
    return getattr(hook, "captures_content", False) is True


def emit(
    hook: Callable[[RequestEvent], object] | None, make: Callable[[bool], RequestEvent]
) -> Generator[Step, Any, None]:
    """Call a hook with an event; a failure of the hook is logged and stops nothing.

    Args:
        hook: The user's hook, if there is one.
        make: Returns the event; its argument is whether the text of messages is included.
    """
    if hook is None:
        return
    try:
        yield InvokeCallback(hook, make(captures_content(hook)))
    except Exception as error:  # noqa: BLE001 - tracing must not break what is traced
        logger.warning("The `on_request` hook raised %s.", type(error).__name__)


def response_event(
    request: Request,
    reply: Response | TransportFailure | StreamedResponse,
    *,
    attempt: int,
    elapsed_s: float,
    content: bool,
) -> RequestEvent:
    """Return the event of one attempt.

    Args:
        request: The request.
        reply: What came of it; of a stream, the response whose body is unread.
        attempt: 1 for the first.
        elapsed_s: Seconds from sending to the response.
        content: Whether the text of messages is included.
    """
    if isinstance(reply, TransportFailure):
        return RequestEvent(
            **_sent(request, content=content),
            attempt=attempt,
            elapsed_s=elapsed_s,
            status=None,
            failure=reply.failure.value,
            request_id=None,
        )
    payload = _payload(request, reply) if isinstance(reply, Response) else {}
    return RequestEvent(
        **_sent(request, content=content),
        **_received(payload, content=content),
        attempt=attempt,
        elapsed_s=elapsed_s,
        status=reply.status,
        failure=None,
        request_id=request_id_of(reply.headers),
    )


def stream_end_event(
    request: Request,
    opened: StreamedResponse,
    completion: Mapping[str, Any],
    *,
    failure: str | None,
    elapsed_s: float,
    content: bool,
) -> RequestEvent:
    """Return the event of a stream's end.

    Args:
        request: The request.
        opened: The response.
        completion: The chunks, accumulated as far as they were read.
        failure: Reason of an early end, or `None`.
        elapsed_s: Seconds from sending to the end.
        content: Whether the text of messages is included.
    """
    return RequestEvent(
        **_sent(request, content=content),
        **_received(completion, content=content),
        attempt=1,
        elapsed_s=elapsed_s,
        status=opened.status,
        failure=failure,
        request_id=request_id_of(opened.headers),
        phase="stream_end",
    )


def _sent(request: Request, *, content: bool) -> dict[str, Any]:
    body = _json(request.content) if request.surface is Surface.INFERENCE else {}
    model, messages = body.get("model"), body.get("messages")
    return {
        "surface": request.surface.value,
        "method": request.method,
        "route": request.route,
        "model": model if isinstance(model, str) else None,
        "input_messages": _text(messages) if content and messages else None,
    }


def _received(payload: Mapping[str, Any], *, content: bool) -> dict[str, Any]:
    usage = extract_usage(payload) or {}
    choices = payload.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else {}
    reason = first.get("finish_reason") if isinstance(first, dict) else None
    return {
        "input_tokens": _count(usage.get("prompt_tokens")),
        "output_tokens": _count(usage.get("completion_tokens")),
        "cost_usd": extract_cost(payload),
        "finish_reason": reason if isinstance(reason, str) else None,
        "output_messages": _text(choices) if content and choices else None,
    }


def _payload(request: Request, response: Response) -> Mapping[str, Any]:
    readable = request.surface is Surface.INFERENCE and response.content_type == "application/json"
    return _json(response.body) if readable and response.ok else {}


def _json(body: object) -> dict[str, Any]:
    if not isinstance(body, bytes):
        return {}
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
