"""Making LlamaIndex's models without validating what is valid already."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel

M = TypeVar("M", bound=BaseModel)

# Slots of every pydantic model, set without the name being looked up and checked each time.
_new = object.__new__
_set_fields = BaseModel.__dict__["__dict__"].__set__
_set_names_given = BaseModel.__dict__["__pydantic_fields_set__"].__set__
_set_extra = BaseModel.__dict__["__pydantic_extra__"].__set__
_set_private = BaseModel.__dict__["__pydantic_private__"].__set__


def construct(kind: type[M], fields: dict[str, Any]) -> M:
    """Return a model whose fields are known to be right.

    It does what `model_construct` does, without looking up each default: a streamed answer makes
    three of these for each chunk.

    Args:
        kind: The model's class; it must not have private attributes.
        fields: Every field of it, by name. The model keeps this dict.
    """
    model = _new(kind)
    _set_fields(model, fields)
    _set_names_given(model, set(fields))
    _set_extra(model, None)
    _set_private(model, None)
    return model
