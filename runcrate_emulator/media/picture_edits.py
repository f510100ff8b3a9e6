"""Pictures made from other pictures: the source stays recognisable, the instruction legible."""

from dataclasses import dataclass

from PIL import Image, ImageChops, ImageFilter, ImageOps

from runcrate_emulator.media.lettering import Box, draw_panel
from runcrate_emulator.media.pictures import Commission, draw_landscape, signature_of

__all__ = ["DEFAULT_STRENGTH", "Sources", "draw_edit"]

DEFAULT_STRENGTH = 0.45
"""How much of the edited part is new: 0 leaves the source, 1 covers it."""

_CAPTION_SHARE = 0.4  # of the height, at most
_INSET_SHARE = 4  # the untouched sources are shown at this fraction of the width, all together
_OUTSIDE_ELLIPSE = 0.146  # of a side, at each end: (1 - 1/sqrt(2)) / 2
_BORDER_PX = 3
_PAPER = (255, 255, 255)


@dataclass(frozen=True)
class Sources:
    """The pictures that an edit starts from."""

    pictures: tuple[Image.Image, ...] = ()
    """The first is edited; the others are shown beside it as references."""
    mask: Image.Image | None = None
    """What may change: its white parts, or its transparent parts if it has any."""
    control: Image.Image | None = None
    """Whose outlines the result follows."""
    strength: float = DEFAULT_STRENGTH

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self.pictures) or self.control is not None


def draw_edit(commission: Commission, sources: Sources) -> Image.Image:
    """Draw an RGB picture that shows its sources, and its prompt as the instruction.

    Outside the mask the result is the source, fitted to the asked size.
    """
    drawn = draw_landscape(commission)
    source = _fitted(sources.pictures[0], commission.size) if sources.pictures else drawn
    edited = Image.blend(source, drawn, sources.strength)
    if sources.control is not None:
        edited.paste(_PAPER, (0, 0), _outlines(sources.control, commission.size))
    mask = _white_is_changed(sources.mask, commission.size) if sources.mask else None
    if mask is None:
        _caption(edited, commission, (0, 0, *commission.size))
        _show_insets(edited, sources.pictures)
        return edited
    if changed := mask.getbbox():
        _caption(edited, commission, _inner(changed))
    return Image.composite(edited, source, mask)


def _opaque(picture: Image.Image) -> Image.Image:
    paper = Image.new("RGB", picture.size, _PAPER)
    paper.paste(picture, mask=picture.getchannel("A") if "A" in picture.getbands() else None)
    return paper


def _fitted(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    return ImageOps.fit(_opaque(picture), size)


def _white_is_changed(mask: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Bring a mask to the form in which 255 is what changes."""
    channel = mask.convert("L")
    if "A" in mask.getbands():
        alpha = mask.getchannel("A")
        channel = ImageChops.invert(alpha) if alpha.getextrema() != (255, 255) else channel
    return ImageOps.fit(channel, size).point(lambda value: 255 * (value // 128))


def _outlines(control: Image.Image, size: tuple[int, int]) -> Image.Image:
    return ImageOps.autocontrast(_fitted(control, size).convert("L").filter(ImageFilter.FIND_EDGES))


def _inner(area: Box) -> Box:
    """Shrink an area to the rectangle inside its ellipse: masks are seldom rectangles."""
    left, top, right, bottom = area
    across, down = (
        round((end - start) * _OUTSIDE_ELLIPSE) for start, end in (area[::2], area[1::2])
    )
    return left + across, top + down, right - across, bottom - down


def _caption(picture: Image.Image, commission: Commission, area: Box) -> None:
    left, top, right, bottom = area
    highest = max(round(bottom - (bottom - top) * _CAPTION_SHARE), top)
    draw_panel(
        picture,
        f"Edit: {commission.prompt}",
        (left, highest, right, bottom),
        note=signature_of(commission),
    )


def _show_insets(picture: Image.Image, sources: tuple[Image.Image, ...]) -> None:
    """Paste the untouched sources side by side into the upper right corner."""
    if not sources:
        return
    width = picture.width // _INSET_SHARE // min(len(sources), 2)
    right = picture.width - _BORDER_PX
    for source in reversed(sources):
        small = ImageOps.contain(_opaque(source), (width, width))
        inset = ImageOps.expand(small, border=_BORDER_PX, fill=_PAPER)
        picture.paste(inset, (right - inset.width, _BORDER_PX))
        right -= inset.width + _BORDER_PX
