"""Bodies of requests for media and embeddings that are refused, by the status and the field."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.emulator.conftest import refused_field

DRAWS = "black-forest-labs/FLUX.1-schnell"
EDITS = "black-forest-labs/FLUX.1-kontext-pro"
ANY_LENGTH = "wan-ai/Wan2.1-T2V-14B"
IMAGES, VIDEOS, SPEECH = "/images/generations", "/videos", "/audio/speech"
VECTORS = "/embeddings"
BODIES = {
    IMAGES: {"model": DRAWS, "prompt": "A fox"},
    VIDEOS: {"model": "google/veo-3.0", "prompt": "A sunrise"},
    SPEECH: {"model": "hexgrad/Kokoro-82M", "input": "Hello"},
    VECTORS: {"model": "BAAI/bge-base-en-v1.5", "input": "Hello"},
}


@pytest.mark.parametrize(
    ("path", "body", "status", "field"),
    [
        (IMAGES, {"prompt": None}, 400, "prompt"),
        (IMAGES, {"prompt": 5}, 400, "prompt"),
        (IMAGES, {"prompt": "  "}, 422, "prompt"),
        (IMAGES, {"model": None}, 400, "model"),
        (IMAGES, {"model": "nobody/nothing"}, 404, "model"),
        (IMAGES, {"model": "deepseek-ai/DeepSeek-V3"}, 422, "model"),
        (IMAGES, {"width": 255}, 422, "width"),
        (IMAGES, {"height": 2049}, 422, "height"),
        (IMAGES, {"width": 512.5}, 400, "width"),
        (IMAGES, {"width": True}, 400, "width"),
        (IMAGES, {"width": "512"}, 400, "width"),
        (IMAGES, {"aspect_ratio": "7:5"}, 422, "aspect_ratio"),
        (IMAGES, {"num_inference_steps": 0}, 422, "num_inference_steps"),
        (IMAGES, {"num_inference_steps": 101}, 422, "num_inference_steps"),
        (IMAGES, {"guidance": -1}, 422, "guidance"),
        (IMAGES, {"guidance": "high"}, 400, "guidance"),
        (IMAGES, {"seed": "random"}, 400, "seed"),
        (IMAGES, {"seed": 2**70}, 422, "seed"),
        (IMAGES, {"negative_prompt": 1}, 400, "negative_prompt"),
        (IMAGES, {"response_format": "png"}, 422, "response_format"),
        (IMAGES, {"model": EDITS, "image": 5}, 400, "image"),
        (IMAGES, {"model": EDITS, "input_images": "one"}, 400, "input_images"),
        (IMAGES, {"model": EDITS, "prompt_strength": 1.5}, 422, "prompt_strength"),
        (VIDEOS, {"prompt": None}, 400, "prompt"),
        (VIDEOS, {"prompt": ""}, 422, "prompt"),
        (VIDEOS, {"model": "black-forest-labs/FLUX.1-schnell"}, 422, "model"),
        (VIDEOS, {"model": "google/veo-9"}, 404, "model"),
        (VIDEOS, {"duration": 5}, 422, "duration"),
        (VIDEOS, {"duration": 4.5}, 422, "duration"),
        (VIDEOS, {"duration": 10**9}, 422, "duration"),
        (VIDEOS, {"duration": -4}, 422, "duration"),
        (VIDEOS, {"duration": "4"}, 400, "duration"),
        (VIDEOS, {"duration_seconds": 5}, 422, "duration_seconds"),
        (VIDEOS, {"model": ANY_LENGTH, "duration": 21}, 422, "duration"),
        (VIDEOS, {"aspect_ratio": "4:3"}, 422, "aspect_ratio"),
        (VIDEOS, {"width": 100}, 422, "width"),
        (VIDEOS, {"seed": 1.5}, 400, "seed"),
        (VIDEOS, {"image": "https://example.com/a.png"}, 422, "image"),
        (VIDEOS, {"image": []}, 400, "image"),
        (SPEECH, {"input": None}, 400, "input"),
        (SPEECH, {"input": ["a"]}, 400, "input"),
        (SPEECH, {"input": " \n"}, 422, "input"),
        (SPEECH, {"input": "x" * 4097}, 422, "input"),
        (SPEECH, {"voice": "alloy"}, 422, "voice"),
        (SPEECH, {"voice": 3}, 400, "voice"),
        (SPEECH, {"response_format": "wav"}, 422, "response_format"),
        (SPEECH, {"speed": 0.2}, 422, "speed"),
        (SPEECH, {"speed": 4.1}, 422, "speed"),
        (SPEECH, {"speed": "fast"}, 400, "speed"),
        (SPEECH, {"model": "openai/whisper-1"}, 422, "model"),
        (SPEECH, {"model": None}, 400, "model"),
        (VECTORS, {"input": None}, 400, "input"),
        (VECTORS, {"input": []}, 400, "input"),
        (VECTORS, {"input": ["a", " "]}, 400, "input[1]"),
        (VECTORS, {"input": [1, 2]}, 400, "input[0]"),
        (VECTORS, {"input": {"text": "a"}}, 400, "input"),
        (VECTORS, {"input": ["a"] * 2049}, 422, "input"),
        (VECTORS, {"dimensions": "8"}, 400, "dimensions"),
        (VECTORS, {"dimensions": 0}, 422, "dimensions"),
        (VECTORS, {"dimensions": 5000}, 422, "dimensions"),
        (VECTORS, {"encoding_format": "hex"}, 422, "encoding_format"),
        (VECTORS, {"model": "openai/tts-1"}, 422, "model"),
    ],
)
def test_what_is_wrong_is_refused_and_named(media, media_emulator, path, body, status, field):
    before = media_emulator.world.ledger.balance
    assert refused_field(media.post(path, json=BODIES[path] | body)) == (status, field)
    assert media_emulator.world.ledger.balance == before


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)
FIELDS = {
    IMAGES: "model prompt width height aspect_ratio num_inference_steps guidance seed "
    "negative_prompt response_format image mask control_image input_images prompt_strength n",
    VIDEOS: "model prompt duration aspect_ratio width seed image",
    SPEECH: "input voice response_format speed language",
}


@pytest.mark.parametrize("path", FIELDS)
@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_no_body_makes_the_emulator_fail(media, path, data):
    body = data.draw(st.dictionaries(st.sampled_from(FIELDS[path].split()), VALUES, max_size=4))
    small = {"model": EDITS, "width": 256, "height": 256} if path == IMAGES else {}
    response = media.post(path, content=json.dumps(BODIES[path] | small | body))
    assert response.status_code < 500
