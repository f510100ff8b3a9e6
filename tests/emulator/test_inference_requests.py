"""Inference requests: refused by status and field, never a 500, and paid by the catalogue."""

import json
from decimal import Decimal

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runcrate_emulator.inference.model_catalogue import find
from tests.audio_files import wav
from tests.content_parts import audio_part, data_url, file_part, image_part
from tests.emulator.chat_support import called, result, tool, user
from tests.emulator.conftest import bad_values, png, refused_field
from tests.json_values import json_values

EDITS = "black-forest-labs/FLUX.1-kontext-pro"
ANY_LENGTH = "wan-ai/Wan2.1-T2V-14B"
SEES = "google/gemini-2.5-flash"
CHAT, VECTORS = "/chat/completions", "/embeddings"
IMAGES, VIDEOS = "/images/generations", "/videos"
SPEECH, TRANSCRIPTIONS = "/audio/speech", "/audio/transcriptions"
BODIES = {
    CHAT: {"model": "deepseek-ai/DeepSeek-V3.2", "messages": [user("Hello")]},
    IMAGES: {"model": EDITS, "prompt": "A fox", "width": 256, "height": 256},
    VIDEOS: {"model": "google/veo-3.0", "prompt": "A sunrise"},
    SPEECH: {"model": "hexgrad/Kokoro-82M", "input": "Hello"},
    VECTORS: {"model": "BAAI/bge-base-en-v1.5", "input": "Hello"},
    TRANSCRIPTIONS: {"model": "openai/whisper-1"},
}
PNG = data_url("image/png", png((0, 0, 0), (1, 1)))


def send(inference, path, **body) -> httpx.Response:
    """Post JSON, or a form with half a minute of silence."""
    body = BODIES[path] | body
    if path != TRANSCRIPTIONS:
        return inference.post(path, json=body)
    file = ("audio.wav", wav(bytes(2 * 24_000 * 30)))
    return inference.post(path, data=body, files={"file": file})


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
    ({"messages": ["Hello"]}, "messages[0]"),
    (message(role="developer"), "messages[0].role"),
    (message(content=None), "messages[0].content"),
    (message(content=["x"]), "messages[0].content[0]"),
    (part("hologram"), "messages[0].content[0].type"),
    (part("text", text=3), "messages[0].content[0].text"),
    (image(PNG), "messages[0].content[0].type"),  # a text model
    (message(name=3), "messages[0].name"),
    ({"messages": [result("1", "x")]}, "messages[0].tool_call_id"),
    ({"messages": [{**called("1", "f"), "role": "user"}]}, "messages[0].tool_calls"),
    (
        message(role="assistant", tool_calls=[BROKEN]),
        "messages[0].tool_calls[0].function.arguments",
    ),
    ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
    ({"tools": [{"type": "function"}]}, "tools[0].function"),
    ({"tools": [tool("a b", "")]}, "tools[0].function.name"),
    ({"tools": [tool("a", "")] * 2}, "tools[1].function.name"),
    (function(name="a", parameters={"type": "array"}), "tools[0].function.parameters"),
    ({"tools": [tool("a", "")], "tool_choice": "any"}, "tool_choice"),
    (
        {**function(name="a"), "tool_choice": {"type": "function", "function": {"name": "b"}}},
        "tool_choice.function.name",
    ),
    ({**function(name="a"), "tool_choice": {"type": "function"}}, "tool_choice.function"),
    ({"stop": [3]}, "stop[0]"),
    ({"response_format": {"type": "xml"}}, "response_format.type"),
    ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
    (response_format(schema={}), "response_format.json_schema.name"),
    (response_format(name="x"), "response_format.json_schema.schema"),
]
PART_ROWS = [
    (image("file:///etc/passwd"), "image_url.url"),
    (image("http://example.com/a.png"), "image_url.url"),
    (image("data:image/png;base64,***"), "image_url.url"),
    (image("data:text/plain;base64,eA=="), "image_url.url"),
    (part("image_url"), "image_url"),
    (part("input_audio", input_audio={"data": "eA=="}), "input_audio.format"),
    (part("input_audio", input_audio={"data": "", "format": "wav"}), "input_audio.data"),
    (part("file", file={"file_id": "file-1"}), "file.file_data"),
]
NO_IMAGES = [
    *("https://example.com/photo.png", "http://169.254.169.254/latest/meta-data"),
    *("http://127.0.0.1.example.com/", "http://[::1", "https://", "file:///etc/hostname"),
    *("./photo.png", "data:image/png,plain", "data:image/png;base64,AAAA"),
    *("data:image/png;base64,!!", "é", ""),
]
BAD_VALUES = {
    (CHAT, 400): {
        "messages": [[]],
        "tool_choice": ["auto"],  # without tools
        "temperature": ["hot", True],
        "max_tokens": [1.5],
        "stream": ["yes"],
        "top_logprobs": [2],  # without `logprobs`
    },
    (IMAGES, 400): {
        "prompt": [None, 5],
        "width": [512.5, "512"],
        "negative_prompt": [1],
        "image": [5],
        "input_images": ["one"],
    },
    (IMAGES, 422): {
        "prompt": ["  "],
        "aspect_ratio": ["7:5"],
        "response_format": ["png"],
        "image": NO_IMAGES,
        "input_images": [[PNG] * 9],
    },
    (IMAGES, 413): {"image": ["A" * 28_000_000]},
    (VIDEOS, 400): {"duration": ["4"]},
    (VIDEOS, 422): {
        "prompt": [""],
        "duration": [5, 4.5],
        "duration_seconds": [5],
        "aspect_ratio": ["4:3"],
        "image": ["https://example.com/a.png"],
    },
    (SPEECH, 400): {"input": [None]},
    (SPEECH, 422): {"input": [" \n", "x" * 4097], "voice": ["alloy"], "response_format": ["wav"]},
    (VECTORS, 400): {"input": [[]]},
    (VECTORS, 422): {"input": [["a"] * 2049], "encoding_format": ["hex"]},
    (TRANSCRIPTIONS, 422): {"language": ["english"], "response_format": ["verbose_json"]},
}
WRONG_MODELS = {
    CHAT: "openai/whisper-1",
    IMAGES: "deepseek-ai/DeepSeek-V3",
    VIDEOS: EDITS,
    SPEECH: "openai/whisper-1",
    VECTORS: "openai/tts-1",
    TRANSCRIPTIONS: "openai/tts-1",
}
# The least and the most that a field may be; beyond it is 422.
RANGES = [
    (CHAT, "temperature", 0, 2),
    (CHAT, "top_p", 0, 1),
    (CHAT, "frequency_penalty", -2, 2),
    (CHAT, "presence_penalty", -2, 2),
    (CHAT, "max_tokens", 1, None),
    (CHAT, "max_completion_tokens", 1, None),
    (CHAT, "n", 1, 8),
    (IMAGES, "width", 256, 2048),
    (IMAGES, "height", 256, 2048),
    (IMAGES, "num_inference_steps", 1, 100),
    (IMAGES, "guidance", 0, 100),
    (IMAGES, "seed", -(2**63), 2**63 - 1),
    (IMAGES, "prompt_strength", 0, 1),
    (VIDEOS, "width", 256, 2048),
    (SPEECH, "speed", 0.25, 4),
    (VECTORS, "dimensions", 1, 768),
]


