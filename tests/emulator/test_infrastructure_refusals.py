"""Infrastructure requests that are refused by name; garbage gets the envelope, never a 500."""

from typing import Any

import httpx
import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from runcrate_emulator.app import create_app
from runcrate_emulator.bodies import Body
from runcrate_emulator.clock import Clock
from runcrate_emulator.world import World
from tests.emulator.conftest import GOOD, JOB, RECHARGE, assert_refused, data_of
from tests.json_values import json_values

L40S = "silver-lynx-l40s-0f6a"
INSTANCE_ROWS = [
    ({"name": None}, 400, "name"),
    ({"name": " "}, 422, "name"),
    ({"name": "x" * 65}, 422, "name"),
    ({"gpu_type": None}, 400, "gpu_type"),
    ({"gpu_type": "FOO"}, 422, "gpu_type"),
    ({"gpu_type": None, "instance_type_id": "no-such-type"}, 422, "instance_type_id"),
    ({"instance_type_id": L40S}, 422, "instance_type_id"),
    ({"gpu_count": 0}, 422, "gpu_count"),
    ({"gpu_count": 7}, 422, "gpu_type"),
    ({"region": "mars"}, 422, "gpu_type"),
    ({"max_runtime_minutes": 4}, 422, "max_runtime_minutes"),
    ({"max_runtime_minutes": 10081}, 422, "max_runtime_minutes"),
    ({"idle_shutdown_minutes": 4}, 422, "idle_shutdown_minutes"),
    ({"idle_shutdown_minutes": 1441}, 422, "idle_shutdown_minutes"),
    ({"gpu_type": "CPU", "idle_shutdown_minutes": 30}, 422, "idle_shutdown_minutes"),
    ({"ssh_key_id": "none"}, 422, "ssh_key_id"),
    ({"storage_id": "none"}, 422, "storage_id"),
    ({"template": "none"}, 422, "template"),
    ({"startup_commands": [1]}, 400, "startup_commands[0]"),
    ({"env_vars": {"A": 1}}, 400, "env_vars.A"),
    ({"env_vars": [{"key": "A"}]}, 400, "env_vars"),
    ({"env_vars": {"A B": "1"}}, 422, "env_vars"),
    ({"launch_script_base64": "%%%"}, 422, "launch_script_base64"),
    ({"launch_script": "ls", "launch_script_base64": "bHM="}, 422, "launch_script_base64"),
    ({"gpus": 1}, 400, "gpus"),
]
JOB_ROWS = [
    ({"command": None}, "command"),
    ({"command": "ü" * 40000}, "command"),
    ({"gpu_type": []}, "gpu_type"),
    ({"gpu_type": "FOO"}, "gpu_type"),
    ({"gpu_type": "A100:9"}, "gpu_type"),
    ({"gpu_type": ["A100", 7]}, "gpu_type"),
    ({"gpu_type": "A100", "region": "paris"}, "gpu_type"),
    ({"region": "mars"}, "region"),
    ({"gpu_count": 9}, "gpu_count"),
    ({"max_runtime_minutes": 0}, "max_runtime_minutes"),
    ({"max_runtime_minutes": 10081}, "max_runtime_minutes"),
    ({"capacity_wait_minutes": 1441}, "capacity_wait_minutes"),
    ({"max_retries": 11}, "max_retries"),
    ({"retry_on": ["always"]}, "retry_on[0]"),
    ({"env": {"A": 1}}, "env.A"),
    ({"env": {"A-B": "1"}}, "env"),
    ({"template": "none"}, "template"),
    ({"storage_id": "none"}, "storage_id"),
    ({"webhook_url": "http://example.org"}, "webhook_url"),
    ({"webhook_events": ["paused"]}, "webhook_events[0]"),
    ({"code": {}}, "code"),
    ({"code": {"upload_id": "none"}}, "code.upload_id"),
    ({"code": {"git": {"url": "git@x"}}}, "code.git.url"),
    ({"code": {"git": {"url": "https://x", "branch": "y"}}}, "code.git.branch"),
    ({"image_registry_auth": {"username": "x"}}, "image_registry_auth.username_env"),
    ({"count": 0}, "count"),
    ({"count": 2, "params": [{}]}, "count"),
    ({"max_parallel": 2}, "count"),
    ({"params": []}, "params"),
    ({"params": [{"A": 1}]}, "params[0].A"),
]
CRONS = [
    *("", "* * * * * *", "@daily", "60 * * * *", "0 0 31 2 *", "5-1 * * * *"),  # not one, or never
    *("* * * * *", "0,50 * * * *", "0,55 0,23 * * *"),  # too often
]
SCHEDULE_ROWS = [
    ({"kind": "crate"}, 422, "kind"),
    ({"spec": [1]}, 400, "spec"),
    ({"spec": {**JOB, "max_runtime_minutes": None}}, 422, "spec"),
    ({"spec": {**JOB, "count": 2}}, 422, "spec"),
    ({"spec": {**JOB, "gpu_type": "FOO"}}, 422, "gpu_type"),
    ({"kind": "instance", "spec": {"gpu_type": "A100", "max_runtime_minutes": 5}}, 400, "name"),
    ({"cron": None}, 422, "run_at"),
    *(({"cron": cron}, 422, "cron") for cron in CRONS),
    ({"run_at": "2026-11-19T00:00:00Z"}, 422, "run_at"),
    ({"cron": None, "run_at": "2026-11-18T12:00:00Z"}, 422, "run_at"),
    ({"cron": None, "run_at": "2027-11-18T12:00:01Z"}, 422, "run_at"),
    ({"cron": None, "run_at": "2026-11-19T00:00:00"}, 422, "run_at"),
    ({"cron": None, "run_at": 5}, 400, "run_at"),
    ({"timezone": "Mars/Olympus"}, 422, "timezone"),
    ({"overlap": "queue"}, 422, "overlap"),
]
NO_PUBLIC_KEYS = [
    *("ssh-ed25519", "AAAA", "ssh-foo AAAA", "ssh-rsa BBBB", "ssh-rsa AAAA\nssh-rsa AAAA"),
    "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n",
]
CREATED = [
    *(("/instances", *row) for row in INSTANCE_ROWS),
    *(("/jobs", change, 422, field) for change, field in JOB_ROWS),
    ("/jobs/uploads", {"bytes": 0}, 422, "bytes"),
    ("/jobs/uploads", {"bytes": 10**9 + 1}, 422, "bytes"),
    ("/jobs/uploads", {"sha256": "abc"}, 422, "sha256"),
    *(("/schedules", *row) for row in SCHEDULE_ROWS),
    ("/storage", {"region": None}, 400, "region"),
    ("/storage", {"size_gb": 0}, 422, "size_gb"),
    ("/storage", {"size_gb": 10**9}, 422, "size_gb"),
    ("/storage", {"region": "mars"}, 422, "region"),
    ("/storage", {"sizeGb": 10}, 400, "sizeGb"),
    ("/environments", {"name": None}, 400, "name"),
    *(("/ssh-keys", {"public_key": text}, 422, "public_key") for text in NO_PUBLIC_KEYS),
    ("/billing/topups", {"amount_usd": None}, 400, "amount_usd"),
    ("/billing/topups", {"idempotency_key": None}, 400, "idempotency_key"),
    ("/billing/topups", {"amount_usd": 19.99}, 422, "amount_usd"),
    ("/billing/topups", {"amount_usd": 10000.01}, 422, "amount_usd"),
    ("/billing/topups", {"amount_usd": 50.001}, 422, "amount_usd"),
    ("/billing/topups", {"idempotency_key": "other"}, 422, "idempotency_key"),
    (RECHARGE, {"enabled": None}, 400, "enabled"),
    (RECHARGE, {"threshold_usd": -1}, 422, "threshold_usd"),
    (RECHARGE, {"target_usd": 20}, 422, "target_usd"),
]
CHANGED = [
    ("/instances", {}, 400, "max_runtime_minutes"),
    ("/instances", {"max_runtime_minutes": 4}, 422, "max_runtime_minutes"),
    ("/instances", {"name": "new"}, 400, "name"),
    ("/schedules", {}, 400, "enabled"),
    ("/schedules", {"run_at": "2026-12-01T00:00:00Z", "cron": "0 3 * * *"}, 422, "run_at"),
    ("/schedules", {"spec": {"command": "x"}}, 422, "spec"),
    ("/schedules", {"kind": "instance"}, 400, "kind"),
    ("/schedules", {"cron": "*/5 * * * *"}, 422, "cron"),
    ("/storage", {}, 400, "size_gb"),
    ("/storage", {"size_gb": 100}, 422, "size_gb"),
    ("/environments", {}, 400, "name"),
    ("/environments", {"monthly_budget_usd": 5}, 400, "monthly_budget_usd"),
]
QUERIES = {
    "/jobs": "limit=0 limit=101 cursor=!! cursor=aaaa status=odd tag=plain created_after=now "
    "created_after=2026-01-01",
    "/jobs/{jobs}/logs": "after=-1 limit=0 follow=maybe",
    "/jobs/{jobs}/metrics": "step=59",
    "/instances/types": "gpu_count=two gpu_count=0",
    "/templates": "page=0 page_size=101 page_size=x sort_by=price sort_dir=up",
    "/billing/transactions": f"limit=0 limit=101 offset=-1 offset=x type=tax limit={'9' * 999}",
    "/billing/usage": "from=yesterday to=2026-13-01 from=2026-11-18T12:00 "
    "from=2026-11-19&to=2026-11-17",
}


