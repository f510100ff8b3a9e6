"""Chat completions: complete and streamed, with tools, images and structured output.

Facts: seed 001 (OpenAPI of the endpoint), seed 004 (its reference page). The API is compatible
with OpenAI's and passes unknown fields on to the model's provider (seed 003).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, wraps
from typing import Any, ParamSpec

from runcrate_core.api.chat_completion import ChatCompletion, ChatMessage
from runcrate_core.api.envelope import validated
from runcrate_core.api.resources import (
    AsyncResource,
    SyncResource,
    async_endpoint,
    async_stream_endpoint,
    endpoint,
    stream_endpoint,
)
from runcrate_core.errors import ResponseFormatError
from runcrate_core.protocol.chat_accumulator import (
    ChatAccumulator,
    CompletionContext,
    has_message,
)
from runcrate_core.protocol.error_mapping import raise_error_within
from runcrate_core.protocol.json_body import without_none
from runcrate_core.protocol.request import ReadTimeout, Request, RetrySafety, Surface, json_request
from runcrate_core.protocol.response import Response, ResponseInfo, json_object
from runcrate_core.protocol.steps import Call
from runcrate_core.protocol.stream_start import StreamRequest
from runcrate_core.protocol.timeouts import TimeoutLike
from runcrate_core.protocol.tool_calls import CallIds

P = ParamSpec("P")

INCLUDE_USAGE: Mapping[str, Any] = {"include_usage": True}


@dataclass(frozen=True, slots=True)
class ChatParams:
    """Validated parameters of a completion, complete or streamed."""

    body: dict[str, Any]
    stream_options: Mapping[str, Any] | None
    headers: Mapping[str, str] | None
    timeout: float | TimeoutLike | None

    def request(self, *, streamed: bool) -> Request:
        """Return the request, encoded."""
        body = self.body
        if streamed:
            body = body | without_none(stream=True, stream_options=self.stream_options)
        return json_request(
            Surface.INFERENCE,
            "POST",
            "/chat/completions",
            retry=RetrySafety.SAFE,
            read_timeout=ReadTimeout.STREAM if streamed else ReadTimeout.CHAT,
            body=body,
            headers=self.headers,
            timeout=self.timeout,
        )

    def context(self, request: Request) -> CompletionContext:
        """Return the parts of the request that decide how its response is read."""
        is_single = self.body.get("n") in (None, 1)
        return CompletionContext(is_single, self.body.get("messages"), request.content)


def completion_params(
    *,
    model: str,
    messages: Sequence[Mapping[str, Any] | ChatMessage],
    max_tokens: int | None = None,
    temperature: float | None = None,
    top_p: float | None = None,
    stop: str | Sequence[str] | None = None,
    frequency_penalty: float | None = None,
    presence_penalty: float | None = None,
    tools: Sequence[Mapping[str, Any]] | None = None,
    tool_choice: str | Mapping[str, Any] | None = None,
    parallel_tool_calls: bool | None = None,
    response_format: Mapping[str, Any] | None = None,
    seed: int | None = None,
    logprobs: bool | None = None,
    top_logprobs: int | None = None,
    reasoning_effort: str | None = None,
    stream_options: Mapping[str, Any] | None = INCLUDE_USAGE,
    extra_body: Mapping[str, Any] | None = None,
    extra_headers: Mapping[str, str] | None = None,
    timeout: float | TimeoutLike | None = None,
    **extra: Any,
) -> ChatParams:
    """Create a chat completion.

    Args:
        model: Identifier from the catalogue (`client.models.list()`).
        messages: The conversation, in OpenAI's form; passed on as it is. A message of an earlier
            response (`completion.choices[0].message`) may stand among them.
        max_tokens: Most tokens of the response, from 1; the model's own limit when not given.
        temperature: 0 to 2. The service's default is 0.7 (seed 004).
        top_p: 0 to 1. The service's default is 1 (seed 004).
        stop: Text, or several texts, at which the response ends.
        frequency_penalty: -2 to 2.
        presence_penalty: -2 to 2.
        tools: Tools the model may call, in OpenAI's form.
        tool_choice: `auto`, `none`, `required` or `{"type": "function", ...}`.
        parallel_tool_calls: Whether several tools may be called at once.
        response_format: `{"type": "json_object"}` or `{"type": "json_schema", ...}`.
        seed: For reproducible output, if the model supports it.
        logprobs: Return log probabilities.
        top_logprobs: Number of alternatives to return per token.
        reasoning_effort: `low`, `medium` or `high`, where the model supports it.
        stream_options: Sent with a stream only; `None` leaves it out for servers without it.
        extra_body: Fields to put over the body as they are.
        extra_headers: Headers of this call.
        timeout: Seconds of silence while waiting for a complete response.
        extra: Any other field, passed on to the model's provider (seed 003).

    Raises:
        TypeError: `messages` is not a list of messages; nothing was sent.
        ValueError: A value is not JSON; nothing was sent.
        APIStatusError: The API refused (`NotFoundError` for an unknown model, ...).
        APIConnectionError: There was no response.
        ResponseFormatError: The response is not a completion.

    Example:
        ```python
        completion = client.chat.completions.create(
            model="deepseek-ai/DeepSeek-V3",
            messages=[{"role": "user", "content": "Hello!"}],
        )
        print(completion.choices[0].message.content)
        ```
    """
    if "stream" in extra:
        raise ValueError(
            "`stream` is not an argument: use `chat.completions.stream(...)` for a stream and "
            "`chat.completions.create(...)` for a complete response. Nothing was sent."
        )
    body = without_none(
        model=model,
        messages=_plain(messages),
        max_tokens=max_tokens,
        temperature=temperature,
        top_p=top_p,
        stop=stop,
        frequency_penalty=frequency_penalty,
        presence_penalty=presence_penalty,
        tools=tools,
        tool_choice=tool_choice,
        parallel_tool_calls=parallel_tool_calls,
        response_format=response_format,
        seed=seed,
        logprobs=logprobs,
        top_logprobs=top_logprobs,
        reasoning_effort=reasoning_effort,
        **extra,
    )
    return ChatParams(body | dict(extra_body or {}), stream_options, extra_headers, timeout)


def _plain(messages: Sequence[Mapping[str, Any] | ChatMessage]) -> Any:
    """Return the messages with those of earlier responses as the fields that they came with.

    Raises:
        TypeError: They are no list.
    """
    if isinstance(messages, str | Mapping) or not isinstance(messages, Iterable):
        raise TypeError(
            f"`messages` must be a list of messages, not a `{type(messages).__name__}`, such as "
            '`[{"role": "user", "content": "..."}]`. Nothing was sent.'
        )
    return [
        message.to_dict() if isinstance(message, ChatMessage) else message for message in messages
    ]


def create_call(make: Callable[P, ChatParams]) -> Callable[P, Call[ChatCompletion]]:
    """Return the call that returns a complete response."""

    @wraps(make)
    def create(*args: P.args, **kwargs: P.kwargs) -> Call[ChatCompletion]:
        _refuse_positional("create", args)
        params = make(*args, **kwargs)
        request = params.request(streamed=False)
        return Call(request, _completion_parser(request, params.context(request)))

    return create


def _completion_parser(
    request: Request, context: CompletionContext
) -> Callable[[Response], ChatCompletion]:
    """Return the parser of a completion: an odd one is read as a stream of one chunk would be."""

    def parse(response: Response) -> ChatCompletion:
        payload = json_object(response, request)
        raise_error_within(response, payload, request)
        try:
            completion = validated(ChatCompletion, payload, response, request)
            is_odd = context.is_single and len(completion.choices) > 1
        except ResponseFormatError:
            if not has_message(payload):
                raise
            is_odd = True
        if is_odd:
            folded = ChatAccumulator(context)
            folded.add_complete(payload)
            completion = validated(ChatCompletion, folded.completion(), response, request)
        else:
            for choice in completion.choices:
                ids = CallIds(completion.id, context.messages, context.body)
                for call in choice.message.tool_calls or ():
                    call.id = ids.of(call.id)
        return completion.with_response(ResponseInfo(response.status, response.headers))

    return parse


def stream_request(make: Callable[P, ChatParams]) -> Callable[P, StreamRequest]:
    """Return the request whose response is a stream."""

    @wraps(make)
    def stream(*args: P.args, **kwargs: P.kwargs) -> StreamRequest:
        _refuse_positional("stream", args)
        params = make(*args, **kwargs)
        request = params.request(streamed=True)
        return StreamRequest(request, params.context(request))

    return stream


def _refuse_positional(method: str, arguments: tuple[object, ...]) -> None:
    if arguments:
        raise TypeError(
            f"`chat.completions.{method}` takes named arguments only, such as `model=...` and "
            '`messages=[{"role": "user", "content": "..."}]`. Nothing was sent.'
        )


class Completions(SyncResource):
    """`client.chat.completions`."""

    create = endpoint(create_call(completion_params), result="ChatCompletion")
    stream = stream_endpoint(stream_request(completion_params))


class AsyncCompletions(AsyncResource):
    """`client.chat.completions` of the asynchronous client."""

    create = async_endpoint(create_call(completion_params), result="ChatCompletion")
    stream = async_stream_endpoint(stream_request(completion_params))


class Chat(SyncResource):
    """`client.chat`."""

    @cached_property
    def completions(self) -> Completions:
        """Chat completions."""
        return Completions(self._driver)


class AsyncChat(AsyncResource):
    """`client.chat` of the asynchronous client."""

    @cached_property
    def completions(self) -> AsyncCompletions:
        """Chat completions."""
        return AsyncCompletions(self._driver)
