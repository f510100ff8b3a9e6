"""Images drawn from a prompt, edits of images, and the files that hold them.

A plain gradient with a few discs, whose colours come from prompt and seed, so that a person sees at
a glance which request made an image; the prompt is written in it.
"""

import io
import random
import re
import textwrap
from dataclasses import dataclass

from PIL import Image, ImageChops, ImageColor, ImageDraw, ImageFont, ImageOps

Box = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels."""

_INK, _PANEL = (255, 255, 255), (12, 14, 22)
_PANEL_OPACITY = 0.9
_CAPTION_SHARE = 0.4  # of the height, at most
_LETTER_SHARE = 24  # a letter is this fraction of the width
_MIN_LETTER_PX = 11
_LETTER_WIDTH = 0.55  # over its height, on average
_FORMATS = ("PNG", "JPEG", "WEBP", "GIF")  # those that the official SDK 0.5.0 labels when it sends
_MAX_PIXELS = 40_000_000  # 160 MB in memory; more than any camera phone's image
_QUALITY, _EFFORT = 85, 2  # effort of 6; more takes longer and saves little on drawings


class ImageFileError(ValueError):
    """A file that is not an image that the emulator reads."""


@dataclass(frozen=True)
class ImageSpec:
    """The description of an image that is drawn; `width` and `height` are in pixels."""

    prompt: str
    model: str
    seed: int
    width: int
    height: int

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.width, self.height


def draw_backdrop(spec: ImageSpec) -> Image.Image:
    """Draw the RGB image of a spec without its caption; colours named in the prompt are in it."""
    chance = random.Random(repr((spec.prompt, spec.model, spec.seed)))  # noqa: S311 - a drawing
    named = [w for w in re.findall("[a-z]+", spec.prompt.lower()) if w in ImageColor.colormap]
    hues = (f"hsv({chance.randrange(360)},{chance.randint(45, 85)}%,75%)" for _ in range(5))
    colours = [ImageColor.getrgb(one)[:3] for one in (*dict.fromkeys(named), *hues)]
    ramp = ImageOps.colorize(Image.linear_gradient("L"), colours[1], colours[2])
    image = ramp.resize(spec.size)
    pen = ImageDraw.Draw(image)
    for colour in (*colours[3:], colours[0]):
        radius = min(spec.size) * chance.uniform(0.05, 0.2)
        middle = spec.width * chance.random(), spec.height * chance.uniform(0.1, 0.5)
        pen.circle(middle, radius, fill=colour)
    return image


def draw_image(spec: ImageSpec) -> Image.Image:
    """Draw an RGB image with its prompt written in it; the same spec, the same image."""
    image = draw_backdrop(spec)
    draw_caption(image, spec.prompt, spec, (0, 0, *spec.size))
    return image


def draw_edit(
    spec: ImageSpec, source: Image.Image, mask: Image.Image | None, strength: float
) -> Image.Image:
    """Draw an RGB image over its source, with the prompt as the instruction.

    Args:
        spec: The image to draw; the source is fitted to its size.
        source: The image that is edited.
        mask: Editable area: the white parts, or the transparent parts if there are any.
        strength: Opacity of what is drawn: 0 leaves the source, 1 covers it.
    """
    paper = Image.new("RGB", source.size, "white")
    paper.paste(source, mask=source.getchannel("A") if "A" in source.getbands() else None)
    source = ImageOps.fit(paper, spec.size)
    edited = Image.blend(source, draw_backdrop(spec), strength)
    if mask is None:
        draw_caption(edited, f"Edit: {spec.prompt}", spec, (0, 0, *spec.size))
        return edited
    changed = _white_is_changed(mask, spec.size)
    if area := changed.getbbox():
        draw_caption(edited, f"Edit: {spec.prompt}", spec, area)
    return Image.composite(edited, source, changed)


def draw_caption(image: Image.Image, text: str, spec: ImageSpec, area: Box) -> Box:
    """Write a text, shortened to fit, on a dark panel at the bottom of an area of an image.

    Returns the area of the panel.
    """
    left, top, right, bottom = area
    size = max((right - left) // _LETTER_SHARE, _MIN_LETTER_PX)
    font = ImageFont.load_default(size)
    columns = max(int((right - left) / (size * _LETTER_WIDTH)), 2)
    rows = max(int((bottom - top) * _CAPTION_SHARE / (size * 1.4)) - 1, 1)
    lines = textwrap.wrap(
        text[: 2 * columns * rows], columns, max_lines=rows, placeholder="\N{HORIZONTAL ELLIPSIS}"
    )
    lines.append(f"Runcrate emulator \N{MIDDLE DOT} seed {spec.seed} \N{MIDDLE DOT} {spec.model}")
    place = left, max(bottom - round(len(lines) * size * 1.4), top), right, bottom
    part = image.crop(place)
    panel = Image.blend(part, Image.new("RGB", part.size, _PANEL), _PANEL_OPACITY)
    ImageDraw.Draw(panel).multiline_text((4, 2), "\n".join(lines), fill=_INK, font=font)
    image.paste(panel, place)
    return place


def _white_is_changed(mask: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Bring a mask to the form in which 255 is what changes."""
    channel = mask.convert("L")
    if "A" in mask.getbands():
        alpha = mask.getchannel("A")
        channel = ImageChops.invert(alpha) if alpha.getextrema() != (255, 255) else channel
    return ImageOps.fit(channel, size).point(lambda value: 255 * (value // 128))


def open_image(data: bytes) -> Image.Image:
    """Read a PNG, JPEG, WebP or GIF file, turned as its camera says; of an animation, the first."""
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as file:
            if file.width * file.height <= _MAX_PIXELS:
                upright = ImageOps.exif_transpose(file)
                return upright.convert("RGBA" if upright.has_transparency_data else "RGB")
    except Exception:  # noqa: BLE001 - Pillow's decoders raise whatever their parsing runs into
        raise ImageFileError("it is not a readable PNG, JPEG, WebP or GIF file") from None
    raise ImageFileError(f"it has more than {_MAX_PIXELS} pixels")


def encode_webp(image: Image.Image) -> bytes:
    """Write a WebP file."""
    file = io.BytesIO()
    image.save(file, "WEBP", quality=_QUALITY, method=_EFFORT)
    return file.getvalue()
