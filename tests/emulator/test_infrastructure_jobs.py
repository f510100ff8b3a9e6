"""Jobs: states on the clock, logs, outputs, retries, groups, idempotency, filters, uploads."""

import hashlib
from decimal import Decimal

import httpx
import pytest

from runcrate_emulator import JobOutcome, JobRun
from runcrate_emulator.infrastructure import credit
from tests.emulator.conftest import JOB, assert_refused


@pytest.fixture
def read(infra):
    """Read what is at `suffix` of a job."""
    return lambda job, suffix="": infra.read(f"/jobs/{job['id']}{suffix}")


@pytest.fixture
def runs(emulator) -> list[JobRun]:
    """The runs of all jobs, which `on_job` leaves to the default."""
    runs: list[JobRun] = []
    emulator.on_job = runs.append
    return runs


def texts(log) -> list[str]:
    return [chunk["text"] for chunk in log["chunks"]]


def test_a_job_starts_runs_and_succeeds_on_the_clock(emulator, infra, submit, read):
    outcome = JobOutcome("one\ntwo\n", seconds=10)
    job = submit(outcome=outcome, name="mine", env={"SECRET": "x"}, tags={"a": "b"})
    assert (job["status"], job["name"], job["tags"]) == ("starting", "mine", {"a": "b"})
    assert job["env_keys"] == ["SECRET"]
    emulator.clock.advance(20)
    running = read(job)
    assert (running["status"], running["started_at"]) == ("running", "2026-11-18T12:00:20.000Z")
    path = f"/instances/{running['instance_id']}"
    instance = infra.read(path)
    assert (instance["status"], instance["name"]) == ("running", "mine")
    emulator.clock.advance(10)
    done = read(job)
    assert (done["status"], done["exit_code"], done["error"]) == ("succeeded", 0, None)
    assert done["ended_at"] == "2026-11-18T12:00:30.000Z"
    assert (done["instance_id"], done["log_bytes"]) == (None, 8)
    assert done["cost_usd"] == pytest.approx(1.49 * 10 / 3600, abs=1e-6)
    assert emulator.world.ledger.transactions[-1].amount == -Decimal("0.004139")
    instance = infra.read(path)
    assert (instance["status"], instance["stop_reason"]) == ("terminated", "system")


def test_the_log_grows_with_the_clock_and_is_read_page_by_page(emulator, submit, read):
    job = submit(outcome=JobOutcome("one\ntwo\nthree\n", seconds=30))
    assert read(job, "/logs")["chunks"] == []
    emulator.clock.advance(25)
    first = read(job, "/logs")
    assert first["chunks"] == [{"seq": 1, "ts": "2026-11-18T12:00:20.000Z", "text": "one\n"}]
    assert (first["cursor"], first["done"], first["status"]) == (1, False, "running")
    emulator.clock.advance(30)
    page = read(job, "/logs?after=1&limit=1")
    assert (texts(page), page["done"]) == (["two\n"], False)
    last = read(job, f"/logs?after={page['cursor']}")
    assert (texts(last), last["done"]) == (["three\n"], True)
    assert read(job, "/logs?after=99")["cursor"] == 99


def test_exit_codes_fail_and_time_limits_time_out(emulator, infra, submit, read):
    failed = submit("fail", JobOutcome(exit_code=3))
    slow = submit("slow", JobOutcome("a\nb\n", seconds=121), max_runtime_minutes=1)
    emulator.clock.advance(600)
    end = read(failed)
    assert (end["status"], end["exit_code"]) == ("failed", 3)
    assert "exit code 3" in end["error"]
    end = read(slow)
    assert (end["status"], end["exit_code"]) == ("timed_out", None)
    assert end["ended_at"] == "2026-11-18T12:01:20.000Z"
    assert texts(read(slow, "/logs")) == ["a\n"]
    instance = infra.read(f"/instances/{end['attempts'][0]['deployment_id']}")
    assert instance["stop_reason"] == "max_runtime"


