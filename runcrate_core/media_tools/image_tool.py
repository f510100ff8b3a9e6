"""The image tool: generate images from a prompt, or edit one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pydantic import Field

from runcrate_core.api import images
from runcrate_core.media_tools.cost import cost_facts
from runcrate_core.media_tools.result import MediaResult
from runcrate_core.media_tools.tool import MediaArguments, MediaTool, Prompt
from runcrate_core.models_catalogue import get_model_info

if TYPE_CHECKING:
    from decimal import Decimal

    from runcrate_core.media_tools.generator import MediaGenerator
    from runcrate_core.media_tools.result import MediaFile
    from runcrate_core.protocol.steps import Flow

MAX_IMAGES: Final = 8
# Seeds stay within the range of every documented example.
_SEEDS: Final = 2**31


class ImageArguments(MediaArguments):
    """Arguments of the image tool."""

    prompt: Prompt = Field(description="Description of the image, or the edit of `image` to make.")
    image: str | None = Field(
        default=None,
        description="An image to edit: its https URL, a data URI, or the file name of an image "
        "generated before.",
    )
    width: int | None = Field(default=None, ge=256, le=2048, description="Pixels.")
    height: int | None = Field(default=None, ge=256, le=2048, description="Pixels.")
    count: int = Field(default=1, ge=1, le=MAX_IMAGES, description="Number of images.")
    seed: int | None = Field(
        default=None, ge=0, le=_SEEDS - 1, description="The same seed gives the same image."
    )
    negative_prompt: str | None = Field(default=None, max_length=2000, description="What to avoid.")


def generate_images(settings: MediaGenerator, args: ImageArguments) -> Flow[MediaResult]:
    """Generate or edit images, one request each.

    Raises:
        ConfigurationError: The directory cannot be created.
        ValueError: More images than are allowed, or the source is not usable.
        RuncrateError: A request failed; images generated before it are named in a note.
    """
    if args.count > settings.max_images:
        raise ValueError(
            f"{args.count} images are not allowed; the maximum is {settings.max_images}. "
            "Nothing was sent."
        )
    directory = settings.media_directory
    yield from directory.create()
    source = yield from directory.resolve(args.image)
    model = settings.image_model if source is None else settings.edit_model
    files: list[MediaFile] = []
    responses: list[dict[str, Any]] = []
    for number in range(args.count):
        seed = None if args.seed is None else (args.seed + number) % _SEEDS
        try:
            result = yield from images.generate(
                args.prompt,
                model=model,
                width=args.width,
                height=args.height,
                seed=seed,
                negative_prompt=args.negative_prompt,
                image=source,
                response_format="b64_json",
            )
            responses.append(result.to_dict())
            content = yield from _content_of(result.image)
            files.append((yield from directory.write("image", content, seed=seed)))
        except BaseException as error:
            if files:
                names = ", ".join(file.path.name for file in files)
                error.add_note(f"Generated before this failed: {names}.")
            raise
    facts = {
        "seed": args.seed,
        "width": args.width,
        "height": args.height,
        **cost_facts(responses, model=model, images=len(files)),
    }
    return MediaResult.of_files("image", files, model, facts)


def _content_of(image: images.GeneratedImage) -> Flow[bytes]:
    at_hand = image.content_at_hand()
    return at_hand if at_hand is not None else (yield from image.fetch())


def _price(settings: MediaGenerator, args: ImageArguments) -> Decimal | None:
    model = settings.image_model if args.image is None else settings.edit_model
    info = get_model_info(model)
    price = None if info is None else info.usd_per_image
    return None if price is None else price * args.count


IMAGE_TOOL: Final = MediaTool(
    "runcrate_generate_image",
    "Generate one or more images from a description, or edit an image. They are saved as files, "
    "whose names are returned. Takes some seconds; each image costs money.",
    ImageArguments,
    lambda settings, args, _: generate_images(settings, args),
    "image",
    _price,
)
