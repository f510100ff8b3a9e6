"""What type checkers know of `llamaindex_runcrate`. Checked by mypy and pyright, never run.

An `ignore` marks a mistake that must be found; one that is not needed is itself an error.
"""

# pyright: strict, reportUnnecessaryTypeIgnoreComment=true
# LlamaIndex leaves some of its own types open.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import assert_type

from llama_index.core import SimpleDirectoryReader
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.base.llms.types import ChatResponse, LLMMetadata
from llama_index.core.llms import LLM
from llama_index.core.llms.llm import ToolSelection
from llama_index.core.prompts import PromptTemplate
from pydantic import BaseModel, SecretStr

import llamaindex_runcrate as li
from runcrate_core import AsyncRuncrate, Runcrate, SpendLedger, SpendLimits, Timeout


class Fact(BaseModel):
    """A structured output."""

    text: str


def makes() -> Sequence[object]:
    """Every class with the arguments that its page teaches."""
    client, async_client = Runcrate(), AsyncRuncrate()
    return [
        li.RuncrateLLM(model="m"),
        li.RuncrateLLM(
            model="m",
            api_key="k",
            api_base="https://example.com/v1",
            timeout=30,
            stream_idle_timeout=10.0,
            default_headers={"X-Team": "a"},
            stop=["\n"],
            reasoning_effort="low",
            additional_kwargs={"user": "u"},
            extra_body={"top_k": 3},
            structured_output="json_schema",
            send_reasoning="always",
        ),
        li.RuncrateLLM(model="m", api_key=SecretStr("k"), timeout=Timeout(connect=1), stop="x"),
        li.RuncrateLLM(model="m", client=client, async_client=async_client),
        li.RuncrateLLM(model="m", base_url="http://127.0.0.1:8787/v1"),
        li.RuncrateEmbedding(model="m", base_url="http://127.0.0.1:8787/v1"),
        li.RuncrateEmbedding(),
        li.RuncrateEmbedding(
            model_name="m",
            api_key="k",
            embed_batch_size=8,
            num_workers=None,
            encoding_format="base64",
            long_text="truncate",
        ),
        li.RuncrateMediaToolSpec("out", voice="alloy", max_images=2, client=client),
        li.RuncrateInfrastructureToolSpec(client, limits=SpendLimits(max_total_usd=3)),
        li.RuncrateInfrastructureToolSpec(
            ledger=SpendLedger(), include=["runcrate_list_instances"]
        ),
        li.RuncrateTranscriptionReader().load_data(Path("a.wav")),
        SimpleDirectoryReader("recordings", file_extractor=li.audio_file_extractor()),
    ]


async def calls(llm: li.RuncrateLLM, response: ChatResponse) -> None:
    """Results of methods, and a model where LlamaIndex takes any."""
    assert_type(llm.metadata, LLMMetadata)
    assert_type(llm.get_tool_calls_from_response(response), list[ToolSelection])
    assert_type(llm.structured_predict(Fact, PromptTemplate("x")), Fact)
    assert_type(await llm.astructured_predict(Fact, PromptTemplate("x")), Fact)
    copied: li.RuncrateLLM = llm.model_copy(update={"temperature": 1})
    await copied.aclose()
    general: LLM = llm
    FunctionAgent(llm=general)


def mistakes() -> None:
    """Mistakes that are found before the program runs."""
    li.RuncrateLLM()  # type: ignore[call-arg]
    li.RuncrateLLM(model="m", temprature=0.1)  # type: ignore[call-arg]
    li.RuncrateLLM("m")  # type: ignore  # noqa: PGH003 - of one kind or another, as the order of checks has it
    li.RuncrateEmbedding(model_name="m", dimension=3)  # type: ignore[call-arg]
    li.RuncrateMediaToolSpec(voices="x")  # type: ignore[call-arg]
    li.RuncrateInfrastructureToolSpec(limit=SpendLimits())  # type: ignore[call-arg]
    li.RuncrateTranscriptionReader(modle="x")  # type: ignore[call-arg]
