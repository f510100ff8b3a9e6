"""Chat streams: context managers that read chunks from an open response."""

from __future__ import annotations

import asyncio
import contextlib
import warnings
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self

from runcrate_core.api.chat_completion import ChatCompletion
from runcrate_core.api.envelope import validated
from runcrate_core.errors import ConfigurationError
from runcrate_core.io.concurrency import run_in_steps
from runcrate_core.io.httpx_adapter import FAILURES, failure_of
from runcrate_core.protocol.request_events import emit, stream_end_event
from runcrate_core.protocol.response import Response, ResponseInfo
from runcrate_core.protocol.stream_start import (
    OpenedStream,
    StreamRequest,
    error_of_fault,
    open_stream,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator
    from types import TracebackType

    from runcrate_core.errors import RuncrateError
    from runcrate_core.hooks import RequestEvent
    from runcrate_core.io.driver import AsyncDriver, SyncDriver
    from runcrate_core.protocol.chat_types import ChatCompletionChunk
    from runcrate_core.protocol.request import Request
    from runcrate_core.protocol.steps import Step


class _StreamState:
    """State that both streams share: the request, the reader, and decisions about them."""

    def __init__(self, driver: Any, prepared: StreamRequest | None) -> None:
        self._driver = driver
        # Set when the stream is entered, at the latest.
        self._prepared: StreamRequest = prepared  # type: ignore[assignment] # see above
        self._started: OpenedStream | None = None
        self._started_at = 0.0
        self._closed = False

    def _opening(self) -> Generator[Step, Any, OpenedStream]:
        """Return the flow that opens the stream, once: a second one would be billed unnoticed."""
        if self._started is not None:
            raise ConfigurationError(
                "A stream can be entered once, and this one was. Nothing was sent again. Create "
                "another with `chat.completions.stream(...)`."
            )
        driver = self._driver
        self._started_at = driver.context.policy.clock()
        idle_s = driver.config.stream_idle_timeout
        return open_stream(self._prepared, driver.context, idle_s=idle_s)

    @property
    def _request(self) -> Request:
        return self._prepared.request

    @property
    def _stream(self) -> OpenedStream:
        if self._started is None:
            raise ConfigurationError(
                "The stream is not open. Use it as a context manager: "
                "`with client.chat.completions.stream(...) as stream:` "
                "(`async with` on the asynchronous client). Nothing was sent."
            )
        return self._started

    @property
    def response(self) -> ResponseInfo:
        """Head of the response: status, request id, rate limit, headers."""
        return ResponseInfo(self._stream.status, self._stream.headers)

    @property
    def completion(self) -> ChatCompletion:
        """The chunks read so far, folded into the form of a response without streaming.

        Raises:
            ResponseFormatError: A field of it is of a wrong type; it is named, not shown.
        """
        stream, folded = self._stream, self._stream.reader.completion()
        head = Response(stream.status, stream.headers)
        completion = validated(ChatCompletion, folded, head, self._request)
        return completion.with_response(self.response)

    def _end_event(self, content: bool) -> RequestEvent:  # noqa: FBT001 - called by `emit` alone
        stream = self._stream
        fault = stream.reader.fault
        return stream_end_event(
            self._request,
            stream,
            stream.reader.completion(partial=True),
            failure=None if fault is None else fault.kind,
            elapsed_s=self._driver.context.policy.clock() - self._started_at,
            content=content,
        )

    def _failed(self) -> RuncrateError:
        stream = self._stream
        fault = stream.reader.fault
        if fault is None:  # pragma: no cover - asked only when there is one
            raise AssertionError
        return error_of_fault(
            fault,
            self._request,
            stream,
            partial=stream.reader.completion(partial=True),
            chunks=stream.reader.chunks_received,
            idle_s=stream.reader.idle_s,
            secrets=self._driver.context.secrets,
        )


class ChatStream(_StreamState):
    """A streamed chat completion.

    ```python
    with client.chat.completions.stream(model=..., messages=[...]) as stream:
        for chunk in stream:
            print(chunk.choices[0].delta.content or "", end="")
        print(stream.completion.usage)
    ```

    The request is sent on entering the block, and leaving it gives the connection back, however
    it is left. Entering raises what any call raises; reading raises `StreamTruncatedError`,
    `StreamStalledError` or another `StreamError`, whose `.partial` holds what came.
    """

    _driver: SyncDriver

    def __enter__(self) -> Self:
        self._started = self._driver.run(self._opening())
        body = self._started.body
        self._forgotten = weakref.finalize(self, _close_forgotten, body)
        self._forgotten.atexit = False
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __iter__(self) -> Generator[ChatCompletionChunk, None, None]:
        stream = self._stream
        reader, body, clock = stream.reader, stream.body, self._driver.context.policy.clock
        pieces = body.pieces
        first = [*stream.first]
        stream.first.clear()
        yield from first
        try:
            while not reader.done and reader.fault is None:
                data = next(pieces, None)
                if data is None:
                    yield from reader.end(clock())
                    break
                yield from reader.feed(data, clock())
        except FAILURES as error:
            reader.fail(failure_of(error))
        if reader.fault is not None:
            self.close()
            raise self._failed()
        if reader.done:
            body.drain()
        self.close()

    def close(self) -> None:
        """Give the connection back; what was not read is lost. May be called again."""
        if self._started is not None and not self._closed:
            self._closed = True
            self._forgotten.detach()
            self._started.body.close()
            self._driver.run(emit(self._driver.context.on_request, self._end_event))


class AsyncChatStream(_StreamState):
    """A streamed chat completion of the asynchronous client; see `ChatStream`.

    ```python
    async with client.chat.completions.stream(model=..., messages=[...]) as stream:
        async for chunk in stream:
            print(chunk.choices[0].delta.content or "", end="")
    ```
    """

    _driver: AsyncDriver

    def __init__(
        self,
        driver: Any,
        prepared: StreamRequest | None = None,
        *,
        prepare: Callable[[], StreamRequest] | None = None,
    ) -> None:
        """Make a stream of a request, or of a function that makes it, off the event loop."""
        super().__init__(driver, prepared)
        self._prepare = prepare

    async def __aenter__(self) -> Self:
        if self._prepare is not None:
            self._prepared = await run_in_steps(self._prepare)
            self._prepare = None
        self._started = await self._driver.run(self._opening())
        body = self._started.body
        self._forgotten = weakref.finalize(
            self, _aclose_forgotten, body, asyncio.get_running_loop()
        )
        self._forgotten.atexit = False
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def __aiter__(self) -> AsyncGenerator[ChatCompletionChunk, None]:
        stream = self._stream
        reader, body, clock = stream.reader, stream.body, self._driver.context.policy.clock
        pieces = body.pieces
        first = [*stream.first]
        stream.first.clear()
        for chunk in first:
            yield chunk
        try:
            while not reader.done and reader.fault is None:
                data = await anext(pieces, None)
                ended = data is None
                for chunk in reader.end(clock()) if data is None else reader.feed(data, clock()):
                    yield chunk
                if ended:
                    break
        except FAILURES as error:
            reader.fail(failure_of(error))
        if reader.fault is not None:
            await self.aclose()
            raise self._failed()
        if reader.done:
            await body.drain()
        await self.aclose()

    async def aclose(self) -> None:
        """Give the connection back; what was not read is lost. May be called again."""
        if self._started is not None and not self._closed:
            self._closed = True
            self._forgotten.detach()
            await self._started.body.close()
            await self._driver.run(emit(self._driver.context.on_request, self._end_event))


def _close_forgotten(body: Any) -> None:
    _warn_forgotten()
    body.close()


def _aclose_forgotten(body: Any, loop: asyncio.AbstractEventLoop) -> None:
    _warn_forgotten()

    async def close() -> None:
        with contextlib.suppress(Exception):  # nobody is left to report it to
            await body.close()

    with contextlib.suppress(RuntimeError):  # the loop has ended, and its connections with it
        loop.call_soon_threadsafe(lambda: loop.create_task(close()))


def _warn_forgotten() -> None:
    warnings.warn(
        "A chat stream was dropped without being closed. Use it as a context manager.",
        ResourceWarning,
        stacklevel=3,
    )
