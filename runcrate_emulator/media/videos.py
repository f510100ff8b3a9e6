"""Videos drawn from a prompt: a pan over its landscape, or over a given first image.

They are small and play at few images a second, so that a request costs a fraction of a second of
computing; what counts is that they last exactly as long as asked and can be recognised.
"""

import io
import json
from collections.abc import Iterator
from dataclasses import replace

import av
from PIL import Image, ImageDraw, ImageOps

from runcrate_emulator.media.images import ImageSpec, draw_landscape, signature_of
from runcrate_emulator.media.lettering import draw_panel

__all__ = ["render_video", "video_size"]

_FRAMES_PER_SECOND = 12
_MAX_SIDE_PX = 640
_MIN_SIDE_PX = 64
_PAN = 1.25  # width of the backdrop over the width of the video
_CAPTION_SHARE = 0.35  # of the height, at most
_BAR_SHARE = 60  # the bar that shows the passing of time is this fraction of the height
_BALL_SHARE = 14  # radius of the moving ball as a fraction of the shorter side
_WHITE = (255, 255, 255)
_BAR_GROUND = (60, 60, 70)
_ENCODER_OPTIONS = {"preset": "veryfast", "crf": "24", "threads": "1"}  # one video, one core


def video_size(width: int, height: int) -> tuple[int, int]:
    """Fit a size into the emulator's videos, keeping its proportions.

    Returns:
        Width and height in pixels, both even as H.264 needs them.
    """
    scale = min(1.0, _MAX_SIDE_PX / max(width, height))
    across, down = (max(round(side * scale / 2) * 2, _MIN_SIDE_PX) for side in (width, height))
    return across, down


def render_video(spec: ImageSpec, seconds: int, first: Image.Image | None = None) -> bytes:
    """Render an MP4 file (H.264, yuv420p).

    Args:
        spec: The prompt, model and seed; its size is the video's, see `video_size`.
        seconds: Exact length.
        first: Image to animate instead of a landscape of the prompt.
    """
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        container.metadata["title"] = spec.prompt
        container.metadata["comment"] = json.dumps(
            {"prompt": spec.prompt, "model": spec.model, "seed": spec.seed}
        )
        stream = container.add_stream(
            "libx264", rate=_FRAMES_PER_SECOND, options=dict(_ENCODER_OPTIONS)
        )
        stream.width, stream.height = spec.size
        stream.pix_fmt = "yuv420p"
        for image in _images(spec, seconds * _FRAMES_PER_SECOND, first):
            frame = av.VideoFrame.from_image(image)  # type: ignore[no-untyped-call] # as PyAV has it
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


def _images(spec: ImageSpec, count: int, first: Image.Image | None) -> Iterator[Image.Image]:
    width, height = spec.size
    backdrop = _backdrop(spec, first)
    caption, caption_top = _caption(spec, backdrop)
    bar = max(height // _BAR_SHARE, 3)
    radius = min(width, height) // _BALL_SHARE
    for number in range(count):
        done = (number + 1) / count
        shift = round((backdrop.width - width) * done)
        image = backdrop.crop((shift, 0, shift + width, height))
        image.paste(caption, (0, caption_top))
        pen = ImageDraw.Draw(image)
        pen.rectangle((0, 0, width, bar), fill=_BAR_GROUND)
        pen.rectangle((0, 0, round(width * done), bar), fill=_WHITE)
        pen.circle(_ball(number, width, caption_top, radius), radius, fill=_WHITE)
        yield image


def _backdrop(spec: ImageSpec, first: Image.Image | None) -> Image.Image:
    wide = replace(spec, width=round(spec.width * _PAN))
    if first is None:
        return draw_landscape(wide)
    return ImageOps.fit(first.convert("RGB"), wide.size)


def _caption(spec: ImageSpec, backdrop: Image.Image) -> tuple[Image.Image, int]:
    """Return the strip with the prompt, and where its upper edge belongs."""
    width, height = spec.size
    ground = backdrop.crop((0, 0, width, height))
    highest = round(height * (1 - _CAPTION_SHARE))
    box = draw_panel(ground, spec.prompt, (0, highest, width, height), note=signature_of(spec))
    return ground.crop(box), box[1]


def _ball(number: int, width: int, floor: int, radius: int) -> tuple[float, float]:
    """Where the ball is in a image: it crosses once in two seconds and bounces twice a second."""
    crossing = number / (2 * _FRAMES_PER_SECOND) % 1
    phase = number * 2 / _FRAMES_PER_SECOND % 1
    rise = 4 * phase * (1 - phase)
    return radius + (width - 2 * radius) * crossing, floor - radius - rise * (floor / 2 - radius)
