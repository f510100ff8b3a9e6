"""Lists every parameter of the adapters' classes in the reference, inherited ones too.

The parameters of a pydantic class are its fields, which may belong to a base class of
the framework. The reference shows them as a constructor's signature, with type, default
and meaning.
"""

from __future__ import annotations

import ast
import enum
import functools
import importlib
import inspect
import re
import textwrap
import types
import typing
from pathlib import Path
from typing import Any

import griffe
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from runcrate_core import Runcrate

if typing.TYPE_CHECKING:
    from pydantic.fields import FieldInfo

ADAPTERS = ("langchain_runcrate", "llamaindex_runcrate")
# Fields with two names are shown under the one that the frameworks' users know.
PREFERRED_ALIASES = {"model", "base_url", "timeout"}
MAX_DEFAULT_LENGTH = 60
# The meaning of fields that their framework does not describe.
UNDESCRIBED = {
    "callback_manager": "Callbacks of LlamaIndex that are notified of each event.",
    "callbacks": "Callbacks of LangChain that are notified of each run.",
    "pydantic_program_mode": "Ignored: `structured_output` decides.",
    "name": "Name of the model in traces.",
}
# Defaults that are functions, as a reader would write them.
COMPUTED = {
    "api_key": "$RUNCRATE_API_KEY",
    "api_base": "$RUNCRATE_API_BASE",
    "base_url": "$RUNCRATE_API_BASE",
    "output_version": "$LC_OUTPUT_VERSION",
    "verbose": "langchain.globals.get_verbose()",
    "callback_manager": "CallbackManager()",
}
KEY_ARGUMENTS = re.compile(
    r"^Key init args(?: \([\w ]+\))?:\n(?:    .*\n|\n(?=    ))+\n?", re.MULTILINE
)
# The parameters of a docstring in Google's form, and one of them.
ARGS = re.compile(r"^Args:\n(?:(?:    .*)?\n)+", re.MULTILINE)
ARGUMENT = re.compile(r"^    (\w+): ((?:.*\n)(?:     +.*\n)*)", re.MULTILINE)
QUALIFIED = re.compile(r"\b(?:\w+\.)+(?=\w)")


class Parameters(griffe.Extension):
    """Gives pydantic classes of the adapters a constructor with all parameters."""

    def on_class(
        self, *, cls: griffe.Class, loader: griffe.GriffeLoader, **_kwargs: Any
    ) -> None:
        """List the parameters of a class in its docstring."""
        del loader
        if cls.docstring is None:
            return
        match cls.path:
            case "runcrate_core.client.AsyncRuncrate":  # it takes the same arguments
                args = ARGS.search((inspect.getdoc(Runcrate) or "") + "\n")
                cls.docstring.value += f"\n\n{args[0] if args else ''}"
            case "runcrate_core.spending.limits.SpendLimits":  # a dataclass
                text = cls.docstring.value
                cls.docstring.value = text.replace("Attributes:\n", "Args:\n")
        if cls.path.partition(".")[0] in ADAPTERS:
            show_parameters(cls, cls.docstring)


def show_parameters(cls: griffe.Class, docstring: griffe.Docstring) -> None:
    """Replace the fields of an adapter's class by parameters of its constructor."""
    found = getattr(importlib.import_module(cls.module.path), cls.name, None)
    if not isinstance(found, type) or "\nAttributes:\n" in docstring.value:
        return
    if not (issubclass(found, BaseModel) and takes_fields(found)):
        show_default_values(cls, found)
        return
    fields = parameters(found)
    for name in found.model_fields:
        if name in cls.members:
            del cls.members[name]
    cls.set_member("__init__", constructor(cls, fields))
    text = KEY_ARGUMENTS.sub("", docstring.value + "\n").rstrip() + "\n"
    args = ARGS.search(text)
    written = dict(ARGUMENT.findall(args[0])) if args else {}
    listed = "".join(
        f"    {name}: {one_line(written.get(name)) or described(found, name, field)}\n"
        for name, field in fields.items()
    )
    docstring.value = f"{ARGS.sub('', text).rstrip()}\n\nArgs:\n{listed}"


def one_line(text: str | None) -> str:
    """Return the first paragraph of a text in one line."""
    return " ".join((text or "").strip().split("\n\n")[0].split())


