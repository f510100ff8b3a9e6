"""Hooks for tracing requests: each request and its outcome, without secrets."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

Phase = Literal["response", "stream_end"]


@dataclass(frozen=True, slots=True)
class RequestEvent:
    """One attempt of a request, after its end; or the end of a stream.

    A stream has two events: `response` at its first content, and `stream_end` when it was read to
    its end, failed or was closed. Tokens and cost of a stream are in the second.

    Attributes:
        surface: `inference`, `infrastructure` or `external`.
        method: HTTP method.
        route: Path with placeholders (`/instances/{instance_id}`); never identifiers or queries.
        attempt: 1 for the first.
        elapsed_s: Seconds from sending to the response (`response`), or to the end (`stream_end`).
        status: HTTP status, or `None` without a response.
        failure: Reason why there is no response or the stream ended early, or `None`.
        request_id: The server's identifier of the request, when it gave one.
        phase: `response` or `stream_end`.
        model: Model that the request names; inference only.
        input_tokens: Tokens of the prompt, as the service counts them.
        output_tokens: Tokens of the completion, reasoning included.
        cost_usd: Cost in USD, when the response reports one.
        finish_reason: Reason of the first choice.
        input_messages: The messages as JSON, for a hook whose `captures_content` is true.
        output_messages: The choices as JSON, for a hook whose `captures_content` is true.
    """

    surface: str
    method: str
    route: str
    attempt: int
    elapsed_s: float
    status: int | None
    failure: str | None
    request_id: str | None
    phase: Phase = "response"
    model: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: Decimal | None = None
    finish_reason: str | None = None
    input_messages: str | None = field(default=None, repr=False)
    output_messages: str | None = field(default=None, repr=False)
