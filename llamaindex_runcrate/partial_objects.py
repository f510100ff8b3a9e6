"""Objects as far as a streamed response has come.

They are built without validation: validators of the user's meet complete objects only, and a
partial object is never an instance of the user's class. Its fields are those of the class, `None`
where nothing has come yet; nested objects are partial in the same way.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Union, get_args, get_origin

from llama_index.core.base.llms.types import ToolCallBlock
from llama_index.core.program.utils import FlexibleModel, create_flexible_model
from pydantic import AliasChoices, BaseModel, RootModel

from llamaindex_runcrate.partial_json import PartialJson
from llamaindex_runcrate.structured_responses import END_OF_REASONING, START_OF_REASONING
from runcrate_core.toolkit import construct

if TYPE_CHECKING:
    from llama_index.core.base.llms.types import ChatResponse


class PartialObjects:
    """Reads the chunks of a response that is to be an object.

    Args:
        output_cls: Class of the object.
    """

    def __init__(self, output_cls: type[BaseModel]) -> None:
        self._output_cls = output_cls
        self._kinds: dict[type[BaseModel], _PartialKind] = {}
        self._json = PartialJson()
        self._started = False
        self._before = ""  # text in which the object has not started yet
        self._last: Any = None

    def read(self, chunk: ChatResponse) -> FlexibleModel | None:
        """Return the object so far; None when the chunk adds nothing to it."""
        value = self._value_of(chunk)
        if not isinstance(value, dict) or not value or value == self._last:
            return None
        self._last = value
        if issubclass(self._output_cls, RootModel):
            return None
        return self._build(self._output_cls, value)

    def _value_of(self, chunk: ChatResponse) -> Any:
        for block in chunk.message.blocks:
            if isinstance(block, ToolCallBlock):
                return block.tool_kwargs
        if not chunk.delta:
            return None
        self._json.feed(self._of_object(chunk.delta))
        return self._json.value()

    def _of_object(self, delta: str) -> str:
        """Return the part of a piece of text that belongs to the object, without words before."""
        if self._started:
            return delta
        self._before += delta
        text = self._before.lstrip()
        if text.startswith(START_OF_REASONING):
            text = text.partition(END_OF_REASONING)[2]
        start = text.find("{")
        self._started = start >= 0
        return text[start:] if self._started else ""

    def _build(self, model: type[BaseModel], value: Mapping[str, Any]) -> FlexibleModel:
        kind = self._kinds.get(model)
        if kind is None:
            kind = self._kinds[model] = _PartialKind(model)
        fields: dict[str, Any] = dict.fromkeys(kind.annotations)
        fields_set: set[str] = set()
        extra: dict[str, Any] = {}
        for key, item in value.items():
            name = kind.names.get(key)
            if name is None:
                extra[key] = item
            else:
                fields[name] = self._converted(kind.annotations[name], item)
                fields_set.add(name)
        return construct(kind.flexible, fields, fields_set=fields_set, extra=extra)

    def _converted(self, annotation: Any, value: Any) -> Any:
        """Return a value with partial objects in place of those that the annotation names."""
        if not isinstance(value, (dict, list)):
            return value
        annotation = _chosen(annotation, value)
        if isinstance(value, dict):
            if isinstance(annotation, type) and issubclass(annotation, BaseModel):
                is_root = issubclass(annotation, RootModel)
                return value if is_root else self._build(annotation, value)
            inner = _argument(annotation, 1, Mapping)
            return {key: self._converted(inner, item) for key, item in value.items()}
        inner = _argument(annotation, 0, object)
        return [self._converted(inner, item) for item in value]


class _PartialKind:
    """The partial form of a class.

    Attributes:
        flexible: The class of its partial objects.
        annotations: The annotation of each field.
        names: The field's name by every name that stands for it in JSON.
    """

    def __init__(self, model: type[BaseModel]) -> None:
        self.flexible = create_flexible_model(model)
        self.annotations = {name: info.annotation for name, info in model.model_fields.items()}
        self.names: dict[str, str] = {}
        for name, info in model.model_fields.items():
            alias = info.validation_alias
            choices = alias.choices if isinstance(alias, AliasChoices) else [alias]
            for other in (name, info.alias, *choices):
                if isinstance(other, str):
                    self.names[other] = name


def _chosen(annotation: Any, value: Any) -> Any:
    """Return the member of a union that a value belongs to; the annotation itself otherwise."""
    if get_origin(annotation) is Annotated:
        return _chosen(get_args(annotation)[0], value)
    if get_origin(annotation) not in (Union, UnionType):
        return annotation
    members = [_chosen(member, value) for member in get_args(annotation)]
    if isinstance(value, list):
        fitting = [member for member in members if get_origin(member) in (list, set, tuple)]
    else:
        fitting = [
            member
            for member in members
            if (isinstance(member, type) and issubclass(member, BaseModel))
            or get_origin(member) is dict
        ]
    return fitting[0] if len(fitting) == 1 else None


def _argument(annotation: Any, position: int, kind: type) -> Any:
    """Return the annotation of a container's items; None where it is not known."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if not isinstance(origin, type) or not issubclass(origin, kind):
        return None
    return arguments[position] if position < len(arguments) else None
