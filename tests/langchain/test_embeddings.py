"""`RuncrateEmbeddings`: batches, order, prefixes, errors."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from langchain_core.exceptions import ModelNotFoundError
from pydantic import ValidationError

import runcrate_core as rc
from langchain_runcrate import RuncrateEmbeddings
from tests.chat_service import Service, refusal, vector, vectors

TEXTS = ["x" * size for size in range(1, 26)]
WAYS = pytest.mark.parametrize("way", ["sync", "async"])


@pytest.fixture
def service():
    service = Service()
    service.decides(vectors)
    return service


def made(service: Service, **options: Any) -> RuncrateEmbeddings:
    fields = {"model": "e", "max_retries": 0, **service.http_clients()}
    return RuncrateEmbeddings(**{**fields, **options})


async def embedded(parts: RuncrateEmbeddings, way: str, texts: list[str]) -> list[list[float]]:
    try:
        if way == "async":
            return await parts.aembed_documents(texts)
        return parts.embed_documents(texts)
    finally:
        await parts.aclose()
        parts.close()


@WAYS
@pytest.mark.parametrize(("chunk_size", "requests"), [(64, 1), (10, 3), (1, 25)])
async def test_vectors_come_in_the_order_of_the_texts(service, way, chunk_size, requests):
    parts = made(service, chunk_size=chunk_size)
    assert await embedded(parts, way, TEXTS) == [vector(text) for text in TEXTS]
    assert len(service.requests) == requests


def test_so_many_requests_at_once(service):
    """The core tries it in both ways; without company the barrier breaks."""
    together = threading.Barrier(4)
    service.decides(lambda body: together.wait(30) * 0 or vectors(body))
    made(service, chunk_size=1, max_concurrency=4).embed_documents(TEXTS[:4])


@WAYS
async def test_no_text_is_no_request_and_others_are_sent_as_texts(service, way):
    assert await embedded(made(service), way, []) == []
    assert service.requests == []
    await embedded(made(service, dimensions=2, model_kwargs={"user": "u"}), way, ["a", "b"])
    assert service.requests == [{"model": "e", "input": ["a", "b"], "dimensions": 2, "user": "u"}]


@WAYS
async def test_an_empty_text_lets_no_others_fail(service, way):
    await embedded(made(service, document_prefix="p: "), way, ["", " \n", "a"])
    made(service, empty_text="none").embed_query("")
    sent = [body["input"] for body in service.requests]
    assert sent == [["p: (empty)", "p: (empty)", "p: a"], ["none"]]
    with pytest.raises(TypeError, match=r"Text 0 .* `NoneType`"):
        made(service).embed_query(None)


async def test_prefixes(service):
    parts = made(service, query_prefix="query: ", document_prefix="passage: ")
    parts.embed_documents(["a"])
    parts.embed_query("b")
    await parts.aembed_query("c")
    sent = [body["input"] for body in service.requests]
    assert sent == [["passage: a"], ["query: b"], ["query: c"]]


@WAYS
@pytest.mark.parametrize("long_text", ["average", "truncate", "send"])
async def test_a_long_text_is_treated_as_the_user_chose(service, way, long_text):
    long = "word " * 1000
    parts = made(service, model="BAAI/bge-large-en-v1.5", long_text=long_text, document_prefix="p ")
    short, found = await embedded(parts, way, ["short", long])
    first, *pieces = service.requests[0]["input"]
    assert (first, short) == ("p short", vector("p short"))
    assert all(len(piece.split()) < 512 for piece in pieces) == (long_text != "send")
    words = [piece.removeprefix("p ").strip() for piece in pieces]
    assert (" ".join(words) == long.strip()) == (long_text != "truncate")
    assert long.startswith(words[0])
    assert min(map(len, pieces)) <= found[0] <= max(map(len, pieces))
    parts = made(service, max_tokens=8, chunk_size=1)
    assert len(await embedded(parts, way, ["one two three four five six seven"])) == 1
    assert [len(body["input"]) for body in service.requests[1:]] == [1, 1]


@WAYS
async def test_one_text_is_no_list_of_texts(service, way):
    with pytest.raises(TypeError, match="a list of texts, not one text"):
        await embedded(made(service), way, "one text")  # type: ignore[arg-type] # as users do
    assert service.requests == []


@WAYS
async def test_a_refusal_is_langchains_error_too(service, way):
    service.will_say(refusal(404, "No such model.", "not_found"))
    with pytest.raises(ModelNotFoundError, match="No such model") as caught:
        await embedded(made(service, chunk_size=1), way, ["a", "b", "c"])
    assert type(caught.value.__cause__) is rc.NotFoundError


def test_headers_are_not_taken_where_they_would_be_shown():
    with pytest.raises(ValidationError, match="`default_headers`") as caught:
        RuncrateEmbeddings(model="e", model_kwargs={"extra_headers": {"x-token": "secret_value"}})
    assert "secret_value" not in str(caught.value)
