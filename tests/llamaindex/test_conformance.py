"""The conformance suite, run against four kinds of Runcrate's models, over real connections."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from llama_index.core.llms import LLM

from llamaindex_runcrate import RuncrateLLM
from runcrate_emulator import ChatRequest, Emulator, Reply
from tests.llamaindex.conformance import LLMConformance
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

    model = "deepseek-ai/DeepSeek-V3"
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
