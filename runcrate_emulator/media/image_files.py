"""Images as files: reading what people send, writing what the emulator draws."""

import io
import json
from typing import Any

from PIL import Image, ImageOps

from runcrate_emulator.media.images import ImageSpec

__all__ = ["ImageFileError", "encode_webp", "open_image", "read_note"]

_FORMATS = ("PNG", "JPEG", "WEBP", "GIF")  # those that the official SDK 0.5.0 labels when it sends
_MAX_PIXELS = 40_000_000  # 160 MB in memory; more than any camera phone's image
_QUALITY = 85
_EFFORT = 2  # of 6; more takes longer and saves little on drawings
_IMAGE_DESCRIPTION = 0x010E  # EXIF tag; ASCII only, hence the JSON


class ImageFileError(ValueError):
    """A file that is no image the emulator reads."""


def open_image(data: bytes) -> Image.Image:
    """Read a PNG, JPEG, WebP or GIF file; of an animation, its first image.

    Returns:
        An RGB or RGBA image, turned as its camera says.

    Raises:
        ImageFileError: The file is of another kind, broken, or too large.
    """
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as file:
            too_large = file.width * file.height > _MAX_PIXELS
            if not too_large:
                upright = ImageOps.exif_transpose(file)
                return upright.convert("RGBA" if upright.has_transparency_data else "RGB")
    except Exception:  # noqa: BLE001 - Pillow's decoders raise whatever their parsing runs into
        raise ImageFileError("it is no readable PNG, JPEG, WebP or GIF file") from None
    raise ImageFileError(f"it has more than {_MAX_PIXELS} pixels")


def encode_webp(image: Image.Image, spec: ImageSpec) -> bytes:
    """Write a WebP file with prompt, model and seed in its EXIF description, as JSON."""
    note = {"prompt": spec.prompt, "model": spec.model, "seed": spec.seed}
    exif = Image.Exif()
    exif[_IMAGE_DESCRIPTION] = json.dumps(note)
    file = io.BytesIO()
    image.save(file, "WEBP", quality=_QUALITY, method=_EFFORT, exif=exif)
    return file.getvalue()


def read_note(data: bytes) -> dict[str, Any] | None:
    """Give `prompt`, `model` and `seed` of a image that the emulator drew; None for any other."""
    try:
        with Image.open(io.BytesIO(data), formats=("WEBP",)) as file:
            note = json.loads(file.getexif().get(_IMAGE_DESCRIPTION, ""))
    except Exception:  # noqa: BLE001 - any file may be asked about
        return None
    return note if isinstance(note, dict) and {"prompt", "model", "seed"} <= note.keys() else None
