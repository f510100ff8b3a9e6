"""Answers from the service's form to LlamaIndex's."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest
from llama_index.core.base.llms.types import (
    AudioBlock,
    ChatMessage,
    ImageBlock,
    LogProb,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
)

from llamaindex_runcrate.responses import ChunkReader, ResponseContext, completion_of
from runcrate_core import ResponseFormatError, StreamError, StreamTruncatedError
from tests.llamaindex.calls import WAYS, ask, collected
from tests.llamaindex.service import USAGE, call_piece, chunk, chunks_of, completion, end, sse

STREAMS = ("stream_chat", "astream_chat")
RICH = completion(
    "The answer.",
    reasoning_content="First I think.",
    calls=[("c1", "look", '{"at": {"x": [1, 2]}}'), ("c2", "look", "{}")],
    usage={
        **USAGE,
        "prompt_tokens_details": {"cached_tokens": 3},
        "completion_tokens_details": {"reasoning_tokens": 4},
        "cost": 0.00012,
    },
)


@pytest.mark.parametrize("way", WAYS)
async def test_a_whole_answer(made_llm, service, way) -> None:
    service.will_say(RICH)
    last = (await ask(made_llm(), way, "x"))[-1]
    assert last.message.role == "assistant"
    assert last.message.blocks == [
        ThinkingBlock(
            content="First I think.",
            num_tokens=4,
            additional_information={"field": "reasoning_content"},
        ),
        TextBlock(text="The answer."),
        ToolCallBlock(tool_call_id="c1", tool_name="look", tool_kwargs={"at": {"x": [1, 2]}}),
        ToolCallBlock(tool_call_id="c2", tool_name="look", tool_kwargs={}),
    ]
    assert last.additional_kwargs == {
        "finish_reason": "tool_calls",
        "prompt_tokens": 11,
        "completion_tokens": 7,
        "total_tokens": 18,
        "cached_tokens": 3,
        "reasoning_tokens": 4,
        "cost_usd": 0.00012,
    }
    assert last.raw["choices"][0]["finish_reason"] == "tool_calls"
    assert json.loads(json.dumps(last.raw)) == last.raw


@pytest.mark.parametrize("way", STREAMS)
@pytest.mark.parametrize("size", [1, 4, 1000])
async def test_a_stream_ends_with_what_the_whole_answer_is(made_llm, service, way, size) -> None:
    service.will_say(chunks_of(RICH, size))
    streamed = (await ask(made_llm(), way, "x"))[-1]
    service.will_say(RICH)
    whole = made_llm().chat([ChatMessage(content="x")])
    assert streamed.message == whole.message
    assert streamed.additional_kwargs == whole.additional_kwargs


@pytest.mark.parametrize("way", STREAMS)
async def test_deltas_add_up_and_earlier_chunks_do_not_change(made_llm, service, way) -> None:
    service.will_say(chunks_of(RICH, 2))
    result = getattr(made_llm(), way)([ChatMessage(content="x")])
    chunks = result if way == "stream_chat" else await result
    seen = [(each, each.model_dump_json()) async for each in _each(chunks)]
    assert all(each.model_dump_json() == before for each, before in seen)
    chunks = [each for each, _ in seen]
    assert "".join(each.delta for each in chunks) == "The answer."
    thoughts = [each.additional_kwargs.get("thinking_delta", "") for each in chunks]
    assert "".join(thoughts) == "First I think."
    said = [each.message.content or "" for each in chunks]
    assert said == sorted(said, key=len)


async def _each(chunks: Any) -> Any:
    if hasattr(chunks, "__aiter__"):
        async for each in chunks:
            yield each
    else:
        for each in chunks:
            yield each


@pytest.mark.parametrize("way", STREAMS)
async def test_the_first_thought_is_not_lost(made_llm, service, way) -> None:
    service.will_say([chunk({"reasoning_content": "A"}), chunk({"content": "B"}), *end()])
    chunks = await ask(made_llm(), way, "x")
    assert chunks[0].additional_kwargs["thinking_delta"] == "A"
    assert chunks[-1].message.blocks == [
        ThinkingBlock(content="A", additional_information={"field": "reasoning_content"}),
        TextBlock(text="B"),
    ]


@pytest.mark.parametrize("way", STREAMS)
async def test_text_thought_and_call_in_one_chunk(made_llm, service, way) -> None:
    piece = call_piece(0, identifier="c", name="f", text="{}")
    service.will_say(
        [chunk({"content": "T", "reasoning": "R", "tool_calls": [piece]}), *end("tool_calls")]
    )
    first, *_, last = await ask(made_llm(), way, "x")
    assert first.delta == "T"
    assert first.additional_kwargs["thinking_delta"] == "R"
    assert first.message.blocks == last.message.blocks
    assert len(first.message.blocks) == 3


@pytest.mark.parametrize("way", STREAMS)
async def test_chunks_that_add_nothing_are_not_handed_on(made_llm, service, way) -> None:
    service.will_say(
        [
            chunk({"role": "assistant", "content": ""}),
            chunk({"content": "a"}),
            {
                **chunk({"content": "second answer"}),
                "choices": [{"index": 1, "delta": {"content": "b"}, "finish_reason": "stop"}],
            },
            chunk({"content": None}),
            *end(),
        ]
    )
    chunks = await ask(made_llm(), way, "x")
    assert [each.delta for each in chunks] == ["a", ""]
    assert chunks[-1].message.content == "a"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("wanted", "content"), [(True, "It is 4."), (False, "")])
async def test_thoughts_can_count_as_the_answer(made_llm, service, way, wanted, content) -> None:
    service.will_say(completion("", reasoning_content="It is 4."))
    chunks = await ask(made_llm(reasoning_as_answer=wanted), way, "x")
    assert chunks[-1].message.content == content
    assert chunks[-1].message.blocks[0].content == "It is 4."
    if way in STREAMS:
        assert "".join(each.delta for each in chunks) == content


@pytest.mark.parametrize(
    "answer",
    [
        completion("", reasoning_content="Not done", finish_reason="length"),
        completion("", reasoning_content="Calling", calls=[("c", "f", "{}")]),
        completion("Said.", reasoning_content="Thought"),
    ],
)
def test_thoughts_do_not_count_as_the_answer_otherwise(made_llm, service, answer) -> None:
    service.will_say(answer)
    response = made_llm().chat([ChatMessage(content="x")])
    assert (response.message.content or "") in {"", "Said."}


@pytest.mark.parametrize("way", WAYS)
async def test_an_answer_without_a_choice_is_an_error(made_llm, service, way) -> None:
    service.will_say(
        [chunk(None, usage=USAGE)] if way in STREAMS else {**completion("x"), "choices": []}
    )
    with pytest.raises((ResponseFormatError, StreamError)):
        await ask(made_llm(), way, "x")


@pytest.mark.parametrize("way", ["chat", "achat"])
async def test_an_error_in_a_200_is_an_error(made_llm, service, way) -> None:
    service.will_say({"error": {"message": "overloaded", "code": "busy"}})
    with pytest.raises(ResponseFormatError):
        await ask(made_llm(), way, "x")


@pytest.mark.parametrize("way", STREAMS)
async def test_a_cut_stream_is_an_error_that_holds_what_came(made_llm, service, way) -> None:
    service.will_say(httpx.Response(200, content=sse([chunk({"content": "Half"})], done=False)))
    with pytest.raises(StreamTruncatedError) as caught:
        await ask(made_llm(), way, "x")
    assert caught.value.partial["choices"][0]["message"]["content"] == "Half"


@pytest.mark.parametrize("way", STREAMS)
async def test_an_error_in_the_stream_is_raised(made_llm, service, way) -> None:
    service.will_say([chunk({"content": "a"}), {"error": {"message": "gone"}}])
    with pytest.raises(StreamError, match="gone"):
        await ask(made_llm(), way, "x")


async def test_leaving_a_stream_early_gives_the_connection_back(made_llm, service) -> None:
    service.will_say(completion("one two three four five"))
    llm = made_llm()
    for _ in llm.stream_chat([ChatMessage(content="x")]):
        break
    async for _ in (stream := await llm.astream_chat([ChatMessage(content="x")])):
        break
    await stream.aclose()
    await asyncio.sleep(0.01)  # the event loop closes what LlamaIndex's wrapper has left
    assert [body.closed for body in service.bodies] == [True, True]
    assert all(body.read < len(body.pieces) for body in service.bodies)


@pytest.mark.parametrize("way", WAYS)
async def test_log_probabilities(made_llm, service, way) -> None:
    token = {"token": "a", "logprob": -0.5, "bytes": [97]}
    other = {"token": "b", "logprob": -1.5, "bytes": None}
    answer = completion("a")
    told = {"content": [{**token, "top_logprobs": [token, other]}, token]}
    answer["choices"][0]["logprobs"] = told
    service.will_say(
        [
            {
                **chunk({"content": "a"}),
                "choices": [{"index": 0, "delta": {"content": "a"}, "logprobs": told}],
            },
            *end(),
        ]
        if way in STREAMS
        else answer
    )
    first = LogProb(token="a", logprob=-0.5, bytes=[97])
    expected = [[first, LogProb(token="b", logprob=-1.5, bytes=[])], [first]]
    chunks = await ask(made_llm(logprobs=True, top_logprobs=2), way, "x")
    assert chunks[-1].logprobs == expected
    assert service.last["logprobs"] is True
    assert service.last["top_logprobs"] == 2


def test_parts_images_and_sound_of_an_answer(made_llm, service) -> None:
    service.will_say(
        completion(
            [
                {"type": "text", "text": "Here"},
                {"type": "image_url", "image_url": {"url": "https://x.test/a.png"}},
                {"type": "hologram"},
            ],
            images=[{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}],
            audio={"id": "a", "data": "c291bmQ=", "transcript": "Here"},
            annotations=[{"type": "url_citation"}],
        )
    )
    message = made_llm().chat([ChatMessage(content="x")]).message
    assert [type(block) for block in message.blocks] == [
        TextBlock,
        ImageBlock,
        ImageBlock,
        AudioBlock,
    ]
    assert message.content == "Here"
    assert message.additional_kwargs == {"annotations": [{"type": "url_citation"}]}


@pytest.mark.parametrize("way", ["complete", "acomplete", "stream_complete", "astream_complete"])
async def test_completions_carry_the_same(made_llm, service, way) -> None:
    service.will_say(completion("Hi.", refusal="no"))
    chunks = await ask(made_llm(), way, "x")
    assert chunks[-1].text == "Hi."
    assert chunks[-1].additional_kwargs["refusal"] == "no"
    assert chunks[-1].additional_kwargs["prompt_tokens"] == 11
    if "stream" in way:
        assert "".join(each.delta or "" for each in chunks) == "Hi."


async def test_a_completion_does_not_change_the_chat_answer(made_llm, service) -> None:
    """LlamaIndex's own converter writes the token counts into the message."""
    service.will_say(completion("Hi."))
    response = made_llm().chat([ChatMessage(content="x")])
    completion_of(response)
    assert response.message.additional_kwargs == {}


