"""HTTP: the only module that knows which HTTP library is used."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import math
import os
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any, Final, TypeVar

import httpx

from runcrate_core.errors import ConfigurationError
from runcrate_core.io.guard import guard_of
from runcrate_core.protocol.addresses import forbidden
from runcrate_core.protocol.answer import Answer, Failure, TransportFailure
from runcrate_core.protocol.redaction import redact
from runcrate_core.protocol.request import Patience, Surface
from runcrate_core.protocol.steps import Opened
from runcrate_core.version import __version__

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator

    from runcrate_core.config import Config
    from runcrate_core.protocol.request import FileSource, Request

HttpClient = httpx.Client
AsyncHttpClient = httpx.AsyncClient
C = TypeVar("C", httpx.Client, httpx.AsyncClient)

CONNECT_TIMEOUT_S: Final = 5.0
WRITE_TIMEOUT_S: Final = 60.0
# How long a call waits for a connection of a full pool.
POOL_TIMEOUT_S: Final = 10.0
LIMITS: Final = httpx.Limits(
    max_connections=100, max_keepalive_connections=20, keepalive_expiry=5.0
)
# An error page may be of any size; this much of it is read.
ERROR_BODY_BYTES: Final = 64 * 1024
# Files go up in pieces of this size.
UPLOAD_PIECE_BYTES: Final = 256 * 1024
# After its end mark a stream is read on so long, that its connection may be used again.
DRAIN_S: Final = 0.1
DRAIN_BYTES: Final = 4096
USER_AGENT: Final = f"runcrate-integrations/{__version__}"

# What the HTTP library raises when there is no usable answer.
FAILURES: Final = (httpx.TransportError, httpx.DecodingError, httpx.StreamError)
_REASONS: Final[tuple[tuple[type[Exception], Failure], ...]] = (
    (httpx.ConnectTimeout, Failure.CONNECT_TIMEOUT),
    (httpx.PoolTimeout, Failure.POOL_TIMEOUT),
    (httpx.ReadTimeout, Failure.READ_TIMEOUT),
    (httpx.WriteTimeout, Failure.WRITE_TIMEOUT),
    (httpx.ConnectError, Failure.CONNECT),
    (httpx.ProxyError, Failure.CONNECT),
    (httpx.UnsupportedProtocol, Failure.CONNECT),
    (httpx.DecodingError, Failure.UNREADABLE),
)


def failure_of(error: Exception) -> TransportFailure:
    """Return the reason that an exception of the HTTP library stands for."""
    reason = next((reason for kind, reason in _REASONS if isinstance(error, kind)), Failure.BROKEN)
    # The text of a decoding error may quote the body.
    note = "" if reason is Failure.UNREADABLE else redact(str(error))
    return TransportFailure(reason, note)


@functools.cache
def shared_tls() -> ssl.SSLContext:
    """Return the process's TLS settings: reading the certificates takes tens of milliseconds."""
    return httpx.create_ssl_context()


def build_request(client: C, request: Request, config: Config, content: Any) -> httpx.Request:
    """Return the request of the HTTP library, with address, key, headers and timeouts.

    Raises:
        ResponseFormatError: It is for a foreign address that must not be fetched.
    """
    if request.surface is Surface.EXTERNAL:
        return _external_request(client, request, config, content)
    return client.build_request(
        request.method,
        _url(request, config),
        headers=_headers(request, config),
        content=content,
        timeout=_timeout(request, config),
    )


def _external_request(client: C, request: Request, config: Config, content: Any) -> httpx.Request:
    """Make a request that has nothing of the client in it: no headers, no cookies, no key."""
    extensions: dict[str, Any] = {"timeout": _timeout(request, config).as_dict()}
    guard = guard_of(request, config)
    if guard is not None:
        waits = isinstance(client, httpx.AsyncClient)
        extensions["trace"] = guard.atrace if waits else guard.trace
    headers = _headers(request, config)
    try:
        return httpx.Request(
            request.method, request.path, headers=headers, content=content, extensions=extensions
        )
    except httpx.InvalidURL:
        raise forbidden(request, "it is not a valid address") from None


def _auth(request: Request) -> Any:
    """Return what `send` takes as `auth`: a client of the user's may have one of its own."""
    return None if request.surface is Surface.EXTERNAL else httpx.USE_CLIENT_DEFAULT


