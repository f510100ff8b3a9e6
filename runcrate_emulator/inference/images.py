"""POST /v1/images/generations: images from a prompt, and edits of images.

Fields and ranges as documented on the service's image reference and in seed 003; there is no
separate endpoint for edits. Fields that a model does not support are ignored, as documented: source
images by models that only draw, and everything unknown.
"""

import base64
from typing import Annotated, Literal

from pydantic import Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from runcrate_emulator.bodies import parse_body, read_object
from runcrate_emulator.inference.catalogued import required_model
from runcrate_emulator.inference.media_requests import (
    MAX_SIDE_PX,
    MIN_SIDE_PX,
    DrawingBody,
    absolute_url,
    in_thread,
    seed_of,
)
from runcrate_emulator.inference.source_images import load_source
from runcrate_emulator.media.image_files import encode_webp
from runcrate_emulator.media.images import (
    DEFAULT_STRENGTH,
    ImageSpec,
    Sources,
    draw_edit,
    draw_image,
)

_DEFAULT_SIZE = (1024, 1024)
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


class ImageBody(DrawingBody):
    """Fields of a request for an image."""

    aspect_ratio: Literal["1:1", "16:9", "9:16", "4:3", "3:4", "3:2", "2:3"] | None = None
    num_inference_steps: Annotated[int, Field(ge=1, le=_MAX_STEPS)] | None = None
    guidance: Annotated[float, Field(ge=0, le=_MAX_GUIDANCE)] | None = None
    negative_prompt: str | None = None
    response_format: Literal["url", "b64_json"] = "url"

    def size(self) -> tuple[int, int] | None:
        """Return width and height, which win over the ratio; None if nothing says them."""
        if self.width is None and self.height is None:
            return _SIZES[self.aspect_ratio] if self.aspect_ratio else None
        return self.width or _DEFAULT_SIZE[0], self.height or _DEFAULT_SIZE[1]


class EditBody(ImageBody):
    """Fields of a request for an image made from others."""

    image: str | None = None
    start_image: str | None = None
    input_image: str | None = None
    mask: str | None = None
    control_image: str | None = None
    input_images: list[str] = Field(default_factory=list, max_length=_MAX_REFERENCES)
    prompt_strength: Annotated[float, Field(ge=0, le=1)] = DEFAULT_STRENGTH


async def generate(request: Request) -> Response:
    """POST /images/generations."""
    world = request.app.state.world
    values = await read_object(request)
    model = required_model(values, "image")
    body = parse_body(EditBody if model.edits_images else ImageBody, values)
    sources = await _load(request, body) if isinstance(body, EditBody) else Sources()
    seed = seed_of(request, body)
    world.require_credit()
    data = await in_thread(request, _draw, model.id, seed, body, sources)
    world.charge_inference(
        model=model.id, cost_usd=model.unit_usd, description=f"Image by {model.id}"
    )
    path = world.media.put("image", f"image-{seed}.webp", "image/webp", data)
    item = (
        {"url": absolute_url(request, path)}
        if body.response_format == "url"
        else {"b64_json": base64.b64encode(data).decode()}
    )
    return JSONResponse({"created": int(world.clock.now().timestamp()), "data": [item]})


async def _load(request: Request, body: EditBody) -> Sources:
    named = {
        name: await load_source(request, name, value)
        for name in ("image", "start_image", "input_image", "mask", "control_image")
        if (value := getattr(body, name)) is not None
    }
    images = [named[name] for name in ("image", "start_image", "input_image") if name in named]
    images += [await load_source(request, "input_images", it) for it in body.input_images]
    return Sources(
        images=tuple(images),
        mask=named.get("mask"),
        control=named.get("control_image"),
        strength=body.prompt_strength,
    )


def _draw(model_id: str, seed: int, body: ImageBody, sources: Sources) -> bytes:
    width, height = body.size() or _size_of_source(sources)
    spec = ImageSpec(body.prompt, model_id, seed, width, height)
    image = draw_edit(spec, sources) if sources else draw_image(spec)
    return encode_webp(image, spec)


def _size_of_source(sources: Sources) -> tuple[int, int]:
    """Take the size of the edited image, brought into the allowed range."""
    if not sources.images:
        return _DEFAULT_SIZE
    source = sources.images[0]
    scale = min(1.0, MAX_SIDE_PX / max(source.size))
    width, height = (max(round(side * scale), MIN_SIDE_PX) for side in source.size)
    return width, height


routes = [Route("/images/generations", generate, methods=["POST"])]
