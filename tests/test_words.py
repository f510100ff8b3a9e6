"""The documents and sources use the words of the field; see the glossary in CONTRIBUTING.md."""

from __future__ import annotations

import re

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
    r"stands? in": "is in, ends up in",
    r"carr(?:y|ies|ied) out": "run, executed",
}
TESTS = ("tests/core", "tests/mcp_server", "tests/ssh")
CLIENTS = [package for package in PACKAGES if package != "runcrate_emulator"]
# The emulator's table of irregular verbs contains such a word as data.
DATA = {"runcrate_emulator/stems.py"}
# In the clients, a machine is the user's own; what is rented is an instance.
RENTED = re.compile(
    r"(?<!this )(?<!virtual )(?<!between )\bmachines?\b(?!-readable|'s)", re.IGNORECASE
)
WORDS = re.compile(rf"\b({'|'.join(FORBIDDEN)})\b", re.IGNORECASE)
OPENING = re.compile(r'^\s*"""(?:What|Whether|How)\b[^?]*$', re.MULTILINE)
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


def test_the_words_are_those_of_the_field():
    found = [
        f"{name_of(path)}:{number}: {match[0]!r}"
        for path in [*DOCUMENTS, *SOURCES]
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        for match in WORDS.finditer(line.replace("_", " "))
    ]
    assert found == []


def test_what_is_rented_is_an_instance():
    found = [
        f"{name_of(path)}:{number}: {line.strip()}"
        for path in SOURCES
        if name_of(path).partition("/")[0] in CLIENTS
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if RENTED.search(line)
    ]
    assert found == []


def test_a_docstring_begins_with_its_subject():
    found = [
        f"{name_of(path)}:{text.count(chr(10), 0, match.start()) + 1}"
        for path in SOURCES
        for text in [path.read_text(encoding="utf-8")]
        for match in OPENING.finditer(text)
    ]
    assert found == []