def _url(request: Request, config: Config) -> str | httpx.URL:
    url = config.url_of(request.surface) + request.path
    query = list(request.query)
    infrastructure = request.surface is Surface.INFRASTRUCTURE
    if infrastructure and config.environment and all(name != "environment" for name, _ in query):
        query.append(("environment", config.environment))
    return httpx.URL(url, params=tuple(query)) if query else _parsed(url)


@functools.lru_cache(maxsize=64)
def _parsed(url: str) -> httpx.URL:
    """Return an address in parts: taking one apart costs as much as reading an answer."""
    return httpx.URL(url)


def _headers(request: Request, config: Config) -> dict[str, str]:
    headers = {"user-agent": USER_AGENT}
    if request.content_type is not None:
        headers["content-type"] = request.content_type
    if isinstance(request.content, tuple):
        headers["content-length"] = str(_length(request.content))
    if request.surface is not Surface.EXTERNAL:
        key = config.key_for(request.surface)
        if key is not None:
            headers["authorization"] = f"Bearer {key}"
        headers.update((name.lower(), value) for name, value in config.default_headers)
    headers.update((name.lower(), value) for name, value in request.headers)
    if request.idempotency_key is not None:
        headers["idempotency-key"] = request.idempotency_key
    return headers


def _timeout(request: Request, config: Config) -> httpx.Timeout:
    given = request.timeout or config.timeout
    if request.patience is Patience.STREAM:
        read = config.stream_idle_timeout
    else:
        read = given or request.patience.value
    return httpx.Timeout(
        None if math.isinf(read) else read,
        connect=min(CONNECT_TIMEOUT_S, given or read),
        write=given or WRITE_TIMEOUT_S,
        pool=min(POOL_TIMEOUT_S, given or read),
    )


def _length(content: tuple[bytes | FileSource, ...]) -> int:
    return sum(len(part) if isinstance(part, bytes) else part.size() for part in content)


def _pieces(content: tuple[bytes | FileSource, ...]) -> Iterator[bytes]:
    for part in content:
        if isinstance(part, bytes):
            yield part
        else:
            with part.open() as file:
                while piece := file.read(UPLOAD_PIECE_BYTES):
                    yield piece


async def _apieces(content: tuple[bytes | FileSource, ...]) -> AsyncIterator[bytes]:
    pieces = _pieces(content)
    while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
        yield piece


def _lower(response: httpx.Response) -> dict[str, str]:
    raw = response.headers.raw
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in raw}
    if "location" in headers:
        with contextlib.suppress(httpx.InvalidURL, ValueError):
            headers["location"] = str(response.request.url.join(headers["location"]))
    return headers


def _needs_decoding(response: httpx.Response, *, raw: bool) -> bool:
    # An answer that was made with its content, as stand-ins do, has been read already, and only
    # the decoding iterator gives it again.
    return response.is_stream_consumed or (not raw and "content-encoding" in response.headers)


def _opened(response: httpx.Response, body: BlockingBody | AsyncBody) -> Opened:
    headers = _lower(response)
    if body.is_decoded and "content-encoding" in headers:
        # Both speak of the encoded bytes.
        del headers["content-encoding"]
        headers.pop("content-length", None)
    return Opened(response.status_code, headers, body)


class BlockingBody:
    """The unread body of an answer.

    Attributes:
        is_decoded: Whether a content encoding is taken off the bytes.
        pieces: Its bytes as they come; raises `FAILURES`.
    """

    __slots__ = ("__weakref__", "_response", "is_decoded", "pieces")

    def __init__(self, response: httpx.Response, *, raw: bool = False) -> None:
        self._response = response
        self.is_decoded = _needs_decoding(response, raw=raw)
        self.pieces: Iterator[bytes] = (
            response.iter_bytes() if self.is_decoded else response.iter_raw()
        )

    def receive(self) -> bytes | TransportFailure | None:
        """Read the next bytes; `None` at the end."""
        try:
            return next(self.pieces, None)
        except FAILURES as error:
            return failure_of(error)

    def drain(self) -> None:
        """Read what may be left behind an end mark, in narrow bounds of time and size."""
        stream = self._response.extensions.get("network_stream")
        deadline = time.monotonic() + DRAIN_S
        if stream is not None:
            # The read timeout was fixed when the request was sent; here a much shorter one holds.
            stream.read = _hurried(stream.read, deadline)
        try:
            left = DRAIN_BYTES
            for piece in self.pieces:
                left -= len(piece)
                if left < 0 or time.monotonic() > deadline:
                    break
        except FAILURES:
            pass  # the body stays open or broke; either way the connection is closed next
        finally:
            if stream is not None:
                del stream.read

    def close(self) -> None:
        """Give the connection back, or close it when the body was not read to its end."""
        self._response.close()


