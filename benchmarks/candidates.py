"""Candidates of the benchmark: each does the same thing in its own way.

Imports stand inside, as each candidate runs in an environment that lacks the others.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any

KEY = "rc_live_test"
PROMPT = "Say something."
IMAGE_URI = "data:image/png;base64," + "iVBORw0KGgo" * 1500  # 16 KiB, as a small screenshot has


@dataclass(frozen=True)
class Candidate:
    """One way to do the work.

    Attributes:
        name: Shown in tables.
        family: With whom it is compared: `core`, `langchain` or `llamaindex`.
        environment: `ours` or `peers`: where it is installed.
        make: Makes the object from the address, the model and further options.
        stream: Reads a stream to its end; returns how many chunks came.
        astream: The same, asynchronously.
        invoke: Makes one complete call.
        ainvoke: The same, asynchronously.
        events: Reads a stream as LangChain's events of version 3; returns how many came.
        converse: Makes one complete call with a long history.
        turn: Makes an agent's turn, with 20 tools and 200 messages.
    """

    name: str
    family: str
    environment: str
    make: Callable[..., Any]
    stream: Callable[[Any], int] | None = None
    astream: Callable[[Any], Any] | None = None
    invoke: Callable[[Any], Any] | None = None
    ainvoke: Callable[[Any], Any] | None = None
    events: Callable[[Any], int] | None = None
    converse: Callable[[Any, list[Any]], Any] | None = None
    turn: Callable[[Any], Any] | None = None


def count(items: Iterator[Any]) -> int:
    """Return how many items there are, using each once."""
    return sum(1 for _ in items)


async def acount(items: Any) -> int:
    """Return how many items an asynchronous iterator, or an awaitable of one, gives."""
    if inspect.isawaitable(items):
        items = await items
    number = 0
    async for _ in items:
        number += 1
    return number


MESSAGES = [{"role": "user", "content": PROMPT}]


# --- core -----------------------------------------------------------------------------------


class RawHttpx:
    """Reading the bytes, and nothing else: what the network alone costs."""

    def __init__(self, url: str, model: str) -> None:
        import httpx

        self.client = httpx.Client()
        self.async_client: Any = None
        self.url = f"{url}/chat/completions"
        self.body = {"model": model, "messages": MESSAGES}

    def stream(self) -> int:
        body = self.body | {"stream": True}
        with self.client.stream("POST", self.url, json=body) as response:
            return sum(piece.count(b"data: ") for piece in response.iter_raw())

    async def astream(self) -> int:
        import httpx

        self.async_client = self.async_client or httpx.AsyncClient()
        body = self.body | {"stream": True}
        async with self.async_client.stream("POST", self.url, json=body) as response:
            return sum([piece.count(b"data: ") async for piece in response.aiter_raw()])

    def invoke(self) -> Any:
        return self.client.post(self.url, json=self.body).json()

    async def ainvoke(self) -> Any:
        import httpx

        self.async_client = self.async_client or httpx.AsyncClient()
        return (await self.async_client.post(self.url, json=self.body)).json()


def make_core(url: str, model: str) -> Any:
    from runcrate_core import AsyncRuncrate, Runcrate

    options = {"inference_url": url, "wait_for_rate_limit": True}
    return Runcrate(KEY, **options), AsyncRuncrate(KEY, **options), model


def stream_core(made: Any) -> int:
    client, _, model = made
    with client.chat.completions.stream(model=model, messages=MESSAGES) as stream:
        return count(stream)


async def astream_core(made: Any) -> int:
    _, client, model = made
    async with client.chat.completions.stream(model=model, messages=MESSAGES) as stream:
        return await acount(stream)


def make_openai(url: str, model: str) -> Any:
    from openai import AsyncOpenAI, OpenAI

    return OpenAI(api_key=KEY, base_url=url), AsyncOpenAI(api_key=KEY, base_url=url), model


def make_sdk(url: str, model: str) -> Any:
    from runcrate import AsyncRuncrate, Runcrate

    host = url.removesuffix("/v1")
    return (
        Runcrate(api_key=KEY, inference_url=host),
        AsyncRuncrate(api_key=KEY, inference_url=host),
        model,
    )


def _create(made: Any, **options: Any) -> Any:
    return made[0].chat.completions.create(model=made[2], messages=MESSAGES, **options)


def _acreate(made: Any, **options: Any) -> Any:
    return made[1].chat.completions.create(model=made[2], messages=MESSAGES, **options)


# --- LangChain ------------------------------------------------------------------------------


def make_langchain(module: str, name: str, **options: Any) -> Callable[..., Any]:
    def make(url: str, model: str, **more: Any) -> Any:
        import importlib

        kind = getattr(importlib.import_module(module), name)
        return kind(model=model, api_key=KEY, base_url=url, **options, **more)

    return make


def make_langchain_floor(url: str, model: str, **options: Any) -> Any:
    """A fake model: what LangChain's own `stream` costs for each chunk."""
    from langchain_core.language_models.chat_models import BaseChatModel
    from langchain_core.messages import AIMessage, AIMessageChunk
    from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

    number = int(model.split("-")[1])

    class Floor(BaseChatModel):
        @property
        def _llm_type(self) -> str:
            return "floor"

        def _generate(self, *_: Any, **__: Any) -> ChatResult:
            return ChatResult(generations=[ChatGeneration(message=AIMessage(content="word " * 9))])

        async def _agenerate(self, *_: Any, **__: Any) -> ChatResult:
            return self._generate()

        def _stream(self, *_: Any, **__: Any) -> Iterator[ChatGenerationChunk]:
            for n in range(number):
                yield ChatGenerationChunk(message=AIMessageChunk(content=f"word{n} "))

        async def _astream(self, *_: Any, **__: Any) -> AsyncIterator[ChatGenerationChunk]:
            for n in range(number):
                yield ChatGenerationChunk(message=AIMessageChunk(content=f"word{n} "))

    return Floor(**options)


