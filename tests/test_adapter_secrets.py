"""The key is in no frame of an adapter's failing call: error reports show the locals of each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.prompts import PromptTemplate
from llama_index.core.tools import FunctionTool
from pydantic import BaseModel

import langchain_runcrate as lc
import llamaindex_runcrate as li
from runcrate_core import Runcrate
from tests.key_in_frames import KEY, leaks
from tests.llamaindex.calls import collected
from tests.llamaindex.ignored_warnings import IGNORED_WARNINGS

pytestmark = [*IGNORED_WARNINGS, pytest.mark.usefixtures("short_waits")]

MODEL = "deepseek-ai/DeepSeek-V3"
ASK = [ChatMessage(role="user", content="Hello")]
PROMPT = PromptTemplate("x")


class Fact(BaseModel):
    """A structured output."""

    text: str


async def check(call: Callable[[], Any]) -> None:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - of any kind
        await collected(call())
    assert leaks(caught.value, __file__) == []


def calls(url: str, folder: Path) -> dict[str, Callable[[], Any]]:
    audio = folder / "a.wav"
    settings: dict[str, Any] = {"api_key": KEY, "api_base": url}
    quick = {**settings, "max_retries": 0}
    llm = li.RuncrateLLM(model=MODEL, timeout=2, **quick)
    embedding = li.RuncrateEmbedding(**quick)
    reader = li.RuncrateTranscriptionReader(**quick)
    tool = FunctionTool.from_defaults(lambda: "x", name="f", description="F.")
    media = li.RuncrateMediaToolSpec(folder, **settings)
    cloud = Runcrate(KEY, base_url=url.removesuffix("/v1"), inference_url=url, max_retries=0)
    tools = {
        str(tool.metadata.name): tool
        for tool in li.RuncrateInfrastructureToolSpec(cloud).to_tool_list()
    }
    quick = {"api_key": KEY, "base_url": url, "max_retries": 0}
    chat = lc.ChatRuncrate(model=MODEL, **quick)
    vectors = lc.RuncrateEmbeddings(model="m", **quick)
    image = lc.RuncrateImageTool(handle_tool_error=False, output_dir=folder, **quick)
    loader = lc.RuncrateTranscriptionLoader(audio, **quick)
    return {
        "LangChain invoke": lambda: chat.invoke("x"),
        "LangChain ainvoke": lambda: chat.ainvoke("x"),
        "LangChain stream": lambda: chat.stream("x"),
        "LangChain astream": lambda: chat.astream("x"),
        "LangChain embed": lambda: vectors.embed_documents(["x"]),
        "LangChain image": lambda: image.invoke({"prompt": "x"}),
        "LangChain loader": loader.load,
        "chat": lambda: llm.chat(ASK),
        "achat": lambda: llm.achat(ASK),
        "stream_chat": lambda: llm.stream_chat(ASK),
        "astream_chat": lambda: llm.astream_chat(ASK),
        "complete": lambda: llm.complete("x"),
        "chat_with_tools": lambda: llm.chat_with_tools([tool], user_msg="x"),
        "structured_predict": lambda: llm.structured_predict(Fact, PROMPT),
        "astructured_predict": lambda: llm.astructured_predict(Fact, PROMPT),
        "stream_structured_predict": lambda: llm.stream_structured_predict(Fact, PROMPT),
        "embed": lambda: embedding.get_text_embedding("x"),
        "aembed": lambda: embedding.aget_text_embedding("x"),
        "transcribe": lambda: reader.load_data(audio),
        "atranscribe": lambda: reader.aload_data(audio),
        "generate_image": lambda: media.generate_image(prompt="x"),
        "agenerate_image": lambda: media.agenerate_image(prompt="x"),
        "instances": tools["runcrate_list_instances"].call,
        "ainstances": tools["runcrate_list_instances"].acall,
    }


NOBODY = "http://127.0.0.1:9/v1"
ROUTES = (
    "POST /chat/completions",
    "POST /embeddings",
    "POST /audio/transcriptions",
    "POST /images/generations",
    "GET /instances",
)


@pytest.mark.parametrize("name", list(calls(NOBODY, Path())))
@pytest.mark.parametrize("fault", ["no connection", "unknown key", "key repeated", "stream cut"])
async def test_a_call_that_fails(runcrate_emulator, name, fault, tmp_path):
    """What else a service can do wrong is tried with the core's clients."""
    (tmp_path / "a.wav").write_bytes(b"RIFF" + bytes(100))
    if fault in {"key repeated", "stream cut"}:
        is_cut = fault == "stream cut" and "stream" in name
        status = {"status": 400, "message": f"bad key {KEY}", "headers": {"X-Request-Id": KEY}}
        plan: dict[str, Any] = {"cut_after_chunks": 1} if is_cut else status
        runcrate_emulator.add_key(KEY)
        for route in ROUTES:
            runcrate_emulator.fail(route, times=None, **plan)
    url = NOBODY if fault == "no connection" else runcrate_emulator.inference_url
    await check(calls(url, tmp_path)[name])


