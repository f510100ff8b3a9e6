"""Jobs: states on the clock, logs, outputs, retries, groups, idempotency, filters, uploads."""

import hashlib
from decimal import Decimal

import httpx
import pytest

from runcrate_emulator import Clock, Emulator, JobOutcome, JobRun
from runcrate_emulator.infrastructure import credit
from tests.emulator.conftest import JOB, assert_refused


def read(infra: httpx.Client, job: dict, suffix: str = "") -> dict:
    data: dict = infra.get(f"/jobs/{job['id']}{suffix}").json()["data"]
    return data


def test_a_job_starts_runs_and_succeeds_on_the_clock(emulator, infra, submit):
    outcome = JobOutcome("one\ntwo\n", seconds=10)
    job = submit(outcome=outcome, name="mine", env={"SECRET": "x"}, tags={"a": "b"})
    assert (job["status"], job["name"], job["tags"]) == ("starting", "mine", {"a": "b"})
    assert job["env_keys"] == ["SECRET"]
    emulator.clock.advance(20)
    running = read(infra, job)
    assert (running["status"], running["started_at"]) == ("running", "2026-11-18T12:00:20.000Z")
    instance = infra.get(f"/instances/{running['instance_id']}").json()["data"]
    assert (instance["status"], instance["name"]) == ("running", "mine")
    emulator.clock.advance(10)
    done = read(infra, job)
    assert (done["status"], done["exit_code"], done["error"]) == ("succeeded", 0, None)
    assert done["ended_at"] == "2026-11-18T12:00:30.000Z"
    assert (done["instance_id"], done["log_bytes"]) == (None, 8)
    assert done["cost_usd"] == pytest.approx(1.49 * 10 / 3600, abs=1e-6)
    assert emulator.world.ledger.transactions[-1].amount == -Decimal("0.004139")
    instance = infra.get(f"/instances/{running['instance_id']}").json()["data"]
    assert (instance["status"], instance["stop_reason"]) == ("terminated", "system")


def test_the_log_grows_with_the_clock_and_is_read_page_by_page(emulator, infra, submit):
    job = submit(outcome=JobOutcome("one\ntwo\nthree\n", seconds=30))
    assert read(infra, job, "/logs")["chunks"] == []
    emulator.clock.advance(25)
    first = read(infra, job, "/logs")
    assert first["chunks"] == [{"seq": 1, "ts": "2026-11-18T12:00:20.000Z", "text": "one\n"}]
    assert (first["cursor"], first["done"], first["status"]) == (1, False, "running")
    emulator.clock.advance(30)
    page = read(infra, job, "/logs?after=1&limit=1")
    assert ([c["text"] for c in page["chunks"]], page["done"]) == (["two\n"], False)
    last = read(infra, job, f"/logs?after={page['cursor']}")
    assert ([c["text"] for c in last["chunks"]], last["done"]) == (["three\n"], True)
    assert read(infra, job, "/logs?after=99")["cursor"] == 99


def test_following_a_log_waits_for_output_and_for_the_end(emulator, infra, submit):
    job = submit(outcome=JobOutcome("late\n", seconds=10))
    emulator.clock.speed = 2000
    page = read(infra, job, "/logs?follow=true")
    assert [chunk["text"] for chunk in page["chunks"]] == ["late\n"]
    end = read(infra, job, f"/logs?follow=true&after={page['cursor']}")
    assert (end["chunks"], end["done"], end["status"]) == ([], True, "succeeded")


def test_exit_codes_fail_and_time_limits_time_out(emulator, infra, submit):
    failed = submit("fail", JobOutcome(exit_code=3))
    slow = submit("slow", JobOutcome("a\nb\n", seconds=121), max_runtime_minutes=1)
    emulator.clock.advance(600)
    end = read(infra, failed)
    assert (end["status"], end["exit_code"]) == ("failed", 3)
    assert "exit code 3" in end["error"]
    end = read(infra, slow)
    assert (end["status"], end["exit_code"]) == ("timed_out", None)
    assert end["ended_at"] == "2026-11-18T12:01:20.000Z"
    assert [c["text"] for c in read(infra, slow, "/logs")["chunks"]] == ["a\n"]
    instance = infra.get(f"/instances/{end['attempts'][0]['deployment_id']}").json()["data"]
    assert instance["stop_reason"] == "max_runtime"