def make_langchain_on_httpx(url: str, model: str, **_: Any) -> Any:
    """A model that posts with httpx and takes the text: the least that a complete call can cost."""
    from langchain_core.messages import AIMessage
    from langchain_core.outputs import ChatGeneration, ChatResult

    raw = RawHttpx(url, model)

    def result(answer: Any) -> ChatResult:
        message = AIMessage(content=answer["choices"][0]["message"]["content"])
        return ChatResult(generations=[ChatGeneration(message=message)])

    class OnHttpx(type(make_langchain_floor(url, "text-1"))):  # type: ignore[misc]
        def _generate(self, *_: Any, **__: Any) -> ChatResult:
            return result(raw.invoke())

        async def _agenerate(self, *_: Any, **__: Any) -> ChatResult:
            return result(await raw.ainvoke())

    return OnHttpx()


def langchain_history(length: int) -> list[Any]:
    """Return a conversation in which every other question has an image."""
    from langchain_core.messages import AIMessage, HumanMessage

    shown = [
        {"type": "text", "text": PROMPT},
        {"type": "image_url", "image_url": {"url": IMAGE_URI}},
    ]
    turns = [HumanMessage(content=shown), AIMessage(content="An image."),
             HumanMessage(content=PROMPT), AIMessage(content="Something.")]  # fmt: skip
    return [turns[number % 4] for number in range(length - 1)] + [HumanMessage(content=PROMPT)]


def look_up(number: int) -> Any:
    """Return a function that is a tool of an agent."""

    def look_up(city: str, days: int = 1) -> str:
        """Look up the weather of a city for some days."""
        return f"{city} {days}"

    look_up.__name__ = f"look_up_{number}"
    return look_up


@functools.cache
def langchain_agent() -> tuple[list[Any], list[Any]]:
    """Return 20 tools, and 200 messages: an agent that called a tool in two turns of three."""
    from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
    from langchain_core.tools import tool

    history: list[Any] = []
    for number in range(66):
        call = {"name": "look_up_1", "args": {"city": "Bern", "days": 2}, "id": f"call_{number}"}
        history += [HumanMessage(PROMPT), AIMessage("", tool_calls=[call]),
                    ToolMessage("sunny", tool_call_id=call["id"])]  # fmt: skip
    history += [AIMessage("It is sunny."), HumanMessage(PROMPT)]
    return [tool(look_up(number)) for number in range(20)], history


def langchain_turn(model: Any) -> Any:
    """Make an agent's turn: LangChain's agents bind their tools for each call."""
    tools, history = langchain_agent()
    return model.bind_tools(tools).invoke(history)


