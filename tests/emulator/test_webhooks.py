"""Webhooks of jobs: sent in the background, signed, and only to this machine."""

import hashlib
import hmac
import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from runcrate_emulator import JobOutcome
from runcrate_emulator.infrastructure.webhooks import SIGNATURE_HEADER, is_acceptable, is_local
from tests.emulator.conftest import assert_refused


class Receiver:
    """A server on loopback that keeps what it is sent, and answers what it is told to."""

    def __init__(self) -> None:
        self.received: list[tuple[dict[str, str], bytes]] = []
        self.answer = 204
        self.location: str | None = None
        self.delay_s = 0.0
        arrived = self._arrived = threading.Condition()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(handler) -> None:  # noqa: N805 - the name is the library's, self is taken
                body = handler.rfile.read(int(handler.headers["content-length"]))
                time.sleep(self.delay_s)
                handler.send_response(self.answer)
                if self.location is not None:
                    handler.send_header("Location", self.location)
                handler.end_headers()
                with arrived:
                    self.received.append((dict(handler.headers.items()), body))
                    arrived.notify_all()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"

    def wait_for(self, count: int) -> list[dict]:
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self.received) >= count, 5)
        return [json.loads(body) for _, body in self.received]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    thread = threading.Thread(target=receiver.server.serve_forever, args=(0.01,))
    thread.start()
    yield receiver
    receiver.server.shutdown()
    thread.join()
    receiver.server.server_close()


def eventually(condition: Callable[[], bool]) -> bool:
    until = time.monotonic() + 5
    while not condition() and time.monotonic() < until:
        time.sleep(0.005)
    return condition()


def test_the_end_of_a_job_is_announced_without_another_request(emulator, submit, receiver):
    job = submit(outcome=JobOutcome("done\n", exit_code=3), webhook_url=receiver.url)
    emulator.clock.advance(60)
    (told,) = receiver.wait_for(1)
    assert (told["event"], told["job"]["id"]) == ("finished", job["id"])
    assert (told["job"]["status"], told["job"]["exit_code"]) == ("failed", 3)
    assert "webhook_secret" not in told["job"]
    headers, body = receiver.received[0]
    tag = hmac.new(job["webhook_secret"].encode(), body, hashlib.sha256).hexdigest()
    assert headers[SIGNATURE_HEADER] == f"sha256={tag}"
    assert headers["Content-Type"] == "application/json"
    assert eventually(lambda: [hook.status for hook in emulator.webhooks] == [204])
    assert emulator.webhooks[0].json == told


def test_the_start_is_announced_to_those_who_ask(emulator, infra, submit, receiver):
    url = receiver.url.replace("127.0.0.1", "localhost")
    events = ["started", "finished"]
    job = submit(outcome=JobOutcome(seconds=10), webhook_url=url, webhook_events=events)
    emulator.clock.advance(25)
    (started,) = receiver.wait_for(1)
    assert (started["event"], started["job"]["status"]) == ("started", "running")
    infra.post(f"/jobs/{job['id']}/cancel")
    assert [told["job"]["status"] for told in receiver.wait_for(2)] == ["running", "cancelled"]
    quiet = submit(outcome=JobOutcome(), webhook_url=url, webhook_events=["started"])
    emulator.clock.advance(60)
    last = receiver.wait_for(3)[2]
    assert (last["event"], last["job"]["id"]) == ("started", quiet["id"])
    assert infra.get(f"/jobs/{quiet['id']}").json()["data"]["status"] == "succeeded"
    assert eventually(lambda: len(emulator.webhooks) == 3)


def test_the_jobs_of_a_group_sign_with_the_secret_of_the_group(emulator, infra, receiver):
    body = {"command": "true", "gpu_type": "A100", "max_runtime_minutes": 5, "count": 2}
    group = infra.post("/jobs", json={**body, "webhook_url": receiver.url}).json()["data"]
    emulator.clock.advance(60)
    receiver.wait_for(2)
    for headers, sent in receiver.received:
        tag = hmac.new(group["webhook_secret"].encode(), sent, hashlib.sha256).hexdigest()
        assert headers[SIGNATURE_HEADER] == f"sha256={tag}"


def test_nothing_is_sent_elsewhere_and_that_is_said(emulator, infra, submit, caplog):
    caplog.set_level(logging.INFO, "runcrate_emulator.webhooks")
    job = submit("true", webhook_url="https://example.org/hook/secret")
    emulator.clock.advance(60)
    assert eventually(lambda: len(emulator.webhooks) == 1)
    (hook,) = emulator.webhooks
    assert (hook.job_id, hook.event, hook.status) == (job["id"], "finished", None)
    assert "only addresses of this machine" in str(hook.problem)
    assert hook.json["job"]["status"] == "succeeded"
    assert "not sent" in caplog.text
    assert "secret" not in caplog.text + repr(hook)


def test_a_redirect_is_not_followed_and_a_dead_receiver_is_no_harm(
    emulator, infra, submit, receiver
):
    receiver.answer, receiver.location = 302, f"{receiver.url}/elsewhere"
    submit("true", webhook_url=receiver.url)
    submit("true", webhook_url="http://127.0.0.1:9/discard")
    emulator.clock.advance(60)
    assert eventually(lambda: len(emulator.webhooks) == 2)
    outcomes = {(hook.status, hook.problem) for hook in emulator.webhooks}
    assert outcomes == {(302, None), (None, "no response (ConnectError)")}
    assert len(receiver.received) == 1


def test_a_slow_receiver_keeps_nobody_waiting(emulator, infra, submit, receiver):
    receiver.delay_s = 0.4
    submit("true", webhook_url=receiver.url)
    emulator.clock.advance(60)
    began = time.monotonic()
    for _ in range(5):
        assert infra.get("/jobs").status_code == 200
    assert time.monotonic() - began < 0.3
    receiver.wait_for(1)


def test_a_reset_forgets_webhooks_and_those_who_wait_for_them(emulator, submit, receiver):
    submit("true", webhook_url=receiver.url)
    emulator.reset()
    emulator.clock.advance(60)
    submit("true", webhook_url=receiver.url)
    emulator.clock.advance(60)
    receiver.wait_for(1)
    assert eventually(lambda: len(emulator.webhooks) == 1)


@pytest.mark.parametrize(
    ("url", "acceptable"),
    [
        ("https://example.org/hook", True),
        ("http://example.org/hook", False),
        ("http://127.0.0.1:80/", True),
        ("http://localhost:8080/", True),
        ("https://[::1]:8080/", True),
        ("http://127.0.0.1.example.org/", False),
        ("http://localhost.example.org/", False),
        ("http://127.0.0.1@example.org/", False),
        ("http://127.0.0.1:99999999/", False),
        ("https://[bad", False),
        ("ftp://127.0.0.1/", False),
        ("https://", False),
    ],
)
def test_url_policy(url, acceptable):
    assert is_acceptable(url) is acceptable
    if acceptable:
        assert is_local(url) is ("example.org" not in url)


def test_workspaces_are_for_sign_ins(infra):
    refused = infra.get("/workspaces")
    assert "OAuth" in assert_refused(refused, 403, "forbidden")["message"]
