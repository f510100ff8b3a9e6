"""Embeddings: order, batches, concurrency, instructions, empty and over-long texts."""

from __future__ import annotations

import math
import threading
from typing import Any

import httpx
import pytest
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.callbacks import CallbackManager, CBEventType, EventPayload, LlamaDebugHandler

from runcrate_core import BadRequestError
from runcrate_core.toolkit import Pieces, split_texts
from tests.chat_service import vector, vectors
from tests.llamaindex.calls import collected
from tests.llamaindex.conftest import UNKNOWN_MODEL as MODEL


@pytest.fixture
def service(service):
    service.decides(vectors)
    return service


TEXTS = [f"text {'x' * number}" for number in range(23)]
WAYS = ("get_text_embedding_batch", "aget_text_embedding_batch")


async def embed(model: BaseEmbedding, way: str, texts: list[str]) -> list[list[float]]:
    found: list[list[float]]
    [found] = await collected(getattr(model, way)(texts))
    return found


@pytest.mark.parametrize("way", WAYS)
async def test_order_and_batches(made_embedding, service, way):
    assert await embed(made_embedding(embed_batch_size=5), way, TEXTS) == [vector(t) for t in TEXTS]
    sizes = sorted(len(request["input"]) for request in service.requests)
    assert sizes == [3, 5, 5, 5, 5]


async def test_one_text_one_request(made_embedding, service):
    model = made_embedding()
    assert model.get_text_embedding("a") == vector("a")
    assert await model.aget_text_embedding("b") == vector("b")
    assert model.get_query_embedding("c") == vector("c")
    assert await model.aget_query_embedding("d") == vector("d")
    assert [request["input"] for request in service.requests] == [["a"], ["b"], ["c"], ["d"]]
    assert service.last == {"model": MODEL, "input": ["d"]}


def test_batches_run_side_by_side(made_embedding, service):
    """The core tries it in both ways; without company the barrier breaks."""
    together = threading.Barrier(4)
    service.decides(lambda body: together.wait(30) * 0 or vectors(body))
    made_embedding(embed_batch_size=1).get_text_embedding_batch(TEXTS[:8])


@pytest.mark.parametrize("way", WAYS)
async def test_a_failed_batch_says_what_was_done_and_ends_its_events(made_embedding, service, way):
    debug = LlamaDebugHandler(print_trace_on_end=False)
    model = made_embedding(embed_batch_size=2, num_workers=1)
    model.callback_manager = CallbackManager([debug])

    def decide(body: dict[str, Any]) -> Any:
        if "bad" in body["input"]:
            return httpx.Response(400, json={"error": {"message": "unreadable"}})
        return vectors(body)

    service.decides(decide)
    with pytest.raises(BadRequestError, match="unreadable") as caught:
        await embed(model, way, ["a", "b", "c", "d", "bad", "e", "f"])
    assert "holds the texts 4 to 5 of the list" in caught.value.__notes__[0]
    assert "4 texts were embedded before" in caught.value.__notes__[0]
    assert len(service.requests) == 3
    pairs = debug.get_event_pairs(CBEventType.EMBEDDING)
    assert [len(pair) for pair in pairs] == [2, 2, 2]
    assert pairs[-1][1].payload == {EventPayload.EXCEPTION: caught.value}


def test_an_item_that_is_not_text_is_named_before_anything_is_sent(made_embedding, service):
    with pytest.raises(TypeError, match="a list of texts, not one text"):
        made_embedding().get_text_embedding_batch("one text")
    with pytest.raises(TypeError, match="Text 5 of those"):
        made_embedding(embed_batch_size=2).get_text_embedding_batch(["a"] * 5 + [None])
    assert service.requests == []


@pytest.mark.parametrize("way", WAYS)
async def test_settings_and_instructions_are_sent(made_embedding, service, way):
    model = made_embedding(
        dimensions=3,
        encoding_format="float",
        additional_kwargs={"user": "ada"},
        query_instruction="query: ",
        text_instruction="passage: ",
    )
    await collected(getattr(model, way.replace("text_embedding_batch", "query_embedding"))("a"))
    fixed = {"dimensions": 3, "encoding_format": "float", "user": "ada"}
    assert service.last == {"model": MODEL, "input": ["query: a"], **fixed}
    await embed(model, way, ["b", "c"])
    assert service.last["input"] == ["passage: b", "passage: c"]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("texts", "sent"), [(["a", "", "  \n"], ["a", "(empty)", "(empty)"]), ([], None)]
)
async def test_an_empty_text_does_not_fail_its_batch(made_embedding, service, way, texts, sent):
    assert len(await embed(made_embedding(), way, texts)) == len(texts)
    assert [request["input"] for request in service.requests] == ([sent] if sent else [])


LONG = "word " * 1000


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("long_text", ["average", "truncate", "send"])
async def test_a_long_text_is_treated_as_the_user_chose(made_embedding, service, way, long_text):
    model = made_embedding(model_name="BAAI/bge-large-en-v1.5", long_text=long_text)
    short, long, other = await embed(model, way, ["short", LONG, "other"])
    assert (short, other) == (vector("short"), vector("other"))
    first, *pieces, last = service.last["input"]
    assert (first, last) == ("short", "other")
    assert all(len(piece.split()) < 512 for piece in pieces) == (long_text != "send")
    assert (" ".join(pieces).strip() == LONG.strip()) == (long_text != "truncate")
    assert min(map(vector, pieces)) <= long <= max(map(vector, pieces))
    made_embedding().get_text_embedding(LONG)  # of an unknown model nothing is known
    assert service.last["input"] == [LONG]


async def test_pieces_beyond_a_batch_go_in_several_requests(made_embedding, service):
    model = made_embedding(max_tokens=32, embed_batch_size=10)
    (found,) = await model.aget_text_embedding_batch([LONG])
    assert len(found) == 3
    assert [len(request["input"]) for request in service.requests][:2] == [10, 10]


def words(text: str) -> int:
    return len(text.split())


@pytest.mark.parametrize(
    "text", ["one two three four five six seven", "a" * 50, "日本語" * 9, " x" * 9]
)
def test_pieces_hold_everything_and_fit(text):
    pieces = split_texts([text, "short"], 8, len)
    assert all(len(piece) <= 4 or piece == "short" for piece in pieces.texts)
    own = [piece for piece, owner in zip(pieces.texts, pieces.owners, strict=True) if owner == 0]
    assert "".join(own).replace(" ", "") == text.replace(" ", "")
    assert pieces.owners[-1] == 1
    assert pieces.weights == [len(piece) for piece in pieces.texts]


def test_an_instruction_counts_and_stands_before_each_piece():
    pieces = split_texts(["one two three four five six"], 10, words, instruction="a b: ")
    assert len(pieces.texts) > 1
    assert all(piece.startswith("a b: ") for piece in pieces.texts)
    assert all(words(piece) <= 8 for piece in pieces.texts)


def test_averages_keep_their_length():
    pieces = Pieces(["a", "bbb", "c"], [0, 0, 1], [1, 3, 1])
    first, second = pieces.joined([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]])
    assert math.isclose(math.hypot(*first), 1.0)
    assert math.isclose(first[1] / first[0], 3.0)
    assert second == [0.5, 0.5]
    assert Pieces(["a", "b"], [0, 0], [1, 1]).joined([[1.0], [-1.0]]) == [[0.0]]
