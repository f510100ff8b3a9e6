"""Recording from the real service: what it costs, what is left out, and what it reports."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from tools import live_recording
from tools.live_recording import CASSETTES, LAUNCHING, Recording, State, compare, plan


@pytest.fixture(scope="module")
def recordings() -> list[Recording]:
    return plan(CASSETTES.rglob("*.yaml"))


def test_one_test_launches_for_all(recordings):
    launching = [one for one in recordings if one.path.stem == LAUNCHING]
    assert [one.reason_to_skip for one in launching] == [""]
    wanted = [one for one in recordings if not one.reason_to_skip]
    assert sum(one.estimate_usd >= Decimal("1.50") for one in wanted) == 1
    assert sum(one.estimate_usd for one in wanted) < live_recording.DEFAULT_MAX_USD
    assert len(wanted) > len(recordings) / 2


def exchange(status: int, body: str, method: str = "GET") -> dict[str, Any]:
    return {
        "request": {"method": method, "uri": "https://api.runcrate.ai/v1/x?y=1"},
        "response": {"status": {"code": status}, "body": {"string": body}},
    }


def test_differences_in_shape_are_reported_and_those_in_values_are_not():
    before = [exchange(200, '{"a": 1, "b": [{"c": "x"}], "d": null}'), exchange(200, "text")]
    same = [exchange(200, '{"a": 2, "b": [{"c": "y"}, {"c": "z"}], "d": null}')]
    assert list(compare(before, same)) == []
    other = [exchange(201, '{"a": "2", "b": [{"e": {}}], "d": []}')]
    assert list(compare(before, other)) == [
        "GET /v1/x: status 201, not 200",
        "GET /v1/x: $.a is str, not int",
        "GET /v1/x: $.b[].c is missing",
        "GET /v1/x: $.b[].e is new (object)",
        "GET /v1/x: $.d is list, not NoneType",
    ]
    stream = 'data: {"id": 1}\n\ndata: [DONE]\n\n'
    assert list(compare([exchange(200, stream)], [exchange(200, 'data: {"ID": 1}\n\n')])) == [
        "GET /v1/x: $.ID is new (int)",
        "GET /v1/x: $.id is missing",
    ]


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two cassettes of their own, and no state."""
    for name in ("first", "second"):
        body = {"interactions": [exchange(200, "{}", "POST")]}
        body["interactions"][0]["request"]["uri"] = "https://api.runcrate.ai/v1/chat/completions"
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(body))
    monkeypatch.setattr(live_recording, "CASSETTES", tmp_path)
    monkeypatch.setattr(live_recording, "STATE", tmp_path / "state.json")
    monkeypatch.setenv("RUNCRATE_LIVE_KEY", "rc_live_test")
    return tmp_path


def test_an_interrupted_recording_continues_and_keeps_its_budget(small, monkeypatch, capsys):
    sent: list[str] = []

    def recorded(recording):
        sent.append(recording.path.stem)
        text = recording.path.read_text()
        recording.path.write_text(text.replace("'{}'", "'{\"new\": 1}'"))
        return True

    monkeypatch.setattr(live_recording, "record", recorded)
    assert live_recording.main(["--yes", "--max-usd", "0.002"]) == 1
    assert sent == ["first"]
    assert "limit is reached before second.yaml" in capsys.readouterr().out
    assert live_recording.main(["--yes", "--max-usd", "0.004"]) == 0
    assert sent == ["first", "second"]
    printed = capsys.readouterr().out
    assert "1 cassettes to record, 1 recorded" in printed
    assert "POST /v1/chat/completions: $.new is new (int)" in printed
    assert State.load(small / "state.json").spent_usd == Decimal("0.004")


def test_a_failed_recording_keeps_the_cassette(small, monkeypatch):
    before = (small / "first.yaml").read_bytes()

    def fails(recording):
        recording.path.write_text("half")
        return False

    monkeypatch.setattr(live_recording, "record", fails)
    assert live_recording.main(["--yes"]) == 1
    assert (small / "first.yaml").read_bytes() == before


def test_nothing_is_recorded_without_a_key_or_a_yes(small, monkeypatch, capsys):
    monkeypatch.setattr("builtins.input", lambda _: "n")
    assert live_recording.main([]) == 1
    assert "At most 0.004 USD" in capsys.readouterr().out
    monkeypatch.delenv("RUNCRATE_LIVE_KEY")
    assert live_recording.main(["--yes"]) == 2
