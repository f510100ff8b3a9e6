"""Where the images come from that a request wants edited or animated.

Seed 003: a source is a URL, a data URI or plain base64. The emulator stays on its machine, so of
URLs it takes its own and those of other loopback servers.
"""

import asyncio
import base64
import binascii
import urllib.request
from http.client import HTTPException as BrokenHTTPError
from typing import Any
from urllib.parse import SplitResult, parse_qsl, urlsplit

from PIL import Image
from starlette.requests import Request

from runcrate_emulator.bodies import OUT_OF_RANGE, refuse
from runcrate_emulator.errors import ApiError
from runcrate_emulator.inference.media_requests import in_thread
from runcrate_emulator.loopback import is_loopback
from runcrate_emulator.media.image_files import ImageFileError, open_image

_MAX_FILE_BYTES = 20 * 1024 * 1024  # bytes; the emulator's own limit, the service documents none
_FETCH_TIMEOUT_S = 5.0
_FILES = "/files/"


async def load_source(request: Request, name: str, value: str) -> Image.Image:
    """Read the image that a field holds.

    Args:
        request: The request, which knows the emulator's own address.
        name: Name of the field, for refusals.
        value: A URL, a data URI or base64.

    Raises:
        ApiError: 422 for a value that gives no image, 413 for one that is too large.
    """
    data = await _data_of(request, name, value)
    if len(data) > _MAX_FILE_BYTES:
        raise _too_large(name)
    try:
        return await in_thread(request, open_image, data)
    except ImageFileError as error:
        refuse(name, f"holds no image: {error}", OUT_OF_RANGE)


async def _data_of(request: Request, name: str, value: str) -> bytes:
    scheme = value[:8].lower()
    if scheme.startswith(("http://", "https://")):
        return await _fetched(request, name, value)
    if len(value) > _MAX_FILE_BYTES * 4 // 3 + 1024:
        raise _too_large(name)
    encoded = value
    if scheme.startswith("data:"):
        head, _, encoded = value.partition(",")
        if not head.lower().endswith(";base64"):
            refuse(name, "is a data URI that is not base64", OUT_OF_RANGE)
    try:
        return base64.b64decode("".join(encoded.split()), validate=True)
    except (binascii.Error, ValueError):
        refuse(
            name,
            "must be an http(s) URL, a data URI or base64 (a path is read by the client)",
            OUT_OF_RANGE,
        )


async def _fetched(request: Request, name: str, url: str) -> bytes:
    try:
        parts = urlsplit(url)
        is_near = is_loopback(parts.netloc)
    except ValueError:
        refuse(name, "is not a valid URL", OUT_OF_RANGE)
    if parts.netloc == request.headers.get("host") and parts.path.startswith(_FILES):
        return _own_file(request, name, parts)
    if not is_near:
        refuse(
            name,
            "is a URL elsewhere, which the emulator does not fetch; send a data URI, "
            "or a URL of the emulator or of another server on this machine",
            OUT_OF_RANGE,
        )
    try:
        return await asyncio.to_thread(_fetch, url)
    except (OSError, ValueError, BrokenHTTPError):
        refuse(name, "is a URL that could not be fetched", OUT_OF_RANGE)


def _own_file(request: Request, name: str, parts: SplitResult) -> bytes:
    """Open one of the emulator's own links without a request to itself."""
    world = request.app.state.world
    query = dict(parse_qsl(parts.query))
    expires, signature = query.get("expires", ""), query.get("signature", "")
    try:
        world.signer.check("GET", parts.path, expires, signature)
    except ApiError as refusal:
        refuse(name, f"is a link that does not open ({refusal.message})", OUT_OF_RANGE)
    stored = world.media.get(parts.path.removeprefix(_FILES))
    if stored is None:
        refuse(name, "is a link to a file that is gone", OUT_OF_RANGE)
    data: bytes = stored.data
    return data


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Refuses to be sent elsewhere: only the first address was checked to be near."""

    def redirect_request(self, *_: Any) -> None:
        return None


def _fetch(url: str) -> bytes:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect)
    with opener.open(url, timeout=_FETCH_TIMEOUT_S) as response:
        data: bytes = response.read(_MAX_FILE_BYTES + 1)
    return data


def _too_large(name: str) -> ApiError:
    megabytes = _MAX_FILE_BYTES // 2**20
    return ApiError(
        413,
        "payload_too_large",
        f"`{name}` is larger than {megabytes} MB; nothing was made.",
        details={"field": name},
    )
