"""Source images of edits and videos: URLs, data URIs or base64.

Seed 003: a source is a URL, a data URI or plain base64. Of URLs the emulator takes its own.
"""

import base64
from collections.abc import Iterable
from urllib.parse import parse_qsl, urlsplit

from PIL import Image
from starlette.requests import Request

from runcrate_emulator.bodies import OUT_OF_RANGE, refuse
from runcrate_emulator.errors import ApiError
from runcrate_emulator.inference.requests import DrawingBody, in_thread, too_large
from runcrate_emulator.media.images import ImageFileError, open_image

_MAX_FILE_BYTES = 20 * 2**20  # the emulator's own limit, the service documents none


async def load_sources(
    request: Request, body: DrawingBody, names: Iterable[str]
) -> list[Image.Image]:
    """Read the images that fields of a body hold as URLs, data URIs or base64, in their order."""
    images: list[Image.Image] = []
    for name in names:
        value = getattr(body, name)
        texts = [value] if isinstance(value, str) else value or ()
        images += [await _loaded(request, name, text) for text in texts]
    return images


async def _loaded(request: Request, name: str, value: str) -> Image.Image:
    is_url = value[:8].lower().startswith(("http://", "https://"))
    data = _own_file(request, name, value) if is_url else _decoded(name, value)
    if len(data) > _MAX_FILE_BYTES:
        problem = f"is larger than {_MAX_FILE_BYTES // 2**20} MB; nothing was generated."
        raise too_large(name, problem)
    try:
        return await in_thread(request, open_image, data)
    except ImageFileError as error:
        refuse(name, f"holds no image: {error}", OUT_OF_RANGE)


def _decoded(name: str, value: str) -> bytes:
    if value[:5].lower() == "data:":
        head, _, value = value.partition(",")
        if not head.lower().endswith(";base64"):
            refuse(name, "is a data URI that is not base64", OUT_OF_RANGE)
    try:
        return base64.b64decode("".join(value.split()), validate=True)
    except ValueError:
        problem = "must be an http(s) URL, a data URI or base64 (a path is read by the client)"
        refuse(name, problem, OUT_OF_RANGE)


def _own_file(request: Request, name: str, text: str) -> bytes:
    try:
        url = urlsplit(text)
    except ValueError:
        refuse(name, "is not a valid URL", OUT_OF_RANGE)
    if url.netloc != request.headers.get("host"):
        refuse(
            name,
            "is a URL elsewhere, which the emulator does not fetch; send a data URI, or a URL of "
            "the emulator",
            OUT_OF_RANGE,
        )
    try:
        data: bytes = request.app.state.world.media.open(url.path, dict(parse_qsl(url.query))).data
    except ApiError as refusal:
        refuse(name, f"is a link that cannot be opened ({refusal.message})", OUT_OF_RANGE)
    return data
