"""All errors that this library raises.

```
RuncrateError
├── ConfigurationError            the client itself is set up wrongly; nothing was sent
├── SpendRefusedError             a spending limit forbids it; nothing was sent
├── APIConnectionError            no response (also a builtin ConnectionError)
│   └── APITimeoutError           no response in time (also a builtin TimeoutError)
│       └── WaitTimeoutError      a wait ended before the resource was ready or done
├── AmbiguousLaunchError          something paid may or may not have been started
├── ResponseFormatError           a response that is not what the API promises
├── SSHError                      a command or a file on an instance
│   ├── SSHConnectionError        no connection to the instance (also a builtin ConnectionError)
│   ├── SSHAuthenticationError    the instance refused the certificate or the key
│   ├── HostKeyChangedError       another host key than before; nothing was sent
│   ├── RemoteFileError           a file on the instance could not be read or written
│   └── InstanceSetupError        a set-up command failed, or a server did not start
├── StreamError                   a stream failed after its start; `.partial` holds what came
│   ├── StreamTruncatedError
│   └── StreamStalledError
└── APIStatusError                a response with an error status
    ├── BadRequestError           400
    ├── AuthenticationError       401
    ├── InsufficientCreditsError  402
    ├── PermissionDeniedError     403
    ├── NotFoundError             404
    ├── ConflictError             409
    ├── UnprocessableEntityError  422
    ├── RateLimitError            429
    └── InternalServerError       5xx
```

An error is plain data: it can be pickled, and no request, header that was sent, or key can be
reached from it.
"""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from typing import Any


class RuncrateError(Exception):
    """Base of every error of this library.

    Attributes:
        message: What happened, what was not done and the next safe step, in English.
        status_code: HTTP status of the response, or `None` when there was none.
        code: Machine-readable code of the API (`not_found`, `BUDGET_REACHED`, ...), as sent.
        details: Structured context that the API gave with the error.
        request_id: Identifier of the request for support, when the response carried one.
        headers: Headers of the *response*, names in lower case, without cookies.
        retry_after: Seconds that the API asked to wait, when it did.
        attempts: How often the request was sent (0: never).
        idempotency_key: The key that was sent with the request, when there was one. Where the
            API deduplicates (jobs, top-ups), asking again with it cannot charge twice.
        may_have_been_received: One of the attempts may have reached the API and changed something,
            the response to the last one.
    """

    def __init__(
        self,
        message: str,
        *,
        status_code: int | None = None,
        code: str | None = None,
        details: Any = None,
        request_id: str | None = None,
        headers: Mapping[str, str] | None = None,
        retry_after: float | None = None,
        attempts: int = 0,
        idempotency_key: str | None = None,
        may_have_been_received: bool = False,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status_code = status_code
        self.code = code
        self.details = details
        self.request_id = request_id
        self.headers: dict[str, str] = dict(headers or {})
        self.retry_after = retry_after
        self.attempts = attempts
        self.idempotency_key = idempotency_key
        self.may_have_been_received = may_have_been_received

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.message), self.__dict__


def _rebuild(kind: type[RuncrateError], message: str) -> RuncrateError:
    """Make an unpickled error without asking for the arguments of its own constructor."""
    error = kind.__new__(kind, message)
    Exception.__init__(error, message)
    return error


class ConfigurationError(RuncrateError):
    """The client is set up wrongly (key, URL, closed client); nothing was sent."""


class SpendRefusedError(RuncrateError):
    """A spending limit, or a stale launch plan, forbids the call; nothing was sent."""


class APIConnectionError(RuncrateError, builtins.ConnectionError):
    """No response was received: no connection, or a connection that broke."""

    def __init__(
        self, message: str, *, may_have_been_received: bool = True, **attributes: Any
    ) -> None:
        super().__init__(message, may_have_been_received=may_have_been_received, **attributes)


class APITimeoutError(APIConnectionError, builtins.TimeoutError):
    """No response was received in time."""


class WaitTimeoutError(APITimeoutError):
    """A wait for an instance, a job, a video or a top-up reached its `timeout`.

    The API responded each time, and what was waited for continues; waiting again is safe.
    `.details` holds the last state that was seen.
    """


