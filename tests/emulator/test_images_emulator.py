"""POST /v1/images/generations over HTTP."""

import base64
import io

import httpx
import pytest
from PIL import Image, ImageChops

from tests.content_parts import data_url
from tests.emulator.conftest import png, refused_field

DRAWS = "black-forest-labs/FLUX.1-schnell"
EDITS = "black-forest-labs/FLUX.1-kontext-pro"
GREEN, SIZE = (10, 200, 30), (300, 260)


def generate(media, **body) -> httpx.Response:
    return media.post("/images/generations", json={"model": DRAWS, "prompt": "A fox", **body})


def image_of(response: httpx.Response) -> Image.Image:
    assert response.status_code == 200, response.text
    (item,) = response.json()["data"]
    if "url" in item:
        served = httpx.get(item["url"]).raise_for_status()
        assert served.headers["content-type"] == "image/webp"
        data = served.content
    else:
        data = base64.b64decode(item["b64_json"])
    with Image.open(io.BytesIO(data)) as file:
        assert file.format == "WEBP"
        return file.convert("RGB")


def small(**body):
    return {"width": 256, "height": 256, **body}


@pytest.mark.parametrize(
    ("asked", "size"),
    [
        ({}, (1024, 1024)),
        ({"width": 256, "height": 2048}, (256, 2048)),
        ({"width": 512}, (512, 1024)),
        ({"height": 300}, (1024, 300)),
        ({"aspect_ratio": "1:1"}, (1024, 1024)),
        ({"aspect_ratio": "16:9"}, (1280, 720)),
        ({"aspect_ratio": "9:16"}, (720, 1280)),
        ({"aspect_ratio": "4:3"}, (1152, 864)),
        ({"aspect_ratio": "3:2"}, (1248, 832)),
        ({"aspect_ratio": "16:9", "width": 300, "height": 256}, (300, 256)),
        ({"width": None, "aspect_ratio": None}, (1024, 1024)),
        ({"n": 4, "size": "2x2", "quality": "hd", "lora": []}, (1024, 1024)),  # undocumented
        ({"image": "ignored, as the model only draws"}, (1024, 1024)),
    ],
)
def test_the_image_has_the_asked_size(media, asked, size):
    assert image_of(generate(media, **asked)).size == size


@pytest.mark.parametrize("form", ["url", "b64_json"])
def test_the_image_comes_as_a_link_without_a_key_or_inline(media, media_emulator, form):
    response = generate(media, **small(response_format=form))
    assert response.json()["created"] == pytest.approx(
        media_emulator.clock.now().timestamp(), abs=5
    )
    assert set(response.json()["data"][0]) == {form}
    assert image_of(response).size == (256, 256)


def test_a_seed_makes_an_image_reproducible(media):
    images = [image_of(generate(media, **small(seed=seed))) for seed in (7, 7, 8, None, None)]
    pairs = [(0, 1), (0, 2), (3, 4)]
    differ = [ImageChops.difference(images[one], images[two]).getbbox() for one, two in pairs]
    assert [box is not None for box in differ] == [False, True, True]


@pytest.mark.parametrize("field", ["image", "start_image", "input_image", "control_image"])
def test_an_edit_shows_its_source_in_its_size(media, field):
    source = {field: data_url("image/png", png(GREEN, SIZE))}
    edited = image_of(generate(media, model=EDITS, prompt_strength=0, **source))
    assert edited.size == SIZE
    seen = edited.getpixel((280, 20))
    assert max(abs(there - sent) for there, sent in zip(seen, GREEN, strict=True)) < 20


@pytest.mark.parametrize("form", ["data URI", "base64", "base64 with line breaks", "own URL"])
def test_a_source_may_come_in_every_documented_form(media, form):
    encoded = base64.b64encode(png(GREEN, SIZE)).decode()
    source = {
        "data URI": lambda: data_url("image/png", png(GREEN, SIZE)),
        "base64": lambda: encoded,
        "base64 with line breaks": lambda: "\n".join(
            encoded[start : start + 76] for start in range(0, len(encoded), 76)
        ),
        "own URL": lambda: generate(media, width=300, height=260).json()["data"][0]["url"],
    }[form]()
    assert image_of(generate(media, model=EDITS, image=source)).size == SIZE


def test_a_link_of_the_emulator_must_be_valid(media, media_emulator):
    url = generate(media, **small()).json()["data"][0]["url"]
    assert generate(media, model=EDITS, image=url).status_code == 200
    assert refused_field(generate(media, model=EDITS, image=f"{url}0")) == (422, "image")
    media_emulator.clock.advance(100_000)
    expired = generate(media, model=EDITS, image=url)
    assert refused_field(expired) == (422, "image")
    assert "expired" in expired.json()["error"]["message"]
    assert "signature=" not in expired.text
    gone = generate(media, **small()).json()["data"][0]["url"]
    media_emulator.world.media.remove(media_emulator.world.media.newest(1)[0].id)
    assert refused_field(generate(media, model=EDITS, image=gone)) == (422, "image")


def test_eight_references_are_taken(media):
    references = [data_url("image/png", png((200, 20 * n, 0), (260, 256))) for n in range(8)]
    shown = generate(media, model=EDITS, input_images=references)
    assert image_of(shown).size == (260, 256)
