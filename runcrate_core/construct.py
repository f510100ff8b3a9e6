"""Fill pydantic objects whose fields are known to be right, without validating them again."""

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


def construct(
    kind: type[M],
    fields: dict[str, Any],
    fields_set: set[str] | None = None,
    extra: dict[str, Any] | None = None,
) -> M:
    """Return a model that holds the given values as they are.

    The result equals that of pydantic's `model_construct`, which looks up every default and alias
    and takes several times as long: adapters make two or three models of each streamed chunk.
    Neither validators nor `model_post_init` run.

    Args:
        kind: Class of the model. It has no private attributes.
        fields: The value of every field, by the field's name. The model keeps this dict.
        fields_set: Names that count as given, for `exclude_unset`; all of `fields` otherwise.
        extra: Values besides the fields, of a class with `extra="allow"`: an empty dict for none.
            `None` for any other class.
    """
    model = _new(kind)
    _set_fields(model, fields)
    _set_names_given(model, set(fields) if fields_set is None else fields_set)
    _set_extra(model, extra)
    _set_private(model, None)
    return model
