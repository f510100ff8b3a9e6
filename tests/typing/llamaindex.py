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
from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    CompletionResponse,
    LLMMetadata,
)
from llama_index.core.llms import LLM
from llama_index.core.llms.llm import ToolSelection
from llama_index.core.prompts import PromptTemplate
from llama_index.core.tools import FunctionTool
from pydantic import BaseModel, SecretStr

import llamaindex_runcrate as li
from runcrate_core import AsyncRuncrate, Runcrate, SpendLedger, SpendLimits, Timeout


class Fact(BaseModel):
    """A structured output."""

    text: str


def use(*_: object) -> None:
    """Take values that are not looked at."""


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


def calls(llm: li.RuncrateLLM, tool: FunctionTool) -> None:
    """Results of the blocking methods."""
    messages = [ChatMessage(content="x")]
    assert_type(llm.metadata, LLMMetadata)
    response: ChatResponse = llm.chat(messages, temperature=0)
    completion: CompletionResponse = llm.complete("x")
    use(completion.text, [chunk.delta for chunk in llm.stream_chat(messages)])
    use([chunk.delta for chunk in llm.stream_complete("x")])
    assert_type(llm.get_tool_calls_from_response(response), list[ToolSelection])
    assert_type(llm.structured_predict(Fact, PromptTemplate("x")), Fact)
    use(llm.chat_with_tools([tool], user_msg="x").message.content)
    copied: li.RuncrateLLM = llm.model_copy(update={"temperature": 1})
    copied.close()
    general: LLM = llm
    use(general, FunctionAgent(llm=llm, tools=[tool]))


async def acalls(llm: li.RuncrateLLM, embedding: li.RuncrateEmbedding) -> None:
    """Results of the asynchronous methods."""
    messages = [ChatMessage(content="x")]
    response: ChatResponse = await llm.achat(messages)
    completion: CompletionResponse = await llm.acomplete("x")
    use(response.message.content, completion.text)
    async for chunk in await llm.astream_chat(messages):
        use(chunk.delta)
    assert_type(await llm.astructured_predict(Fact, PromptTemplate("x")), Fact)
    vector: list[float] = await embedding.aget_text_embedding("x")
    use(vector, embedding.get_text_embedding_batch(["x"]))
    await llm.aclose()


def mistakes() -> None:
    """Mistakes that are found before the program runs."""
    li.RuncrateLLM()  # type: ignore[call-arg]
    li.RuncrateLLM(model="m", temprature=0.1)  # type: ignore[call-arg]
    li.RuncrateLLM("m")  # type: ignore  # noqa: PGH003 - of one kind or another, as the order of checks has it
    li.RuncrateEmbedding(model_name="m", dimension=3)  # type: ignore[call-arg]
    li.RuncrateMediaToolSpec(voices="x")  # type: ignore[call-arg]
    li.RuncrateInfrastructureToolSpec(limit=SpendLimits())  # type: ignore[call-arg]
    li.RuncrateTranscriptionReader(modle="x")  # type: ignore[call-arg]