@pytest.mark.parametrize(("path", "field", "least", "most"), RANGES)
def test_a_field_may_be_from_the_least_to_the_most(inference, path, field, least, most):
    step = 1 if isinstance(least, int) else 0.01
    beyond = [least - step, *([] if most is None else [most + step])]
    for value in (least, *([] if most is None else [most])):
        assert send(inference, path, **{field: value}).status_code == 200
    for value in beyond:
        assert refused_field(send(inference, path, **{field: value})) == (422, field)


@pytest.mark.parametrize("path", BODIES)
def test_a_model_is_needed_that_exists_and_fits(inference, path):
    for model, status in (("", 400), ("nobody/nothing", 404), (WRONG_MODELS[path], 422)):
        assert refused_field(send(inference, path, model=model)) == (status, "model")


@pytest.mark.parametrize(
    ("path", "body", "status", "field"),
    [
        *((CHAT, body, 400, field) for body, field in CHAT_ROWS),
        *(
            (CHAT, {"model": SEES, **body}, 400, f"messages[0].content[0].{field}")
            for body, field in PART_ROWS
        ),
        *bad_values(BAD_VALUES),
        (VIDEOS, {"model": ANY_LENGTH, "duration": 21}, 422, "duration"),
        (VECTORS, {"input": ["a", " "]}, 400, "input[1]"),
        (VECTORS, {"input": [1, 2]}, 400, "input[0]"),
    ],
)
def test_what_is_wrong_is_refused_and_named(emulator, inference, path, body, status, field):
    before = emulator.world.ledger.balance
    assert refused_field(send(inference, path, **body)) == (status, field)
    assert emulator.world.ledger.balance == before


