"""Each example, and the demo, runs on the emulator without a key and prints what it promises."""

from __future__ import annotations

import importlib
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.garbage import collected
from tests.llamaindex.ignored_warnings import IGNORED_WARNINGS
from tests.repository import ROOT

pytestmark = IGNORED_WARNINGS

FOLDER = ROOT / "examples"
NO_EXAMPLES = {"__init__", "__main__", "service"}
# Those that `make demo` runs, one after the other on one emulator.
DEMO = ("langchain_agent", "llamaindex_rag", "gpu_agent", "train_on_instance")
# The time that an instance ran depends on this computer.
COST = re.compile(r"\d+\.\d\d USD")
# What must be found in the output, in this order.
PRINTED = {
    "gpu_agent": ["Agent: runcrate_launch_instance", "Ledger: ", "Running now: nothing"],
    "illustrate_post": [
        "Text: ",
        "Generated 1 image",
        "Generated 1 audio file",
        "Generated 1 video",
        "post.md",
    ],
    "langchain_agent": [
        "has 80 GB of memory",
        "Agent: calls gigabytes_needed",
        "Tool:  70",
        "tokens in",
    ],
    "llamaindex_citations": [
        r"Read field_rules.md, radio.md, technical_manual.pdf: \d+ passages",
        r"320 kilowatt hours.*\[1\]",
        r"Source:   \[1\] technical_manual.pdf, page 1",
        r"90 minutes late is searched for.*\[1\]",
        r"Source:   \[1\] field_rules.md",
        r"11 litres.*\[1\]",
        r"Source:   \[1\] technical_manual.pdf, page 2",
        "And where is its number\\?\nModel: .*on the case",
        "Channel 3",
        "The memory holds 6 messages",
        *["faithful: yes, relevant: yes"] * 3,
        "900 kilowatt hours.*\n.*faithful: no",
    ],
    "llamaindex_gpu_workflow": [
        "Agent:  runcrate_plan_instance",
        "Asked:  Launch agent-long.* for at most 60 minutes",
        "Answer: no",
        "A person refused `runcrate_launch_instance` and said: 'no, an hour is too long'",
        "Asked:  Launch agent-short",
        "Answer: yes",
        r"\.\.\. running",
        "Asked:  Terminate the instance",
        "Answer: yes",
        "Ledger: instance agent-short-.*: ended",
        "Nothing was left running",
        "Running now: nothing",
    ],
    "llamaindex_rag": [
        "`RUNCRATE_API_KEY` holds",
        "Source:   README.md",
        "the instance up by name",
    ],
    "train_on_instance": [
        "Launching agent-.* A100",
        "Deep agent: .*the weight is 3",
        r'Downloaded: {"weight": 3.0}',
        "Ledger: instance agent-.*",
        "LangChain agent: .*the weight is 3",
        "LlamaIndex agent: .*the weight is 3",
        "Running now: nothing",
    ],
    "searchable_recordings": [
        "Transcribed 12 sentences of 3",
        "forty thousand",
        "Source:   budget-meeting",
    ],
}


@pytest.fixture(autouse=True)
def _elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, short_waits: None
) -> Iterator[None]:
    """Examples find no key, no arguments and nobody at the terminal; their files go elsewhere."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RUNCRATE_API_KEY")
    monkeypatch.setattr(sys, "argv", ["example"])
    with collected():
        yield
        left = {name for name in os.environ if name.startswith("RUNCRATE_")}
        assert left == {"RUNCRATE_STATE_DIR"}  # set for every test


def found_in_order(patterns: list[str], text: str) -> list[str]:
    """Return the patterns from the first that is not found where it must be."""
    at = 0
    for number, pattern in enumerate(patterns):
        found = re.compile(pattern).search(text, at)
        if found is None:
            return patterns[number:]
        at = found.end()
    return []


@pytest.mark.parametrize("name", [name for name in PRINTED if name not in DEMO])
def test_an_example_prints_what_it_promises(name, capsys):
    importlib.import_module(f"examples.{name}").main()
    printed = capsys.readouterr().out
    assert found_in_order(PRINTED[name], printed) == [], printed
    assert "a simulated reply" not in printed


def test_the_demo_prints_what_the_readme_and_its_examples_promise(capsys):
    story = re.search(
        r"`make demo` .*?```text\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL
    )
    assert story is not None
    importlib.import_module("examples.__main__").main()
    printed = capsys.readouterr().out
    lines = iter(printed.splitlines())
    for line in COST.sub("...", story[1]).splitlines():
        if line.strip() == "... pending":
            continue  # on a busy computer the instance may run before it is looked at
        wanted = re.compile(".*".join(re.escape(part) for part in line.split("...")))
        assert any(wanted.fullmatch(given) for given in lines), f"{line!r} in {printed}"
    _, *parts = re.split(r"^=== ", printed, flags=re.MULTILINE)
    for name, part in zip(DEMO, parts, strict=True):
        assert found_in_order(PRINTED[name], part) == [], part
        assert "a simulated reply" not in part


def test_every_example_is_run():
    assert {path.stem for path in FOLDER.glob("*.py")} - NO_EXAMPLES == set(PRINTED)


def run_citations(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["example", *arguments])
    importlib.import_module("examples.llamaindex_citations").main()


def test_citations_of_a_directory_of_one_s_own(tmp_path, monkeypatch, capsys):
    (tmp_path / "own.md").write_text("The battery holds 7 kilowatt hours.")
    (tmp_path / "photo.png").write_bytes(b"not read")
    run_citations(monkeypatch, str(tmp_path), "--ask", "How much does the battery hold?")
    printed = capsys.readouterr().out
    assert "Read own.md: 1 passages." in printed
    assert "Question: How much does the battery hold?" in printed
    assert "Source:   [1] own.md" in printed
    assert "satellite" not in printed
    run_citations(monkeypatch, str(tmp_path))
    assert "Question: What are these documents about?" in capsys.readouterr().out


def test_citations_without_files_and_help(tmp_path, monkeypatch, capsys):
    with pytest.raises(SystemExit, match="2"):
        run_citations(monkeypatch, str(tmp_path / "nothing"))
    assert "has no PDF or Markdown file" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="0"):
        run_citations(monkeypatch, "--help")
    assert "--ask QUESTION" in capsys.readouterr().out
