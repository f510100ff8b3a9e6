"""What is around the endpoints: server, clock, keys, limits, faults, journal, files, page."""

import inspect
import json
import re
import subprocess
import sys
import threading
import time
from datetime import timedelta
from email.utils import parsedate_to_datetime

import httpx
import pytest

from runcrate_emulator import Emulator
from runcrate_emulator.clock import Clock
from runcrate_emulator.command_line import main
from runcrate_emulator.faults import Fault
from runcrate_emulator.files import FileStore, Signer
from runcrate_emulator.server import bind
from tests.emulator.chat_support import post_chat
from tests.emulator.conftest import INSTANCE, JOB, START, VOLUME, Api, assert_refused


def as_key(name: str) -> dict[str, str]:
    return {"Authorization": f"Bearer rc_live_{name}"}


def test_starts_and_stops_fast_and_leaves_the_port_free():
    started = time.perf_counter()
    with Emulator() as emulator:
        assert time.perf_counter() - started < 1
        port = emulator.port
        assert emulator.base_url == f"http://127.0.0.1:{port}"
        assert emulator.inference_url == f"http://127.0.0.1:{port}/v1"
        with pytest.raises(RuntimeError, match="is running"):
            emulator.start()
        with pytest.raises(OSError, match=f"Port {port} is in use"):
            Emulator(port=port).start()
    with Emulator(port=port) as again:
        assert again.port == port
    with pytest.raises(RuntimeError, match="not running"):
        _ = again.port
    again.stop()


def test_stops_at_once_though_an_answer_is_stalled():
    def ask_in_vain() -> None:
        with pytest.raises(httpx.TransportError):
            httpx.get(emulator.base_url)

    with Emulator() as emulator:
        emulator.fail("GET /", stall_after_chunks=0)
        with pytest.raises(httpx.ReadTimeout):
            httpx.get(emulator.base_url, timeout=0.05)
        emulator.fail("GET /", latency_s=60)
        waiting = threading.Thread(target=ask_in_vain)
        waiting.start()
        while emulator.world.faults.planned:
            time.sleep(0.001)
        started = time.perf_counter()
    waiting.join(1)
    assert time.perf_counter() - started < 1
    assert not waiting.is_alive()


def test_listens_on_loopback_only():
    with bind(0) as listener:
        assert listener.getsockname()[0] == "127.0.0.1"


def test_reset_is_fast_and_complete(emulator, infra, launch):
    first_id = launch()["id"]
    emulator.fail("GET /instances", status=500)
    emulator.clock.advance(100)
    emulator.variants = (("image-delivery", "b64_json"),)
    started = time.perf_counter()
    for _ in range(20):
        emulator.reset()
    assert time.perf_counter() - started < 1
    assert emulator.variants == ()
    assert infra.read("/instances") == []
    assert [request.path for request in emulator.requests] == ["/api/v1/instances"]
    assert launch()["id"] == first_id


def test_clock_runs_at_its_speed_from_the_moment_it_is_set():
    real_s = 1000.0
    clock = Clock(60, start=START, monotonic=lambda: real_s)
    real_s += 2
    assert clock.now() == START + timedelta(minutes=2)
    clock.speed = 1
    real_s += 5
    assert clock.now() == START + timedelta(minutes=2, seconds=5)
    clock.speed = 0
    real_s += 100
    clock.advance(7)
    assert clock.now() == START + timedelta(minutes=2, seconds=12)
    clock.reset()
    assert (clock.now(), clock.speed) == (START, 60)


def test_clock_never_runs_backwards():
    with pytest.raises(ValueError, match="0 \\(stands still\\) or more"):
        Clock(-1)
    with pytest.raises(ValueError, match="cannot go back"):
        Clock().advance(-1)


def test_the_plugin_fixture_runs_in_real_time(runcrate_emulator):
    assert runcrate_emulator.clock_speed == 1.0
    assert httpx.get(f"{runcrate_emulator.inference_url}/nothing").status_code == 401


