"""The direction of dependencies, read from the source."""

from __future__ import annotations

import ast
import functools
import importlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.repository import PACKAGES, ROOT, name_of

FRAMEWORKS = {
    *("langchain", "langchain_core", "langgraph", "llama_index", "mcp", "starlette", "uvicorn"),
}
MAY_NOT_IMPORT = {
    "runcrate_core": FRAMEWORKS | {*PACKAGES[1:], "openai", "runcrate", "PIL", "av"},
    "langchain_runcrate": {"llama_index", "llamaindex_runcrate", "runcrate_emulator", "httpx"},
    "llamaindex_runcrate": {"langchain_core", "langchain_runcrate", "runcrate_emulator", "httpx"},
    "runcrate_mcp": {*PACKAGES[1:4], "langchain_core", "llama_index", "httpx"},
    "runcrate_emulator": {
        *(*PACKAGES[:3], "runcrate_mcp", "mcp", "langchain_core", "llama_index"),
        *("openai", "runcrate"),
    },
}


IO_MODULES = {"socket", "asyncio", "httpx", "subprocess", "urllib.request"}


@functools.cache
def imports(path: Path) -> list[str]:
    """Every module a file imports, wherever in it."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    modules = [node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module]
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    return modules + names


def importing(directory: str, is_meant: Callable[[str], bool]) -> dict[str, list[str]]:
    """The imports of the files in a directory that are meant, by file."""
    paths = sorted((ROOT / directory).rglob("*.py"))
    meant = {name_of(path): list(filter(is_meant, imports(path))) for path in paths}
    return {name: modules for name, modules in meant.items() if modules}


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_imports_only_what_is_below_it(package):
    forbidden = MAY_NOT_IMPORT[package]
    assert importing(package, lambda module: module.partition(".")[0] in forbidden) == {}


def test_one_module_of_the_core_knows_the_http_library():
    users = importing("runcrate_core", lambda module: module.partition(".")[0] == "httpx")
    assert list(users) == ["runcrate_core/io/httpx_adapter.py"]


@pytest.mark.parametrize("package", ["langchain_runcrate", "llamaindex_runcrate", "runcrate_mcp"])
def test_an_adapter_imports_only_from_the_two_faces_of_the_core(package):
    def is_inside(module: str) -> bool:
        return module.startswith("runcrate_core.") and module != "runcrate_core.toolkit"

    assert importing(package, is_inside) == {}


@pytest.mark.parametrize(
    "face", ["runcrate_core", "runcrate_core.toolkit", "langchain_runcrate", "llamaindex_runcrate"]
)
def test_type_checkers_see_the_names_that_load_on_first_use(face):
    module = importlib.import_module(face)
    assert module.__file__ is not None
    stub = ast.parse(Path(module.__file__).with_suffix(".pyi").read_text())
    homes = {
        alias.name: node.module
        for node in stub.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert sorted(homes) == module.__all__
    for name, home in homes.items():
        assert getattr(importlib.import_module(str(home)), name) is getattr(module, name)


def test_decisions_do_no_input_or_output():
    def does_io(module: str) -> bool:
        return module in IO_MODULES or module.startswith("runcrate_core.io")

    assert importing("runcrate_core/protocol", does_io) == {}


@pytest.mark.parametrize("package", PACKAGES)
def test_importing_a_package_loads_no_framework_it_does_not_need(package):
    code = f"import sys, {package}; print(*(name for name in sys.modules if '.' not in name))"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    loaded = set(result.stdout.split())
    assert not loaded & {"openai", "runcrate", "av", "PIL", "tqdm"}
    assert not loaded & (MAY_NOT_IMPORT[package] - {"httpx"})


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_are_typed(package):
    assert (ROOT / package / "py.typed").exists()
