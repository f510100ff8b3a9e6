"""Hints of public functions are readable at run time, as frameworks and editors do it."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from typing import Any, get_type_hints

import pytest

from tests.repository import FACES, PACKAGES

# They name a class of a module that imports theirs, or that needs an extra.
NOT_LOADED = {
    "runcrate_emulator.emulator.Emulator.ssh",
    "runcrate_core.media_tools.tool.MediaTool.__init__",
    "runcrate_core.sync_async_clients.SyncAsyncClients.changed",
}


def functions_of(kind: type) -> Iterator[tuple[str, Any]]:
    """Yield the public functions of a class, those of base classes of these packages included."""
    for base in kind.__mro__:
        if base.__module__.partition(".")[0] not in PACKAGES:
            continue
        for name, member in vars(base).items():
            if name.startswith("_") and name != "__init__":
                continue
            function = member.fget if isinstance(member, property) else member
            function = getattr(function, "__func__", function)  # of class and static methods
            if not inspect.isfunction(function):
                function = getattr(function, "__wrapped__", None)  # of the core's descriptors
            if inspect.isfunction(function) and function.__module__.startswith(PACKAGES):
                yield f"{base.__module__}.{base.__name__}.{name}", function


def public_functions(face: str) -> dict[str, Any]:
    module = importlib.import_module(face)
    found: dict[str, Any] = {}
    for name in module.__all__:
        member = getattr(module, name)
        if inspect.isclass(member):
            found |= functions_of(member)
        elif inspect.isfunction(member):
            found[f"{face}.{name}"] = member
    return found


def unreadable(function: Any) -> str | None:
    try:
        get_type_hints(function)
    except NameError as error:
        return str(error)
    return None


@pytest.mark.parametrize("face", FACES)
def test_hints_of_public_functions_can_be_read(face):
    functions = public_functions(face)
    assert functions
    problems = {name: unreadable(function) for name, function in functions.items()}
    assert {name for name, problem in problems.items() if problem} <= NOT_LOADED
