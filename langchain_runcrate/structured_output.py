"""Structured answers by three methods, and readers that say why there is none.

| method | how | needs |
|---|---|---|
| `json_schema` | the answer is constrained to the schema | structured outputs |
| `function_calling` | the schema is a tool that the model has to call | tools |
| `json_mode` | the answer is JSON; a schema is described before the prompt | JSON mode |
"""

from __future__ import annotations

import json
import re
import warnings
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from langchain_core.exceptions import OutputParserException
from langchain_core.messages import AIMessage, BaseMessage, SystemMessage
from langchain_core.output_parsers import JsonOutputParser, PydanticOutputParser
from langchain_core.output_parsers.openai_tools import (
    JsonOutputKeyToolsParser,
    PydanticToolsParser,
)
from langchain_core.outputs import ChatGeneration, Generation
from langchain_core.runnables import RunnableMap, RunnablePassthrough
from langchain_core.utils.function_calling import convert_to_json_schema
from langchain_core.utils.pydantic import (
    TBaseModel,  # noqa: F401 - of the fields that the parsers inherit; mypy looks it up here
    is_basemodel_subclass,
)

from langchain_runcrate.errors import RuncrateRefusalError
from langchain_runcrate.tools_binding import wire_response_format, wire_tools

if TYPE_CHECKING:
    from langchain_core.language_models import ModelProfile
    from langchain_core.runnables import Runnable

Method = Literal["function_calling", "json_mode", "json_schema"]
METHODS: Final = ("function_calling", "json_mode", "json_schema")

# Some servers leave a model's thoughts in the text of its answer.
_THOUGHTS: Final = re.compile(r"\A\s*<think>.*?(?:</think>|\Z)", re.DOTALL)


class Plan(NamedTuple):
    """How a structured answer is to be had.

    Attributes:
        arguments: What to bind to the model, besides tools.
        tools: Tools to bind, for `bind_tools`.
        parser: Reads the answer.
        instructions: What to put before the prompt; empty for nothing.
    """

    arguments: dict[str, Any]
    tools: list[Any]
    parser: Runnable[Any, Any]
    instructions: str = ""


def structured_output_plan(
    schema: Any,
    method: Method | None,
    profile: ModelProfile | None,
    *,
    strict: bool | None = None,
    model: str = "",
) -> Plan:
    """Return how to have answers that fit a schema.

    Args:
        schema: A Pydantic class (v1 or v2), a `TypedDict`, JSON schema or an OpenAI function.
        method: One of the methods, or `None` for the best that the profile promises.
        profile: What is known of the model.
        strict: Whether the answer must follow the schema exactly; not said if `None`.
        model: The model's name, for warnings.

    Raises:
        ValueError: There is no such method, or no schema for one that needs it.
    """
    if method not in (None, *METHODS):
        raise ValueError(f"`method` must be one of {', '.join(METHODS)}, not {method!r}.")
    if schema is None and method != "json_mode":
        raise ValueError("A schema is needed, except with `method='json_mode'`.")
    match method or _default_method(profile):
        case "json_schema":
            return _by_json_schema(schema, strict)
        case "function_calling":
            forced = method is not None or not (profile or {}).get("reasoning_output")
            return _by_function_calling(schema, strict, forced=forced)
        case _:
            if method is None:
                warnings.warn(
                    f"The model `{model}` supports neither structured outputs nor tools, so its "
                    "answers are only asked to fit the schema. Choose a `method` to decide "
                    "otherwise.",
                    stacklevel=3,
                )
            return _by_json_mode(schema)


def with_raw(llm: Runnable[Any, Any], parser: Runnable[Any, Any]) -> Runnable[Any, Any]:
    """Return a chain that gives `raw`, `parsed` and `parsing_error`, and does not raise."""
    parsed = RunnablePassthrough.assign(
        parsed=itemgetter("raw") | parser, parsing_error=lambda _: None
    )
    failed = RunnablePassthrough.assign(parsed=lambda _: None)
    return RunnableMap(raw=llm) | parsed.with_fallbacks([failed], exception_key="parsing_error")


def instructed(messages: list[BaseMessage], instructions: str) -> list[BaseMessage]:
    """Return a conversation that begins with instructions.

    They join a system message that is there already: many models take one at most.
    """
    match messages:
        case [SystemMessage(content=str(text)), *others]:
            return [SystemMessage(f"{text}\n\n{instructions}"), *others]
        case _:
            return [SystemMessage(instructions), *messages]


def _default_method(profile: ModelProfile | None) -> Method:
    if profile is None or profile.get("structured_output"):
        # Runcrate documents `json_schema`; what is not known is taken for able.
        return "function_calling" if profile is None else "json_schema"
    return "function_calling" if profile.get("tool_calling") else "json_mode"


def _by_json_schema(schema: Any, strict: bool | None) -> Plan:  # noqa: FBT001 - private
    arguments = {
        "response_format": wire_response_format(schema, strict=strict),
        **_traced("json_schema", schema, strict=strict),
    }
    return Plan(arguments, [], _answer_parser(schema))


def _by_json_mode(schema: Any) -> Plan:
    arguments = {"response_format": {"type": "json_object"}, **_traced("json_mode", schema)}
    # Servers refuse this format unless the prompt speaks of JSON, and models need the keys.
    instructions = "" if schema is None else _instructions(schema)
    return Plan(arguments, [], _answer_parser(schema), instructions)


