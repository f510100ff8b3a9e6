"""Reading the object of a structured prediction from a complete answer.

An answer counts only if it is complete and unambiguous. A piece of an object that was cut, an
example or schema that the model repeats, and an object that shares no field with the class are
errors: each could be read as an object, and none is the answer.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final, TypeVar

from llama_index.core.base.llms.types import ToolCallBlock
from pydantic import BaseModel, RootModel, ValidationError

from llamaindex_runcrate.responses import FINISH_REASON, was_cut
from llamaindex_runcrate.schemas import ROOT_PROPERTY
from runcrate_core.toolkit import decode_json, load_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llama_index.core.base.llms.types import ChatMessage, ChatResponse

M = TypeVar("M", bound=BaseModel)

START_OF_THOUGHTS: Final = "<think>"
END_OF_THOUGHTS: Final = "</think>"
_OPENING: Final = re.compile(r"[{\[]")
# All that matters for finding the end of a bracketed text that is not JSON.
_MARK: Final = re.compile(r'[{}\[\]]|"(?:[^"\\]|\\.)*"?', re.DOTALL)
_FENCED: Final = re.compile(r"\A```\w*\s*\n(.*?)\n?\s*```\Z", re.DOTALL)
_MAX_QUOTED: Final = 300  # characters of the model's own words in an error


class FinalAnswerError(ValueError):
    """An answer without the object, of a kind that another way of asking does not change."""


def parsed(output_cls: type[M], response: ChatResponse, *, max_tokens: int | None = None) -> M:
    """Return the object that an answer holds, in a tool call or in its text.

    Thoughts, code fences and words around the object are passed over.

    Args:
        output_cls: Class of the object.
        response: The complete answer.
        max_tokens: The token limit that was sent, for the error.

    Raises:
        FinalAnswerError: The answer was cut at the token limit, or the model refused.
        ValueError: It holds no such object, or several; the fields that are wrong are named.
    """
    message = response.message
    if refusal := _refusal_of(response):
        raise FinalAnswerError(
            f"The model gave no `{output_cls.__name__}`, because it refused or its answer was "
            f"filtered. Its words: {refusal[:_MAX_QUOTED]!r}. It was asked once."
        )
    cut = was_cut(response)
    try:
        return _read(output_cls, message, cut=cut)
    except ValueError as error:
        if not cut:
            raise
        limit = f"`max_tokens={max_tokens}`" if max_tokens else "the model's own limit"
        raise FinalAnswerError(
            f"The answer was cut at the token limit ({limit}), so it holds no complete "
            f"`{output_cls.__name__}`. Raise `max_tokens`, or ask for less. It was asked once."
        ) from error


def _refusal_of(response: ChatResponse) -> str | None:
    """Return the words of a refusal or of a filtered answer; None for any other answer."""
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
                value = load_json(arguments) if isinstance(arguments, str) else arguments
            except ValueError as error:
                raise ValueError("the arguments of its tool call are not complete JSON.") from error
            return _validated(output_cls, value)
    text = without_thoughts(message.content or "").strip()
    fenced = _FENCED.match(text)
    try:
        value = load_json(fenced[1] if fenced else text)
    except ValueError:
        if cut:
            raise
    else:
        return _validated(output_cls, value)
    return _among_words(output_cls, text)


def _among_words(output_cls: type[M], text: str) -> M:
    """Return the one object of the class in a text with words around it."""
    objects: list[M] = []
    failure: ValueError | None = None
    for value in json_values(text):
        if value in ({}, []) or _is_schema(output_cls, value):
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


def without_thoughts(text: str) -> str:
    """Return a text without the thoughts at its start; nothing, where they do not end."""
    before, end, behind = text.rpartition(END_OF_THOUGHTS)
    if end:
        return behind
    return "" if text.lstrip().startswith(START_OF_THOUGHTS) else before + behind


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
            value, end = decode_json(text, opening.start())
        except ValueError:
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


def _is_schema(output_cls: type[BaseModel], value: Any) -> bool:
    """Whether a value is a JSON schema that the model repeats."""
    return (
        isinstance(value, dict)
        and isinstance(value.get("properties"), dict)
        and not value.keys().isdisjoint({"type", "$defs", "title", "required"})
        and "properties" not in output_cls.model_fields
    )


def _validated(output_cls: type[M], value: Any) -> M:
    is_root = issubclass(output_cls, RootModel)
    if is_root and isinstance(value, dict) and value.keys() == {ROOT_PROPERTY}:
        value = value[ROOT_PROPERTY]
    try:
        # By way of JSON text, where strict classes take a list for a tuple and text for a date.
        result = output_cls.model_validate_json(json.dumps(value))
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
