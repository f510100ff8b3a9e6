"""The record of a request, for tests, the page and the shell."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

KEPT_REQUESTS = 2000  # enough for any test and for hours of use, without growing for ever


@dataclass(frozen=True)
class RecordedRequest:
    """One request and its outcome.

    Attributes:
        at: Emulated time of its arrival.
        method: HTTP method.
        path: Path with version prefix, as sent.
        route: Path without version prefix, the form that `Emulator.fail` takes.
        query: Query parameters; a repeated one keeps its values in order. The signature of a link
            is left out.
        headers: Request headers in lower case, without `Authorization`.
        key: The API key, masked; None without one.
        status: Status of the response; None when the connection was closed without one.
        duration_s: Real seconds until the last byte of the response was handed over.
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