def _by_function_calling(schema: Any, strict: bool | None, *, forced: bool) -> Plan:  # noqa: FBT001 - private
    name = wire_tools([schema])[0]["function"]["name"]
    arguments = {
        # Models that think before they answer may refuse to be forced.
        "tool_choice": name if forced else "auto",
        "parallel_tool_calls": False,
        "strict": strict,
        **_traced("function_calling", schema, strict=strict),
    }
    if _is_pydantic(schema):
        return Plan(arguments, [schema], PydanticCallParser(tools=[schema], first_tool_only=True))
    return Plan(arguments, [schema], CallParser(key_name=name, first_tool_only=True))


def _traced(method: Method, schema: Any, **options: Any) -> dict[str, Any]:
    kwargs = {"method": method, **options}
    return {"ls_structured_output_format": {"kwargs": kwargs, "schema": schema}}


def _answer_parser(schema: Any) -> Runnable[Any, Any]:
    return (
        PydanticResponseParser(pydantic_object=schema) if _is_pydantic(schema) else ResponseParser()
    )


def _is_pydantic(schema: Any) -> bool:
    return isinstance(schema, type) and is_basemodel_subclass(schema)


def _instructions(schema: Any) -> str:
    described = json.dumps(convert_to_json_schema(schema), ensure_ascii=False)
    return f"Answer with one JSON object that fits this JSON schema, and nothing else: {described}"


class ResponseParser(JsonOutputParser):
    """Reads the text of an answer as JSON."""

    def parse_result(self, result: list[Generation], *, partial: bool = False) -> Any:
        """Return the JSON value; `None` while a streamed answer has none yet, or for a tool call.

        Raises:
            RuncrateRefusalError: The model declined.
            OutputParserException: The answer is not JSON.
        """
        readable = None if _calls_instead(result) else _readable(result, partial=partial)
        return None if readable is None else super().parse_result(readable, partial=partial)


class PydanticResponseParser(PydanticOutputParser[Any]):
    """Reads the text of an answer as an object of a Pydantic class."""

    def parse_result(self, result: list[Generation], *, partial: bool = False) -> Any:
        """Return the object; `None` while a stream is not enough for one, or for a tool call.

        Raises:
            RuncrateRefusalError: The model declined.
            OutputParserException: The answer is not JSON, or does not fit.
        """
        readable = None if _calls_instead(result) else _readable(result, partial=partial)
        return None if readable is None else super().parse_result(readable, partial=partial)


class CallParser(JsonOutputKeyToolsParser):
    """Reads the arguments of the call that was asked for, or JSON that stands in its place."""

    def parse_result(self, result: list[Generation], *, partial: bool = False) -> Any:
        """Return the arguments; `None` while a streamed answer has none yet.

        Raises:
            RuncrateRefusalError: The model declined.
            OutputParserException: The model neither called the tool nor answered with JSON.
        """
        if _readable(result, partial=partial) is None:
            return None
        parsed = super().parse_result(result, partial=partial)
        if parsed is not None or partial:
            return parsed
        return ResponseParser().parse_result(result)


class PydanticCallParser(PydanticToolsParser):
    """Reads the call that was asked for as an object of a Pydantic class; see `CallParser`."""

    def parse_result(self, result: list[Generation], *, partial: bool = False) -> Any:
        """Return the object; `None` while a streamed answer is not enough for one.

        Raises:
            RuncrateRefusalError: The model declined.
            OutputParserException: The model neither called the tool nor answered with JSON.
        """
        if _readable(result, partial=partial) is None:
            return None
        parsed = super().parse_result(result, partial=partial)
        if parsed is not None or partial:
            return parsed
        return PydanticResponseParser(pydantic_object=self.tools[0]).parse_result(result)


def _message_of(result: list[Generation]) -> AIMessage | None:
    first = result[0]
    message = first.message if isinstance(first, ChatGeneration) else None
    return message if isinstance(message, AIMessage) else None


def _calls_instead(result: list[Generation]) -> bool:
    """Whether the model calls a tool that was offered besides, and has not answered yet."""
    message = _message_of(result)
    return message is not None and bool(message.tool_calls) and not message.text


def _readable(result: list[Generation], *, partial: bool) -> list[Generation] | None:
    """Return an answer without thoughts in its text; `None` while it begins to be a refusal.

    Raises:
        RuncrateRefusalError: It is one.
        OutputParserException: It was cut off.
    """
    message, text = _message_of(result), result[0].text
    cleared = _THOUGHTS.sub("", text)
    if message is not None:
        if not partial or getattr(message, "chunk_position", None) == "last":
            _raise_if_refused(message)
        elif message.additional_kwargs.get("refusal"):
            return None
        if not partial and not message.tool_calls:
            _raise_if_cut(message, cleared)
    return result if cleared == text else [Generation(text=cleared)]


def _raise_if_refused(message: AIMessage) -> None:
    refusal = message.additional_kwargs.get("refusal")
    if refusal:
        raise RuncrateRefusalError(f"The model declined: {refusal}", raw_message=message)
    if message.response_metadata.get("finish_reason") == "content_filter":
        raise RuncrateRefusalError(
            "The answer was withheld by a content filter.", raw_message=message
        )


def _raise_if_cut(message: AIMessage, text: str) -> None:
    """Refuse an answer that ended at its token limit: LangChain would complete what it lacks."""
    if message.response_metadata.get("finish_reason") != "length":
        return
    try:
        json.loads(text, strict=False)
    except ValueError:
        raise OutputParserException(
            "The answer was cut off at its token limit before it was complete JSON. Raise "
            "`max_tokens`, or ask for less.",
            llm_output=text,
        ) from None
