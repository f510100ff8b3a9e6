"""Answers from the service's form to LlamaIndex's."""

from __future__ import annotations

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
from llama_index.core.callbacks import CallbackManager, TokenCountingHandler

from llamaindex_runcrate.responses import ChunkReader, ResponseContext, completion_of
from runcrate_core import ResponseFormatError, RuncrateError, StreamError, StreamTruncatedError
from tests.chat_service import USAGE, call_piece, chunk, chunks_of, completion, end
from tests.llamaindex.calls import STREAMS, WAYS, ask
from tests.servers import sse

ASK = [ChatMessage(content="x")]
RICH = completion(
    "The answer.",
    reasoning_content="First I think.",
    calls=[("c1", "look", '{"at": {"x": [1, 2]}}'), ("c2", "look", "{}")],
    usage={
        **USAGE,
        "prompt_tokens_details": {"cached_tokens": 3, "audio_tokens": None},
        "completion_tokens_details": {"reasoning_tokens": 4},
        "cost": 0.00012,
    },
)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("size", [1, 4, 1000])
async def test_an_answer_whole_or_in_pieces_of_any_size(made_llm, service, way, size):
    service.will_say(chunks_of(RICH, size) if way in STREAMS else RICH)
    chunks = await ask(made_llm(), way, "x")
    last = chunks[-1]
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
        "prompt_tokens": 12,
        "completion_tokens": 7,
        "total_tokens": 19,
        "cached_tokens": 3,
        "reasoning_tokens": 4,
        "cost_usd": 0.00012,
    }
    assert last.raw["choices"][0]["finish_reason"] == "tool_calls"
    assert json.loads(json.dumps(last.raw)) == last.raw
    legacy = last.message.additional_kwargs["tool_calls"]
    assert [call["function"]["arguments"] for call in legacy] == ['{"at": {"x": [1, 2]}}', "{}"]
    assert legacy[1]["function"]["name"] == "look"
    assert (legacy[1]["id"], legacy[1]["type"]) == ("c2", "function")
    for each in chunks:
        again = type(each).model_validate_json(each.model_dump_json())
        assert again.message == each.message
        assert each.model_copy(deep=True) == each
    if way in STREAMS:
        thoughts = [each.additional_kwargs.get("thinking_delta", "") for each in chunks]
        assert "".join(thoughts) == "First I think."
        assert "".join(each.delta for each in chunks) == "The answer."


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("usage", [None, dict.fromkeys(USAGE)])
async def test_llamaindex_counts_tokens_without_usage_too(made_llm, service, way, usage):
    service.will_say(completion("Hi.", usage=usage))
    counter = TokenCountingHandler()
    last = (await ask(made_llm(callback_manager=CallbackManager([counter])), way, "x"))[-1]
    assert "usage" not in last.raw
    assert counter.total_llm_token_count > 0


@pytest.mark.parametrize("way", STREAMS)
async def test_text_thought_and_call_in_one_chunk(made_llm, service, way):
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
async def test_chunks_that_add_nothing_are_not_handed_on(made_llm, service, way):
    second = {"index": 1, "delta": {"content": "b"}, "finish_reason": "stop"}
    empty = [chunk({"role": "assistant", "content": ""}), chunk({"content": None})]
    service.will_say(
        [empty[0], chunk({"content": "a"}), chunk({}, choices=[second]), empty[1], *end()]
    )
    chunks = await ask(made_llm(), way, "x")
    assert [each.delta for each in chunks] == ["a", ""]
    assert chunks[-1].message.content == "a"


ALL_THOUGHTS = completion("", reasoning_content="It is 4.")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("answer", "as_answer", "content"),
    [
        (ALL_THOUGHTS, True, "It is 4."),
        (ALL_THOUGHTS, False, ""),
        (completion("", reasoning_content="Not done", finish_reason="length"), True, ""),
        (completion("", reasoning_content="Calling", calls=[("c", "f", "{}")]), True, ""),
        (completion("Said.", reasoning_content="Thought"), True, "Said."),
    ],
)
async def test_thoughts_count_as_the_answer_where_they_are_all_of_it(
    made_llm, service, way, answer, as_answer, content
):
    service.will_say(answer)
    chunks = await ask(made_llm(reasoning_as_answer=as_answer), way, "x")
    assert (chunks[-1].message.content or "") == content
    if way in STREAMS:
        assert "".join(each.delta or "" for each in chunks) == content


ERROR = {"error": {"message": "gone", "code": "busy"}}
CUT = httpx.Response(200, content=b"".join(sse(chunk({"content": "Half"}), done=False)))


