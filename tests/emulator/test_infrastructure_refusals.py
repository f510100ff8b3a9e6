"""Infrastructure requests that are refused by name; garbage gets the envelope, never a 500."""

from collections.abc import Callable
from typing import Any

import httpx
import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from runcrate_emulator.bodies import Body
from tests.emulator.conftest import GOOD, JOB, RECHARGE, assert_refused, bad_values
from tests.json_values import json_values

TWO_SCRIPTS = {"launch_script": "ls", "launch_script_base64": "bHM="}
NOT_WITHIN_A_YEAR = ["2026-11-18T12:00:00Z", "2027-11-18T12:00:01Z", "2026-11-19T00:00:00"]
CRONS = [
    *("", "* * * * * *", "@daily", "60 * * * *", "0 0 31 2 *", "5-1 * * * *"),  # not one, or never
    *("* * * * *", "0,50 * * * *", "0,55 0,23 * * *"),  # too often
]
NO_PUBLIC_KEYS = [
    *("ssh-ed25519", "AAAA", "ssh-foo AAAA", "ssh-rsa BBBB", "ssh-rsa AAAA\nssh-rsa AAAA"),
    "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n",
]
BAD_VALUES = {
    ("/instances", 400): {"name": [None], "gpu_type": [None], "env_vars": [["A"]], "gpus": [1]},
    ("/instances", 422): {
        "name": [" ", "x" * 65],
        "gpu_type": ["FOO"],
        "gpu_count": [0],
        "instance_type_id": ["silver-lynx-l40s-0f6a"],  # not of an A100
        "max_runtime_minutes": [4, 10081],
        "idle_shutdown_minutes": [4, 1441],
        **{name: ["none"] for name in ("ssh_key_id", "storage_id", "template")},
        "env_vars": [{"A B": "1"}],
        "launch_script_base64": ["%%%"],
    },
    ("/jobs", 422): {
        "command": [None, "ü" * 40000],
        "gpu_type": [[], "FOO", "A100:9", ["A100", 7]],
        "gpu_count": [9],
        "region": ["mars"],
        "max_runtime_minutes": [0, 10081],
        "capacity_wait_minutes": [1441],
        "max_retries": [11],
        **{name: ["none"] for name in ("storage_id", "template")},
        "env": [{"A-B": "1"}],
        "webhook_url": ["http://example.org"],
        "code": [{}],
        "count": [0],
        "params": [[]],
    },
    ("/jobs/uploads", 422): {"bytes": [0, 10**9 + 1], "sha256": ["abc"]},
    ("/schedules", 400): {"spec": [[1]]},
    ("/schedules", 422): {
        "kind": ["crate"],
        "spec": [{**JOB, "max_runtime_minutes": None}, {**JOB, "count": 2}],
        "cron": CRONS,
        "run_at": ["2026-11-19T00:00:00Z"],  # beside `cron`
        "timezone": ["Mars/Olympus"],
        "overlap": ["queue"],
    },
    ("/storage", 400): {"region": [None], "sizeGb": [10]},
    ("/storage", 422): {"size_gb": [0, 10**9], "region": ["mars"]},
    ("/environments", 400): {"name": [None]},
    ("/ssh-keys", 422): {"public_key": NO_PUBLIC_KEYS},
    ("/billing/topups", 400): {"amount_usd": [None], "idempotency_key": [None]},
    ("/billing/topups", 422): {
        "amount_usd": [19.99, 10000.01, 50.001],
        "idempotency_key": ["other"],
    },
    (RECHARGE, 400): {"enabled": [None]},
    (RECHARGE, 422): {"threshold_usd": [-1], "target_usd": [20]},
}
CREATED = [
    *bad_values(BAD_VALUES),
    ("/instances", {"gpu_type": None, "instance_type_id": "none"}, 422, "instance_type_id"),
    ("/instances", {"gpu_count": 7}, 422, "gpu_type"),
    ("/instances", {"region": "mars"}, 422, "gpu_type"),
    ("/instances", {"gpu_type": "CPU", "idle_shutdown_minutes": 30}, 422, "idle_shutdown_minutes"),
    ("/instances", {"startup_commands": [1]}, 400, "startup_commands[0]"),
    ("/instances", {"env_vars": {"A": 1}}, 400, "env_vars.A"),
    ("/instances", TWO_SCRIPTS, 422, "launch_script_base64"),
    ("/jobs", {"region": "paris"}, 422, "gpu_type"),
    ("/jobs", {"retry_on": ["always"]}, 422, "retry_on[0]"),
    ("/jobs", {"env": {"A": 1}}, 422, "env.A"),
    ("/jobs", {"webhook_events": ["paused"]}, 422, "webhook_events[0]"),
    ("/jobs", {"code": {"upload_id": "none"}}, 422, "code.upload_id"),
    ("/jobs", {"code": {"git": {"url": "git@x"}}}, 422, "code.git.url"),
    ("/jobs", {"code": {"git": {"url": "https://x", "branch": "y"}}}, 422, "code.git.branch"),
    ("/jobs", {"image_registry_auth": {}}, 422, "image_registry_auth.username_env"),
    ("/jobs", {"count": 2, "params": [{}]}, 422, "count"),
    ("/jobs", {"max_parallel": 2}, 422, "count"),
    ("/jobs", {"params": [{"A": 1}]}, 422, "params[0].A"),
    ("/schedules", {"spec": {**JOB, "gpu_type": "FOO"}}, 422, "gpu_type"),
    ("/schedules", {"kind": "instance", "spec": {"max_runtime_minutes": 5}}, 400, "name"),
    ("/schedules", {"cron": None}, 422, "run_at"),
    *(("/schedules", {"cron": None, "run_at": time}, 422, "run_at") for time in NOT_WITHIN_A_YEAR),
    ("/schedules", {"cron": None, "run_at": 5}, 400, "run_at"),
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


@pytest.fixture
def send(emulator, infra) -> Callable[..., httpx.Response]:
    """Send a request to a workspace with one thing of each kind, which must not suffer."""

    def send(method: str, path: str, **request: Any) -> httpx.Response:
        emulator.reset()
        kinds = ("instances", "storage", "environments", "jobs", "schedules")
        ids = {kind: infra.make(f"/{kind}", **GOOD[f"/{kind}"])["id"] for kind in kinds}
        answer = infra.request(method, path.format(**ids), **request)
        assert infra.get("/jobs").status_code == 200
        assert emulator.crashes == []
        if answer.is_success:
            assert answer.json()["data"] is not None
        else:
            assert answer.status_code < 500 or answer.status_code in (502, 503), answer.text
            error = answer.json()["error"]
            assert (type(error["code"]), type(error["message"])) == (str, str)
        return answer

    return send


@pytest.mark.parametrize(("method", "path"), ROUTES)
@settings(max_examples=30)
@given(change=st.dictionaries(NAMES, VALUES, max_size=8), whole=VALUES, form=st.integers(0, 3))
def test_garbage_in_a_body_gets_the_envelope(send, method, path, change, whole, form):
    good = GOOD.get(path, {})
    in_spec = {**good, "spec": {**JOB, **change}} if "spec" in good else {**good, **change}
    send(method, path, json=(whole, change, {**good, **change}, in_spec)[form])


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
def test_garbage_instead_of_json_is_refused(send, method, path, content):
    answer = send(method, path, content=content)
    assert answer.status_code in (400, 422) or (path.endswith("/rerun") and not content)