def create(infra: httpx.Client, path: str, **change: Any) -> httpx.Response:
    method = "PUT" if path == RECHARGE else "POST"
    headers = {"Idempotency-Key": "k"}
    return infra.request(method, path, json={**GOOD[path], **change}, headers=headers)


def state(emulator, infra: httpx.Client, path: str) -> tuple[Any, Any]:
    collection = path.removesuffix("/topups").removesuffix("/uploads")
    listed = infra.get(f"{collection}/balance" if collection == "/billing" else collection)
    return listed.json()["data"], emulator.world.ledger.balance


@pytest.mark.parametrize("path", GOOD)
def test_good_bodies_are_taken(infra, path):
    assert create(infra, path).status_code == (200 if path.startswith("/billing") else 201)


@pytest.mark.parametrize(("path", "change", "status", "field"), CREATED)
def test_bad_fields_are_refused_by_name_and_make_nothing(
    emulator, infra, path, change, status, field
):
    before = state(emulator, infra, path)
    answer = create(infra, path, **change)
    assert_refused(answer, status, "validation_error", field)
    assert "PRIVATE" not in answer.text
    assert state(emulator, infra, path) == before


@pytest.mark.parametrize(("path", "change", "status", "field"), CHANGED)
def test_bad_changes_are_refused_by_name_and_change_nothing(
    emulator, infra, path, change, status, field
):
    made = create(infra, path).json()["data"]
    before = state(emulator, infra, path)
    refused = infra.patch(f"{path}/{made['id']}", json=change)
    assert_refused(refused, status, "validation_error", field)
    assert state(emulator, infra, path) == before


