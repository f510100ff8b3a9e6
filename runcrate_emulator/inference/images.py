"""POST /v1/images/generations: images from a prompt, and edits of images.

Fields and ranges as documented on the service's image reference and in seed 003; there is no
separate endpoint for edits. Fields that a model does not support are ignored, as documented: source
images by models that only draw, and everything unknown.
"""

import base64
from dataclasses import dataclass
from typing import Any

from PIL import Image
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from runcrate_emulator.bodies import Fields, read_object
from runcrate_emulator.inference.catalogued import required_model
from runcrate_emulator.inference.media_requests import (
    MAX_SIDE_PX,
    MIN_SIDE_PX,
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
_MAX_STEPS = 100
_MAX_GUIDANCE = 100.0  # no range is documented; the emulator's own, wider than any model's
_MAX_REFERENCES = 8


@dataclass(frozen=True)
class _Wish:
    """A checked request."""

    prompt: str
    seed: int
    size: tuple[int, int] | None
    """None: as large as the source, or the default."""
    wants_url: bool
    sources: Sources


async def generate(request: Request) -> Response:
    """POST /images/generations."""
    world = request.app.state.world
    body = await read_object(request)
    model = required_model(body, "image")
    fields = Fields(body)
    wish = await _read_wish(request, fields, edits=model.edits_images)
    world.require_credit()
    data = await in_thread(request, _draw, model.id, wish)
    world.charge_inference(
        model=model.id, cost_usd=model.unit_usd, description=f"Image by {model.id}"
    )
    path = world.media.put("image", f"image-{wish.seed}.webp", "image/webp", data)
    item = (
        {"url": absolute_url(request, path)}
        if wish.wants_url
        else {"b64_json": base64.b64encode(data).decode()}
    )
    return JSONResponse({"created": int(world.clock.now().timestamp()), "data": [item]})


async def _read_wish(request: Request, fields: Fields, *, edits: bool) -> _Wish:
    prompt = fields.required("prompt", fields.text("prompt"))
    size = _requested_size(fields)
    fields.integer("num_inference_steps", 1, _MAX_STEPS)
    fields.number("guidance", 0, _MAX_GUIDANCE)
    negative = fields.raw("negative_prompt")
    if negative is not None and not isinstance(negative, str):
        fields.bad_shape("negative_prompt", "must be a string")
    return _Wish(
        prompt=prompt,
        seed=seed_of(request, fields),
        size=size,
        wants_url=fields.one_of("response_format", ("url", "b64_json")) != "b64_json",
        sources=await _read_sources(request, fields) if edits else Sources(),
    )


def _requested_size(fields: Fields) -> tuple[int, int] | None:
    """Read `width`, `height` and `aspect_ratio`; the numbers win over the ratio."""
    width = fields.integer("width", MIN_SIDE_PX, MAX_SIDE_PX)
    height = fields.integer("height", MIN_SIDE_PX, MAX_SIDE_PX)
    ratio = fields.one_of("aspect_ratio", tuple(_SIZES))
    if width is None and height is None:
        return _SIZES[ratio] if ratio else None
    return width or _DEFAULT_SIZE[0], height or _DEFAULT_SIZE[1]


async def _read_sources(request: Request, fields: Fields) -> Sources:
    async def load(name: str, value: Any) -> Image.Image:
        return await load_source(request, fields, name, value)

    named = {
        name: await load(name, fields.raw(name))
        for name in ("image", "start_image", "input_image", "mask", "control_image")
        if fields.raw(name) is not None
    }
    references = fields.texts("input_images") or []
    if len(references) > _MAX_REFERENCES:
        fields.bad_value("input_images", f"must hold at most {_MAX_REFERENCES} images")
    images = [named[name] for name in ("image", "start_image", "input_image") if name in named] + [
        await load("input_images", reference) for reference in references
    ]
    strength = fields.number("prompt_strength", 0, 1)
    return Sources(
        images=tuple(images),
        mask=named.get("mask"),
        control=named.get("control_image"),
        strength=DEFAULT_STRENGTH if strength is None else strength,
    )


def _draw(model_id: str, wish: _Wish) -> bytes:
    width, height = wish.size or _size_of_source(wish.sources)
    spec = ImageSpec(wish.prompt, model_id, wish.seed, width, height)
    image = draw_edit(spec, wish.sources) if wish.sources else draw_image(spec)
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
