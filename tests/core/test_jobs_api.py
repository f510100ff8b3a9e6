"""Jobs: submitting, following, waiting, listing and ending them."""

from __future__ import annotations

import json
import pickle
from datetime import UTC, datetime
from typing import Any

import pytest

import runcrate_core as rc
from runcrate_core.api.jobs import wait
from runcrate_core.protocol.steps import Call, Sleep
from runcrate_emulator import JobOutcome
from tests.core.cloud import sent
from tests.servers import Reply

SPEC = {"command": "echo hello", "gpu_type": "A100", "max_runtime_minutes": 10}


@pytest.fixture(autouse=True)
def _no_gap_between_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runcrate_core.api.job_logs.EMPTY_READ_GAP_S", 0.01)


def test_a_job_runs_to_its_end(cloud, both):
    cloud.world.on_job = lambda run: JobOutcome(f"{run.env['GREETING']}\nbye\n", seconds=5)
    spec = {"command": "python greet.py", "gpu_type": ["A100", "H100:2"], "max_runtime_minutes": 10}
    spec |= {"env": {"GREETING": "hello"}, "tags": {"project": "vision"}, "max_retries": 0}
    job = both("jobs.run", **spec, name=None)
    [request] = sent(cloud, "POST /jobs")
    assert request.json == spec
    assert request.headers["idempotency-key"]
    assert (job.env_keys, job.tags) == (["GREETING"], {"project": "vision"})
    assert not job.has_ended
    chunks = both.values("jobs.follow_logs", job.id)
    assert "".join(chunk.text for chunk in chunks) == "hello\nbye\n"
    page = both("jobs.logs", job.id, limit=1)
    assert [chunk.text for chunk in page.chunks] == [chunks[0].text]
    assert both("jobs.logs", job.id, after=page.cursor).chunks == chunks[1:]
    done = both("jobs.wait", job.id)
    assert (done.status, done.exit_code, done.has_ended) == ("succeeded", 0, True)
    assert done.ended_at is not None
    assert done.cost_usd > 0
    kinds = [event.kind for event in both("jobs.events", job.id)]
    assert kinds[:2] == ["created", "launch_attempt"]
    [point] = both("jobs.metrics", job.id, step=60)
    assert point.gpus[0].mem_total_mb > point.gpus[0].mem_used_mb


def test_a_group_is_submitted_read_and_cancelled(cloud, both):
    cloud.clock_speed = 0  # no job ends before it is cancelled
    spec = {**SPEC, "command": "sleep 500"}
    group = both("jobs.run_group", **spec, params=[{"LR": "0.1"}, {"LR": "0.2"}], max_parallel=1)
    assert (group.count, group.max_parallel, len(group.jobs)) == (2, 1, 2)
    assert all(job.group_id == group.id for job in group.jobs)
    assert both("job_groups.get", group.id).count == 2
    assert len(both("jobs.list", group_id=group.id)) == 2
    assert both("job_groups.cancel", group.id).status_counts == {"cancelled": 2}


def test_a_rerun_changes_what_it_names_and_drops_what_is_none(cloud, both):
    job = both("jobs.run", **SPEC, name="first", region="us-east")
    again = both("jobs.rerun", job.id, max_runtime_minutes=20, region=None)
    assert (again.rerun_of, again.max_runtime_minutes, again.name) == (job.id, 20, "first")
    [request] = sent(cloud, f"POST /jobs/{job.id}/rerun")
    assert request.json == {"max_runtime_minutes": 20, "region": None}


def test_a_job_is_cancelled_and_deleted(cloud, both):
    cloud.clock_speed = 0  # it does not end before it is cancelled
    job = both("jobs.run", **{**SPEC, "command": "sleep 500"})
    with pytest.raises(rc.ConflictError):
        both("jobs.delete", job.id)
    assert both("jobs.cancel", job.id).status == "cancelled"
    assert both("jobs.cancel", job.id).status == "cancelled"
    assert both("jobs.delete", job.id) is None
    with pytest.raises(rc.NotFoundError):
        both("jobs.get", job.id)


