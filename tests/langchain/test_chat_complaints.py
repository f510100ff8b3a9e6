"""What users of other packages complain about most, each answered by a test.

The numbers are those of the list of complaints that this package was measured by; where another
file tests the answer already, the test here is the shortest proof of it.
"""

from __future__ import annotations

import asyncio
import json
import pickle
import subprocess
import sys
import time
from typing import Any

import pytest
from langchain.chat_models import init_chat_model
from langchain_core.exceptions import ModelError
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.messages.ai import add_usage
from pydantic import BaseModel

from langchain_runcrate import (
    ChatRuncrate,
    RuncrateCostCallbackHandler,
    RuncrateEmbeddings,
    RuncrateImageTool,
    RuncrateRateLimitError,
    RuncrateResponseError,
    RuncrateSpeechTool,
    RuncrateStreamError,
    RuncrateStreamStalledError,
    RuncrateStreamTruncatedError,
    RuncrateToolkit,
    RuncrateTranscriptionLoader,
    register,
)
from langchain_runcrate.messages import WirePolicy, to_wire
from runcrate_core import SpendLimits
from tests.langchain.chat_service import (
    EVERY,
    KEY,
    MODEL,
    STREAMED,
    USAGE,
    astream,
    calls_delta,
    chat,
    chunk,
    invoke,
    is_streamed,
    stream,
    streamed,
    tool_delta,
    whole,
)
from tests.servers import Reply, ScriptedServer, sse, stream_reply

PNG = {"type": "image", "base64": "iVBORw0KGgo=", "mime_type": "image/png"}
CALL = {"type": "tool_call", "name": "f", "args": {}, "id": "1"}


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
@pytest.mark.parametrize("ask", EVERY)
def test_01_reasoning_is_not_dropped(ask, field):
    said = {"content": "3", field: "Count."}
    with ScriptedServer(streamed(said) if is_streamed(ask) else whole(said)) as server:
        message = ask(chat(server))
    assert message.additional_kwargs["reasoning_content"] == "Count."


@pytest.mark.parametrize(("policy", "sent"), [("auto", "Hm."), ("always", "Hm."), ("never", None)])
def test_02_reasoning_goes_back_in_tool_loops_by_choice(policy, sent):
    thought = AIMessage("", additional_kwargs={"reasoning_content": "Hm."}, tool_calls=[CALL])
    messages = [HumanMessage("?"), thought, ToolMessage("!", tool_call_id="1")]
    with ScriptedServer(whole()) as server:
        chat(server, reasoning_roundtrip=policy).invoke(messages)
    assert server.received[0].json["messages"][1].get("reasoning_content") == sent


@pytest.mark.parametrize("ask", STREAMED)
def test_03_streams_have_usage_with_any_base_url(ask):
    with ScriptedServer(streamed({"content": "Hi"})) as server:
        assert ask(chat(server)).usage_metadata["total_tokens"] == 19
    assert server.received[0].json["stream_options"] == {"include_usage": True}


def test_04_streamed_and_whole_metadata_are_the_same():
    with ScriptedServer(streamed({"content": "Hello!"}), whole()) as server:
        model = chat(server)
        assert stream(model).response_metadata == invoke(model).response_metadata


@pytest.mark.parametrize("index", [{"index": 0}, {}])
def test_05_parallel_calls_stay_apart(index):
    deltas = [
        calls_delta({**index, "id": name, "function": {"name": name, "arguments": "{}"}})
        for name in ("a", "b", "c")
    ]
    with ScriptedServer(streamed(*deltas)) as server:
        message = stream(chat(server))
    assert [call["name"] for call in message.tool_calls] == ["a", "b", "c"]
    assert len(message.content_blocks) == 3


def test_06_broken_arguments_neither_vanish_nor_poison_the_history():
    function = {"name": "f", "arguments": '{"x": '}
    call = {"id": "1", "type": "function", "function": function}
    with ScriptedServer(whole({"content": None, "tool_calls": [call]}), whole()) as server:
        model = chat(server)
        message = model.invoke("?")
        assert message.invalid_tool_calls[0]["args"] == '{"x": '
        model.invoke([HumanMessage("?"), message, ToolMessage("Bad JSON.", tool_call_id="1")])
    replayed = server.received[1].json["messages"][1]["tool_calls"][0]
    assert json.loads(replayed["function"]["arguments"]) == {"invalid_json": '{"x": '}


def test_07_event_loops_come_and_go():
    with ScriptedServer(whole()) as server:
        model = chat(server)

        async def ask() -> str:
            try:
                return str((await model.ainvoke("Hi")).text)
            finally:
                await model.aclose()

        assert asyncio.run(ask()) == asyncio.run(ask()) == "Hello!"
        assert server.sent == 2


