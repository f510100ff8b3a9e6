"""Arguments that a model wrote down without meaning them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import BaseModel


def drop_empty_optionals(arguments: type[BaseModel], values: Any) -> Any:
    """Return what a model gave, without the empty fields that it may leave out.

    Many models fill every field of a schema, with `null` or empty text where they mean nothing.

    Args:
        arguments: What the tool takes.
        values: What the model gave.
    """
    if not isinstance(values, dict):
        return values
    optional = {name for name, field in arguments.model_fields.items() if not field.is_required()}
    return {
        name: value for name, value in values.items() if name not in optional or not _empty(value)
    }


def _empty(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())
