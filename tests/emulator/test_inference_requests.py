"""Inference requests: refused by status and field, never a 500, and paid by the catalogue."""

import json
from decimal import Decimal

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runcrate_emulator.inference.model_catalogue import find
from tests.audio_files import wav
from tests.content_parts import audio_part, data_url, file_part, image_part
from tests.emulator.chat_support import called, post_chat, result, tool, user
from tests.emulator.conftest import png, refused_field

DRAWS = "black-forest-labs/FLUX.1-schnell"
EDITS = "black-forest-labs/FLUX.1-kontext-pro"
ANY_LENGTH = "wan-ai/Wan2.1-T2V-14B"
IMAGES, VIDEOS, SPEECH = "/images/generations", "/videos", "/audio/speech"
CHAT, VECTORS = "/chat/completions", "/embeddings"
TRANSCRIPTIONS = "/audio/transcriptions"
SEES = "google/gemini-2.5-flash"
BODIES = {
    CHAT: {"model": "deepseek-ai/DeepSeek-V3.2", "messages": [user("Hello")]},
    IMAGES: {"model": DRAWS, "prompt": "A fox"},
    VIDEOS: {"model": "google/veo-3.0", "prompt": "A sunrise"},
    SPEECH: {"model": "hexgrad/Kokoro-82M", "input": "Hello"},
    VECTORS: {"model": "BAAI/bge-base-en-v1.5", "input": "Hello"},
    TRANSCRIPTIONS: {"model": "openai/whisper-1"},
}


PNG = data_url("image/png", png((0, 0, 0), (1, 1)))


def message(**fields):
    return {"messages": [{"role": "user", "content": "x", **fields}]}


def part(kind, **fields):
    return message(content=[{"type": kind, **fields}])


def image(url):
    return message(content=[image_part(url)])


def function(**fields):
    return {"tools": [{"type": "function", "function": fields}]}


def response_format(**fields):
    return {"response_format": {"type": "json_schema", "json_schema": fields}}


BROKEN = {"id": "1", "function": {"name": "f", "arguments": "{"}}
CHAT_ROWS = [
    ({"messages": []}, "messages"),
    ({"messages": "Hello"}, "messages"),
    ({"messages": ["Hello"]}, "messages[0]"),
    (message(role="developer"), "messages[0].role"),
    (message(role=3), "messages[0].role"),
    ({"messages": [{"role": "user"}]}, "messages[0].content"),
    (message(content=None), "messages[0].content"),
    (message(content=3), "messages[0].content"),
    (message(content=["x"]), "messages[0].content[0]"),
    (part("hologram"), "messages[0].content[0].type"),
    (part("text", text=3), "messages[0].content[0].text"),
    (image(PNG), "messages[0].content[0].type"),  # a text model
    (message(name=3), "messages[0].name"),
    (message(role="tool"), "messages[0].tool_call_id"),
    ({"messages": [result("1", "x")]}, "messages[0].tool_call_id"),
    ({"messages": [{**called("1", "f"), "role": "user"}]}, "messages[0].tool_calls"),
    (
        message(role="assistant", tool_calls=[BROKEN]),
        "messages[0].tool_calls[0].function.arguments",
    ),
    ({"tools": {}}, "tools"),
    ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
    ({"tools": [{"type": "function"}]}, "tools[0].function"),
    ({"tools": [tool("a b", "")]}, "tools[0].function.name"),
    ({"tools": [tool("a", "")] * 2}, "tools[1].function.name"),
    (function(name="a", parameters={"type": "array"}), "tools[0].function.parameters"),
    ({"tool_choice": "auto"}, "tool_choice"),
    ({"tools": [tool("a", "")], "tool_choice": "any"}, "tool_choice"),
    (
        {**function(name="a"), "tool_choice": {"type": "function", "function": {"name": "b"}}},
        "tool_choice.function.name",
    ),
    ({**function(name="a"), "tool_choice": {"type": "function"}}, "tool_choice.function"),
    ({"temperature": "hot"}, "temperature"),
    ({"temperature": True}, "temperature"),
    ({"max_tokens": 1.5}, "max_tokens"),
    ({"stop": [3]}, "stop[0]"),
    ({"stream": "yes"}, "stream"),
    ({"stream_options": [1]}, "stream_options"),
    ({"top_logprobs": 2}, "top_logprobs"),
    ({"response_format": {"type": "xml"}}, "response_format.type"),
    ({"response_format": "json"}, "response_format"),
    ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
    (response_format(schema={}), "response_format.json_schema.name"),
    (response_format(name="x"), "response_format.json_schema.schema"),
    ({"model": None}, "model"),
]
PART_ROWS = [
    (image("file:///etc/passwd"), "image_url.url"),
    (image("http://example.com/a.png"), "image_url.url"),
    (image("data:image/png;base64,***"), "image_url.url"),
    (image("data:text/plain;base64,eA=="), "image_url.url"),
    (part("image_url", image_url={}), "image_url.url"),
    (part("input_audio", input_audio={"format": "wav"}), "input_audio.data"),
    (part("input_audio", input_audio={"data": "eA=="}), "input_audio.format"),
    (part("input_audio", input_audio={"data": "", "format": "wav"}), "input_audio.data"),
    (part("file", file={"file_id": "file-1"}), "file.file_data"),
]


