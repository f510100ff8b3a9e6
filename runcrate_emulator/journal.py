"""The record of the requests that the emulator answered, for tests, the page and the shell."""

import json
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

_KEPT_REQUESTS = 2000  # enough for any test and for hours of use, without growing for ever


@dataclass(frozen=True)
class RecordedRequest:
    """One answered request.

    Attributes:
        at: Emulated time of its arrival.
        method: HTTP method.
        path: Path with version prefix, as sent.
        route: Path without version prefix, the form that `Emulator.fail` takes.
        query: Query parameters; a repeated one keeps its values in order. The signature of a link
            is left out.
        headers: Request headers in lower case, without `Authorization`.
        key: The API key, masked; None without one.
        status: Status of the answer; None when the connection was closed without one.
        duration_s: Real seconds until the last byte of the answer was handed over.
    """

    at: datetime
    method: str
    path: str
    route: str
    query: Mapping[str, tuple[str, ...]]
    headers: Mapping[str, str]
    key: str | None
    status: int | None
    duration_s: float
    body: bytes = field(repr=False)

    @property
    def json(self) -> Any:
        """The JSON body, or None when there was no JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


class Journal:
    """The last requests, oldest first."""

    def __init__(self) -> None:
        self._entries: deque[RecordedRequest] = deque(maxlen=_KEPT_REQUESTS)
        self.listeners: list[Callable[[RecordedRequest], None]] = []

    def add(self, entry: RecordedRequest) -> None:
        """Record a request and tell the listeners."""
        self._entries.append(entry)
        for listener in self.listeners:
            listener(entry)

    def entries(self) -> list[RecordedRequest]:
        """A copy of what was recorded, oldest first."""
        return list(self._entries)

    def clear(self) -> None:
        """Forget everything recorded; listeners stay."""
        self._entries.clear()