def test_outputs_redirect_to_a_signed_link_for_an_hour_and_last_thirty_days(
    emulator, infra, submit
):
    job = submit(outcome=JobOutcome(artifacts={"a.txt": "1\n", "d/ü.txt": b"2\n"}))
    path = f"/jobs/{job['id']}/artifacts"
    assert infra.get(path).json()["data"] == []
    emulator.clock.advance(60)
    assert infra.get(path).json()["data"] == [
        {"path": "a.txt", "bytes": 2, "sha256": hashlib.sha256(b"1\n").hexdigest()},
        {"path": "d/ü.txt", "bytes": 2, "sha256": hashlib.sha256(b"2\n").hexdigest()},
    ]
    assert read(infra, job)["artifacts_count"] == 2
    answer = infra.get(f"{path}/d/%C3%BC.txt")
    assert answer.status_code == 302
    link = answer.headers["location"]
    assert httpx.get(link).content == b"2\n"
    assert_refused(infra.get(f"{path}/none"), 404, "not_found")
    emulator.clock.advance(3600)
    assert_refused(httpx.get(link), 403, "forbidden")
    emulator.clock.advance(30 * 86400)
    assert infra.get(path).json()["data"] == []
    assert_refused(infra.get(f"{path}/a.txt"), 404, "not_found")


def test_candidates_are_tried_in_order(emulator, infra, submit):
    job = submit(gpu_type=["B200:8", "RTX4090:2", "A100"])
    assert (job["gpu_type"], job["gpu_count"]) == ("RTX4090", 2)
    assert [c["gpu_count"] for c in job["gpu_candidates"]] == [8, 2, 1]
    assert submit(gpu_type="RTX4090", gpu_count=2)["cost_per_hour"] == 1.32
    assert submit(gpu_type="A100-80GB:2", region="eu")["attempts"][0]["region"] == "eu-west-1"
    assert submit(gpu_type="CPU", allow_cpu_container=True)["gpu_count"] == 0


def test_a_job_without_a_machine_waits_and_gives_up(emulator, infra, submit):
    job = submit(gpu_type="B200:8", capacity_wait_minutes=10)
    assert (job["status"], job["queue_reason"]) == ("queued", "no_capacity")
    assert job["next_attempt_at"] == "2026-11-18T12:01:00.000Z"
    emulator.clock.advance(600)
    end = read(infra, job)
    assert (end["status"], end["ended_at"]) == ("failed", "2026-11-18T12:10:00.000Z")
    assert "within 10 minutes" in end["error"]
    assert submit(gpu_type="B200:8", capacity_wait_minutes=0)["status"] == "failed"


def test_a_queued_job_starts_when_there_is_stock(emulator, infra, submit):
    job = submit(gpu_type="B200:8")
    emulator.clock.advance(90)
    emulator.world.settle()
    emulator.world.sold_out.clear()
    emulator.clock.advance(30)
    assert read(infra, job)["status"] == "starting"
    kinds = [event["kind"] for event in read(infra, job, "/events")]
    assert kinds == ["created", "queued", "launch_attempt"]


def test_a_job_waits_for_its_volume_and_for_the_budget(emulator, infra, submit, launch, volume):
    instance = launch(storage_id=volume["id"])
    busy = submit(storage_id=volume["id"])
    assert (busy["status"], busy["queue_reason"]) == ("queued", "volume_busy")
    infra.delete(f"/instances/{instance['id']}")
    emulator.world.set_budget("main", "0.01")
    emulator.clock.advance(60)
    assert read(infra, busy)["queue_reason"] == "budget"
    emulator.world.set_budget("main", None)
    emulator.clock.advance(60)
    assert read(infra, busy)["status"] == "starting"


def test_a_job_that_queues_into_an_empty_balance_fails(emulator, infra, submit):
    job = submit(gpu_type="B200:8")
    emulator.world.ledger.post("adjustment", Decimal(-100), "Spent", emulator.clock.now())
    emulator.clock.advance(60)
    end = read(infra, job)
    assert (end["status"], end["error"]) == ("failed", "The balance was used up.")


