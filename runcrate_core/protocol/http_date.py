"""HTTP dates: the three forms of RFC 9110, all in UTC, whatever the zone of this computer."""

from __future__ import annotations

import functools
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


# A program that makes many calls sees the same second many times.
@functools.lru_cache(maxsize=16)
def http_date(text: str) -> datetime | None:
    """Return the time that an HTTP date names, or `None` if it is not one.

    A date without a zone (asctime, or `-0000`) is UTC (RFC 9110, 5.6.7), never local time.
    """
    try:
        date = parsedate_to_datetime(text)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)


def server_time(headers: Mapping[str, str]) -> datetime | None:
    """Return the response's own `Date`: hints are compared with it, as clocks differ."""
    return http_date(headers.get("date", ""))
