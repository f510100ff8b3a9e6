"""The conformance suite, run against four kinds of Runcrate's models, over real connections.

That the suite finds what is wrong is tested too: each fault fails the test made for it.
"""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Iterator
from typing import Any

import pytest
from llama_index.core.llms import LLM, ChatMessage, ChatResponse

from llamaindex_runcrate import RuncrateLLM
from runcrate_emulator import ChatRequest, Emulator, Reply
from tests.llamaindex.conformance import LLMConformance
from tests.llamaindex.conftest import CHAT_MODEL
from tests.llamaindex.ignored_warnings import IGNORED_WARNINGS
from tests.llamaindex.scripts import as_object, by_prompt, with_tool

pytestmark = IGNORED_WARNINGS


def two_temperatures(request: ChatRequest) -> Reply:
    calls = [("temperature", {"city": city}) for city in ("Paris", "Rome")]
    return Reply.tool_calls(*(calls if request.parallel_tool_calls else calls[:1]))


SUITE = by_prompt(
    {
        LLMConformance.ASK_TWO: two_temperatures,
        LLMConformance.CALCULATE: with_tool(*LLMConformance.CALCULATED, "It is 408."),
        LLMConformance.CITY: as_object({"name": "Oslo", "country": "Norway"}),
        LLMConformance.LOOK: Reply.text("Red."),
        LLMConformance.HELLO: Reply.text("Hello, Ada, how are you today?"),
    }
)
"""A model that passes the suite."""


class TestRuncrateLLM(LLMConformance):
    """A model for general use."""

    model = CHAT_MODEL
    secret = "rc_live_emulator"

    @pytest.fixture
    def llm(self, runcrate_emulator: Emulator) -> Iterator[LLM]:
        runcrate_emulator.on_chat = SUITE
        llm = RuncrateLLM(
            model=self.model,
            api_base=runcrate_emulator.inference_url,
            api_key=runcrate_emulator.api_key,
        )
        yield llm
        llm.close()

    def test_the_secret_is_the_key(self, runcrate_emulator: Emulator) -> None:
        assert runcrate_emulator.api_key == self.secret


class TestVisionModel(TestRuncrateLLM):
    """A model that sees."""

    model = "Qwen/Qwen3-VL-8B-Instruct"
    reads_images = True
    only_tests = frozenset({"test_an_image"})


class TestReasoningModel(TestRuncrateLLM):
    """A model that thinks first."""

    model = "deepseek-ai/DeepSeek-R1-0528"
    has_reasoning = True
    only_tests = frozenset({"test_thoughts", "test_tokens_are_counted", "test_function_agent"})


class TestModelWithoutTools(TestRuncrateLLM):
    """A model that neither calls tools nor keeps to schemas."""

    model = "google/gemma-2-9b-it"
    has_tools = False
    has_parallel_tool_calls = False
    has_tool_choice = False
    only_tests = frozenset(
        {
            "test_offline_metadata",
            "test_structured_prediction",
            "test_structured_llm",
            "test_react_agent",
        }
    )


# --- faulty models ------------------------------------------------------------------------------


class AddsToHistory(RuncrateLLM):
    def chat(self, messages: Any, **kwargs: Any) -> ChatResponse:
        messages.append(ChatMessage(role="user", content="Be brief."))
        return super().chat(messages, **kwargs)


class RawIsAnObject(RuncrateLLM):
    def chat(self, messages: Any, **kwargs: Any) -> ChatResponse:
        return super().chat(messages, **kwargs).model_copy(update={"raw": object()})


class LastChunkIsEmpty(RuncrateLLM):
    def stream_chat(self, messages: Any, **kwargs: Any) -> Any:
        *most, last = super().stream_chat(messages, **kwargs)
        empty = ChatMessage(role="assistant", blocks=[])
        return (each for each in [*most, last.model_copy(update={"message": empty})])


class ChunksShareAMessage(RuncrateLLM):
    def stream_chat(self, messages: Any, **kwargs: Any) -> Any:
        shared = ChatMessage(role="assistant", content="")
        for chunk in super().stream_chat(messages, **kwargs):
            shared.blocks = chunk.message.blocks
            yield chunk.model_copy(update={"message": shared})


class BelongsToOneLoop(RuncrateLLM):
    async def achat(self, messages: Any, **kwargs: Any) -> ChatResponse:
        loop = self.__dict__.setdefault("_loop", asyncio.get_running_loop())
        if loop is not asyncio.get_running_loop():
            raise RuntimeError("Event loop is closed")
        return await super().achat(messages, **kwargs)


class CallsAreNoBlocks(RuncrateLLM):
    def chat(self, messages: Any, **kwargs: Any) -> ChatResponse:
        answer = super().chat(messages, **kwargs)
        kept = [block for block in answer.message.blocks if block.block_type != "tool_call"]
        answer.message = answer.message.model_copy(update={"blocks": kept})
        return answer


class ShowsItsKey(RuncrateLLM):
    def __repr__(self) -> str:
        return "ShowsItsKey(api_key='rc_live_emulator')"


class AsksForItsMetadata(RuncrateLLM):
    @property
    def metadata(self) -> Any:
        time.sleep(0.012)
        return super().metadata


FAULTS = [
    (AddsToHistory, "test_chat_leaves_messages_alone", "chat"),
    (RawIsAnObject, "test_tokens_are_counted", "chat"),
    (LastChunkIsEmpty, "test_chunks_add_up_and_do_not_change", "stream_chat"),
    (ChunksShareAMessage, "test_chunks_add_up_and_do_not_change", "stream_chat"),
    (BelongsToOneLoop, "test_several_event_loops", None),
    (CallsAreNoBlocks, "test_a_tool_call", "chat"),
    (ShowsItsKey, "test_offline_secret_is_not_shown", None),
    (AsksForItsMetadata, "test_offline_metadata", None),
]


def run_test(test: str, llm: RuncrateLLM, way: str | None) -> None:
    """Run one test of the suite as pytest would."""
    method = getattr(TestRuncrateLLM(), test)
    given = {"llm": llm, "way": way, "events": [], "by_name": False}
    outcome = method(**{name: given[name] for name in inspect.signature(method).parameters})
    if inspect.iscoroutine(outcome):
        asyncio.run(outcome)


@pytest.mark.parametrize(
    ("faulty", "test", "way"), FAULTS, ids=[faulty.__name__ for faulty, *_ in FAULTS]
)
def test_a_fault_fails_the_test_made_for_it(runcrate_emulator, emulated_llm, faulty, test, way):
    runcrate_emulator.on_chat = SUITE
    run_test(test, emulated_llm, way)
    wrong = faulty(model=CHAT_MODEL, client=emulated_llm._sync_client)
    with pytest.raises((AssertionError, TypeError, RuntimeError)):
        run_test(test, wrong, way)
