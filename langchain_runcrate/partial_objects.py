"""Objects of half-streamed responses: fields filled without the class's own code.

A validator is written for complete data, and an object that a stream has half filled would make it
raise. So none is run here, nor `model_post_init` or a computed default; the complete response is
validated at the end.
"""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import functools
import uuid
from types import NoneType, UnionType
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Final,
    Literal,
    TypeVar,
    Union,
    get_args,
    get_origin,
)

from pydantic import BaseModel, TypeAdapter, ValidationError

if TYPE_CHECKING:
    from collections.abc import Hashable

    from pydantic.fields import FieldInfo

M = TypeVar("M", bound=BaseModel)

MISSING: Final = object()
"""Placeholder of a value that has not arrived yet."""

_ARRAYS: Final = (list, set, frozenset, tuple)
# Classes whose values are written as text or numbers.
_SIMPLE: Final = (
    dt.date,
    dt.time,
    dt.timedelta,
    decimal.Decimal,
    enum.Enum,
    uuid.UUID,
)


def partial_object(kind: type[M], value: Any) -> M | Any:
    """Return an object of a Pydantic class with what has come of it.

    Args:
        kind: The class. One of Pydantic's version 1 is never built from half a response.
        value: The JSON value so far.

    Returns:
        The object, or `MISSING` while a required field, at any depth, has not come.
    """
    if not isinstance(value, dict) or not hasattr(kind, "model_fields"):
        return MISSING
    fields: dict[str, Any] = {}
    given: set[str] = set()
    for name, field in kind.model_fields.items():
        known = (field.validation_alias, field.alias, name)
        keys = [key for key in known if isinstance(key, str) and key in value]
        built = _partial_value(field.annotation, value[keys[0]]) if keys else MISSING
        if built is not MISSING:
            fields[name] = built
            given.add(name)
        elif field.is_required():
            return MISSING
        else:
            fields[name] = _default(field)
    return _filled(kind, fields, given)


def _default(field: FieldInfo) -> Any:
    if field.default_factory_takes_validated_data:
        return None  # it was written for complete data
    return field.get_default(call_default_factory=True)


def _filled(kind: type[M], fields: dict[str, Any], given: set[str]) -> M:
    built = object.__new__(kind)
    object.__setattr__(built, "__dict__", fields)
    object.__setattr__(built, "__pydantic_fields_set__", given)
    extra: Any = {} if kind.model_config.get("extra") == "allow" else None
    object.__setattr__(built, "__pydantic_extra__", extra)
    object.__setattr__(built, "__pydantic_private__", None)
    return built


def _partial_value(annotation: Any, value: Any) -> Any:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _partial_value(arguments[0], value)
    if isinstance(annotation, type) and origin is None:
        if issubclass(annotation, BaseModel):
            return partial_object(annotation, value)
        return _simple_value(annotation, value) if issubclass(annotation, _SIMPLE) else value
    if origin in _ARRAYS and isinstance(value, list):
        inner = arguments[0] if arguments else Any
        items = [_partial_value(inner, item) for item in value]
        return [item for item in items if item is not MISSING]
    if origin is dict and isinstance(value, dict):
        members = {key: _partial_value(arguments[1], item) for key, item in value.items()}
        return {key: item for key, item in members.items() if item is not MISSING}
    if origin in (Union, UnionType):
        return _member_of_union([kind for kind in arguments if kind is not NoneType], value)
    return value


def _member_of_union(members: list[Any], value: Any) -> Any:
    """Return a value of the one member of a union that it can be of by now."""
    if len(members) == 1:
        return None if value is None else _partial_value(members[0], value)
    if isinstance(value, list):
        arrays = [kind for kind in members if get_origin(kind) in _ARRAYS]
        return _partial_value(arrays[0], value) if len(arrays) == 1 else value
    kinds = [kind for kind in members if isinstance(kind, type) and issubclass(kind, BaseModel)]
    if not kinds or not isinstance(value, dict):
        return value
    built = [partial_object(kind, value) for kind in kinds if _may_be(kind, value)]
    built = [one for one in built if one is not MISSING]
    return built[0] if len(built) == 1 else MISSING


def _may_be(kind: type[BaseModel], value: dict[str, Any]) -> bool:
    """Return whether the constants that distinguish a class in a union are these."""
    for name, field in kind.model_fields.items():
        constants = get_args(field.annotation)
        is_constant = get_origin(field.annotation) is Literal
        if is_constant and name in value and value[name] not in constants:
            return False
    return True


def _simple_value(annotation: type[Any], value: Any) -> Any:
    try:
        return _adapter(annotation).validate_python(value)  # type: ignore[arg-type] # classes are
    except ValidationError:
        return MISSING


@functools.cache
def _adapter(annotation: Hashable) -> TypeAdapter[Any]:
    adapter: TypeAdapter[Any] = TypeAdapter(annotation)  # type: ignore[arg-type] # a class
    return adapter
