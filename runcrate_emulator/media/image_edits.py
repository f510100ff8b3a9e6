"""Images made from other images: the source stays recognisable, the instruction legible."""

from dataclasses import dataclass

from PIL import Image, ImageChops, ImageFilter, ImageOps

from runcrate_emulator.media.images import ImageSpec, draw_landscape, signature_of
from runcrate_emulator.media.lettering import Box, draw_panel

__all__ = ["DEFAULT_STRENGTH", "Sources", "draw_edit"]

DEFAULT_STRENGTH = 0.45
"""Opacity of the edited part: 0 leaves the source, 1 covers it."""

_CAPTION_SHARE = 0.4  # of the height, at most
_INSET_SHARE = 4  # the untouched sources are shown at this fraction of the width, all together
_OUTSIDE_ELLIPSE = 0.146  # of a side, at each end: (1 - 1/sqrt(2)) / 2
_BORDER_PX = 3
_PAPER = (255, 255, 255)


@dataclass(frozen=True)
class Sources:
    """The images that an edit starts from."""

    images: tuple[Image.Image, ...] = ()
    """The first is edited; the others are shown beside it as references."""
    mask: Image.Image | None = None
    """Editable area: the white parts, or the transparent parts if there are any."""
    control: Image.Image | None = None
    """Whose outlines the result follows."""
    strength: float = DEFAULT_STRENGTH

    def __bool__(self) -> bool:
        """True if there is any."""
        return bool(self.images) or self.control is not None


def draw_edit(spec: ImageSpec, sources: Sources) -> Image.Image:
    """Draw an RGB image that shows its sources, and its prompt as the instruction.

    Outside the mask the result is the source, fitted to the asked size.
    """
    drawn = draw_landscape(spec)
    source = _fitted(sources.images[0], spec.size) if sources.images else drawn
    edited = Image.blend(source, drawn, sources.strength)
    if sources.control is not None:
        edited.paste(_PAPER, (0, 0), _outlines(sources.control, spec.size))
    mask = _white_is_changed(sources.mask, spec.size) if sources.mask else None
    if mask is None:
        _caption(edited, spec, (0, 0, *spec.size))
        _show_insets(edited, sources.images)
        return edited
    if changed := mask.getbbox():
        _caption(edited, spec, _inner(changed))
    return Image.composite(edited, source, mask)


def _opaque(image: Image.Image) -> Image.Image:
    paper = Image.new("RGB", image.size, _PAPER)
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


def _outlines(control: Image.Image, size: tuple[int, int]) -> Image.Image:
    return ImageOps.autocontrast(_fitted(control, size).convert("L").filter(ImageFilter.FIND_EDGES))


def _inner(area: Box) -> Box:
    """Shrink an area to the rectangle inside its ellipse: masks are seldom rectangles."""
    left, top, right, bottom = area
    across, down = (
        round((end - start) * _OUTSIDE_ELLIPSE) for start, end in (area[::2], area[1::2])
    )
    return left + across, top + down, right - across, bottom - down


def _caption(image: Image.Image, spec: ImageSpec, area: Box) -> None:
    left, top, right, bottom = area
    highest = max(round(bottom - (bottom - top) * _CAPTION_SHARE), top)
    draw_panel(
        image,
        f"Edit: {spec.prompt}",
        (left, highest, right, bottom),
        note=signature_of(spec),
    )


def _show_insets(image: Image.Image, sources: tuple[Image.Image, ...]) -> None:
    """Paste the untouched sources side by side into the upper right corner."""
    if not sources:
        return
    width = image.width // _INSET_SHARE // min(len(sources), 2)
    right = image.width - _BORDER_PX
    for source in reversed(sources):
        small = ImageOps.contain(_opaque(source), (width, width))
        inset = ImageOps.expand(small, border=_BORDER_PX, fill=_PAPER)
        image.paste(inset, (right - inset.width, _BORDER_PX))
        right -= inset.width + _BORDER_PX