NO_IMAGES = [
    "https://example.com/photo.png",
    "http://169.254.169.254/latest/meta-data",
    "http://127.0.0.1.example.com/",
    "http://[::1",
    "https://",
    "file:///etc/hostname",
    "./photo.png",
    "data:image/png,plain",
    "data:image/png;base64,AAAA",
    "data:image/png;base64,!!",
    "AAAA",
    "é",
    "",
]


@pytest.mark.parametrize(
    ("path", "body", "status", "field"),
    [
        *((CHAT, body, 400, field) for body, field in CHAT_ROWS),
        *(
            (CHAT, {"model": SEES, **body}, 400, f"messages[0].content[0].{field}")
            for body, field in PART_ROWS
        ),
        (CHAT, {"model": "nobody/nothing"}, 404, "model"),
        (CHAT, {"model": "openai/whisper-1"}, 422, "model"),
        (CHAT, {"temperature": -0.1}, 422, "temperature"),
        (CHAT, {"temperature": 2.1}, 422, "temperature"),
        (CHAT, {"top_p": 1.5}, 422, "top_p"),
        (CHAT, {"frequency_penalty": -3}, 422, "frequency_penalty"),
        (CHAT, {"presence_penalty": 2.5}, 422, "presence_penalty"),
        (CHAT, {"max_tokens": 0}, 422, "max_tokens"),
        (CHAT, {"max_completion_tokens": 0}, 422, "max_completion_tokens"),
        (CHAT, {"n": 0}, 422, "n"),
        (CHAT, {"n": 9}, 422, "n"),
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
        *((IMAGES, {"model": EDITS, "image": image}, 422, "image") for image in NO_IMAGES),
        (IMAGES, {"model": EDITS, "image": "A" * 28_000_000}, 413, "image"),
        (IMAGES, {"model": EDITS, "input_images": [PNG] * 9}, 422, "input_images"),
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


NULLS = dict.fromkeys(
    ["temperature", "stop", "tools", "tool_choice", "response_format", "max_tokens", "n"]
)
PDF = {"file_data": data_url("application/pdf", b"x"), "filename": "a.pdf"}
ATTACHED = [image_part(PNG), audio_part(b"x", "wav"), file_part(**PDF)]
TAKEN = {
    "attachments": {"model": SEES, **message(content=ATTACHED)},
    "undocumented fields": {"user": "me", "seed": 3, "top_k": 5, "metadata": {"a": 1}},
    "nulls": NULLS,
    "alias": {"model": "deepseek/deepseek-v3.2"},
}


@pytest.mark.parametrize("body", TAKEN.values(), ids=TAKEN)
def test_what_the_service_takes_is_taken(emulator, body):
    answer = post_chat(emulator, **body)
    assert answer.status_code == 200
    assert answer.json()["model"] == body.get("model", "deepseek-ai/DeepSeek-V3.2")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (CHAT, {"messages": [user("word " * 140_000)]}),
        (CHAT, {"max_tokens": 131_071}),
        (VECTORS, {"input": ["fine", "word " * 9000]}),
    ],
    ids=["messages", "room for the reply", "text"],
)
def test_texts_longer_than_the_model_takes_are_refused(media, path, body):
    answer = media.post(path, json=BODIES[path] | body)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, "context_length_exceeded")
    assert path == CHAT or error["details"] == {"field": "input[1]"}


def send(emulator, path, body) -> httpx.Response:
    """Post JSON, or a form with half a minute of silence."""
    form = path == TRANSCRIPTIONS
    return httpx.post(
        emulator.inference_url + path,
        headers={"Authorization": f"Bearer {emulator.api_key}"},
        json=None if form else body,
        data=body if form else None,
        files={"file": ("audio.wav", wav(bytes(2 * 24_000 * 30)))} if form else None,
    )


@pytest.mark.parametrize(
    ("path", "body", "cost"),
    [
        (IMAGES, {"width": 256, "height": 256}, "0.003"),
        (VIDEOS, {"duration": 6}, "0.60"),
        (SPEECH, {"input": "x" * 1000}, "0.001"),
        (TRANSCRIPTIONS, {}, "0.003"),
        (VECTORS, {"input": "word " * 500}, None),
        (CHAT, {}, None),
    ],
)
def test_a_request_is_paid_by_the_catalogue(emulator, path, body, cost):
    before = emulator.world.ledger.balance
    answer = send(emulator, path, BODIES[path] | body).raise_for_status()
    (use,) = emulator.world.ledger.inference
    assert use.model == BODIES[path]["model"]
    paid = before - emulator.world.ledger.balance
    if cost is not None:
        assert paid == Decimal(cost)
        return
    usage = answer.json()["usage"]
    assert use.prompt_tokens == usage["prompt_tokens"]
    assert use.completion_tokens == usage.get("completion_tokens", 0)
    assert float(paid) == pytest.approx(float(use.cost_usd), abs=1e-6)  # a balance has 6 digits
    assert use.cost_usd == find(use.model).cost_usd(use.prompt_tokens, use.completion_tokens) > 0


@pytest.mark.parametrize("path", BODIES)
def test_nothing_runs_over_the_budget_or_without_credit(emulator, path):
    world = emulator.world
    world.charge_inference("m", Decimal("0.5"), "Chat")
    world.set_budget("main", "0.5")
    over = send(emulator, path, BODIES[path])
    assert (over.status_code, over.json()["error"]["code"]) == (402, "budget_exceeded")
    world.set_budget("main", None)
    world.ledger.balance = Decimal(0)
    poor = send(emulator, path, BODIES[path])
    assert (poor.status_code, poor.json()["error"]["code"]) == (402, "insufficient_credits")
