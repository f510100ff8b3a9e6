"""The documents and sources use the words of the field; see the glossary in CONTRIBUTING.md."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from tests.repository import PACKAGES, ROOT, name_of

# A word that engineers of this field do not use, and the one that they do.
FORBIDDEN = {
    r"anew": "again",
    r"begun": "started",
    r"told": "reported, returned",
    r"films?": "video",
    r"foreign": "untrusted",
    r"pictures?": "image",
    r"heard": "transcribed",
    r"rim": "driver",
    r"stands?[ _]in": "is in, ends up in",
    r"carr(?:y|ies|ied)[ _]out": "run, executed",
}
TESTS = ("tests/core", "tests/mcp_server", "tests/ssh")
CLIENTS = [package for package in PACKAGES if package != "runcrate_emulator"]
# The emulator's table of irregular verbs contains such a word as data.
DATA = {"runcrate_emulator/stems.py"}
# In the clients, a machine is the user's own; what is rented is an instance.
RENTED = re.compile(
    r"(?<!this )(?<!virtual )(?<!between )\bmachines?\b(?!-readable|'s)", re.IGNORECASE
)
# Parts of names count too: `_` parts words as a space does.
WORDS = re.compile(rf"(?<![^\W_])({'|'.join(FORBIDDEN)})(?![^\W_])", re.IGNORECASE)
OPENING = re.compile(
    r'^\s*"""(?:What|Whether|How|Why|Where|When|Who|Whom|Which|Tell|Telling)\b[^?]*$'
)
DOCUMENTS = [
    *ROOT.glob("*.md"),
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "docs").rglob("*.ipynb")),
]
SOURCES = [
    path
    for directory in (*PACKAGES, *TESTS, "tools", "benchmarks", "examples", "docs")
    for path in sorted((ROOT / directory).rglob("*.py"))
    if name_of(path) not in DATA
]


def found(paths: Iterable[Path], pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{name_of(path)}:{number}: {match[0]!r}"
        for path in paths
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        for match in pattern.finditer(line)
    ]


def test_the_words_are_those_of_the_field():
    assert found([*DOCUMENTS, *SOURCES], WORDS) == []


def test_what_is_rented_is_an_instance():
    in_clients = [path for path in SOURCES if name_of(path).partition("/")[0] in CLIENTS]
    assert found(in_clients, RENTED) == []


def test_a_docstring_begins_with_its_subject():
    assert found(SOURCES, OPENING) == []
