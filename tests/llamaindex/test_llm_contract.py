"""`RuncrateLLM` keeps what LlamaIndex expects of a model and says nowhere in its types."""

from __future__ import annotations

import ast
import gc
import json
import re
from collections.abc import AsyncGenerator, Generator
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.base.llms.types import ToolCallBlock
from llama_index.core.callbacks import CallbackManager, TokenCountingHandler
from llama_index.core.evaluation import FaithfulnessEvaluator
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.instrumentation.events.llm import LLMChatEndEvent
from llama_index.core.llms import ChatMessage
from llama_index.core.program.function_program import FunctionCallingProgram
from llama_index.core.prompts import PromptTemplate
from pydantic import BaseModel

import llamaindex_runcrate
from tests.llamaindex.calls import WAYS, ask, collected
from tests.llamaindex.service import USAGE, completion, refusal


class Out(BaseModel):
    """A number."""

    x: int = 0


PROMPT = PromptTemplate("Give {what}.")
CALL = completion(calls=[("c1", "Out", '{"x": 1}')])


class Ends(BaseEventHandler):
    """Collects the events that close a chat."""

    seen: list[Any] = []  # noqa: RUF012 - pydantic copies it

    def handle(self, event: Any, **_: Any) -> None:
        if isinstance(event, LLMChatEndEvent):
            self.seen.append(event)


@pytest.fixture
def ends() -> Any:
    handler = Ends()
    dispatcher = get_dispatcher()
    dispatcher.add_event_handler(handler)
    yield handler.seen
    dispatcher.event_handlers.remove(handler)


async def test_core_programs_see_streamed_tool_calls(made_llm, service) -> None:
    service.will_say(CALL)
    program = FunctionCallingProgram.from_defaults(Out, prompt=PROMPT, llm=made_llm())
    partials = list(program.stream_call(what="a number"))
    assert partials[-1] == Out(x=1)
    partials = [each async for each in await program.astream_call(what="a number")]
    assert partials[-1] == Out(x=1)


@pytest.mark.parametrize("way", WAYS)
async def test_calls_stand_in_blocks_and_as_a_list_of_wire_dicts(made_llm, service, way) -> None:
    service.will_say(CALL)
    last = (await ask(made_llm(), way, "x"))[-1]
    assert last.message.blocks == [
        ToolCallBlock(tool_call_id="c1", tool_name="Out", tool_kwargs={"x": 1})
    ]
    calls = last.message.additional_kwargs["tool_calls"]
    assert type(calls) is list
    assert json.loads(json.dumps(calls)) == [
        {"id": "c1", "type": "function", "function": {"name": "Out", "arguments": '{"x": 1}'}}
    ]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("usage", "counted"),
    [
        (USAGE, (11, 7)),
        ({**USAGE, "prompt_tokens_details": None, "completion_tokens": 5}, (11, 5)),
    ],
)
async def test_raw_is_a_dict_that_the_token_counter_reads(
    made_llm, service, way, usage, counted
) -> None:
    service.will_say(completion("Hi.", usage=usage))
    counter = TokenCountingHandler()
    llm = made_llm(callback_manager=CallbackManager([counter]))
    last = (await ask(llm, way, "x"))[-1]
    assert isinstance(last.raw, dict)
    assert (counter.prompt_llm_token_count, counter.completion_llm_token_count) == counted


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("usage", [None, {"prompt_tokens": None, "completion_tokens": None}])
async def test_without_usage_the_token_counter_counts_by_itself(
    made_llm, service, way, usage
) -> None:
    service.will_say(completion("Hi.", usage=usage))
    counter = TokenCountingHandler()
    llm = made_llm(callback_manager=CallbackManager([counter]))
    last = (await ask(llm, way, "x"))[-1]
    assert "usage" not in last.raw
    assert counter.total_llm_token_count > 0


async def test_streams_are_real_generators_and_end_with_an_event(made_llm, service, ends) -> None:
    service.will_say(completion("Hi there."))
    llm = made_llm()
    blocking = llm.stream_chat([ChatMessage(content="x")])
    assert isinstance(blocking, Generator)
    asynchronous = await llm.astream_chat([ChatMessage(content="x")])
    assert isinstance(asynchronous, AsyncGenerator)
    await collected(blocking)
    await collected(asynchronous)
    assert [event.response.message.content for event in ends] == ["Hi there."] * 2
    assert all(event.response.raw["usage"] == USAGE for event in ends)


