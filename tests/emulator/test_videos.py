"""Videos: playable, exactly as long as asked, recognisable."""

import io
import itertools
import json

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageStat

from runcrate_emulator.media.images import ImageSpec
from runcrate_emulator.media.videos import render_video, video_size


def spec(prompt="Ocean waves", size=(320, 180)) -> ImageSpec:
    return ImageSpec(prompt, "google/veo-3.0", 7, *size)


def images(video: bytes) -> list[Image.Image]:
    with av.open(io.BytesIO(video)) as container:
        return [frame.to_image() for frame in container.decode(video=0)]


@pytest.mark.parametrize("seconds", [1, 15])
def test_a_video_lasts_exactly_as_long_as_asked(seconds):
    with av.open(io.BytesIO(render_video(spec(), seconds))) as container:
        video = container.streams.video[0]
        assert video.duration * video.time_base == seconds
        assert container.duration == seconds * av.time_base
        assert (video.codec_context.name, video.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert (video.width, video.height) == (320, 180)
        assert sum(1 for _ in container.decode(video)) == video.frames


def test_every_image_moves_on_while_the_caption_stands_still():
    shown = images(render_video(spec(), 1))
    for earlier, later in itertools.pairwise(shown):
        assert max(ImageStat.Stat(ImageChops.difference(earlier, later)).extrema[0]) > 60
    captions = [image.crop((0, 160, 320, 180)) for image in (shown[0], shown[-1])]
    assert max(ImageStat.Stat(ImageChops.difference(*captions)).mean) < 6


def test_a_bar_shows_how_much_has_passed():
    shown = images(render_video(spec(), 2))

    def length(image):
        return sum(min(image.getpixel((x, 1))) > 150 for x in range(320))

    assert length(shown[-1]) > 300
    assert length(shown[len(shown) // 2]) == pytest.approx(166, abs=15)


def test_the_file_says_what_it_was_made_from():
    prompt = 'Grüße \0 "quoted" 你好'
    with av.open(io.BytesIO(render_video(spec(prompt), 1))) as container:
        note = json.loads(container.metadata["comment"])
    assert note == {"prompt": prompt, "model": "google/veo-3.0", "seed": 7}


@given(st.integers(256, 2048), st.integers(256, 2048))
def test_a_video_keeps_the_proportions_of_the_asked_size(width, height):
    across, down = video_size(width, height)
    assert (across % 2, down % 2) == (0, 0)
    assert max(across, down) <= 640
    assert across / down == pytest.approx(width / height, rel=0.03)