def test_08_models_share_connections_and_close_them():
    with ScriptedServer(whole()) as server:
        models = [chat(server, temperature=number / 10) for number in range(10)]
        for model in models:
            model.invoke("Hi")
        assert server.connections == 1
        for model in models:
            model.close()
        for _ in range(200):
            if not server.open_connections:
                break
            time.sleep(0.01)
        assert server.open_connections == 0


@pytest.mark.parametrize("ask", STREAMED)
def test_09_a_stalled_stream_ends(ask):
    stalled = stream_reply([*sse(chunk({"content": "Hi"}), done=False), 5.0])
    began = time.monotonic()
    with ScriptedServer(stalled) as server, pytest.raises(RuncrateStreamStalledError):
        ask(chat(server, stream_idle_timeout=0.2))
    assert time.monotonic() - began < 3


@pytest.mark.parametrize("ask", STREAMED)
def test_10_errors_inside_streams_and_cut_streams_are_errors(ask):
    said = chunk({"content": "Half"})
    failed = stream_reply(sse(said, {"error": {"message": "no GPU"}}))
    cut = stream_reply(sse(said, done=False), end="close")
    with ScriptedServer(failed, cut) as server:
        model = chat(server)
        with pytest.raises(RuncrateStreamError, match="no GPU"):
            ask(model)
        with pytest.raises(RuncrateStreamTruncatedError) as caught:
            ask(model)
    assert caught.value.partial["choices"][0]["message"]["content"] == "Half"


def test_11_repeats_know_what_is_worth_repeating():
    slow = Reply(429, json={"error": {"code": "rate_limited"}}, headers={"retry-after": "0"})
    spent = Reply(402, json={"error": {"code": "insufficient_credits"}})
    with ScriptedServer(slow, whole(), spent) as server:
        model = chat(server, max_retries=2)
        assert model.invoke("Hi").text == "Hello!"
        with pytest.raises(ModelError) as caught:
            model.invoke("Hi")
        assert server.sent == 3
    assert not caught.value.is_retryable
    long = Reply(429, json={"error": {}}, headers={"retry-after": "3600"})
    with ScriptedServer(long) as server, pytest.raises(RuncrateRateLimitError) as limited:
        chat(server, max_retries=2).invoke("Hi")
    assert limited.value.is_retryable
    assert limited.value.retry_after == 3600
    assert server.sent == 1


def test_12_timeouts_are_seconds_and_are_kept():
    began = time.monotonic()
    with ScriptedServer(Reply(body=[5.0])) as server, pytest.raises(TimeoutError):
        chat(server, timeout=0.2).invoke("Hi")
    assert 0.1 < time.monotonic() - began < 3


class Response(BaseModel):
    """An answer."""

    number: int


@pytest.mark.parametrize("method", ["json_schema", "json_mode", "function_calling", None])
def test_13_structured_output_works_on_any_compatible_server(method):
    with ScriptedServer(whole({"content": '```json\n{"number": 3}\n```'})) as server:
        chain = chat(server, model="any/model").with_structured_output(Response, method=method)
        assert chain.invoke("How many?") == Response(number=3)
    body = server.received[0].json
    assert "parse" not in server.received[0].path
    assert body.get("response_format", {}).get("type") in {None, "json_schema", "json_object"}


def test_14_tokens_are_counted_offline():
    model = ChatRuncrate(model="any/model", base_url="http://127.0.0.1:9/v1", api_key="x")
    assert 2 <= model.get_num_tokens("Hello there, world") <= 5
    assert model.get_num_tokens_from_messages([HumanMessage(["Hi", PNG])]) > 100


def test_15_costs_do_not_break_sums():
    costs = RuncrateCostCallbackHandler()
    with ScriptedServer(whole(usage={**USAGE, "cost": 0.1})) as server:
        model = chat(server, callbacks=[costs])
        one, two = model.invoke("Hi"), model.invoke("Hi")
    assert add_usage(one.usage_metadata, two.usage_metadata)["total_tokens"] == 38
    assert str(costs.total_cost_usd) == "0.2"


def test_16_pictures_in_tool_messages_reach_models_that_read_none_there():
    messages = [AIMessage("", tool_calls=[CALL]), ToolMessage([PNG], tool_call_id="1")]
    assert [m["role"] for m in to_wire(messages)] == ["assistant", "tool", "user"]
    native = to_wire(messages, WirePolicy(native_tool_images=True))
    assert native[1]["content"][0]["type"] == "image_url"


def test_17_models_are_pickled():
    model = ChatRuncrate(model=MODEL, temperature=0.5)
    model._sync_client()
    again = pickle.loads(pickle.dumps(model))  # noqa: S301 - its own
    assert again == model
    assert KEY.encode() not in pickle.dumps(model)