def test_outputs_redirect_to_a_signed_link_for_an_hour_and_last_thirty_days(
    emulator, infra, submit, read
):
    job = submit(outcome=JobOutcome(artifacts={"a.txt": "1\n", "d/ü.txt": b"2\n"}))
    path = f"/jobs/{job['id']}/artifacts"
    assert infra.read(path) == []
    emulator.clock.advance(60)
    assert infra.read(path) == [
        {"path": "a.txt", "bytes": 2, "sha256": hashlib.sha256(b"1\n").hexdigest()},
        {"path": "d/ü.txt", "bytes": 2, "sha256": hashlib.sha256(b"2\n").hexdigest()},
    ]
    assert read(job)["artifacts_count"] == 2
    answer = infra.get(f"{path}/d/%C3%BC.txt")
    assert answer.status_code == 302
    link = answer.headers["location"]
    assert httpx.get(link).content == b"2\n"
    assert_refused(infra.get(f"{path}/none"), 404, "not_found")
    emulator.clock.advance(3600)
    assert_refused(httpx.get(link), 403, "forbidden")
    emulator.clock.advance(30 * 86400)
    assert infra.read(path) == []
    assert_refused(infra.get(f"{path}/a.txt"), 404, "not_found")


def test_candidates_are_tried_in_order(submit):
    job = submit(gpu_type=["B200:8", "RTX4090:2", "A100"])
    assert (job["gpu_type"], job["gpu_count"]) == ("RTX4090", 2)
    assert [c["gpu_count"] for c in job["gpu_candidates"]] == [8, 2, 1]
    assert submit(gpu_type="RTX4090", gpu_count=2)["cost_per_hour"] == 1.32
    assert submit(gpu_type="A100-80GB:2", region="eu")["attempts"][0]["region"] == "eu-west-1"
    assert submit(gpu_type="CPU", allow_cpu_container=True)["gpu_count"] == 0


def test_a_job_without_an_instance_waits_and_gives_up(emulator, submit, read):
    job = submit(gpu_type="B200:8", capacity_wait_minutes=10)
    assert (job["status"], job["queue_reason"]) == ("queued", "no_capacity")
    assert job["next_attempt_at"] == "2026-11-18T12:01:00.000Z"
    emulator.clock.advance(600)
    end = read(job)
    assert (end["status"], end["ended_at"]) == ("failed", "2026-11-18T12:10:00.000Z")
    assert "within 10 minutes" in end["error"]
    assert submit(gpu_type="B200:8", capacity_wait_minutes=0)["status"] == "failed"


def test_a_queued_job_starts_when_there_is_stock(emulator, submit, read):
    job = submit(gpu_type="B200:8")
    emulator.clock.advance(90)
    emulator.world.settle()
    emulator.world.sold_out.clear()
    emulator.clock.advance(30)
    assert read(job)["status"] == "starting"
    kinds = [event["kind"] for event in read(job, "/events")]
    assert kinds == ["created", "queued", "launch_attempt"]


def test_a_job_waits_for_its_volume_and_for_the_budget(
    emulator, infra, submit, launch, volume, read
):
    instance = launch(storage_id=volume["id"])
    busy = submit(storage_id=volume["id"])
    assert (busy["status"], busy["queue_reason"]) == ("queued", "volume_busy")
    infra.delete(f"/instances/{instance['id']}")
    emulator.world.set_budget("main", "0.01")
    emulator.clock.advance(60)
    assert read(busy)["queue_reason"] == "budget"
    emulator.world.set_budget("main", None)
    emulator.clock.advance(60)
    assert read(busy)["status"] == "starting"


def test_a_job_fails_for_an_empty_balance_and_for_a_volume_elsewhere(
    emulator, submit, volume, read
):
    elsewhere = submit(storage_id=volume["id"], gpu_type="A4000", region="eu-west-1")
    assert elsewhere["status"] == "failed"
    assert "region" in elsewhere["error"]
    queued = submit(gpu_type="B200:8")
    emulator.world.ledger.post("adjustment", Decimal(-100), "Spent", emulator.clock.now())
    emulator.clock.advance(60)
    end = read(queued)
    assert (end["status"], end["error"]) == ("failed", "The balance was used up.")


def test_retries_of_exit_codes_only_when_asked_for(emulator, submit, read):
    fails = JobOutcome("x\n", exit_code=3)
    asked = submit("a", fails, max_retries=2, retry_on=["nonzero_exit"])
    other = submit("b", fails, max_retries=2, retry_on=["nonzero_exit"], retry_exit_codes=[4])
    plain = submit("c", fails, max_retries=2)
    emulator.clock.advance(600)
    end = read(asked)
    assert ([a["exit_code"] for a in end["attempts"]], end["attempt"]) == ([3, 3, 3], 3)
    assert end["status"] == "failed"
    assert end["cost_usd"] == pytest.approx(3 * 1.49 / 3600, abs=1e-6)
    assert [chunk["seq"] for chunk in read(asked, "/logs")["chunks"]] == [1, 2, 3]
    assert len(read(other)["attempts"]) == len(read(plain)["attempts"]) == 1


