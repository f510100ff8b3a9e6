"""What is stored in cassettes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

CASSETTES = Path(__file__).parent.parent / "cassettes"
# Shapes, not names: a secret may stand under any name. The match itself is never printed.
SECRET_SHAPES = {
    "a Runcrate key": re.compile(r"rc_live_[A-Za-z0-9]"),
    "an Authorization value": re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/-]{8,}=*"),
    "a JSON web token": re.compile(r"\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{5,}\."),
    "a signed address": re.compile(r"(?i)[?&](x-amz-signature|signature|sig|token)=(?!redacted)\w"),
    "a private key": re.compile(r"-----BEGIN[^-]*PRIVATE KEY"),
    "a cookie": re.compile(r"(?im)^\s*(set-)?cookie:"),
    "an address of this machine": re.compile(r"127\.0\.0\.1|localhost"),
}


@pytest.mark.parametrize("what", SECRET_SHAPES)
def test_no_cassette_holds(what: str) -> None:
    shape = SECRET_SHAPES[what]
    found = [
        path.relative_to(CASSETTES).as_posix()
        for path in CASSETTES.rglob("*.yaml")
        if shape.search(path.read_text())
    ]
    assert not found, f"{what} stands in {found}"


def test_every_cassette_belongs_to_a_test_module() -> None:
    tests = Path(__file__).parent
    orphans = [
        path
        for path in CASSETTES.rglob("*.yaml")
        if not (tests / path.parent.relative_to(CASSETTES)).with_suffix(".py").exists()
    ]
    assert not orphans
