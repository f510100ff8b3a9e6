"""The site is built without a warning, and its reference is complete."""

from __future__ import annotations

import html
import importlib
import inspect
import os
import re
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from workflows.events import Event

from langchain_runcrate import RuncrateToolkit
from runcrate_core import Runcrate, SpendLimits, __version__
from runcrate_core.api.resources import Method, SyncResource
from tests.repository import FACES, ROOT

ADAPTERS = ("langchain_runcrate", "llamaindex_runcrate")
INVENTORY_HEADER_LINES = 4
# Classes that a method returns, and that users do not construct.
RETURNED = {"LaunchedSandbox", "RuncrateServedModel"}
DASH = "\u2013"  # stands between a parameter and its meaning


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The documentation, built as `make docs` does: a broken link is an error."""
    folder = tmp_path_factory.mktemp("site")
    # A build ends soon enough without collecting garbage, and in a third less time.
    program = "import gc; gc.disable(); from mkdocs.__main__ import cli; cli()"
    options = ("build", "--strict", "--quiet", "-d", str(folder))
    command = (sys.executable, "-c", program, *options)
    quiet = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    built = subprocess.run(
        command, cwd=ROOT, env=quiet, capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stderr
    return folder


@pytest.fixture(scope="module")
def documented(site: Path) -> set[str]:
    """The paths of all objects that stand in the reference."""
    data = (site / "objects.inv").read_bytes()
    *_, packed = data.split(b"\n", INVENTORY_HEADER_LINES)
    return {line.split(" ")[0] for line in zlib.decompress(packed).decode().splitlines()}


@pytest.mark.parametrize("package", FACES)
def test_every_public_name_is_in_the_reference(package, documented):
    names = [name for name in importlib.import_module(package).__all__ if name[0] != "_"]
    assert names
    assert [name for name in names if f"{package}.{name}" not in documented] == []


def methods(resource: SyncResource) -> Iterator[str]:
    """The paths of the methods of a namespace, and of the namespaces in it."""
    owner = type(resource)
    for name in dir(owner):
        if isinstance(vars(owner).get(name), Method):
            yield f"{owner.__module__}.{owner.__qualname__}.{name}"
        elif not name.startswith("_") and isinstance(
            inner := getattr(resource, name), SyncResource
        ):
            yield from methods(inner)


def test_every_method_of_the_client_is_in_the_reference(documented):
    with Runcrate("rc_live_test") as client:
        namespaces = [getattr(client, name) for name in dir(client) if name[0] != "_"]
        found = [path for it in namespaces if isinstance(it, SyncResource) for path in methods(it)]
    assert len(found) > 60
    assert [path for path in found if path not in documented] == []


def test_a_promise_links_to_the_source_of_its_test(site):
    promises = (site / "help/reliability/index.html").read_text()
    sources = (site / "help/promised_tests/index.html").read_text()
    linked = re.findall(r'href="../promised_tests/#(\w+)"', promises)
    assert len(linked) > 20
    assert [name for name in linked if f'id="{name}"' not in sources] == []


def test_the_site_needs_no_other_host(site):
    loaded = re.compile(r'<(?:script|img|link)[^>]+(?:src|href)="https?://')
    assert [str(page) for page in site.rglob("*.html") if loaded.search(page.read_text())] == []


def parameter_texts(page: str, path: str) -> dict[str, str]:
    """Return the texts of the parameters that the reference lists under an object, by name."""
    start = page.index(f'id="{path}"')
    listing = page[start:].split("Parameters:</span>", 1)[1].split("</ul>", 1)[0]
    items = re.findall(r"<b><code>(\w+)</code></b>(.*?)</li>", listing, re.DOTALL)
    return {name: html.unescape(re.sub(r"<[^>]+>", " ", text)) for name, text in items}


def constructed() -> Iterator[tuple[str, str]]:
    """Yield the page and the path of each public class that users construct."""
    for package in ADAPTERS:
        module = importlib.import_module(package)
        for name in module.__all__:
            found = getattr(module, name)
            if isinstance(found, type) and not issubclass(found, (Exception, Event)):
                if name in RETURNED:
                    continue
                yield package.removesuffix("_runcrate"), f"{package}.{name}"
    yield "core", "runcrate_core.Runcrate"
    yield "core", "runcrate_core.AsyncRuncrate"
    yield "spending", "runcrate_core.SpendLimits"
    yield "mcp", "runcrate_mcp.ServerSettings"
    yield "emulator", "runcrate_emulator.Emulator"


def parameters_of(found: type) -> dict[str, set[str]]:
    """Return the names of each parameter: two, where a field has an alias."""
    fields: dict[str, Any] = getattr(found, "model_fields", {})
    if fields:
        return {name: {name, field.alias} for name, field in fields.items()}
    return {name: {name} for name in inspect.signature(found).parameters}


@pytest.mark.parametrize(("page", "path"), list(constructed()))
def test_every_parameter_is_in_the_reference(site, page, path):
    """Each with its meaning, and its default unless it is required."""
    package, _, name = path.rpartition(".")
    found = getattr(importlib.import_module(package), name)
    texts = parameter_texts((site / f"reference/{page}/index.html").read_text(), path)
    names = parameters_of(found)
    assert names
    assert [name for name, known in names.items() if not known & texts.keys()] == []
    assert [name for name, text in texts.items() if not text.partition(DASH)[2].strip()] == []
    optional = {
        name
        for name, parameter in inspect.signature(found).parameters.items()
        if parameter.default is not inspect.Parameter.empty
    }
    without_default = {name for name, text in texts.items() if "default:" not in text}
    assert without_default & optional == set()


def test_every_argument_of_a_tool_is_in_the_reference(site):
    page = (site / "reference/agent_tools/index.html").read_text()
    with Runcrate("rc_live_test") as client:
        tools = RuncrateToolkit(client, limits=SpendLimits()).get_tools()
    assert len(tools) > 20
    for tool in tools:
        section = page.split(f'id="{tool.name}"', 1)[1].split("<h3", 1)[0]
        for name in tool.args:
            row = re.search(rf"<code>{name}</code></td>(.*?)</tr>", section, re.DOTALL)
            assert row is not None, (tool.name, name)
            meaning = re.sub(r"<[^>]+>", "", row[1].rpartition("<td>")[2]).strip()
            assert meaning, (tool.name, name)


def test_the_site_has_changelog_and_version(site):
    assert "Unreleased" in (site / "changelog/index.html").read_text()
    assert f"runcrate-integrations {__version__}" in (site / "index.html").read_text()
