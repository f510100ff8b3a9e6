"""Standard content blocks of what only some models and servers say."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.messages import content as standard

from langchain_runcrate import content_blocks
from langchain_runcrate.responses import ResponseContext, chat_result
from langchain_runcrate.serialization import register_class
from langchain_runcrate.streaming import StreamReader
from tests.langchain.chat_service import chat, completion, stream, streamed, whole
from tests.servers import ScriptedServer

PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}


def blocks(**extra: Any) -> list[Any]:
    metadata = {"model_provider": "runcrate"}
    message = AIMessage("Hi", additional_kwargs=extra, response_metadata=metadata)
    return [block for block in message.content_blocks if block != {"type": "text", "text": "Hi"}]


def test_images_are_blocks():
    linked = {"type": "image_url", "image_url": {"url": "https://a.example/b.png"}}
    assert blocks(images=[PICTURE, linked, "?", {"x": 1}]) == [
        {"type": "image", "mime_type": "image/png", "base64": "AAAA"},
        {"type": "image", "url": "https://a.example/b.png"},
        {"type": "non_standard", "value": {"image": "?"}},
        {"type": "non_standard", "value": {"x": 1}},
    ]


@pytest.mark.parametrize("output_version", [None, "v1"])
def test_images_of_a_stream_are_blocks_too(output_version):
    with ScriptedServer(streamed({"content": "Here:"}, {"images": [PICTURE]})) as server:
        message = stream(chat(server, output_version=output_version))
    text, picture = message.content_blocks
    assert text["text"] == "Here:"
    picture.pop("index", None)  # which LangChain adds to blocks that have none
    assert picture == {"type": "image", "mime_type": "image/png", "base64": "AAAA"}


def test_citations_are_annotations_of_the_text():
    about = {"url": "https://a.example", "title": "A", "start_index": 0, "end_index": 2}
    annotations = [
        {"type": "url_citation", "url_citation": {**about, "content": "Said."}},
        {"type": "file_citation", "file": "x"},
    ]
    [block] = blocks(annotations=annotations)
    assert block["annotations"] == [
        {"type": "citation", **about, "cited_text": "Said."},
        {"type": "non_standard_annotation", "value": annotations[1]},
    ]


@pytest.mark.parametrize("known", [True, False])
def test_a_refusal_is_a_standard_block_where_langchain_has_one(monkeypatch, known):
    kinds = standard.KNOWN_BLOCK_TYPES | {"refusal"} if known else {"text"}
    monkeypatch.setattr(content_blocks, "KNOWN_BLOCK_TYPES", kinds)
    refusal = {"type": "refusal", "refusal": "No."}
    message = AIMessage("", additional_kwargs={"refusal": "No."})
    expected = refusal if known else {"type": "non_standard", "value": refusal}
    assert content_blocks.translate_content(message) == [expected]


def test_blocks_are_left_to_langchain_and_calls_without_a_number_have_no_index():
    ours = {"model_provider": "runcrate"}
    said = [{"type": "text", "text": "Hi"}]
    assert AIMessage(said, response_metadata=ours).content_blocks == said
    pieces = [{"name": "f", "args": "{", "id": "1", "index": None}]
    chunk = AIMessageChunk(content="", tool_call_chunks=pieces, response_metadata=ours)
    [block] = chunk.content_blocks
    assert "index" not in block


def test_what_is_not_a_call_among_calls_is_passed_over():
    answer = StreamReader(ResponseContext("m"))
    for delta in ({"tool_calls": ["?"]}, {"tool_calls": []}, None):
        assert answer.read({"choices": [{"index": 0, "delta": delta}]}) is None
    payload = completion({"tool_calls": ["?", {"function": {"name": "f", "arguments": {"x": 1}}}]})
    [generation] = chat_result(payload, None, ResponseContext("m")).generations
    assert [call["args"] for call in generation.message.tool_calls] == [{"x": 1}]


TEXT = {"type": "text", "text": "Yes."}


@pytest.mark.parametrize(
    ("parts", "content", "thoughts"),
    [
        ([{"type": "thinking", "thinking": "Hm."}, TEXT], "Yes.", "Hm."),
        ([{"type": "redacted_thinking", "data": "x"}, "Yes."], "Yes.", None),
        ([TEXT, PICTURE], [TEXT, PICTURE], None),
    ],
)
def test_parts_of_a_response(parts, content, thoughts):
    with ScriptedServer(whole({"content": parts}), streamed({"content": parts})) as server:
        model = chat(server)
        for message in (model.invoke("Hi"), stream(model)):
            assert message.content == content
            assert message.additional_kwargs.get("reasoning_content") == thoughts


@pytest.mark.parametrize(
    "loader", [None, SimpleNamespace(), SimpleNamespace(ALL_SERIALIZABLE_MAPPINGS={})]
)
def test_a_class_is_made_known_whatever_has_been_imported(monkeypatch, loader):
    monkeypatch.setitem(sys.modules, "langchain_core.load.load", loader)
    table: dict[Any, Any] = {}
    monkeypatch.setattr("langchain_runcrate.serialization.SERIALIZABLE_MAPPING", table)
    register_class("a.b", "C")
    assert table == {("a", "b", "C"): ("a", "b", "C")}
    known = getattr(loader, "ALL_SERIALIZABLE_MAPPINGS", None)
    assert known in (None, table)
