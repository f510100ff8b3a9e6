"""The HTTP library: the only module that imports it, and knows its names."""

from __future__ import annotations

import contextlib
import functools
import math
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import httpx

from runcrate_core.io.request_body import length_of
from runcrate_core.io.ssrf_guard import guard_of
from runcrate_core.protocol.redaction import redact
from runcrate_core.protocol.request import ReadTimeout, Surface
from runcrate_core.protocol.response import Failure, TransportFailure
from runcrate_core.protocol.url_policy import forbidden
from runcrate_core.version import __version__

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Iterator

    from runcrate_core.config import Config
    from runcrate_core.protocol.request import Request

HttpClient = httpx.Client
AsyncHttpClient = httpx.AsyncClient
HttpResponse = httpx.Response
C = TypeVar("C", httpx.Client, httpx.AsyncClient)

CONNECT_TIMEOUT_S: Final = 5.0
WRITE_TIMEOUT_S: Final = 60.0
# How long a call waits for a connection of a full pool.
POOL_TIMEOUT_S: Final = 10.0
LIMITS: Final = httpx.Limits(
    max_connections=100, max_keepalive_connections=20, keepalive_expiry=5.0
)
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
# The library words a proxy's refusal to open a tunnel as its status line.
_PROXY_AUTH_STATUS: Final = "407"


def failure_of(error: Exception) -> TransportFailure:
    """Return the reason that an exception of the HTTP library stands for."""
    if isinstance(error, httpx.ProxyError) and str(error).startswith(_PROXY_AUTH_STATUS):
        return TransportFailure(Failure.PROXY_AUTH)
    reason = next((reason for kind, reason in _REASONS if isinstance(error, kind)), Failure.BROKEN)
    # The text of a decoding error may quote the body.
    note = "" if reason is Failure.UNREADABLE else redact(str(error))
    return TransportFailure(reason, note)


def new_client() -> httpx.Client:
    """Return an HTTP client with our limits."""
    return httpx.Client(limits=LIMITS, verify=shared_tls())


def new_async_client() -> httpx.AsyncClient:
    """Return an asynchronous HTTP client with our limits."""
    return httpx.AsyncClient(limits=LIMITS, verify=shared_tls())


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


def auth_of(request: Request) -> Any:
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
        headers["content-length"] = str(length_of(request.content))
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
    if request.read_timeout is ReadTimeout.STREAM:
        read = config.stream_idle_timeout
    else:
        read = given or request.read_timeout.value
    return httpx.Timeout(
        _finite(read),
        connect=min(CONNECT_TIMEOUT_S, given or read),
        write=_finite(given or WRITE_TIMEOUT_S),
        pool=min(POOL_TIMEOUT_S, given or read),
    )


def _finite(seconds: float) -> float | None:
    """Return a limit as the HTTP library takes it: sockets know no infinite time."""
    return None if math.isinf(seconds) else seconds


def raw_pieces(response: httpx.Response) -> Iterator[bytes]:
    """Return the bytes of an unread answer as they come.

    It is what `iter_raw` iterates over in turn, which would cut the pieces anew; the body is
    closed by its owner.
    """
    return iter(cast("httpx.SyncByteStream", response.stream))


def araw_pieces(response: httpx.Response) -> AsyncIterator[bytes]:
    """Return what `raw_pieces` does, for an event loop."""
    return aiter(cast("httpx.AsyncByteStream", response.stream))


def lower_headers(response: httpx.Response) -> dict[str, str]:
    """Return the headers of an answer, names in lower case, with a whole redirect address."""
    raw = response.headers.raw
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in raw}
    if "location" in headers:
        with contextlib.suppress(httpx.InvalidURL, ValueError):
            headers["location"] = str(response.request.url.join(headers["location"]))
    return headers
