"""OpenTelemetry spans for requests, with the attributes of the GenAI conventions.

```python
from runcrate_core import Runcrate
from runcrate_core.hooks.opentelemetry import OpenTelemetryHook

client = Runcrate(on_request=OpenTelemetryHook())
```
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from runcrate_core.errors import ConfigurationError
from runcrate_core.version import __version__

try:
    from opentelemetry import trace
    from opentelemetry.trace import SpanKind, Status, StatusCode
except ModuleNotFoundError as missing:
    raise ConfigurationError(
        'OpenTelemetry is not installed. Run: pip install "runcrate-integrations[otel]"'
    ) from missing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from opentelemetry.trace import TracerProvider

    from runcrate_core.hooks import RequestEvent
    from runcrate_core.spending.ledger_entry import LedgerEntry

PROVIDER: Final = "runcrate"
_OPERATIONS: Final = {
    "/chat/completions": "chat",
    "/embeddings": "embeddings",
    "/images/generations": "generate_content",
    "/videos": "generate_content",
    "/audio/speech": "generate_content",
    "/audio/transcriptions": "generate_content",
}
_FIRST_ERROR: Final = 400
_NANOSECONDS: Final = 1_000_000_000


class OpenTelemetryHook:
    """Makes a span for each attempt of each request, and for each stream.

    The spans are children of the span that is current when the request is sent. They hold neither
    the key nor identifiers nor queries; the text of messages only with `capture_content=True`.
    A retry is a span of its own, with `http.request.resend_count`.

    Args:
        tracer_provider: Provider of the tracer; the global one by default.
        capture_content: Whether `gen_ai.input.messages` and `gen_ai.output.messages` are set.
        clock: Seconds since 1970.

    Attributes:
        captures_content: Whether spans hold the text of messages.

    Example:
        ```python
        from runcrate_core import Runcrate
        from runcrate_core.hooks.opentelemetry import OpenTelemetryHook

        client = Runcrate(on_request=OpenTelemetryHook())
        ```
    """

    def __init__(
        self,
        tracer_provider: TracerProvider | None = None,
        *,
        capture_content: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.captures_content = capture_content
        self._tracer = trace.get_tracer("runcrate_core", __version__, tracer_provider)
        self._clock = clock

    def __call__(self, event: RequestEvent) -> None:
        """Make the span of an event."""
        ended = int(self._clock() * _NANOSECONDS)
        span = self._tracer.start_span(
            span_name(event),
            kind=SpanKind.CLIENT,
            start_time=ended - int(event.elapsed_s * _NANOSECONDS),
            attributes=span_attributes(event),
        )
        if (error := error_type(event)) is not None:
            span.set_status(Status(StatusCode.ERROR, error))
        span.end(ended)

    def record_ledger(self, entries: Iterable[LedgerEntry]) -> None:
        """Make a span for each instance and job that has ended, with its real cost.

        Args:
            entries: Entries of a ledger, for example `guard.ledger.entries` after a session.
        """
        ended = int(self._clock() * _NANOSECONDS)
        for entry in entries:
            if entry.is_live:
                continue
            lasted = _lifetime_s(entry)
            span = self._tracer.start_span(
                f"runcrate.{entry.kind}",
                start_time=ended - int(lasted * _NANOSECONDS),
                attributes=ledger_attributes(entry),
            )
            span.end(ended)


def span_name(event: RequestEvent) -> str:
    """Return the name of an event's span: the operation and model, or the method and route."""
    operation = _operation(event)
    if operation is None:
        return f"{event.method} {event.route}"
    name = f"{operation} {event.model}" if event.model else operation
    return f"{name} stream" if event.phase == "stream_end" else name


def span_attributes(event: RequestEvent) -> dict[str, Any]:
    """Return the attributes of an event's span; what is not known is left out."""
    known = {
        "gen_ai.operation.name": _operation(event),
        "gen_ai.provider.name": PROVIDER if event.surface == "inference" else None,
        "gen_ai.request.model": event.model,
        "gen_ai.usage.input_tokens": event.input_tokens,
        "gen_ai.usage.output_tokens": event.output_tokens,
        "gen_ai.response.finish_reasons": [event.finish_reason] if event.finish_reason else None,
        "gen_ai.input.messages": event.input_messages,
        "gen_ai.output.messages": event.output_messages,
        "http.request.method": event.method,
        "http.response.status_code": event.status,
        "http.request.resend_count": event.attempt - 1 or None,
        "url.template": event.route,
        "error.type": error_type(event),
        "runcrate.surface": event.surface,
        "runcrate.request_id": event.request_id,
        "runcrate.cost_usd": None if event.cost_usd is None else float(event.cost_usd),
    }
    return {name: value for name, value in known.items() if value is not None}


def error_type(event: RequestEvent) -> str | None:
    """Return the class of an event's error, or `None` when there is none."""
    if event.failure is not None:
        return event.failure
    failed = event.status is not None and event.status >= _FIRST_ERROR
    return str(event.status) if failed else None


def ledger_attributes(entry: LedgerEntry) -> dict[str, Any]:
    """Return the attributes of the span of an instance or job."""
    known = {
        "runcrate.resource.kind": entry.kind,
        "runcrate.resource.name": entry.name,
        "runcrate.price_per_hour_usd": float(entry.price_per_hour),
        "runcrate.gpu_count": entry.gpu_count,
        "runcrate.cost_usd": None if entry.cost_usd is None else float(entry.cost_usd),
        "runcrate.max_runtime_minutes": entry.max_runtime_minutes,
    }
    return {name: value for name, value in known.items() if value is not None}


def _operation(event: RequestEvent) -> str | None:
    return _OPERATIONS.get(event.route) if event.surface == "inference" else None


def _lifetime_s(entry: LedgerEntry) -> float:
    if entry.cost_usd is None or not entry.price_per_hour:
        return 0.0
    return float(entry.cost_usd / entry.price_per_hour * 3600)