def test_lists_go_on_from_page_to_page(cloud, both):
    ids = {both("jobs.run", **SPEC).id for _ in range(5)}
    page = both("jobs.list", limit=2)
    assert (len(page), page.total, page.has_more) == (2, 5, True)
    assert page.cursor is not None
    found = [job.id for job in both.page_values(page)]
    assert set(found) == ids
    assert [job.id for job in both("jobs.list", limit=2, cursor=page.cursor)[:]] == found[2:4]
    assert {job.id for job in both.values("jobs.list_all")} == ids


def test_filters_are_sent_as_the_api_reads_them(cloud, both):
    tags, states = {"project": "vision", "owner": "me"}, ["queued", "running"]
    since = datetime(2026, 1, 1, tzinfo=UTC)
    both.values("jobs.list", status=states, tags=tags, created_after=since, q="train")
    both.values("jobs.list_all", status="failed", group_id="group-1", gpu_type="A100")
    first, second = sent(cloud, "GET /jobs")
    assert first.query == {
        "status": ("queued,running",),
        "tag": ("project:vision", "owner:me"),
        "created_after": ("2026-01-01T00:00:00.000Z",),
        "q": ("train",),
    }
    assert second.query == {
        "limit": ("100",),
        "status": ("failed",),
        "group_id": ("group-1",),
        "gpu_type": ("A100",),
    }


def state(status: str) -> Reply:
    return Reply(json={"data": {"id": "job-1", "status": status}})


def test_22_a_spec_that_changes_meanwhile_is_sent_as_it_was(scripted):
    env = {"VALUE": "first"}
    spoil = {"on_request": lambda _: env.update(VALUE="changed")}
    server, both = scripted(Reply(503, {"error": "busy"}), state("queued"), **spoil)
    both("jobs.run", **SPEC, env=env)
    first, second = server.received
    assert first.body == second.body
    assert json.loads(second.body)["env"] == {"VALUE": "first"}


@pytest.mark.parametrize(
    ("method", "arguments", "route", "code"),
    [
        ("jobs.run", SPEC, "POST /jobs", "BUDGET_REACHED"),
        ("billing.top_up", {"amount_usd": 50}, "POST /billing/topups", "TOPUP_CAP_REACHED"),
    ],
)
def test_every_error_of_a_keyed_request_names_its_key(cloud, both, method, arguments, route, code):
    cloud.fail(route, status=402, code=code)
    with pytest.raises(rc.InsufficientCreditsError) as caught:
        both(method, **arguments)
    [request] = sent(cloud, route)
    error = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 - our own error
    assert (error.idempotency_key, error.code) == (request.headers["idempotency-key"], code)


MISSING = Reply(404, {"error": {"code": "not_found", "message": "no such job"}})


def test_58_unknown_states_early_404s_and_failing_looks_are_waited_through(scripted):
    script = MISSING, state("dreaming"), Reply(503, {"error": "busy"}), state("succeeded")
    seen: list[str] = []
    _, both = scripted(*script)
    waits = {"poll_interval": 0.01, "on_status": lambda job: seen.append(job.status)}
    assert both("jobs.wait", "job-1", **waits).status == "succeeded"
    assert seen == ["dreaming", "succeeded"]


def test_58_a_state_that_never_ends_is_given_up_with_the_last_one(scripted):
    server, both = scripted(state("dreaming"))
    with pytest.raises(TimeoutError, match="last state: `dreaming`") as caught:
        both("jobs.wait", "job-1", timeout=0.1, poll_interval=0.01, max_poll_interval=0.02)
    assert server.sent < 10
    assert isinstance(caught.value, rc.WaitTimeoutError)
    assert caught.value.details == {"last": "dreaming"}


def test_58_what_stays_missing_or_was_seen_and_is_gone_is_gone(failure, scripted, monkeypatch):
    wait = {"call": "jobs.wait", "arguments": {"job_id": "job-1", "poll_interval": 0.01}}
    failure(rc.NotFoundError, state("queued"), MISSING, **wait, sent=2)
    monkeypatch.setattr("runcrate_core.protocol.polling.CREATION_LAG_S", 0.0)
    monkeypatch.setattr("runcrate_core.api.job_logs.CREATION_LAG_S", 0.0)
    failure(rc.NotFoundError, MISSING, **wait)
    _, both = scripted(MISSING)
    with pytest.raises(rc.NotFoundError):
        both.values("jobs.follow_logs", "job-1")


