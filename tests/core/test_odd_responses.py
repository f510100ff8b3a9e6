"""Two hundred odd responses to every endpoint of both clients: no exception but documented ones."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import gzip
import inspect
import json
import re
from operator import attrgetter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

import runcrate_core as rc
from runcrate_core.io import driver
from tests.core.both_clients import awaited, each, entered, new_client
from tests.core.test_sync_async_parity import METHODS, SYNC_METHODS

# Arguments that an endpoint cannot do without; `{folder}` is a directory of the test.
ARGUMENTS: dict[str, Any] = {
    "amount_usd": 20,
    "bytes": 5,
    "command": "true",
    "enabled": True,
    "file": b"RIFF    WAVEfmt ",
    "gpu_type": "A100",
    "input": "text",
    "kind": "job",
    "max_runtime_minutes": 5,
    "messages": [{"role": "user", "content": "x"}],
    "pending": rc.TopUp.model_construct(
        id="t", status="pending", amount_usd=20, idempotency_key="k"
    ),
    "public_key": "ssh-ed25519 AAAA",
    "size_gb": 50,
    "source": gzip.compress(bytes(10240)),  # an empty .tar.gz archive
    "spec": {"command": "true", "gpu_type": "A100", "max_runtime_minutes": 5},
    "target_usd": 100,
    "threshold_usd": 50,
}
OPTIONS: dict[str, dict[str, Any]] = {
    "environments.update": {"name": "n"},
    "instances.create": {"gpu_type": "A100", "name": "n"},
    "instances.update": {"max_runtime_minutes": 30},
    "jobs.run_group": {"count": 2},
    "schedules.create": {"name": "n", "cron": "0 0 * * *"},
    "schedules.update": {"name": "n"},
}
WAITS = {"timeout": 0.2}
BODIES: list[bytes] = [
    *(b"", b" ", b"{", b"<html>Please log in</html>", b"\xff\xfe\x00", b"NaN", b"1" * 5000),
    b"[" * 100_000,
    b"data: {}\n\ndata: [DONE]\n\n",
    b"data: nothing\n\n",
    b'data: {"choices": [{"delta": 5}]}\n\n',
    *(
        json.dumps(value).encode()
        for value in (
            *(None, True, 0.5, "text", [], [None], {}),
            *({"data": data} for data in (None, [], {}, [{}], [None], {"id": 5})),
            {"data": {"id": "../x", "name": "\u202e\x1b[2J", "status": None}},
            {"data": [{"id": "i", "status": 5, "created_at": "soon"}], "meta": {"hasMore": True}},
            {"data": {"id": "i", "url": "http://169.254.169.254/", "upload_url": "x"}},
            {"data": {"id": "i", "status": "failed", "chunks": [5]}},
            {"data": [{"url": "https://[", "b64_json": "!"}]},
            {"data": [{"embedding": "AAAA", "index": -1}]},
            *({"error": error} for error in (None, {}, "text")),
            {"error": {"message": {"a": 1}, "code": ["x"], "details": 5}},
            {"detail": {"error": {"message": "m", "code": "rate_limited"}}},
            {"detail": [{"loc": ["body"], "msg": "m"}]},
            {"choices": [{"message": None}], "usage": 5},
            {"id": "v", "status": "completed", "output": 5, "error": {"error": {"error": []}}},
            {"text": 5, "segments": [5]},
            {"id": {"id": {}}, "status": ["x"]},
        )
    ),
]
HEADS: list[tuple[int, dict[str, str]]] = [
    (200, {"content-type": "application/json"}),
    (201, {"date": "soon", "x-ratelimit-remaining": "-1", "x-ratelimit-reset": "nan"}),
    (302, {"location": "https://["}),
    (404, {"content-type": "\xff", "set-cookie": "a=b"}),
    (503, {"retry-after": "9" * 400, "content-type": "text/html"}),
]
RESPONSES = [(status, headers, body) for status, headers in HEADS for body in BODIES]
# The clients share all but their connections: the asynchronous one gets each body and each head.
ASYNC_RESPONSES = [(*HEADS[number % len(HEADS)], body) for number, body in enumerate(BODIES)]


def arguments(path: str, folder: Path) -> dict[str, Any]:
    """Return arguments with which an endpoint may be called."""
    parameters = inspect.signature(SYNC_METHODS[path]).parameters
    needed = {
        name: ARGUMENTS.get(name, "text-1")
        for name, parameter in parameters.items()
        if parameter.default is parameter.empty and parameter.kind is not parameter.VAR_KEYWORD
    }
    if "path" in needed and path == "videos.download":
        needed["path"] = folder / "file"
    options = dict(OPTIONS.get(path, {}))
    if "timeout" in parameters and path.rpartition(".")[2].startswith(("wait", "follow")):
        options |= WAITS
    return needed | options


@functools.cache
def documented_errors(path: str) -> frozenset[str]:
    documentation = inspect.getdoc(SYNC_METHODS[path]) or ""
    return frozenset(re.findall(r"^ +(\w+Error):", documentation, re.MULTILINE))


def undocumented(path: str, error: Exception) -> bool:
    names = {kind.__name__ for kind in type(error).__mro__}
    return not isinstance(error, rc.RuncrateError) and not names & documented_errors(path)


@pytest.fixture
def client_of(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Make a client of responses for which time passes at once: a wait is over when it begins."""
    seconds = [0.0]

    def sleep(wait: float) -> None:
        seconds[0] += wait

    async def asleep(wait: float) -> None:
        seconds[0] += wait

    monkeypatch.setattr(driver, "time", SimpleNamespace(sleep=sleep))
    monkeypatch.setattr(
        driver, "asyncio", SimpleNamespace(sleep=asleep, to_thread=asyncio.to_thread)
    )

    def make(response: Any, *, is_async: bool) -> Any:
        kind = httpx.AsyncClient if is_async else httpx.Client
        http = kind(transport=httpx.MockTransport(response))
        options = {"max_retries": 0, "wait_for_rate_limit": False, "http_client": http}
        client = new_client("http://127.0.0.1:9", is_async=is_async, **options)
        context = client._driver.context
        policy = dataclasses.replace(context.policy, clock=lambda: seconds[0])
        client._driver.context = dataclasses.replace(context, policy=policy)
        return client

    return make