def show_default_values(cls: griffe.Class, found: type) -> None:
    """Show the values of a constructor's defaults instead of the constants' names."""
    function = cls.members.get("__init__")
    if not isinstance(function, griffe.Function):
        return
    signature = inspect.signature(found.__init__)  # type: ignore[misc] # of the class, as it is written
    for name, parameter in signature.parameters.items():
        if (
            parameter.default is not inspect.Parameter.empty
            and name in function.parameters
        ):
            function.parameters[name].default = value_text(parameter.default)


def takes_fields(found: type[BaseModel]) -> bool:
    """Return whether the constructor's parameters are the fields of the class."""
    if not found.model_fields:
        return False
    own = vars(found).get("__init__")
    if own is None:
        return True
    kinds = {parameter.kind for parameter in inspect.signature(own).parameters.values()}
    return inspect.Parameter.VAR_KEYWORD in kinds


def parameters(found: type[BaseModel]) -> dict[str, FieldInfo]:
    """Return the fields by their documented name, required and own ones first."""
    own, inherited = {}, {}
    for name, field in found.model_fields.items():
        if field.init is False:
            continue
        home = owner(found, name).__module__.partition(".")[0]
        shown = field.alias if field.alias in PREFERRED_ALIASES else name
        (own if home in ADAPTERS else inherited)[shown] = field
    ordered = {**own, **inherited}
    return dict(sorted(ordered.items(), key=lambda item: not item[1].is_required()))


def owner(found: type, name: str) -> type:
    """Return the class that declares a field last."""
    return next(
        base for base in found.__mro__ if name in vars(base).get("__annotations__", {})
    )


def described(found: type[BaseModel], shown: str, field: FieldInfo) -> str:
    """Return the meaning of a parameter, in one line."""
    name = next(it for it, other in found.model_fields.items() if other is field)
    for base in found.__mro__:
        text = attribute_docstrings(base).get(name)
        if text:
            break
    else:
        text = field.description or UNDESCRIBED.get(name, "")
    meaning = one_line(text)
    others = sorted({name, field.alias or name} - {shown})
    return " ".join([meaning, *(f"Also accepted as `{other}`." for other in others)])


@functools.cache
def attribute_docstrings(found: type) -> dict[str, str]:
    """Return the strings that follow the fields of a class in its source."""
    try:
        (definition,) = ast.parse(textwrap.dedent(inspect.getsource(found))).body
    except (
        OSError,
        TypeError,
        SyntaxError,
    ):  # a class without source, such as `object`
        return {}
    texts: dict[str, str] = {}
    if not isinstance(definition, ast.ClassDef):
        return texts
    for field, text in zip(definition.body, definition.body[1:], strict=False):
        match field, text:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str() as docstring)),
            ):
                texts[name] = docstring
    return texts


def constructor(cls: griffe.Class, fields: dict[str, FieldInfo]) -> griffe.Function:
    """Return the constructor that takes the fields as keyword arguments."""
    function = griffe.Function("__init__", parent=cls, lineno=1, endlineno=1)
    docstring = griffe.Docstring("", parent=function, parser="google")
    function.parameters = griffe.Parameters(
        griffe.Parameter("self", kind=griffe.ParameterKind.positional_or_keyword),
        *(
            griffe.Parameter(
                name,
                annotation=griffe.parse_docstring_annotation(
                    type_text(field.annotation), docstring
                ),
                kind=griffe.ParameterKind.keyword_only,
                default=default_of(name, field),
            )
            for name, field in fields.items()
        ),
    )
    return function


def type_text(annotation: Any) -> str:
    """Return a type as a reader writes it: without modules, unions with `|`."""
    if annotation is type(None):
        return "None"
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return " | ".join(type_text(part) for part in typing.get_args(annotation))
    if isinstance(annotation, type) and not typing.get_args(annotation):
        return annotation.__name__
    return QUALIFIED.sub("", str(annotation))


def default_of(name: str, field: FieldInfo) -> str | None:
    """Return a default as a reader writes it."""
    if field.is_required():
        return None
    if field.default_factory is dict:
        return "{}"
    if field.default_factory is not None or field.default is PydanticUndefined:
        factory = field.default_factory
        return (
            COMPUTED[name]
            if name in COMPUTED or factory is None
            else f"{factory.__name__}()"
        )
    return value_text(field.default)


def value_text(value: Any) -> str:
    """Return a value as a reader writes it."""
    match value:
        case enum.Enum():
            return str(value)
        case Path():
            return f"Path({str(value)!r})"
        case type() | types.FunctionType():
            return value.__name__
    text = repr(value)
    return text if len(text) <= MAX_DEFAULT_LENGTH else "..."