AUTHORIZATIONS = [
    *(None, "", "Bearer", "Bearer sk-123", "Bearer rc_live_", "Basic rc_live_emulator"),
    "Bearer rc_live_unknown",
]


@pytest.mark.parametrize(
    ("path", "code"),
    [("/v1/chat/completions", "invalid_api_key"), ("/api/v1/jobs", "unauthorized")],
)
@pytest.mark.parametrize("authorization", AUTHORIZATIONS)
def test_a_key_is_needed(emulator, path, code, authorization):
    headers = {} if authorization is None else {"Authorization": authorization}
    answer = httpx.post(emulator.base_url + path, headers=headers, json={})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (401, code)
    assert ("type" in error) is path.startswith("/v1")


def test_keys_are_accepted_when_added_unless_deactivated_and_until_the_reset(emulator, infra):
    def statuses() -> list[int]:
        return [infra.get("/jobs", headers=as_key(it)).status_code for it in ("second", "test")]

    assert statuses() == [401, 200]
    emulator.add_key("rc_live_second")
    assert statuses() == [200, 200]
    emulator.world.deactivated_keys.add("rc_live_second")
    assert statuses() == [401, 200]
    emulator.world.deactivated_keys.clear()
    assert statuses() == [200, 200]
    emulator.reset()
    assert statuses() == [401, 200]
    with pytest.raises(ValueError, match="rc_live_"):
        emulator.add_key("sk-1")


