"""Parsers of structured output: complete responses become objects, all others errors."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from langchain_core.exceptions import OutputParserException
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.messages.ai import add_ai_message_chunks
from langchain_core.output_parsers import BaseTransformOutputParser
from langchain_core.outputs import ChatGeneration, Generation
from langchain_core.runnables.utils import AddableDict
from langchain_core.utils.json import parse_partial_json
from pydantic import BaseModel, Field

from langchain_runcrate.errors import RuncrateRefusalError
from langchain_runcrate.json_schemas import (
    ROOT_PROPERTY,
    is_pydantic,
    is_root_model,
    json_schema_of,
)
from langchain_runcrate.partial_objects import MISSING, partial_object
from runcrate_core.toolkit import (
    JsonOutputError,
    echoes_schema,
    ended_at_limit,
    parse_json_output,
    without_reasoning,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

_CUT = (
    "The response was cut off at its token limit before it was complete. Raise `max_tokens`, or "
    "ask for less."
)


class StructuredResponseParser(BaseTransformOutputParser[Any]):
    """Reads a response as a value of a schema, from its text or from a tool call.

    In a stream, the values so far are given as they grow: dicts, or objects that user validators
    have not seen. The complete value is validated and comes last; an incomplete one is an error.
    """

    target: Any = None
    """A Pydantic class (v1 or v2), a `TypedDict` or JSON schema; `None` for any JSON."""

    tool_name: str | None = None
    """The tool whose arguments are the value; the text is read where that was not called."""

    @property
    def OutputType(self) -> type[Any]:  # noqa: N802 - LangChain's name
        """The class of the values."""
        return self.target if is_pydantic(self.target) else dict

    def parse(self, text: str) -> Any:
        """Return the value in a text; see `parse_result`."""
        return self.parse_result([Generation(text=text)])

    def parse_result(self, result: list[Generation], *, partial: bool = False) -> Any:
        """Return the value of a response; `None` for a call of a tool that was offered besides.

        Args:
            result: The response.
            partial: Return the value as far as it has come, or `None`.

        Raises:
            RuncrateRefusalError: The model declined, or a content filter withheld the response.
            OutputParserException: There is no complete value, or it does not fit the schema.
        """
        first = result[0]
        message = first.message if isinstance(first, ChatGeneration) else AIMessage(first.text)
        if not isinstance(message, AIMessage):
            message = AIMessage(message.content)
        if partial:
            return self.partial_value(_StreamedResponse().add(message))
        _raise_if_refused(message)
        return self._validated(*self._complete_value(message))

    def partial_value(self, response: _StreamedResponse) -> Any:
        """Return the value of a streamed response as far as it has come; `None` for none yet."""
        value = response.partial_json(self.tool_name)
        if value is None or not is_pydantic(self.target):
            return value
        built = partial_object(self.target, value)
        return None if built is MISSING else built

    def _complete_value(self, message: AIMessage) -> tuple[Any, bool]:
        """Return the JSON value of a message, and whether there is one."""
        finish_reason = message.response_metadata.get("finish_reason")
        for broken in message.invalid_tool_calls:
            cut_off = ended_at_limit(finish_reason)
            problem = broken["error"] or "The arguments are not complete JSON."
            raise OutputParserException(
                _CUT if cut_off else f"The call of `{broken['name']}` is unusable: {problem}",
                llm_output=broken["args"],
            )
        if self.tool_name is not None and message.tool_calls:
            for call in message.tool_calls:
                if call["name"] == self.tool_name:
                    return call["args"], True
            called = ", ".join(f"`{call['name']}`" for call in message.tool_calls)
            raise OutputParserException(f"The model called {called} instead of `{self.tool_name}`.")
        if message.tool_calls and not message.text:
            return None, False
        text = str(message.text)
        try:
            return parse_json_output(text, finish_reason=finish_reason), True
        except JsonOutputError as error:
            raise OutputParserException(
                f"{error} The model wrote: {_excerpt(text)}", llm_output=text
            ) from None

    def _validated(self, value: Any, present: bool) -> Any:  # noqa: FBT001 - private
        if not present or self.target is None:
            return value
        schema = json_schema_of(self.target)
        if echoes_schema(value, schema):
            raise OutputParserException("The response is the schema itself, not a value of it.")
        if not is_pydantic(self.target):
            return value
        if is_root_model(self.target) and ROOT_PROPERTY in schema.get("properties", {}):
            is_wrapped = isinstance(value, dict) and value.keys() == {ROOT_PROPERTY}
            value = value[ROOT_PROPERTY] if is_wrapped else value
        try:
            return _object_of(self.target, value)
        except Exception as error:  # validators of the class may raise anything
            raise OutputParserException(
                f"The response does not fit `{self.target.__name__}`: {_problem_of(error)}",
                llm_output=str(value),
            ) from error

    def _transform(self, input: Iterator[str | BaseMessage]) -> Iterator[Any]:  # noqa: A002 - LangChain's name
        stream = _ParsedStream(self)
        for chunk in input:
            yield from stream.feed(chunk)
        yield from stream.end()

    async def _atransform(self, input: AsyncIterator[str | BaseMessage]) -> AsyncIterator[Any]:  # noqa: A002 - LangChain's name
        stream = _ParsedStream(self)
        async for chunk in input:
            for value in stream.feed(chunk):
                yield value
        for value in stream.end():
            yield value


class RawResponseParser(BaseTransformOutputParser[dict[str, Any]]):
    """Gives a response with its parsed value: `raw`, `parsed` and `parsing_error`."""

    parser: StructuredResponseParser = Field(default_factory=StructuredResponseParser)
    """Reads the response."""

    def parse(self, text: str) -> dict[str, Any]:
        """Return a text and the value in it; see `parse_result`."""
        return self.parse_result([Generation(text=text)])

    def parse_result(self, result: list[Generation], *, partial: bool = False) -> dict[str, Any]:
        """Return a response with its value, or with the error of reading it."""
        first = result[0]
        raw = first.message if isinstance(first, ChatGeneration) else first.text
        return _RawResponse({"raw": raw, **self._outcome(result, partial=partial)})

    def _outcome(self, result: list[Generation], *, partial: bool = False) -> dict[str, Any]:
        try:
            parsed = self.parser.parse_result(result, partial=partial)
        except Exception as error:  # noqa: BLE001 - it is the result
            return {"parsed": None, "parsing_error": error}
        return {"parsed": parsed, "parsing_error": None}

    def _transform(self, input: Iterator[str | BaseMessage]) -> Iterator[dict[str, Any]]:  # noqa: A002 - LangChain's name
        stream = _ParsedStream(self.parser)
        for chunk in input:
            yield _RawResponse(raw=chunk)
            for value in stream.feed(chunk):
                yield _RawResponse(parsed=value)
        yield _RawResponse(self._outcome(stream.result()))

    async def _atransform(
        self,
        input: AsyncIterator[str | BaseMessage],  # noqa: A002 - LangChain's name
    ) -> AsyncIterator[dict[str, Any]]:
        stream = _ParsedStream(self.parser)
        async for chunk in input:
            yield _RawResponse(raw=chunk)
            for value in stream.feed(chunk):
                yield _RawResponse(parsed=value)
        yield _RawResponse(self._outcome(stream.result()))


class _RawResponse(AddableDict):
    """Part of a streamed response: messages are added up, of the rest the last one counts."""

    def __add__(self, other: AddableDict) -> _RawResponse:
        added = _RawResponse({**self, **other})
        if "raw" in self and "raw" in other:
            added["raw"] = self["raw"] + other["raw"]
        return added


class _ParsedStream:
    """One streamed response, read as it grows. Makes no I/O."""

    def __init__(self, parser: StructuredResponseParser) -> None:
        self._parser = parser
        self._response = _StreamedResponse()
        self._last: Any = None

    def feed(self, chunk: str | BaseMessage) -> Iterator[Any]:
        """Yield the value as it is now, if a chunk has changed it."""
        self._response.add(chunk)
        json_value = self._response.partial_json(self._parser.tool_name)
        if json_value is None or json_value == self._last:
            return
        value = self._parser.partial_value(self._response)
        if value is not None:
            self._last = json_value
            yield value

    def end(self) -> Iterator[Any]:
        """Yield the complete value, unless that is what came last.

        Raises:
            RuncrateRefusalError: As `StructuredResponseParser.parse_result` raises them.
            OutputParserException: As above.
        """
        value = self._parser.parse_result(self.result())
        if value is not None and (isinstance(value, BaseModel) or value != self._last):
            yield value

    def result(self) -> list[Generation]:
        """Return the complete response."""
        return self._response.result()


class _StreamedResponse:
    """A streamed response as far as it has come."""

    def __init__(self) -> None:
        self._messages: list[AIMessageChunk] = []
        self._complete: AIMessage | None = None
        self._text = ""
        self._calls: dict[Any, tuple[str, str]] = {}
        self._refused = False

    def add(self, chunk: str | BaseMessage) -> _StreamedResponse:
        if isinstance(chunk, str):
            chunk = AIMessageChunk(content=chunk)
        self._text += chunk.text
        self._refused = self._refused or bool(chunk.additional_kwargs.get("refusal"))
        if isinstance(chunk, AIMessageChunk):
            self._messages.append(chunk)
            for piece in chunk.tool_call_chunks:
                name, args = self._calls.get(piece["index"], ("", ""))
                added = (name + (piece["name"] or ""), args + (piece["args"] or ""))
                self._calls[piece["index"]] = added
        elif isinstance(chunk, AIMessage):
            self._complete = chunk
        return self

    def result(self) -> list[Generation]:
        if self._complete is not None:
            return [ChatGeneration(message=self._complete)]
        if not self._messages:
            return [Generation(text="")]
        first, *others = self._messages
        return [ChatGeneration(message=add_ai_message_chunks(first, *others))]

    def partial_json(self, tool_name: str | None) -> Any:
        """Return the JSON value so far: an object or a list, or `None`."""
        if self._refused or self._complete is not None:
            return None
        calls = [args for name, args in self._calls.values() if name == tool_name]
        text = calls[0] if calls else without_reasoning(self._text)
        starts = [start for start in map(text.find, "{[") if start >= 0]
        if not starts or (self._calls and not calls):
            return None
        try:
            value = parse_partial_json(text[min(starts) :].removesuffix("```"))
        except (ValueError, RecursionError):
            return None
        return value if isinstance(value, dict | list) else None


def _object_of(target: Any, value: Any) -> Any:
    """Return a value as an object of a Pydantic class.

    Raises:
        ValueError: It does not fit, or is an object of other fields, such as one around the value:
            where all fields have defaults it would silently become these.
    """
    if issubclass(target, BaseModel):
        # By way of JSON text, where strict classes take a list for a tuple and text for a date.
        result: Any = target.model_validate_json(json.dumps(value))
        fields, given = target.model_fields, result.model_fields_set
    else:
        result = target.parse_obj(value)
        fields, given = target.__fields__, result.__fields_set__
    if value and fields and not given:
        raise ValueError("it has none of the fields")
    return result


def _raise_if_refused(message: AIMessage) -> None:
    if refusal := message.additional_kwargs.get("refusal"):
        raise RuncrateRefusalError(f"The model declined: {refusal}", raw_message=message)
    if message.response_metadata.get("finish_reason") == "content_filter":
        wrote = f" The model had written: {_excerpt(str(message.text))}" if message.text else ""
        raise RuncrateRefusalError(
            f"The response was withheld by a content filter.{wrote}", raw_message=message
        )


def _excerpt(text: str) -> str:
    longest = 500
    if not text.strip():
        return "nothing"
    return text if len(text) <= longest else f"{text[:longest]}..."


def _problem_of(error: Exception) -> str:
    text = str(error)
    return text if isinstance(error, ValueError) else f"{type(error).__name__}: {text}"