LANGCHAIN: dict[str, Any] = {
    "stream": lambda model: count(model.stream(PROMPT)),
    "astream": lambda model: acount(model.astream(PROMPT)),
    "invoke": lambda model: model.invoke(PROMPT),
    "ainvoke": lambda model: model.ainvoke(PROMPT),
    "events": lambda model: count(model.stream_events(PROMPT, version="v3")),
    "converse": lambda model, history: model.invoke(history),
    "turn": langchain_turn,
}


# --- LlamaIndex -----------------------------------------------------------------------------


def make_llamaindex(module: str, name: str, base: str, **options: Any) -> Callable[..., Any]:
    def make(url: str, model: str) -> Any:
        import importlib

        kind = getattr(importlib.import_module(module), name)
        return kind(model=model, api_key=KEY, **{base: url}, **options)

    return make


def make_llamaindex_floor(url: str, model: str) -> Any:
    """A fake model: what LlamaIndex's own callbacks cost for each chunk."""
    from llama_index.core.base.llms.types import ChatMessage, ChatResponse, LLMMetadata
    from llama_index.core.llms import CustomLLM
    from llama_index.core.llms.callbacks import llm_chat_callback

    number = int(model.split("-")[1])

    class Floor(CustomLLM):
        @property
        def metadata(self) -> LLMMetadata:
            return LLMMetadata(is_chat_model=True)

        def complete(self, *_: Any, **__: Any) -> Any: ...
        def stream_complete(self, *_: Any, **__: Any) -> Any: ...

        @llm_chat_callback()
        def chat(self, messages: Any, **_: Any) -> ChatResponse:
            return ChatResponse(message=ChatMessage(role="assistant", content="word " * 9))

        @llm_chat_callback()
        async def achat(self, messages: Any, **_: Any) -> ChatResponse:
            return ChatResponse(message=ChatMessage(role="assistant", content="word " * 9))

        @llm_chat_callback()
        def stream_chat(self, messages: Any, **_: Any) -> Any:
            def gen() -> Any:
                text = ""
                for n in range(number):
                    text += f"word{n} "
                    message = ChatMessage(role="assistant", content=text)
                    yield ChatResponse(message=message, delta=f"word{n} ")

            return gen()

        @llm_chat_callback()
        async def astream_chat(self, messages: Any, **_: Any) -> Any:
            async def gen() -> Any:
                text = ""
                for n in range(number):
                    text += f"word{n} "
                    message = ChatMessage(role="assistant", content=text)
                    yield ChatResponse(message=message, delta=f"word{n} ")

            return gen()

    return Floor()


def make_llamaindex_on_httpx(url: str, model: str) -> Any:
    """A model that posts with httpx and takes the text: the least that a complete call can cost."""
    from llama_index.core.base.llms.types import ChatMessage, ChatResponse
    from llama_index.core.llms.callbacks import llm_chat_callback

    raw = RawHttpx(url, model)

    def response(answer: Any) -> ChatResponse:
        text = answer["choices"][0]["message"]["content"]
        return ChatResponse(message=ChatMessage(role="assistant", content=text), raw=answer)

    class OnHttpx(type(make_llamaindex_floor(url, "text-1"))):  # type: ignore[misc]
        @llm_chat_callback()
        def chat(self, messages: Any, **_: Any) -> ChatResponse:
            return response(raw.invoke())

        @llm_chat_callback()
        async def achat(self, messages: Any, **_: Any) -> ChatResponse:
            return response(await raw.ainvoke())

    return OnHttpx()


def llamaindex_history(length: int) -> list[Any]:
    """Return a conversation in which every other question has an image."""
    from llama_index.core.base.llms.types import ChatMessage, ImageBlock, TextBlock

    shown = [TextBlock(text=PROMPT), ImageBlock(url=IMAGE_URI)]
    turns = [ChatMessage(role="user", blocks=shown),
             ChatMessage(role="assistant", content="An image."),
             ChatMessage(role="user", content=PROMPT),
             ChatMessage(role="assistant", content="Something.")]  # fmt: skip
    return [turns[number % 4] for number in range(length - 1)] + question()


