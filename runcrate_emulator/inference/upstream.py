"""Chat answered by another OpenAI-compatible server, a local llama.cpp or Ollama for example."""

import json
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import Response, StreamingResponse

from runcrate_emulator.errors import ApiError

if TYPE_CHECKING:
    import httpx

_CONNECT_S: Final = 5.0
_ANSWER_S: Final = 600.0
"""Seconds to wait for the next byte: a local model may think long before its first word."""
_LONGEST_REASON: Final = 500


async def forwarded(url: str, body: Mapping[str, Any]) -> Response:
    """Send a chat request to a server and hand back its answer as it comes.

    Args:
        url: Its base address with the version, as `http://127.0.0.1:8080/v1`.
        body: The request, passed on unchanged.

    Raises:
        ApiError: 502 if the server cannot be reached; its own status if it refuses.
    """
    import httpx  # noqa: PLC0415 - only users of an upstream need it

    timeout = httpx.Timeout(_ANSWER_S, connect=_CONNECT_S)
    client = httpx.AsyncClient(timeout=timeout, follow_redirects=False)
    try:
        request = client.build_request(
            "POST", f"{url.rstrip('/')}/chat/completions", json=dict(body)
        )
        answer = await client.send(request, stream=True)
        if answer.is_success:
            media_type = answer.headers.get("content-type", "application/json")
            return StreamingResponse(_passed_on(client, answer), media_type=media_type)
        await answer.aread()
        raise _refusal(answer)
    except httpx.HTTPError as error:
        await client.aclose()
        raise ApiError(
            502,
            "upstream_unreachable",
            f"The chat server at {url} did not answer ({type(error).__name__}); nothing was run. "
            "Start it, or start the emulator without `--chat-upstream`.",
        ) from None
    except ApiError:
        await client.aclose()
        raise


async def _passed_on(client: "httpx.AsyncClient", answer: "httpx.Response") -> AsyncIterator[bytes]:
    try:
        async for part in answer.aiter_bytes():
            yield part
    finally:
        await answer.aclose()
        await client.aclose()


def _refusal(answer: "httpx.Response") -> ApiError:
    message, code = answer.text[:_LONGEST_REASON], "upstream_error"
    try:
        error = json.loads(answer.content).get("error")
    except (ValueError, AttributeError):
        error = None
    if isinstance(error, Mapping):
        message = str(error.get("message") or message)
        code = str(error.get("code") or error.get("type") or code)
    elif isinstance(error, str):
        message = error
    return ApiError(answer.status_code, code, f"The chat server refused: {message}")
