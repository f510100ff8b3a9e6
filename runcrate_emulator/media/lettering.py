"""Text in pictures, at the largest size at which it fits."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from PIL import Image, ImageDraw, ImageFont

__all__ = ["Box", "draw_panel"]

Box = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels."""

_OTHER_FONTS = (  # tried in turn for scripts that Pillow's own font lacks; absent ones are skipped
    "DejaVuSans.ttf",
    "NotoSansCJK-Regular.ttc",
    "NotoSans-Regular.ttf",
    "Arial Unicode.ttf",
    "PingFang.ttc",
    "msyh.ttc",
    "seguisym.ttf",
)
_NO_GLYPH = "\U0010fffe"  # a code point that no font draws, so that it shows the font's blank box
_LARGEST_SHARE = 12  # a letter is at most this fraction of the box's width
_SMALLEST_PX = 11  # below this, text is shortened rather than shrunk
_LINE_HEIGHT = 1.25  # of the font size
_NARROW_LETTER = 0.4  # width over font size of a narrow text's average letter
_THINNEST_LETTER = 0.15  # the same of an `i`
_SAMPLE_LETTERS = 500
_INK = (255, 255, 255)
_NOTE_INK = (190, 196, 210)
_PANEL = (12, 14, 22, 225)  # nearly black; lets a hint of the picture through


@dataclass(frozen=True)
class _Lines:
    lines: tuple[str, ...]
    font: ImageFont.FreeTypeFont

    @property
    def height(self) -> int:
        return round(len(self.lines) * self.font.size * _LINE_HEIGHT)


