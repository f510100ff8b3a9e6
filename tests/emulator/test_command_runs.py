"""`run_commands=True`: the commands of jobs really run, on this computer."""

import io
import logging
import os
import tarfile
import time

import httpx
import pytest

from runcrate_emulator import Emulator, JobOutcome
from tests.emulator.conftest import JOB, Api
from tests.ssh.hosts import eventually

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the commands are those of POSIX shells")


@pytest.fixture
def emulator():
    with Emulator(run_commands=True, clock_speed=100) as running:
        yield running
        assert running.crashes == []


def client(emulator) -> Api:
    key = {"Authorization": f"Bearer {emulator.api_key}"}
    return Api(base_url=f"{emulator.base_url}/api/v1", headers=key)


def run(emulator, command, *, until=lambda job, _: job["ended_at"] is not None, **fields):
    """Submit a job; return it and its log when they are as wanted."""
    with client(emulator) as infra:
        path = f"/jobs/{infra.make('/jobs', **{**JOB, 'command': command, **fields})['id']}"
        deadline = time.monotonic() + 10
        while True:
            job = infra.read(path)
            log = "".join(chunk["text"] for chunk in infra.read(f"{path}/logs")["chunks"])
            if until(job, log):
                return job, log
            assert time.monotonic() < deadline, job
            time.sleep(0.02)


def test_a_command_runs_with_its_variables_and_leaves_outputs(emulator, monkeypatch):
    monkeypatch.setenv("A_SECRET_OF_MINE", "sesame")
    command = (
        'echo "$GREETING from $PWD"; echo "[$A_SECRET_OF_MINE]"; echo oops >&2; '
        'mkdir "$RUNCRATE_OUTPUT_DIR/d"; echo 1 > "$RUNCRATE_OUTPUT_DIR/d/x"; exit 3'
    )
    job, log = run(emulator, command, env={"GREETING": "hello"})
    assert (job["status"], job["exit_code"], job["artifacts_count"]) == ("failed", 3, 1)
    assert log.startswith("hello from ")
    assert "[]\noops\n" in log
    with client(emulator) as infra:
        [artifact] = infra.read(f"/jobs/{job['id']}/artifacts")
    assert (artifact["path"], artifact["bytes"]) == ("d/x", 2)
    directory = log.split(" from ")[1].splitlines()[0]
    assert not os.path.exists(directory)  # noqa: PTH110 - a path out of a log


def test_uploaded_code_is_unpacked(emulator):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        member = tarfile.TarInfo("train.sh")
        member.size = len(b"echo trained")
        archive.addfile(member, io.BytesIO(b"echo trained"))
    with client(emulator) as infra:
        upload = infra.make("/jobs/uploads", bytes=len(file.getvalue()))
    httpx.put(upload["url"], content=file.getvalue()).raise_for_status()
    job, log = run(emulator, "sh train.sh", code={"upload_id": upload["upload_id"]})
    assert (job["status"], log) == ("succeeded", "trained\n")


def test_the_time_limit_kills_what_runs(emulator):
    emulator.clock_speed = 40  # the shell has 1.5 real seconds to start
    job, log = run(emulator, "echo $$; sleep 60", max_runtime_minutes=1)
    assert (job["status"], job["exit_code"]) == ("timed_out", None)
    assert eventually(lambda: not is_running(log))


def test_cancelling_and_stopping_kill_what_runs():
    with Emulator(run_commands=True, clock_speed=100) as emulator:
        command = "echo $$; sleep 60 & sleep 60"
        started = [
            run(emulator, command, until=lambda job, log: job["status"] == "running" and log)
            for _ in range(2)
        ]
        (_, first), (job, second) = started
        with client(emulator) as infra:
            infra.make(f"/jobs/{job['id']}/cancel")
        assert eventually(lambda: not is_running(second))
        assert is_running(first)
    assert eventually(lambda: not is_running(first))


def is_running(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    return True


def test_it_is_said_at_the_start_and_on_job_goes_first(caplog):
    def decide(run):
        return JobOutcome("decided\n") if run.command == "decided" else None

    with (
        caplog.at_level(logging.WARNING, "runcrate_emulator"),
        Emulator(run_commands=True, on_job=decide, clock_speed=100) as emulator,
    ):
        assert "really run on this computer" in caplog.text
        assert run(emulator, "decided")[1] == "decided\n"
        assert run(emulator, "echo real")[1] == "real\n"


def test_by_default_nothing_runs(tmp_path):
    with Emulator(clock_speed=1000) as emulator:
        job, log = run(emulator, f"touch {tmp_path}/made")
        assert job["status"] == "succeeded"
        assert log == f"[emulator] not run: touch {tmp_path}/made\n"
    assert list(tmp_path.iterdir()) == []
