"""`run_commands=True`: the commands of jobs really run, on this computer."""

import io
import logging
import os
import tarfile
import time

import httpx
import pytest

from runcrate_emulator import Emulator, JobOutcome
from tests.emulator.conftest import JOB

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the commands are those of POSIX shells")


@pytest.fixture
def emulator():
    with Emulator(run_commands=True, clock_speed=100) as running:
        yield running
        assert running.crashes == []


def call(emulator, method, path, **options):
    headers = {"Authorization": f"Bearer {emulator.api_key}"}
    answer = httpx.request(method, f"{emulator.base_url}/api/v1{path}", headers=headers, **options)
    return answer.raise_for_status().json()["data"]


def run(emulator, command, *, until=lambda job: job["ended_at"] is not None, **fields) -> dict:
    job = call(emulator, "POST", "/jobs", json={**JOB, "command": command, **fields})
    deadline = time.monotonic() + 10
    while not until(job := call(emulator, "GET", f"/jobs/{job['id']}")):
        assert time.monotonic() < deadline, job
        time.sleep(0.02)
    return job


def log_of(emulator, job) -> str:
    chunks = call(emulator, "GET", f"/jobs/{job['id']}/logs")["chunks"]
    return "".join(chunk["text"] for chunk in chunks)


def test_a_command_runs_with_its_variables_and_leaves_outputs(emulator, monkeypatch):
    monkeypatch.setenv("A_SECRET_OF_MINE", "sesame")
    command = (
        'echo "$GREETING from $PWD"; echo "[$A_SECRET_OF_MINE]"; echo oops >&2; '
        'mkdir "$RUNCRATE_OUTPUT_DIR/d"; echo 1 > "$RUNCRATE_OUTPUT_DIR/d/x"; exit 3'
    )
    job = run(emulator, command, env={"GREETING": "hello"})
    assert (job["status"], job["exit_code"], job["artifacts_count"]) == ("failed", 3, 1)
    log = log_of(emulator, job)
    assert log.startswith("hello from ")
    assert "[]\noops\n" in log
    [artifact] = call(emulator, "GET", f"/jobs/{job['id']}/artifacts")
    assert (artifact["path"], artifact["bytes"]) == ("d/x", 2)
    directory = log.split(" from ")[1].splitlines()[0]
    assert not os.path.exists(directory)  # noqa: PTH110 - a path out of a log


def test_uploaded_code_is_unpacked(emulator):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        member = tarfile.TarInfo("train.sh")
        member.size = len(b"echo trained")
        archive.addfile(member, io.BytesIO(b"echo trained"))
    upload = call(emulator, "POST", "/jobs/uploads", json={"bytes": len(file.getvalue())})
    httpx.put(upload["url"], content=file.getvalue()).raise_for_status()
    job = run(emulator, "sh train.sh", code={"upload_id": upload["upload_id"]})
    assert (job["status"], log_of(emulator, job)) == ("succeeded", "trained\n")


def test_the_time_limit_kills_what_runs(emulator):
    emulator.clock_speed = 40  # the shell has 1.5 real seconds to start
    job = run(emulator, "echo $$; sleep 60", max_runtime_minutes=1)
    assert (job["status"], job["exit_code"]) == ("timed_out", None)
    assert is_gone(int(log_of(emulator, job)))


def test_cancelling_and_stopping_kill_what_runs():
    with Emulator(run_commands=True, clock_speed=100) as emulator:
        pids = []
        for _ in range(2):
            job = run(
                emulator,
                "echo $$; sleep 60 & sleep 60",
                until=lambda job: job["status"] == "running" and log_of(emulator, job),
            )
            pids.append(int(log_of(emulator, job)))
        call(emulator, "POST", f"/jobs/{job['id']}/cancel")
        assert is_gone(pids[1])
        assert not is_gone(pids[0], within_s=0)
    assert is_gone(pids[0])


def is_gone(pid: int, within_s: float = 5.0) -> bool:
    deadline = time.monotonic() + within_s
    while True:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.02)


def test_it_is_said_at_the_start_and_on_job_goes_first(caplog):
    def decide(run):
        return JobOutcome("decided\n") if run.command == "decided" else None

    with (
        caplog.at_level(logging.WARNING, "runcrate_emulator"),
        Emulator(run_commands=True, on_job=decide, clock_speed=100) as emulator,
    ):
        assert "really run on this computer" in caplog.text
        assert log_of(emulator, run(emulator, "decided")) == "decided\n"
        assert log_of(emulator, run(emulator, "echo real")) == "real\n"


def test_by_default_nothing_runs(tmp_path):
    with Emulator(clock_speed=1000) as emulator:
        job = run(emulator, f"touch {tmp_path}/made")
        assert job["status"] == "succeeded"
        assert log_of(emulator, job) == f"[emulator] not run: touch {tmp_path}/made\n"
    assert list(tmp_path.iterdir()) == []
