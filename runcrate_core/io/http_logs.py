"""Redaction of the HTTP library's log records about our requests.

It logs the complete URL of every request (INFO), which may be signed in its query, and
all headers of the response (DEBUG), among them cookies and signed redirects.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import re
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

from runcrate_core.protocol.redaction import MASK, redact

if TYPE_CHECKING:
    from collections.abc import Iterator

# A filter sees the records of its own logger alone, not those of the loggers below it.
_LOGGERS: Final = (
    "httpx",
    "httpcore.connection",
    "httpcore.http11",
    "httpcore.http2",
    "httpcore.proxy",
    "httpcore.socks",
)
# Headers of a response that may hold a secret in any form, as a tuple of bytes is printed.
_SECRET_HEADER: Final = re.compile(
    r"(?i)(\(b'(?:set-cookie2?|location|content-location|link)', )b(?:'[^']*'|\"[^\"]*\")"
)
# Records of other users of the library in the same process are left as they are.
_ours: ContextVar[bool] = ContextVar("runcrate_request", default=False)


@contextlib.contextmanager
def redacted_logs() -> Iterator[None]:
    """Take secrets out of what the HTTP library logs within the block."""
    _filter_loggers()
    _ours.set(True)
    try:
        yield
    finally:
        # Not `reset`: a coroutine that nobody awaited to its end may be closed in another context.
        _ours.set(False)


@functools.cache
def _filter_loggers() -> None:
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_redact_record)


def _redact_record(record: logging.LogRecord) -> bool:
    if _ours.get():
        text = _SECRET_HEADER.sub(rf"\g<1>b'{MASK}'", record.getMessage())
        record.msg, record.args = redact(text), ()
    return True
