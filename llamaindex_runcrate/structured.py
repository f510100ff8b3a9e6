"""Structured prediction: three methods of asking for an object, tried in turn until one works.

`json_schema` holds the response to a schema, `tool` has the model call a tool whose parameters are
the object, `prompt` describes the schema in words. A model or server that refuses a method (status
400 or 422) or does not follow it is asked by the next one. A response that was cut at the token
limit and a refusal of the model end the attempts: another method would end in the same way.

One generator, `with_fallbacks`, decides about requests and responses; the four functions at the end
of this module run it: sync and async, streamed and complete.
"""

from __future__ import annotations

from contextlib import aclosing, closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Generic, Literal, TypeAlias, TypeVar

from llama_index.core.base.llms.types import ChatMessage, MessageRole, TextBlock
from llama_index.core.output_parsers.pydantic import PydanticOutputParser
from llama_index.core.program.function_program import get_function_tool
from pydantic import BaseModel

from llamaindex_runcrate.partial_objects import PartialObjects
from llamaindex_runcrate.schemas import (
    response_format,
    wire_tools,
)
from llamaindex_runcrate.structured_responses import FinalResponseError, parsed
from runcrate_core import BadRequestError, RuncrateError, UnprocessableEntityError

if TYPE_CHECKING:
    from collections.abc import (
        AsyncGenerator,
        Awaitable,
        Callable,
        Generator,
        Mapping,
        Sequence,
    )

    from llama_index.core.base.llms.types import ChatResponse

M = TypeVar("M", bound=BaseModel)
Method: TypeAlias = Literal["json_schema", "tool", "prompt"]

METHODS: Final[tuple[Method, ...]] = ("json_schema", "tool", "prompt")

