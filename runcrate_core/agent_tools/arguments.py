"""Arguments of the tools: described for a model, bounded, lenient about empty optional fields."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from runcrate_core.spending.limits import MAX_RUNTIME_MINUTES, MIN_RUNTIME_MINUTES


def drop_empty_optionals(arguments: type[BaseModel], values: Any) -> Any:
    """Return a model's arguments without the optional fields that are empty.

    Many models fill every field of a schema, with `null` or empty text where they mean nothing.

    Args:
        arguments: Model of the tool's arguments.
        values: Arguments as the language model wrote them.
    """
    if not isinstance(values, dict):
        return values
    optional = {name for name, field in arguments.model_fields.items() if not field.is_required()}
    return {
        name: value for name, value in values.items() if name not in optional or not _empty(value)
    }


def _empty(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


class Arguments(BaseModel):
    """Base of all arguments: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)

    @model_validator(mode="before")
    @classmethod
    def _drop_empty_optionals(cls, values: Any) -> Any:
        return drop_empty_optionals(cls, values)


def text(description: str, max_length: int = 128) -> Any:
    """Return the field of a text that is not empty."""
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
        "Choose as few as the work needs: the whole time is reserved from the budget.",
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