def _hurried(read: Callable[..., bytes], deadline: float) -> Callable[..., bytes]:
    def read_until_deadline(most: int, timeout: float | None = None) -> bytes:
        left = max(0.001, deadline - time.monotonic())
        return read(most, timeout=left if timeout is None else min(left, timeout))

    return read_until_deadline


class AsyncBody:
    """The unread body of an answer, for an event loop.

    Attributes:
        is_decoded: Whether a content encoding is taken off the bytes.
        pieces: Its bytes as they come; raises `FAILURES`.
    """

    __slots__ = ("__weakref__", "_response", "is_decoded", "pieces")

    def __init__(self, response: httpx.Response, *, raw: bool = False) -> None:
        self._response = response
        self.is_decoded = _needs_decoding(response, raw=raw)
        self.pieces: AsyncIterator[bytes] = (
            response.aiter_bytes() if self.is_decoded else response.aiter_raw()
        )

    async def receive(self) -> bytes | TransportFailure | None:
        """Read the next bytes; `None` at the end."""
        try:
            return await anext(self.pieces, None)
        except FAILURES as error:
            return failure_of(error)

    async def drain(self) -> None:
        """Read what may be left behind an end mark, in narrow bounds of time and size."""
        left = DRAIN_BYTES
        try:
            async with asyncio.timeout(DRAIN_S):
                async for piece in self.pieces:
                    left -= len(piece)
                    if left < 0:
                        break
        except (*FAILURES, TimeoutError):
            pass  # the body stays open or broke; either way the connection is closed next

    async def close(self) -> None:
        """Give the connection back, or close it when the body was not read to its end."""
        await self._response.aclose()


class BlockingHttp:
    """Sends requests and blocks. Safe to share between threads; made anew after a fork."""

    def __init__(self, client: httpx.Client | None = None) -> None:
        _require(client, httpx.Client)
        self._given = client
        self._own: httpx.Client | None = None
        self._owner = 0
        self._closed = False
        self._lock = threading.Lock()

    @property
    def is_given(self) -> bool:
        """Whether the HTTP client is the user's own."""
        return self._given is not None

    def client(self) -> httpx.Client:
        """Return the HTTP client of this process, made when first needed.

        Raises:
            ConfigurationError: `close` was called.
        """
        if self._closed:
            raise _closed_error()
        if self._given is not None:
            return self._given
        own = self._own
        if own is not None and self._owner == os.getpid():
            return own
        with self._lock:
            if self._own is None or self._owner != os.getpid():
                # After a fork the parent's connections are left alone, not closed.
                self._own = httpx.Client(limits=LIMITS, verify=shared_tls())
                self._owner = os.getpid()
            return self._own

    def send(self, request: Request, config: Config) -> Answer | TransportFailure:
        """Send once and read the answer whole."""
        response = self._exchange(request, config)
        if isinstance(response, TransportFailure):
            return response
        try:
            body = response.read() if response.is_success else _first_bytes(response)
            return Answer(response.status_code, _lower(response), body)
        except FAILURES as error:
            return failure_of(error)
        finally:
            response.close()

    def open(
        self, request: Request, config: Config, *, raw: bool = False
    ) -> Opened | Answer | TransportFailure:
        """Send once and leave the body unread, unless the status is an error."""
        response = self._exchange(request, config)
        if isinstance(response, TransportFailure):
            return response
        if response.is_success:
            return _opened(response, BlockingBody(response, raw=raw))
        try:
            return Answer(response.status_code, _lower(response), _first_bytes(response))
        finally:
            response.close()

    def _exchange(self, request: Request, config: Config) -> httpx.Response | TransportFailure:
        client, content = self.client(), request.content
        pieces = _pieces(content) if isinstance(content, tuple) else content
        built = build_request(client, request, config, pieces)
        try:
            return client.send(built, auth=_auth(request), stream=True, follow_redirects=False)
        except FAILURES as error:
            return failure_of(error)

    def close(self) -> None:
        """Close the connections that this object opened; a client that was given stays open."""
        self._closed = True
        own, self._own = self._own, None
        if own is not None and self._owner == os.getpid():
            own.close()


