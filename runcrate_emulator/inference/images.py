"""POST /v1/images/generations: images from a prompt, and edits of images.

Fields and ranges as documented on the service's image reference and in seed 003; there is no
separate endpoint for edits. Fields that a model does not support are ignored, as documented: source
images by models that only draw, and everything unknown.
"""

import base64
from typing import Annotated, Literal

from PIL import Image
from pydantic import Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from runcrate_emulator.bodies import parse_body, read_object
from runcrate_emulator.inference.requests import (
    MAX_SIDE_PX,
    MIN_SIDE_PX,
    DrawingBody,
    in_thread,
    require_credit,
    required_model,
    seed_of,
)
from runcrate_emulator.inference.source_images import load_sources
from runcrate_emulator.media.images import ImageSpec, draw_edit, draw_image, encode_webp

_SIZES = {  # about a megapixel each, in exactly these proportions
    "1:1": (1024, 1024),
    "16:9": (1280, 720),
    "9:16": (720, 1280),
    "4:3": (1152, 864),
    "3:4": (864, 1152),
    "3:2": (1248, 832),
    "2:3": (832, 1248),
}
# No range of the guidance is documented: the emulator's own is wider than any model's.
_MAX_GUIDANCE = 100.0
_MAX_STEPS = 100
_MAX_REFERENCES = 8
_SOURCES = ("image", "start_image", "input_image", "control_image", "input_images")
"""Fields of which the first is edited; the others are read, and have no effect on the drawing."""


class ImageBody(DrawingBody):
    """Fields of a request for an image."""

    aspect_ratio: Literal["1:1", "16:9", "9:16", "4:3", "3:4", "3:2", "2:3"] | None = None
    num_inference_steps: Annotated[int, Field(ge=1, le=_MAX_STEPS)] | None = None
    guidance: Annotated[float, Field(ge=0, le=_MAX_GUIDANCE)] | None = None
    negative_prompt: str | None = None
    response_format: Literal["url", "b64_json"] = "url"


class EditBody(ImageBody):
    """Fields of a request for an image made from others."""

    image: str | None = None
    start_image: str | None = None
    input_image: str | None = None
    mask: str | None = None
    control_image: str | None = None
    input_images: list[str] = Field(default_factory=list, max_length=_MAX_REFERENCES)
    prompt_strength: Annotated[float, Field(ge=0, le=1)] = 0.45


async def generate(request: Request) -> Response:
    """POST /images/generations."""
    world = request.app.state.world
    values = await read_object(request)
    model = required_model(values, "image")
    body = parse_body(EditBody if model.edits_images else ImageBody, values)
    sources, mask = [], None
    if isinstance(body, EditBody):
        sources = await load_sources(request, body, _SOURCES)
        mask = next(iter(await load_sources(request, body, ("mask",))), None)
    seed = seed_of(request, body)
    require_credit(world)
    source = next(iter(sources), None)
    data = await in_thread(request, _draw, model.id, seed, body, source, mask)
    world.charge_inference(model.id, model.unit_usd, f"Image by {model.id}")
    path = world.media.put("image", f"image-{seed}.webp", "image/webp", data)
    item = (
        {"url": str(request.base_url).rstrip("/") + path}
        if body.response_format == "url"
        else {"b64_json": base64.b64encode(data).decode()}
    )
    return JSONResponse({"created": int(world.clock.now().timestamp()), "data": [item]})


def _draw(
    model_id: str, seed: int, body: ImageBody, source: Image.Image | None, mask: Image.Image | None
) -> bytes:
    spec = ImageSpec(body.prompt, model_id, seed, *_size(body, source))
    if source is not None and isinstance(body, EditBody):
        return encode_webp(draw_edit(spec, source, mask, body.prompt_strength))
    return encode_webp(draw_image(spec))


def _size(body: ImageBody, source: Image.Image | None) -> tuple[int, int]:
    """Width and height, which win over the ratio; else those of the source, within the limits."""
    if body.width is not None or body.height is not None:
        across, down = _SIZES["1:1"]
        return body.width or across, body.height or down
    if body.aspect_ratio is not None or source is None:
        return _SIZES[body.aspect_ratio or "1:1"]
    scale = min(1.0, MAX_SIDE_PX / max(source.size))
    width, height = (max(round(side * scale), MIN_SIDE_PX) for side in source.size)
    return width, height


routes = [Route("/images/generations", generate, methods=["POST"])]
