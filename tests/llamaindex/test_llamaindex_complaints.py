"""What users of LlamaIndex's model integrations complain of most, each shown not to happen here.

The numbers are of issues and pull requests of run-llama/llama_index where nothing else is said.
Numbers 11 (#20790, #19886), 14 (#18363), 15 (keys in dicts and events) and 16 (#18814) are tested
in `test_llm_structured.py`, `test_llm_tool_calls.py` and `test_llm_settings.py`.
"""

from __future__ import annotations

import asyncio
import gc
import importlib.metadata
import json
import subprocess
import sys
from typing import Any

import httpx
import pytest
from llama_index.core import PromptHelper, PromptTemplate
from llama_index.core.agent.workflow import AgentWorkflow, FunctionAgent
from llama_index.core.callbacks import CallbackManager, TokenCountingHandler
from llama_index.core.llms import AudioBlock, ChatMessage, ImageBlock
from llama_index.core.tools import FunctionTool
from pydantic import BaseModel

from llamaindex_runcrate import RuncrateLLM
from runcrate_core import RateLimitError
from tests.llamaindex.leftovers import LEFTOVERS
from tests.llamaindex.service import USAGE, call_piece, chunk, chunks_of, completion, end
from tests.llamaindex.ways import WAYS, ask, collected

STREAMS = ("stream_chat", "astream_chat")


def tolerant(test: Any) -> Any:
    """Let a test put up with what LlamaIndex leaves behind."""
    for mark in LEFTOVERS:
        test = mark(test)
    return test


class Out(BaseModel):
    """A number."""

    x: int


def weather(city: str) -> str:
    """Tell the weather."""
    return f"Frogs in {city}."


TOOL = FunctionTool.from_defaults(weather)
CALL = completion(calls=[("1", "weather", '{"city": "Oslo"}')])
PROMPT = PromptTemplate("A number.")


def test_1_an_unknown_model_is_accepted(made_llm, service) -> None:
    """#18691, #11898."""
    service.will_say(completion("Hi."))
    llm = made_llm(model="nobody/has-heard-of-it")
    assert llm.metadata.context_window > 0
    assert llm.complete("x").text == "Hi."


@pytest.mark.parametrize(
    "model", ["google/gemma-2-9b-it", "deepseek-ai/DeepSeek-V3", "google/gemini-2.5-flash", "a/b"]
)
def test_2_the_window_leaves_room_for_a_prompt(model) -> None:
    """#17029, #19787, #12119: "context size was not non-negative", and overflows."""
    llm = RuncrateLLM(model=model)
    helper = PromptHelper.from_llm_metadata(llm.metadata)
    chunk_size = helper._get_available_chunk_size(PromptTemplate("Answer: {context_str}"))
    assert 0.5 * llm.metadata.context_window < chunk_size < llm.metadata.context_window


@tolerant
async def test_3_an_agent_answers_although_all_is_filed_under_thoughts(made_llm, service) -> None:
    """#21337."""
    service.will_say(CALL, completion("", reasoning_content="Frogs in Oslo."))
    agent = FunctionAgent(tools=[weather], llm=made_llm())
    assert str(await agent.run("x")) == "Frogs in Oslo."


@pytest.mark.parametrize("way", STREAMS)
async def test_4_thoughts_are_seen_from_the_first_piece_on(made_llm, service, way) -> None:
    """#17766."""
    service.will_say([chunk({"reasoning_content": "A"}), chunk({"content": "B"}), *end()])
    first, *_ = await ask(made_llm(), way, "x")
    assert first.additional_kwargs["thinking_delta"] == "A"
    assert first.message.blocks[0].content == "A"


async def test_5_thoughts_go_back_with_the_tools_results(made_llm, service) -> None:
    """openai/openai-agents-python#2155, crewAIInc/crewAI#5878: refused with 400 otherwise."""
    service.will_say(completion(None, reasoning_content="Hm.", calls=[("1", "weather", "{}")]))
    llm = made_llm()
    user = ChatMessage(role="user", content="x")
    answer = llm.chat([user]).message
    result = ChatMessage(role="tool", content="r", additional_kwargs={"tool_call_id": "1"})
    llm.chat([user, answer, result])
    assert service.last["messages"][1]["reasoning_content"] == "Hm."
    made_llm(send_reasoning="never").chat([user, answer, result])
    assert "reasoning_content" not in service.last["messages"][1]


def test_6_thinking_can_be_switched(made_llm, service) -> None:
    """#21821, #21634, #19210."""
    service.will_say(completion("Hi."))
    off = {"chat_template_kwargs": {"enable_thinking": False}}
    made_llm(reasoning_effort="low", extra_body=off).complete("x", thinking={"type": "disabled"})
    assert service.last["reasoning_effort"] == "low"
    assert service.last["chat_template_kwargs"] == {"enable_thinking": False}
    assert service.last["thinking"] == {"type": "disabled"}


@pytest.mark.parametrize("way", STREAMS)
async def test_7_streams_tell_their_usage(made_llm, service, way) -> None:
    """#16721, #19740, #12214."""
    service.will_say(chunks_of(completion("Hi.")))
    counter = TokenCountingHandler()
    last = (await ask(made_llm(callback_manager=CallbackManager([counter])), way, "x"))[-1]
    assert service.last["stream_options"] == {"include_usage": True}
    assert last.raw["usage"] == USAGE
    assert counter.total_llm_token_count == 18