def test_18_importing_costs_little():
    program = """
import time
import httpx
import langchain_core.language_models.chat_models, langchain_core.output_parsers.openai_tools
import langchain_core.runnables, langchain_core.utils.function_calling
import langchain_core.messages.block_translators
began = time.process_time()
from langchain_runcrate import ChatRuncrate
model = ChatRuncrate(model="m", api_key="rc_live_x")
print(time.process_time() - began)
"""
    times = [
        float(
            subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout
        )
        for _ in range(3)
    ]
    # The aim is 60 ms, see the benchmarks; this leaves room for slow machines.
    assert min(times) < 0.2


def test_19_init_chat_model_knows_the_provider_once_asked(monkeypatch):
    from langchain.chat_models import base  # its private table is put back

    monkeypatch.setattr(base, "_BUILTIN_PROVIDERS", dict(base._BUILTIN_PROVIDERS))
    register()
    assert isinstance(init_chat_model("runcrate:any/model"), ChatRuncrate)


def test_20_embeddings_are_asked_for_with_texts_and_numbers():
    vectors = [{"index": 0, "embedding": [1.0]}]
    with ScriptedServer(Reply(json={"data": vectors})) as server:
        parts = RuncrateEmbeddings(model="e", api_key=KEY, base_url=f"{server.url}/v1")
        assert parts.embed_query("text") == [1.0]
        parts.close()
    assert server.received[0].json == {"model": "e", "input": ["text"]}


@pytest.fixture
def emulated(runcrate_emulator, monkeypatch):
    """Let tools find the emulator."""
    for name, value in runcrate_emulator.environment_variables().items():
        monkeypatch.setenv(name, value)
    return runcrate_emulator


def test_21_all_pictures_are_kept_and_none_stands_in_the_prompt(emulated, tmp_path):
    drawing = RuncrateImageTool(output_dir=tmp_path, max_images=3)
    arguments = {"prompt": "a red fox", "count": 3, "width": 256, "height": 256}
    message = drawing.invoke({"type": "tool_call", "id": "1", "name": "x", "args": arguments})
    drawing.close()
    assert len(message.artifact["files"]) == len(list(tmp_path.iterdir())) == 3
    assert len(message.content) < 500


def test_22_transcripts_have_times_in_seconds(emulated, tmp_path):
    speaking = RuncrateSpeechTool(output_dir=tmp_path)
    speaking.invoke({"text": "The budget is four thousand dollars. Anna orders the volume."})
    speaking.close()
    loader = RuncrateTranscriptionLoader(str(tmp_path), format="segments")
    documents = loader.load()
    loader.close()
    assert documents
    for document in documents:
        assert 0 <= document.metadata["start"] < document.metadata["end"]


def test_25_a_toolkit_tells_which_tools_need_approval():
    limits = SpendLimits(max_price_per_hour=2, max_total_usd=5)
    reading, spending = (RuncrateToolkit(limits=limit) for limit in (None, limits))
    names = {tool.name for tool in spending.get_tools()}
    assert not any(reading.interrupt_on().values())
    asked = {name for name, decision in spending.interrupt_on().items() if decision}
    assert asked
    assert asked < names
    assert not asked & {tool.name for tool in reading.get_tools()}


def test_23_no_other_key_is_needed_and_no_field_of_the_provider_is_lost(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    own = {"provider": "Fireworks", "citations": ["https://a.example"]}
    with ScriptedServer(whole({"annotations": [{"type": "x"}]}, **own)) as server:
        message = chat(server).invoke("Hi", extra_body={"provider": {"order": ["fireworks"]}})
    assert server.received[0].json["provider"] == {"order": ["fireworks"]}
    assert message.response_metadata["provider"] == "Fireworks"
    assert message.response_metadata["citations"] == ["https://a.example"]
    assert message.additional_kwargs["annotations"] == [{"type": "x"}]


@pytest.mark.parametrize("name", ["codex-mini", "gpt-5-codex", "o3"])
def test_24_chat_completions_are_used_whatever_the_model_is_called(name):
    with ScriptedServer(whole()) as server:
        chat(server, model=name).bind_tools([{"type": "web_search"}]).invoke("Hi")
    assert server.received[0].path == "/v1/chat/completions"


@pytest.mark.parametrize("body", ['{"choices": null}', "<html>"])
def test_also_null_choices_and_pages_of_html_are_told_clearly(body):
    with ScriptedServer(Reply(body=[body.encode()])) as server:
        with pytest.raises(RuncrateResponseError, match=r"choices|not JSON"):
            chat(server).invoke("Hi")


def test_also_streams_of_one_model_do_not_mix():
    deltas: list[Any] = [calls_delta(tool_delta(0, "{}", "1", "f")), {"content": "x"}]
    with ScriptedServer(*(streamed(delta) for delta in deltas)) as server:
        model = chat(server)
        one, two = stream(model), astream(model)
    assert one.tool_calls
    assert not two.tool_calls