def test_a_volume_in_another_region_fails_the_job(submit, volume):
    job = submit(storage_id=volume["id"], gpu_type="A4000", region="eu-west-1")
    assert job["status"] == "failed"
    assert "region" in job["error"]


def test_retries_of_exit_codes_only_when_asked_for(emulator, infra, submit):
    fails = JobOutcome("x\n", exit_code=3)
    asked = submit("a", fails, max_retries=2, retry_on=["nonzero_exit"])
    other = submit("b", fails, max_retries=2, retry_on=["nonzero_exit"], retry_exit_codes=[4])
    plain = submit("c", fails, max_retries=2)
    emulator.clock.advance(600)
    end = read(infra, asked)
    assert ([a["exit_code"] for a in end["attempts"]], end["attempt"]) == ([3, 3, 3], 3)
    assert end["status"] == "failed"
    assert end["cost_usd"] == pytest.approx(3 * 1.49 / 3600, abs=1e-6)
    assert [c["seq"] for c in read(infra, asked, "/logs")["chunks"]] == [1, 2, 3]
    assert len(read(infra, other)["attempts"]) == len(read(infra, plain)["attempts"]) == 1


def test_a_failed_machine_is_retried_a_terminated_one_is_not(emulator, infra, submit):
    world = emulator.world
    for reason, status, attempts in (("failed", "starting", 2), ("user", "failed", 1)):
        job = submit(outcome=JobOutcome(seconds=60), max_retries=1)
        emulator.clock.advance(30)
        instance = world.instances[read(infra, job)["instance_id"]]
        credit.stop_instance(world, instance, reason)
        now = read(infra, job)
        assert (now["status"], len(now["attempts"])) == (status, attempts)
    instance = infra.get(f"/instances/{instance.id}").json()["data"]
    assert instance["status"] == "terminated"


def test_delete_only_after_the_end_and_with_everything(emulator, infra, submit):
    job = submit(outcome=JobOutcome(artifacts={"a": "1"}))
    assert_refused(infra.delete(f"/jobs/{job['id']}"), 409, "conflict")
    emulator.clock.advance(60)
    link = infra.get(f"/jobs/{job['id']}/artifacts/a").headers["location"]
    assert infra.delete(f"/jobs/{job['id']}").status_code == 204
    for suffix in ("", "/logs", "/events", "/metrics", "/artifacts"):
        assert_refused(infra.get(f"/jobs/{job['id']}{suffix}"), 404, "not_found")
    assert_refused(httpx.get(link), 404, "not_found")


def test_rerun_merges_env_and_drops_nulls(emulator, infra, submit):
    job = submit(env={"A": "1", "B": "2"}, webhook_url="https://example.org/hook/abcdef")
    assert job["webhook_url"] == "https://example.org/…cdef"
    assert job["webhook_secret"].startswith("whsec_")
    assert "webhook_secret" not in read(infra, job)
    body = {"env": {"B": "3"}, "webhook_url": None, "name": "again"}
    runs: list[JobRun] = []
    emulator.on_job = runs.append
    rerun = infra.post(f"/jobs/{job['id']}/rerun", json=body).json()["data"]
    assert (rerun["rerun_of"], rerun["name"], rerun["webhook_url"]) == (job["id"], "again", None)
    emulator.clock.advance(60)
    assert [(run.env["A"], run.env["B"]) for run in runs] == [("1", "3")]
    plain = infra.post(f"/jobs/{job['id']}/rerun")
    assert (plain.status_code, plain.json()["data"]["env_keys"]) == (201, ["A", "B"])
    for field, value in (("count", 2), ("max_runtime_minutes", 0)):
        bad = infra.post(f"/jobs/{job['id']}/rerun", json={field: value})
        assert_refused(bad, 422, "validation_error", field)


def test_a_submit_is_deduplicated_for_a_day_per_key_route_and_environment(emulator, infra):
    infra.post("/environments", json={"name": "staging"})

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
    headers = {"Idempotency-Key": "k"}
    emulator.world.set_budget("main", 0)
    assert_refused(infra.post("/jobs", json=JOB, headers=headers), 402, "BUDGET_REACHED")
    emulator.world.set_budget("main", None)
    answer = infra.post("/jobs", json=JOB, headers=headers)
    assert answer.status_code == 201
    infra.post(f"/jobs/{answer.json()['data']['id']}/cancel")
    infra.delete(f"/jobs/{answer.json()['data']['id']}")
    assert_refused(infra.post("/jobs", json=JOB, headers=headers), 404, "not_found")


