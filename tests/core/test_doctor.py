"""`python -m runcrate_core doctor`: each judgement, and whole runs against the emulator."""

from __future__ import annotations

import socket
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from runcrate_core import doctor
from runcrate_core.doctor import Level, Probe

KEY = "rc_live_test"
GOOD = {"httpx": "0.28.1", "pydantic": "2.12.0", "runcrate-integrations": "0.1.0"}


def by_subject(found: Iterator[doctor.Finding]) -> dict[str, doctor.Finding]:
    return {finding.subject: finding for finding in found}


# --- judging ---


def test_the_interpreter_is_judged():
    levels = [doctor.python_finding(version).level for version in ((3, 10, 4), (3, 11, 0), (4, 0))]
    assert levels == [Level.PROBLEM, Level.OK, Level.OK]


def test_a_missing_requirement_is_a_problem_and_a_missing_framework_is_none():
    assert {found.level for found in doctor.package_findings(GOOD)} == {Level.OK}
    found = by_subject(doctor.package_findings({}))
    assert found["httpx"].level is Level.PROBLEM
    assert "langchain-core" not in found
    assert found["runcrate-integrations"].level is Level.NOTE


@pytest.mark.parametrize(
    ("package", "version", "advice"),
    [
        ("langchain-core", "0.3.9", "langchain-core>=1.7.2,<2"),
        ("langchain-core", "1.7.1", "langchain-core>=1.7.2,<2"),
        ("llama-index-core", "0.15.0", "<0.15"),
        ("pydantic", "garbage", "pip install"),
        ("langchain-runcrate", "0.1.0", "pip uninstall langchain-runcrate"),
    ],
)
def test_packages_that_do_not_work_are_named(package, version, advice):
    found = by_subject(doctor.package_findings(GOOD | {package: version}))[package]
    assert found.level is Level.PROBLEM
    assert advice in found.advice


def test_the_supported_versions_are_those_of_the_project():
    path = Path(__file__).parents[2] / "pyproject.toml"
    project = tomllib.loads(path.read_text())["project"]
    extras = project["optional-dependencies"]
    declared = {*project["dependencies"], *extras["langchain"], *extras["llamaindex"]}
    assert {f"{n}>={a},<{b}" for n, (a, b) in doctor.SUPPORTED.items()} <= declared


LOCAL = {"RUNCRATE_API_BASE": "http://127.0.0.1:1/v1", "RUNCRATE_API_URL": "http://127.0.0.1:1"}


@pytest.mark.parametrize(
    ("variables", "level", "is_sent"),
    [
        ({}, Level.PROBLEM, False),
        ({"RUNCRATE_API_KEY": "sk-secret-of-another"}, Level.PROBLEM, False),
        ({"RUNCRATE_API_KEY": "rc_live_"}, Level.PROBLEM, False),
        ({"RUNCRATE_API_KEY": '"rc_live_secret in quotes"'}, Level.PROBLEM, False),
        ({"RUNCRATE_API_KEY": " rc_live_secret\n"}, Level.NOTE, True),
        ({"RUNCRATE_API_KEY": "rc_live_secret"}, Level.OK, True),
        (LOCAL, Level.NOTE, False),  # another server may need none
    ],
)
def test_the_key_is_judged_by_its_form_and_never_shown(variables, level, is_sent):
    found = doctor.key_finding(variables)
    assert found.level is level
    assert "secret" not in found.lines()
    assert (doctor.key_to_send(variables) is not None) is is_sent


@pytest.mark.parametrize(
    "url", ["ftp://a", "http://example.com", "https://me:secret@example.com", "https://a/?k=secret"]
)
def test_an_address_that_is_not_usable_is_not_asked(url):
    variables = {"RUNCRATE_API_URL": url, "RUNCRATE_API_KEY": KEY}
    found = by_subject(doctor.url_findings(variables))
    wrong = found["infrastructure URL"]
    assert (wrong.level, "RUNCRATE_API_URL" in wrong.advice) == (Level.PROBLEM, True)
    assert "secret" not in wrong.lines()
    assert found["inference URL"].level is Level.OK
    assert doctor.collect(variables).probes == ()


def test_of_a_proxy_only_the_host_is_shown():
    variables = {"https_proxy": "http://me:secret@proxy.example:3128", "ALL_PROXY": "http://["}
    found = by_subject(doctor.proxy_findings(variables | {"NO_PROXY": "localhost,10.0.0.1"}))
    assert found["HTTPS_PROXY"].text == "requests go through http://proxy.example:3128"
    assert found["ALL_PROXY"].level is Level.PROBLEM
    assert found["NO_PROXY"].level is Level.NOTE


@pytest.mark.parametrize(
    ("status", "with_key", "level", "says"),
    [
        (200, True, Level.OK, "200"),
        (401, False, Level.OK, "401 without a key"),
        (401, True, Level.PROBLEM, "does not know the key"),
        (402, True, Level.NOTE, "no credits"),
        (403, True, Level.PROBLEM, "forbids"),
        (404, True, Level.PROBLEM, "no such path"),
        (418, True, Level.PROBLEM, "418"),
        (301, False, Level.PROBLEM, "redirects to `runcrate.example`"),
        (503, False, Level.PROBLEM, "503"),
    ],
)
def test_responses_are_judged(status, with_key, level, says):
    given = {"with_key": with_key, "location": "runcrate.example", "is_json": True}
    found = doctor.probe_finding(Probe("inference", "u", status, **given))
    assert found.level is level
    assert says in found.text
    assert bool(found.advice) == (level is not Level.OK)


@pytest.mark.parametrize(
    ("ahead_s", "level", "says"),
    [(0, Level.OK, "within"), (90, Level.PROBLEM, "ahead"), (-100, Level.PROBLEM, "100 s behind")],
)
def test_the_clock_is_compared_with_the_first_server_that_tells(ahead_s, level, says):
    silent = Probe("a", "u", date="no date")
    date, at = "Sun, 09 Sep 2001 01:46:40 GMT", 1_000_000_000.0 + ahead_s
    (found,) = doctor.clock_findings([silent, Probe("b", "u", date=date, at=at)])
    assert found.level is level
    assert says in found.text
    assert list(doctor.clock_findings([silent, Probe("b", "u")])) == []


# --- looking ---


def test_an_unknown_key_is_found_and_not_sent_where_it_is_not_needed(cloud, monkeypatch, capsys):
    for name, value in cloud.environment_variables().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("RUNCRATE_API_KEY", "unknown-key")
    assert doctor.report() == 1
    printed = capsys.readouterr().out
    assert "does not know the key" in printed
    assert "1 problem found." in printed
    assert "unknown-key" not in printed


def test_a_host_that_does_not_answer_is_found(monkeypatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: nobody else answers here
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        variables = {"RUNCRATE_API_BASE": url, "RUNCRATE_API_URL": url, "RUNCRATE_API_KEY": KEY}
        facts = doctor.collect(variables, timeout_s=1)
    found = [doctor.probe_finding(probe) for probe in facts.probes]
    assert [finding.level for finding in found] == [Level.PROBLEM] * 2
    assert "could not be opened" in found[0].text
    assert KEY not in repr(facts)