@pytest.mark.parametrize(
    ("reason", "status", "attempts"), [("failed", "starting", 2), ("user", "failed", 1)]
)
def test_a_failed_instance_is_retried_a_terminated_one_is_not(
    emulator, submit, read, reason, status, attempts
):
    job = submit(outcome=JobOutcome(seconds=60), max_retries=1)
    emulator.clock.advance(30)
    world = emulator.world
    credit.stop_instance(world, world.instances[read(job)["instance_id"]], reason)
    now = read(job)
    assert (now["status"], len(now["attempts"])) == (status, attempts)


def test_rerun_merges_env_and_drops_nulls(emulator, infra, runs, read):
    sent = {"env": {"A": "1", "B": "2"}, "webhook_url": "https://example.org/hook/abcdef"}
    job = infra.make("/jobs", **JOB, **sent)
    assert job["webhook_url"] == "https://example.org/…cdef"
    assert job["webhook_secret"].startswith("whsec_")
    assert "webhook_secret" not in read(job)
    path = f"/jobs/{job['id']}/rerun"
    rerun = infra.make(path, env={"B": "3"}, webhook_url=None, name="again")
    assert (rerun["rerun_of"], rerun["name"], rerun["webhook_url"]) == (job["id"], "again", None)
    emulator.clock.advance(60)
    assert [(run.env["A"], run.env["B"]) for run in runs] == [("1", "2"), ("1", "3")]
    plain = infra.post(path)
    assert (plain.status_code, plain.json()["data"]["env_keys"]) == (201, ["A", "B"])
    for field, value in (("count", 2), ("max_runtime_minutes", 0)):
        bad = infra.post(path, json={field: value})
        assert_refused(bad, 422, "validation_error", field)


def test_a_submit_is_deduplicated_for_a_day_per_key_route_and_environment(emulator, infra):
    infra.make("/environments", name="staging")

    def submit(path: str = "/jobs", **headers: str) -> str:
        headers = {"Idempotency-Key": "k", **headers}
        job_id: str = infra.post(path, json=JOB, headers=headers).json()["data"]["id"]
        return job_id

    first = submit()
    assert submit() == first
    emulator.clock.advance(86399)
    assert submit() == first
    emulator.add_key("rc_live_other")
    others = {
        submit("/jobs?environment=staging"),
        submit(Authorization="Bearer rc_live_other"),
        submit(**{"Idempotency-Key": "other"}),
        submit(f"/jobs/{first}/rerun"),
    }
    assert len(others - {first}) == 4
    emulator.clock.advance(1)
    assert submit() != first
    refused = infra.post("/jobs", json=JOB, headers={"Idempotency-Key": "x" * 256})
    assert_refused(refused, 400, "validation_error")


def test_a_refused_submit_is_not_remembered(emulator, infra):
    def submit() -> httpx.Response:
        return infra.post("/jobs", json=JOB, headers={"Idempotency-Key": "k"})

    emulator.world.set_budget("main", 0)
    assert_refused(submit(), 402, "BUDGET_REACHED")
    emulator.world.set_budget("main", None)
    path = f"/jobs/{submit().raise_for_status().json()['data']['id']}"
    infra.post(f"{path}/cancel")
    infra.delete(path)
    assert_refused(submit(), 404, "not_found")


def test_a_group_runs_so_many_at_once_and_ends_as_one(emulator, infra, read):
    emulator.on_job = lambda run: JobOutcome(
        f"{run.env['N']} {run.env['RUNCRATE_JOB_INDEX']}\n", seconds=10
    )
    body = {**JOB, "max_parallel": 1, "params": [{"N": "a"}, {"N": "b"}]}
    group = infra.make("/jobs", **body, webhook_url="https://example.org/x")
    path = f"/job-groups/{group['id']}"
    assert group["webhook_secret"].startswith("whsec_")
    assert (group["count"], group["max_parallel"]) == (2, 1)
    assert group["status_counts"] == {"starting": 1, "queued": 1}
    assert [job["job_index"] for job in group["jobs"]] == [0, 1]
    assert group["jobs"][1]["queue_reason"] == "max_parallel"
    emulator.clock.advance(30)
    assert infra.read(path)["status_counts"] == {"succeeded": 1, "starting": 1}
    emulator.clock.advance(30)
    end = infra.read(path)
    assert end["status_counts"] == {"succeeded": 2}
    assert end["cost_usd"] == pytest.approx(20 * 1.49 / 3600, abs=2e-6)
    members = infra.read(f"/jobs?group_id={group['id']}")
    assert {texts(read(job, "/logs"))[0] for job in members} == {"a 0\n", "b 1\n"}


