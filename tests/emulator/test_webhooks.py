"""Webhooks of jobs: sent in the background, signed, and only to loopback."""

import hashlib
import hmac
import logging
import time
from collections.abc import Iterator
from typing import Any

import pytest

from runcrate_emulator import JobOutcome
from runcrate_emulator.infrastructure.webhooks import SIGNATURE_HEADER, is_acceptable
from tests.emulator.conftest import JOB, assert_refused
from tests.servers import Received, Reply, ScriptedServer
from tests.ssh.hosts import eventually


@pytest.fixture
def receiver() -> Iterator[ScriptedServer]:
    with ScriptedServer(Reply(204)) as server:
        yield server


def received(receiver: ScriptedServer, count: int) -> list[Any]:
    assert eventually(lambda: receiver.sent >= count)
    return [one.json for one in receiver.received]


def is_signed(request: Received, secret: str) -> bool:
    tag = hmac.new(secret.encode(), request.body, hashlib.sha256).hexdigest()
    return request.headers[SIGNATURE_HEADER.lower()] == f"sha256={tag}"


def test_the_end_of_a_job_is_announced_without_another_request(emulator, submit, receiver):
    job = submit(outcome=JobOutcome("done\n", exit_code=3), webhook_url=f"{receiver.url}/hook")
    emulator.clock.advance(60)
    (event,) = received(receiver, 1)
    assert (event["event"], event["job"]["id"]) == ("finished", job["id"])
    assert (event["job"]["status"], event["job"]["exit_code"]) == ("failed", 3)
    assert "webhook_secret" not in event["job"]
    assert is_signed(receiver.received[0], job["webhook_secret"])
    assert receiver.received[0].headers["content-type"] == "application/json"
    assert eventually(lambda: [hook.status for hook in emulator.webhooks] == [204])
    assert emulator.webhooks[0].json == event


def test_the_start_is_announced_to_those_who_ask(emulator, infra, submit, receiver):
    url = receiver.url.replace("127.0.0.1", "localhost")
    events = ["started", "finished"]
    job = submit(outcome=JobOutcome(seconds=10), webhook_url=url, webhook_events=events)
    emulator.clock.advance(25)
    (started,) = received(receiver, 1)
    assert (started["event"], started["job"]["status"]) == ("started", "running")
    infra.post(f"/jobs/{job['id']}/cancel")
    statuses = [event["job"]["status"] for event in received(receiver, 2)]
    assert statuses == ["running", "cancelled"]
    quiet = submit(outcome=JobOutcome(), webhook_url=url, webhook_events=["started"])
    emulator.clock.advance(60)
    last = received(receiver, 3)[2]
    assert (last["event"], last["job"]["id"]) == ("started", quiet["id"])
    assert infra.read(f"/jobs/{quiet['id']}")["status"] == "succeeded"
    assert eventually(lambda: len(emulator.webhooks) == 3)


def test_the_jobs_of_a_group_sign_with_the_secret_of_the_group(emulator, infra, receiver):
    group = infra.make("/jobs", **JOB, count=2, webhook_url=receiver.url)
    emulator.clock.advance(60)
    received(receiver, 2)
    assert all(is_signed(one, group["webhook_secret"]) for one in receiver.received)


def test_nothing_is_sent_elsewhere_and_that_is_said(emulator, submit, caplog):
    caplog.set_level(logging.INFO, "runcrate_emulator.webhooks")
    job = submit(webhook_url="https://example.org/hook/secret")
    emulator.clock.advance(60)
    assert eventually(lambda: len(emulator.webhooks) == 1)
    (hook,) = emulator.webhooks
    assert (hook.job_id, hook.event, hook.status) == (job["id"], "finished", None)
    assert "only loopback URLs" in str(hook.problem)
    assert hook.json["job"]["status"] == "succeeded"
    assert "not sent" in caplog.text
    assert "secret" not in caplog.text + repr(hook)


def test_a_redirect_is_not_followed_and_a_dead_receiver_is_no_harm(emulator, submit, receiver):
    receiver.replies = [Reply(302, headers={"Location": f"{receiver.url}/elsewhere"})]
    submit(webhook_url=receiver.url)
    submit(webhook_url="http://127.0.0.1:9/discard")
    emulator.clock.advance(60)
    assert eventually(lambda: len(emulator.webhooks) == 2)
    outcomes = {(hook.status, hook.problem) for hook in emulator.webhooks}
    assert outcomes == {(302, None), (None, "no response (ConnectError)")}
    assert receiver.sent == 1


def test_a_slow_receiver_keeps_nobody_waiting(emulator, infra, submit, receiver):
    receiver.replies = [Reply(body=[1.0])]
    submit(webhook_url=receiver.url)
    emulator.clock.advance(60)
    began = time.monotonic()
    for _ in range(5):
        assert infra.get("/jobs").status_code == 200
    assert time.monotonic() - began < 1
    assert eventually(lambda: len(emulator.webhooks) == 1)


def test_a_reset_forgets_webhooks_and_those_who_wait_for_them(emulator, submit, receiver):
    submit(webhook_url=receiver.url)
    emulator.reset()
    emulator.clock.advance(60)
    submit(webhook_url=receiver.url)
    emulator.clock.advance(60)
    assert eventually(lambda: len(emulator.webhooks) == 1)
    assert receiver.sent == 1


@pytest.mark.parametrize(
    ("url", "acceptable"),
    [
        *((url, True) for url in ("https://example.org/hook", "https://[::1]:8080/")),
        *((url, True) for url in ("http://127.0.0.1:80/", "http://localhost:8080/")),
        *((url, False) for url in ("http://example.org/hook", "ftp://127.0.0.1/", "https://")),
        *((f"http://{host}.example.org/", False) for host in ("127.0.0.1", "localhost")),
        *((url, False) for url in ("http://127.0.0.1@example.org/", "https://[bad")),
        ("http://127.0.0.1:99999999/", False),
    ],
)
def test_url_policy(url, acceptable):
    assert is_acceptable(url) is acceptable


def test_workspaces_are_for_sign_ins(infra):
    refused = infra.get("/workspaces")
    assert "OAuth" in assert_refused(refused, 403, "forbidden")["message"]
