"""Images: drawn in the requested size, edited from sources of every form, and harmless to read."""

import base64
import io

import httpx
import pytest
from PIL import Image, ImageChops

from runcrate_emulator.media import images
from tests.emulator.conftest import png, refused_field

DRAWS = "black-forest-labs/FLUX.1-schnell"
EDITS = "black-forest-labs/FLUX.1-kontext-pro"


def generate(inference, **body) -> httpx.Response:
    body = {"model": DRAWS, "prompt": "A fox", **body}
    return inference.post("/images/generations", json=body)


def image_of(answer: httpx.Response) -> Image.Image:
    (item,) = answer.raise_for_status().json()["data"]
    served = httpx.get(item["url"]).raise_for_status()
    assert served.headers["content-type"] == "image/webp"
    with Image.open(io.BytesIO(served.content)) as file:
        assert file.format == "WEBP"
        return file.convert("RGB")


SMALL = {"width": 256, "height": 256}


@pytest.mark.parametrize(
    ("asked", "size"),
    [
        ({}, (1024, 1024)),
        ({"width": 256, "height": 2048}, (256, 2048)),
        ({"width": 512}, (512, 1024)),
        ({"aspect_ratio": "3:2"}, (1248, 832)),
        ({"aspect_ratio": "16:9", "width": 300, "height": 256}, (300, 256)),
        ({"width": None, "aspect_ratio": None}, (1024, 1024)),
        ({"n": 4, "size": "2x2", "quality": "hd", "lora": []}, (1024, 1024)),  # undocumented
        ({"image": "ignored, as the model only draws"}, (1024, 1024)),
        ({**SMALL, "prompt": "unbreakable" * 5_000}, (256, 256)),
        ({**SMALL, "prompt": "🎉\u200d\n\t\0\u202e"}, (256, 256)),
    ],
)
def test_the_image_has_the_asked_size(inference, asked, size):
    assert image_of(generate(inference, **asked)).size == size


def test_a_seed_makes_an_image_reproducible(inference):
    images = [image_of(generate(inference, **SMALL, seed=seed)) for seed in (7, 7, 8, None, None)]
    pairs = [(0, 1), (0, 2), (3, 4)]
    differ = [ImageChops.difference(images[one], images[two]).getbbox() for one, two in pairs]
    assert [box is not None for box in differ] == [False, True, True]


SOURCE = base64.b64encode(png((10, 200, 30), (300, 260))).decode()
BROKEN_UP = "\n".join(SOURCE[start : start + 76] for start in range(0, len(SOURCE), 76))


@pytest.mark.parametrize(
    ("field", "source"), [("image", SOURCE), ("input_image", BROKEN_UP)], ids=["one line", "lines"]
)
def test_a_source_may_be_bare_base64(inference, field, source):
    assert image_of(generate(inference, model=EDITS, **{field: source})).size == (300, 260)


def test_a_link_of_the_emulator_must_be_valid(emulator, inference):
    def edit(image: str) -> httpx.Response:
        return generate(inference, model=EDITS, image=image)

    url = generate(inference, **SMALL).json()["data"][0]["url"]
    assert edit(url).status_code == 200
    assert refused_field(edit(f"{url}0")) == (422, "image")
    emulator.clock.advance(100_000)
    expired = edit(url)
    assert refused_field(expired) == (422, "image")
    assert "expired" in expired.json()["error"]["message"]
    assert "signature=" not in expired.text
    gone = generate(inference, **SMALL).json()["data"][0]["url"]
    emulator.world.media.remove(emulator.world.media.newest(1)[0].id)
    assert refused_field(edit(gone)) == (422, "image")


def spec(prompt="A red fox", seed=1) -> images.ImageSpec:
    return images.ImageSpec(prompt, DRAWS, seed, 320, 256)


def file_of(image: Image.Image, image_format: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, image_format, **options)
    return file.getvalue()


GREY = Image.new("L", (320, 256), 0)
GREY.paste(255, (80, 60, 240, 200))
SEE_THROUGH = Image.new("RGBA", (320, 256), (0, 0, 0, 255))
SEE_THROUGH.paste((0, 0, 0, 0), (80, 60, 240, 200))


@pytest.mark.parametrize("mask", [GREY, SEE_THROUGH], ids=["white changes", "transparent changes"])
def test_nothing_changes_outside_the_mask(mask):
    source = images.draw_backdrop(spec("a source", seed=9))
    edited = images.draw_edit(spec(), source, mask, 0.5)
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
    source = images.open_image(file_of(Image.new(mode, (40, 30)), image_format))
    assert (source.size, source.mode in ("RGB", "RGBA")) == ((40, 30), True)
    assert images.draw_edit(spec(), source, source, 0.5).size == (320, 256)


def test_an_image_too_large_to_unpack_is_refused():
    bomb = file_of(Image.new("1", (8000, 8000)), "PNG")
    assert len(bomb) < 20_000
    with pytest.raises(images.ImageFileError, match="pixels"):
        images.open_image(bomb)
