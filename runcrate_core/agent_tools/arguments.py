"""Tool arguments: described for a model, bounded, and lenient about their notation."""

from __future__ import annotations

import json
from collections.abc import Iterator
from types import UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.fields import FieldInfo

from runcrate_core.spending.limits import MAX_RUNTIME_MINUTES, MIN_RUNTIME_MINUTES

# Words for nothing that models write into optional fields.
_EMPTY: Final = frozenset({""})
_NOTHING: Final = _EMPTY | {"null", "none"}


def as_meant(arguments: type[BaseModel], values: Any) -> Any:
    """Return a model's arguments in their declared types, where it wrote them in another notation.

    Many models fill every field of a schema, with `null` or nothing in words where they mean
    nothing: such optional fields are dropped. Many write a list as text, and choices in another
    case.

    Args:
        arguments: Model of the tool's arguments.
        values: Arguments as the language model wrote them.
    """
    if not isinstance(values, dict):
        return values
    fields = arguments.model_fields
    return {
        name: _meant(value, fields[name].annotation) if name in fields else value
        for name, value in values.items()
        if name not in fields or not _is_left_out(value, fields[name])
    }


def _is_left_out(value: object, field: FieldInfo) -> bool:
    if field.is_required():
        return False
    if not isinstance(value, str):
        return value is None or value in ([], {})
    # Of a text that has a default of its own, such as a path, a word may be meant.
    is_name = field.default is not None and field.annotation is str
    return value.strip().casefold() in (_EMPTY if is_name else _NOTHING)


def _meant(value: Any, annotation: Any) -> Any:
    if not isinstance(value, str):
        return value
    kinds = tuple(_alternatives(annotation))
    for kind in kinds:
        if get_origin(kind) is list:
            return _list(value, [value] if str not in kinds else value)
        if get_origin(kind) is Literal:
            folded = value.strip().casefold()
            choices = (choice for choice in get_args(kind) if str(choice).casefold() == folded)
            return next(choices, value)
    return value


def _alternatives(annotation: Any) -> Iterator[Any]:
    """Yield the types that a field may have."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _alternatives(get_args(annotation)[0])
    elif origin in {Union, UnionType}:
        for part in get_args(annotation):
            yield from _alternatives(part)
    else:
        yield annotation


def _list(text: str, otherwise: Any) -> Any:
    try:
        values = json.loads(text)
    except ValueError:
        return otherwise
    return values if isinstance(values, list) else otherwise


class Arguments(BaseModel):
    """Base of all arguments: unknown fields are refused."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        str_strip_whitespace=True,
        coerce_numbers_to_str=True,  # identifiers may be numbers
    )

    @model_validator(mode="before")
    @classmethod
    def _as_meant(cls, values: Any) -> Any:
        return as_meant(cls, values)


def text(description: str, max_length: int = 128) -> Any:
    """Return a field for text that is not empty."""
    return Field(min_length=1, max_length=max_length, description=description)


GpuType = Annotated[str, text("GPU, such as A100, H100 or RTX4090.", 64)]
Region = Annotated[str, text("Region id, such as us-east-1.", 64)]
Search = Annotated[str, text("Only those whose name contains this.")]
Name = Annotated[
    str, text("Short name, such as `training`; a prefix and a unique suffix are added.", 40)
]
TemplateId = Annotated[str, text("Template id of the list of templates.")]
StorageId = Annotated[str, text("A volume to mount at /workspace.")]
Lifetime = Annotated[
    int,
    Field(
        ge=MIN_RUNTIME_MINUTES,
        le=MAX_RUNTIME_MINUTES,
        description="Minutes after its first start at which the server terminates the instance. "
        "Choose as few as the work needs: the complete time is reserved from the budget.",
    ),
]
Limit = Annotated[int, Field(ge=1, le=50, description="Maximum number of entries.")]
GpuCount = Annotated[int, Field(ge=1, le=8, description="GPUs of one instance.")]
Seconds = Annotated[int, Field(ge=1, le=900, description="Maximum wait of this call in seconds.")]


class NoArguments(Arguments):
    """No arguments."""


class LimitArguments(Arguments):
    """Size of a list."""

    limit: Limit = 20


class SearchArguments(LimitArguments):
    """A search in a list."""

    search: Search | None = None
