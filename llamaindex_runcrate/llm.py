"""`RuncrateLLM`: Runcrate's chat models for LlamaIndex."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Sequence
from typing import Any, TypeVar

import llama_index.core.instrumentation as instrument
from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    ChatResponseAsyncGen,
    ChatResponseGen,
    CompletionResponse,
    CompletionResponseAsyncGen,
    CompletionResponseGen,
    LLMMetadata,
    MessageRole,
)
from llama_index.core.bridge.pydantic import PrivateAttr
from llama_index.core.instrumentation.events.llm import (
    LLMStructuredPredictEndEvent,
    LLMStructuredPredictStartEvent,
)
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.llms.llm import ToolSelection
from llama_index.core.prompts import PromptTemplate
from llama_index.core.tools.types import BaseTool
from llama_index.core.types import PydanticProgramMode
from pydantic import BaseModel

from llamaindex_runcrate import structured
from llamaindex_runcrate.instrumentation import (
    CHAT,
    COMPLETION,
    SpanSignature,
    instrumented,
    without_credentials,
)
from llamaindex_runcrate.responses import ChunkReader, completion_of, is_last, response_of, was_cut
from llamaindex_runcrate.schemas import are_of_program, wire_tool_choice, wire_tools
from llamaindex_runcrate.settings import TOOL_NAMES, ChatRequest, ChatSettings
from llamaindex_runcrate.tool_calls import selections_of, unreadable_call
from runcrate_core.toolkit import ToolNames

M = TypeVar("M", bound=BaseModel)

dispatcher = instrument.get_dispatcher(__name__)  # type: ignore[attr-defined] # re-exported


class RuncrateLLM(ChatSettings, FunctionCallingLLM):
    """A chat model of Runcrate.

    Only set values are sent, and arguments of a call win over the settings; `None` in a call
    removes a setting. Any other argument of a call becomes a field of the request. Errors are
    those of `runcrate_core`, whose client alone retries.

    A call's result has, beside LlamaIndex's own, in `additional_kwargs`: `prompt_tokens`,
    `completion_tokens`, `total_tokens`, `cached_tokens`, `reasoning_tokens`, `cost_usd` and
    `request_id`, as far as the service reports them. The last chunk of a stream is the complete
    answer with all of it.

    Example:
        ```python
        from llamaindex_runcrate import RuncrateLLM

        llm = RuncrateLLM(model="deepseek-ai/DeepSeek-V3.2")  # reads RUNCRATE_API_KEY
        print(llm.complete("Explain a vector index in one sentence."))

        for chunk in llm.stream_complete("And in one paragraph?"):
            print(chunk.delta, end="")
        ```
    """

    _refused: dict[str, set[structured.Method]] = PrivateAttr(default_factory=dict)

    @classmethod
    def class_name(cls) -> str:
        """Name of the class in serialised form; not the official wrapper's `Runcrate_LLM`."""
        return "runcrate_llm"

    @property
    def metadata(self) -> LLMMetadata:
        """Model metadata, from the catalogue or the settings; never requested."""
        known = self._capabilities(self.model)
        return LLMMetadata(
            context_window=known.context_window,
            num_output=known.num_output,
            is_chat_model=True,
            is_function_calling_model=known.tools,
            model_name=self.model,
        )

    def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """Answer a conversation."""
        with instrumented(self, CHAT, messages, kwargs) as observation:
            return observation.ended(self._chat(messages, kwargs))

    async def achat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """Answer a conversation, asynchronously."""
        with instrumented(self, CHAT, messages, kwargs) as observation:
            return observation.ended(await self._achat(messages, kwargs))

    def stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseGen:
        """Answer a conversation in chunks; closing the generator ends the request."""
        with instrumented(self, CHAT, messages, kwargs) as observation:
            if self.rate_limiter is not None:
                self.rate_limiter.acquire()
            chunks = self._stream_chat(self._request(messages, kwargs))
        return observation.stream(chunks, _unchanged)

    async def astream_chat(
        self, messages: Sequence[ChatMessage], **kwargs: Any
    ) -> ChatResponseAsyncGen:
        """Answer a conversation in chunks, asynchronously."""
        with instrumented(self, CHAT, messages, kwargs) as observation:
            if self.rate_limiter is not None:
                await self.rate_limiter.async_acquire()
            chunks = self._astream_chat(await self._arequest(messages, kwargs))
        return observation.astream(chunks, _unchanged)

    def complete(
        self,
        prompt: str,
        formatted: bool = False,  # noqa: FBT001, FBT002 - LlamaIndex's signature
        **kwargs: Any,
    ) -> CompletionResponse:
        """Answer a prompt, which becomes a message of the user."""
        with instrumented(self, COMPLETION, prompt, kwargs) as observation:
            messages = self._user_messages(prompt, formatted=formatted)
            return observation.ended(completion_of(self._chat(messages, kwargs)))

    async def acomplete(
        self,
        prompt: str,
        formatted: bool = False,  # noqa: FBT001, FBT002 - LlamaIndex's signature
        **kwargs: Any,
    ) -> CompletionResponse:
        """Answer a prompt, asynchronously."""
        with instrumented(self, COMPLETION, prompt, kwargs) as observation:
            messages = self._user_messages(prompt, formatted=formatted)
            return observation.ended(completion_of(await self._achat(messages, kwargs)))

    def stream_complete(
        self,
        prompt: str,
        formatted: bool = False,  # noqa: FBT001, FBT002 - LlamaIndex's signature
        **kwargs: Any,
    ) -> CompletionResponseGen:
        """Answer a prompt in chunks."""
        with instrumented(self, COMPLETION, prompt, kwargs) as observation:
            if self.rate_limiter is not None:
                self.rate_limiter.acquire()
            request = self._request(self._user_messages(prompt, formatted=formatted), kwargs)
        return observation.stream(self._stream_chat(request), completion_of)

    async def astream_complete(
        self,
        prompt: str,
        formatted: bool = False,  # noqa: FBT001, FBT002 - LlamaIndex's signature
        **kwargs: Any,
    ) -> CompletionResponseAsyncGen:
        """Answer a prompt in chunks, asynchronously."""
        with instrumented(self, COMPLETION, prompt, kwargs) as observation:
            if self.rate_limiter is not None:
                await self.rate_limiter.async_acquire()
            messages = self._user_messages(prompt, formatted=formatted)
            request = await self._arequest(messages, kwargs)
        return observation.astream(self._astream_chat(request), completion_of)

    def get_tool_calls_from_response(
        self,
        response: ChatResponse,
        error_on_no_tool_call: bool = True,  # noqa: FBT001, FBT002 - LlamaIndex's signature
        **_: Any,
    ) -> list[ToolSelection]:
        """Return the tool calls of a response, or of a chunk as far as they have come.

        A call whose arguments are not a complete JSON object is never returned as one with other
        arguments. Agents get it under a name that states why it is not run, and that no tool has:
        they tell the model, which may call again.

        Raises:
            ValueError: There is none, or one that cannot be read, and that is an error.
        """
        selections = selections_of(response.message, cut=was_cut(response))
        if error_on_no_tool_call and (reason := unreadable_call(selections)):
            raise ValueError(f"No tool was run. {reason}")
        if error_on_no_tool_call and not selections:
            raise ValueError(
                "The model called no tool although one was expected. Its words: "
                f"{(response.message.content or '')[:200]!r}"
            )
        return selections

    def stream_chat_with_tools(
        self, tools: Sequence[BaseTool], *args: Any, **kwargs: Any
    ) -> ChatResponseGen:
        """Answer a conversation in chunks, with tools; see `chat_with_tools`.

        Raises:
            ValueError: It ends without a readable call where LlamaIndex's `FunctionCallingProgram`
                makes an object of the last chunk.
        """
        chunks: ChatResponseGen = super().stream_chat_with_tools(tools, *args, **kwargs)
        return self._with_readable_end(chunks) if are_of_program(tools) else chunks

    async def astream_chat_with_tools(
        self, tools: Sequence[BaseTool], *args: Any, **kwargs: Any
    ) -> ChatResponseAsyncGen:
        """Answer a conversation in chunks, with tools; see `stream_chat_with_tools`."""
        chunks: ChatResponseAsyncGen = await super().astream_chat_with_tools(tools, *args, **kwargs)
        return self._with_areadable_end(chunks) if are_of_program(tools) else chunks

    def _with_readable_end(self, chunks: ChatResponseGen) -> ChatResponseGen:
        for chunk in chunks:
            if is_last(chunk):
                self.get_tool_calls_from_response(chunk)
            yield chunk

    async def _with_areadable_end(self, chunks: ChatResponseAsyncGen) -> ChatResponseAsyncGen:
        async for chunk in chunks:
            if is_last(chunk):
                self.get_tool_calls_from_response(chunk)
            yield chunk

    def structured_predict(
        self,
        output_cls: type[M],
        prompt: PromptTemplate,
        llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,
    ) -> M:
        """Answer a prompt with an object; see `structured_output`.

        Args:
            output_cls: Its class.
            prompt: The prompt.
            llm_kwargs: Arguments of the model's call.
            prompt_args: Values of the prompt's variables.

        Raises:
            ValueError: No response held such an object.

        Example:
            ```python
            from llama_index.core.prompts import PromptTemplate
            from pydantic import BaseModel


            class Album(BaseModel):
                title: str
                songs: list[str]


            prompt = PromptTemplate("Invent an album about {topic}.")
            album = llm.structured_predict(Album, prompt, topic="the sea")
            ```
        """
        task = self._task(output_cls, prompt, llm_kwargs, prompt_args)
        if task is None:
            output: M = super().structured_predict(output_cls, prompt, llm_kwargs, **prompt_args)
            return output
        _started(output_cls, prompt, prompt_args)
        return _ended(structured.run(structured.with_fallbacks(task), self._ask))

    async def astructured_predict(
        self,
        output_cls: type[M],
        prompt: PromptTemplate,
        llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,
    ) -> M:
        """Answer a prompt with an object, asynchronously; see `structured_predict`."""
        task = self._task(output_cls, prompt, llm_kwargs, prompt_args)
        if task is None:
            output: M = await super().astructured_predict(
                output_cls, prompt, llm_kwargs, **prompt_args
            )
            return output
        _started(output_cls, prompt, prompt_args)
        return _ended(await structured.arun(structured.with_fallbacks(task), self._aask))

    # `stream_structured_predict` and its async form are LlamaIndex's; they end up here.

    def _structured_stream_call(
        self,
        output_cls: type[M],
        prompt: PromptTemplate,
        llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,
    ) -> Generator[Any, None, None]:
        task = self._task(output_cls, prompt, llm_kwargs, prompt_args)
        if task is None:
            return super()._structured_stream_call(output_cls, prompt, llm_kwargs, **prompt_args)
        return structured.stream(structured.with_fallbacks(task), self._ask_stream, output_cls)

    async def _structured_astream_call(
        self,
        output_cls: type[M],
        prompt: PromptTemplate,
        llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,
    ) -> AsyncGenerator[Any, None]:
        task = self._task(output_cls, prompt, llm_kwargs, prompt_args)
        if task is None:
            return await super()._structured_astream_call(
                output_cls, prompt, llm_kwargs, **prompt_args
            )
        return structured.astream(structured.with_fallbacks(task), self._aask_stream, output_cls)

    def _prepare_chat_with_tools(
        self,
        tools: Sequence[BaseTool],
        user_msg: str | ChatMessage | None = None,
        chat_history: list[ChatMessage] | None = None,
        verbose: bool = False,  # noqa: ARG002, FBT001, FBT002 - LlamaIndex's signature
        allow_parallel_tool_calls: bool = False,  # noqa: FBT001, FBT002 - LlamaIndex's signature
        tool_required: bool = False,  # noqa: FBT001, FBT002 - LlamaIndex's signature
        tool_choice: str | dict[str, Any] | None = None,
        strict: bool | None = None,  # noqa: FBT001 - as LlamaIndex's OpenAI classes have it
        **kwargs: Any,
    ) -> dict[str, Any]:
        messages = list(chat_history or ())
        if user_msg:
            messages.append(_user_message(user_msg) if isinstance(user_msg, str) else user_msg)
        prepared: dict[str, Any] = {"messages": messages, **kwargs}
        if tools:
            strict = self.strict if strict is None else strict
            own_names = [tool.metadata.get_name() for tool in tools]
            names = ToolNames(own_names)
            prepared["tools"] = wire_tools(tools, names=names, strict=strict)
            prepared["tool_choice"] = wire_tool_choice(
                tool_choice, required=tool_required, names=names
            )
            if names:
                prepared[TOOL_NAMES] = own_names
            if not allow_parallel_tool_calls:
                prepared["parallel_tool_calls"] = False
        return prepared

    def _chat(self, messages: Sequence[ChatMessage], kwargs: dict[str, Any]) -> ChatResponse:
        if self.rate_limiter is not None:
            self.rate_limiter.acquire()
        request = self._request(messages, kwargs)
        completion = self._sync_client.chat.completions.create(**request.arguments)
        return response_of(completion, request.context)

    async def _achat(self, messages: Sequence[ChatMessage], kwargs: dict[str, Any]) -> ChatResponse:
        if self.rate_limiter is not None:
            await self.rate_limiter.async_acquire()
        request = await self._arequest(messages, kwargs)
        completion = await self._async_client.chat.completions.create(**request.arguments)
        return response_of(completion, request.context)

    def _stream_chat(self, request: ChatRequest) -> ChatResponseGen:
        reader = ChunkReader(request.context)
        if self._comes_complete(request):
            yield reader.last(self._sync_client.chat.completions.create(**request.arguments))
            return
        with self._sync_client.chat.completions.stream(**request.arguments) as stream:
            for chunk in stream:
                if (response := reader.read(chunk)) is not None:
                    yield response
            yield reader.last(stream.completion)

    async def _astream_chat(self, request: ChatRequest) -> ChatResponseAsyncGen:
        reader = ChunkReader(request.context)
        if self._comes_complete(request):
            yield reader.last(await self._async_client.chat.completions.create(**request.arguments))
            return
        async with self._async_client.chat.completions.stream(**request.arguments) as stream:
            async for chunk in stream:
                if (response := reader.read(chunk)) is not None:
                    yield response
            yield reader.last(stream.completion)

    def _comes_complete(self, request: ChatRequest) -> bool:
        return not self.stream_tool_calls and "tools" in request.arguments

    def _user_messages(self, prompt: str, *, formatted: bool) -> list[ChatMessage]:
        if not formatted and self.completion_to_prompt is not None:
            prompt = self.completion_to_prompt(prompt)
        return [_user_message(prompt)]

    def _task(
        self,
        output_cls: type[M],
        prompt: PromptTemplate,
        llm_kwargs: dict[str, Any] | None,
        prompt_args: dict[str, Any],
    ) -> structured.Task[M] | None:
        """Return the prediction to make; None where the user has chosen another program for it."""
        methods = self._methods()
        if methods is None:
            return None
        kwargs = llm_kwargs or {}
        messages = prompt.format_messages(llm=self, **prompt_args)
        return structured.Task(
            output_cls=output_cls,
            messages=self._extend_messages(messages),
            methods=methods,
            llm_kwargs=kwargs,
            strict=self.strict,
            refused=self._refused.setdefault(self.model, set()),
            max_tokens=kwargs.get("max_tokens", self.max_tokens),
        )

    def _methods(self) -> tuple[structured.Method, ...] | None:
        match self.pydantic_program_mode:
            case PydanticProgramMode.DEFAULT if self.structured_output != "auto":
                return (self.structured_output,)
            case PydanticProgramMode.DEFAULT:
                known = self._capabilities(self.model)
                able = {"json_schema": known.json_schema, "tool": known.tools, "prompt": True}
                return tuple(method for method in structured.METHODS if able[method])
            case PydanticProgramMode.FUNCTION:
                return ("tool",)
            case PydanticProgramMode.LLM:
                return ("prompt",)
            case _:
                return None

    def _ask(self, attempt: structured.Attempt) -> ChatResponse:
        response: ChatResponse = self.chat(attempt.messages, **attempt.kwargs)
        return response

    async def _aask(self, attempt: structured.Attempt) -> ChatResponse:
        response: ChatResponse = await self.achat(attempt.messages, **attempt.kwargs)
        return response

    def _ask_stream(self, attempt: structured.Attempt) -> ChatResponseGen:
        chunks: ChatResponseGen = self.stream_chat(attempt.messages, **attempt.kwargs)
        return chunks

    async def _aask_stream(self, attempt: structured.Attempt) -> ChatResponseAsyncGen:
        chunks: ChatResponseAsyncGen = await self.astream_chat(attempt.messages, **attempt.kwargs)
        return chunks


