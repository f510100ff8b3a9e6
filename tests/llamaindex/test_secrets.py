"""The key is in no frame of a failing call: tools for error reports show the locals of each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.prompts import PromptTemplate
from llama_index.core.tools import FunctionTool
from pydantic import BaseModel

from llamaindex_runcrate import (
    RuncrateEmbedding,
    RuncrateInfrastructureToolSpec,
    RuncrateLLM,
    RuncrateMediaToolSpec,
    RuncrateTranscriptionReader,
)
from runcrate_core import Runcrate
from tests.key_in_frames import KEY, leaks
from tests.llamaindex.calls import collected
from tests.llamaindex.conftest import CHAT_MODEL
from tests.llamaindex.ignored_warnings import IGNORED_WARNINGS

pytestmark = [*IGNORED_WARNINGS, pytest.mark.usefixtures("short_waits")]

ASK = [ChatMessage(role="user", content="Hello")]


class Fact(BaseModel):
    """A structured output."""

    text: str


async def check(call: Callable[[], Any]) -> None:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - of any kind
        await collected(call())
    assert leaks(caught.value, __file__) == []


def calls(settings: dict[str, Any], audio: Path) -> dict[str, Callable[[], Any]]:
    llm = RuncrateLLM(model=CHAT_MODEL, max_retries=0, timeout=2, **settings)
    embedding = RuncrateEmbedding(max_retries=0, **settings)
    reader = RuncrateTranscriptionReader(max_retries=0, **settings)
    tool = FunctionTool.from_defaults(lambda: "x", name="f", description="F.")
    prompt = PromptTemplate("x")
    media = RuncrateMediaToolSpec(audio.parent, **settings)
    base_url = settings["api_base"].removesuffix("/v1")
    cloud = Runcrate(KEY, base_url=base_url, inference_url=settings["api_base"], max_retries=0)
    spec = RuncrateInfrastructureToolSpec(cloud)
    tools = {tool.metadata.name: tool for tool in spec.to_tool_list()}
    return {
        "chat": lambda: llm.chat(ASK),
        "achat": lambda: llm.achat(ASK),
        "stream_chat": lambda: llm.stream_chat(ASK),
        "astream_chat": lambda: llm.astream_chat(ASK),
        "complete": lambda: llm.complete("x"),
        "chat_with_tools": lambda: llm.chat_with_tools([tool], user_msg="x"),
        "structured_predict": lambda: llm.structured_predict(Fact, prompt),
        "astructured_predict": lambda: llm.astructured_predict(Fact, prompt),
        "stream_structured_predict": lambda: llm.stream_structured_predict(Fact, prompt),
        "embed": lambda: embedding.get_text_embedding("x"),
        "aembed": lambda: embedding.aget_text_embedding("x"),
        "transcribe": lambda: reader.load_data(audio),
        "atranscribe": lambda: reader.aload_data(audio),
        "generate_image": lambda: media.generate_image(prompt="x"),
        "agenerate_image": lambda: media.agenerate_image(prompt="x"),
        "instances": tools["runcrate_list_instances"].call,
        "ainstances": tools["runcrate_list_instances"].acall,
    }


NAMES = list(calls({"api_key": KEY, "api_base": "http://127.0.0.1:9/v1"}, Path("a.wav")))
ROUTES = (
    "POST /chat/completions",
    "POST /embeddings",
    "POST /audio/transcriptions",
    "POST /images/generations",
    "GET /instances",
)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("fault", ["no connection", "unknown key", "key repeated", "stream cut"])
async def test_a_call_that_fails(runcrate_emulator, name, fault, tmp_path):
    """What else a service can do wrong is tried with the core's clients."""
    audio = tmp_path / "a.wav"
    audio.write_bytes(b"RIFF" + bytes(100))
    settings = {"api_key": KEY, "api_base": runcrate_emulator.inference_url}
    if fault == "no connection":
        settings["api_base"] = "http://127.0.0.1:9/v1"
    elif fault != "unknown key":
        is_cut = fault == "stream cut" and "stream" in name
        status = {"status": 400, "message": f"bad key {KEY}", "headers": {"X-Request-Id": KEY}}
        runcrate_emulator.add_key(KEY)
        for route in ROUTES:
            plan: dict[str, Any] = {"cut_after_chunks": 1} if is_cut else status
            runcrate_emulator.fail(route, times=None, **plan)
    await check(calls(settings, audio)[name])


async def test_an_answer_that_is_not_usable(runcrate_emulator):
    runcrate_emulator.add_key(KEY)
    settings: dict[str, Any] = {"api_key": KEY, "api_base": runcrate_emulator.inference_url}
    llm = RuncrateLLM(model=CHAT_MODEL, max_tokens=1, **settings)
    tool = FunctionTool.from_defaults(lambda at: at, name="look", description="Look.")
    prompt = PromptTemplate("x")
    await check(lambda: llm.structured_predict(Fact, prompt))
    await check(lambda: llm.astructured_predict(Fact, prompt))
    await check(lambda: llm.stream_structured_predict(Fact, prompt))
    await check(lambda: llm.predict_and_call([tool], user_msg="Look at x"))
    await check(lambda: llm.chat(ASK, temperature=float("nan")))
    await check(lambda: llm.chat(ASK, api_key="other"))


@pytest.mark.parametrize(
    "make",
    [
        lambda: RuncrateLLM(api_key=KEY),  # type: ignore[call-arg] # no model
        lambda: RuncrateLLM(model="m", api_key=f"{KEY}\nx"),
        lambda: RuncrateEmbedding(api_key=KEY, embed_batch_size=0),
        lambda: RuncrateEmbedding(api_key=KEY, api_base="ftp://runcrate.example.com"),
        lambda: RuncrateTranscriptionReader(api_key=KEY, max_concurrency=0),
        lambda: RuncrateMediaToolSpec(api_key=KEY, api_base="ftp://runcrate.example.com"),
    ],
)
def test_a_failing_constructor(make):
    with pytest.raises(Exception) as caught:  # noqa: PT011 - of any kind
        make()
    assert leaks(caught.value, __file__) == []
