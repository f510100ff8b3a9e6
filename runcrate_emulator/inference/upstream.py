"""Chat by another OpenAI-compatible server, a local llama.cpp, Ollama or vLLM for example."""

import json
import logging
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
from starlette.responses import Response, StreamingResponse

from runcrate_emulator.errors import ApiError

KEY_VARIABLE: Final = "RUNCRATE_EMULATOR_UPSTREAM_KEY"
"""Environment variable that holds the upstream's key."""
_LOG: Final = logging.getLogger(__name__)
_CONNECT_S: Final = 5.0
_READ_S: Final = 600.0
"""Seconds to wait for the next byte: a local model may think long before its first word."""
_PASSED_HEADERS: Final = ("content-type", "retry-after", "retry-after-ms", "x-request-id")


@dataclass(frozen=True, slots=True)
class Upstream:
    """An OpenAI-compatible server.

    Attributes:
        url: Its base URL with the version, as `http://127.0.0.1:8080/v1`.
        key: Its API key, sent as a bearer token; None for a server that needs none.
    """

    url: str = field(repr=False)
    key: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not re.match(r"https?://[^/]", self.url):
            problem = "The URL of the chat upstream must start with http:// or https://."
            raise ValueError(f"{problem} Nothing was started.")

    @property
    def name(self) -> str:
        """The URL as it may be shown: without user, password and query."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


async def forward(upstream: Upstream, body: Mapping[str, Any]) -> Response:
    """Send a chat request to the upstream and return its response as it comes.

    An error response keeps its status, `Retry-After` and body; 502 if the server cannot be reached.
    """
    timeout = httpx.Timeout(_READ_S, connect=_CONNECT_S)
    client = httpx.AsyncClient(timeout=timeout, follow_redirects=False)
    try:
        request = client.build_request(
            "POST",
            f"{upstream.url.rstrip('/')}/chat/completions",
            json=dict(body),
            headers={"Authorization": f"Bearer {upstream.key}"} if upstream.key else {},
        )
        response = await client.send(request, stream=True)
        headers = {n: response.headers[n] for n in _PASSED_HEADERS if n in response.headers}
        headers["x-runcrate-emulator-upstream"] = upstream.name
        if response.is_success:
            parts = _passed_on(upstream, client, response)
            return StreamingResponse(parts, response.status_code, headers)
        content = await response.aread()
        if upstream.key:
            content = content.replace(upstream.key.encode(), b"[key]")  # some quote it in errors
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        await client.aclose()
        raise ApiError(
            502,
            "upstream_unreachable",
            f"The chat upstream {upstream.name} did not respond ({type(error).__name__}); nothing "
            "was run. Start it, or start the emulator without `--chat-upstream`.",
        ) from None
    await client.aclose()
    _LOG.warning("The chat upstream %s returned %d.", upstream.name, response.status_code)
    return Response(content, response.status_code, headers)


async def _passed_on(
    upstream: Upstream, client: httpx.AsyncClient, response: httpx.Response
) -> AsyncIterator[bytes]:
    try:
        async for part in response.aiter_bytes():
            yield part
    except httpx.HTTPError as error:
        problem = f"closed the connection early ({type(error).__name__})"
        message = f"The chat upstream {upstream.name} {problem}."
        failure = {"error": {"message": message, "type": "server_error", "code": "upstream_lost"}}
        yield b"data: " + json.dumps(failure).encode() + b"\n\n"
    finally:
        await response.aclose()
        await client.aclose()