class AmbiguousLaunchError(RuncrateError):
    """Something paid may or may not have been started, and could not be found again.

    Attributes:
        name: The name by which to look it up (`instances.list()`, ...), when it has one.
    """

    def __init__(self, message: str, *, name: str | None = None, **attributes: Any) -> None:
        super().__init__(message, **attributes)
        self.name = name


class ResponseFormatError(RuncrateError):
    """The response is not what the API promises: not JSON, a field missing or of a wrong type."""


class SSHError(RuncrateError):
    """Base of errors of commands, files and forwarded ports on an instance."""


class SSHConnectionError(SSHError, builtins.ConnectionError):
    """No SSH connection to the instance: unreachable, refused, timed out or lost."""


class SSHAuthenticationError(SSHError):
    """The instance refused the certificate or the key; no command was sent."""


class HostKeyChangedError(SSHError):
    """The instance showed another host key than at the first connection; nothing was sent."""


class RemoteFileError(SSHError):
    """A file or directory on the instance could not be read or written.

    Attributes:
        path: The path on the instance.
        reason: `file_not_found`, `permission_denied`, `is_directory`, `not_a_directory`,
            `invalid_path`, `disk_full`, `too_large` or `failed`.
    """

    def __init__(
        self, message: str, *, path: str = "", reason: str = "failed", **attributes: Any
    ) -> None:
        super().__init__(message, **attributes)
        self.path = path
        self.reason = reason


class InstanceSetupError(SSHError):
    """A set-up command failed, or a server did not start; the instance was terminated.

    Attributes:
        command: The command.
        exit_code: Its exit code; `None` when it is not known.
        output: The end of its output.
    """

    def __init__(
        self,
        message: str,
        *,
        command: str = "",
        exit_code: int | None = None,
        output: str = "",
        **attributes: Any,
    ) -> None:
        super().__init__(message, **attributes)
        self.command = command
        self.exit_code = exit_code
        self.output = output


class StreamError(RuncrateError):
    """A stream failed after it had started.

    Attributes:
        partial: What had arrived, folded like a complete response; its tool calls may be cut off.
        chunks_received: How many chunks were delivered before the failure.
    """

    def __init__(
        self, message: str, *, partial: Any = None, chunks_received: int = 0, **attributes: Any
    ) -> None:
        super().__init__(message, **attributes)
        self.partial = partial
        self.chunks_received = chunks_received


class StreamTruncatedError(StreamError):
    """The stream ended without its end mark and without a finish reason."""


class StreamStalledError(StreamError, builtins.TimeoutError):
    """The stream stayed open but sent no content for longer than the idle limit.

    Attributes:
        idle_s: The limit that was exceeded, in seconds.
    """

    def __init__(self, message: str, *, idle_s: float = 0.0, **attributes: Any) -> None:
        super().__init__(message, **attributes)
        self.idle_s = idle_s


class APIStatusError(RuncrateError):
    """The API responded with an error status."""


class BadRequestError(APIStatusError):
    """400: a parameter is invalid or missing."""


class AuthenticationError(APIStatusError):
    """401: the key is missing, unknown or deactivated."""


class InsufficientCreditsError(APIStatusError):
    """402: no credits, a spent budget, a top-up cap or no card."""


class PermissionDeniedError(APIStatusError):
    """403: the role or the key lacks the permission."""


class NotFoundError(APIStatusError):
    """404: there is no such resource, or it is not ready."""


class ConflictError(APIStatusError):
    """409: the resource is in a state that forbids the call, or exists already."""


class UnprocessableEntityError(APIStatusError):
    """422: a value failed validation."""


class RateLimitError(APIStatusError):
    """429: too many requests on this key."""


class InternalServerError(APIStatusError):
    """5xx: the API failed or has no capacity."""


STATUS_ERRORS: dict[int, type[APIStatusError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    402: InsufficientCreditsError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    422: UnprocessableEntityError,
    429: RateLimitError,
}


def status_error_class(status: int) -> type[APIStatusError]:
    """Return the error class of an HTTP status (5xx share one, others fall back to the base)."""
    first_server_error = 500
    if status >= first_server_error:
        return InternalServerError
    return STATUS_ERRORS.get(status, APIStatusError)