@functools.cache
def llamaindex_agent() -> tuple[list[Any], list[Any]]:
    """Return 20 tools and 200 messages, as `langchain_agent` does."""
    from llama_index.core.base.llms.types import ChatMessage, TextBlock, ToolCallBlock
    from llama_index.core.tools import FunctionTool

    history: list[Any] = []
    for number in range(66):
        call = ToolCallBlock(tool_call_id=f"call_{number}", tool_name="look_up_1",
                             tool_kwargs={"city": "Bern", "days": 2})  # fmt: skip
        history += [
            ChatMessage(role="user", content=PROMPT),
            ChatMessage(role="assistant", blocks=[call]),
            ChatMessage(role="tool", blocks=[TextBlock(text="sunny")],
                        additional_kwargs={"tool_call_id": f"call_{number}"}),
        ]  # fmt: skip
    history += [ChatMessage(role="assistant", content="It is sunny."), *question()]
    return [FunctionTool.from_defaults(look_up(number)) for number in range(20)], history


def llamaindex_turn(llm: Any) -> Any:
    """Make an agent's turn: LlamaIndex's agents hand over their tools with each call."""
    tools, history = llamaindex_agent()
    return llm.chat_with_tools(tools, chat_history=history)


def question() -> list[Any]:
    """Return the question in LlamaIndex's form."""
    from llama_index.core.base.llms.types import ChatMessage

    return [ChatMessage(role="user", content=PROMPT)]


LLAMAINDEX: dict[str, Any] = {
    "stream": lambda llm: count(llm.stream_chat(question())),
    "astream": lambda llm: acount(llm.astream_chat(question())),
    "invoke": lambda llm: llm.chat(question()),
    "ainvoke": lambda llm: llm.achat(question()),
    "converse": lambda llm, history: llm.chat(history),
    "turn": llamaindex_turn,
}

RAW: dict[str, Any] = {
    "stream": RawHttpx.stream,
    "astream": RawHttpx.astream,
    "invoke": RawHttpx.invoke,
    "ainvoke": RawHttpx.ainvoke,
}

CANDIDATES = (
    Candidate("raw httpx", "core", "ours", RawHttpx, **RAW),
    Candidate("runcrate_core", "core", "ours", make_core, stream_core, astream_core,
              _create, _acreate),
    Candidate("openai", "core", "peers", make_openai,
              lambda made: count(_create(made, stream=True)),
              lambda made: acount(_acreate(made, stream=True)), _create, _acreate),
    Candidate("runcrate-sdk", "core", "peers", make_sdk,
              lambda made: count(_create(made, stream=True)),
              lambda made: acount(_acreate(made, stream=True)), _create, _acreate),
    Candidate("langchain-core floor", "langchain", "ours", make_langchain_floor, **LANGCHAIN),
    Candidate("langchain-core on raw httpx", "langchain", "ours", make_langchain_on_httpx,
              invoke=LANGCHAIN["invoke"], ainvoke=LANGCHAIN["ainvoke"]),
    Candidate("langchain_runcrate (ours)", "langchain", "ours",
              make_langchain("langchain_runcrate", "ChatRuncrate"), **LANGCHAIN),
    Candidate("langchain-runcrate 0.1.0", "langchain", "peers",
              make_langchain("langchain_runcrate", "ChatRuncrate", stream_usage=True),
              **LANGCHAIN),
    Candidate("langchain-openai", "langchain", "peers",
              make_langchain("langchain_openai", "ChatOpenAI", stream_usage=True), **LANGCHAIN),
    Candidate("langchain-openrouter", "langchain", "peers",
              make_langchain("langchain_openrouter", "ChatOpenRouter"), **LANGCHAIN),
    Candidate("llama-index-core floor", "llamaindex", "ours", make_llamaindex_floor, **LLAMAINDEX),
    Candidate("llama-index-core on raw httpx", "llamaindex", "ours", make_llamaindex_on_httpx,
              invoke=LLAMAINDEX["invoke"], ainvoke=LLAMAINDEX["ainvoke"]),
    Candidate("llamaindex_runcrate (ours)", "llamaindex", "ours",
              make_llamaindex("llamaindex_runcrate", "RuncrateLLM", "base_url"), **LLAMAINDEX),
    Candidate("llama-index-llms-runcrate 0.1.0", "llamaindex", "peers",
              make_llamaindex("llama_index.llms.runcrate", "Runcrate", "api_base"),
              **LLAMAINDEX),
)  # fmt: skip
HISTORIES = {"langchain": langchain_history, "llamaindex": llamaindex_history}
BY_NAME = {candidate.name: candidate for candidate in CANDIDATES}