@pytest.mark.parametrize("path", ["/", "/v1/models", "/api/v1/instances", "/files/x"])
@pytest.mark.parametrize(
    "headers",
    [
        *({"Host": host} for host in ("evil.example", "127.0.0.1.evil.example", "192.168.0.1")),
        *({"Host": host} for host in ("localhost.evil.example:80", "user@evil.example", "")),
        *({"Origin": origin} for origin in ("http://evil.example", "null", "http://localhost:1")),
        {"Origin": "https://127.0.0.1"},
    ],
    ids=str,
)
def test_a_web_page_elsewhere_is_refused(emulator, infra, headers, path):
    answer = infra.get(emulator.base_url + path, headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden")
    assert infra.post("/instances", json=INSTANCE, headers=headers).status_code == 403
    assert emulator.world.instances == {}


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST", "[::1]", "127.1.2.3"])
def test_loopback_names_are_served(emulator, host):
    name = f"{host}:{emulator.port}"
    headers = {"Host": name, "Origin": f"http://{name}"}
    assert httpx.get(f"{emulator.base_url}/v1/models", headers=headers).status_code == 200


def test_unknown_paths_and_methods_get_the_envelope(infra):
    assert_refused(infra.get("/nothing"), 404, "not_found")
    assert_refused(infra.get("/instances/"), 404, "not_found")
    refused = infra.put("/instances")
    assert_refused(refused, 405, "method_not_allowed")
    assert "GET" in refused.headers["allow"] or "POST" in refused.headers["allow"]


def seconds_to_reset(answer: httpx.Response) -> float:
    date = parsedate_to_datetime(answer.headers["date"])
    return int(answer.headers["x-ratelimit-reset"]) - date.timestamp()


def test_rate_limit_headers_are_on_every_answer_and_a_minute_ends(emulator, infra):
    emulator.world.requests_per_minute = 2
    answers = infra.get("/jobs"), infra.get("/nothing")
    assert [answer.headers["x-ratelimit-limit"] for answer in answers] == ["2", "2"]
    assert [answer.headers["x-ratelimit-remaining"] for answer in answers] == ["1", "0"]
    emulator.clock.advance(20)
    refused = infra.get("/jobs")
    assert_refused(refused, 429, "rate_limited")
    assert refused.headers["retry-after"] == "40"
    assert 39 <= seconds_to_reset(refused) <= 42
    emulator.add_key("rc_live_other")
    assert infra.get("/jobs", headers=as_key("other")).status_code == 200
    emulator.clock.advance(40)
    assert infra.get("/jobs").status_code == 200


def test_the_wait_that_the_rate_limit_tells_is_one_in_real_seconds():
    with Emulator(clock_speed=30, requests_per_minute=1) as emulator:
        emulator.clock.advance(86_400)
        url = f"{emulator.base_url}/api/v1/jobs"
        _, refused = (httpx.get(url, headers=as_key("emulator")) for _ in range(2))
    assert refused.headers["retry-after"] == "2"
    assert seconds_to_reset(refused) <= 4


@pytest.mark.parametrize(
    ("route", "method", "path", "matches"),
    [
        ("POST /videos", "POST", "/videos", True),
        ("POST /videos", "GET", "/videos", False),
        ("* /videos", "GET", "/videos", True),
        ("GET /instances/{id}", "GET", "/instances/abc", True),
        ("GET /instances/{id}", "GET", "/instances/abc/status", False),
        ("GET /instances/{id}/status", "GET", "/instances/abc/status", True),
        ("GET /jobs/*", "GET", "/jobs/a/artifacts/b/c.txt", True),
        ("GET /jobs/*", "GET", "/jobs", False),
    ],
)
def test_fault_matches_a_route(route, method, path, matches):
    assert Fault(route).matches(method, path) is matches


@pytest.mark.parametrize("bad", ["/videos", "post /videos", "POST videos", "POST /a b"])
def test_fault_route_is_checked(bad):
    with pytest.raises(ValueError, match="a method and a path"):
        Fault(bad)
    with pytest.raises(ValueError, match="at least one request"):
        Fault("GET /a", times=0)


def test_the_method_that_plans_a_fault_shows_its_arguments() -> None:
    shown = inspect.signature(Emulator.fail).parameters
    assert list(shown) == ["self", *inspect.signature(Fault).parameters]


def test_fault_before_and_after_the_work(emulator, infra):
    emulator.fail("POST /instances", status=503)
    odd = {"code": "odd", "message": "Gone.", "details": {"reason": "odd"}}
    emulator.fail("POST /instances", status=500, after="work", **odd)
    assert_refused(infra.post("/instances", json=INSTANCE), 503, "service_unavailable")
    assert infra.read("/instances") == []
    assert assert_refused(infra.post("/instances", json=INSTANCE), 500, "odd") == odd
    assert len(infra.read("/instances")) == 1


@pytest.mark.parametrize(
    ("fault", "message", "launched"),
    [
        ({"drop_connection": True}, "without sending a response", 0),
        ({"lose_response": True}, "without sending a response", 1),
        ({"cut_after_chunks": 0}, "without sending complete", 1),
        ({"stall_after_chunks": 0}, "timed out", 1),
    ],
    ids=str,
)
def test_a_response_that_does_not_arrive_tells_nothing_about_the_work(
    emulator, infra, fault, message, launched
):
    emulator.fail("POST /instances", **fault)
    with pytest.raises(httpx.TransportError, match=message):
        infra.post("/instances", json=INSTANCE, timeout=0.3)
    if "sending a response" in message:
        assert emulator.requests[0].status is None
    assert len(infra.read("/instances")) == launched


def test_malformed_json_raw_bodies_and_extra_headers(emulator, infra):
    emulator.fail("GET /jobs", malformed_json=True)
    emulator.fail("GET /jobs", body=b"<html>", headers={"Content-Type": "text/html"})
    emulator.fail("GET /jobs", body=b"no", status=502)
    broken = infra.get("/jobs")
    assert broken.status_code == 200
    with pytest.raises(ValueError, match=r"Expecting|Unterminated"):
        broken.json()
    page = infra.get("/jobs")
    assert (page.status_code, page.text) == (200, "<html>")
    assert page.headers["content-type"] == "text/html"
    assert infra.get("/jobs").status_code == 502
    emulator.fail("GET /jobs", headers={"X-Odd": "1"})
    odd = infra.get("/jobs")
    assert (odd.json()["data"], odd.headers["x-odd"]) == ([], "1")


def test_a_stream_can_be_cut_stalled_and_malformed(emulator):
    route = "POST /chat/completions"
    emulator.fail(route, cut_after_chunks=2)
    with pytest.raises(httpx.RemoteProtocolError, match="incomplete chunked read"):
        post_chat(emulator, stream=True)
    assert (emulator.requests[0].status, emulator.requests[0].route) == (200, "/chat/completions")
    emulator.fail(route, stall_after_chunks=1)
    with pytest.raises(httpx.ReadTimeout):
        post_chat(emulator, stream=True, timeout=0.3)
    emulator.fail(route, malformed_json=True)
    first, *_, last = post_chat(emulator, stream=True).text.strip().split("\n\n")
    with pytest.raises(ValueError, match=r"Expecting|Unterminated"):
        json.loads(first.removeprefix("data: "))
    assert last == "data: [DONE]"


def test_journal_shows_requests_without_the_key(emulator, infra):
    infra.post("/ssh-keys?environment=main&a=1&a=2", json={"name": "x"})
    entry = emulator.requests[-1]
    assert (entry.method, entry.path, entry.route) == ("POST", "/api/v1/ssh-keys", "/ssh-keys")
    assert entry.query == {"environment": ("main",), "a": ("1", "2")}
    assert (entry.json, entry.status) == ({"name": "x"}, 400)
    assert entry.key == "rc_live_…"
    assert entry.duration_s > 0
    assert "authorization" not in entry.headers
    assert emulator.api_key not in repr(entry)
    link = emulator.world.media.put("image", "a.png", "image/png", b"x")
    httpx.get(emulator.base_url + link)
    assert link.partition("signature=")[2] not in repr(emulator.requests[-1])
    assert emulator.requests[-1].json is None


def test_an_answer_without_a_body_is_in_the_journal_before_it_has_arrived(
    emulator, infra, monkeypatch
):
    link = infra.make("/jobs/uploads", bytes=4)["url"]
    recorded = threading.Event()
    monkeypatch.setattr(emulator.world, "on_request", lambda entry: recorded.set())
    assert httpx.put(link, content=b"code").status_code == 200
    assert recorded.is_set()


def test_a_crash_is_answered_remembered_and_never_a_traceback(emulator, infra, monkeypatch):
    def crash(*_: object) -> None:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr(emulator.world, "environment", crash)
    answer = infra.get("/jobs")
    assert_refused(answer, 500, "internal_error")
    assert "secret detail" not in answer.text
    assert [type(crashed) for crashed in emulator.crashes] == [ZeroDivisionError]
    emulator.world.crashes.clear()


def test_files_are_served_by_signed_links_for_an_hour(emulator):
    def get(link: str) -> httpx.Response:
        return httpx.get(emulator.base_url + link)

    link = emulator.world.media.put("image", "Käse.png", "image/png", b"png bytes")
    assert (get(link).content, get(link).headers["content-type"]) == (b"png bytes", "image/png")
    assert_refused(get(link.partition("?")[0]), 403, "forbidden")
    assert_refused(get(link[:-1]), 403, "forbidden")
    emulator.clock.advance(3600)
    assert_refused(get(link), 403, "forbidden")
    gone = emulator.world.signer.sign("GET", "/files/file-none", 60)
    assert_refused(get(gone), 404, "not_found")


def test_made_files_have_a_limit_and_the_oldest_go():
    clock = Clock(0, start=START)
    ids = iter(f"file-{number}" for number in range(9))
    store = FileStore(lambda _: next(ids), Signer(clock, b"key"), max_bytes=10)
    first, second = (store.add("image", "a.webp", "image/webp", b"x" * 4) for _ in range(2))
    store.remove(first.id)
    third = store.add("image", "b.webp", "image/webp", b"x" * 6)
    assert [file.id for file in store.newest(9)] == [third.id, second.id]
    large = store.add("video", "c.mp4", "video/mp4", b"x" * 99)
    assert [file.id for file in store.newest(9)] == [large.id]


def test_page_shows_what_is_going_on(emulator, infra, launch, submit):
    empty = httpx.get(emulator.base_url).text
    assert "None yet" in empty
    assert "Nothing generated yet" in empty
    launch(name="<script>alert(1)</script>", max_runtime_minutes=60)
    launch(name="cpu", gpu_type="CPU")
    infra.make("/storage", **VOLUME)
    submit("echo '<b>'")
    emulator.clock.advance(1800)
    emulator.world.media.put("image", "a.png", "image/png", b"x")
    emulator.world.media.put("speech", "b.mp3", "audio/mpeg", b"x")
    emulator.fail("GET /jobs", drop_connection=True)
    with pytest.raises(httpx.RemoteProtocolError):
        infra.get("/jobs")
    page = httpx.get(emulator.base_url).raise_for_status().text
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert(1)" not in page
    for text in ("running", "1.49", "<svg", "POST /api/v1/instances", "a.png", "<audio", "lost"):
        assert text in page
    assert emulator.api_key not in page
    assert all(entry.path != "/" for entry in emulator.requests)


def test_the_files_that_the_page_shows_do_not_fill_its_list(emulator):
    emulator.world.media.put("image", "a.png", "image/png", b"x")
    found = re.search(r'src="(/files/[^"]+)"', httpx.get(emulator.base_url).text)
    assert found is not None
    link = emulator.base_url + found[1].replace("&amp;", "&")
    assert httpx.get(link).content == b"x"
    assert emulator.requests == []
    httpx.get(link.replace("&from=page", ""))
    assert len(emulator.requests) == 1


def test_command_says_why_it_does_not_start(emulator, capsys, monkeypatch):
    assert main(["--port", str(emulator.port)]) == 1
    assert f"Port {emulator.port} is in use" in capsys.readouterr().err
    assert main(["--chat-upstream", "ftp://127.0.0.1/v1"]) == 1
    assert "must start with http:// or https://" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "asyncssh", None)
    monkeypatch.delitem(sys.modules, "runcrate_emulator.ssh_servers", raising=False)
    assert main(["--port", "0", "--ssh"]) == 1
    assert 'Run: pip install "runcrate-integrations[emulator,ssh]"' in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        *("--port 70000", "--clock-speed -1", "--clock-speed inf", "--requests-per-minute 0"),
        *("--balance much", "--balance -1", "--balance 1e30"),
    ],
)
def test_command_refuses_bad_arguments(arguments, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(arguments.split())
    assert "runcrate-emulator: error:" in capsys.readouterr().err


def test_command_prints_exports_and_requests_and_ends_with_ctrl_c():
    process = subprocess.Popen(
        [sys.executable, "-m", "runcrate_emulator", "--port", "0", "--balance", "7.50"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        lines = [process.stdout.readline().strip() for _ in range(5)]
        assert lines[3].startswith("# chat: simulated")
        exports = dict(line.removeprefix("export ").split("=", 1) for line in lines[:3])
        assert exports["RUNCRATE_API_KEY"] == "rc_live_emulator"
        assert exports["RUNCRATE_API_BASE"] == exports["RUNCRATE_API_URL"] + "/v1"
        with Api(
            base_url=f"{exports['RUNCRATE_API_URL']}/api/v1", headers=as_key("emulator")
        ) as infra:
            assert infra.read("/billing/balance")["creditsBalance"] == 7.5
            assert "200 GET    /api/v1/billing/balance" in process.stdout.readline()
            job_id = infra.make("/jobs", **JOB, webhook_url="https://example.org/x")["id"]
            assert "201 POST   /api/v1/jobs" in process.stdout.readline()
            infra.make(f"/jobs/{job_id}/cancel")
        printed = [process.stdout.readline() for _ in range(2)]
        assert any(f"webhook `finished` of {job_id}: not sent" in line for line in printed)
        process.send_signal(2)
        rest, errors = process.communicate(timeout=5)
        assert (process.returncode, rest.strip(), errors) == (0, "", "")
    finally:
        process.kill()
        process.communicate()
