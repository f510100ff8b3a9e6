"""Outcomes of jobs: decided by `on_job`; `test_command_runs` shows what happens without."""

from collections.abc import Iterator

import httpx
import pytest

from runcrate_emulator import Clock, Emulator, JobOutcome, JobRun
from tests.emulator.conftest import START

SPEC = {"command": "python train.py", "gpu_type": "A100", "max_runtime_minutes": 60}


@pytest.fixture
def runs() -> list[JobRun]:
    return []


@pytest.fixture
def emulator(runs: list[JobRun]) -> Iterator[Emulator]:
    """An emulator whose jobs fail once, then leave a model behind."""

    def train(run: JobRun) -> JobOutcome:
        runs.append(run)
        if run.env.get("BROKEN"):
            raise LookupError("no such thing")
        if run.attempt == 1:
            return JobOutcome("out of memory\n", exit_code=137)
        weights: dict[str, str | bytes] = {"model/weights.bin": b"\x00\x01", "loss.txt": "0.1"}
        return JobOutcome("epoch 1\nepoch 2\n", artifacts=weights, seconds=20)

    with Emulator(clock=Clock(0, start=START), on_job=train) as emulator:
        yield emulator


def finished(emulator: Emulator, infra: httpx.Client, **fields: object) -> dict:
    job: dict = infra.post("/jobs", json={**SPEC, **fields}).json()["data"]
    emulator.clock.advance(300)
    ended: dict = infra.get(f"/jobs/{job['id']}").json()["data"]
    return ended


def test_a_program_sees_each_attempt_and_decides_it(emulator, infra, runs):
    archive = b"the archive"
    upload = infra.post("/jobs/uploads", json={"bytes": len(archive)}).json()["data"]
    assert httpx.put(upload["url"], content=archive).status_code == 200
    more = {"max_retries": 1, "retry_on": ["nonzero_exit"], "tags": {"t": "x"}, "env": {"A": "1"}}
    job = finished(emulator, infra, code={"upload_id": upload["upload_id"]}, **more)
    assert (job["status"], [a["exit_code"] for a in job["attempts"]]) == ("succeeded", [137, 0])
    chunks = infra.get(f"/jobs/{job['id']}/logs").json()["data"]["chunks"]
    assert [chunk["text"] for chunk in chunks] == ["out of memory\n", "epoch 1\n", "epoch 2\n"]
    link = infra.get(f"/jobs/{job['id']}/artifacts/model/weights.bin").headers["location"]
    assert httpx.get(link).content == b"\x00\x01"
    first, second = runs
    assert (first.command, first.gpu_type, first.gpu_count) == ("python train.py", "A100", 1)
    assert (first.attempt, second.attempt) == (1, 2)
    assert (first.name, first.tags, first.env["A"]) == (job["name"], {"t": "x"}, "1")
    assert first.code == archive
    assert "env" not in repr(first)
    assert "archive" not in repr(first)
    finished(emulator, infra)
    assert runs[-1].code is None


def test_a_program_that_raises_fails_the_job_and_shows_among_the_crashes(emulator, infra):
    job = finished(emulator, infra, env={"BROKEN": "1"})
    assert (job["status"], job["exit_code"]) == ("failed", 1)
    assert [type(crash) for crash in emulator.crashes] == [LookupError]
    emulator.reset()
    assert emulator.crashes == []


def test_a_program_can_be_set_for_one_test_and_a_reset_takes_it_away(emulator, infra):
    emulator.world.on_job = lambda run: JobOutcome(exit_code=9)
    assert finished(emulator, infra)["exit_code"] == 9
    emulator.reset()
    assert finished(emulator, infra)["exit_code"] == 137