async def test_completion_streams_are_real_generators(made_llm, service) -> None:
    service.will_say(completion("Hi there."))
    llm = made_llm()
    blocking, asynchronous = llm.stream_complete("x"), await llm.astream_complete("x")
    assert isinstance(blocking, Generator)
    assert isinstance(asynchronous, AsyncGenerator)
    assert (await collected(blocking))[-1].text == "Hi there."
    assert (await collected(asynchronous))[-1].text == "Hi there."


@pytest.mark.usefixtures("only_new_garbage")
@pytest.mark.filterwarnings("ignore::ResourceWarning")  # of the loops that LlamaIndex leaves open
def test_blocking_calls_of_asynchronous_methods_work_again_and_again(emulated_llm) -> None:
    evaluator = FaithfulnessEvaluator(llm=emulated_llm)
    for _ in range(3):
        result = evaluator.evaluate(response="Ada is 36.", contexts=["Ada is 36 years old."])
        assert result.passing
    gc.collect()


@pytest.mark.parametrize("structured_output", ["json_schema", "tool", "prompt"])
async def test_structured_prediction_keeps_the_system_prompt(
    made_llm, service, structured_output
) -> None:
    service.will_say(CALL if structured_output == "tool" else completion('{"x": 1}'))
    llm = made_llm(system_prompt="Be exact.", structured_output=structured_output)
    assert llm.structured_predict(Out, PROMPT, what="a number") == Out(x=1)
    assert await llm.astructured_predict(Out, PROMPT, what="a number") == Out(x=1)
    list(llm.stream_structured_predict(Out, PROMPT, what="a number"))
    await collected(llm.astream_structured_predict(Out, PROMPT, what="a number"))
    assert len(service.requests) == 4
    for request in service.requests:
        assert request["messages"][0] == {"role": "system", "content": "Be exact."}


async def test_streamed_structured_prediction_forces_the_tool(made_llm, service) -> None:
    service.will_say(CALL)
    llm = made_llm(structured_output="tool")
    assert list(llm.stream_structured_predict(Out, PROMPT, what="a number"))[-1] == Out(x=1)
    await collected(llm.astream_structured_predict(Out, PROMPT, what="a number"))
    assert [request["tool_choice"] for request in service.requests] == ["required"] * 2


@pytest.mark.parametrize("way", WAYS)
async def test_no_tool_choice_without_tools(made_llm, service, way) -> None:
    service.will_say(completion("Hi."))
    await ask(made_llm(), way, "x", tools=[], tool_choice="required", parallel_tool_calls=False)
    assert not {"tools", "tool_choice", "parallel_tool_calls"} & service.last.keys()


async def test_structured_llm_without_function_calling_sends_no_tool_choice(
    made_llm, service
) -> None:
    service.will_say(refusal(400, "no response_format here"), completion('{"x": 1}'))
    llm = made_llm(is_function_calling_model=False).as_structured_llm(Out)
    assert (await llm.achat([ChatMessage(content="x")])).raw == Out(x=1)
    assert not any("tool_choice" in request for request in service.requests)


@pytest.mark.parametrize("way", WAYS)
async def test_the_history_is_left_alone(made_llm, service, way) -> None:
    service.will_say(completion("Hi."))
    history = [ChatMessage(role="system", content="s"), ChatMessage(role="system", content="t")]
    before = [message.model_copy(deep=True) for message in history]
    await collected(
        getattr(made_llm(), f"{way}_with_tools")([], user_msg="x", chat_history=history)
    )
    assert history == before
    assert [message["content"] for message in service.last["messages"]] == ["s\n\nt", "x"]


async def test_the_arguments_of_a_structured_call_are_left_alone(made_llm, service) -> None:
    service.will_say(completion('{"x": 1}'))
    arguments = {"tool_choice": "required", "temperature": 0.3}
    llm = made_llm()
    llm.structured_predict(Out, PROMPT, llm_kwargs=arguments, what="a number")
    assert arguments == {"tool_choice": "required", "temperature": 0.3}
    assert service.last["temperature"] == 0.3
    assert "tool_choice" not in service.last


def test_no_module_with_tools_postpones_annotations() -> None:
    """LlamaIndex finds a tool's `ctx: Context` by the annotation's value, not by its name."""
    folder = Path(llamaindex_runcrate.__file__).parent
    for module in folder.glob("*.py"):
        tree = ast.parse(module.read_text())
        takes_context = any(
            isinstance(node, ast.arg)
            and node.annotation
            and re.search(r"\bContext\b", ast.unparse(node.annotation))
            for node in ast.walk(tree)
        )
        postponed = any(
            isinstance(node, ast.ImportFrom) and node.module == "__future__" for node in tree.body
        )
        assert not (takes_context and postponed), module.name
