"""Images drawn from a prompt, and edits of images, with the prompt written in them.

A plain gradient with a few discs, whose colours come from prompt and seed, so that a person sees at
a glance which request made an image.
"""

import random
import re
import textwrap
from dataclasses import dataclass

from PIL import Image, ImageChops, ImageColor, ImageDraw, ImageFilter, ImageFont, ImageOps

DEFAULT_STRENGTH = 0.45
"""Opacity of the edited part: 0 leaves the source, 1 covers it."""

Box = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels."""

_INK, _PANEL = (255, 255, 255), (12, 14, 22)
_PANEL_OPACITY = 0.9
_CAPTION_SHARE = 0.4  # of the height, at most
_LETTER_SHARE = 24  # a letter is this fraction of the width
_MIN_LETTER_PX = 11
_LETTER_WIDTH = 0.55  # over its height, on average
_INSET_SHARE = 4  # the untouched sources are shown at this fraction of the width, all together


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


@dataclass(frozen=True)
class Sources:
    """The images that an edit starts from.

    Attributes:
        images: The first is edited; the others are shown beside it as references.
        mask: Editable area: the white parts, or the transparent parts if there are any.
        control: The image whose outlines the result follows.
        strength: Opacity of what is drawn over the source.
    """

    images: tuple[Image.Image, ...] = ()
    mask: Image.Image | None = None
    control: Image.Image | None = None
    strength: float = DEFAULT_STRENGTH

    def __bool__(self) -> bool:
        """True if there is any."""
        return bool(self.images) or self.control is not None


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


def draw_edit(spec: ImageSpec, sources: Sources) -> Image.Image:
    """Draw an RGB image that shows its sources, and its prompt as the instruction.

    Outside the mask the result is the source, fitted to the requested size.
    """
    drawn = draw_backdrop(spec)
    source = _fitted(sources.images[0], spec.size) if sources.images else drawn
    edited = Image.blend(source, drawn, sources.strength)
    if sources.control is not None:
        edges = _fitted(sources.control, spec.size).convert("L").filter(ImageFilter.FIND_EDGES)
        edited.paste(_INK, (0, 0), ImageOps.autocontrast(edges))
    mask = _white_is_changed(sources.mask, spec.size) if sources.mask else None
    area = (0, 0, *spec.size) if mask is None else mask.getbbox()
    if area is not None:
        draw_caption(edited, f"Edit: {spec.prompt}", spec, area)
    if mask is not None:
        return Image.composite(edited, source, mask)
    right = spec.width
    for image in reversed(sources.images):
        share = _INSET_SHARE * min(len(sources.images), 2)
        inset = ImageOps.contain(_opaque(image), (spec.width // share, spec.width // share))
        right -= inset.width
        edited.paste(inset, (right, 0))
    return edited


def draw_caption(image: Image.Image, text: str, spec: ImageSpec, area: Box) -> Box:
    """Write a text on a dark panel at the bottom of an area; changes the image.

    Returns:
        Where the panel is; a text that does not fit is shortened.
    """
    left, top, right, bottom = area
    size = max((right - left) // _LETTER_SHARE, _MIN_LETTER_PX)
    font = ImageFont.load_default(size)
    columns = max(int((right - left) / (size * _LETTER_WIDTH)), 2)
    rows = max(int((bottom - top) * _CAPTION_SHARE / (size * 1.4)) - 1, 1)
    lines = textwrap.wrap(
        text[: 2 * columns * rows], columns, max_lines=rows, placeholder="\N{HORIZONTAL ELLIPSIS}"
    )
    lines.append(f"seed {spec.seed} \N{MIDDLE DOT} {spec.model} \N{MIDDLE DOT} Runcrate emulator")
    place = left, max(bottom - round(len(lines) * size * 1.4), top), right, bottom
    part = image.crop(place)
    panel = Image.blend(part, Image.new("RGB", part.size, _PANEL), _PANEL_OPACITY)
    ImageDraw.Draw(panel).multiline_text((4, 2), "\n".join(lines), fill=_INK, font=font)
    image.paste(panel, place)
    return place


def _opaque(image: Image.Image) -> Image.Image:
    paper = Image.new("RGB", image.size, "white")
    paper.paste(image, mask=image.getchannel("A") if "A" in image.getbands() else None)
    return paper


def _fitted(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    return ImageOps.fit(_opaque(image), size)


def _white_is_changed(mask: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Bring a mask to the form in which 255 is what changes."""
    channel = mask.convert("L")
    if "A" in mask.getbands():
        alpha = mask.getchannel("A")
        channel = ImageChops.invert(alpha) if alpha.getextrema() != (255, 255) else channel
    return ImageOps.fit(channel, size).point(lambda value: 255 * (value // 128))
