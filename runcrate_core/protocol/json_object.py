"""JSON objects that are dicts and whose members also read as attributes.

Validating a streamed chunk costs several times what parsing it costs. Here nothing is looked at
before it is read: making an object is one shallow dict copy, whatever it holds.
"""

from __future__ import annotations

from operator import methodcaller
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Self, Union, get_args, get_origin, get_type_hints

if TYPE_CHECKING:
    from collections.abc import Iterable


class JsonObject(dict[str, Any]):
    """A parsed JSON object: a dict whose members also read as attributes.

    Subclasses declare members as annotations. A declared member reads as attribute even where
    the object lacks it or has null: as its default, as None, or as an empty object or list where
    the annotation is one. Members that are not declared read as attributes when they are there.
    A nested object is wrapped, in place, when it is first read. Attributes cannot be assigned;
    set `value["member"]`.

    ```python
    class Delta(JsonObject):
        __slots__ = ()
        content: str | None


    class Choice(JsonObject):
        __slots__ = ()
        index: int = 0
        delta: Delta


    choice = Choice({"delta": {"content": "Hi"}})
    assert choice.delta.content == choice["delta"]["content"] == "Hi"
    assert choice.index == 0
    ```
    """

    __slots__ = ()

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        hints = get_type_hints(cls)
        for name in cls.__annotations__:
            setattr(cls, name, _member(name, hints[name], cls.__dict__.get(name)))

    # Hidden from type checkers, so that they report names that are not declared.
    if not TYPE_CHECKING:  # pragma: no branch - always so when it runs

        def __getattr__(self, name: str) -> Any:
            try:
                value = self[name]
            except KeyError:
                raise AttributeError(f"{type(self).__name__} has no member `{name}`.") from None
            if type(value) is dict:
                value = self[name] = JsonObject(value)
            elif type(value) is list:
                _wrap_items(value, JsonObject)
            return value

    def copy(self) -> Self:
        """Return a shallow copy of the same class."""
        return type(self)(self)

    def to_dict(self) -> dict[str, Any]:
        """Return a deep copy made of plain dicts and lists."""
        return {name: _plain(value) for name, value in self.items()}

    def __dir__(self) -> Iterable[str]:
        return [*super().__dir__(), *self]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({super().__repr__()})"


def _member(name: str, hint: Any, default: object) -> property:
    """Return the attribute that reads one declared member."""
    alternatives = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    nullable = NoneType in alternatives
    for kind in alternatives:
        if _is_object(kind):
            return _object_member(name, kind, nullable=nullable)
        if get_origin(kind) is list and _is_object(get_args(kind)[0]):
            return _array_member(name, get_args(kind)[0], nullable=nullable)
    if default is None:
        return property(methodcaller("get", name))  # runs without a Python frame

    def read(self: JsonObject) -> Any:
        value = self.get(name)
        return default if value is None else value

    return property(read)


def _is_object(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, JsonObject)


def _object_member(name: str, kind: type[JsonObject], *, nullable: bool) -> property:
    def read(self: JsonObject) -> Any:
        value = self.get(name)
        if type(value) is dict:
            value = self[name] = kind(value)
        elif value is None and not nullable:
            return kind()
        return value

    return property(read)


def _array_member(name: str, kind: type[JsonObject], *, nullable: bool) -> property:
    def read(self: JsonObject) -> Any:
        value = self.get(name)
        if value is None:
            return None if nullable else []
        _wrap_items(value, kind)
        return value

    return property(read)


def _wrap_items(items: list[Any], kind: type[JsonObject]) -> None:
    for position, item in enumerate(items):
        if type(item) is dict:
            items[position] = kind(item)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value
