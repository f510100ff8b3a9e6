"""Structured prediction: three ways to ask for an object, tried in turn until one works.

`json_schema` holds the answer to a schema, `tool` has the model call a tool whose parameters are
the object, `prompt` describes the schema in words. A model or server that refuses a way (status
400 or 422) or does not keep to it is asked in the next one.

What is asked, and what is made of the answer, is decided by one generator, `ladder`; the four
functions at the end of this module carry it out: blocking and not, streamed and not.
"""

from __future__ import annotations

import re
from contextlib import aclosing, closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Generic, Literal, TypeAlias, TypeVar

from llama_index.core.base.llms.types import ChatMessage, MessageRole, TextBlock
from llama_index.core.output_parsers.pydantic import PydanticOutputParser
from llama_index.core.program.function_program import get_function_tool
from pydantic import BaseModel

from llamaindex_runcrate.structured_answers import Partials, parsed
from llamaindex_runcrate.tool_calls import wire_tools
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

# Arguments of a call that the rungs themselves decide on.
_DECIDED: Final = (
    "allow_parallel_tool_calls",
    "parallel_tool_calls",
    "response_format",
    "tool_choice",
    "tool_required",
    "tools",
)
_NOT_IN_A_NAME: Final = re.compile(r"[^a-zA-Z0-9_-]")
_SCHEMAS_BY_NAME: Final = frozenset({"properties", "$defs", "definitions"})
_MAX_NAME_LENGTH: Final = 64  # of a schema, in OpenAI's form


@dataclass(frozen=True, slots=True)
class Attempt:
    """One way to ask.

    Attributes:
        rung: Which.
        messages: The conversation.
        kwargs: What to call the model with.
    """

    rung: Method
    messages: list[ChatMessage]
    kwargs: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Task(Generic[M]):
    """What is to be predicted.

    Attributes:
        output_cls: Class of the object.
        messages: The conversation.
        rungs: Ways to ask, in order.
        llm_kwargs: What the caller wants the model called with; not changed.
        strict: Whether schemas are sent as strict ones; None leaves the mark out.
        refused: Ways that the model has refused before; what is learned is added.
    """

    output_cls: type[M]
    messages: Sequence[ChatMessage]
    rungs: Sequence[Method]
    llm_kwargs: Mapping[str, Any] = field(default_factory=dict)
    strict: bool | None = None
    refused: set[Method] = field(default_factory=set)

    def question(self, rung: Method) -> Attempt:
        """Return the question in one of the ways."""
        kwargs = {name: item for name, item in self.llm_kwargs.items() if name not in _DECIDED}
        messages = list(self.messages)
        match rung:
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
        return Attempt(rung, messages, kwargs)


def with_fallbacks(task: Task[M]) -> Generator[Attempt, ChatResponse, M]:
    """Ask in one way after the other until an answer holds the object.

    Yields:
        What to ask; the answer is to be sent in, the error of a refused call thrown in.

    Returns:
        The object.

    Raises:
        ValueError: No answer held one; the message says why the last did not.
        BadRequestError: Every way was refused; the first refusal.
        UnprocessableEntityError: The same.
    """
    rungs = [rung for rung in task.rungs if rung not in task.refused] or list(task.rungs)
    refusals: dict[Method, RuncrateError] = {}
    failure: ValueError | None = None
    for rung in rungs:
        try:
            response = yield task.question(rung)
        except (BadRequestError, UnprocessableEntityError) as error:
            refusals[rung] = error
            continue
        # Something was answered: it was the way of asking that was refused before.
        task.refused.update(refusals)
        try:
            return parsed(task.output_cls, response.message)
        except ValueError as error:
            failure = error
    if failure is None:
        raise next(iter(refusals.values()))
    raise ValueError(
        f"The model's answer holds no `{task.output_cls.__name__}`: {failure} It was asked by "
        f"{', '.join(rungs)}. Simplify the class, describe its fields, or use another model."
    ) from failure


def response_format(output_cls: type[BaseModel], *, strict: bool | None = None) -> dict[str, Any]:
    """Return the `response_format` that holds an answer to a class."""
    schema = output_cls.model_json_schema()
    name = _NOT_IN_A_NAME.sub("_", schema.get("title") or output_cls.__name__)[:_MAX_NAME_LENGTH]
    wire: dict[str, Any] = {"name": name, "schema": schema}
    if strict is not None:
        wire["strict"] = strict
    if strict:
        wire["schema"] = _closed(schema)
    return {"type": "json_schema", "json_schema": wire}


def _closed(schema: Any) -> Any:
    """Close every object of a schema, as strict servers demand: no extras, nothing optional."""
    if isinstance(schema, list):
        return [_closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {
        name: {key: _closed(inner) for key, inner in item.items()}
        if name in _SCHEMAS_BY_NAME and isinstance(item, dict)
        else _closed(item)
        for name, item in schema.items()
    }
    if isinstance(closed.get("properties"), dict):
        closed["additionalProperties"] = False
        closed["required"] = list(closed["properties"])
    return closed


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
    """Carry out a ladder with blocking calls."""
    try:
        question = next(flow)
        while True:
            try:
                response = ask(question)
            except RuncrateError as error:
                question = flow.throw(error)
            else:
                question = flow.send(response)
    except StopIteration as end:
        result: M = end.value
        return result


async def arun(
    flow: Generator[Attempt, ChatResponse, M], ask: Callable[[Attempt], Awaitable[ChatResponse]]
) -> M:
    """Carry out a ladder with asynchronous calls."""
    try:
        question = next(flow)
        while True:
            try:
                response = await ask(question)
            except RuncrateError as error:
                question = flow.throw(error)
            else:
                question = flow.send(response)
    except StopIteration as end:
        result: M = end.value
        return result


def stream(
    flow: Generator[Attempt, ChatResponse, M],
    ask: Callable[[Attempt], Generator[ChatResponse, None, None]],
    output_cls: type[M],
) -> Generator[BaseModel, None, None]:
    """Carry out a ladder with blocking streams; yield what is known, in the end the object.

    Left early, it closes the stream that it reads.
    """
    try:
        question = next(flow)
        while True:
            partials = Partials(output_cls)
            try:
                with closing(ask(question)) as chunks:
                    for chunk in chunks:
                        if (partial := partials.read(chunk)) is not None:
                            yield partial
            except RuncrateError as error:
                question = flow.throw(error)
            else:
                question = flow.send(chunk)
    except StopIteration as end:
        yield end.value


async def astream(
    flow: Generator[Attempt, ChatResponse, M],
    ask: Callable[[Attempt], Awaitable[AsyncGenerator[ChatResponse, None]]],
    output_cls: type[M],
) -> AsyncGenerator[BaseModel, None]:
    """Carry out a ladder with asynchronous streams; see `stream`."""
    try:
        question = next(flow)
        while True:
            partials = Partials(output_cls)
            try:
                async with aclosing(await ask(question)) as chunks:
                    async for chunk in chunks:
                        if (partial := partials.read(chunk)) is not None:
                            yield partial
            except RuncrateError as error:
                question = flow.throw(error)
            else:
                question = flow.send(chunk)
    except StopIteration as end:
        yield end.value
