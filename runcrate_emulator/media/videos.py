"""Videos drawn from a prompt: a pan over its image, or over a given first image.

They are small and play at few images a second, so that a request costs a fraction of a second of
computing; they last exactly as long as requested and show their prompt.
"""

import io
from collections.abc import Iterator
from dataclasses import replace

import av
from PIL import Image, ImageOps

from runcrate_emulator.media.images import ImageSpec, draw_backdrop, draw_caption

_FRAMES_PER_SECOND = 12
_MAX_SIDE_PX = 640
_MIN_SIDE_PX = 64
_PAN = 1.25  # width of the backdrop over the width of the video
_ENCODER_OPTIONS = {"preset": "veryfast", "crf": "24", "threads": "1"}  # one video, one core


def video_size(width: int, height: int) -> tuple[int, int]:
    """Fit a size into the emulator's videos, keeping its proportions; both even, as H.264 needs."""
    scale = min(1.0, _MAX_SIDE_PX / max(width, height))
    across, down = (max(round(side * scale / 2) * 2, _MIN_SIDE_PX) for side in (width, height))
    return across, down


def render_video(spec: ImageSpec, seconds: int, first: Image.Image | None = None) -> bytes:
    """Render an MP4 file (H.264, yuv420p) of this length, of the prompt or of a first image."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
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
    wide = replace(spec, width=round(width * _PAN))
    backdrop = draw_backdrop(wide)
    if first is not None:
        backdrop = ImageOps.fit(first.convert("RGB"), wide.size)
    captioned = backdrop.crop((0, 0, width, height))
    place = draw_caption(captioned, spec.prompt, spec, (0, 0, width, height))
    caption = captioned.crop(place)
    for number in range(count):
        shift = round((backdrop.width - width) * (number + 1) / count)
        image = backdrop.crop((shift, 0, shift + width, height))
        image.paste(caption, place[:2])
        yield image