# Arguments of a call that the methods themselves decide on.
_DECIDED: Final = (
    "allow_parallel_tool_calls",
    "parallel_tool_calls",
    "response_format",
    "tool_choice",
    "tool_required",
    "tools",
)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request for the object.

    Attributes:
        method: The method of asking.
        messages: The conversation.
        kwargs: Arguments of the model's call.
    """

    method: Method
    messages: list[ChatMessage]
    kwargs: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Task(Generic[M]):
    """A structured prediction to make.

    Attributes:
        output_cls: Class of the object.
        messages: The conversation.
        methods: Methods of asking, in order.
        llm_kwargs: The caller's arguments for the model; not changed.
        strict: Schemas are sent as strict ones; None leaves the mark out.
        refused: Methods that the model has refused before; further ones are added.
        max_tokens: The token limit of each response, as far as it is known.
    """

    output_cls: type[M]
    messages: Sequence[ChatMessage]
    methods: Sequence[Method]
    llm_kwargs: Mapping[str, Any] = field(default_factory=dict)
    strict: bool | None = None
    refused: set[Method] = field(default_factory=set)
    max_tokens: int | None = None

    def attempt(self, method: Method) -> Attempt:
        """Return the request by one of the methods."""
        kwargs = {name: item for name, item in self.llm_kwargs.items() if name not in _DECIDED}
        messages = list(self.messages)
        match method:
            case "json_schema":
                kwargs["response_format"] = response_format(self.output_cls, strict=self.strict)
            case "tool":
                kwargs["tools"] = wire_tools(
                    [get_function_tool(self.output_cls)], strict=self.strict
                )
                kwargs["tool_choice"] = "required"
                kwargs["parallel_tool_calls"] = False
            case "prompt":
                messages = _with_schema_in_words(messages, self.output_cls)
        return Attempt(method, messages, kwargs)


def with_fallbacks(task: Task[M]) -> Generator[Attempt, ChatResponse, M]:
    """Ask by one method after the other until a response holds the object.

    Yields:
        A request; its response is to be sent in, the error of a refused call thrown in.

    Returns:
        The object.

    Raises:
        ValueError: No response held one; the message gives the last failure.
        BadRequestError: Every method was refused; the first refusal.
        UnprocessableEntityError: The same.
    """
    methods = [method for method in task.methods if method not in task.refused]
    methods = methods or list(task.methods)
    refusals: dict[Method, RuncrateError] = {}
    failure: ValueError | None = None
    for method in methods:
        try:
            response = yield task.attempt(method)
        except (BadRequestError, UnprocessableEntityError) as error:
            refusals[method] = error
            continue
        # There is a response, so the service refused the methods before and not the request.
        task.refused.update(refusals)
        try:
            return parsed(task.output_cls, response, max_tokens=task.max_tokens)
        except FinalResponseError:
            raise
        except ValueError as error:
            failure = error
    if failure is None:
        raise next(iter(refusals.values()))
    raise ValueError(
        f"The model's response holds no `{task.output_cls.__name__}`: {failure} It was asked by "
        f"{', '.join(methods)}. Simplify the class, describe its fields, or use another model."
    ) from failure


def _with_schema_in_words(
    messages: list[ChatMessage], output_cls: type[BaseModel]
) -> list[ChatMessage]:
    parser: PydanticOutputParser[Any] = PydanticOutputParser(output_cls=output_cls)
    words = TextBlock(text=parser.get_format_string(escape_json=False).rstrip())
    if not messages or messages[-1].role is not MessageRole.USER:
        return [*messages, ChatMessage(role=MessageRole.USER, blocks=[words])]
    last = messages[-1]
    return [*messages[:-1], last.model_copy(update={"blocks": [*last.blocks, words]})]


def run(flow: Generator[Attempt, ChatResponse, M], ask: Callable[[Attempt], ChatResponse]) -> M:
    """Run the attempts with sync calls."""
    try:
        attempt = next(flow)
        while True:
            try:
                response = ask(attempt)
            except RuncrateError as error:
                attempt = flow.throw(error)
            else:
                attempt = flow.send(response)
    except StopIteration as end:
        result: M = end.value
        return result


async def arun(
    flow: Generator[Attempt, ChatResponse, M], ask: Callable[[Attempt], Awaitable[ChatResponse]]
) -> M:
    """Run the attempts with async calls."""
    try:
        attempt = next(flow)
        while True:
            try:
                response = await ask(attempt)
            except RuncrateError as error:
                attempt = flow.throw(error)
            else:
                attempt = flow.send(response)
    except StopIteration as end:
        result: M = end.value
        return result


def stream(
    flow: Generator[Attempt, ChatResponse, M],
    ask: Callable[[Attempt], Generator[ChatResponse, None, None]],
    output_cls: type[M],
) -> Generator[BaseModel, None, None]:
    """Run the attempts with sync streams; yield partial objects, and in the end the object.

    Closed early, it closes the stream that it reads.
    """
    try:
        attempt = next(flow)
        while True:
            partials = PartialObjects(output_cls)
            try:
                with closing(ask(attempt)) as chunks:
                    for chunk in chunks:
                        if (partial := partials.read(chunk)) is not None:
                            yield partial
            except RuncrateError as error:
                attempt = flow.throw(error)
            else:
                attempt = flow.send(chunk)
    except StopIteration as end:
        yield end.value


async def astream(
    flow: Generator[Attempt, ChatResponse, M],
    ask: Callable[[Attempt], Awaitable[AsyncGenerator[ChatResponse, None]]],
    output_cls: type[M],
) -> AsyncGenerator[BaseModel, None]:
    """Run the attempts with async streams; see `stream`."""
    try:
        attempt = next(flow)
        while True:
            partials = PartialObjects(output_cls)
            try:
                async with aclosing(await ask(attempt)) as chunks:
                    async for chunk in chunks:
                        if (partial := partials.read(chunk)) is not None:
                            yield partial
            except RuncrateError as error:
                attempt = flow.throw(error)
            else:
                attempt = flow.send(chunk)
    except StopIteration as end:
        yield end.value
