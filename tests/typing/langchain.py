"""What type checkers know of `langchain_runcrate`. Checked by mypy and pyright, never run.

An `ignore` marks a mistake that must be found; one that is not needed is itself an error.
"""

# pyright: strict, reportUnnecessaryTypeIgnoreComment=true
# LangChain leaves some of its own types open.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

from pathlib import Path
from typing import assert_type

import httpx
from langchain_core.embeddings import Embeddings
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from pydantic import BaseModel, SecretStr

import langchain_runcrate as lc
from runcrate_core import Runcrate, SpendLimits, Timeout


class Answer(BaseModel):
    """An answer."""

    text: str


def chat() -> None:
    """Documented arguments are accepted, misspelt ones found."""
    model: BaseChatModel = lc.ChatRuncrate(
        model="deepseek-ai/DeepSeek-V3.2",
        api_key="rc_live_test",
        base_url="http://127.0.0.1:8787/v1",
        max_tokens=100,
        stop=["\n"],
        timeout=30,
        stream_idle_timeout=None,
        reasoning_effort="low",
        default_headers={"x-team": "a"},
    )
    lc.ChatRuncrate(model="m", api_key=SecretStr("rc_live_test"), timeout=(5, 60))
    lc.ChatRuncrate(model="m", timeout=Timeout(connect=5))
    lc.ChatRuncrate(model="m", timeout=httpx.Timeout(5))
    lc.ChatRuncrate()  # type: ignore[call-arg]
    lc.ChatRuncrate(model="m", max_token=3)  # type: ignore[call-arg]
    lc.ChatRuncrate(model="m", max_tokens="many")  # type: ignore[arg-type]
    lc.ChatRuncrate(model="m", stop=3)  # type: ignore[arg-type]
    assert_type(model.invoke("Hi"), AIMessage)
    model.with_structured_output(Answer, include_raw=True).invoke("Hi")
    lc.ChatRuncrate(model="m").with_structured_output(Answer, method="json")  # type: ignore[arg-type]
    lc.ChatRuncrate(model="m").bind_tools([Answer], tool_choice="any", strict=True).invoke("Hi")


def embeddings() -> None:
    """The same for embeddings."""
    model: Embeddings = lc.RuncrateEmbeddings(
        model="BAAI/bge-large-en-v1.5",
        api_key="rc_live_test",
        base_url="http://127.0.0.1:8787/v1",
        timeout=10,
        query_prefix="query: ",
    )
    assert_type(model.embed_query("a"), list[float])
    lc.RuncrateEmbeddings(model="m", chunksize=8)  # type: ignore[call-arg]
    lc.RuncrateEmbeddings(model="m", dimensions="many")  # type: ignore[arg-type]


def tools(client: Runcrate) -> None:
    """The same for tools, loaders and the toolkit."""
    lc.RuncrateImageTool(api_key="rc_live_test", output_dir=Path("images"), max_images=2)
    lc.RuncrateSpeechTool(client=client)
    lc.RuncrateVideoTool(client=client, timeout=600)
    lc.RuncrateImageTool(api_kex="rc_live_test")  # type: ignore[call-arg]
    lc.RuncrateTranscriptionParser(api_key="rc_live_test", format="segments", language="en")
    lc.RuncrateTranscriptionParser(format="pages")  # type: ignore[arg-type]
    lc.RuncrateTranscriptionLoader("a.mp3", api_key="rc_live_test", on_error="skip", timeout=9)
    lc.RuncrateTranscriptionLoader("a.mp3", on_eror="skip")  # type: ignore[call-arg]
    toolkit = lc.RuncrateToolkit(client, limits=SpendLimits(max_total_usd=5), include=["jobs"])
    toolkit.get_tools()
    lc.RuncrateToolkit(client, limit=SpendLimits())  # type: ignore[call-arg]
    lc.RuncrateCostCallbackHandler()


def sandboxes(client: Runcrate) -> None:
    """The same for sandboxes."""
    lc.RuncrateSandbox(client, "i-1", private_key=Path("key"), idle_timeout=30)
    lc.RuncrateSandbox(client, "i-1", private_kex="x")  # type: ignore[call-arg]
    lc.RuncrateSandbox(client, "i-1", idle_timeout="long")  # type: ignore[arg-type]
    limits = SpendLimits(max_total_usd=5)
    with lc.RuncrateSandbox.launch(
        limits=limits, gpu_type="A100", region="us", wait_timeout=9
    ) as box:
        assert_type(box, lc.RuncrateSandbox)
    lc.RuncrateSandbox.launch(limits=limits, gpu_typ="A100")  # type: ignore[call-arg]
    lc.RuncrateSandbox.launch(limits=limits, env_vars=["A=1"])  # type: ignore[arg-type]
