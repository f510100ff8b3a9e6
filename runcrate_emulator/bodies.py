"""Request bodies: strict JSON, with the field named in errors.

The documents leave open which status a bad field gets (400 in the seeds' table, 422 in the
official SDK's README); the emulator responds 400 to what is missing, unknown or of the wrong type
and 422 for a value out of its range, both with code `validation_error`.
"""

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar, NoReturn, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic_core import from_json
from starlette.requests import Request

from runcrate_emulator.errors import ApiError, invalid

MALFORMED = 400
OUT_OF_RANGE = 422
_MAX_TEXT = 65_536  # characters; nothing in the API is documented to be longer than 64 KB
MAX_NAME = 64  # characters; the longest that was seen
_PROBLEMS = {
    "missing": "is required",
    "extra_forbidden": "is not a field of this request",
    "json_invalid": "must hold valid JSON",
    "json_type": "must be a string that holds JSON",
    "model_type": "must be an object",
}


class Body(BaseModel):
    """Table of the fields of a request body: types, limits, defaults. Null counts as absent.

    Validators raise ValueError with what a value must be, or call `refuse` to name another field.
    """

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", hide_input_in_errors=True)
    shape_status: ClassVar[int] = MALFORMED
    """Status of a missing, unknown or wrongly typed field, and of any error inside one."""

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        known = cls.model_fields
        return {k: v for k, v in values.items() if v is not None or k not in known}


def must(holds: Callable[[Any], object], problem: str) -> AfterValidator:
    """A check of a field's value, with the problem to report where it does not hold."""

    def check(value: Any) -> Any:
        if not holds(value):
            raise ValueError(problem)
        return value

    return AfterValidator(check)


_filled = must(str.strip, "must not be empty")
Text = Annotated[str, StringConstraints(max_length=_MAX_TEXT), _filled]
Name = Annotated[str, StringConstraints(max_length=MAX_NAME), _filled]
Texts = Annotated[list[str], BeforeValidator(lambda v: [v] if isinstance(v, str) else v)]
"""A list of texts; a single text counts as a list of one."""
B = TypeVar("B", bound=Body)


class OpenBody(Body):
    """Table of a request that may have other fields, which go to the model (seed 003)."""

    model_config = ConfigDict(extra="ignore")


def parse_body(model: type[B], values: Mapping[str, Any]) -> B:
    """Check a body against its table; refuse it with its first bad field named."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
    kind = first["type"]
    problem = _PROBLEMS.get(kind) or re.sub(r"^\w+ should ", "must ", first["msg"])
    if kind == "value_error":
        problem = str(first["ctx"]["error"])
    is_shape = kind in _PROBLEMS or kind.endswith("_type") or len(first["loc"]) > 1
    status = model.shape_status if is_shape else OUT_OF_RANGE
    raise invalid(_path(values, first["loc"]), f"{problem}; nothing was done.", status)


def _path(sent: Any, location: tuple[int | str, ...]) -> str:
    """The place of an error, as `messages[0].content`; alternatives of a union were not sent."""
    path = ""
    for at, part in enumerate(location):
        if isinstance(sent, list) and isinstance(part, int):
            path += f"[{part}]"
            sent = sent[part]
        elif isinstance(sent, Mapping) and (part in sent or at == len(location) - 1):
            path += f".{part}"
            sent = sent.get(part)
    return path.removeprefix(".")


async def read_body(request: Request, model: type[B]) -> B:
    """Read a JSON body and check it against its table."""
    return parse_body(model, await read_object(request))


async def read_object(request: Request) -> dict[str, Any]:
    """Read a JSON object, or refuse the body."""
    try:
        value = from_json(await request.body(), allow_inf_nan=False)
    except ValueError:
        value = None
    if isinstance(value, dict):
        return value
    message = "The body must be valid JSON, and an object; nothing was done."
    raise ApiError(MALFORMED, "validation_error", message)


def refuse(field: str, problem: str, status: int = MALFORMED) -> NoReturn:
    """Refuse a field: the error names it, also in its details."""
    raise invalid(field, f"{problem}; nothing was done.", status)