class AsyncHttp:
    """Sends requests without blocking, with one HTTP client for each event loop."""

    def __init__(self, client: httpx.AsyncClient | None = None) -> None:
        _require(client, httpx.AsyncClient)
        self._given = client
        self._own: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _LoopClient] = (
            weakref.WeakKeyDictionary()
        )
        self._closed = False

    @property
    def is_given(self) -> bool:
        """Whether the HTTP client is the user's own."""
        return self._given is not None

    def client(self) -> httpx.AsyncClient:
        """Return the HTTP client of the running loop and process, made when first needed.

        Raises:
            ConfigurationError: `aclose` was called.
        """
        if self._closed:
            raise _closed_error()
        if self._given is not None:
            return self._given
        loop = asyncio.get_running_loop()
        found = self._own.get(loop)
        if found is None or found.process != os.getpid():
            found = self._own[loop] = _LoopClient()
        return found.client

    async def send(self, request: Request, config: Config) -> Answer | TransportFailure:
        """Send once and read the answer whole."""
        response = await self._exchange(request, config)
        if isinstance(response, TransportFailure):
            return response
        try:
            body = await (response.aread() if response.is_success else _afirst_bytes(response))
            return Answer(response.status_code, _lower(response), body)
        except FAILURES as error:
            return failure_of(error)
        finally:
            await response.aclose()

    async def open(
        self, request: Request, config: Config, *, raw: bool = False
    ) -> Opened | Answer | TransportFailure:
        """Send once and leave the body unread, unless the status is an error."""
        response = await self._exchange(request, config)
        if isinstance(response, TransportFailure):
            return response
        if response.is_success:
            return _opened(response, AsyncBody(response, raw=raw))
        try:
            body = await _afirst_bytes(response)
            return Answer(response.status_code, _lower(response), body)
        finally:
            await response.aclose()

    async def _exchange(
        self, request: Request, config: Config
    ) -> httpx.Response | TransportFailure:
        client, content = self.client(), request.content
        pieces = _apieces(content) if isinstance(content, tuple) else content
        built = build_request(client, request, config, pieces)
        try:
            return await client.send(
                built, auth=_auth(request), stream=True, follow_redirects=False
            )
        except FAILURES as error:
            return failure_of(error)

    async def aclose(self) -> None:
        """Close the connections of the running loop; those of ended loops went with them."""
        self._closed = True
        found = self._own.pop(asyncio.get_running_loop(), None)
        self._own.clear()
        if found is not None and found.process == os.getpid():
            await found.aclose()


class _LoopClient:
    """An HTTP client that is closed with its event loop, at the latest.

    `asyncio.run` closes the asynchronous generators that its loop has seen before it closes the
    loop. One of them is kept waiting here, so that connections of a loop that ends are closed in
    it, rather than found open by the garbage collector.
    """

    __slots__ = ("_closer", "client", "process")

    def __init__(self) -> None:
        self.client = httpx.AsyncClient(limits=LIMITS, verify=shared_tls())
        self.process = os.getpid()
        self._closer = _close_at_end(self.client)
        with contextlib.suppress(StopIteration):
            self._closer.__anext__().send(None)  # runs it to its `yield`, where nothing waits

    async def aclose(self) -> None:
        await self._closer.aclose()


async def _close_at_end(client: httpx.AsyncClient) -> AsyncGenerator[None, None]:
    try:
        yield
    finally:
        await client.aclose()


def _first_bytes(response: httpx.Response) -> bytes:
    body = bytearray()
    try:
        for piece in response.iter_bytes():
            body += piece
            if len(body) >= ERROR_BODY_BYTES:
                break
    except FAILURES:
        pass  # the status says enough; an explanation that breaks off is used as far as it goes
    return bytes(body[:ERROR_BODY_BYTES])


async def _afirst_bytes(response: httpx.Response) -> bytes:
    body = bytearray()
    try:
        async for piece in response.aiter_bytes():
            body += piece
            if len(body) >= ERROR_BODY_BYTES:
                break
    except FAILURES:
        pass  # the status says enough; an explanation that breaks off is used as far as it goes
    return bytes(body[:ERROR_BODY_BYTES])


def _closed_error() -> ConfigurationError:
    return ConfigurationError("The client is closed. Nothing was sent. Make a new client.")


def _require(client: object, kind: type[httpx.Client | httpx.AsyncClient]) -> None:
    if client is not None and not isinstance(client, kind):
        given = type(client)
        raise TypeError(
            f"`http_client` must be an `httpx.{kind.__name__}`, not "
            f"`{given.__module__}.{given.__name__}`."
        )
