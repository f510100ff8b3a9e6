"""Reading what a client sent: JSON bodies, strictly and with the field named in the refusal.

The documents leave open which status a bad field gets (400 in the seeds' table, 422 in the
official SDK's README); the emulator answers 400 for what is missing, unknown or of the wrong type
and 422 for a value out of its range, both with code `validation_error`.
"""

import json
import math
import re
from collections.abc import Callable, Collection, Mapping
from typing import Annotated, Any, ClassVar, NoReturn, TypeVar, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails
from starlette.requests import Request

from runcrate_emulator.errors import ApiError, invalid

T = TypeVar("T")

MALFORMED = 400
OUT_OF_RANGE = 422
_SURROGATE_ESCAPE = b"\\ud"
_MAX_TEXT = 65_536  # characters; nothing in the API is documented to be longer than 64 KB
MAX_NAME = 64  # characters; the longest that was seen
_PROBLEMS = {"missing": "is required", "extra_forbidden": "is not a field of this request"}


class Body(BaseModel):
    """Table of the fields of a request body: types, limits, defaults. Null counts as absent.

    Validators raise ValueError with what a value must be, or call `refuse` to name another field.
    """

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", hide_input_in_errors=True)
    shape_status: ClassVar[int] = MALFORMED
    """Status of a missing, unknown or wrongly typed field."""

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        known = cls.model_fields
        return {k: v for k, v in values.items() if v is not None or k not in known}


def must(holds: Callable[[Any], object], problem: str) -> AfterValidator:
    """A check of a field's value, with the problem to report where it does not hold."""

    def check(value: T) -> T:
        if not holds(value):
            raise ValueError(problem)
        return value

    return AfterValidator(check)


_filled = must(str.strip, "must not be empty")
Text = Annotated[str, StringConstraints(max_length=_MAX_TEXT), _filled]
Name = Annotated[str, StringConstraints(max_length=MAX_NAME), _filled]
B = TypeVar("B", bound=Body)


def parse_body(model: type[B], values: Mapping[str, Any]) -> B:
    """Check a body against its table.

    Raises:
        ApiError: 400 or 422 `validation_error` with the first bad field in its details.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
    raise _refusal(model, first)


def _refusal(model: type[Body], first: ErrorDetails) -> ApiError:
    kind = first["type"]
    problem = _PROBLEMS.get(kind) or re.sub(r"^\w+ should ", "must ", first["msg"])
    if kind == "value_error":
        problem = str(first["ctx"]["error"])
    is_shape = kind in _PROBLEMS or kind.endswith("_type")
    status = model.shape_status if is_shape else OUT_OF_RANGE
    return invalid(_path(model, first["loc"]), f"{problem}; nothing was done.", status)


def _path(model: type[Body] | None, location: tuple[int | str, ...]) -> str:
    """The field that an error is about, as `code.git.url`; not an item of a list or a map."""
    path: list[str] = []
    for part in location:
        if model is None:
            break
        path.append(str(part))
        field = model.model_fields.get(path[-1])
        types = () if field is None else (field.annotation, *get_args(field.annotation))
        bodies = (kind for kind in types if isinstance(kind, type) and issubclass(kind, Body))
        model = next(bodies, None)
    return ".".join(path)


async def read_body(request: Request, model: type[B]) -> B:
    """Read a JSON body and check it against its table.

    Raises:
        ApiError: 400 or 422 `validation_error`.
    """
    return parse_body(model, await read_object(request))


async def read_object(request: Request) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        ApiError: 400 `validation_error` when the body is not JSON or not an object.
    """
    raw = await request.body()
    try:
        value = json.loads(raw.decode(), parse_constant=_refuse_constant)
        if _SURROGATE_ESCAPE in raw.lower():
            json.dumps(value, ensure_ascii=False).encode()  # half a character is no text
    except (ValueError, RecursionError):
        raise ApiError(
            MALFORMED, "validation_error", "The body is not valid JSON; nothing was done."
        ) from None
    if not isinstance(value, dict):
        raise ApiError(
            MALFORMED, "validation_error", "The body must be a JSON object; nothing was done."
        )
    return value


async def read_optional_object(request: Request) -> dict[str, Any]:
    """Read a JSON object, or an empty one where the body is empty."""
    return await read_object(request) if await request.body() else {}


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def refuse(field: str, problem: str, status: int = MALFORMED) -> NoReturn:
    """Refuse a field.

    Raises:
        ApiError: Always; `validation_error` with the field in its details.
    """
    raise invalid(field, f"{problem}; nothing was done.", status)


class Fields:
    """A strict reader of one JSON object.

    Every accessor returns None for an absent optional field (null counts as absent). Fields that
    were never asked for are refused by `finish`.
    """

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values
        self._known: set[str] = set()

    def raw(self, name: str) -> Any:
        """The value as sent; None when absent."""
        self._known.add(name)
        return self._values.get(name)

    def bad_shape(self, name: str, problem: str) -> NoReturn:
        """Refuse a field for its type or absence."""
        refuse(name, problem)

    def bad_value(self, name: str, problem: str) -> NoReturn:
        """Refuse a field for its value."""
        refuse(name, problem, OUT_OF_RANGE)

    def required(self, name: str, value: T | None) -> T:
        """Insist on a value."""
        if value is None:
            self.bad_shape(name, "is required")
        return value

    def text(self, name: str, *, longest: int = _MAX_TEXT) -> str | None:
        """A string that is not blank."""
        value = self.raw(name)
        if value is None:
            return None
        if not isinstance(value, str):
            self.bad_shape(name, "must be a string")
        if not value.strip():
            self.bad_value(name, "must not be empty")
        if len(value) > longest:
            self.bad_value(name, f"must be at most {longest} characters long")
        return value

    def one_of(self, name: str, choices: Collection[str]) -> str | None:
        """A string out of a fixed set."""
        value = self.text(name)
        if value is not None and value not in choices:
            self.bad_value(name, f"must be one of {', '.join(choices)}")
        return value

    def integer(self, name: str, least: int, most: int | None = None) -> int | None:
        """A whole number within its range, both ends included."""
        value = self.raw(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int):
            self.bad_shape(name, "must be a whole number")
        if value < least or (most is not None and value > most):
            span = f"at least {least}" if most is None else f"from {least} to {most}"
            self.bad_value(name, f"must be {span}")
        return value

    def number(self, name: str, least: float, most: float) -> float | None:
        """A number within its range, both ends included."""
        value = self.raw(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.bad_shape(name, "must be a number")
        if not (least <= value <= most) or not math.isfinite(value):
            self.bad_value(name, f"must be from {least:g} to {most:g}")
        return value

    def boolean(self, name: str) -> bool | None:
        """True or false."""
        value = self.raw(name)
        if value is not None and not isinstance(value, bool):
            self.bad_shape(name, "must be true or false")
        return value

    def texts(self, name: str) -> list[str] | None:
        """A list of strings."""
        value = self.raw(name)
        if value is None:
            return None
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self.bad_shape(name, "must be a list of strings")
        return list(value)

    def object(self, name: str) -> dict[str, Any] | None:
        """An object."""
        value = self.raw(name)
        if value is not None and not isinstance(value, dict):
            self.bad_shape(name, "must be an object")
        return value

    def finish(self) -> None:
        """Refuse every field that was sent but never asked for."""
        for name in self._values:
            if name not in self._known:
                self.bad_shape(name, "is not a field of this request")
