"""What is stored in cassettes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import vcr
from pytest_recording.plugin import get_default_cassette_name
from vcr.errors import CannotOverwriteExistingCassetteException
from vcr.request import Request

import runcrate_core as rc
from tests import conftest
from tests.cassettes_support import match_body

CASSETTES = Path(__file__).parent.parent / "cassettes"
# Shapes, not names: a secret may stand under any name. The match itself is never printed.
SECRET_SHAPES = {
    "a Runcrate key": re.compile(r"rc_live_[A-Za-z0-9]"),
    "an Authorization value": re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/-]{8,}=*"),
    "a JSON web token": re.compile(r"\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{5,}\."),
    "a signed address": re.compile(r"(?i)[?&](x-amz-signature|signature|sig|token)=(?!redacted)\w"),
    "a private key": re.compile(r"-----BEGIN[^-]*PRIVATE KEY"),
    "a cookie": re.compile(r"(?im)^\s*(set-)?cookie:"),
    "an address of this computer": re.compile(r"127\.0\.0\.1|localhost"),
}


@pytest.mark.parametrize("what", SECRET_SHAPES)
def test_no_cassette_holds(what):
    shape = SECRET_SHAPES[what]
    found = [
        path.relative_to(CASSETTES).as_posix()
        for path in CASSETTES.rglob("*.yaml")
        if shape.search(path.read_text())
    ]
    assert not found, f"{what} stands in {found}"


def test_every_cassette_belongs_to_a_test(request):
    """A cassette has its module, and its test where all tests of the module were collected."""
    tests = Path(__file__).parent
    collected: dict[Path, set[str]] = {}
    for item in request.session.items:
        name = get_default_cassette_name(getattr(item, "cls", None), item.name)
        folder = CASSETTES / item.path.relative_to(tests).with_suffix("")
        collected.setdefault(folder, set()).add(name)
    options = request.config.option
    if options.keyword or options.markexpr or any("::" in each for each in request.config.args):
        collected = {}
    orphans = [
        path
        for path in CASSETTES.rglob("*.yaml")
        if not (tests / path.parent.relative_to(CASSETTES)).with_suffix(".py").exists()
        or path.stem not in collected.get(path.parent, {path.stem})
    ]
    assert not orphans


def request_of(body: object) -> Request:
    return Request("POST", "https://api.runcrate.ai/v1/x", json.dumps(body).encode(), {})


def test_bodies_differ_by_more_than_the_indentation_of_docstrings():
    written = request_of({"tools": [{"description": "Add.\n\n    Twice.", "name": "add"}]})
    match_body(written, request_of({"tools": [{"description": "Add.\n\nTwice.", "name": "add"}]}))
    others = (
        {"tools": [{"description": "Add.\n\nOnce.", "name": "add"}]},
        {"tools": [{"description": "Add.\n\nTwice.", "name": " add"}]},
        {"tools": []},
    )
    for other in others:
        with pytest.raises(AssertionError):
            match_body(written, request_of(other))
    binary = Request("PUT", "https://api.runcrate.ai/v1/x", b"\xff", {})
    match_body(binary, binary)
    with pytest.raises(AssertionError):
        match_body(binary, written)


class Played:
    """A cassette of which so many requests were played."""

    def __init__(self, recorded: int, played: int) -> None:
        self._recorded = recorded
        self.play_count = played

    def __len__(self) -> int:
        return self._recorded


@pytest.mark.skipif(conftest.RECORDING, reason="while recording, cassettes are being made")
@pytest.mark.parametrize(
    ("cassette", "failed", "problem"),
    [
        (Played(0, 0), False, "There is no cassette"),
        (Played(3, 1), False, "2 of 3 recorded requests"),
        (Played(3, 1), True, None),  # a test that failed is not blamed for its cassette too
        (Played(2, 2), False, None),
    ],
)
def test_57_a_cassette_that_is_missing_or_half_played_fails_its_test(cassette, failed, problem):
    item = SimpleNamespace(stash=pytest.Stash())
    call = SimpleNamespace(when="call", excinfo="an error" if failed else None)
    conftest.pytest_runtest_makereport(item, call)
    request = SimpleNamespace(node=item)
    steps = conftest._cassette_is_played_whole._get_wrapped_function()(request, cassette)
    next(steps)
    if problem is None:
        assert list(steps) == []
        return
    with pytest.raises(pytest.fail.Exception, match=problem):
        next(steps)


def test_57_a_request_that_is_not_recorded_is_named_and_goes_nowhere(tmp_path):
    client = rc.Runcrate(max_retries=0)
    with (
        vcr.use_cassette(str(tmp_path / "none.yaml"), record_mode="none"),
        pytest.raises(CannotOverwriteExistingCassetteException, match=r"www\.runcrate\.ai/api/v1"),
    ):
        client.instances.list()
    client.close()