async def test_an_answer_that_is_not_usable(runcrate_emulator):
    runcrate_emulator.add_key(KEY)
    settings: dict[str, Any] = {"api_key": KEY, "api_base": runcrate_emulator.inference_url}
    llm = li.RuncrateLLM(model=MODEL, max_tokens=1, **settings)
    tool = FunctionTool.from_defaults(lambda at: at, name="look", description="Look.")
    for call in (
        lambda: llm.structured_predict(Fact, PROMPT),
        lambda: llm.astructured_predict(Fact, PROMPT),
        lambda: llm.stream_structured_predict(Fact, PROMPT),
        lambda: llm.predict_and_call([tool], user_msg="Look at x"),
        lambda: llm.chat(ASK, temperature=float("nan")),
        lambda: llm.chat(ASK, api_key="other"),
    ):
        await check(call)


# A misspelt argument is an error as well, not a setting that nobody notices.
@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        (lc.ChatRuncrate, {}),  # no model
        (lc.ChatRuncrate, {"model": "m", "max_retries": -1}),
        (lc.ChatRuncrate, {"model": "m", "n": 2, "streaming": True}),
        (lc.ChatRuncrate, {"model": "m", "model_name": "x"}),
        (lc.RuncrateEmbeddings, {"model": "m", "chunk_size": 0}),
        (lc.RuncrateEmbeddings, {"model": "m", "max_retrys": 0}),
        (lc.RuncrateImageTool, {"max_images": 0}),
        (lc.RuncrateImageTool, {"max_retrys": 0}),
        (lc.RuncrateSpeechTool, {"max_retrys": 0}),
        (lc.RuncrateVideoTool, {"max_retrys": 0}),
        (lc.RuncrateTranscriptionLoader, {"source": "a.mp3", "max_concurrency": 0}),
        (lc.RuncrateTranscriptionLoader, {"source": "a.mp3", "max_retrys": 0}),
        (lc.RuncrateTranscriptionParser, {"max_retrys": 0}),
        (li.RuncrateLLM, {}),  # no model
        (li.RuncrateLLM, {"model": "m", "temperature": 9}),
        (li.RuncrateLLM, {"model": "m", "max_token": 5}),
        (li.RuncrateLLM, {"model": "m", "api_key": f"{KEY}\nx"}),
        (li.RuncrateEmbedding, {"embed_batch_size": 0}),
        (li.RuncrateEmbedding, {"api_base": "ftp://runcrate.example.com"}),
        (li.RuncrateTranscriptionReader, {"max_concurrency": 0}),
        (li.RuncrateMediaToolSpec, {"api_base": "ftp://runcrate.example.com"}),
    ],
)
def test_a_failing_constructor(kind, arguments):
    with pytest.raises(Exception) as caught:  # noqa: PT011 - of any kind
        kind(**{"api_key": KEY, **arguments})
    assert leaks(caught.value, __file__) == []


@pytest.mark.parametrize(
    "wrong", [{"base_url": "http://runcrate.example.com/v1"}, {"http_client": object()}]
)
def test_a_wrong_set_up(wrong):
    with pytest.raises(Exception) as caught:  # noqa: PT011 - of any kind
        lc.ChatRuncrate(**{"model": "m", "api_key": KEY, **wrong}).invoke("x")
    assert leaks(caught.value, __file__) == []