FIELDS = {
    IMAGES: "model prompt width height aspect_ratio num_inference_steps guidance seed "
    "negative_prompt response_format image mask control_image input_images prompt_strength n",
    VIDEOS: "model prompt duration aspect_ratio width seed image",
    SPEECH: "input voice response_format speed language",
    VECTORS: "model input dimensions encoding_format",
    CHAT: "model messages tools tool_choice response_format stop stream stream_options max_tokens "
    "logprobs top_logprobs n seed temperature top_p presence_penalty parallel_tool_calls",
}


@pytest.mark.parametrize("path", FIELDS)
@settings(max_examples=50)
@given(data=st.data())
def test_no_body_makes_the_emulator_fail(inference, path, data):
    values = json_values(st.text(max_size=20), max_leaves=5) | st.sampled_from([1e999, -1e999])
    body = data.draw(st.dictionaries(st.sampled_from(FIELDS[path].split()), values, max_size=4))
    assert inference.post(path, content=json.dumps(BODIES[path] | body)).status_code < 500


NULLS = dict.fromkeys(
    ["temperature", "stop", "tools", "tool_choice", "response_format", "max_tokens", "n"]
)
PDF = {"file_data": data_url("application/pdf", b"x"), "filename": "a.pdf"}
ATTACHED = [
    image_part(PNG),
    image_part("https://example.com/a.png"),
    audio_part(b"x", "wav"),
    file_part(**PDF),
]
TAKEN = {
    "attachments": (CHAT, {"model": SEES, **message(content=ATTACHED)}),
    "undocumented fields": (CHAT, {"user": "me", "seed": 3, "top_k": 5, "metadata": {"a": 1}}),
    "nulls": (CHAT, NULLS),
    "alias": (CHAT, {"model": "deepseek/deepseek-v3.2"}),
    "eight references": (IMAGES, {"input_images": [PNG] * 8}),
    "the longest speech": (SPEECH, {"input": "x" * 4096, "instructions": "whisper"}),
}


@pytest.mark.parametrize(("path", "body"), TAKEN.values(), ids=TAKEN)
def test_what_the_service_takes_is_taken(inference, path, body):
    answer = send(inference, path, **body)
    assert answer.status_code == 200
    assert path != CHAT or answer.json()["model"] == (BODIES[path] | body)["model"]


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        (CHAT, {"messages": [user("word " * 140_000)]}, "messages"),
        (CHAT, {"max_tokens": 131_071}, "messages"),
        (VECTORS, {"input": ["fine", "word " * 9000]}, "input[1]"),
    ],
    ids=["messages", "room for the reply", "text"],
)
def test_texts_longer_than_the_model_takes_are_refused(inference, path, body, field):
    answer = send(inference, path, **body)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, "context_length_exceeded")
    assert error["details"] == {"field": field}


@pytest.mark.parametrize(
    ("path", "body", "cost"),
    [
        (IMAGES, {"model": "black-forest-labs/FLUX.1-schnell"}, "0.003"),
        (VIDEOS, {"duration": 6}, "0.60"),
        (SPEECH, {"input": "x" * 1000}, "0.001"),
        (TRANSCRIPTIONS, {}, "0.003"),
        (VECTORS, {"input": "word " * 500}, None),
        (CHAT, {}, None),
    ],
)
def test_a_request_is_paid_by_the_catalogue(emulator, inference, path, body, cost):
    before = emulator.world.ledger.balance
    answer = send(inference, path, **body).raise_for_status()
    (use,) = emulator.world.ledger.inference
    model = find(use.model)
    assert model.id == (BODIES[path] | body)["model"]
    paid = before - emulator.world.ledger.balance
    if cost is not None:
        assert paid == Decimal(cost)
        return
    usage = answer.json()["usage"]
    sent, made = usage["prompt_tokens"], usage.get("completion_tokens", 0)
    assert (use.prompt_tokens, use.completion_tokens) == (sent, made)
    millionths = sent * model.input_usd_per_million + made * (model.output_usd_per_million or 0)
    assert use.cost_usd == millionths / 1_000_000 > 0
    assert float(paid) == pytest.approx(float(use.cost_usd), abs=1e-6)  # a balance has 6 digits


@pytest.mark.parametrize("path", BODIES)
def test_nothing_runs_over_the_budget_or_without_credit(emulator, inference, path):
    world = emulator.world
    world.charge_inference("m", Decimal("0.5"), "Chat")
    world.set_budget("main", "0.5")
    over = send(inference, path)
    assert (over.status_code, over.json()["error"]["code"]) == (402, "budget_exceeded")
    world.set_budget("main", None)
    world.ledger.balance = Decimal(0)
    poor = send(inference, path)
    assert (poor.status_code, poor.json()["error"]["code"]) == (402, "insufficient_credits")
