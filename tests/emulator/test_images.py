"""Images drawn and edited by pure functions."""

import contextlib
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops

from runcrate_emulator.media.images import (
    ImageFileError,
    ImageSpec,
    draw_backdrop,
    draw_caption,
    draw_edit,
    open_image,
)

MODEL = "black-forest-labs/FLUX.1-schnell"


def spec(prompt="A red fox", seed=1, width=320, height=256) -> ImageSpec:
    return ImageSpec(prompt, MODEL, seed, width, height)


def file_of(image: Image.Image, image_format: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, image_format, **options)
    return file.getvalue()


@pytest.mark.parametrize(
    "text", ["x", "word " * 13_000, "unbreakable" * 6_000, "你好 " * 30, "🎉\u200d\n\t\0\u202e", ""]
)
@pytest.mark.parametrize("box", [(0, 150, 400, 300), (0, 0, 256, 100), (10, 10, 40, 30)])
def test_any_text_stays_in_its_area(text, box):
    image = Image.new("RGB", (400, 300), "white")
    left, top, right, bottom = draw_caption(image, text, spec(), box)
    assert box[0] <= left < right <= box[2]
    assert box[1] <= top < bottom <= box[3]
    image.paste("white", box)
    assert image.getextrema() == ((255, 255),) * 3


@pytest.mark.parametrize("strength", [0.0, 1.0])
def test_strength_goes_from_the_source_to_the_landscape(strength):
    source = Image.new("RGB", (320, 256), (10, 200, 30))
    edited = draw_edit(spec(), source, None, strength)
    wanted = source if strength == 0 else draw_backdrop(spec())
    spot = (5, 5)  # above the caption
    assert edited.getpixel(spot) == wanted.getpixel(spot)


GREY = Image.new("L", (320, 256), 0)
GREY.paste(255, (80, 60, 240, 200))
SEE_THROUGH = Image.new("RGBA", (320, 256), (0, 0, 0, 255))
SEE_THROUGH.paste((0, 0, 0, 0), (80, 60, 240, 200))


@pytest.mark.parametrize("mask", [GREY, SEE_THROUGH], ids=["white changes", "transparent changes"])
def test_nothing_changes_outside_the_mask(mask):
    source = draw_backdrop(spec("a source", seed=9))
    edited = draw_edit(spec(), source, mask, 0.5)
    changed = ImageChops.difference(source, edited).getbbox()
    assert changed is not None
    left, top, right, bottom = changed
    assert 80 <= left < left + 100 < right <= 240
    assert 60 <= top < bottom <= 200


@pytest.mark.parametrize(
    ("mode", "image_format"),
    [
        *((mode, "PNG") for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")),
        *(("CMYK", "JPEG"), ("RGB", "JPEG"), ("RGB", "WEBP"), ("RGB", "GIF")),
    ],
)
def test_sources_of_every_mode_and_format_can_be_edited(mode, image_format):
    source = open_image(file_of(Image.new(mode, (40, 30)), image_format))
    assert (source.size, source.mode in ("RGB", "RGBA")) == ((40, 30), True)
    assert draw_edit(spec(), source, source, 0.5).size == (320, 256)


def test_a_photo_is_turned_as_its_camera_says():
    exif = Image.Exif()
    exif[0x0112] = 6
    photo = file_of(Image.new("RGB", (40, 30)), "JPEG", exif=exif)
    assert open_image(photo).size == (30, 40)


def test_an_image_too_large_to_unpack_is_refused():
    bomb = file_of(Image.new("1", (8000, 8000)), "PNG")
    assert len(bomb) < 20_000
    with pytest.raises(ImageFileError, match="pixels"):
        open_image(bomb)


PNG = file_of(Image.linear_gradient("L").convert("RGB"), "PNG")


@settings(max_examples=80, deadline=None)
@given(st.integers(0, len(PNG) - 1), st.integers(0, 255))
def test_a_damaged_image_is_refused_or_read_and_nothing_else(place, value):
    damaged = bytearray(PNG)
    damaged[place] = value
    with contextlib.suppress(ImageFileError):
        assert open_image(bytes(damaged)).width > 0
