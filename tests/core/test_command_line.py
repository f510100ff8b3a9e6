"""The command `runcrate`, as a person or a script runs it."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest

import runcrate_core as rc
from runcrate_core.command_line import output
from runcrate_core.command_line.app import FAILED, INTERRUPTED, main
from runcrate_emulator import Emulator

Command = Callable[..., tuple[int, str, str]]


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
def runcrate(capsys: pytest.CaptureFixture[str]) -> Command:
    """Run the command; return its status, output and errors."""

    def run(*arguments: str) -> tuple[int, str, str]:
        try:
            status = main(arguments)
        except SystemExit as end:
            status = int(end.code or 0)
        captured = capsys.readouterr()
        return status, captured.out, captured.err

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
    status, text, _ = runcrate("models", "list")
    assert status == 0
    assert text.startswith("id ")
    assert "deepseek-ai/DeepSeek-V3" in text
    status, text, _ = runcrate("balance", "--json")
    assert Decimal(json.loads(text)[0]["credits_usd"]) > 0
    rows = json.loads(runcrate("doctor", "--json")[1])
    assert {row["level"] for row in rows} <= {"ok", "note"}
    assert "inference" in {row["subject"] for row in rows}
    status, text, _ = runcrate("doctor")
    assert (status, text.endswith("No problems found.\n")) == (0, True)


def test_instances_are_listed_with_their_end(runcrate, client):
    assert runcrate("instances", "list") == (0, "No instance is running.\n", "")
    ended = launch(client, "ended")
    client.instances.terminate(ended.id)
    running = launch(client, "running")
    _, text, _ = runcrate("instances", "list", "--json")
    assert [row["id"] for row in json.loads(text)] == [running.id]
    _, text, _ = runcrate("instances", "list", "--all")
    assert "ended" in text


def test_a_person_is_asked_before_anything_ends(runcrate, client, response):
    one = launch(client, "one")
    for answer in ("n\n", ""):  # the end of the input, by Ctrl-D, is a no
        response(answer)
        status, _, question = runcrate("instances", "terminate", one.id)
        assert (status, live(client)) == (1, ["one"])
        assert question == f"Terminate 1: one ({one.id})? [y/N] "
    response("y\n")
    status, text, _ = runcrate("instances", "terminate", one.id, "--json")
    assert (status, json.loads(text)[0]["result"]) == (0, "terminated")
    assert live(client) == []


@pytest.mark.parametrize("closed", [io.StringIO("y\n"), None])
def test_nothing_ends_when_nobody_can_be_asked(runcrate, client, monkeypatch, closed):
    one = launch(client, "one")
    monkeypatch.setattr("sys.stdin", closed)
    status, _, error = runcrate("instances", "terminate", one.id)
    assert status == FAILED
    assert "Nothing was done. Give --yes." in error
    assert live(client) == ["one"]


def test_instances_are_terminated_by_the_start_of_their_name(runcrate, client, emulator):
    for name in ("agent-1", "agent-2", "other"):
        launch(client, name)
    emulator.fail("DELETE /instances/{id}", status=403, times=1)
    status, text, _ = runcrate("instances", "terminate", "--prefix", "agent-", "--yes", "--json")
    results = [row["result"] for row in json.loads(text)]
    assert status == 1
    assert results.count("terminated") == 1
    assert "403" in next(result for result in results if result != "terminated")
    assert runcrate("instances", "terminate", "--prefix", "agent-", "--yes")[0] == 0
    assert live(client) == ["other"]
    assert "nothing to terminate" in runcrate("instances", "terminate", "--prefix", "agent-")[1]
    for mistake in (["--prefix", " "], ["no-such-id"]):
        assert runcrate("instances", "terminate", *mistake, "--yes")[0] == FAILED
    assert live(client) == ["other"]


def test_a_ledger_is_shown_and_cleaned_up(runcrate, client, tmp_path, response):
    path = str(tmp_path / "budget.db")
    limits = rc.SpendLimits(max_price_per_hour=5, max_runtime_minutes=30, max_total_usd=9)
    guard = rc.SpendGuard(limits, ledger=rc.SpendLedger(path))
    plan = client.run(guard.plan(gpu_type="A100", max_runtime_minutes=30))
    started = client.run(guard.launch(plan.token))
    others = launch(client, "of-somebody-else")
    _, text, _ = runcrate("ledger", "show", path, "--json")
    (row,) = json.loads(text)
    assert (row["id"], row["state"]) == (started.id, "started")
    assert "At most" in runcrate("ledger", "show", path)[1]
    response("no")
    assert runcrate("instances", "terminate", "--ledger", path)[0] == 1
    assert runcrate("instances", "terminate", "--ledger", path, "--yes")[0] == 0
    assert live(client) == [others.name]
    assert "Nothing of this ledger" in runcrate("instances", "terminate", "--ledger", path)[1]
    for command in (["ledger", "show"], ["instances", "terminate", "--yes", "--ledger"]):
        assert runcrate(*command, str(tmp_path / "misspelt.db"))[0] == FAILED
    assert not (tmp_path / "misspelt.db").exists()


def test_jobs_are_listed_and_cancelled(runcrate, client, response):
    assert runcrate("jobs", "list")[1] == "There are no jobs.\n"
    job = client.jobs.run(command="sleep 600", gpu_type="A100", max_runtime_minutes=10)
    assert job.id in runcrate("jobs", "list")[1]
    response("no")
    assert runcrate("jobs", "cancel", job.id)[0] == 1
    status, text, _ = runcrate("jobs", "cancel", job.id, "no-such-job", "..", "--yes", "--json")
    assert status == 1
    assert [row["failed"] for row in json.loads(text)] == [False, True, True]
    assert client.jobs.get(job.id).status == "cancelled"


def test_verify_prints_a_table_and_writes_a_report(runcrate, emulator, tmp_path, response):
    status, text, _ = runcrate("verify")
    assert status == 0
    assert "0 differs" in text
    response("y")
    path = tmp_path / "report.json"
    emulator.variants = (("image-delivery", "b64_json"),)
    status, _, question = runcrate("verify", "--inference", "--report", str(path))
    assert status == 1
    assert "USD" in question
    rows = json.loads(path.read_text())["rows"]
    assert [row["id"] for row in rows if row["verdict"] == "DIFFERS"] == ["image-delivery"]
    status, text, _ = runcrate("verify", "--report", str(tmp_path))
    assert (status, "0 differs" in text or "1 differs" in text) == (FAILED, True)
    status, text, _ = runcrate("verify", "--launch", "--yes", "--max-usd", "1", "--json")
    assert json.loads(text)["levels"] == ["free", "launch"]
    status, _, error = runcrate("verify", "--inference", "--yes", "--max-usd", "0")
    assert (status, "exceeds the limit" in error) == (FAILED, True)


@pytest.mark.parametrize(
    "arguments",
    [
        *("verify --max-usd much", "verify --max-usd -1", "verify --max-usd nan"),
        *("verify --model chat", "verify --model poems=x"),
        *("instances", "instances terminate", "no-such-command", ""),
        *("jobs list --limit 0", "jobs list --limit -1", "jobs list --limit many"),
    ],
)
def test_wrong_arguments_are_explained(runcrate, arguments):
    status, _, error = runcrate(*arguments.split())
    assert status == FAILED
    assert "usage: runcrate" in error


def test_a_model_can_be_chosen(runcrate, emulator):
    status, _, _ = runcrate("verify", "--inference", "--yes", "--model", "chat=openai/gpt-oss-120b")
    assert status == 0
    assert b"gpt-oss-120b" in b"".join(request.body for request in emulator.requests)


def test_no_key_is_one_line(runcrate, monkeypatch):
    monkeypatch.delenv("RUNCRATE_API_KEY", raising=False)
    status, out, error = runcrate("balance")
    assert (status, out) == (FAILED, "")
    assert error.startswith("runcrate: ")
    assert error.count("\n") == 1


def test_an_interruption_is_no_traceback(runcrate, emulator, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(rc.Runcrate, "run", interrupted)
    assert runcrate("verify")[0] == INTERRUPTED


def test_text_of_the_service_cannot_forge_a_line(capsys):
    rows = [{"name": "a\x1b[2J\nid  forged\u202e", "status": None}]
    output.show(rows, as_json=False, empty="")
    assert capsys.readouterr().out == "name         status\na id forged  -\n"


def test_names_cannot_forge_the_question(runcrate, client, monkeypatch):
    name = "a\x1b[2J\nTerminate 1: harmless"
    shown = rc.Instance(id="i", name=name, status="running")
    monkeypatch.setattr("runcrate_core.api.instances.Instances.get", lambda *_: shown)
    status, _, errors = runcrate("instances", "terminate", "i")
    assert status == FAILED
    assert errors.startswith("runcrate: Terminate 1: a Terminate 1: harmless (i)? The input is not")


@pytest.mark.parametrize(
    ("arguments", "printed"),
    [("models list | true", ""), ("--version", f"runcrate-integrations {rc.__version__}\n")],
)
def test_it_is_a_module_and_a_reader_that_has_seen_enough_is_no_error(emulator, arguments, printed):
    command = f"{sys.executable} -m runcrate_core {arguments}"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)  # noqa: S602 - of this test
    assert (done.stdout, done.stderr) == (printed, "")
