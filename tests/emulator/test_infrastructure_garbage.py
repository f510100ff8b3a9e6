"""Whatever a client sends, it gets the documented envelope and never a 500."""

import json
from typing import Any

import httpx
import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

from runcrate_emulator.app import create_app
from runcrate_emulator.bodies import Body
from runcrate_emulator.clock import Clock
from runcrate_emulator.world import World


def fields_of(body: type[Body]) -> set[str]:
    """The fields of a request body and of everything made from it."""
    return {*body.model_fields}.union(*(fields_of(one) for one in body.__subclasses__()))


FIELDS = sorted(fields_of(Body))
WORDS = [
    "A100", "A100:2", "CPU", "us-east-1", "job", "instance", "skip", "UTC", "0 2 * * *",
    "2026-12-01T00:00:00Z", "main", "started", "nonzero_exit", "https://example.org",
    "ssh-ed25519 AAAA", "upload_id", "git", "url", "echo",
]  # fmt: skip
QUERY = [
    "limit", "offset", "cursor", "type", "from", "to", "page", "page_size", "sort_by", "sort_dir",
    "search", "status", "tag", "q", "created_after", "gpu_count", "gpu_type", "after", "step",
    "environment",
]  # fmt: skip
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.sampled_from([0, 1, 5, 60, 100])
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12)
    | st.sampled_from(WORDS)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=6), inner, max_size=4)
    ),
    max_leaves=8,
)
BODIES = st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=6), VALUES, max_size=8)
ROUTES = [
    ("POST", "/instances"),
    ("PATCH", "/instances/{instance}"),
    ("POST", "/instances/{instance}/ssh-certificate"),
    ("POST", "/storage"),
    ("PATCH", "/storage/{volume}"),
    ("POST", "/environments"),
    ("PATCH", "/environments/{environment}"),
    ("POST", "/ssh-keys"),
    ("POST", "/billing/topups"),
    ("PUT", "/billing/auto-recharge"),
    ("POST", "/jobs"),
    ("POST", "/jobs/{job}/rerun"),
    ("POST", "/jobs/uploads"),
    ("POST", "/schedules"),
    ("PATCH", "/schedules/{schedule}"),
]
JOB = {"command": "echo hi", "gpu_type": "A100", "max_runtime_minutes": 60}


@pytest.fixture(scope="module")
def world() -> World:
    return World(Clock(0))


async def filled(client: httpx.AsyncClient) -> dict[str, str]:
    """Create one thing of each kind and return the ids."""
    made = {
        "instance": ("/instances", {"name": "x", "gpu_type": "A100"}),
        "volume": ("/storage", {"name": "x", "size_gb": 1, "region": "us-east-1"}),
        "environment": ("/environments", {"name": "x"}),
        "job": ("/jobs", JOB),
        "schedule": ("/schedules", {"kind": "job", "spec": JOB, "cron": "0 1 * * *"}),
    }
    ids = {}
    for name, (path, body) in made.items():
        ids[name] = (await client.post(path, json=body)).json()["data"]["id"]
    return ids


async def send(world: World, method: str, path: str, **request: Any) -> httpx.Response:
    world.reset()
    transport = httpx.ASGITransport(create_app(world))
    async with httpx.AsyncClient(
        transport=transport,
        base_url="http://localhost/api/v1",
        headers={"Authorization": "Bearer rc_live_emulator"},
    ) as client:
        answer = await client.request(method, path.format(**await filled(client)), **request)
        later = await client.get("/jobs")
    assert later.status_code == 200
    assert world.crashes == []
    return answer


def assert_well_formed(answer: httpx.Response) -> None:
    assert answer.status_code < 500 or answer.status_code in (502, 503), answer.text
    if answer.status_code >= 400:
        error = answer.json()["error"]
        assert isinstance(error["code"], str)
        assert isinstance(error["message"], str)
    else:
        assert answer.json()["data"] is not None


SETTINGS = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.mark.parametrize(("method", "path"), ROUTES)
@SETTINGS
@given(body=BODIES | VALUES)
async def test_garbage_in_any_field(world, method, path, body):
    assert_well_formed(await send(world, method, path, json=body))


@SETTINGS
@given(change=st.dictionaries(st.sampled_from(FIELDS), VALUES, min_size=1, max_size=2))
async def test_garbage_in_an_otherwise_good_job_and_schedule(world, change):
    assert_well_formed(await send(world, "POST", "/jobs", json={**JOB, **change}))
    body = {"kind": "job", "spec": {**JOB, **change}, "cron": "0 1 * * *"}
    assert_well_formed(await send(world, "POST", "/schedules", json=body))
    body = {"name": "x", "gpu_type": "A100", **change}
    assert_well_formed(await send(world, "POST", "/instances", json=body))


@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[" * 100_000,
        b'{"name": "\\ud800", "gpu_type": "A100"}',
        b'{"name": 1e999}',
        b"9" * 5000,
        json.dumps("x" * 10).encode(),
        b"\x00\xff",
    ],
    ids=["empty", "open", "deep", "surrogate", "infinite", "huge", "string", "binary"],
)
async def test_garbage_instead_of_json(world, method, path, content):
    answer = await send(world, method, path, content=content)
    assert_well_formed(answer)
    assert answer.status_code in (400, 422) or (path.endswith("/rerun") and not content)


@SETTINGS
@given(
    path=st.sampled_from(
        [
            "/jobs",
            "/billing/transactions",
            "/billing/usage",
            "/templates",
            "/instances/types",
            "/instances",
            "/storage",
            "/jobs/{job}/logs",
            "/jobs/{job}/metrics",
            "/jobs/{job}/artifacts/x",
        ]
    ),
    query=st.dictionaries(
        st.sampled_from(QUERY),
        st.text(max_size=8) | st.integers().map(str) | st.sampled_from(WORDS),
        max_size=3,
    ),
)
async def test_garbage_in_the_query(world, path, query):
    answer = await send(world, "GET", path, params=query)
    assert_well_formed(answer)
