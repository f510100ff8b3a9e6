"""What a structured prediction is read from: tool calls and texts, whole and in pieces."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from llama_index.core.base.llms.types import ToolCallBlock
from llama_index.core.program.utils import create_flexible_model
from pydantic import BaseModel, ValidationError

from llamaindex_runcrate.partial_json import PartialJson

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llama_index.core.base.llms.types import ChatMessage, ChatResponse

M = TypeVar("M", bound=BaseModel)

_OPENING: Final = re.compile(r"[{\[]")
# Openings that turn out to begin no JSON; each may be read up to the end of the text.
_MAX_TRIES: Final = 500
_START_OF_THOUGHTS: Final = "<think>"
_END_OF_THOUGHTS: Final = "</think>"
_decode: Final = json.JSONDecoder(strict=False).raw_decode


def parsed(output_cls: type[M], message: ChatMessage) -> M:
    """Return the object that an answer holds, in a tool call or in its text.

    Thoughts, code fences and words around the object are passed over.

    Raises:
        ValueError: It holds none; the fields that are wrong are named.
    """
    for block in message.blocks:
        if isinstance(block, ToolCallBlock):
            return _validated(output_cls, block.tool_kwargs)
    failure: ValueError | None = None
    for value in json_values(message.content or ""):
        try:
            return _validated(output_cls, value)
        except ValueError as error:
            failure = failure or error
    raise failure or ValueError("it has no JSON object.")


def json_values(text: str) -> Iterator[Any]:
    """Yield the JSON objects and arrays that stand in a text, behind the model's thoughts."""
    text = text.rpartition(_END_OF_THOUGHTS)[2]
    opening = _OPENING.search(text)
    tries = 0
    while opening and tries < _MAX_TRIES:
        try:
            value, end = _decode(text, opening.start())
        except (ValueError, RecursionError):
            end = opening.end()
            tries += 1
        else:
            yield value
        opening = _OPENING.search(text, end)


class Partials(Generic[M]):
    """Objects as far as a streamed answer has come."""

    def __init__(self, output_cls: type[M]) -> None:
        self._output_cls = output_cls
        self._flexible = create_flexible_model(output_cls)
        self._json = PartialJson()
        self._begun = False
        self._before = ""  # text in which the object has not begun yet
        self._last: Any = None

    def read(self, chunk: ChatResponse) -> BaseModel | None:
        """Return what is known after a chunk; None when that is not more than before.

        Returns:
            An object of the class, where what is known makes a valid one; otherwise one with the
            same fields that may each be missing.
        """
        value = self._value_of(chunk)
        if not isinstance(value, dict) or not value or value == self._last:
            return None
        self._last = value
        try:
            return self._output_cls.model_validate(value)
        except ValidationError:
            return self._flexible.model_validate(value)

    def _value_of(self, chunk: ChatResponse) -> Any:
        for block in chunk.message.blocks:
            if isinstance(block, ToolCallBlock):
                return block.tool_kwargs
        if not chunk.delta:
            return None
        self._json.feed(self._of_object(chunk.delta))
        return self._json.value()

    def _of_object(self, delta: str) -> str:
        """Return what a piece of text adds to the object; words before it are passed over."""
        if self._begun:
            return delta
        self._before += delta
        text = self._before.lstrip()
        if text.startswith(_START_OF_THOUGHTS):
            text = text.partition(_END_OF_THOUGHTS)[2]
        start = text.find("{")
        self._begun = start >= 0
        return text[start:] if self._begun else ""


def _validated(output_cls: type[M], value: Any) -> M:
    try:
        # By way of JSON text, where strict classes take a list for a tuple and text for a date.
        return output_cls.model_validate_json(json.dumps(value))
    except ValidationError as error:
        problems = "; ".join(
            f"`{'.'.join(map(str, problem['loc'])) or output_cls.__name__}`: {problem['msg']}"
            for problem in error.errors(include_url=False, include_input=False)
        )
        raise ValueError(f"{problems}.") from error