def output(*pieces: Any, cursor: int, status: str = "running", done: bool = False) -> Reply:
    """Return a page of output; a piece is its text, or its number, text and minute."""
    numbered = [piece if isinstance(piece, tuple) else (cursor, piece, None) for piece in pieces]
    chunks = [
        {"seq": seq, "text": text, "ts": minute and f"2026-01-01T00:{minute:02}:00Z"}
        for seq, text, minute in numbered
    ]
    page = {"job_id": "job-1", "status": status, "chunks": chunks, "cursor": cursor}
    return Reply(json={"data": {**page, "done": done}})


def test_58_following_goes_on_where_it_broke(scripted):
    pages = output("a", "b", cursor=2), Reply(end="no response"), output(cursor=2)
    server, both = scripted(MISSING, *pages, output("c", cursor=3), output(cursor=3, done=True))
    chunks = both.values("jobs.follow_logs", "job-1")
    asked = [request.path.partition("?")[2] for request in server.received]
    assert [chunk.text for chunk in chunks] == ["a", "b", "c"]
    assert asked == [f"after={after}&follow=true" for after in (0, 0, 2, 2, 2, 3)]


@pytest.mark.parametrize(
    "pages",
    [
        [
            output((1, "a", 1), (2, "b", 1), cursor=2),
            output((2, "b", 1), (3, "c", 1), cursor=3, done=True),
        ],
        [
            output((1, "a", None), (2, "b", None), cursor=2),
            output((1, "a", None), cursor=1),
            output((1, "a", None), (2, "b", None), (3, "c", None), cursor=3, done=True),
        ],
        [
            output((None, "a", None), cursor=0),
            output((None, "a", None), (None, "b", None), (9, "c", None), cursor=0, done=True),
        ],
        [  # a second attempt, numbered from the beginning, with a mark of dropped output
            output((1, "a", 1), cursor=1),
            output((None, "b", None), (1, "c", 2), cursor=3, done=True),
        ],
    ],
    ids=["overlapping", "gone back", "no cursor", "second attempt"],
)
def test_output_that_the_server_repeats_is_given_once(scripted, pages):
    _, both = scripted(*pages)
    chunks = both.values("jobs.follow_logs", "job-1")
    assert [chunk.text for chunk in chunks] == ["a", "b", "c"]


def test_following_ends_with_the_job(scripted):
    """Also where the API never says that all was read."""
    server, both = scripted(output("a", cursor=1), output(cursor=1, status="succeeded"))
    assert [chunk.text for chunk in both.values("jobs.follow_logs", "job-1")] == ["a"]
    assert server.sent == 3


def test_58_following_has_a_deadline(scripted):
    server, both = scripted(output("a", cursor=1), output(cursor=1))
    with pytest.raises(rc.WaitTimeoutError, match="after=1") as caught:
        both.values("jobs.follow_logs", "job-1", timeout=0.1)
    assert caught.value.details == {"last": "running", "after": 1}
    # The server would hold such a read for longer than the rest of the time.
    assert "follow" not in server.received[0].path


def test_an_odd_piece_of_output_does_not_cost_the_others(scripted):
    odd = "x", None, None
    _, both = scripted(output("a", odd, "b", cursor=3, done=True))
    assert [piece.text for piece in both.values("jobs.follow_logs", "job-1")] == ["a", "", "b"]


def test_a_webhook_secret_is_given_and_not_shown(both):
    job = both("jobs.run", **SPEC, webhook_url="https://example.org/hook")
    assert job.webhook_secret
    assert job.webhook_secret not in repr(job)


def test_the_gap_between_looks_doubles_up_to_its_limit():
    flow = wait("job-1", timeout=None, poll_interval=2.0, max_poll_interval=10.0)
    gaps = []
    step: Any = next(flow)
    while len(gaps) < 5:
        if isinstance(step, Sleep):
            gaps.append(step.seconds)
        step = flow.send(rc.Job(id="job-1") if isinstance(step, Call) else 0.0)
    assert gaps == [2.0, 4.0, 8.0, 10.0, 10.0]
