"""Shows the methods of the client in the reference as users call them.

A namespace of the client names its methods as `create = endpoint(create)`. The
reference shows them as functions, with the signature that `inspect.signature` gives.
"""

from __future__ import annotations

import importlib
import inspect
import re
from typing import Any

import griffe

from runcrate_core.api.resources import AsyncResource, Method, SyncResource

# Where a fact comes from is of interest to those who read the source.
SOURCE_OF_A_FACT = re.compile(r"\s*\(seed \d+[^)]*\)|,? \bseed \d+\b")
# The form of LangChain's class docstrings, which is no section of Google's form.
KEY_ARGUMENTS = re.compile(
    r"^Key init args \((\w+) params\):\n((?:    .*\n)+)", re.MULTILINE
)
ARGUMENT = re.compile(r"^    (\w+): ", re.MULTILINE)


class ClientMethods(griffe.Extension):
    """Replaces the descriptors of namespaces by the functions that they stand for."""

    def on_class(
        self, *, cls: griffe.Class, loader: griffe.GriffeLoader, **_kwargs: Any
    ) -> None:
        """Show the methods of a namespace of the client."""
        del loader
        if not cls.path.startswith("runcrate_core.api."):
            return
        found = getattr(importlib.import_module(cls.module.path), cls.name, None)
        if not (
            isinstance(found, type) and issubclass(found, (SyncResource, AsyncResource))
        ):
            return
        cls.docstring = None  # the page's heading says it
        for name, method in vars(found).items():
            if isinstance(method, Method):
                cls.set_member(name, shown(name, method, cls))

    def on_object(
        self, *, obj: griffe.Object, loader: griffe.GriffeLoader, **_kwargs: Any
    ) -> None:
        """Leave the sources of facts to the source; list key arguments."""
        del loader
        if obj.docstring is not None:
            text = SOURCE_OF_A_FACT.sub("", obj.docstring.value)
            obj.docstring.value = KEY_ARGUMENTS.sub(as_list, text)


def as_list(found: re.Match[str]) -> str:
    """Return a block of key arguments as a note with a list."""
    return f"Key arguments of the {found[1]}:\n" + ARGUMENT.sub(
        r"    - `\1`: ", found[2]
    )


def shown(name: str, method: Method, owner: griffe.Class) -> griffe.Function:
    """Return the function that a descriptor stands for."""
    function = griffe.Function(name, parent=owner, lineno=1, endlineno=1)
    text = inspect.cleandoc(method.__doc__ or "")
    docstring = griffe.Docstring(text, parent=function, parser="google")

    def linked(annotation: Any) -> str | griffe.Expr | None:
        if annotation is inspect.Parameter.empty:
            return None
        return griffe.parse_docstring_annotation(str(annotation), docstring)

    signature = method._signature  # noqa: SLF001 - what `inspect.signature` shows of a bound method
    function.parameters = griffe.Parameters(
        *(
            griffe.Parameter(
                parameter.name,
                annotation=linked(parameter.annotation),
                kind=griffe.ParameterKind[parameter.kind.name.lower()],
                default=default_of(parameter),
            )
            for parameter in signature.parameters.values()
        )
    )
    function.returns = linked(signature.return_annotation)
    function.docstring = docstring
    return function


def default_of(parameter: inspect.Parameter) -> str | None:
    """Return how a default is written; an option that is not sent has `...`."""
    if parameter.default is inspect.Parameter.empty:
        variadic = {
            inspect.Parameter.VAR_POSITIONAL: "()",
            inspect.Parameter.VAR_KEYWORD: "{}",
        }
        return variadic.get(parameter.kind)
    return "..." if parameter.default is ... else repr(parameter.default)