def test_chunks_can_be_serialised_and_copied(made_llm, service) -> None:
    service.will_say(RICH)
    chunks = list(made_llm().stream_chat([ChatMessage(content="x")]))
    for each in chunks:
        again = type(each).model_validate_json(each.model_dump_json())
        assert again.message == each.message
        assert each.model_copy(deep=True) == each
    assert len(chunks) > 5


async def test_the_official_wrappers_shape_is_served_too(made_llm, service) -> None:
    """`reasoning` in place of `reasoning_content`, and no usage."""
    service.will_say(completion("a", reasoning="t", usage=None))
    last = (await collected(made_llm().stream_chat([ChatMessage(content="x")])))[-1]
    assert last.message.blocks[0].additional_information == {"field": "reasoning"}
    assert last.additional_kwargs == {"finish_reason": "stop"}


@pytest.mark.parametrize(
    "odd",
    [
        {},
        {"choices": None},
        {"choices": {"0": 1}},
        {"choices": [None]},
        {"choices": [{"index": 0, "delta": None}]},
        {"choices": [{"index": 0, "delta": "text"}]},
        {"choices": [{"index": 0, "delta": {"content": ["parts"]}}]},
        {"choices": [{"index": 0, "delta": {"content": 3, "tool_calls": "x"}}]},
        {"choices": [{"index": 0, "delta": {"tool_calls": [None, {"index": "x"}]}}]},
        {"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "function": "f"}]}}]},
        {"choices": [{"index": 0, "delta": {"reasoning_content": {"a": 1}}, "logprobs": "x"}]},
    ],
)
def test_chunks_of_unexpected_shape_do_no_harm(odd) -> None:
    reader = ChunkReader(ResponseContext())
    reader.read(odd)
    response = reader.read(chunk({"content": "fine"}))
    assert response is not None
    assert response.message.content == "fine"


async def test_details_of_thoughts_and_the_request_id_are_kept(made_llm, service) -> None:
    details = [{"type": "reasoning.text", "text": "t", "signature": "s"}]
    answer = completion("a", reasoning_details=details)
    service.will_say(httpx.Response(200, headers={"x-request-id": "r1"}, json=answer))
    llm = made_llm()
    response = await llm.achat([ChatMessage(content="x")])
    assert response.additional_kwargs["request_id"] == "r1"
    (thought, _) = response.message.blocks
    assert thought.content == "t"
    assert thought.additional_information == {"reasoning_details": details}
    service.will_say(answer)
    llm.chat([response.message])
    assert service.last["messages"][0]["reasoning_details"] == details
