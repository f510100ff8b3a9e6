"""`RuncrateEmbeddings`: batches, order, prefixes, errors."""

from __future__ import annotations

import asyncio
import base64
import json
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from langchain_core.exceptions import ModelNotFoundError
from pydantic import ValidationError

import runcrate_core as rc
from langchain_runcrate import RuncrateEmbeddings
from tests.servers import Reply, ScriptedServer

KEY = "rc_live_test"


class Service:
    """Answers each text with its length, the vectors of a request in turned order."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.at_once = self.most_at_once = 0
        lock = threading.Lock()
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                with lock:
                    service.bodies.append(body)
                    service.at_once += 1
                    service.most_at_once = max(service.most_at_once, service.at_once)
                vectors = [
                    {"index": n, "embedding": [float(len(text)), 1.0]}
                    for n, text in enumerate(body["input"])
                ]
                answer = json.dumps({"data": vectors[::-1], "model": body["model"]}).encode()
                with lock:
                    service.at_once -= 1
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}/v1"


@pytest.fixture
def service():
    made = Service()
    yield made
    made.server.shutdown()
    made.server.server_close()


def embeddings(url: str, **options: Any) -> RuncrateEmbeddings:
    fields = {"model": "e", "api_key": KEY, "base_url": url, "max_retries": 0}
    return RuncrateEmbeddings(**{**fields, **options})


def documents(parts: RuncrateEmbeddings, texts: list[str]) -> list[list[float]]:
    try:
        return parts.embed_documents(texts)
    finally:
        parts.close()


def adocuments(parts: RuncrateEmbeddings, texts: list[str]) -> list[list[float]]:
    async def embed() -> list[list[float]]:
        try:
            return await parts.aembed_documents(texts)
        finally:
            await parts.aclose()

    return asyncio.run(embed())


BOTH = [documents, adocuments]
TEXTS = ["x" * size for size in range(1, 26)]


@pytest.mark.parametrize("embed", BOTH)
@pytest.mark.parametrize(("chunk_size", "requests"), [(64, 1), (10, 3), (1, 25), (5, 5)])
@pytest.mark.parametrize("at_once", [1, 4])
def test_vectors_come_in_the_order_of_the_texts(service, embed, chunk_size, requests, at_once):
    parts = embeddings(service.url, chunk_size=chunk_size, max_concurrency=at_once)
    assert embed(parts, TEXTS) == [[float(len(text)), 1.0] for text in TEXTS]
    assert len(service.bodies) == requests
    assert service.most_at_once <= at_once


@pytest.mark.parametrize("embed", BOTH)
def test_no_text_is_no_request(service, embed):
    assert embed(embeddings(service.url), []) == []
    assert service.bodies == []


def test_texts_are_sent_as_texts(service):
    parts = embeddings(service.url, dimensions=2, model_kwargs={"user": "u"})
    documents(parts, ["a", "b"])
    assert service.bodies == [{"model": "e", "input": ["a", "b"], "dimensions": 2, "user": "u"}]


def test_prefixes(service):
    parts = embeddings(service.url, query_prefix="query: ", document_prefix="passage: ")
    documents(parts, ["a"])
    parts.embed_query("b")
    asyncio.run(aquery(parts, "c"))
    assert [body["input"] for body in service.bodies] == [
        ["passage: a"],
        ["query: b"],
        ["query: c"],
    ]
    parts.close()


async def aquery(parts: RuncrateEmbeddings, text: str) -> list[float]:
    try:
        return await parts.aembed_query(text)
    finally:
        await parts.aclose()


@pytest.mark.parametrize("embed", BOTH)
def test_a_refusal_is_langchains_error_too(embed):
    refusal = Reply(404, json={"error": {"message": "No such model.", "code": "not_found"}})
    with (
        ScriptedServer(refusal) as server,
        pytest.raises(ModelNotFoundError, match="No such model") as caught,
    ):
        embed(embeddings(f"{server.url}/v1", chunk_size=1), ["a", "b", "c"])
    assert type(caught.value.__cause__) is rc.NotFoundError


def test_vectors_in_base64_are_read():
    packed = base64.b64encode(struct.pack("<2f", 0.5, -1.0)).decode()
    with ScriptedServer(Reply(json={"data": [{"index": 0, "embedding": packed}]})) as server:
        parts = embeddings(f"{server.url}/v1", model_kwargs={"encoding_format": "base64"})
        assert parts.embed_query("x") == [0.5, -1.0]
        parts.close()


@pytest.mark.parametrize("wrong", [{"chunk_size": 0}, {"dimensions": 0}, {"max_concurrency": 0}])
def test_wrong_values_are_refused(wrong):
    with pytest.raises(ValidationError):
        RuncrateEmbeddings(model="e", **wrong)