# LlamaIndex's spans read these for each call; without this attribute they would be computed again.
for _name in ("chat", "complete", "stream_chat", "stream_complete", "structured_predict"):
    for _method in (getattr(RuncrateLLM, _name), getattr(RuncrateLLM, f"a{_name}")):
        _method.__wrapped__.__signature__ = SpanSignature.from_callable(_method)
for _name in ("predict_and_call", "stream_structured_predict"):
    for _each in (_name, f"a{_name}"):
        setattr(RuncrateLLM, _each, without_credentials(getattr(FunctionCallingLLM, _each)))
# A span of this step would show its result, with the headers of the call.
_undecorated = RuncrateLLM._prepare_chat_with_tools.__wrapped__  # type: ignore[attr-defined] # noqa: SLF001 - of this module
RuncrateLLM._prepare_chat_with_tools = _undecorated  # type: ignore[method-assign] # noqa: SLF001 - of this module


def _unchanged(chunk: ChatResponse) -> ChatResponse:
    return chunk


def _user_message(text: str) -> ChatMessage:
    return ChatMessage(role=MessageRole.USER, content=text)


def _started(output_cls: type[BaseModel], prompt: PromptTemplate, args: dict[str, Any]) -> None:
    dispatcher.event(
        LLMStructuredPredictStartEvent(output_cls=output_cls, template=prompt, template_args=args)
    )


def _ended(output: M) -> M:
    dispatcher.event(LLMStructuredPredictEndEvent(output=output))
    return output
