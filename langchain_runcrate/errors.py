"""Errors that are both what the client raises and what LangChain expects.

Each class inherits from the client's error of that kind and from LangChain's standard one, so
`except runcrate_core.RateLimitError`, `except ModelRateLimitError` and middleware that reads
`is_retryable` all work:

| what happened | client's class | LangChain's class |
|---|---|---|
| 400, 422 | BadRequestError, UnprocessableEntityError | ModelInvalidRequestError |
| too long for the model | (that of its status) | ContextOverflowError |
| 401 | AuthenticationError | ModelAuthenticationError |
| 402 | InsufficientCreditsError | ModelPermissionDeniedError |
| 403 | PermissionDeniedError | ModelPermissionDeniedError |
| 404 | NotFoundError | ModelNotFoundError |
| 429 | RateLimitError | ModelRateLimitError |
| 5xx | InternalServerError | ModelAPIError |
| no response | APIConnectionError, APITimeoutError | ModelConnectionError, ModelTimeoutError |
| a stream failed | StreamError and its kinds | ModelAPIError, ... |
| a refusal where data was asked for | RuncrateError | ModelRefusalError |
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import langchain_core.exceptions
from langchain_core.exceptions import (
    ContextOverflowError,
    ModelAPIError,
    ModelAuthenticationError,
    ModelConnectionError,
    ModelError,
    ModelInvalidRequestError,
    ModelNotFoundError,
    ModelPermissionDeniedError,
    ModelRateLimitError,
    ModelTimeoutError,
)
from langchain_core.messages import BaseMessage

from runcrate_core import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    AuthenticationError,
    BadRequestError,
    InsufficientCreditsError,
    InternalServerError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    ResponseFormatError,
    RuncrateError,
    StreamError,
    StreamStalledError,
    StreamTruncatedError,
    UnprocessableEntityError,
)

if TYPE_CHECKING:
    from types import TracebackType


# Exists from langchain-core 1.7.5 on.
ModelRefusalError: Final[type[ModelError]] = getattr(
    langchain_core.exceptions, "ModelRefusalError", ModelError
)

# A 429 with one of these codes is about money, not about pace: retrying does not help.
_SPENT_CODES: Final = frozenset(
    {"billing_hard_limit_reached", "budget_exceeded", "budget_reached", "insufficient_quota"}
)
_OVERFLOW_CODES: Final = frozenset({"context_length_exceeded", "context_window_exceeded"})
# How OpenAI, vLLM, SGLang, llama.cpp, Anthropic, Gemini and LiteLLM say that a prompt is too long.
_OVERFLOW_WORDS: Final = re.compile(
    r"maximum context length|context[ _]length[ _]exceeded|(?:exceed\w*|longer than) (?:the |its )?"
    r"(?:model'?s )?(?:available )?(?:maximum )?context|prompt is too long|input is too long"
    r"|input tokens? (?:count )?.{0,40}exceeds|ContextWindowExceeded"
    r"|reduce the length of the (?:messages|prompt)",
    re.IGNORECASE,
)
_OVERFLOW_STATUSES: Final = frozenset({None, 400, 413, 422})


@dataclass(frozen=True, slots=True)
class ErrorResponse:
    """The response behind an error, in the form that LangChain's tracing reads.

    Attributes:
        status_code: HTTP status, when there was a response.
        headers: Headers of the response, without cookies.
        body: Its content, in the envelope of the API.
    """

    status_code: int | None
    headers: dict[str, str]
    body: dict[str, Any] = field(repr=False)

    @property
    def text(self) -> str:
        """The body as JSON text."""
        return json.dumps(self.body, ensure_ascii=False, default=str)

    def json(self) -> dict[str, Any]:
        """Return the body."""
        return self.body


class _TracedError(RuncrateError):
    """Mixin of this package's errors: the response, for tracing."""

    @property
    def response(self) -> ErrorResponse:
        """The response behind the error; it holds no header that was sent."""
        fields = {"message": self.message, "code": self.code, "details": self.details}
        body = {"error": {name: value for name, value in fields.items() if value is not None}}
        return ErrorResponse(self.status_code, self.headers, body)


class RuncrateInvalidRequestError(_TracedError, BadRequestError, ModelInvalidRequestError):
    """400: a parameter or message is not valid."""


class RuncrateUnprocessableError(_TracedError, UnprocessableEntityError, ModelInvalidRequestError):
    """422: a value failed validation."""


class RuncrateContextOverflowError(_TracedError, BadRequestError, ContextOverflowError):
    """The messages are longer than the model's context window."""