def draw_panel(picture: Image.Image, text: str, box: Box, *, note: str = "") -> Box:
    """Write a text in white on a dark panel at the bottom of a box.

    Args:
        picture: An RGB picture; changed in place.
        text: What to write; shortened with an ellipsis if it cannot fit legibly.
        box: Where the panel may be. It is as high as its text needs.
        note: A smaller line under the text.

    Returns:
        Where the panel is.
    """
    left, top, right, bottom = box
    margin = max((right - left) // 40, 4)
    width = right - left - 2 * margin
    small = _font(note, max(width // 45, _SMALLEST_PX))
    note_height = round(small.size * _LINE_HEIGHT) if note else 0
    fitted = _fitted(text, width, bottom - top - 2 * margin - note_height)
    panel_top = max(bottom - fitted.height - note_height - 2 * margin, top)
    place = (left, panel_top, right, bottom)
    panel = picture.crop(place)  # what does not fit even so is cut off with it
    shade = Image.new("RGBA", panel.size, _PANEL)
    panel.paste(shade, mask=shade)
    pen = ImageDraw.Draw(panel)
    y = float(margin)
    for line in fitted.lines:
        pen.text((margin, y), line, fill=_INK, font=fitted.font)
        y += fitted.font.size * _LINE_HEIGHT
    if note:
        shortened = _shortened([note], 1, small, width)[0]
        pen.text((margin, y), shortened, fill=_NOTE_INK, font=small)
    picture.paste(panel, place)
    return place


def _fitted(text: str, width: int, height: int) -> _Lines:
    text = " ".join(text[: _most_letters(width, height)].split())
    size = _guessed_size(text, width, height)
    while True:
        font = _font(text, size)
        lines = list(_wrapped(text, font, width))
        fitted = _Lines(tuple(lines), font)
        if fitted.height <= height:
            return fitted
        if size <= _SMALLEST_PX:
            room = max(int(height / (size * _LINE_HEIGHT)), 1)
            return _Lines(tuple(_shortened(lines, room, font, width)), font)
        size = max(int(size * 0.9), _SMALLEST_PX)


def _most_letters(width: int, height: int) -> int:
    """Return how many letters can fit at all; looking at more would only take time."""
    in_line = width / (_SMALLEST_PX * _NARROW_LETTER)
    lines = height / (_SMALLEST_PX * _LINE_HEIGHT)
    return max(int(in_line * lines), 1) + 1


def _guessed_size(text: str, width: int, height: int) -> int:
    """Return a size at which the text just about fills the space, or the largest allowed."""
    font = _font(text, _SMALLEST_PX)
    sample = text[:_SAMPLE_LETTERS]
    letter = max(font.getlength(sample) / _SMALLEST_PX / max(len(sample), 1), _NARROW_LETTER)
    filling = math.sqrt(max(width * height, 0) / (max(len(text), 1) * letter * _LINE_HEIGHT))
    return max(min(int(filling * 1.1), width // _LARGEST_SHARE), _SMALLEST_PX)


def _wrapped(text: str, font: ImageFont.FreeTypeFont, width: int) -> Iterator[str]:
    space = font.getlength(" ")
    line, used = "", 0.0
    for word in text.split():
        rest, length = word, font.getlength(word[: _most_in_line(font, width)])
        if line and used + space + length <= width:
            line, used = f"{line} {rest}", used + space + length
            continue
        if line:
            yield line
        while length > width and len(rest) > 1:
            end = _fitting_length(rest, font, width)
            yield rest[:end]
            rest = rest[end:]
            length = font.getlength(rest[: _most_in_line(font, width)])
        line, used = rest, length
    yield line


def _most_in_line(font: ImageFont.FreeTypeFont, width: int) -> int:
    """Return a number of letters that is too long for a line, whichever they are."""
    return max(int(width / (font.size * _THINNEST_LETTER)), 1) + 1


def _fitting_length(word: str, font: ImageFont.FreeTypeFont, width: int) -> int:
    """Return how many letters of a word that is too long for a line go on one."""
    word = word[: _most_in_line(font, width)]
    end = max(int(len(word) * width / max(font.getlength(word), 1)), 1)
    while end > 1 and font.getlength(word[:end]) > width:
        end -= 1
    return end


def _shortened(lines: list[str], room: int, font: ImageFont.FreeTypeFont, width: int) -> list[str]:
    kept = lines[:room]
    last = kept[-1]
    if len(lines) <= room and font.getlength(last) <= width:
        return kept
    last = last[: _most_in_line(font, width)]
    while last and font.getlength(f"{last}…") > width:
        last = last[:-1]
    return [*kept[:-1], f"{last}…"]


def _font(text: str, size: int) -> ImageFont.FreeTypeFont:
    return _fonts(size)[_best_font(frozenset(text))]


@lru_cache(maxsize=64)
def _fonts(size: int) -> tuple[ImageFont.FreeTypeFont, ...]:
    """All fonts there are on this machine, Pillow's own first, in one size."""
    own = ImageFont.load_default(size)
    if not isinstance(own, ImageFont.FreeTypeFont):
        raise TypeError("Pillow was built without FreeType; install one of its wheels.")
    return (own, *(font for name in _OTHER_FONTS if (font := _installed(name, size))))


@lru_cache(maxsize=256)
def _installed(name: str, size: int) -> ImageFont.FreeTypeFont | None:
    try:
        return ImageFont.truetype(name, size)
    except OSError:
        return None


@lru_cache(maxsize=256)
def _best_font(letters: frozenset[str]) -> int:
    """Choose the font that lacks the fewest letters; between equals, the earlier one."""
    fonts = _fonts(_SMALLEST_PX)
    visible = [letter for letter in letters if not letter.isspace()]
    lacking = [
        sum(not _draws(number, letter) for letter in visible) for number in range(len(fonts))
    ]
    return lacking.index(min(lacking))


@lru_cache(maxsize=4096)
def _draws(number: int, letter: str) -> bool:
    font = _fonts(_SMALLEST_PX)[number]
    blank, drawn = font.getmask(_NO_GLYPH), font.getmask(letter)
    return blank.size != drawn.size or bytes(blank) != bytes(drawn)
