"""Faults on demand: the requests that they hit. `response` and `gateway` apply them."""

import re
import threading
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, replace
from http import HTTPStatus
from typing import Literal

Moment = Literal["request", "work"]
"""The time of a fault: before the emulator has done anything, or after the work."""


@dataclass(frozen=True)
class Fault:
    """One fault, for the next requests that match.

    A fault without a status, body or break only adds `latency_s` and `headers` to the response.

    Attributes:
        route: Method and path pattern without version prefix, for example
            `"GET /instances/{id}"`. `{name}` stands for one path segment, `*` as the method for any
            method, a path ending in `/*` for everything below it.
        status: Respond with this status and an error envelope instead of the true response.
        code: Code in that envelope; by default the usual one of the status.
        message: Message in that envelope.
        details: Details in that envelope, for example `{"reason": "idempotency_in_progress"}`.
        headers: Headers added to the response, for example `{"Retry-After": "1"}`.
        times: Number of requests to hit; None means every one.
        latency_s: Real seconds to wait before the response.
        after: `request`: refuse before any work was done. `work`: do the work, then
            respond with the fault, as a gateway that lost its backend's response does.
        cut_after_chunks: Close the connection after so many body chunks of the true response.
        stall_after_chunks: Send nothing more after so many chunks but hold the connection open.
        malformed_json: Break the JSON of the true response (of its first event if it streams).
        lose_response: Do the work, then close the connection without a response.
        drop_connection: Close the connection without doing the work.
        body: Respond with these raw bytes instead of an envelope (with `status` or 200).
    """

    route: str
    _: KW_ONLY
    status: int | None = None
    code: str | None = None
    message: str | None = None
    details: Mapping[str, object] | None = None
    headers: Mapping[str, str] | None = None
    times: int | None = 1
    latency_s: float = 0.0
    after: Moment = "request"
    cut_after_chunks: int | None = None
    stall_after_chunks: int | None = None
    malformed_json: bool = False
    lose_response: bool = False
    drop_connection: bool = False
    body: bytes | None = None

    def __post_init__(self) -> None:
        if self.times is not None and self.times < 1:
            raise ValueError(f"A fault hits at least one request; got times={self.times}.")
        if not re.fullmatch(r"(\*|[A-Z]+) /\S*", self.route):
            raise ValueError(
                f"A fault's route is a method and a path like `POST /videos`; got `{self.route}`."
            )

    @property
    def replaces_response(self) -> bool:
        """True if the client gets something of the fault's own instead of the true response."""
        return self.status is not None or self.body is not None

    @property
    def does_no_work(self) -> bool:
        """True if the request must not reach the endpoint."""
        return self.drop_connection or (self.replaces_response and self.after == "request")

    def matches(self, method: str, path: str) -> bool:
        """Return whether the fault applies to a request, its path without version prefix."""
        wanted_method, wanted_path = self.route.split(" ", 1)
        if wanted_method not in ("*", method):
            return False
        if wanted_path.endswith("/*"):
            return path.startswith(wanted_path[:-1])
        wanted, given = wanted_path.split("/"), path.split("/")
        return len(wanted) == len(given) and all(
            ours == theirs or (ours.startswith("{") and ours.endswith("}"))
            for ours, theirs in zip(wanted, given, strict=True)
        )


class FaultPlan:
    """The planned faults; tests add from their thread while the server takes from its own."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._planned: tuple[Fault, ...] = ()

    @property
    def planned(self) -> tuple[Fault, ...]:
        """Pending faults, oldest first."""
        return self._planned

    def add(self, fault: Fault) -> None:
        """Plan a fault after those already planned."""
        with self._lock:
            self._planned = (*self._planned, fault)

    def take(self, method: str, path: str) -> Fault | None:
        """The fault that a request meets, counted off; None for nearly every request."""
        if not self._planned:
            return None
        with self._lock:
            for at, fault in enumerate(self._planned):
                if fault.matches(method, path):
                    left = None if fault.times is None else fault.times - 1
                    rest = () if left == 0 else (replace(fault, times=left),)
                    self._planned = (*self._planned[:at], *rest, *self._planned[at + 1 :])
                    return fault
        return None


def malform_json(body: bytes) -> bytes:
    """Blank the second half of a JSON body, or of the first event of an event stream."""
    first, separator, rest = (
        body.partition(b"\n\n") if body.startswith(b"data:") else (body, b"", b"")
    )
    kept = len(first) // 2
    return first[:kept] + b" " * (len(first) - kept) + separator + rest


_OWN_CODES = {
    400: "validation_error",
    402: "insufficient_credits",
    422: "validation_error",
    429: "rate_limited",
    500: "internal_error",
}


def usual_code(status: int) -> str:
    """The code that an error of this status usually carries."""
    names = {known.value: known.name.lower() for known in HTTPStatus}
    return (names | _OWN_CODES).get(status, "api_error")
