"""A conformance suite for LLMs of LlamaIndex.

LlamaIndex has abstract classes, but no tests of what its agents, query engines, evaluators and
tracers rely on. This module has them, for any model behind any service, real, recorded or
simulated. It needs pytest, pytest-asyncio (`asyncio_mode = "auto"`) and llama-index-core, and
nothing else of this repository: copy the file, or import it.

Subclass `LLMConformance`, define the fixture `llm`, and set the capabilities of the model;
`docs/guides/testing.md` has an example.

Every test asks the model something simple; the attributes in capital letters can be replaced where
a model needs other prompts. A test of a capability that is switched off is skipped. Tests whose
names start with `test_offline_` make no request. To run the suite from recordings, mark the
subclass (`@pytest.mark.vcr`, for instance); the tests of event loops and threads only show
something over real connections.

What is required, in short:

* eight methods, real generators, deltas that add up, a last chunk that is the complete response,
  and chunks that do not change after they were yielded;
* `raw` that LlamaIndex's token counter can read, with the service's own numbers;
* arguments and histories left as they were;
* tool calls in blocks, with identifiers, in every chunk, and back again as history;
* objects from structured prediction in all four forms, and partial ones in streams;
* start and end events that match, and no secret in them, in dicts, pickles or representations;
* sync and async calls under any number of event loops, and from threads.
"""

from __future__ import annotations

import asyncio
import copy
import json
import pickle
import time
from collections import Counter
from collections.abc import AsyncGenerator, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar

import pytest
from llama_index.core.agent.workflow import FunctionAgent, ReActAgent, ToolCall
from llama_index.core.base.llms.types import ThinkingBlock, ToolCallBlock
from llama_index.core.callbacks import (
    CallbackManager,
    CBEventType,
    LlamaDebugHandler,
    TokenCountingHandler,
)
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.instrumentation.events.llm import (
    LLMChatEndEvent,
    LLMChatInProgressEvent,
    LLMChatStartEvent,
    LLMCompletionEndEvent,
    LLMCompletionStartEvent,
)
from llama_index.core.llms import (
    LLM,
    CacheControl,
    CachePoint,
    ChatMessage,
    ImageBlock,
    LLMMetadata,
    TextBlock,
)
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.program.function_program import FunctionCallingProgram
from llama_index.core.prompts import ChatPromptTemplate
from llama_index.core.tools import FunctionTool
from pydantic import BaseModel, Field

CHAT_WAYS = ("chat", "achat", "stream_chat", "astream_chat")
STREAM_WAYS = ("stream_chat", "astream_chat")
COMPLETION_WAYS = ("complete", "acomplete", "stream_complete", "astream_complete")
PREDICT_WAYS = (
    "structured_predict",
    "astructured_predict",
    "stream_structured_predict",
    "astream_structured_predict",
)
# A red square of 8 by 8 pixels.
RED_SQUARE = (
    b"iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAIAAABLbSncAAAAEklEQVR42mP4z8CAFWEXHbQSACj/P8Fu7N9hAAAAAElF"
    b"TkSuQmCC"
)


class City(BaseModel):
    """A city and its country."""

    name: str = Field(description="Name of the city")
    country: str = Field(description="Name of the country that the city is in")


OSLO = City(name="Oslo", country="Norway")


def multiply(a: int, b: int) -> int:
    """Multiply two whole numbers and return the product."""
    return a * b


def temperature(city: str) -> str:
    """Tell the temperature in a city, in degrees."""
    return f"It is 21 degrees in {city}."


TOOLS = [FunctionTool.from_defaults(multiply), FunctionTool.from_defaults(temperature)]


async def collected(result: Any) -> list[Any]:
    """Return the result of a call as a list: one response, or all chunks of a stream."""
    if hasattr(result, "__await__"):
        result = await result
    if isinstance(result, AsyncGenerator):
        return [each async for each in result]
    return list(result) if isinstance(result, Generator) else [result]


def said(text: str, role: str = "user") -> ChatMessage:
    return ChatMessage(role=role, content=text)


def dumped(messages: list[ChatMessage]) -> list[str]:
    return [message.model_dump_json() for message in messages]


class _Events(BaseEventHandler):
    seen: list[Any] = Field(default_factory=list)

    def handle(self, event: Any, **_: Any) -> None:
        self.seen.append(event)