@pytest.mark.parametrize(
    ("way", "answer", "kind"),
    [
        *((way, {**completion("x"), "choices": []}, ResponseFormatError) for way in WAYS[:2]),
        *((way, ERROR, ResponseFormatError) for way in WAYS[:2]),
        *((way, [chunk(None, usage=USAGE)], RuncrateError) for way in STREAMS),
        *((way, [], RuncrateError) for way in STREAMS),
        *((way, CUT, StreamTruncatedError) for way in STREAMS),
        *((way, [chunk({"content": "a"}), ERROR], StreamError) for way in STREAMS),
    ],
)
async def test_an_answer_that_is_none_or_ends_early_is_an_error(
    made_llm, service, way, answer, kind
):
    service.will_say(answer)
    with pytest.raises(kind) as caught:
        await ask(made_llm(), way, "x")
    if kind is StreamTruncatedError:
        assert caught.value.partial["choices"][0]["message"]["content"] == "Half"


@pytest.mark.parametrize("way", WAYS)
async def test_log_probabilities(made_llm, service, way):
    token = {"token": "a", "logprob": -0.5, "bytes": [97]}
    other = {"token": "b", "logprob": -1.5, "bytes": None}
    told = {"logprobs": {"content": [{**token, "top_logprobs": [token, other]}, token]}}
    whole, piece = completion("a"), chunk({"content": "a"})
    whole["choices"][0] |= told
    piece["choices"][0] |= told
    service.will_say([piece, *end()] if way in STREAMS else whole)
    first = LogProb(token="a", logprob=-0.5, bytes=[97])
    expected = [[first, LogProb(token="b", logprob=-1.5, bytes=[])], [first]]
    chunks = await ask(made_llm(logprobs=True, top_logprobs=2), way, "x")
    assert chunks[-1].logprobs == expected
    assert (service.last["logprobs"], service.last["top_logprobs"]) == (True, 2)


def test_parts_images_and_sound_of_an_answer(made_llm, service):
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
    message = made_llm().chat(ASK).message
    kinds = [type(block) for block in message.blocks]
    assert kinds == [TextBlock, ImageBlock, ImageBlock, AudioBlock]
    assert message.content == "Here"
    assert message.additional_kwargs == {"annotations": [{"type": "url_citation"}]}


def test_a_completion_does_not_change_the_chat_answer(made_llm, service):
    """LlamaIndex's own converter writes the token counts into the message."""
    service.will_say(completion("Hi.", refusal="no"))
    response = made_llm().chat(ASK)
    completed = completion_of(response)
    assert completed.additional_kwargs["prompt_tokens"] == 12
    assert response.message.additional_kwargs == {"refusal": "no"}


ODD_DELTAS = [
    None,
    "text",
    {"content": [["parts"]]},
    {"content": 3, "tool_calls": "x"},
    {"tool_calls": [None, {"index": "x"}]},
    {"tool_calls": [{"index": 0, "function": "f"}]},
    {"reasoning_content": {"a": 1}},
]


@pytest.mark.parametrize(
    "choices",
    [
        *(None, {"0": 1}, [None]),
        *([{"index": 0, "delta": delta, "logprobs": "x"}] for delta in ODD_DELTAS),
    ],
)
def test_chunks_of_unexpected_shape_do_no_harm(choices):
    reader = ChunkReader(ResponseContext())
    reader.read({"choices": choices})
    response = reader.read(chunk({"content": "fine"}))
    assert response is not None
    assert response.message.content == "fine"


async def test_details_of_thoughts_and_the_request_id_are_kept(made_llm, service):
    details: Any = [{"type": "reasoning.text", "text": "t", "signature": "s"}]
    answer = completion("a", reasoning_details=details)
    service.will_say(httpx.Response(200, headers={"x-request-id": "r1"}, json=answer))
    llm = made_llm()
    response = await llm.achat(ASK)
    assert response.additional_kwargs["request_id"] == "r1"
    (thought, _) = response.message.blocks
    assert thought.content == "t"
    assert thought.additional_information == {"reasoning_details": details}
    service.will_say(answer)
    llm.chat([response.message])
    assert service.last["messages"][0]["reasoning_details"] == details


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "odd",
    [
        {"tool_calls": 5},
        {"images": [{"type": "image_url", "image_url": {"url": "no url"}}]},
        {"refusal": 5},
        {"reasoning_content": {"a": 1}},
        {"logprobs": {"content": [{"token": "Hi", "top_logprobs": [None]}]}},
        {"logprobs": {"content": [{"token": "Hi", "logprob": "low"}]}},
    ],
)
async def test_odd_members_of_a_message_do_not_lose_it(made_llm, service, way, odd):
    choice = {"logprobs": odd.get("logprobs")}
    whole, said = completion("Hi", **odd), chunk({"content": "Hi", **odd})
    for response in (whole, said):
        response["choices"][0] |= choice
    service.will_say([said, *end()] if way in STREAMS else whole)
    *_, last = await ask(made_llm(), way, "x")
    assert last.message.content == "Hi"
    assert [type(block).__name__ for block in last.message.blocks] == ["TextBlock"]
