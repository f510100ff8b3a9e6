"""`ChatRuncrate`: Runcrate's chat models for LangChain."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from inspect import signature
from typing import TYPE_CHECKING, Any, Self

from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage
from langchain_core.runnables import Runnable, RunnableLambda
from langchain_core.tools import BaseTool
from pydantic import model_validator

import runcrate_core
from langchain_runcrate.arguments import constructor_arguments
from langchain_runcrate.base_chat_model import BaseChatRuncrate
from langchain_runcrate.content_blocks import register_blocks
from langchain_runcrate.errors import translating_errors
from langchain_runcrate.responses import chat_result
from langchain_runcrate.serialization import register_class
from langchain_runcrate.streaming import StreamReader
from langchain_runcrate.structured_output import (
    Method,
    instructed,
    structured_output_plan,
    with_raw,
)
from langchain_runcrate.tools_binding import wire_response_format, wire_tool_choice, wire_tools

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from langchain_core.callbacks import (
        AsyncCallbackManagerForLLMRun,
        CallbackManagerForLLMRun,
    )
    from langchain_core.messages import BaseMessage
    from langchain_core.outputs import ChatGenerationChunk, ChatResult

register_blocks()
register_class(__name__, "ChatRuncrate")


class ChatRuncrate(BaseChatRuncrate):
    """Runcrate's chat models: DeepSeek, Qwen, Llama, Kimi, gpt-oss and more behind one API.

    Setup:
        ```bash
        pip install "runcrate-integrations[langchain]"
        export RUNCRATE_API_KEY="rc_live_..."
        ```

    Key init args (completion params):
        model: Identifier of the model, e.g. `"deepseek-ai/DeepSeek-V3.2"`.
        temperature: From 0 (always the likeliest) to 2.
        max_tokens: Most tokens of a response.
        stop: Texts at which a response ends.
        reasoning_effort: How long a reasoning model thinks.

    Key init args (client params):
        api_key: Runcrate API key. Read from `RUNCRATE_API_KEY` if not given.
        base_url: Address of the API. Read from `RUNCRATE_API_BASE` if not given.
        timeout: Seconds of silence after which a complete response is given up.
        stream_idle_timeout: Seconds a stream may stay without content.
        max_retries: Retries after the first attempt.

    See the fields for the rest. `ChatRuncrate(model="m", base_url="http://127.0.0.1:8080/v1",
    api_key="anything")` talks to any local OpenAI-compatible server.

    Instantiate:
        ```python
        from langchain_runcrate import ChatRuncrate

        model = ChatRuncrate(model="deepseek-ai/DeepSeek-V3.2", temperature=0)
        ```

    Invoke:
        ```python
        messages = [
            ("system", "Answer in one sentence."),
            ("human", "What is LoRA fine-tuning?"),
        ]
        print(model.invoke(messages).text)
        ```

    Stream:
        ```python
        for chunk in model.stream("Write a haiku about GPUs."):
            print(chunk.text, end="", flush=True)
        ```

    Async:
        ```python
        message = await model.ainvoke("What is LoRA fine-tuning?")
        async for chunk in model.astream("Write a haiku about GPUs."):
            print(chunk.text, end="", flush=True)
        ```

    Tool calling:
        ```python
        from pydantic import BaseModel, Field


        class GetPrice(BaseModel):
            '''Get the price of a GPU for an hour.'''

            gpu: str = Field(description="The name of the GPU, such as H100")


        message = model.bind_tools([GetPrice]).invoke("What does an H100 cost per hour?")
        print(message.tool_calls)
        ```

        `tool_choice` takes the name of a tool, `auto`, `none` or `any`. Calls whose arguments are
        not valid JSON are in `message.invalid_tool_calls`, and are replayed safely.

    Structured output:
        ```python
        class Summary(BaseModel):
            '''A summary of a text.'''

            title: str
            bullets: list[str]


        summary = model.with_structured_output(Summary).invoke("Summarize what a GPU cloud is.")
        print(summary.title)
        ```

    Image input:
        ```python
        import base64
        from pathlib import Path

        image = base64.b64encode(Path("image.png").read_bytes()).decode()
        vision = ChatRuncrate(model="Qwen/Qwen3-VL-8B-Instruct")
        message = vision.invoke(
            [
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "What is in this image?"},
                        {"type": "image", "base64": image, "mime_type": "image/png"},
                    ],
                }
            ]
        )
        ```

        Audio (`audio`), video (`video`) and documents (`file`) are passed alike, to models
        that take them.

    Reasoning:
        ```python
        thinker = ChatRuncrate(model="deepseek-ai/DeepSeek-R1-0528")
        message = thinker.invoke("How many r are in strawberry?")
        print(message.additional_kwargs["reasoning_content"])
        print([block["type"] for block in message.content_blocks])
        ```

    Token usage:
        ```python
        message = model.invoke("Hello!")
        print(message.usage_metadata)
        ```

        Streams have it too, on their last chunk.

    Response metadata:
        ```python
        print(message.response_metadata)
        ```

        It holds `model_name`, `finish_reason`, `token_usage`, `request_id`, `rate_limit` and, where
        it is known, the `cost` in US dollars with its source; `RuncrateCostCallbackHandler` adds
        it up.
    """

    @model_validator(mode="before")
    @classmethod
    def _read_arguments(cls, values: Any) -> Any:
        return constructor_arguments(cls, values) if isinstance(values, dict) else values

    @model_validator(mode="after")
    def _set_runcrate_version(self) -> Self:
        self._add_version("runcrate-integrations", runcrate_core.__version__)
        return self

    @model_validator(mode="after")
    def _check_before_use(self) -> Self:
        if not self.api_key:
            # Says what is missing, if the URL is one that needs a key. Nothing is sent.
            runcrate_core.Runcrate(inference_url=self.api_base)
        if self.streaming and (self.n or 1) > 1:
            raise ValueError("`n` must be 1 with `streaming=True`: one response can be streamed.")
        return self

    # --- calls ---

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,  # noqa: ARG002 - LangChain's signature
        **kwargs: Any,
    ) -> ChatResult:
        request, context = self._prepared(messages, stop, kwargs)
        with translating_errors():
            completion = self._sync_client().chat.completions.create(**request)
        return chat_result(completion.to_dict(), completion.response, context)

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,  # noqa: ARG002 - LangChain's signature
        **kwargs: Any,
    ) -> ChatResult:
        request, context = self._prepared(messages, stop, kwargs)
        with translating_errors():
            completion = await self._async_client().chat.completions.create(**request)
        return chat_result(completion.to_dict(), completion.response, context)

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        request, context = self._prepared(messages, stop, kwargs)
        request, reader = self._streamed_request(request, kwargs), StreamReader(context)
        opening = self._sync_client().chat.completions.stream(**request)
        with translating_errors(), opening as stream:
            for chunk in stream:
                if (piece := reader.read(chunk)) is not None:
                    if run_manager is not None:
                        run_manager.on_llm_new_token(**_token(piece))
                    yield piece
            for piece in reader.end(stream.completion.to_dict(), stream.response):
                if run_manager is not None:
                    run_manager.on_llm_new_token(**_token(piece))
                yield piece

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        request, context = self._prepared(messages, stop, kwargs)
        request, reader = self._streamed_request(request, kwargs), StreamReader(context)
        opening = self._async_client().chat.completions.stream(**request)
        with translating_errors():
            async with opening as stream:
                async for chunk in stream:
                    if (piece := reader.read(chunk)) is not None:
                        if run_manager is not None:
                            await run_manager.on_llm_new_token(**_token(piece))
                        yield piece
                for piece in reader.end(stream.completion.to_dict(), stream.response):
                    if run_manager is not None:
                        await run_manager.on_llm_new_token(**_token(piece))
                    yield piece

    # --- tools and structured output ---

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: dict[str, Any] | str | bool | None = None,
        strict: bool | None = None,
        parallel_tool_calls: bool | None = None,
        response_format: dict[str, Any] | type | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Return a model that may call tools.

        Args:
            tools: Tools, functions, Pydantic classes, `TypedDict`s, or dicts in the form of
                OpenAI, Anthropic or JSON schema.
            tool_choice: The name of the tool to call, `auto`, `none`, `any` or `required` (also
                `True`), or OpenAI's dict.
            strict: Whether arguments must follow the schemas exactly.
            parallel_tool_calls: Whether several tools may be called at once.
            response_format: A schema or OpenAI's dict for responses that call no tool.
            kwargs: Further parameters of the request.

        Raises:
            ValueError: `tool_choice` names a tool that is not there.
        """
        formatted = wire_tools(tools, strict=strict)
        choice = wire_tool_choice(tool_choice, formatted)
        bound = {
            "tools": formatted or None,
            "tool_choice": choice,
            "parallel_tool_calls": parallel_tool_calls,
            "response_format": response_format
            and wire_response_format(response_format, strict=strict),
        }
        return self.bind(
            **{name: value for name, value in bound.items() if value is not None}, **kwargs
        )

    def with_structured_output(
        self,
        schema: dict[str, Any] | type | None = None,
        *,
        method: Method | None = None,
        include_raw: bool = False,
        strict: bool | None = None,
        tools: Sequence[Any] | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, Any]:
        """Return a chain whose responses fit a schema.

        Args:
            schema: A Pydantic class, a `TypedDict`, JSON schema or an OpenAI function.
            method: `json_schema`, `function_calling` or `json_mode`, for which the schema is put
                before the prompt. By default the best that the model's profile promises:
                `json_schema`, then `function_calling`, then `json_mode`, with a warning. Models
                without a profile are given the schema as a tool.
            include_raw: Whether to return `raw`, `parsed` and `parsing_error` instead of raising
                when the response cannot be read.
            strict: Whether the response must follow the schema exactly.
            tools: Tools that the model may call besides, with `json_schema`.
            kwargs: Further parameters of the request.

        Returns:
            Objects of the class if `schema` is a Pydantic class, otherwise dicts.

        Raises:
            ValueError: There is no such method.
        """
        plan = structured_output_plan(
            schema, method, self.profile, strict=strict, model=self.model_name
        )
        bound = self.bind_tools([*plan.tools, *(tools or ())], **{**plan.arguments, **kwargs})
        llm: Runnable[LanguageModelInput, Any] = bound
        if plan.instructions:
            llm = RunnableLambda(partial(self._instructed, plan.instructions)) | bound
        return with_raw(llm, plan.parser) if include_raw else llm | plan.parser

    def _instructed(self, instructions: str, prompt: LanguageModelInput) -> list[BaseMessage]:
        return instructed(self._convert_input(prompt).to_messages(), instructions)


# LangChain reads these for each call; without this attribute they would be computed for each.
for _method in (ChatRuncrate._generate, ChatRuncrate._agenerate):  # noqa: SLF001 - of this module
    _method.__signature__ = signature(_method)  # type: ignore[union-attr] # read by inspect


def _token(piece: ChatGenerationChunk) -> dict[str, Any]:
    """Return the arguments of callbacks for a chunk."""
    info = piece.generation_info or {}
    return {"token": piece.text, "chunk": piece, "logprobs": info.get("logprobs")}
