"""Response parsing: the `data` envelope, lenient models, errors that name a field."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Final, Self, TypeVar

from pydantic import (
    AfterValidator,
    AliasChoices,
    AliasGenerator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    ModelWrapValidatorHandler,
    ValidationError,
    model_validator,
)
from pydantic.alias_generators import to_camel, to_snake

from runcrate_core.errors import ResponseFormatError
from runcrate_core.protocol.error_mapping import raise_error_within
from runcrate_core.protocol.paging import ListMeta, PageData, PagingError
from runcrate_core.protocol.redaction import MASK, redact_json
from runcrate_core.protocol.response import (
    Response,
    ResponseInfo,
    json_object,
    json_value,
    malformed,
)
from runcrate_core.protocol.steps import Call

if TYPE_CHECKING:
    from runcrate_core.protocol.request import Request


# Names of fields whose values are not shown, such as environment variables.
_MAY_BE_SECRET: Final = re.compile(
    r"(?i)secret|passw|token(?!s)|credential|certificate|private|(?:^|_)env(?:_vars)?$"
)


def _either_case(name: str) -> AliasChoices:
    # Storage, SSH keys, balance and transactions use camelCase, the rest snake_case.
    return AliasChoices(name, to_camel(name))


class ApiPart(BaseModel):
    """A part of a value that the API returned: read leniently, with unknown fields kept.

    It knows no response, so it takes less time to make; a chat completion has many parts.
    """

    model_config = ConfigDict(
        extra="allow",
        populate_by_name=True,
        alias_generator=AliasGenerator(validation_alias=_either_case),
        defer_build=True,  # building every schema on import would cost more than most programs use
        protected_namespaces=(),
    )

    # Two responses are the same when their fields are, whatever the heads of the responses say.
    __hash__ = None  # type: ignore[assignment] # it can be changed, as every model can

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ApiPart):
            return NotImplemented
        return type(self) is type(other) and dict(self) == dict(other)

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        """Show no secret: neither the queries of URLs nor unknown fields that may be one."""
        for name, value in super().__repr_args__():
            is_unknown = name not in type(self).model_fields
            if is_unknown and _MAY_BE_SECRET.search(name or ""):
                yield name, MASK
            elif is_unknown or (name or "").endswith("url"):
                yield name, redact_json(value)
            else:
                yield name, value

    def to_dict(self) -> dict[str, Any]:
        """Return the fields that the API sent, unknown ones included."""
        return self.model_dump(exclude_unset=True)


class ApiModel(ApiPart):
    """A value that the API returned, with the head of its response.

    Attributes:
        response: Head of the response (request id, rate limit), where it is known.
    """

    @property
    def response(self) -> ResponseInfo | None:
        """Head of the response (request id, rate limit), where it is known."""
        return (self.__pydantic_private__ or {}).get("_response")

    def with_response(self, response: ResponseInfo | None) -> Self:
        """Remember the head of the response; return the value itself."""
        # Among pydantic's private values, so that copies and pickles have it, but not declared:
        # a default of its own would cost each value a call from the validator.
        private = {**(self.__pydantic_private__ or {}), "_response": response}
        object.__setattr__(self, "__pydantic_private__", private)
        return self


class LenientModel(ApiModel):
    """A resource that stays reachable when an optional field of it is odd, also within another.

    See `validated`: its identifier is what listing, watching and terminating it need.
    """

    @model_validator(mode="wrap")
    @classmethod
    def _drop_odd_fields(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return handler(value)
        except ValidationError as error:
            if not isinstance(value, dict):
                raise
            return handler(_without_odd_fields(cls, value, error))


def _without_odd_fields(
    kind: type[BaseModel], value: dict[str, Any], error: ValidationError
) -> dict[str, Any]:
    named = {to_snake(str(detail["loc"][0])) for detail in error.errors() if detail["loc"]}
    odd = {name for name in named if _is_optional(kind, name)}
    return {
        key: _without_null(item) for key, item in value.items() if to_snake(str(key)) not in odd
    }


def _without_null(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_null(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {key: _without_null(item) for key, item in value.items() if item is not None}


def _is_optional(kind: type[BaseModel], name: str) -> bool:
    field = kind.model_fields.get(name)
    return field is not None and not field.is_required()


def _identifier(value: Any) -> Any:
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return str(value) if is_number else value


# An identifier is opaque text, whatever JSON type it comes as.
Identifier = Annotated[str, BeforeValidator(_identifier)]


def _time(value: Any) -> Any:
    """Return a time also in a form that databases print, such as `2026-01-31 00:00:00+00`."""
    if not isinstance(value, str):
        return value
    try:
        return datetime.fromisoformat(value.removesuffix("UTC").strip())
    except ValueError:
        return value


def _in_utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


# A time that the API returned: always with its time zone, which is UTC when none was sent.
UtcDatetime = Annotated[datetime, BeforeValidator(_time), AfterValidator(_in_utc)]
M = TypeVar("M", bound=ApiModel)
NextPage = Callable[[ListMeta, int], Callable[[], Call[PageData[M]]] | None]


def parse_model(kind: type[M], request: Request) -> Callable[[Response], M]:
    """Return a parser for a response that is the value itself (the inference API)."""

    def parse(response: Response) -> M:
        found = json_object(response, request)
        raise_error_within(response, found, request)
        value = validated(kind, found, response, request)
        return value.with_response(ResponseInfo(response.status, response.headers))

    return parse


def parse_item(kind: type[M], request: Request) -> Callable[[Response], M]:
    """Return a parser for one value in the envelope (the infrastructure API)."""

    def parse(response: Response) -> M:
        data, _ = _unwrapped(response, request)
        if not isinstance(data, dict):
            raise malformed(response, request, "`data` is not an object")
        value = validated(kind, data, response, request)
        return value.with_response(ResponseInfo(response.status, response.headers))

    return parse


def parse_list(kind: type[M], request: Request) -> Callable[[Response], list[M]]:
    """Return a parser for a list in the envelope (the infrastructure API)."""

    def parse(response: Response) -> list[M]:
        data, _ = _unwrapped(response, request)
        return _items(kind, data, response, request)

    return parse


def parse_page(
    kind: type[M], request: Request, following: NextPage[M]
) -> Callable[[Response], PageData[M]]:
    """Return a parser for one page of a list.

    Args:
        kind: What the list is of.
        request: What was sent.
        following: Returns how to get the next page, from what the response says of the list and
            how many values this page has.
    """

    def parse(response: Response) -> PageData[M]:
        data, meta = _unwrapped(response, request)
        items = _items(kind, data, response, request)
        try:
            next_page = following(meta, len(items))
        except PagingError as error:
            # This page is good; the request for the next one fails.
            next_page = partial(_no_next_page, malformed(response, request, str(error)))
        return PageData(items, next_page, meta.total, meta.cursor)

    return parse


def _no_next_page(error: ResponseFormatError) -> Call[Any]:
    raise error


def _unwrapped(response: Response, request: Request) -> tuple[Any, ListMeta]:
    """Return what an infrastructure response holds in `data`, or all of it without envelope."""
    value = json_value(response, request)
    if isinstance(value, dict):
        raise_error_within(response, value, request)
        if "data" in value:
            return value["data"], ListMeta.read(value.get("meta"))
    return value, ListMeta()


def _items(kind: type[M], data: Any, response: Response, request: Request) -> list[M]:
    if not isinstance(data, list):
        raise malformed(response, request, "`data` is not a list")
    return [
        validated(kind, item, response, request, f"data[{index}]")
        for index, item in enumerate(data)
    ]


def parse_empty(request: Request) -> Callable[[Response], None]:
    """Return a parser for a response whose body does not matter, unless it is an error.

    Deletes return 204, or 200 with anything.
    """

    def parse(response: Response) -> None:
        try:
            value = json_value(response, request)
        except ResponseFormatError:
            return
        if isinstance(value, dict):
            raise_error_within(response, value, request)

    return parse


def validated(kind: type[M], data: Any, response: Response, request: Request, where: str = "") -> M:
    """Return a value as its model.

    An optional field of a wrong type (an empty text for a date, `NaN` for a price), and null at
    any depth, is dropped, as if it had not been sent: the rest may have been paid for.

    Raises:
        ResponseFormatError: A field is missing or of a wrong type; it is named, not shown.
    """
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        kept = _without_odd_fields(kind, data, error) if isinstance(data, dict) else data
        try:
            return kind.model_validate(kept)
        except ValidationError as second:
            raise _invalid(second, response, request, where) from None


def _invalid(
    error: ValidationError, response: Response, request: Request, where: str
) -> ResponseFormatError:
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    path = ".".join(str(part) for part in (where, *first["loc"]) if part != "")
    label = f"the field `{path}`" if path else "the body"
    return malformed(response, request, f"{label} is wrong: {first['msg'].lower()}")
