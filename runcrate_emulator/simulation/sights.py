"""What can honestly be told of a picture: its format, size and colours, and its own note."""

import io
from collections import Counter
from dataclasses import dataclass
from typing import Final

from PIL import Image

_SAMPLE: Final = 32
"""Pixels to a side of the small copy whose colours are counted."""
_MOST_COLOURS: Final = 3
_SHARE: Final = 0.08
"""Share of the picture from which a colour is worth a mention."""
_LARGEST_PIXELS: Final = 40_000_000
_NAMED: Final = {
    "black": (0, 0, 0),
    "dark grey": (64, 64, 64),
    "grey": (128, 128, 128),
    "light grey": (200, 200, 200),
    "white": (255, 255, 255),
    "red": (220, 30, 30),
    "dark red": (120, 20, 20),
    "orange": (245, 140, 30),
    "brown": (120, 75, 40),
    "yellow": (245, 225, 50),
    "beige": (230, 215, 180),
    "green": (50, 160, 60),
    "dark green": (20, 80, 35),
    "light green": (150, 220, 140),
    "turquoise": (50, 190, 190),
    "blue": (40, 80, 210),
    "dark blue": (20, 30, 100),
    "light blue": (140, 190, 240),
    "purple": (130, 50, 170),
    "pink": (240, 140, 190),
}


@dataclass(frozen=True, slots=True)
class Sight:
    """What a picture shows, as far as its bytes tell.

    Attributes:
        format: `PNG`, `JPEG`, …
        width: In pixels.
        height: In pixels.
        colours: Names of its main colours, the commonest first.
        words: The words in it, if it is a picture that this emulator drew; else "".
    """

    format: str
    width: int
    height: int
    colours: tuple[str, ...]
    words: str

    def told(self) -> str:
        """A sentence or two about the picture."""
        colours = " and ".join(self.colours) if self.colours else "many colours"
        text = (
            f"The image is a {self.format} picture of "
            f"{self.width}x{self.height} pixels, mostly {colours}."
        )
        return f"{text} The text in it reads: {self.words}" if self.words else text


def look(data: bytes) -> Sight | None:
    """Look at a picture; `None` if the bytes are no picture that can be read."""
    try:
        with Image.open(io.BytesIO(data)) as picture:
            if picture.width * picture.height > _LARGEST_PIXELS:
                return Sight(picture.format or "large", picture.width, picture.height, (), "")
            small = picture.convert("RGBA").resize((_SAMPLE, _SAMPLE))
            background = Image.new("RGBA", small.size, (255, 255, 255, 255))
            flat = Image.alpha_composite(background, small).convert("RGB")
            return Sight(
                picture.format or "image",
                picture.width,
                picture.height,
                _colours(flat.tobytes()),
                _words(data),
            )
    except Exception:  # noqa: BLE001 - Pillow's decoders raise whatever their parsing runs into
        return None


def _colours(raw: bytes) -> tuple[str, ...]:
    pixels = [tuple(raw[at : at + 3]) for at in range(0, len(raw), 3)]
    counted = Counter(_nearest(pixel) for pixel in pixels)
    common = counted.most_common(_MOST_COLOURS)
    return tuple(name for name, count in common if count >= _SHARE * len(pixels))


def _nearest(pixel: tuple[int, ...]) -> str:
    return min(
        _NAMED,
        key=lambda name: sum(
            (one - two) ** 2 for one, two in zip(pixel, _NAMED[name], strict=True)
        ),
    )


def _words(data: bytes) -> str:
    """The prompt of a picture that the emulator drew, which it writes legibly into the picture."""
    from runcrate_emulator.media.picture_files import read_note  # noqa: PLC0415 - media is heavy

    note = read_note(data)
    return str(note["prompt"]) if note else ""
