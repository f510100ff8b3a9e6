"""Watching requests, for tracing: what was sent and how it went, without anything secret."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RequestEvent:
    """One attempt of one request, after its end.

    Attributes:
        surface: `inference`, `infrastructure` or `external`.
        method: HTTP method.
        route: Path with placeholders (`/instances/{instance_id}`); never identifiers or queries.
        attempt: 1 for the first.
        elapsed_s: Seconds from sending to the answer (of a stream: to its first content).
        status: HTTP status, or `None` without an answer.
        failure: Why there is no answer, or `None`.
        request_id: The server's identifier of the request, when it gave one.
    """

    surface: str
    method: str
    route: str
    attempt: int
    elapsed_s: float
    status: int | None
    failure: str | None
    request_id: str | None
