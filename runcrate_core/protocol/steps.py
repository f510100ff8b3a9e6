"""Steps of flows: the requests of a decision to its driver.

A *call* is one request with its parser. A *flow* is a generator that yields steps and returns a
value. Both are *operations*: `yield from operation` in a flow gives the value, a driver runs one.

    def wait(video_id: str) -> Flow[Video]:
        while True:
            video = yield from retrieve(video_id)
            if video.status == "completed":
                return video
            yield Sleep(5.0)
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from pathlib import Path

    from runcrate_core.protocol.attempts import CallContext
    from runcrate_core.protocol.request import Request
    from runcrate_core.protocol.response import Response

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Send:
    """Send once and read the complete response; replied with `Response` or `TransportFailure`."""

    request: Request


@dataclass(frozen=True, slots=True)
class OpenStream:
    """Send once and leave the body unread; replied with `StreamedResponse`, `Response` or failure.

    A response with an error status is read (in bounds) and closed: it comes back as `Response`.

    Attributes:
        request: What to send.
        raw: Whether to leave a content encoding alone, so that the receiver bounds the decoding.
    """

    request: Request
    raw: bool = False


@dataclass(frozen=True, slots=True)
class StreamedResponse:
    """A response whose body is still to be read.

    Attributes:
        status: HTTP status (a success).
        headers: Header names in lower case; they describe the bytes that are received.
        body: The driver's handle of the unread body.
    """

    status: int
    headers: dict[str, str] = field(repr=False)
    body: Any


@dataclass(frozen=True, slots=True)
class ReadBytes:
    """Read the next bytes of an opened body; replied with bytes, `None` at the end or a failure."""

    opened: StreamedResponse


@dataclass(frozen=True, slots=True)
class CloseStream:
    """Close an opened body and give its connection back; replied with `None`."""

    opened: StreamedResponse


@dataclass(frozen=True, slots=True)
class Sleep:
    """Wait; replied with `None`.

    Attributes:
        seconds: How long.
    """

    seconds: float


@dataclass(frozen=True, slots=True)
class Now:
    """Get the present time; replied with monotonic seconds."""

    def __iter__(self) -> Generator[Step, Any, float]:
        result: float = yield self
        return result


@dataclass(frozen=True, slots=True)
class RunInThread(Generic[T]):
    """Run a function that blocks (files, a callback), off the event loop where there is one.

    Attributes:
        function: Called without arguments; replied with its result.
    """

    function: Callable[[], T]

    def __iter__(self) -> Generator[Step, Any, T]:
        result: T = yield self
        return result


@dataclass(frozen=True, slots=True)
class GetRunner:
    """Get the runner of the flow; replied with the `Runner`."""

    def __iter__(self) -> Generator[Step, Any, Runner]:
        result: Runner = yield self
        return result


@dataclass(frozen=True, slots=True)
class MakeTempFile:
    """Get a temporary file next to a target; replied with a `StagedFile`, not created yet.

    Attributes:
        target: Where the file is to be in the end.
    """

    target: Path

    def __iter__(self) -> Generator[Step, Any, StagedFile]:
        result: StagedFile = yield self
        return result


@dataclass(frozen=True, slots=True)
class InvokeCallback:
    """Call a user's callback with a value; an awaitable it returns is awaited when async.

    Attributes:
        callback: The user's function.
        value: Its only argument.
    """

    callback: Callable[[Any], Any]
    value: Any


@dataclass(frozen=True, slots=True)
class RunConcurrently(Generic[T]):
    """Run several operations side by side; replied with their results, in order.

    A failure of one stops no other: it is the exception in the place of its result.

    Attributes:
        operations: The operations.
    """

    operations: tuple[Operation[T], ...]

    def __iter__(self) -> Generator[Step, Any, list[T | Exception]]:
        result: list[T | Exception] = yield self
        return result


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One request and how to read its response: the simplest operation.

    Attributes:
        request: What to send.
        parse: Turns a successful response into the result.
    """

    request: Request
    parse: Callable[[Response], T]

    def __iter__(self) -> Generator[Step, Any, T]:
        result: T = yield self
        return result


Step = (
    Send
    | OpenStream
    | ReadBytes
    | CloseStream
    | Sleep
    | Now
    | RunInThread[Any]
    | GetRunner
    | MakeTempFile
    | InvokeCallback
    | RunConcurrently[Any]
    | Call[Any]
)
Flow = Generator[Step, Any, T]


class Sink(Protocol):
    """The destination of a body. Its functions may block: they are run by `RunInThread`."""

    def write(self, data: bytes) -> None:
        """Append bytes."""
        ...

    def restart(self) -> None:
        """Drop what was written."""
        ...

    def reserve(self, size: int) -> None:
        """Raise `OSError` when so many further bytes do not fit."""
        ...


class StagedFile(Sink, Protocol):
    """A temporary file in the directory of its target."""

    def create(self) -> None:
        """Make the empty file; raises `OSError` when the target cannot be written."""
        ...

    def move_to(self, target: Path) -> None:
        """Finish: put the file at its place in one step, over what is there."""
        ...

    def discard(self) -> None:
        """Remove the file, unless it was moved; may be called again."""
        ...


class Operation(Protocol[T_co]):
    """Anything that a driver can run: a call or a flow."""

    def __iter__(self) -> Generator[Step, Any, T_co]:
        """Return the steps; the generator's return value is the result."""
        ...


class Runner(Protocol):
    """The runner of a flow: state of its calls, and a way to run more later."""

    @property
    def context(self) -> CallContext:
        """State that the client's calls share."""
        ...

    def run_sync(self, operation: Operation[T]) -> T:
        """Run an operation and block until it is done."""
        ...

    async def run_async(self, operation: Operation[T]) -> T:
        """Run an operation without blocking the event loop."""
        ...
