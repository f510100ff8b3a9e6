"""Redaction: remove secrets from text before a person or a model reads it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MASK = "[redacted]"
# A stand-in such as `x`, for a server without keys, is not a secret, and part of every word.
MIN_SECRET_LENGTH = 6

# Shapes rather than names: a server may echo a secret under any field name. A web token is masked
# with all that is joined to it in front: a text of many beginnings is then searched once, and not
# to its end from each of them.
_SECRET_SHAPES = re.compile(
    r"""
      rc_live_[A-Za-z0-9_-]+                                       # Runcrate keys
    | (?i:\b(?:bearer|basic))\s+[A-Za-z0-9._~+/=-]{8,}             # Authorization values
    | (?<![A-Za-z0-9_-])(?=[A-Za-z0-9_-]++\.[A-Za-z0-9_-]{5,}+\.)  # JSON web tokens
      [A-Za-z0-9_-]*?\beyJ[A-Za-z0-9_-]{10,}+\.[A-Za-z0-9_-]{5,}+\.[A-Za-z0-9_-]*
    | (?<![A-Za-z0-9_-])(?:                                        # tokens that jobs are given
        (?:hf_|gh[opsu]_|github_pat_|glpat-|xox[abprs]-|whsec_)[A-Za-z0-9_-]{12,}
        | sk-(?=[A-Za-z0-9_-]*[0-9])[A-Za-z0-9_-]{20,}
      )
    | (?<=://)[^\s"'<>/?#@:]*:[^\s"'<>/?#]*(?=@)                    # passwords in URLs
    | -----BEGIN[^-]*PRIVATE\ KEY-----.*?(?:-----END[^-]*-----|\Z) # PEM blocks
    """,
    re.VERBOSE | re.DOTALL,
)
# A query may be a signature, so a URL is shown without one. URLs without a query are
# found as well: their text is then not gone through again for each URL in it.
_URL = re.compile(r"(?P<shown>https?://[^\s\"'<>?#]+)(?P<query>[?#][^\s\"'<>]*)?")
# Responses hold no secret in these; everything else may come from a proxy that sets cookies.
_HIDDEN_HEADERS = frozenset({"set-cookie", "set-cookie2", "authorization", "proxy-authorization"})


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """Return `text` without keys, tokens, private keys and the queries of URLs.

    Args:
        text: Any text, such as an error message of a server.
        secrets: Further exact values to take out, such as a key of an unusual form.
    """
    for secret in secrets:
        if len(secret) >= MIN_SECRET_LENGTH:
            text = text.replace(secret, MASK)
    return _URL.sub(_without_query, _SECRET_SHAPES.sub(MASK, text))


def _without_query(url: re.Match[str]) -> str:
    return f"{url['shown']}?{MASK}" if url["query"] else url["shown"]


def redact_json(value: Any, secrets: Iterable[str] = ()) -> Any:
    """Return a JSON value with every string in it redacted."""
    secrets = tuple(secrets)
    match value:
        case str():
            return redact(value, secrets)
        case dict():
            return {key: redact_json(item, secrets) for key, item in value.items()}
        case list():
            return [redact_json(item, secrets) for item in value]
        case _:
            return value


def public_headers(headers: Mapping[str, str], secrets: Iterable[str] = ()) -> dict[str, str]:
    """Return the headers of a response that an error or a result may carry."""
    secrets = tuple(secrets)
    return {
        name: redact(value, secrets)
        for name, value in headers.items()
        if name.lower() not in _HIDDEN_HEADERS
    }


def origin_of(url: str) -> str:
    """Return scheme and host of a URL, which is all that may be shown of a signed one.

    It is empty for text that is not a URL.
    """
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return ""
    host = parts.hostname or ""
    if ":" in host:
        host = f"[{host}]"
    return f"{parts.scheme}://{host}{port}" if parts.scheme else host
