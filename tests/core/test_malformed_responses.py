"""Responses that are not what was promised are format errors that name endpoint and field."""

from __future__ import annotations

from typing import Any

import pytest

import runcrate_core as rc
from tests.servers import Reply, raw_reply

Call = tuple[str, dict[str, Any]]
WAV = b"RIFF\x24\x00\x00\x00WAVEfmt "
LIST: Call = ("instances.list", {})
GET: Call = ("instances.get", {"instance_id": "i-1"})
CHAT: Call = ("chat.completions.create", {"model": "m", "messages": []})
VECTORS: Call = ("embeddings.create", {"model": "e", "input": ["a", "b"]})
IMAGES: Call = ("images.generate", {"prompt": "p", "model": "m"})
SPEECH: Call = ("audio.speech.create", {"input": "x", "model": "m"})
TEXT: Call = ("audio.transcriptions.create", {"file": WAV, "model": "m"})
END: Call = ("instances.terminate", {"instance_id": "i"})
ARTIFACT: Call = ("jobs.artifacts.url", {"job_id": "j", "path": "model.pt"})


OTHER_JSON = {b"[]": "array", b"null": "null", b"true": "boolean", b"1": "number", b'""': "string"}
MALFORMED: list[tuple[Call, Reply, str]] = [
    (LIST, raw_reply(b"<html></html>"), "not JSON"),
    (LIST, raw_reply(b""), "empty"),
    (LIST, raw_reply(b'{"data": ['), "not JSON"),
    (LIST, Reply(json={"data": None}), "`data` is not a list"),
    (LIST, Reply(json={"data": [{"name": "x"}]}), "data[0].id"),
    (LIST, Reply(json={"data": [{"id": {}}]}), "data[0].id"),
    (GET, Reply(json={"data": None}), "GET /instances/{instance_id}"),
    (GET, Reply(json={"data": None, "error": "gone"}), "nothing but an error: gone"),
    (END, Reply(json={"success": False, "error": "locked"}), "nothing but an error: locked"),
    (END, Reply(json={"data": None, "error": {"message": "locked"}}), "an error: locked"),
    *(
        (GET, Reply(json=body), "GET /instances/{instance_id}")
        for body in ({"data": []}, [], "text", {"data": {"name": 1}})
    ),
    (CHAT, Reply(json={}), "choices"),
    (CHAT, Reply(json={"choices": [{}]}), "choices.0.message"),
    (CHAT, Reply(json={"choices": "none"}), "choices"),
    *(
        (CHAT, raw_reply(body), f"the body is a JSON {kind}, not an object")
        for body, kind in OTHER_JSON.items()
    ),
    (CHAT, Reply(json={"error": {"message": "no voice"}}), "nothing but an error: no voice"),
    (CHAT, Reply(json={"error": "gone", "choices": []}), "nothing but an error: gone"),
    (CHAT, Reply(json={"choices": [{"error": "gone", "message": {}}]}), "an error: gone"),
    (CHAT, Reply(json={"object": "error", "message": "gone"}), "an error: gone"),
    (VECTORS, Reply(json={"data": [{"index": 0, "embedding": [1.0]}]}), "1 vectors for 2 texts"),
    (VECTORS, Reply(json={"data": None}), "list of objects"),
    (VECTORS, Reply(json={"data": [1, 2]}), "list of objects"),
    (VECTORS, Reply(json={"data": [{"embedding": "=?"}, {"embedding": [1.0]}]}), "base64"),
    (VECTORS, Reply(json={"data": [{"embedding": "AAA="}, {"embedding": [1.0]}]}), "base64"),
    (VECTORS, Reply(json={"data": [{"embedding": ["x"]}, {"embedding": [1]}]}), "data.0.embedding"),
    (VECTORS, Reply(json={"data": [{"embedding": [1]}, {"embedding": [1, 2]}]}), "lengths (1, 2)"),
    (VECTORS, raw_reply(b'{"data": [{"embedding": [NaN]}, {"embedding": [1]}]}'), "text 0 holds"),
    (VECTORS, Reply(json={"data": [{"embedding": [1]}, {"embedding": ["inf"]}]}), "text 1 holds"),
    *((IMAGES, Reply(json={"data": data}), "") for data in ([], "x", [{"revised_prompt": "x"}])),
    (IMAGES, Reply(json={"data": [{"url": "", "b64_json": None}]}), ""),
    (IMAGES, Reply(json=[]), ""),
    (SPEECH, raw_reply(b"", "audio/mpeg"), "is empty"),
    (SPEECH, raw_reply(b"<html>", "text/html; charset=utf-8"), "not audio"),
    (SPEECH, raw_reply(b'{"error": "no voice"}'), "nothing but an error: no voice"),
    (SPEECH, raw_reply(b"{}"), "not audio"),
    (SPEECH, raw_reply(b"\x89PNG\r\n\x1a\n", "audio/mpeg"), "not audio"),
    (TEXT, raw_reply(b'{"error": {"message": "no speech"}}'), "nothing but an error: no speech"),
    (TEXT, raw_reply(b'{"error": "no speech"}', "text/plain"), "nothing but an error: no speech"),
    *((TEXT, raw_reply(body), "") for body in (b"{", b"", b"{}", b'{"text": 5}', b"[1]")),
    (TEXT, raw_reply(b"<html>", "text/html"), ""),
    (ARTIFACT, Reply(json={"data": {}}), "does not redirect"),
]


VOLUME: dict[str, Any] = {"name": "n", "size_gb": 1}
ODD_CHOICE = {"index": None, "message": {"role": None, "content": "hi"}}
ODD: list[tuple[Call, dict[str, Any]]] = [
    (CHAT, {"id": None, "model": 5, "usage": {"total_tokens": 2.5}, "choices": [ODD_CHOICE]}),
    (("videos.create", {"prompt": "p", "model": "m"}), {"id": "v", "status": 1, "created_at": ""}),
    (
        ("billing.top_up", {"amount_usd": 20}),
        {"id": "t", "amount_usd": 20, "idempotency_key": "k", "expires_at": "", "reason": {}},
    ),
    (("storage.create", VOLUME | {"region": "r"}), VOLUME | {"id": "s", "created_at": "soon"}),
    (("models.list", {}), {"data": [{"id": "m", "context_length": "128k", "input_modalities": 1}]}),
    (IMAGES, {"created": "now", "data": [{"b64_json": "iVBORw0KGgo=", "revised_prompt": 5}]}),
    (VECTORS, {"usage": "free", "data": [{"embedding": [1]}, {"embedding": [2]}]}),
]


@pytest.mark.parametrize(("call", "body"), ODD)
def test_an_odd_optional_field_does_not_lose_what_was_paid(scripted, call, body):
    server, both = scripted(Reply(json=body))
    method, arguments = call
    assert both(method, **arguments)
    assert server.sent == 1


@pytest.mark.parametrize(("call", "reply", "problem"), MALFORMED)
def test_13_a_malformed_response_names_endpoint_and_field(scripted, call, reply, problem):
    server, both = scripted(reply)
    method, arguments = call
    with pytest.raises(rc.ResponseFormatError) as caught:
        both(method, **arguments)
    assert server.sent == 1
    path = server.received[0].path.removeprefix("/api").removeprefix("/v1").split("/")[1]
    assert f" /{path}" in str(caught.value)
    assert problem in str(caught.value)
