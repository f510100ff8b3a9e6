"""The HTTP library: the only module that imports it, and knows its names."""

from __future__ import annotations

import contextlib
import functools
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast
from urllib.parse import urlsplit
from urllib.request import getproxies

import httpx

from runcrate_core.errors import ConfigurationError
from runcrate_core.io.connection_trace import ConnectionTrace
from runcrate_core.io.request_body import is_piecewise, length_of
from runcrate_core.io.ssrf_guard import guard_of
from runcrate_core.protocol.proxies import proxy_routes
from runcrate_core.protocol.redaction import redact
from runcrate_core.protocol.request import ReadTimeout, Surface
from runcrate_core.protocol.response import Failure, TransportFailure
from runcrate_core.protocol.timeouts import TOTAL_PER_READ, Timeout, finite
from runcrate_core.protocol.url_policy import forbidden, is_loopback
from runcrate_core.version import __version__

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable, Iterator

    from runcrate_core.config import Config
    from runcrate_core.protocol.request import Request

HttpClient = httpx.Client
AsyncHttpClient = httpx.AsyncClient
HttpResponse = httpx.Response
T = TypeVar("T")

CONNECT_TIMEOUT_S: Final = 5.0
WRITE_TIMEOUT_S: Final = 60.0
# The limits of a client whose user has set none.
_UNSET_TIMEOUT: Final = httpx.Timeout(5.0)
# How long a call waits for a connection of a full pool: as long as the slowest response may take.
# It waits for the program's own other calls, so its timeout, which is for the service, does not
# count.
POOL_TIMEOUT_S: Final = 600.0
# A program that makes hundreds of calls at once has a connection for each.
LIMITS: Final = httpx.Limits(
    max_connections=1000, max_keepalive_connections=100, keepalive_expiry=5.0
)
USER_AGENT: Final = f"runcrate-integrations/{__version__}"

