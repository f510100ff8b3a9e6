"""The site is built without a warning, and its reference is complete."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from runcrate_core import Runcrate
from runcrate_core.io.endpoint import Method, SyncResource

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent
PACKAGES = ("runcrate_core", "langchain_runcrate", "llamaindex_runcrate", "runcrate_emulator")
INVENTORY_HEADER_LINES = 4


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The documentation, built as `make docs` does: a broken link is an error."""
    folder = tmp_path_factory.mktemp("site")
    command = (sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-d", str(folder))
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


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_name_is_in_the_reference(package: str, documented: set[str]) -> None:
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


def test_every_method_of_the_client_is_in_the_reference(documented: set[str]) -> None:
    with Runcrate("rc_live_test") as client:
        namespaces = [getattr(client, name) for name in dir(client) if name[0] != "_"]
        found = [path for it in namespaces if isinstance(it, SyncResource) for path in methods(it)]
    assert len(found) > 60
    assert [path for path in found if path not in documented] == []


def test_a_promise_links_to_the_source_of_its_test(site: Path) -> None:
    promises = (site / "help/reliability/index.html").read_text()
    sources = (site / "help/promised_tests/index.html").read_text()
    linked = re.findall(r'href="../promised_tests/#(\w+)"', promises)
    assert len(linked) > 20
    assert [name for name in linked if f'id="{name}"' not in sources] == []


def test_the_site_needs_no_other_host(site: Path) -> None:
    loaded = re.compile(r'<(?:script|img|link)[^>]+(?:src|href)="https?://')
    assert [str(page) for page in site.rglob("*.html") if loaded.search(page.read_text())] == []
