"""Documentation blocks run as printed, in an empty directory, and print what the page shows.

`UPDATE_DOCS=1 pytest tests/test_docs.py` writes what blocks print into the pages.
`python tools/docs_blocks.py` runs the pages as a reader does, each in a process of its own.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runcrate_emulator import Emulator
from tests.garbage import collected
from tests.repository import ROOT, name_of
from tools.docs_blocks import PAGES, blocks, matches, requirements

UPDATE = os.environ.get("UPDATE_DOCS") == "1"
# Emulated seconds per second: instances start, and videos are generated, in fractions of one.
CLOCK_SPEED = 600.0
MAX_NOT_EXECUTED = 8


def run(code: str, page: str, names: dict[str, Any]) -> str:
    """Execute a block and return what it prints."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, page, "exec", dont_inherit=True), names)  # noqa: S102 - our own documentation
    return printed.getvalue()


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with Emulator(clock_speed=CLOCK_SPEED, ssh=True) as running:
        yield running


@pytest.fixture
def names(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, short_waits: None
) -> Iterator[dict[str, Any]]:
    """The namespace of a page, which begins empty, in an empty directory, with short waits."""
    emulator.reset()
    for name in [name for name in os.environ if name.startswith("RUNCRATE_")]:
        monkeypatch.delenv(name)
    for name, value in emulator.environment_variables().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("RUNCRATE_STATE_DIR", str(tmp_path / "state"))
    # The worker processes of a cluster share what they import.
    monkeypatch.setenv("DASK_DISTRIBUTED__WORKER__MULTIPROCESSING_METHOD", "forkserver")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "__main__"}
    with collected():
        yield names
        names.clear()
        if (llama_index := sys.modules.get("llama_index.core")) is not None:
            llama_index.Settings._llm = llama_index.Settings._embed_model = None  # set by a page
    assert emulator.crashes == []


WITH_CODE = [page for page in PAGES if "```python" in page.read_text()]


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("page", WITH_CODE, ids=name_of)
def test_blocks_run_and_print_what_the_page_shows(page, names, emulator):
    text = page.read_text()
    corrected: list[tuple[tuple[int, int], str]] = []
    for block in blocks(text):
        place = f"{name_of(page)}:{block.line}"
        if block.reason is not None:
            compile(block.code, place, "exec")
            continue
        try:
            printed = run(block.code, place, names)
        except Exception as error:
            printed = f"{type(error).__name__}: {error}\n"
            if block.prints is None:
                error.add_note(f"in the block at {place}")
                raise
        if block.prints is not None and not matches(block.prints, printed):
            assert UPDATE, f"{place} prints:\n{printed}\nand not:\n{block.prints}"
            shown = textwrap.indent(printed.rstrip() + "\n", block.indent)
            corrected.append((block.prints_span, shown))
    for (start, end), shown in reversed(corrected):
        text = text[:start] + shown + text[end:]
    if corrected:
        page.write_text(text)
    for name, value in list(names.items()):
        if name.startswith("test_"):  # a page about tests: pytest would run these
            emulator.reset()
            value(emulator)


def test_few_blocks_are_not_executed():
    skipped = [block for page in PAGES for block in blocks(page.read_text()) if block.reason]
    assert len(skipped) <= MAX_NOT_EXECUTED


@pytest.mark.parametrize("page", WITH_CODE, ids=name_of)
def test_a_page_names_the_packages_that_its_blocks_import(page):
    """The `pip install` lines of a page cover its imports, as far as extras go."""
    code = "\n".join(block.code for block in blocks(page.read_text()) if block.reason is None)
    named = " ".join(requirements(page))
    needed = {
        "langchain_runcrate": r"\[(all|.*langchain)",
        "llamaindex_runcrate": r"\[(all|.*llamaindex)",
        "runcrate_emulator": r"\[(all|.*emulator)",
        "runcrate_core": r"runcrate-integrations",
        "langchain": r"(?<!-)\blangchain\b(?!,|\])",
    }
    missing = [
        package
        for package, pattern in needed.items()
        if re.search(rf"^ *(from|import) {package}\b", code, re.MULTILINE)
        and not re.search(pattern, named)
    ]
    assert missing == []


def test_every_mistake_has_a_message_of_its_own():
    text = (ROOT / "docs/help/troubleshooting.md").read_text()
    shown = [block.prints for block in blocks(text) if block.prints]
    numbered = re.findall(r"^### \d+\.", text, re.MULTILINE)
    assert len(set(shown)) == len(shown) == len(numbered) == 20


def test_the_architecture_names_files_and_functions_that_exist():
    text = (ROOT / "docs/architecture.md").read_text().split("## Three walks", 1)[1]
    text = text.split("## Retries", 1)[0]
    paths = re.findall(r"`((?:\w+/)+\w+\.py)`", text)
    assert len(paths) > 12
    homes = [ROOT, ROOT / "runcrate_core"]
    sources = [next(home / path for home in homes if (home / path).exists()) for path in paths]
    source = "\n".join(path.read_text() for path in sources)
    named = re.findall(r"`([A-Z]\w+|\w+_\w+|[A-Z]\w+\.\w+)`", text)
    assert len(named) > 25
    missing = [name for name in named if name.rpartition(".")[2] not in source]
    assert missing == []