class LLMConformance:
    """Tests for one LLM; see the module."""

    has_tools: ClassVar[bool] = True
    """The model calls tools."""
    has_parallel_tool_calls: ClassVar[bool] = True
    """It calls several tools in one response."""
    has_tool_choice: ClassVar[bool] = True
    """`tool_choice` can name a tool."""
    has_structured_output: ClassVar[bool] = True
    """It returns objects of a schema."""
    has_usage: ClassVar[bool] = True
    """Complete responses report their tokens."""
    has_usage_in_streams: ClassVar[bool] = True
    """Streams report their tokens."""
    has_reasoning: ClassVar[bool] = False
    """It returns its reasoning."""
    reads_images: ClassVar[bool] = False
    """It accepts images."""
    is_picklable: ClassVar[bool] = True
    """It can be pickled."""
    has_event_loop_freedom: ClassVar[bool] = True
    """One object serves several event loops and threads."""
    secret: ClassVar[str | None] = None
    """A text that must not be shown; usually the API key."""

    HELLO: ClassVar[str] = "Say hello to Ada, by her name."
    HELLO_SAYS: ClassVar[str] = "Ada"
    CALCULATE: ClassVar[str] = "What is 12 times 34? Use the tool."
    CALCULATED: ClassVar[tuple[str, dict[str, Any]]] = ("multiply", {"a": 12, "b": 34})
    ASK_TWO: ClassVar[str] = "What is the temperature in Paris and Rome? Use the tool for each."
    CITY: ClassVar[str] = "Extract the city: Oslo is the capital of the country Norway."
    LOOK: ClassVar[str] = "Which colour is this square? Answer with one word."
    LOOK_SAYS: ClassVar[str] = "red"
    THINK: ClassVar[str] = "What is 17 plus 25?"

    @pytest.fixture
    def llm(self) -> LLM:
        """Return the model; override this."""
        raise NotImplementedError("Give the fixture `llm`.")

    @pytest.fixture
    def events(self) -> Iterator[list[Any]]:
        """Return the events of LlamaIndex's instrumentation."""
        handler, dispatcher = _Events(), get_dispatcher()
        dispatcher.add_event_handler(handler)
        yield handler.seen
        dispatcher.event_handlers.remove(handler)

    def need(self, capability: str) -> None:
        """Skip a test of a capability that is switched off."""
        if not getattr(self, capability):
            pytest.skip(f"`{capability}` is off")

    async def ask(self, llm: LLM, way: str, text: str, **kwargs: Any) -> list[Any]:
        asked: Any = text if way in COMPLETION_WAYS else [said(text)]
        return await collected(getattr(llm, way)(asked, **kwargs))

    async def ask_with_tools(self, llm: Any, way: str, text: str, **kwargs: Any) -> list[Any]:
        kwargs = {"tools": TOOLS, "user_msg": text, **kwargs}
        return await collected(getattr(llm, f"{way}_with_tools")(**kwargs))

    # --- Metadata and copies -------------------------------------------------------------------

    def test_offline_metadata(self, llm: LLM) -> None:
        """It is evaluated several times in each call, so it must not ask the service."""
        assert isinstance(llm, LLM)
        assert type(llm).class_name() not in {"base_component", "LLM", "custom_llm"}
        metadata = llm.metadata
        assert isinstance(metadata, LLMMetadata)
        assert metadata.context_window > 0
        assert metadata.num_output == -1 or 0 < metadata.num_output < metadata.context_window
        assert metadata.model_name not in {"", "unknown"}
        assert metadata.is_function_calling_model is self.has_tools
        assert not self.has_tools or isinstance(llm, FunctionCallingLLM)
        began = time.perf_counter()
        assert all(llm.metadata.context_window for _ in range(100))
        assert time.perf_counter() - began < 1

    def test_offline_forms_and_copies(self, llm: LLM) -> None:
        for form in (json.loads(llm.to_json()), llm.to_dict(), llm.to_payload()):
            assert json.loads(json.dumps(form))["class_name"] == type(llm).class_name()
        copies = [copy.deepcopy(llm), llm.model_copy()]
        if self.is_picklable:
            copies.append(pickle.loads(pickle.dumps(llm)))  # noqa: S301 - just made
        assert all(each.to_dict() == llm.to_dict() for each in copies)
        assert all(each.metadata == llm.metadata for each in copies)

    def test_offline_secret_is_not_shown(self, llm: LLM) -> None:
        self.need("secret")
        shown = [repr(llm), str(llm), llm.to_json(), repr(llm.to_dict()), repr(llm.to_payload())]
        shown += [llm.model_dump_json()]
        if self.is_picklable:
            shown.append(pickle.dumps(llm).decode("latin-1"))
        assert not any(str(self.secret) in text for text in shown)

    # --- Responses -----------------------------------------------------------------------------

    @pytest.mark.parametrize("way", COMPLETION_WAYS)
    async def test_complete(self, llm: LLM, way: str) -> None:
        chunks = await self.ask(llm, way, self.HELLO)
        assert self.HELLO_SAYS in chunks[-1].text
        if "stream" in way:
            assert "".join(chunk.delta or "" for chunk in chunks) == chunks[-1].text

    @pytest.mark.parametrize("way", STREAM_WAYS)
    async def test_chunks_add_up_and_do_not_change(self, llm: LLM, way: str) -> None:
        result = getattr(llm, way)([said(self.HELLO)])
        if way == "stream_chat":
            seen = [(chunk, chunk.message.model_dump_json()) for chunk in result]
        else:
            seen = [(chunk, chunk.message.model_dump_json()) async for chunk in await result]
        assert all(chunk.message.model_dump_json() == before for chunk, before in seen)
        assert len(seen) > 1
        text = ""
        for chunk, _ in seen:
            text += chunk.delta or ""
            assert (chunk.message.content or "") == text

    async def test_streams_are_generators_that_may_be_left_early(self, llm: LLM) -> None:
        """LlamaIndex recognises streams by these types, and fails on others in the end event."""
        for stream in (llm.stream_chat([said(self.HELLO)]), llm.stream_complete(self.HELLO)):
            assert isinstance(stream, Generator)
            next(stream)
            stream.close()
        for async_stream in (
            await llm.astream_chat([said(self.HELLO)]),
            await llm.astream_complete(self.HELLO),
        ):
            assert isinstance(async_stream, AsyncGenerator)
            await anext(async_stream)
            await async_stream.aclose()
        await asyncio.sleep(0.01)  # the event loop closes generators that LlamaIndex left open

    @pytest.mark.parametrize("way", CHAT_WAYS + COMPLETION_WAYS)
    async def test_tokens_are_counted(self, llm: LLM, way: str) -> None:
        """LlamaIndex's counter reads `raw`, which must convert to a dict."""
        counter = TokenCountingHandler()
        llm.callback_manager = CallbackManager([counter])
        last = (await self.ask(llm, way, self.HELLO))[-1]
        assert counter.prompt_llm_token_count > 0
        assert counter.completion_llm_token_count > 0
        if self.has_usage and (self.has_usage_in_streams or "stream" not in way):
            usage = dict(last.raw)["usage"]
            usage = usage if isinstance(usage, dict) else usage.model_dump()
            assert counter.prompt_llm_token_count == usage["prompt_tokens"]
            assert counter.completion_llm_token_count == usage["completion_tokens"]

    @pytest.mark.parametrize("way", STREAM_WAYS)
    async def test_thoughts(self, llm: LLM, way: str) -> None:
        self.need("has_reasoning")
        chunks = await self.ask(llm, way, self.THINK)
        reasoning = [b for b in chunks[-1].message.blocks if isinstance(b, ThinkingBlock)]
        assert reasoning
        assert reasoning[0].content
        deltas = [chunk.additional_kwargs.get("thinking_delta") or "" for chunk in chunks]
        assert "".join(deltas) == reasoning[0].content

    # --- Messages ------------------------------------------------------------------------------

    @pytest.mark.parametrize("way", CHAT_WAYS)
    async def test_chat_leaves_messages_alone(self, llm: LLM, way: str) -> None:
        messages = [
            said("You are polite.", "system"),
            said("Hello. I am Ada."),
            said("Hello, Ada.", "assistant"),
            said(self.HELLO),
        ]
        before = dumped(messages)
        message = (await collected(getattr(llm, way)(messages)))[-1].message
        assert dumped(messages) == before
        assert message.role == "assistant"
        assert self.HELLO_SAYS in message.content
        assert any(isinstance(block, TextBlock) for block in message.blocks)

    def test_messages_of_several_forms(self, llm: LLM) -> None:
        hint = CachePoint(cache_control=CacheControl(type="ephemeral"))
        blocks = [TextBlock(text="Do as you are told."), hint, TextBlock(text=self.HELLO)]
        reply = llm.chat([ChatMessage(role="user", blocks=blocks)]).message
        assert self.HELLO_SAYS in (reply.content or "")
        assert llm.chat([said(self.HELLO), reply, said(self.HELLO)]).message.content
        # LlamaIndex's agents put a system message last when they have run too long.
        assert llm.chat([said("Hello."), said(self.HELLO, "system")]).message.content

    def test_an_image(self, llm: LLM) -> None:
        self.need("reads_images")
        image = ImageBlock(image=RED_SQUARE, image_mimetype="image/png")
        reply = llm.chat([ChatMessage(role="user", blocks=[TextBlock(text=self.LOOK), image])])
        assert self.LOOK_SAYS in (reply.message.content or "").lower()

    # --- Tools ---------------------------------------------------------------------------------

    @pytest.mark.parametrize("way", CHAT_WAYS)
    @pytest.mark.parametrize("by_name", [False, True])
    async def test_a_tool_call(self, llm: Any, way: str, by_name: bool) -> None:
        self.need("has_tool_choice" if by_name else "has_tools")
        choice = {"tool_choice": self.CALCULATED[0]} if by_name else {"tool_required": True}
        chunks = await self.ask_with_tools(llm, way, self.CALCULATE, **choice)
        for chunk in chunks:
            partial = llm.get_tool_calls_from_response(chunk, error_on_no_tool_call=False)
            assert all(type(call.tool_kwargs) is dict for call in partial)
        (call,) = llm.get_tool_calls_from_response(chunks[-1])
        assert call.tool_id
        assert (call.tool_name, call.tool_kwargs) == self.CALCULATED
        blocks = [b for b in chunks[-1].message.blocks if isinstance(b, ToolCallBlock)]
        assert [block.tool_name for block in blocks] == [self.CALCULATED[0]]

    @pytest.mark.parametrize("way", CHAT_WAYS)
    async def test_parallel_tool_calls(self, llm: Any, way: str) -> None:
        self.need("has_parallel_tool_calls")
        chunks = await self.ask_with_tools(llm, way, self.ASK_TWO, allow_parallel_tool_calls=True)
        calls = llm.get_tool_calls_from_response(chunks[-1])
        assert [call.tool_name for call in calls] == ["temperature", "temperature"]
        assert sorted(call.tool_kwargs["city"] for call in calls) == ["Paris", "Rome"]
        assert len({call.tool_id for call in calls}) == 2
        one = await self.ask_with_tools(llm, way, self.ASK_TWO, tool_required=True)
        assert len(llm.get_tool_calls_from_response(one[-1])) == 1

    @pytest.mark.parametrize("way", CHAT_WAYS)
    async def test_tools_that_are_not_needed(self, llm: Any, way: str) -> None:
        self.need("has_tools")
        history = [said("Hello.")]
        for tools in (TOOLS, []):
            given = {"tools": tools, "chat_history": history}
            chunks = await self.ask_with_tools(llm, way, self.HELLO, **given)
            assert history == [said("Hello.")]
            assert llm.get_tool_calls_from_response(chunks[-1], error_on_no_tool_call=False) == []
            with pytest.raises(ValueError):  # noqa: PT011 - the words are the integration's own
                llm.get_tool_calls_from_response(chunks[-1])
            assert self.HELLO_SAYS in chunks[-1].message.content

    @pytest.mark.parametrize("way", CHAT_WAYS)
    async def test_a_tools_result_goes_back(self, llm: Any, way: str) -> None:
        self.need("has_tools")
        asked = await self.ask_with_tools(llm, way, self.CALCULATE, tool_required=True)
        call = llm.get_tool_calls_from_response(asked[-1])[0]
        about = {"tool_call_id": call.tool_id}
        result = ChatMessage(role="tool", content="408", additional_kwargs=about)
        history = [said(self.CALCULATE), asked[-1].message, result]
        before = dumped(history)
        chunks = await self.ask_with_tools(llm, way, "", chat_history=history, user_msg=None)
        assert "408" in chunks[-1].message.content
        assert dumped(history) == before

    async def test_predict_and_call(self, llm: Any) -> None:
        self.need("has_tools")
        for way in ("predict_and_call", "apredict_and_call"):
            [response] = await collected(getattr(llm, way)(TOOLS, user_msg=self.CALCULATE))
            assert response.response == "408"

    # --- Objects -------------------------------------------------------------------------------

    @pytest.mark.parametrize("way", PREDICT_WAYS)
    async def test_structured_prediction(self, llm: LLM, way: str) -> None:
        self.need("has_structured_output")
        prompt = ChatPromptTemplate(message_templates=[said(self.CITY)])
        arguments = {"tool_choice": "required"}
        results = await collected(getattr(llm, way)(City, prompt, llm_kwargs=arguments))
        assert results[-1] == OSLO
        assert prompt.message_templates == [said(self.CITY)]
        assert arguments == {"tool_choice": "required"}

    @pytest.mark.filterwarnings("ignore:The `json` method is deprecated")  # LlamaIndex calls it
    @pytest.mark.parametrize("way", [*CHAT_WAYS, "complete", "acomplete"])
    async def test_structured_llm(self, llm: LLM, way: str) -> None:
        self.need("has_structured_output")
        assert (await self.ask(llm.as_structured_llm(City), way, self.CITY))[-1].raw == OSLO

    @pytest.mark.parametrize("way", ["__call__", "acall", "stream_call", "astream_call"])
    async def test_function_calling_program(self, llm: Any, way: str) -> None:
        """The program of LlamaIndex's core, which reads tool calls in its own way."""
        self.need("has_tools")
        program = FunctionCallingProgram.from_defaults(City, prompt_template_str="{text}", llm=llm)
        assert (await collected(getattr(program, way)(text=self.CITY)))[-1] == OSLO

    # --- Observers -----------------------------------------------------------------------------

    @pytest.mark.parametrize("way", CHAT_WAYS + COMPLETION_WAYS)
    async def test_events_match_and_show_no_secret(
        self, llm: LLM, way: str, events: list[Any]
    ) -> None:
        """One pair each, not one for a completion and one for the chat behind it."""
        callbacks = LlamaDebugHandler(print_trace_on_end=False)
        llm.callback_manager = CallbackManager([callbacks])
        chunks = await self.ask(llm, way, self.HELLO)
        [pair] = callbacks.get_event_pairs(CBEventType.LLM)
        assert len(pair) == 2
        kinds = Counter(type(event) for event in events)
        assert kinds[LLMCompletionStartEvent] + kinds[LLMChatStartEvent] == 1
        assert kinds[LLMCompletionEndEvent] + kinds[LLMChatEndEvent] == 1
        if way in CHAT_WAYS:
            assert kinds[LLMChatStartEvent] == 1
            assert kinds[LLMChatInProgressEvent] == (len(chunks) if "stream" in way else 0)
            (end,) = [event for event in events if isinstance(event, LLMChatEndEvent)]
            assert end.response.message == chunks[-1].message
        if self.secret is not None:
            assert self.secret not in repr([event.payload for event in pair])
            assert self.secret not in repr(events)

    # --- Event loops and threads ---------------------------------------------------------------

    def test_several_event_loops(self, llm: LLM) -> None:
        """Evaluators, extractors and graphs run async methods in loops of their own."""
        self.need("has_event_loop_freedom")

        async def main() -> str:
            whole = await llm.achat([said(self.HELLO)])
            chunks = await collected(llm.astream_chat([said(self.HELLO)]))
            inside = llm.complete(self.HELLO)  # sync, in a running loop
            return f"{whole.message.content} {chunks[-1].message.content} {inside.text}"

        for _ in range(3):
            assert asyncio.run(main()).count(self.HELLO_SAYS) >= 3

    def test_threads(self, llm: LLM) -> None:
        self.need("has_event_loop_freedom")

        def work(_: int) -> str:
            return llm.complete(self.HELLO).text + asyncio.run(llm.acomplete(self.HELLO)).text

        with ThreadPoolExecutor(4) as threads:
            texts = list(threads.map(work, range(4)))
        assert all(text.count(self.HELLO_SAYS) >= 2 for text in texts)

    # --- Agents --------------------------------------------------------------------------------

    @pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
    @pytest.mark.parametrize("streaming", [True, False])
    async def test_function_agent(self, llm: Any, streaming: bool) -> None:
        self.need("has_tools")
        await self.check_agent(FunctionAgent(tools=TOOLS, llm=llm, streaming=streaming))

    @pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
    async def test_react_agent(self, llm: LLM) -> None:
        await self.check_agent(ReActAgent(tools=TOOLS, llm=llm))

    async def check_agent(self, agent: Any) -> None:
        handler = agent.run(self.CALCULATE)
        calls = [event async for event in handler.stream_events() if type(event) is ToolCall]
        assert "408" in str(await handler)
        assert [(call.tool_name, call.tool_kwargs) for call in calls] == [self.CALCULATED]
