"""Reading the object of a structured prediction from a complete response.

A response counts only if it is complete and unambiguous. A piece of an object that was cut, an
example or schema that the model copies, and an object that shares no field with the class are
errors: each could be read as an object, and none is the response.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final, TypeVar

from llama_index.core.base.llms.types import ToolCallBlock
from pydantic import BaseModel, RootModel, ValidationError

from llamaindex_runcrate.responses import FINISH_REASON, was_cut
from llamaindex_runcrate.schemas import ROOT_PROPERTY, object_schema
from runcrate_core.toolkit import echoes_schema, strict_json, valid_json, without_reasoning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llama_index.core.base.llms.types import ChatMessage, ChatResponse

M = TypeVar("M", bound=BaseModel)

START_OF_REASONING: Final = "<think>"
END_OF_REASONING: Final = "</think>"
_OPENING: Final = re.compile(r"[{\[]")
# All that matters for finding the end of a bracketed text that is not JSON.
_MARK: Final = re.compile(r'[{}\[\]]|"(?:[^"\\]|\\.)*"?', re.DOTALL)
_FENCED: Final = re.compile(r"\A```\w*\s*\n(.*?)\n?\s*```\Z", re.DOTALL)
_decode: Final = json.JSONDecoder(strict=False).raw_decode
_MAX_QUOTED: Final = 300  # characters of the model's own words in an error


class FinalResponseError(ValueError):
    """A response without the object, of a kind that another way of asking does not change."""


def parsed(output_cls: type[M], response: ChatResponse, *, max_tokens: int | None = None) -> M:
    """Return the object that a response holds, in a tool call or in its text.

    Reasoning, code fences and words around the object are passed over.

    Args:
        output_cls: Class of the object.
        response: The complete response.
        max_tokens: The token limit that was sent, for the error.

    Raises:
        FinalResponseError: The response was cut at the token limit, or the model refused.
        ValueError: It holds no such object, or several; the fields that are wrong are named.
    """
    message = response.message
    if refusal := _refusal_of(response):
        raise FinalResponseError(
            f"The model gave no `{output_cls.__name__}`, because it refused or its response was "
            f"filtered. Its words: {refusal[:_MAX_QUOTED]!r}. It was asked once."
        )
    cut = was_cut(response)
    try:
        return _read(output_cls, message, cut=cut)
    except ValueError as error:
        if not cut:
            raise
        limit = f"`max_tokens={max_tokens}`" if max_tokens else "the model's own limit"
        raise FinalResponseError(
            f"The response was cut at the token limit ({limit}), so it holds no complete "
            f"`{output_cls.__name__}`. Raise `max_tokens`, or ask for less. It was asked once."
        ) from error


def _refusal_of(response: ChatResponse) -> str | None:
    """Return the words of a refusal or of a filtered response; None for any other response."""
    message = response.message
    if refusal := message.additional_kwargs.get("refusal"):
        return str(refusal)
    if response.additional_kwargs.get(FINISH_REASON) == "content_filter":
        return message.content or "(none)"
    return None


def _read(output_cls: type[M], message: ChatMessage, *, cut: bool) -> M:
    for block in message.blocks:
        if isinstance(block, ToolCallBlock):
            arguments = block.tool_kwargs
            try:
                value = strict_json(arguments) if isinstance(arguments, str) else arguments
            except (ValueError, RecursionError) as error:
                raise ValueError("the arguments of its tool call are not complete JSON.") from error
            return _validated(output_cls, value)
    text = _without_reasoning(message.content or "").strip()
    fenced = _FENCED.match(text)
    try:
        value = strict_json(fenced[1] if fenced else text)
    except (ValueError, RecursionError) as error:
        if cut:
            raise ValueError("it is not complete.") from error
    else:
        return _validated(output_cls, value)
    return _among_words(output_cls, text)


def _among_words(output_cls: type[M], text: str) -> M:
    """Return the one object of the class in a text with words around it."""
    schema = object_schema(output_cls)
    objects: list[M] = []
    failure: ValueError | None = None
    for value in json_values(text):
        if value in ({}, []) or echoes_schema(value, schema):
            continue
        try:
            candidate = _validated(output_cls, value)
        except ValueError as error:
            failure = failure or error
        else:
            if candidate not in objects:
                objects.append(candidate)
    if len(objects) == 1:
        return objects[0]
    if objects:
        raise ValueError(f"it has {len(objects)} different ones.")
    if failure is None:
        raise ValueError(f"it has no complete JSON object. Its words: {text[:_MAX_QUOTED]!r}.")
    raise failure


def _without_reasoning(text: str) -> str:
    """Return a text without the model's reasoning, also where its opening tag is missing."""
    return without_reasoning(text.rpartition(END_OF_REASONING)[2])


def json_values(text: str) -> Iterator[Any]:
    """Yield the outermost JSON objects and arrays in a text.

    Bracketed text that is not JSON is passed over with everything inside of it: a part of a broken
    object is not an object.

    Raises:
        ValueError: A bracket is not closed, so the text may be cut.
    """
    opening = _OPENING.search(text)
    while opening:
        try:
            _, end = _decode(text, opening.start())
            value = strict_json(text[opening.start() : end])
        except (ValueError, RecursionError):
            end = _end_of_brackets(text, opening.start())
        else:
            yield value
        opening = _OPENING.search(text, end)


def _end_of_brackets(text: str, start: int) -> int:
    depth = 0
    for mark in _MARK.finditer(text, start):
        if mark[0] in "{[":
            depth += 1
        elif mark[0] in "}]":
            depth -= 1
            if not depth:
                return mark.end()
    raise ValueError("its JSON is not complete: a bracket is not closed.")


def _validated(output_cls: type[M], value: Any) -> M:
    is_root = issubclass(output_cls, RootModel)
    if is_root and isinstance(value, dict) and value.keys() == {ROOT_PROPERTY}:
        value = value[ROOT_PROPERTY]
    try:
        # By way of JSON text, where strict classes take a list for a tuple and text for a date.
        result = output_cls.model_validate_json(json.dumps(valid_json(value)))
    except ValidationError as error:
        problems = "; ".join(
            f"`{'.'.join(map(str, problem['loc'])) or output_cls.__name__}`: {problem['msg']}"
            for problem in error.errors(include_url=False, include_input=False)
        )
        raise ValueError(f"{problems}.") from error
    except Exception as error:  # a validator of the user's may raise anything
        raise ValueError(f"its validators raised {type(error).__name__}: {error}.") from error
    if value and not is_root and not result.model_fields_set and output_cls.model_fields:
        raise ValueError("it has none of the fields.")
    return result
