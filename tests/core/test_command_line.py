"""The command `runcrate`, as a person or a script runs it."""

from __future__ import annotations

import io
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, NamedTuple

import pytest

import runcrate_core as rc
from runcrate_core.command_line import output
from runcrate_core.command_line.app import FAILED, INTERRUPTED, main
from runcrate_emulator import Emulator
from tests.core.agents import start


class Result(NamedTuple):
    """The outcome of a command."""

    status: int
    output: str
    errors: str

    @property
    def rows(self) -> Any:
        """Its output, which is JSON."""
        return json.loads(self.output)


@pytest.fixture
def emulator(cloud: Emulator, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    """The emulator, to which the environment leads, and on which no job ends meanwhile."""
    cloud.clock_speed = 1.0
    for name, value in cloud.environment_variables().items():
        monkeypatch.setenv(name, value)
    return cloud


@pytest.fixture
def client(emulator: Emulator) -> Iterator[rc.Runcrate]:
    with rc.Runcrate() as made:
        yield made


@pytest.fixture
def runcrate(capsys: pytest.CaptureFixture[str]) -> Callable[[str], Result]:
    """Run a command: `runcrate("jobs list --json").rows`."""

    def run(command: str) -> Result:
        try:
            status = main(shlex.split(command))
        except SystemExit as end:
            status = int(end.code or 0)
        return Result(status, *capsys.readouterr())

    return run


@pytest.fixture
def response(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Answer the next question as a person at a terminal would."""

    def give(text: str) -> None:
        terminal = io.StringIO(text)
        terminal.isatty = lambda: True  # type: ignore[method-assign] # what is asked of it
        monkeypatch.setattr("sys.stdin", terminal)

    return give


def launch(client: rc.Runcrate, name: str) -> Any:
    return client.instances.create(name=name, gpu_type="A100", max_runtime_minutes=30)


def live(client: rc.Runcrate) -> list[str]:
    return sorted(one.name or "" for one in client.instances.list() if not one.has_ended)


def test_models_balance_and_findings_are_listed(runcrate, emulator):
    listed = runcrate("models list")
    assert (listed.status, listed.output[:3]) == (0, "id ")
    assert "deepseek-ai/DeepSeek-V3" in listed.output
    assert Decimal(runcrate("balance --json").rows[0]["credits_usd"]) > 0
    rows = runcrate("doctor --json").rows
    assert {row["level"] for row in rows} <= {"ok", "note"}
    assert "inference" in {row["subject"] for row in rows}
    healthy = runcrate("doctor")
    assert (healthy.status, healthy.output[-19:]) == (0, "No problems found.\n")


def test_instances_are_listed_with_their_end(runcrate, client):
    assert runcrate("instances list") == (0, "No instance is running.\n", "")
    client.instances.terminate(launch(client, "ended").id)
    running = launch(client, "running")
    assert [row["id"] for row in runcrate("instances list --json").rows] == [running.id]
    assert "ended" in runcrate("instances list --all").output


def test_a_person_is_asked_before_anything_ends(runcrate, client, response):
    one = launch(client, "one")
    for answer in ("n\n", ""):  # the end of the input, by Ctrl-D, is a no
        response(answer)
        refused = runcrate(f"instances terminate {one.id}")
        assert (refused.status, live(client)) == (1, ["one"])
        assert refused.errors == f"Terminate 1: one ({one.id})? [y/N] "
    response("y\n")
    ended = runcrate(f"instances terminate {one.id} --json")
    assert (ended.status, ended.rows[0]["result"], live(client)) == (0, "terminated", [])


@pytest.mark.parametrize("closed", [io.StringIO("y\n"), None])
def test_nothing_ends_when_nobody_can_be_asked(runcrate, client, monkeypatch, closed):
    one = launch(client, "one")
    monkeypatch.setattr("sys.stdin", closed)
    refused = runcrate(f"instances terminate {one.id}")
    assert refused.status == FAILED
    assert "Nothing was done. Give --yes." in refused.errors
    assert live(client) == ["one"]


def test_instances_are_terminated_by_the_start_of_their_name(runcrate, client, emulator):
    for name in ("agent-1", "agent-2", "other"):
        launch(client, name)
    emulator.fail("DELETE /instances/{id}", status=403, times=1)
    command = "instances terminate --prefix agent-"
    partly = runcrate(f"{command} --yes --json")
    failed, ended = sorted((row["result"] for row in partly.rows), key="terminated".__eq__)
    assert (partly.status, ended, "403" in failed) == (1, "terminated", True)
    assert runcrate(f"{command} --yes").status == 0
    assert "nothing to terminate" in runcrate(command).output
    for mistake in ("--prefix ' '", "no-such-id"):
        assert runcrate(f"instances terminate {mistake} --yes").status == FAILED
    assert live(client) == ["other"]


def test_a_ledger_is_shown_and_cleaned_up(runcrate, client, tmp_path, response):
    path = tmp_path / "budget.db"
    limits = rc.SpendLimits(max_price_per_hour=5, max_runtime_minutes=30, max_total_usd=9)
    started = client.run(start(rc.SpendGuard(limits, ledger=rc.SpendLedger(str(path)))))
    others = launch(client, "of-somebody-else")
    (row,) = runcrate(f"ledger show {path} --json").rows
    assert (row["id"], row["state"]) == (started.id, "started")
    assert "At most" in runcrate(f"ledger show {path}").output
    response("no")
    command = f"instances terminate --ledger {path}"
    assert [runcrate(command).status, runcrate(f"{command} --yes").status] == [1, 0]
    assert live(client) == [others.name]
    assert "Nothing of this ledger" in runcrate(command).output
    misspelt = tmp_path / "misspelt.db"
    for command in ("ledger show", "instances terminate --yes --ledger"):
        assert runcrate(f"{command} {misspelt}").status == FAILED
    assert not misspelt.exists()


def test_jobs_are_listed_and_cancelled(runcrate, client, response):
    assert runcrate("jobs list").output == "There are no jobs.\n"
    job = client.jobs.run(command="sleep 600", gpu_type="A100", max_runtime_minutes=10)
    assert job.id in runcrate("jobs list").output
    response("no")
    assert runcrate(f"jobs cancel {job.id}").status == 1
    partly = runcrate(f"jobs cancel {job.id} no-such-job .. --yes --json")
    assert (partly.status, [row["failed"] for row in partly.rows]) == (1, [False, True, True])
    assert client.jobs.get(job.id).status == "cancelled"


def test_verify_prints_a_table_and_writes_a_report(runcrate, emulator, tmp_path, response):
    verified = runcrate("verify")
    assert (verified.status, "0 differs" in verified.output) == (0, True)
    response("y")
    path = tmp_path / "report.json"
    emulator.variants = (("image-delivery", "b64_json"),)
    differs = runcrate(f"verify --inference --report {path}")
    assert (differs.status, "USD" in differs.errors) == (1, True)
    rows = json.loads(path.read_text())["rows"]
    assert [row["id"] for row in rows if row["verdict"] == "DIFFERS"] == ["image-delivery"]
    unwritten = runcrate(f"verify --report {tmp_path}")
    assert (unwritten.status, " differs" in unwritten.output) == (FAILED, True)
    launched = runcrate("verify --launch --yes --max-usd 1 --json")
    assert launched.rows["levels"] == ["free", "launch"]
    dear = runcrate("verify --inference --yes --max-usd 0")
    assert (dear.status, "exceeds the limit" in dear.errors) == (FAILED, True)


@pytest.mark.parametrize(
    "command",
    [
        *("verify --max-usd much", "verify --max-usd -1", "verify --max-usd nan"),
        *("verify --model chat", "verify --model poems=x"),
        *("instances", "instances terminate", "no-such-command", ""),
        *("jobs list --limit 0", "jobs list --limit -1", "jobs list --limit many"),
    ],
)
def test_wrong_arguments_are_explained(runcrate, command):
    wrong = runcrate(command)
    assert (wrong.status, "usage: runcrate" in wrong.errors) == (FAILED, True)


def test_a_model_can_be_chosen(runcrate, emulator):
    assert runcrate("verify --inference --yes --model chat=openai/gpt-oss-120b").status == 0
    assert b"gpt-oss-120b" in b"".join(request.body for request in emulator.requests)


def test_no_key_is_one_line(runcrate, monkeypatch):
    monkeypatch.delenv("RUNCRATE_API_KEY", raising=False)
    failed = runcrate("balance")
    assert (failed.status, failed.output) == (FAILED, "")
    assert re.fullmatch(r"runcrate: .*\n", failed.errors)


def test_an_interruption_is_no_traceback(runcrate, emulator, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(rc.Runcrate, "run", interrupted)
    assert runcrate("verify").status == INTERRUPTED


def test_text_of_the_service_cannot_forge_a_line(capsys):
    rows = [{"name": "a\x1b[2J\nid  forged\u202e", "status": None}]
    output.show(rows, as_json=False, empty="")
    assert capsys.readouterr().out == "name         status\na id forged  -\n"


def test_names_cannot_forge_the_question(runcrate, client, monkeypatch):
    name = "a\x1b[2J\nTerminate 1: harmless"
    shown = rc.Instance(id="i", name=name, status="running")
    monkeypatch.setattr("runcrate_core.api.instances.Instances.get", lambda *_: shown)
    asked = runcrate("instances terminate i")
    assert asked.status == FAILED
    assert asked.errors.startswith("runcrate: Terminate 1: a Terminate 1: harmless (i)? The input ")


@pytest.mark.parametrize(
    ("arguments", "printed"),
    [("models list | true", ""), ("--version", f"runcrate-integrations {rc.__version__}\n")],
)
def test_it_is_a_module_and_a_reader_that_has_seen_enough_is_no_error(emulator, arguments, printed):
    command = f"{sys.executable} -m runcrate_core {arguments}"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)  # noqa: S602 - of this test
    assert (done.stdout, done.stderr) == (printed, "")