@pytest.mark.parametrize("way", WAYS)
async def test_8_cached_and_reasoning_tokens_and_the_price(made_llm, service, way) -> None:
    """#17372, #17987."""
    usage = {
        **USAGE,
        "prompt_tokens_details": {"cached_tokens": 3},
        "completion_tokens_details": {"reasoning_tokens": 4},
        "cost": 0.5,
    }
    service.will_say(completion("Hi.", usage=usage))
    told = (await ask(made_llm(), way, "x"))[-1].additional_kwargs
    assert (told["cached_tokens"], told["reasoning_tokens"], told["cost_usd"]) == (3, 4, 0.5)


@tolerant
@pytest.mark.parametrize("streaming", [True, False])
async def test_9_an_agents_answer_tells_its_usage(made_llm, service, streaming) -> None:
    """#18118."""
    service.will_say(completion("Hi."))
    result = await FunctionAgent(tools=[weather], llm=made_llm(), streaming=streaming).run("x")
    assert result.raw["usage"] == USAGE


def test_10_event_loops_come_and_go(emulated_llm, emulated_embedding) -> None:
    """#20433, #12946, #13827, #13904: "Event loop is closed". Nothing is left open either."""
    message = ChatMessage(role="user", content="Say hello.")

    async def main() -> list[Any]:
        chunks = await collected(emulated_llm.astream_chat([message]))
        return [
            await emulated_llm.achat([message]),
            chunks[-1],
            await emulated_embedding.aget_text_embedding("x"),
        ]

    assert asyncio.run(main())[2] == asyncio.run(main())[2]
    gc.collect()  # an open socket is a warning, and a warning an error


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("arguments", ["null", "", None])
async def test_12_null_and_empty_arguments(made_llm, service, way, arguments) -> None:
    """#18230, #17927."""
    if way in STREAMS:
        piece = call_piece(0, identifier="1", name="weather")
        piece["function"]["arguments"] = arguments
        service.will_say(
            [
                chunk({"role": "assistant", "content": None, "tool_calls": None}),
                chunk({"tool_calls": [piece]}),
                chunk({"tool_calls": None, "content": None}),
                *end("tool_calls"),
            ]
        )
    else:
        service.will_say(completion(calls=[("1", "weather", arguments)]))
    llm = made_llm()
    last = (await ask(llm, way, "x"))[-1]
    assert llm.get_tool_calls_from_response(last)[0].tool_kwargs == {}


@pytest.mark.parametrize("way", STREAMS)
async def test_13_parallel_calls_are_put_together_rightly(made_llm, service, way) -> None:
    """vercel/ai#14277, BerriAI/litellm#37792, ollama/ollama#7881, QwenLM/Qwen-Agent#943."""
    pieces = [
        call_piece(0, identifier="1", name="weather", text='{"city": '),
        call_piece(0, identifier="2", name="weather", text='{"city": "B"}'),
        call_piece(0, identifier="1", text='"A"}'),
    ]
    service.will_say([*(chunk({"tool_calls": [p]}) for p in pieces), *end("tool_calls")])
    llm = made_llm()
    last = (await ask(llm, way, "x"))[-1]
    found = {call.tool_id: call.tool_kwargs for call in llm.get_tool_calls_from_response(last)}
    assert found == {"1": {"city": "A"}, "2": {"city": "B"}}


def test_17_nothing_but_llamaindex_is_needed() -> None:
    """#20004, #19917, #18930, #13441: integrations that pin each other."""
    needed = importlib.metadata.requires("runcrate-integrations") or []
    for_llamaindex = [name for name in needed if "extra == 'llamaindex'" in name.replace('"', "'")]
    assert [name.split(">")[0].split("<")[0] for name in for_llamaindex] == ["llama-index-core"]
    code = (
        "import sys, llamaindex_runcrate as l; l.RuncrateLLM; l.RuncrateEmbedding;"
        "print(sorted({'openai', 'transformers', 'torch', 'langchain_core', 'llama_index.llms',"
        "'runcrate_emulator', 'httpx'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@tolerant
async def test_18_parallel_calls_run_once_each(made_llm, service) -> None:
    """#22070, #18220, #18636; with a human in the loop in `test_llamaindex_agents.py`."""
    ran: list[str] = []

    def note(name: str) -> str:
        """Note a name."""
        ran.append(name)
        return "noted"

    calls = [(str(n), "note", json.dumps({"name": f"n{n}"})) for n in range(3)]
    service.will_say(completion(calls=calls), completion("Done."))
    workflow = AgentWorkflow.from_tools_or_functions([note], llm=made_llm())
    assert str(await workflow.run("x")) == "Done."
    assert sorted(ran) == ["n0", "n1", "n2"]


@pytest.mark.parametrize("way", WAYS)
async def test_19_one_layer_of_retries_that_keeps_to_retry_after(service, way) -> None:
    """#8881, #7739, #19075: retries on top of retries."""
    busy = httpx.Response(429, headers={"retry-after": "0"}, json={"error": {"message": "slow"}})
    service.will_say(busy)
    llm = RuncrateLLM(model="a/b", **service.clients(max_retries=2))
    with pytest.raises(RateLimitError):
        await ask(llm, way, "x")
    assert len(service.requests) == 3


def test_20_pictures_and_sounds_reach_the_model(made_llm, service) -> None:
    """#18284, #21923, run-llama/image-generation-agent#4."""
    service.will_say(completion("A frog."))
    picture = ImageBlock(url="https://x.test/a.png")
    sound = AudioBlock(audio=b"a croak", format="mp3")
    made_llm().chat(
        [
            ChatMessage(role="user", blocks=[picture, sound]),
            ChatMessage(role="tool", blocks=[picture], additional_kwargs={"tool_call_id": "1"}),
        ]
    )
    kinds = [
        part["type"]
        for message in service.last["messages"]
        if isinstance(message["content"], list)
        for part in message["content"]
    ]
    assert kinds == ["image_url", "input_audio", "text", "image_url"]