# What the HTTP library raises when there is no usable response.
FAILURES: Final = (httpx.TransportError, httpx.DecodingError, httpx.StreamError)
# What comes of a host that no resolver takes (of a proxy, or of a client given by the user).
UNUSABLE_HOSTS: Final = (httpx.InvalidURL, UnicodeError)
_REASONS: Final[tuple[tuple[type[Exception], Failure], ...]] = (
    (httpx.ConnectTimeout, Failure.CONNECT_TIMEOUT),
    (httpx.PoolTimeout, Failure.POOL_TIMEOUT),
    (httpx.ReadTimeout, Failure.READ_TIMEOUT),
    (httpx.WriteTimeout, Failure.WRITE_TIMEOUT),
    (httpx.ConnectError, Failure.CONNECT),
    (httpx.ProxyError, Failure.CONNECT),
    (httpx.UnsupportedProtocol, Failure.CONNECT),
    (httpx.DecodingError, Failure.UNREADABLE),
    *((kind, Failure.CONNECT) for kind in UNUSABLE_HOSTS),
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


class _DefaultHeaders:
    """The default headers of a client of ours, encoded once.

    `Client.build_request` encodes and merges all headers for each request, for the sake of clients
    with a base URL, parameters and headers of their own. Ours have none of these.
    """

    headers: httpx.Headers

    @functools.cached_property
    def _default_pairs(self) -> list[tuple[bytes, bytes, bytes]]:
        return [(name.lower(), name, value) for name, value in self.headers.raw]

    def with_defaults(self, headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
        """Return the headers of a request in bytes, as `build_request` merges them."""
        given = {_encoded_name(name): value.encode("ascii") for name, value in headers.items()}
        pairs = [(name, value) for lower, name, value in self._default_pairs if lower not in given]
        pairs.extend(given.items())
        return pairs


class _OwnClient(_DefaultHeaders, httpx.Client):
    """A client that this package makes, with none of the user's settings in it.

    Between `send` and the transport, `httpx` serves authentication, redirects, event hooks and
    cookies. A client of ours has none of these, and they cost a fifth of a call. `send` stays, as
    tools that observe `httpx` replace it.
    """

    def _send_handling_auth(self, request: httpx.Request, *_: Any, **__: Any) -> httpx.Response:
        response = self._transport_for_url(request.url).handle_request(request)
        response.request = request
        return response


class _OwnAsyncClient(_DefaultHeaders, httpx.AsyncClient):
    """`_OwnClient` for an event loop."""

    async def _send_handling_auth(
        self, request: httpx.Request, *_: Any, **__: Any
    ) -> httpx.Response:
        response = await self._transport_for_url(request.url).handle_async_request(request)
        response.request = request
        return response


@functools.lru_cache(maxsize=256)
def _encoded_name(name: str) -> bytes:
    return name.encode("ascii")


def new_client(*api_urls: str) -> httpx.Client:
    """Return an HTTP client with our limits, and the proxies and certificates of the environment.

    Args:
        api_urls: URLs of the APIs; those of this computer are reached without a proxy.

    Raises:
        ConfigurationError: A variable of the environment is not usable.
    """
    mounts = {
        pattern: None if proxy is None else _proxy_transport(httpx.HTTPTransport, pattern, proxy)
        for pattern, proxy in _proxies(api_urls).items()
    }
    return _OwnClient(limits=LIMITS, verify=shared_tls(), trust_env=False, mounts=mounts)


def new_async_client(*api_urls: str) -> httpx.AsyncClient:
    """Return what `new_client` does, for an event loop."""
    mounts = {
        pattern: None
        if proxy is None
        else _proxy_transport(httpx.AsyncHTTPTransport, pattern, proxy)
        for pattern, proxy in _proxies(api_urls).items()
    }
    return _OwnAsyncClient(limits=LIMITS, verify=shared_tls(), trust_env=False, mounts=mounts)


def _proxies(api_urls: tuple[str, ...]) -> dict[str, str | None]:
    hosts = [urlsplit(url).hostname or "" for url in api_urls]
    direct = [host for url, host in zip(api_urls, hosts, strict=True) if is_loopback(url)]
    return proxy_routes(getproxies(), hosts=hosts, direct_hosts=direct)


def _proxy_transport(kind: Callable[..., T], pattern: str, proxy: str) -> T:
    variable = f"{pattern.partition(':')[0].upper()}_PROXY"
    try:
        return kind(proxy=httpx.Proxy(proxy), verify=shared_tls(), limits=LIMITS)
    except ImportError:
        raise ConfigurationError(
            f"{variable} names a SOCKS proxy, which needs a further package: "
            "`pip install 'httpx[socks]'`. Nothing was sent."
        ) from None
    except (ValueError, httpx.InvalidURL):
        raise ConfigurationError(
            f"{variable} is not the URL of a proxy (`http://proxy:3128`). Correct it, or unset it "
            "to connect directly. Nothing was sent."
        ) from None


@functools.cache
def shared_tls() -> ssl.SSLContext:
    """Return the process's TLS settings: reading the certificates takes tens of milliseconds.

    Raises:
        ConfigurationError: `SSL_CERT_FILE` or `SSL_CERT_DIR` is not usable.
    """
    directory = os.environ.get("SSL_CERT_DIR")
    variable = "SSL_CERT_FILE" if os.environ.get("SSL_CERT_FILE") else "SSL_CERT_DIR"
    if directory and variable == "SSL_CERT_DIR" and not Path(directory).is_dir():
        raise ConfigurationError("SSL_CERT_DIR is not a directory. Nothing was sent.")
    try:
        return httpx.create_ssl_context()
    except (OSError, ValueError) as error:
        if not os.environ.get(variable):
            raise
        raise ConfigurationError(
            f"{variable} does not lead to certificates in PEM form "
            f"({getattr(error, 'strerror', None) or type(error).__name__}). Correct it, or unset "
            "it to use the built-in ones. Nothing was sent."
        ) from None


def build_request(
    client: httpx.Client | httpx.AsyncClient,
    request: Request,
    config: Config,
    content: Any,
    on_receive: Callable[[], None],
) -> httpx.Request:
    """Return the request of the HTTP library, with URL, key, headers and timeouts.

    Args:
        client: Who will send it.
        request: What to send.
        config: Settings of the client.
        content: Its body, as the HTTP library takes it.
        on_receive: Called when the request has been sent and the response is waited for.

    Raises:
        ResponseFormatError: It is for a URL that must not be fetched.
    """
    is_external = request.surface is Surface.EXTERNAL
    trace = ConnectionTrace(guard_of(request, config) if is_external else None, on_receive)
    extensions = {
        "timeout": {**_timeout_extension(time_limits(client, request, config))},
        "trace": trace.atrace if isinstance(client, httpx.AsyncClient) else trace.trace,
    }
    if is_external:
        return _external_request(request, config, content, extensions)
    url, headers = _url(request, config), _headers(request, config)
    if isinstance(client, _OwnClient | _OwnAsyncClient):
        return httpx.Request(
            request.method,
            url,
            headers=client.with_defaults(headers),
            content=content,
            extensions=extensions,
        )
    return client.build_request(
        request.method, url, headers=headers, content=content, extensions=extensions
    )


def _external_request(
    request: Request, config: Config, content: Any, extensions: dict[str, Any]
) -> httpx.Request:
    """Make a request that has nothing of the client in it: no headers, no cookies, no key."""
    headers = _headers(request, config)
    try:
        return httpx.Request(
            request.method, request.path, headers=headers, content=content, extensions=extensions
        )
    except httpx.InvalidURL:
        raise forbidden(request, "it is not a valid URL") from None


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
    """Return a URL in parts: taking one apart costs as much as reading a response."""
    return httpx.URL(url)


def _headers(request: Request, config: Config) -> dict[str, str]:
    headers = {"user-agent": USER_AGENT}
    if request.content_type is not None:
        headers["content-type"] = request.content_type
    if is_piecewise(request.content):
        headers["content-length"] = str(length_of(request.content))
    if request.surface is not Surface.EXTERNAL:
        key = config.key_for(request.surface)
        if key is not None:
            headers["authorization"] = f"Bearer {key}"
        headers.update((name.lower(), value) for name, value in config.default_headers)
    headers.update((name.lower(), value) for name, value in request.headers)
    # What `BodyBuffer` decodes in bounds, whichever decoders the HTTP library has.
    headers.setdefault("accept-encoding", "gzip, deflate")
    if request.idempotency_key is not None:
        headers["idempotency-key"] = request.idempotency_key
    return headers


def time_limits(
    client: httpx.Client | httpx.AsyncClient, request: Request, config: Config
) -> Timeout:
    """Return the limits of one attempt: of the call, else the client, else its `http_client`."""
    own = client.timeout
    return _limits(
        Timeout.of(request.timeout),
        config.timeout,
        None if own == _UNSET_TIMEOUT else Timeout.of(own),
        request.read_timeout,
        config.stream_idle_timeout,
    )


@functools.lru_cache(maxsize=64)
def _limits(
    call: Timeout | None,
    configured: Timeout | None,
    own: Timeout | None,
    kind: ReadTimeout,
    stream_idle_timeout: float,
) -> Timeout:
    """Merge the limits of the three levels: few combinations occur in a program."""
    given = (call or Timeout()).over(configured).over(own)
    if kind is ReadTimeout.STREAM:
        # An idle limit of its own; the `http_client` may be stricter, as it is about every socket.
        read = min(stream_idle_timeout, (own and own.read) or stream_idle_timeout)
    else:
        read = given.read or kind.value
    defaults = Timeout(
        connect=min(CONNECT_TIMEOUT_S, read),
        write=WRITE_TIMEOUT_S,
        pool=POOL_TIMEOUT_S,
        total=TOTAL_PER_READ * read,
    )
    return replace(given, read=read).over(defaults)


@functools.lru_cache(maxsize=64)
def _timeout_extension(limits: Timeout) -> dict[str, float | None]:
    """Return limits as the HTTP library's extension; shared, so a request takes a copy."""
    return httpx.Timeout(
        finite(limits.read),
        connect=finite(limits.connect),
        write=finite(limits.write),
        pool=finite(limits.pool),
    ).as_dict()


def raw_pieces(response: httpx.Response) -> Iterator[bytes]:
    """Return the bytes of an unread response as they come.

    It is what `iter_raw` iterates over in turn, which would split the pieces again; the body is
    closed by its owner.
    """
    return iter(cast("httpx.SyncByteStream", response.stream))


def araw_pieces(response: httpx.Response) -> AsyncIterator[bytes]:
    """Return what `raw_pieces` does, for an event loop."""
    return aiter(cast("httpx.AsyncByteStream", response.stream))


def lower_headers(response: httpx.Response) -> dict[str, str]:
    """Return the headers of a response, names in lower case, with an absolute redirect URL."""
    raw = response.headers.raw
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in raw}
    if "location" in headers:
        with contextlib.suppress(httpx.InvalidURL, ValueError):
            headers["location"] = str(response.request.url.join(headers["location"]))
    return headers