class RuncrateAuthenticationError(_TracedError, AuthenticationError, ModelAuthenticationError):
    """401: the key is missing, unknown or deactivated."""


class RuncrateInsufficientCreditsError(
    _TracedError, InsufficientCreditsError, ModelPermissionDeniedError
):
    """402: no credits, or a spent budget. Retrying does not help."""


class RuncratePermissionDeniedError(
    _TracedError, PermissionDeniedError, ModelPermissionDeniedError
):
    """403: the key lacks the permission."""


class RuncrateModelNotFoundError(_TracedError, NotFoundError, ModelNotFoundError):
    """404: there is no such model."""


class RuncrateRateLimitError(_TracedError, RateLimitError, ModelRateLimitError):
    """429: too many requests on this key; `retry_after` is the time to wait, if known."""


class RuncrateServerError(_TracedError, InternalServerError, ModelAPIError):
    """5xx: the API failed or has no capacity."""


class RuncrateStatusError(_TracedError, APIStatusError, ModelError):
    """Any other error status."""


class RuncrateConnectionError(_TracedError, APIConnectionError, ModelConnectionError):
    """No response: no connection, or one that broke."""


class RuncrateTimeoutError(_TracedError, APITimeoutError, ModelTimeoutError):
    """No response in time."""


class RuncrateResponseError(_TracedError, ResponseFormatError, ModelAPIError):
    """The response is not what the API promises."""


class RuncrateStreamError(_TracedError, StreamError, ModelAPIError):
    """A stream failed after it had started; `partial` holds the received part."""


class RuncrateStreamTruncatedError(_TracedError, StreamTruncatedError, ModelConnectionError):
    """A stream ended before the response was complete; `partial` holds what arrived."""


class RuncrateStreamStalledError(_TracedError, StreamStalledError, ModelTimeoutError):
    """A stream sent nothing for too long; `partial` holds what arrived."""


class RuncrateRefusalError(_TracedError, ModelRefusalError):  # type: ignore[valid-type,misc] # chosen at run time
    """The model declined where structured output was asked for.

    Attributes:
        raw_message: The model's response.
    """

    def __init__(self, message: str, *, raw_message: BaseMessage | None = None) -> None:
        RuncrateError.__init__(self, message)
        self.raw_message = raw_message


# The first that fits counts, so special classes come first.
_TRANSLATIONS: Final[tuple[tuple[type[RuncrateError], type[_TracedError]], ...]] = (
    (BadRequestError, RuncrateInvalidRequestError),
    (UnprocessableEntityError, RuncrateUnprocessableError),
    (AuthenticationError, RuncrateAuthenticationError),
    (InsufficientCreditsError, RuncrateInsufficientCreditsError),
    (PermissionDeniedError, RuncratePermissionDeniedError),
    (NotFoundError, RuncrateModelNotFoundError),
    (RateLimitError, RuncrateRateLimitError),
    (InternalServerError, RuncrateServerError),
    (APIStatusError, RuncrateStatusError),
    (APITimeoutError, RuncrateTimeoutError),
    (APIConnectionError, RuncrateConnectionError),
    (ResponseFormatError, RuncrateResponseError),
    (StreamTruncatedError, RuncrateStreamTruncatedError),
    (StreamStalledError, RuncrateStreamStalledError),
    (StreamError, RuncrateStreamError),
)


def translated(error: RuncrateError) -> RuncrateError:
    """Return the error of this package for one of the client's, with the same data.

    Errors that are not about a model (settings, spending) are returned as they are.
    """
    if isinstance(error, _TracedError):
        return error
    translation = next((target for kind, target in _TRANSLATIONS if isinstance(error, kind)), None)
    if _is_overflow(error):
        translation = RuncrateContextOverflowError
    if translation is None:
        return error
    result = translation.__new__(translation, error.message)
    Exception.__init__(result, error.message)
    result.__dict__.update(error.__dict__)
    if isinstance(result, RateLimitError) and (result.code or "").lower() in _SPENT_CODES:
        result.is_retryable = False  # type: ignore[attr-defined] # a class attribute of ModelError
    return result


class translating_errors:  # noqa: N801 - reads as what it does: `with translating_errors():`
    """Context in which the client's errors become those of this package."""

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(error, RuncrateError) and (result := translated(error)) is not error:
            raise result from error


def _is_overflow(error: RuncrateError) -> bool:
    if not isinstance(error, APIStatusError | StreamError):
        return False
    if (error.code or "").lower() in _OVERFLOW_CODES:
        return True
    return error.status_code in _OVERFLOW_STATUSES and bool(_OVERFLOW_WORDS.search(error.message))
