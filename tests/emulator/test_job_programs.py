"""Outcomes of jobs: decided by `on_job`, else the command is logged and succeeds."""

from collections.abc import Iterator

import httpx
import pytest

from runcrate_emulator import Clock, Emulator, JobOutcome, JobRun
from tests.emulator.conftest import START

SPEC = {"command": "python train.py", "gpu_type": "A100", "max_runtime_minutes": 60}


class Training:
    """Fails once, then leaves a model behind; leaves other commands undecided."""

    def __init__(self) -> None:
        self.runs: list[JobRun] = []

    def __call__(self, run: JobRun) -> JobOutcome | None:
        self.runs.append(run)
        if "train" not in run.command:
            return None
        if run.env.get("BROKEN"):
            raise LookupError("no such thing")
        if run.attempt == 1:
            return JobOutcome("out of memory\n", exit_code=137)
        weights: dict[str, str | bytes] = {"model/weights.bin": b"\x00\x01", "loss.txt": "0.1"}
        return JobOutcome("epoch 1\nepoch 2\n", artifacts=weights, seconds=20)


@pytest.fixture
def training() -> Training:
    return Training()


@pytest.fixture
def emulator(training: Training) -> Iterator[Emulator]:
    with Emulator(clock=Clock(0, start=START), on_job=training) as emulator:
        yield emulator


def finished(emulator: Emulator, infra: httpx.Client, **fields: object) -> dict:
    job: dict = infra.post("/jobs", json={**SPEC, **fields}).json()["data"]
    emulator.clock.advance(300)
    ended: dict = infra.get(f"/jobs/{job['id']}").json()["data"]
    return ended


def test_a_program_decides_log_exit_code_time_and_artifacts(emulator, infra, training):
    job = finished(
        emulator, infra, env={"A": "1"}, tags={"t": "x"}, max_retries=1, retry_on=["nonzero_exit"]
    )
    assert (job["status"], [a["exit_code"] for a in job["attempts"]]) == ("succeeded", [137, 0])
    chunks = infra.get(f"/jobs/{job['id']}/logs").json()["data"]["chunks"]
    assert [chunk["text"] for chunk in chunks] == ["out of memory\n", "epoch 1\n", "epoch 2\n"]
    listed = infra.get(f"/jobs/{job['id']}/artifacts").json()["data"]
    assert [item["path"] for item in listed] == ["loss.txt", "model/weights.bin"]
    link = infra.get(f"/jobs/{job['id']}/artifacts/model/weights.bin").headers["location"]
    assert httpx.get(link).content == b"\x00\x01"
    first = training.runs[0]
    assert (first.command, first.gpu_type, first.gpu_count) == ("python train.py", "A100", 1)
    assert (first.attempt, first.name, first.tags) == (1, job["name"], {"t": "x"})
    assert first.env["A"] == "1"
    assert "env" not in repr(first)


def test_a_program_that_raises_fails_the_job_and_shows_among_the_crashes(emulator, infra):
    job = finished(emulator, infra, env={"BROKEN": "1"})
    assert (job["status"], job["exit_code"]) == ("failed", 1)
    assert [type(crash) for crash in emulator.crashes] == [LookupError]
    emulator.reset()
    assert finished(emulator, infra, command="true")["status"] == "succeeded"


def test_a_program_can_be_set_for_one_test_and_a_reset_takes_it_away(emulator, infra):
    emulator.world.on_job = lambda run: JobOutcome(exit_code=9)
    assert finished(emulator, infra)["exit_code"] == 9
    emulator.reset()
    assert finished(emulator, infra)["exit_code"] == 137


def test_a_program_is_given_the_code_that_was_uploaded(emulator, infra, training):
    archive = b"the archive"
    upload = infra.post("/jobs/uploads", json={"bytes": len(archive)}).json()["data"]
    assert httpx.put(upload["url"], content=archive).status_code == 200
    finished(emulator, infra, command="true", code={"upload_id": upload["upload_id"]})
    finished(emulator, infra, command="true")
    assert [run.code for run in training.runs] == [archive, None]
    assert "archive" not in repr(training.runs[0])