@pytest.mark.parametrize(("path", "queries"), QUERIES.items(), ids=QUERIES)
def test_bad_queries_are_refused_by_name(infra, submit, path, queries):
    path = path.format(jobs=submit()["id"])
    for query in queries.split():
        refused = infra.get(f"{path}?{query}")
        assert_refused(refused, 400, "validation_error", query.partition("=")[0])


def fields_of(body: type[Body]) -> set[str]:
    """The fields of a request body and of everything made from it."""
    return {*body.model_fields}.union(*(fields_of(one) for one in body.__subclasses__()))


FIELDS = sorted(fields_of(Body))
WORDS = [
    "A100", "A100:2", "CPU", "us-east-1", "job", "instance", "skip", "UTC", "0 2 * * *",
    "2026-12-01T00:00:00Z", "main", "started", "nonzero_exit", "https://example.org",
    "ssh-ed25519 AAAA", "upload_id", "git", "url", "echo",
]  # fmt: skip
PARAMETERS = [
    "limit", "offset", "cursor", "type", "from", "to", "page", "page_size", "sort_by", "sort_dir",
    "search", "status", "tag", "q", "created_after", "gpu_count", "gpu_type", "after", "step",
    "environment",
]  # fmt: skip
NAMES = st.sampled_from(FIELDS) | st.text(max_size=6)
VALUES = json_values(st.text(max_size=12) | st.sampled_from(WORDS), NAMES)
ROUTES = [
    *(("PUT" if path == RECHARGE else "POST", path) for path in GOOD),
    ("PATCH", "/instances/{instances}"),
    ("POST", "/instances/{instances}/ssh-certificate"),
    ("PATCH", "/storage/{storage}"),
    ("PATCH", "/environments/{environments}"),
    ("POST", "/jobs/{jobs}/rerun"),
    ("PATCH", "/schedules/{schedules}"),
]
READ = [*QUERIES, "/instances", "/storage", "/jobs/{jobs}/artifacts/x"]


