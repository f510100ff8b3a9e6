"""Images drawn from a prompt: a landscape whose colours and shapes come from prompt and seed.

The prompt is written legibly into the image, so that a person sees at a glance which request made
it. Colour names in the prompt decide its colours.
"""

import colorsys
import math
import random
import re
from dataclasses import dataclass

from PIL import Image, ImageColor, ImageDraw, ImageOps

from runcrate_emulator.media.lettering import draw_panel

__all__ = ["ImageSpec", "draw_image", "draw_landscape", "signature_of"]

Colour = tuple[int, int, int]

_PALETTE_SIZE = 5
_SKETCH_SCALE = 2.0  # shapes are drawn larger and reduced, which smooths their edges
_MAX_SKETCH_PX = 2048  # drawing larger still would cost more than it shows
_CAPTION_SHARE = 0.45  # of the height, at most


@dataclass(frozen=True)
class ImageSpec:
    """The description of an image that is drawn."""

    prompt: str
    model: str
    seed: int
    width: int
    """Pixels."""
    height: int
    """Pixels."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.width, self.height


def draw_image(spec: ImageSpec) -> Image.Image:
    """Draw an RGB image with its prompt written in it; the same spec, the same image."""
    image = draw_landscape(spec)
    top = round(spec.height * (1 - _CAPTION_SHARE))
    draw_panel(
        image,
        spec.prompt,
        (0, top, spec.width, spec.height),
        note=signature_of(spec),
    )
    return image


def signature_of(spec: ImageSpec) -> str:
    """Say which model, seed and software an image is of."""
    return f"seed {spec.seed} · {spec.model} · Runcrate emulator"


def draw_landscape(spec: ImageSpec) -> Image.Image:
    """Draw the image without its caption."""
    key = repr((spec.prompt, spec.model, spec.seed))
    chance = random.Random(key)  # noqa: S311 - a drawing, no secret
    palette = _palette(spec.prompt, chance)
    scale = min(_SKETCH_SCALE, _MAX_SKETCH_PX / max(spec.size))
    width, height = (round(side * scale) for side in spec.size)
    sky = ImageOps.colorize(Image.linear_gradient("L"), palette[0], palette[1])
    sketch = sky.resize((width, height))
    pen = ImageDraw.Draw(sketch, "RGBA")
    _draw_sun(pen, width, height, palette[2], chance)
    for _ in range(chance.randint(6, 14)):
        _draw_bubble(pen, width, height, chance.choice(palette), chance)
    layers = chance.randint(3, 5)
    for layer in range(layers):
        shade = 1 - 0.55 * (layer + 1) / layers
        colour = _scaled(palette[3 + layer % 2], shade)
        _draw_hill(pen, width, height, 0.4 + 0.45 * layer / layers, colour, chance)
    return sketch.resize(spec.size, Image.Resampling.BICUBIC)


def _palette(prompt: str, chance: random.Random) -> list[Colour]:
    """Give the colours named in a prompt, filled up with colours that go together."""
    named = [
        ImageColor.getrgb(word)[:3]
        for word in re.findall("[a-z]+", prompt.lower())
        if word in ImageColor.colormap
    ]
    hue = chance.random()
    harmonious = [
        _hsv(hue + turn, chance.uniform(0.45, 0.85), chance.uniform(0.55, 0.95))
        for turn in (0.0, 0.08, 0.5, -0.08, 0.42)
    ]
    # Named colours take the sun, the sky and the hills, in this order of prominence.
    palette = harmonious
    for place, colour in zip((1, 2, 3, 0, 4), dict.fromkeys(named), strict=False):
        palette[place] = (colour[0], colour[1], colour[2])
    return palette[:_PALETTE_SIZE]


def _hsv(hue: float, saturation: float, value: float) -> Colour:
    red, green, blue = colorsys.hsv_to_rgb(hue % 1.0, saturation, value)
    return round(red * 255), round(green * 255), round(blue * 255)


def _scaled(colour: Colour, factor: float) -> Colour:
    red, green, blue = (round(part * factor) for part in colour)
    return red, green, blue


def _draw_sun(
    pen: ImageDraw.ImageDraw, width: int, height: int, colour: Colour, chance: random.Random
) -> None:
    radius = min(width, height) * chance.uniform(0.1, 0.22)
    x, y = width * chance.uniform(0.15, 0.85), height * chance.uniform(0.12, 0.35)
    for ring, alpha in ((1.7, 40), (1.35, 80), (1.0, 255)):
        pen.circle((x, y), radius * ring, fill=(*colour, alpha))


def _draw_bubble(
    pen: ImageDraw.ImageDraw, width: int, height: int, colour: Colour, chance: random.Random
) -> None:
    radius = min(width, height) * chance.uniform(0.01, 0.07)
    middle = (width * chance.random(), height * chance.uniform(0.0, 0.6))
    pen.circle(middle, radius, fill=(*colour, chance.randint(60, 150)))


def _draw_hill(
    pen: ImageDraw.ImageDraw,
    width: int,
    height: int,
    level: float,
    colour: Colour,
    chance: random.Random,
) -> None:
    swells = [
        (chance.uniform(0.5, 1.5) * (2**octave), chance.random(), 0.09 / (1.6**octave))
        for octave in range(4)
    ]
    step = max(width // 128, 1)
    ridge = [
        (
            float(x),
            height
            * (
                level
                + sum(
                    swell * math.sin(math.tau * (waves * x / width + phase))
                    for waves, phase, swell in swells
                )
            ),
        )
        for x in range(0, width + step, step)
    ]
    pen.polygon([(0.0, float(height)), *ridge, (float(width), float(height))], fill=(*colour, 255))
