"""Lazy exports: public names of a package that are imported on first use (PEP 562)."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple


class Extra(NamedTuple):
    """The optional dependency that a package's names need.

    Attributes:
        module: Import name, for example `langchain_core`.
        name: Name for people, for example `LangChain`.
        extra: Extra of the distribution that installs it.
    """

    module: str
    name: str
    extra: str


def lazy_exports(
    package: str,
    modules: Mapping[str, tuple[str, ...]],
    *,
    present: tuple[str, ...] = (),
    into: str | None = None,
    extra: Extra | tuple[Extra, ...] = (),
) -> tuple[list[str], Callable[[str], Any], Callable[[], list[str]]]:
    """Return `__all__`, `__getattr__` and `__dir__` for a module whose names load on first use.

    Args:
        package: Package that holds the modules.
        modules: Public names by module, relative to the package.
        present: Public names that are there already.
        into: Module that gets the names; the package by default.
        extra: Optional dependencies that names need.

    Raises:
        AttributeError: From `__getattr__`, for a name that is not public.
        ModuleNotFoundError: From `__getattr__`, when the extra is not installed; the message says
            what to install.
    """
    home = {name: module for module, names in modules.items() for name in names}
    public = sorted([*home, *present])
    target = into or package
    extras = {item.module: item for item in ((extra,) if isinstance(extra, Extra) else extra)}

    def load(name: str) -> Any:
        if name not in home:
            raise AttributeError(f"module {target!r} has no attribute {name!r}")
        try:
            value = getattr(importlib.import_module(f"{package}.{home[name]}"), name)
        except ModuleNotFoundError as error:
            missing = extras.get((error.name or "").partition(".")[0])
            if missing is None:
                raise
            advice = f"{missing.name} is not installed. Run: pip install {_quoted(missing.extra)}"
            raise ModuleNotFoundError(advice, name=missing.module) from None
        setattr(sys.modules[target], name, value)
        return value

    def names() -> list[str]:
        return public

    return public, load, names


def _quoted(extra: str) -> str:
    return f'"runcrate-integrations[{extra}]"'