@pytest.fixture(scope="module")
def world() -> World:
    return World(Clock(0))


async def send(world: World, method: str, path: str, **request: Any) -> httpx.Response:
    """Send a request to a workspace with one thing of each kind, which must not suffer."""
    world.reset()
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(create_app(world)),
        base_url="http://localhost/api/v1",
        headers={"Authorization": "Bearer rc_live_emulator"},
    ) as client:
        ids = {}
        for kind in ("instances", "storage", "environments", "jobs", "schedules"):
            ids[kind] = data_of(await client.post(f"/{kind}", json=GOOD[f"/{kind}"]))["id"]
        answer = await client.request(method, path.format(**ids), **request)
        assert (await client.get("/jobs")).status_code == 200
    assert world.crashes == []
    assert answer.status_code < 500 or answer.status_code in (502, 503), answer.text
    if answer.is_success:
        assert answer.json()["data"] is not None
    else:
        error = answer.json()["error"]
        assert (type(error["code"]), type(error["message"])) == (str, str)
    return answer


@pytest.mark.parametrize(("method", "path"), ROUTES)
@settings(max_examples=30)
@given(change=st.dictionaries(NAMES, VALUES, max_size=8), whole=VALUES, form=st.integers(0, 3))
async def test_garbage_in_a_body_gets_the_envelope(world, method, path, change, whole, form):
    good = GOOD.get(path, {})
    in_spec = {**good, "spec": {**JOB, **change}} if "spec" in good else {**good, **change}
    await send(world, method, path, json=(whole, change, {**good, **change}, in_spec)[form])


CONTENTS = {
    "empty": b"",
    "open": b"{",
    "deep": b"[" * 100_000,
    "surrogate": b'{"name": "\\ud800", "gpu_type": "A100"}',
    "infinite": b'{"name": 1e999}',
    "no number": b'{"name": NaN}',
    "huge": b"9" * 5000,
    "string": b'"x"',
    "binary": b"\x00\xff",
}


@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS)
async def test_garbage_instead_of_json_is_refused(world, method, path, content):
    answer = await send(world, method, path, content=content)
    assert answer.status_code in (400, 422) or (path.endswith("/rerun") and not content)


@settings(max_examples=30)
@given(
    path=st.sampled_from(READ),
    query=st.dictionaries(
        st.sampled_from(PARAMETERS),
        st.text(max_size=8) | st.integers().map(str) | st.sampled_from(WORDS),
        max_size=3,
    ),
)
async def test_garbage_in_the_query_gets_the_envelope(world, path, query):
    await send(world, "GET", path, params=query)
