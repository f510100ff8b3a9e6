"""Text in images, on a dark panel."""

import math
from functools import lru_cache
from typing import Final

from PIL import Image, ImageDraw, ImageFont

Box = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels."""

_MAX_SHARE: Final = 12  # a letter is at most this fraction of the box's width
_MIN_PX: Final = 11  # below this, text is shortened rather than shrunk
_LINE_HEIGHT: Final = 1.25  # of the font size
_NARROW_LETTER: Final = 0.3  # width over font size; more letters than that fit in no line
_THIN_LETTER: Final = 0.15  # the same of an `i`
_INK: Final = (255, 255, 255)
_NOTE_INK: Final = (190, 196, 210)
_PANEL: Final = (12, 14, 22, 225)  # nearly black; lets a hint of the image through


def draw_panel(image: Image.Image, text: str, box: Box, *, note: str = "") -> Box:
    """Write a text in white on a dark panel at the bottom of a box.

    Args:
        image: An RGB image; changed in place.
        text: The text; shortened with an ellipsis if it cannot fit legibly.
        box: Where the panel may be. It is as high as its text needs.
        note: A smaller line under the text.

    Returns:
        Where the panel is.
    """
    left, top, right, bottom = box
    margin = max((right - left) // 40, 4)
    width = right - left - 2 * margin
    small = _font(max(width // 45, _MIN_PX))
    note_height = round(small.size * _LINE_HEIGHT) if note else 0
    lines, font = _fit(text, width, bottom - top - 2 * margin - note_height)
    line_height = font.size * _LINE_HEIGHT
    panel_top = max(round(bottom - len(lines) * line_height) - note_height - 2 * margin, top)
    place = (left, panel_top, right, bottom)
    panel = image.crop(place)
    shade = Image.new("RGBA", panel.size, _PANEL)
    panel.paste(shade, mask=shade)
    pen = ImageDraw.Draw(panel)
    for number, line in enumerate(lines):
        pen.text((margin, margin + number * line_height), line, fill=_INK, font=font)
    if note:
        below = (margin, margin + len(lines) * line_height)
        pen.text(below, _shorten(note, small, width), fill=_NOTE_INK, font=small)
    image.paste(panel, place)
    return place


def _fit(text: str, width: int, height: int) -> tuple[list[str], ImageFont.FreeTypeFont]:
    """Break a text into lines, in the largest font in which it fits."""
    per_line = max(int(width / (_MIN_PX * _NARROW_LETTER)), 1)
    most = per_line * max(int(height / _MIN_PX), 1)
    text = " ".join(text[:most].split())
    guessed = int(math.sqrt(max(width * height, 1) / max(len(text), 1)) * 1.4)
    size = max(min(guessed, width // _MAX_SHARE), _MIN_PX)
    while True:
        font = _font(size)
        lines = _wrap(text, font, width)
        room = max(int(height / (size * _LINE_HEIGHT)), 1)
        if len(lines) <= room:
            return lines, font
        if size <= _MIN_PX:
            return [
                *lines[: room - 1],
                _shorten(" ".join(lines[room - 1 : room + 1]), font, width),
            ], font
        size = max(int(size * 0.9), _MIN_PX)


def _wrap(text: str, font: ImageFont.FreeTypeFont, width: int) -> list[str]:
    longest = int(width / (font.size * _THIN_LETTER)) + 1
    words = (w[at : at + longest] for w in text.split() for at in range(0, len(w), longest))
    space = font.getlength(" ")
    lines, used = [""], 0.0
    for word in words:
        length = font.getlength(word)
        if lines[-1] and used + space + length <= width:
            lines[-1] = f"{lines[-1]} {word}"
            used += space + length
            continue
        per_line = max(int(width / max(length / len(word), 1)), 1)
        lines += [word[at : at + per_line] for at in range(0, len(word), per_line)]
        used = length if length <= width else font.getlength(lines[-1])
    return [line for line in lines if line] or [""]


def _shorten(text: str, font: ImageFont.FreeTypeFont, width: int) -> str:
    text = text[: int(width / (font.size * _THIN_LETTER)) + 1]
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(f"{text}…") > width:
        text = text[:-1]
    return f"{text}…"


@lru_cache(maxsize=64)
def _font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise TypeError("Pillow was built without FreeType; install one of its wheels.")
    return font