def test_a_group_runs_so_many_at_once_and_ends_as_one(emulator, infra):
    emulator.on_job = lambda run: JobOutcome(
        f"{run.env['N']} {run.env['RUNCRATE_JOB_INDEX']}\n", seconds=10
    )
    body = {**JOB, "max_parallel": 1}
    body |= {"params": [{"N": "a"}, {"N": "b"}], "webhook_url": "https://example.org/x"}
    answer = infra.post("/jobs", json=body)
    assert answer.status_code == 201
    group = answer.json()["data"]
    assert group["webhook_secret"].startswith("whsec_")
    assert (group["count"], group["max_parallel"]) == (2, 1)
    assert group["status_counts"] == {"starting": 1, "queued": 1}
    assert [job["job_index"] for job in group["jobs"]] == [0, 1]
    assert group["jobs"][1]["queue_reason"] == "max_parallel"
    emulator.clock.advance(30)
    assert infra.get(f"/job-groups/{group['id']}").json()["data"]["status_counts"] == {
        "succeeded": 1,
        "starting": 1,
    }
    emulator.clock.advance(30)
    end = infra.get(f"/job-groups/{group['id']}").json()["data"]
    assert end["status_counts"] == {"succeeded": 2}
    assert end["cost_usd"] == pytest.approx(20 * 1.49 / 3600, abs=2e-6)
    members = infra.get(f"/jobs?group_id={group['id']}").json()["data"]
    texts = {read(infra, job, "/logs")["chunks"][0]["text"] for job in members}
    assert texts == {"a 0\n", "b 1\n"}


def test_a_group_is_cancelled_without_starting_what_waits(emulator, infra):
    group = infra.post("/jobs", json={**JOB, "count": 3, "max_parallel": 1}).json()["data"]
    for _ in range(2):
        answer = infra.post(f"/job-groups/{group['id']}/cancel")
        assert answer.json()["data"]["status_counts"] == {"cancelled": 3}
    again = infra.post(f"/jobs/{group['jobs'][0]['id']}/cancel").json()["data"]
    assert again["status"] == "cancelled"
    assert len(infra.get("/instances").json()["data"]) == 1
    for path in ("/job-groups/none", f"/job-groups/{group['id']}?environment=nowhere"):
        assert_refused(infra.get(path), 404, "not_found")


def test_jobs_are_filtered(emulator, infra, submit):
    first = submit("echo alpha", tags={"team": "a", "kind": "x:y"}, name="First")
    emulator.clock.advance(120)
    second = submit("fail", JobOutcome(exit_code=1), gpu_type="L40S", tags={"team": "b"})
    emulator.clock.advance(60)

    def found(**query: object) -> list[str]:
        return [job["id"] for job in infra.get("/jobs", params=query).json()["data"]]

    assert found(status="succeeded") == [first["id"]]
    assert found(status="succeeded,failed") == [second["id"], first["id"]]
    assert found(tag="team:b") == [second["id"]]
    assert found(tag=["team:a", "kind:x:y"]) == [first["id"]]
    assert found(tag=["team:a", "kind:z"]) == []
    assert found(q="ALPHA") == found(q="first") == [first["id"]]
    assert found(gpu_type="l40s") == [second["id"]]
    assert found(created_after="2026-11-18T12:01:00Z") == [second["id"]]
    assert found(group_id="none") == []
    assert found(environment="main") == [second["id"], first["id"]]


def test_metrics_are_per_step_and_gpu(emulator, infra, submit):
    job = submit(outcome=JobOutcome(seconds=150), gpu_type="RTX4090:2")
    assert read(infra, job, "/metrics") == []
    emulator.clock.advance(300)
    points = read(infra, job, "/metrics")
    assert [point["at"] for point in points] == [
        "2026-11-18T12:00:20.000Z",
        "2026-11-18T12:01:20.000Z",
        "2026-11-18T12:02:20.000Z",
    ]
    assert len(points[0]["gpus"]) == 2
    assert points[0]["gpus"][0]["mem_total_mb"] == 24 * 1024
    assert len(read(infra, job, "/metrics?step=100")) == 2
    done = read(infra, job)
    assert done["gpu_util_avg"] > 0
    assert done["gpu_mem_peak_mb"] > 0