def test_jobs_are_filtered(emulator, infra, submit):
    first = submit("echo alpha", tags={"team": "a", "kind": "x:y"}, name="First")["id"]
    emulator.clock.advance(120)
    second = submit("fail", JobOutcome(exit_code=1), gpu_type="L40S", tags={"team": "b"})["id"]
    emulator.clock.advance(60)
    for query, found in (
        ({"status": "succeeded"}, [first]),
        ({"status": "succeeded,failed"}, [second, first]),
        ({"tag": "team:b"}, [second]),
        ({"tag": ["team:a", "kind:x:y"]}, [first]),
        ({"tag": ["team:a", "kind:z"]}, []),
        ({"q": "ALPHA"}, [first]),
        ({"q": "first"}, [first]),
        ({"gpu_type": "l40s"}, [second]),
        ({"created_after": "2026-11-18T12:01:00Z"}, [second]),
        ({"group_id": "none"}, []),
        ({"environment": "main"}, [second, first]),
    ):
        assert [job["id"] for job in infra.read("/jobs", **query)] == found, query


def test_uploads_are_put_once_and_deduplicated_by_their_hash(emulator, infra, runs):
    archive = b"a tar.gz"
    digest = hashlib.sha256(archive).hexdigest()
    body = {"bytes": len(archive), "sha256": digest}
    upload = infra.make("/jobs/uploads", **body)
    assert (upload["max_bytes"], upload["expires_at"]) == (10**9, "2026-11-19T12:00:00.000Z")
    with_code = {**JOB, "code": {"upload_id": upload["upload_id"]}}
    early = infra.post("/jobs", json=with_code)
    assert_refused(early, 422, "validation_error", "code.upload_id")
    for content in (b"shorter", b"A tar.gz"):
        assert_refused(httpx.put(upload["url"], content=content), 400, "validation_error")
    assert_refused(httpx.put(upload["url"] + "0", content=archive), 403, "forbidden")
    assert httpx.put(upload["url"], content=archive).status_code == 200
    again = infra.make("/jobs/uploads", **body)
    assert (again["upload_id"], again["url"]) == (upload["upload_id"], None)
    job = infra.make("/jobs", **with_code)
    assert job["code"] == {"source": "upload", "ref": upload["upload_id"], "sha256": digest}
    emulator.clock.advance(86400)
    infra.read("/jobs")
    assert [run.code for run in runs] == [archive]
    assert "tar.gz" not in repr(runs)
    late = infra.post("/jobs", json=with_code)
    assert_refused(late, 422, "validation_error", "code.upload_id")
    assert len({infra.make("/jobs/uploads", bytes=1)["upload_id"] for _ in "ab"}) == 2


def test_on_job_sees_each_attempt_with_its_secrets(emulator, infra, runs):
    for name in ("TOKEN", "OTHER"):
        emulator.world.set_secret("main", name)
    job = infra.make("/jobs", **JOB, tags={"t": "x"}, env={"TOKEN": "mine"})
    emulator.clock.advance(300)
    infra.read("/jobs")
    (run,) = runs
    assert (run.command, run.gpu_type, run.gpu_count) == ("echo hello", "A100", 1)
    assert (run.name, run.tags, run.code, run.attempt) == (job["name"], {"t": "x"}, None, 1)
    assert (run.env["TOKEN"], run.env["OTHER"]) == ("mine", "(a secret)")
    assert "mine" not in repr(run)


def test_an_error_of_on_job_fails_the_job_and_is_a_crash_until_a_reset(emulator, infra, read):
    def decide(run: JobRun) -> JobOutcome:
        raise LookupError("no such thing")

    emulator.on_job = decide
    job = infra.make("/jobs", **JOB)
    emulator.clock.advance(300)
    end = read(job)
    assert (end["status"], end["exit_code"]) == ("failed", 1)
    assert [type(crash) for crash in emulator.crashes] == [LookupError]
    emulator.reset()
    assert (emulator.crashes, emulator.on_job) == ([], None)