async def consume(result: Any) -> None:
    """Read a result of either client to its end, a list up to its twentieth item."""
    if isinstance(result, rc.ChatStream | rc.AsyncChatStream):
        async with entered(result) as stream:
            async for _ in each(stream):
                pass
            _ = stream.completion
    elif isinstance(result, rc.Page) or hasattr(result, "__next__") or hasattr(result, "__aiter__"):
        left = 20
        async for _ in each(result):
            left -= 1
            if not left:
                return
    else:
        await awaited(result)


@pytest.mark.parametrize("path", [path for path in METHODS if path != "instances.connect"])
async def test_no_response_raises_what_is_not_documented(path, tmp_path, client_of):
    assert len(RESPONSES) >= 200
    given = arguments(path, tmp_path)
    present: Any = None
    sent = 0
    wrong: list[str] = []

    def response(_):
        nonlocal sent
        sent += 1
        status, headers, body = present
        return httpx.Response(status, headers=headers, content=body)

    for is_async, responses in ((False, RESPONSES), (True, ASYNC_RESPONSES)):
        async with entered(client_of(response, is_async=is_async)) as client:
            method = attrgetter(path)(client)
            for present in responses:
                try:
                    await consume(method(**given))
                except Exception as error:  # noqa: BLE001 - it is judged
                    if undocumented(path, error):
                        status, _, body = present
                        shown = f"{status} {body[:60]!r}: {type(error).__name__}: {error}"
                        wrong.append(shown[:300])
    assert not wrong, "\n".join(wrong[:10])
    assert sent >= len(RESPONSES) + len(ASYNC_RESPONSES)
