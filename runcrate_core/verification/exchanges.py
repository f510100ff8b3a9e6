"""Recorded exchanges: the raw response to each probe request, by the name of the probe."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from runcrate_core.protocol.response import Response, TransportFailure

if TYPE_CHECKING:
    from collections.abc import Mapping

# The endpoint is not there: nothing can be learned about its details.
_NOT_OFFERED: Final = frozenset({404, 405, 501})
_NO_CREDITS: Final = 402
_REDIRECTS: Final = range(300, 400)


@dataclass(frozen=True, slots=True)
class Exchanges:
    """Responses by probe name. A probe that was not sent has none.

    Attributes:
        replies: Response or transport failure of each request that was sent.
        skipped: Reason of each probe that was not sent.
    """

    replies: Mapping[str, Response | TransportFailure] = field(default_factory=dict)
    skipped: Mapping[str, str] = field(default_factory=dict)

    def merged(self, other: Exchanges) -> Exchanges:
        """Return the exchanges of both."""
        return Exchanges({**self.replies, **other.replies}, {**self.skipped, **other.skipped})

    def response(self, name: str) -> Response | None:
        """Return the response to a probe, or `None` without one."""
        reply = self.replies.get(name)
        return reply if isinstance(reply, Response) else None

    def ok(self, name: str) -> Response | None:
        """Return the response to a probe if it was a success."""
        response = self.response(name)
        return response if response is not None and response.ok else None

    def status(self, name: str) -> str | None:
        """Return the status of a probe as a label, or `None` without a response."""
        response = self.response(name)
        return None if response is None else str(response.status)

    def value(self, name: str) -> Any:
        """Return the JSON value of a successful response; `None` when it is not JSON."""
        response = self.ok(name)
        return None if response is None else parse(response)

    def data(self, name: str) -> Any:
        """Return what a successful response holds in `data`, or the value without envelope."""
        value = self.value(name)
        return value["data"] if isinstance(value, dict) and "data" in value else value

    def rows(self, name: str) -> list[dict[str, Any]]:
        """Return the objects of a list in `data`."""
        data = self.data(name)
        return [item for item in data if isinstance(item, dict)] if isinstance(data, list) else []

    def events(self, name: str) -> list[str]:
        """Return the data of each server-sent event of a stream that was read completely."""
        response = self.ok(name)
        if response is None:
            return []
        text = response.body.decode("utf-8", "replace")
        return [line[5:].strip() for line in text.splitlines() if line.startswith("data:")]

    def chunks(self, name: str) -> list[dict[str, Any]]:
        """Return the JSON objects among the events of a stream."""
        return [
            value
            for event in self.events(name)
            if isinstance(value := _loads(event.encode()), dict)
        ]

    def reason_without(self, name: str) -> str:
        """Return why nothing can be observed from a probe, in words without service text."""
        if name in self.skipped:
            return self.skipped[name]
        reply = self.replies.get(name)
        if reply is None:
            return "the probe was not sent"
        if isinstance(reply, TransportFailure):
            return f"no response: {reply.failure.value}"
        if reply.status == _NO_CREDITS:
            return "the account has no credits (402)"
        return f"the response with status {reply.status} does not show it"

    def is_not_offered(self, name: str) -> bool:
        """Report whether the endpoint of a probe is missing."""
        response = self.response(name)
        return response is not None and response.status in _NOT_OFFERED

    def is_redirected(self, name: str) -> bool:
        """Report whether a probe was redirected."""
        response = self.response(name)
        return response is not None and response.status in _REDIRECTS


def parse(response: Response) -> Any:
    """Return the JSON value of a body, or `None` when it is not JSON."""
    return _loads(response.body)


def _loads(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None
