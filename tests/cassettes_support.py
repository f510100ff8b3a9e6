"""How cassettes are recorded and replayed.

They are recorded from real HTTP traffic, with the emulator or (LIVE=1) with the real service, and
hold the real host names either way. What is not the same in each run, or could be secret, is
taken out before anything is written.
"""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from vcr import matchers
from vcr.request import Request

INFERENCE_URL = "https://api.runcrate.ai/v1"
BASE_URL = "https://www.runcrate.ai"
FILES_URL = "https://assets.runcrate.ai"

# Everything else is noise (server, date, connection) or may be secret (cookies).
KEPT_ANSWER_HEADERS = frozenset(
    {
        *("content-disposition", "content-range", "content-type", "etag", "location"),
        *("retry-after", "x-ratelimit-limit", "x-ratelimit-remaining", "x-request-id"),
    }
)
KEPT_REQUEST_HEADERS = frozenset({"accept", "content-type"})
_LOOPBACK = re.compile(r"http://127\.0\.0\.1:\d+")
_SIGNATURE = re.compile(r"(?P<name>[?&](?:signature|sig|token|expires)=)[^&\"\s\\]+")


def public_url(url: str) -> str:
    """Return an emulator address under the real host's name, without its signature."""
    parts = urlsplit(url)
    if parts.hostname == "127.0.0.1":
        host = FILES_URL
        if parts.path.startswith("/api/v1"):
            host = BASE_URL
        elif parts.path.startswith("/v1"):
            host = INFERENCE_URL.removesuffix("/v1")
        url = urlunsplit((*urlsplit(host)[:2], parts.path, parts.query, ""))
    return _SIGNATURE.sub(r"\g<name>redacted", url)


def public_request(request: Request) -> Request:
    """Return a request as it may be stored, and as it is compared."""
    request.uri = public_url(request.uri)
    request.headers = {
        name: value
        for name, value in request.headers.items()
        if name.lower() in KEPT_REQUEST_HEADERS
    }
    return request


def match_body(first: Request, second: Request) -> None:
    """Compare two bodies, but for white space in descriptions of tools.

    They are docstrings, whose indentation is taken off by Python from 3.13 on.

    Raises:
        AssertionError: They differ.
    """
    if _as_told(first) is None or _as_told(first) != _as_told(second):
        matchers.body(first, second)


def _as_told(request: Request) -> Any:
    """Return a JSON body with single spaces in its descriptions; None for another body."""
    try:
        value = json.loads(request.body or b"")
    except (TypeError, ValueError):
        return None
    return _single_spaced(value)


def _single_spaced(value: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        return {key: _single_spaced(item, key) for key, item in value.items()}
    if isinstance(value, list):
        return [_single_spaced(item) for item in value]
    return " ".join(value.split()) if name == "description" and isinstance(value, str) else value


def public_answer(response: dict[str, Any]) -> dict[str, Any]:
    """Return a response as it may be stored."""
    response["headers"] = {
        name.lower(): [_public_text(value) for value in values]
        for name, values in sorted(response["headers"].items())
        if name.lower() in KEPT_ANSWER_HEADERS
    }
    body = response["body"].get("string", b"")
    try:
        text = body if isinstance(body, str) else body.decode()
    except UnicodeDecodeError:
        return response
    response["body"]["string"] = _public_text(text).encode()
    return response


def _public_text(text: str) -> str:
    text = _LOOPBACK.sub(FILES_URL, text)
    return _SIGNATURE.sub(r"\g<name>redacted", text)
