"""Text in pictures, at the largest size at which it fits."""

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
    shade = Image.new("RGBA", (right - left, bottom - panel_top), _PANEL)
    picture.paste(shade, (left, panel_top), shade)
    pen = ImageDraw.Draw(picture)
    y = float(panel_top + margin)
    for line in fitted.lines:
        pen.text((left + margin, y), line, fill=_INK, font=fitted.font)
        y += fitted.font.size * _LINE_HEIGHT
    if note:
        shortened = _shortened([note], 1, small, width)[0]
        pen.text((left + margin, y), shortened, fill=_NOTE_INK, font=small)
    return left, panel_top, right, bottom


def _fitted(text: str, width: int, height: int) -> _Lines:
    size = max(width // _LARGEST_SHARE, _SMALLEST_PX)
    while True:
        font = _font(text, size)
        lines = list(_wrapped(text, font, width))
        fitted = _Lines(tuple(lines), font)
        if fitted.height <= height:
            return fitted
        if size <= _SMALLEST_PX:
            room = max(int(height / (size * _LINE_HEIGHT)), 1)
            return _Lines(tuple(_shortened(lines, room, font, width)), font)
        size = max(int(size * 0.85), _SMALLEST_PX)


def _wrapped(text: str, font: ImageFont.FreeTypeFont, width: int) -> Iterator[str]:
    line = ""
    for word in text.split():
        joined = f"{line} {word}" if line else word
        if font.getlength(joined) <= width:
            line = joined
            continue
        if line:
            yield line
        line = word
        while font.getlength(line) > width and len(line) > 1:
            end = _fitting_length(line, font, width)
            yield line[:end]
            line = line[end:]
    yield line


def _fitting_length(word: str, font: ImageFont.FreeTypeFont, width: int) -> int:
    """Return how many letters of a word that is too long for a line go on one."""
    end = max(int(len(word) * width / font.getlength(word)), 1)
    while end > 1 and font.getlength(word[:end]) > width:
        end -= 1
    return end


def _shortened(lines: list[str], room: int, font: ImageFont.FreeTypeFont, width: int) -> list[str]:
    kept = lines[:room]
    last = kept[-1]
    if len(lines) <= room and font.getlength(last) <= width:
        return kept
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
