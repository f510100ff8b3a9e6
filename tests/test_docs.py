"""The documentation is true: its Python blocks run on the emulator and print what it says.

`UPDATE_DOCS=1 pytest tests/test_docs.py` writes what blocks print into the pages.
"""

from __future__ import annotations

import ast
import asyncio
import contextlib
import gc
import inspect
import io
import os
import re
import shutil
import sys
import textwrap
import time
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from runcrate_core import Runcrate
from runcrate_emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
UPDATE = os.environ.get("UPDATE_DOCS") == "1"
# Emulated seconds a second: machines start, and films are made, in fractions of one.
CLOCK_SPEED = 600.0

FENCE = re.compile(
    r"<!-- setup\n(?P<setup>.*?)-->"  # is executed and not shown
    r"|(?P<mark><!-- not executed: (?P<reason>[^>]+?) -->\n+)?"
    r"^(?P<indent> *)```python[^\n]*\n(?P<code>.*?)^ *```\n"
    r"(?:\n* *```text\n(?P<prints>.*?)^ *```\n)?",
    re.DOTALL | re.MULTILINE,
)
TEST_NAME = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


@dataclass(frozen=True)
class Block:
    """One Python block: where it stands, its code, and what it is said to print."""

    line: int
    code: str
    reason: str | None
    indent: str
    prints: str | None
    prints_span: tuple[int, int]


def blocks(text: str) -> Iterator[Block]:
    for found in FENCE.finditer(text):
        code = found["setup"] if found["setup"] is not None else textwrap.dedent(found["code"])
        prints = found["prints"]
        yield Block(
            line=text.count("\n", 0, found.start()) + 1,
            code=code,
            reason=found["reason"],
            indent=found["indent"] or "",
            prints=None if prints is None else textwrap.dedent(prints),
            prints_span=found.span("prints"),
        )


def run(code: str, page: str, names: dict[str, Any], loop: asyncio.Runner) -> str:
    """Execute a block and return what it prints; the error that ends it is printed as well."""
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    compiled = compile(code, page, "exec", flags=flags, dont_inherit=True)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        made = eval(compiled, names)  # noqa: S307 - our own documentation
        if inspect.iscoroutine(made):
            loop.run(made)
    return printed.getvalue()


def matches(prints: str, printed: str) -> bool:
    """`...` in what a page says stands for anything."""
    pattern = ".*".join(map(re.escape, prints.strip().split("...")))
    return re.fullmatch(pattern, printed.strip(), re.DOTALL) is not None


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with Emulator(clock_speed=CLOCK_SPEED) as running:
        yield running


@pytest.fixture(scope="module")
def files(emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What pages take for granted: a picture and recordings."""
    folder = tmp_path_factory.mktemp("files")
    (folder / "recordings").mkdir()
    Image.new("RGB", (256, 256), "darkgreen").save(folder / "picture.png")
    said = {
        "meeting.mp3": "We will move the training to the new cluster on Friday.",
        "recordings/monday.mp3": "The budget for GPUs is four thousand dollars.",
        "recordings/tuesday.mp3": "Anna will order the new storage volume.",
    }
    with Runcrate(
        emulator.api_key, base_url=emulator.base_url, inference_url=emulator.inference_url
    ) as client:
        for name, words in said.items():
            client.audio.speech.create(words, model="hexgrad/Kokoro-82M").save(folder / name)
    return folder


@pytest.fixture
def workshop(
    emulator: Emulator, files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dict[str, Any]]:
    """The names that a page begins with, in a folder of its own, where waits are short."""
    emulator.reset()
    for name, value in emulator.environment_variables().items():
        monkeypatch.setenv(name, value)
    shutil.copytree(files, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    quick = {name: getattr(time, name) for name in ("time", "monotonic", "perf_counter")}
    quick["sleep"] = lambda seconds: time.sleep(min(seconds, 0.02))
    monkeypatch.setattr("runcrate_core.io.driver.time", SimpleNamespace(**quick))
    names: dict[str, Any] = {"__name__": "__main__", "emulator": emulator, "os": os}
    yield names
    names.clear()
    if (llama_index := sys.modules.get("llama_index.core")) is not None:
        llama_index.Settings._llm = llama_index.Settings._embed_model = None  # set by a page
    gc.collect()  # here, where an unclosed client of a page is not a warning
    assert emulator.crashes == []


def names_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


WITH_CODE = [page for page in PAGES if "```python" in page.read_text()]


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("page", WITH_CODE, ids=names_of)
def test_blocks_run_and_print_what_the_page_says(page: Path, workshop: dict[str, Any]) -> None:
    text = page.read_text()
    corrected: list[tuple[tuple[int, int], str]] = []
    with asyncio.Runner() as loop:
        for block in blocks(text):
            if block.reason is not None:
                compile(block.code, str(page), "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
                continue
            where = f"{names_of(page)}:{block.line}"
            try:
                printed = run(block.code, where, workshop, loop)
            except Exception as error:
                printed = f"{type(error).__name__}: {error}\n"
                if block.prints is None:
                    error.add_note(f"in the block at {where}")
                    raise
            if block.prints is not None and not matches(block.prints, printed):
                assert UPDATE, f"{where} prints:\n{printed}\nand not:\n{block.prints}"
                told = textwrap.indent(printed.rstrip() + "\n", block.indent)
                corrected.append((block.prints_span, told))
    for (start, end), told in reversed(corrected):
        text = text[:start] + told + text[end:]
    if corrected:
        page.write_text(text)


def test_blocks_that_are_not_executed_are_few() -> None:
    skipped = [block for page in PAGES for block in blocks(page.read_text()) if block.reason]
    assert len(skipped) <= 8


@pytest.mark.parametrize("page", PAGES, ids=names_of)
def test_tests_that_are_named_exist(page: Path) -> None:
    for path, name in TEST_NAME.findall(page.read_text()):
        assert re.search(rf"def {name}\b", (ROOT / path).read_text()), f"{path}::{name}"


def test_every_mistake_has_its_own_answer() -> None:
    text = (ROOT / "docs/help/errors.md").read_text()
    told = [block.prints for block in blocks(text) if block.prints]
    assert len(set(told)) == len(told) == len(re.findall(r"^### \d+\.", text, re.MULTILINE)) == 20