def test_uploads_are_put_once_and_deduplicated_by_their_hash(emulator, infra):
    archive = b"a tar.gz"
    digest = hashlib.sha256(archive).hexdigest()
    body = {"bytes": len(archive), "sha256": digest}
    upload = infra.post("/jobs/uploads", json=body).json()["data"]
    assert (upload["max_bytes"], upload["expires_at"]) == (10**9, "2026-11-19T12:00:00.000Z")
    with_code = {**JOB, "code": {"upload_id": upload["upload_id"]}}
    early = infra.post("/jobs", json=with_code)
    assert_refused(early, 422, "validation_error", "code.upload_id")
    for content in (b"shorter", b"A tar.gz"):
        assert_refused(httpx.put(upload["url"], content=content), 400, "validation_error")
    assert_refused(httpx.put(upload["url"] + "0", content=archive), 403, "forbidden")
    assert httpx.put(upload["url"], content=archive).status_code == 200
    again = infra.post("/jobs/uploads", json=body).json()["data"]
    assert (again["upload_id"], again["url"]) == (upload["upload_id"], None)
    runs: list[JobRun] = []
    emulator.on_job = runs.append
    job = infra.post("/jobs", json=with_code).json()["data"]
    assert job["code"] == {"source": "upload", "ref": upload["upload_id"], "sha256": digest}
    emulator.clock.advance(86400)
    assert [run.code for run in runs] == [archive]
    assert "tar.gz" not in repr(runs)
    late = infra.post("/jobs", json=with_code)
    assert_refused(late, 422, "validation_error", "code.upload_id")
    plain = [infra.post("/jobs/uploads", json={"bytes": 1}).json()["data"] for _ in "ab"]
    assert plain[0]["upload_id"] != plain[1]["upload_id"]


def test_on_job_sees_each_attempt_with_its_secrets_and_decides_it(emulator, infra, submit):
    runs: list[JobRun] = []

    def decide(run: JobRun) -> JobOutcome:
        runs.append(run)
        return JobOutcome(f"attempt {run.attempt}\n", exit_code=137 if run.attempt == 1 else 0)

    emulator.on_job = decide
    for name in ("TOKEN", "OTHER"):
        emulator.world.set_secret("main", name)
    retried = {"max_retries": 1, "retry_on": ["nonzero_exit"], "env": {"TOKEN": "mine"}}
    job = infra.post("/jobs", json={**JOB, **retried, "tags": {"t": "x"}}).json()["data"]
    emulator.clock.advance(300)
    end = read(infra, job)
    assert (end["status"], [a["exit_code"] for a in end["attempts"]]) == ("succeeded", [137, 0])
    chunks = read(infra, job, "/logs")["chunks"]
    assert [chunk["text"] for chunk in chunks] == ["attempt 1\n", "attempt 2\n"]
    run = runs[0]
    assert (run.command, run.gpu_type, run.gpu_count) == ("echo hello", "A100", 1)
    assert (run.name, run.tags, run.code) == (job["name"], {"t": "x"}, None)
    assert (run.env["TOKEN"], run.env["OTHER"]) == ("mine", "(a secret)")
    assert "mine" not in repr(run)


def test_an_error_of_on_job_fails_the_job_and_is_a_crash_until_a_reset():
    def decide(run: JobRun) -> JobOutcome:
        raise LookupError("no such thing")

    with Emulator(clock=Clock(0), on_job=decide) as emulator:
        emulator.on_job = None
        emulator.reset()
        assert emulator.on_job is decide
        url, key = f"{emulator.base_url}/api/v1/jobs", {"Authorization": "Bearer rc_live_emulator"}
        httpx.post(url, json=JOB, headers=key)
        emulator.clock.advance(300)
        [job] = httpx.get(url, headers=key).json()["data"]
        assert (job["status"], job["exit_code"]) == ("failed", 1)
        assert [type(crash) for crash in emulator.crashes] == [LookupError]
        emulator.reset()
        assert emulator.crashes == []
