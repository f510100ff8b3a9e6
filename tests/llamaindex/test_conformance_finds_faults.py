"""The conformance suite finds what is wrong with a model: each fault fails the test made for it."""

from __future__ import annotations

import asyncio
import inspect
import time
from typing import Any

import pytest
from llama_index.core.llms import ChatMessage, ChatResponse

from llamaindex_runcrate import RuncrateLLM
from tests.llamaindex.conformance import LLMConformance
from tests.llamaindex.ignored_warnings import IGNORED_WARNINGS
from tests.llamaindex.test_conformance import SUITE

pytestmark = IGNORED_WARNINGS


class Suite(LLMConformance):
    """The suite as it would be used for the models below."""

    secret = "rc_live_emulator"


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
    method = getattr(Suite(), test)
    given = {"llm": llm, "way": way, "events": [], "by_name": False}
    outcome = method(**{name: given[name] for name in inspect.signature(method).parameters})
    if inspect.iscoroutine(outcome):
        asyncio.run(outcome)


@pytest.mark.parametrize(
    ("faulty", "test", "way"), FAULTS, ids=[faulty.__name__ for faulty, *_ in FAULTS]
)
def test_a_fault_fails_the_test_made_for_it(runcrate_emulator, faulty, test, way):
    settings: dict[str, Any] = {
        "model": "deepseek-ai/DeepSeek-V3",
        "api_base": runcrate_emulator.inference_url,
        "api_key": runcrate_emulator.api_key,
    }
    runcrate_emulator.on_chat = SUITE
    right, wrong = RuncrateLLM(**settings), faulty(**settings)
    run_test(test, right, way)
    with pytest.raises((AssertionError, TypeError, RuntimeError)):
        run_test(test, wrong, way)
    right.close()
    wrong.close()
