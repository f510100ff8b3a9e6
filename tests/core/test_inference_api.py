"""Chat, embeddings and models: requests as documented, responses read leniently."""

from __future__ import annotations

import base64
import copy
import pickle
import struct
from typing import Any

import pytest

import runcrate_core as rc
from tests.chat_service import completion
from tests.servers import Reply, sse, stream_reply

MESSAGES = [{"role": "user", "content": "Hello"}]
COMPLETION = completion(calls=[("c", "f", "{}")], reasoning="hm") | {"provider": "new"}


def test_a_completion_keeps_every_field(scripted):
    replies = Reply(json=COMPLETION, headers={"x-request-id": "r-1"})
    _, both = scripted(replies)
    received = both("chat.completions.create", model="m", messages=MESSAGES)
    assert received.to_dict() == COMPLETION
    assert received.choices[0].message.tool_calls[0].function.name == "f"
    unpickled = pickle.loads(pickle.dumps(received))  # noqa: S301 - of its own making
    copies = [received, copy.deepcopy(received), unpickled]
    assert [one.response.request_id for one in copies] == ["r-1"] * 3
    assert rc.ChatCompletion.model_validate(COMPLETION).response is None


@pytest.mark.parametrize(("n", "calls"), [(None, 1), (1, 1), (2, 0)])
def test_calls_in_a_choice_of_their_own_belong_to_the_one_response(scripted, n, calls):
    text = {"message": {"content": "Let me see."}, "finish_reason": "stop"}
    _, both = scripted(Reply(json={"choices": [text, *COMPLETION["choices"]]}))
    options = {} if n is None else {"n": n}
    first = both("chat.completions.create", model="m", messages=MESSAGES, **options).choices[0]
    assert first.message.content == "Let me see."
    assert len(first.message.tool_calls or ()) == calls
    assert first.finish_reason == ("tool_calls" if calls else "stop")


def test_the_message_of_a_response_is_sent_back_as_it_came(scripted):
    message = rc.ChatCompletion.model_validate(COMPLETION).choices[0].message
    result = {"role": "tool", "tool_call_id": "c", "content": "42"}
    server, both = scripted(Reply(json=COMPLETION))
    both("chat.completions.create", model="m", messages=[*MESSAGES, message, result])
    came = COMPLETION["choices"][0]["message"]
    assert server.received[0].json["messages"] == [*MESSAGES, came, result]


def test_only_what_was_given_is_sent(scripted):
    server, both = scripted(Reply(json=COMPLETION))
    given = {"model": "m", "messages": MESSAGES, "custom": {"a": 1}}
    extra = {"extra_body": {"temperature": 1, "top_k": 5}, "extra_headers": {"X-Trace": "t"}}
    both("chat.completions.create", **given, temperature=0.0, **extra)
    [request] = server.received
    assert request.json == given | {"temperature": 1, "top_k": 5}
    assert request.headers["x-trace"] == "t"
    assert request.headers["authorization"] == "Bearer rc_live_test"
    assert request.path == "/v1/chat/completions"


def test_vectors_come_in_the_order_of_the_texts_in_either_encoding(scripted):
    packed = base64.b64encode(struct.pack("<2f", 0.5, -2.0)).decode()
    data = [{"index": 1, "embedding": packed}, {"index": 0, "embedding": [1, 2]}]
    body = {"data": data, "model": "e", "usage": {"prompt_tokens": 4, "total_tokens": 4}}
    server, both = scripted(Reply(json=body))
    given = {"model": "e", "input": ["a", "b"], "encoding_format": "base64", "dimensions": 2}
    result = both("embeddings.create", **given)
    assert server.received[0].json == given
    assert [item.embedding for item in result.data] == [[1.0, 2.0], [0.5, -2.0]]
    assert result.usage.total_tokens == 4


@pytest.mark.parametrize("method", ["create", "stream"])
def test_arguments_by_position_are_refused_by_the_name_that_was_called(method):
    with rc.Runcrate("rc_live_test") as client:
        call: Any = getattr(client.chat.completions, method)
        with pytest.raises(TypeError, match=rf"`chat.completions.{method}` takes named arguments"):
            call("Hello")


ODD_CHOICES = {
    "a number as the reason": {"finish_reason": 3},
    "an object as the reason": {"finish_reason": {"type": "stop"}},
    "no text as the refusal": {"refusal": False},
    "a list as the thoughts": {"reasoning_content": ["hm"]},
    "no calls": {"tool_calls": [None]},
    "a number as the id": {"tool_calls": [{"id": 7, "function": {"name": "f"}}]},
    "a list as the arguments": {"tool_calls": [{"function": {"name": "f", "arguments": [1]}}]},
    "no function": {"tool_calls": [{"id": "c", "function": True}]},
    "a list as the name": {"tool_calls": [{"function": {"name": ["f"], "arguments": "{}"}}]},
    "an object as the calls": {"tool_calls": {}},
    "a number as the role": {"role": 3},
    "another choice that is none": {"more": None},
    "another choice without a message": {"more": {"index": 1}},
}


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("odd", ODD_CHOICES.values(), ids=ODD_CHOICES)
def test_an_odd_field_loses_no_response_streamed_as_complete(scripted, odd, streamed):
    message = {"role": "assistant", "content": "Hello", **odd}
    choice = {"index": 0, "finish_reason": message.pop("finish_reason", "stop"), "message": message}
    choices = [choice, message.pop("more")] if "more" in odd else [choice]
    payload = {"id": "r", "model": "m", "created": "in the past", "choices": choices}
    _, both = scripted(stream_reply(sse(payload)) if streamed else Reply(json=payload))
    create = {"model": "m", "messages": MESSAGES}
    whole = both.chunks()[1] if streamed else both("chat.completions.create", **create)
    [read] = whole.choices
    assert (read.message.content, whole.created) == ("Hello", None)
    calls = [call for call in odd.get("tool_calls", ()) if call]
    assert len(read.message.tool_calls or ()) == len(calls)
    assert all(call.id for call in read.message.tool_calls or ())


@pytest.mark.parametrize("content", [5, {"a": 1}])
def test_content_of_a_wrong_type_is_an_error(failure, content):
    reply = Reply(json={"choices": [{"message": {"content": content}, "finish_reason": "stop"}]})
    create = {"call": "chat.completions.create", "arguments": {"model": "m", "messages": MESSAGES}}
    failure(rc.ResponseFormatError, reply, match=r"choices\.0\.message\.content", **create)


def test_a_response_in_the_form_of_the_older_api_is_read(scripted):
    _, both = scripted(Reply(json={"choices": [{"text": "Hello", "finish_reason": "stop"}]}))
    completion = both("chat.completions.create", model="m", messages=MESSAGES)
    assert completion.choices[0].message.content == "Hello"
