"""Embeddings: similar texts are close."""

import math

import pytest

from runcrate_emulator.inference.embeddings import embed
from runcrate_emulator.inference.model_catalogue import MODELS

SIMILAR = [
    ("How do I launch an instance?", "Launching instances", "The otter eats fish."),
    ("GPU prices per hour", "The price of a GPU per hour is 2 dollars.", "Cats sleep."),
    ("reset my password", "To reset a forgotten password, press the button.", "Prices of GPUs"),
    ("internationalisation", "internationalization", "gardening"),
    ("机器学习很有趣", "我喜欢机器学习", "今天天气很好"),
]


@pytest.mark.parametrize(("query", "near", "far"), SIMILAR)
@pytest.mark.parametrize("dimensions", [384, 1024])
def test_similar_texts_are_close(query, near, far, dimensions):
    vector, *others = (embed(text, dimensions) for text in (query, near, far))
    to_near, to_far = (math.dist(vector, other) for other in others)
    assert to_near**2 < to_far**2 - 0.2  # the cosines are 0.1 apart


@pytest.mark.parametrize("text", ["a", "the", "?", "Hello world", "x" * 5000, "你好", "\U0001f600"])
def test_a_vector_has_the_length_of_one(text):
    vector = embed(text, 64)
    assert math.hypot(*vector) == pytest.approx(1)
    assert vector == embed(text, 64)


def test_every_model_has_its_dimensions(inference):
    for model in [one for one in MODELS if one.kind == "embedding"]:
        answer = inference.post("/embeddings", json={"model": model.id, "input": "Hello"})
        assert len(answer.json()["data"][0]["embedding"]) == model.dimensions
