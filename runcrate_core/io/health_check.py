"""Health checks: one short request to each API, for `runcrate doctor`."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from runcrate_core.io.httpx_adapter import (
    FAILURES,
    UNUSABLE_HOSTS,
    USER_AGENT,
    failure_of,
    new_client,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass(frozen=True, slots=True)
class ApiUrls:
    """The URLs of both APIs, each with its version part."""

    inference: str
    infrastructure: str


@dataclass(frozen=True, slots=True)
class Probe:
    """Result of one request.

    Attributes:
        subject: Which API was asked.
        url: The URL that was requested.
        status: HTTP status of the response; `None`: there was none.
        failure: Why there was no response.
        with_key: Whether the key was sent.
        date: The response's Date header.
        location: Host that a redirect points to.
        at: When the response came, in seconds since 1970.
        is_json: Whether the response says that it is JSON, as every one of the API is.
    """

    subject: str
    url: str
    status: int | None = None
    failure: str = ""
    with_key: bool = False
    date: str | None = None
    location: str = ""
    at: float = 0.0
    is_json: bool = False


def probe(
    where: ApiUrls, key: str | None, timeout_s: float, clock: Callable[[], float] = time.time
) -> Iterator[Probe]:
    """Send a request to the inference API without a key, and to the infrastructure API with it.

    Args:
        where: Whom to ask.
        key: The key; sent to the infrastructure API alone, whose balance needs one.
        timeout_s: Seconds to wait for each response.
        clock: Seconds since 1970.

    Raises:
        ConfigurationError: The proxies or certificates that the environment names are not usable.
    """
    questions = (
        ("inference", f"{where.inference}/models", None),
        ("infrastructure", f"{where.infrastructure}/billing/balance", key),
    )
    # The client's own proxies and certificates; no retries.
    with new_client(where.inference, where.infrastructure) as http:
        for subject, url, sent in questions:
            headers = {"user-agent": USER_AGENT}
            if sent is not None:
                headers["authorization"] = f"Bearer {sent}"
            try:
                with http.stream(
                    "GET", url, headers=headers, timeout=timeout_s
                ) as response:  # the body says nothing
                    yield Probe(
                        subject,
                        url,
                        response.status_code,
                        with_key=sent is not None,
                        date=response.headers.get("date"),
                        location=_host(response.headers.get("location", "")),
                        at=clock(),
                        is_json="json" in response.headers.get("content-type", ""),
                    )
            except (*FAILURES, *UNUSABLE_HOSTS) as error:
                failure = failure_of(error)
                yield Probe(subject, url, failure=f"{failure.failure.value} ({failure.note})")


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or "a path of the same host"
    except ValueError:
        return "an invalid URL"
