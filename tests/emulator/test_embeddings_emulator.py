"""Embeddings: similar texts are close, and every request is answered or refused by name."""

import base64
import math
import struct

import httpx
import pytest

from runcrate_emulator.inference.embeddings import embed
from runcrate_emulator.inference.model_catalogue import MODELS

MODEL = "BAAI/bge-base-en-v1.5"


@pytest.fixture
def post(emulator):
    with httpx.Client(
        base_url=emulator.inference_url, headers={"Authorization": f"Bearer {emulator.api_key}"}
    ) as client:
        yield lambda **body: client.post("/embeddings", json={"model": MODEL, **body})


SIMILAR = [
    ("How do I launch an instance?", "Launching instances", "The otter eats fish."),
    (
        "GPU prices per hour",
        "What does a GPU cost? The price per hour is 2 dollars.",
        "Cats sleep.",
    ),
    ("reset my password", "To reset a forgotten password, press the button.", "Prices of GPUs"),
    ("internationalisation", "internationalization", "gardening"),
    ("机器学习很有趣", "我喜欢机器学习", "今天天气很好"),
]


@pytest.mark.parametrize(("query", "near", "far"), SIMILAR)
@pytest.mark.parametrize("dimensions", [384, 768, 1024])
def test_similar_texts_are_close(query, near, far, dimensions):
    vector, *others = (embed(text, dimensions) for text in (query, near, far))
    to_near, to_far = (math.dist(vector, other) for other in others)
    assert to_near**2 < to_far**2 - 0.2  # the cosines are 0.1 apart


@pytest.mark.parametrize("text", ["a", "the", "?", "Hello world", "x" * 5000, "你好", "\U0001f600"])
def test_a_vector_has_the_length_of_one(text):
    vector = embed(text, 64)
    assert math.hypot(*vector) == pytest.approx(1)
    assert vector == embed(text, 64)


def test_every_model_has_its_dimensions(post):
    for model in [one for one in MODELS if one.kind == "embedding"]:
        (item,) = post(model=model.id, input="Hello").json()["data"]
        assert len(item["embedding"]) == model.dimensions


def test_a_batch_is_answered_in_order(post):
    answer = post(input=["one fish", "two cats", "one fish"]).json()
    assert answer["object"] == "list"
    assert answer["model"] == MODEL
    assert [item["index"] for item in answer["data"]] == [0, 1, 2]
    assert answer["data"][0]["embedding"] == answer["data"][2]["embedding"]
    assert answer["data"][0]["embedding"] != answer["data"][1]["embedding"]
    assert answer["usage"] == {"prompt_tokens": 6, "total_tokens": 6}


def test_base64_holds_the_same_numbers_and_there_may_be_fewer(post):
    plain, packed = (
        post(input="Hello", dimensions=8, encoding_format=form).json()["data"][0]["embedding"]
        for form in ("float", "base64")
    )
    assert len(plain) == 8
    assert struct.unpack("<8f", base64.b64decode(packed)) == pytest.approx(plain, abs=1e-6)
