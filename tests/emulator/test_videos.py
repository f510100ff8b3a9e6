"""Videos: playable, exactly as long as asked, recognisable."""

import io
import itertools

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ImageChops, ImageStat

from runcrate_emulator.media.images import ImageSpec
from runcrate_emulator.media.videos import render_video, video_size


def spec(prompt="Ocean waves", size=(320, 180)) -> ImageSpec:
    return ImageSpec(prompt, "google/veo-3.0", 7, *size)


@pytest.mark.parametrize("seconds", [1, 15])
def test_a_video_lasts_exactly_as_long_as_asked(seconds):
    with av.open(io.BytesIO(render_video(spec(), seconds))) as container:
        video = container.streams.video[0]
        assert video.duration * video.time_base == seconds
        assert container.duration == seconds * av.time_base
        assert (video.codec_context.name, video.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert (video.width, video.height) == (320, 180)
        assert sum(1 for _ in container.decode(video)) == video.frames


def test_images_of_a_video_differ():
    with av.open(io.BytesIO(render_video(spec(), 1))) as container:
        shown = [frame.to_image() for frame in container.decode(video=0)]
    for earlier, later in itertools.pairwise(shown):
        assert max(ImageStat.Stat(ImageChops.difference(earlier, later)).extrema[0]) > 60


@given(st.integers(256, 2048), st.integers(256, 2048))
def test_a_video_keeps_the_proportions_of_the_asked_size(width, height):
    across, down = video_size(width, height)
    assert (across % 2, down % 2) == (0, 0)
    assert max(across, down) <= 640
    assert across / down == pytest.approx(width / height, rel=0.03)
