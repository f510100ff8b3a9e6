"""Videos: submitted once, waited for until they end, and downloaded completely."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

import runcrate_core as rc
from runcrate_core.api.notebook import MAX_SHOWN_BYTES
from runcrate_core.protocol.failure_reason import failure_code, failure_reason
from tests.core.both_clients import cancelled, new_client
from tests.servers import Reply, ScriptedServer, raw_reply

VEO = "google/veo-3.0"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)


def job(status: str, **fields: Any) -> Reply:
    return Reply(json={"id": "v1", "status": status, **fields})


def test_a_video_is_generated_and_saved(both, tmp_path):
    seen: list[Any] = []
    progress: list[tuple[int, int | None]] = []
    video = both(
        "videos.generate",
        "A drone flying over mountains",
        model=VEO,
        duration=4.0,
        aspect_ratio="9:16",
        path=tmp_path / "output",
        on_status=seen.append,
        on_progress=lambda done, total: progress.append((done, total)),
        poll_interval=0.05,
    )
    assert (video.is_completed, video.failure_reason) == (True, None)
    assert video.path == tmp_path / "output.mp4"
    assert video.path.read_bytes()[4:8] == b"ftyp"
    size = video.path.stat().st_size
    assert (progress[0], progress[-1]) == ((0, size), (size, size))
    assert seen[0].status in {"queued", "processing"}
    assert seen[0]._repr_mimebundle_() == {"text/plain": repr(seen[0])}
    assert seen[-1].status == "completed"
    assert len(seen) == len({state.status for state in seen})
    assert [file.name for file in tmp_path.iterdir()] == ["output.mp4"]
    shown = video._repr_mimebundle_(include=None)
    assert shown["text/html"].startswith('<video controls preload="metadata" src="data:video/mp4;')


def test_a_failed_video_names_the_reason_and_one_that_is_not_done_is_not_there(
    cloud, both, tmp_path
):
    cloud.fail_next_video("The prompt shows a real person.")
    with pytest.raises(rc.RuncrateError, match="shows a real person") as caught:
        both("videos.generate", "x", model=VEO, path=tmp_path / "x.mp4", poll_interval=0.05)
    assert type(caught.value) is rc.RuncrateError
    assert caught.value.code == "generation_failed"
    assert "There is no video" in str(caught.value)
    assert "The video job is `video-" in caught.value.__notes__[0]
    cloud.clock_speed = 0
    submitted = both("videos.create", "x", model=VEO, duration=8)
    with pytest.raises(rc.NotFoundError, match="no video yet"):
        both("videos.download", submitted.id, tmp_path / "x.mp4")
    assert list(tmp_path.iterdir()) == []


def test_given_arguments_are_sent(scripted, tmp_path):
    path = tmp_path / "first_frame.png"
    path.write_bytes(PNG)
    form = {"width": 640, "height": 360, "aspect_ratio": "16:9", "fps": 24}
    source = {"model": "some-img2vid-model", "start_image": "https://example.com/a.png"}
    options: dict[str, Any] = form | source | {"seed": 42, "negative_prompt": "blurry"}
    server, both = scripted(job("queued", created_at=1_795_255_200))
    for duration in (6, 6.0, 5.5):
        trace = {"extra_headers": {"x-trace": "1"}}
        made = both("videos.create", "Go", image=path, duration=duration, **options, **trace)
        assert (made.id, made.created_at) == ("v1", datetime(2026, 11, 21, 10, tzinfo=UTC))
    bodies = [request.json for request in server.received]
    assert bodies[0].pop("image").startswith("data:image/png;base64,iVBORw0KGgo")
    assert bodies[0] == options | {"prompt": "Go", "duration": 6}
    assert [repr(body["duration"]) for body in bodies] == ["6", "6", "5.5"]
    assert server.received[0].headers["x-trace"] == "1"


@pytest.mark.parametrize(
    "lost",
    [Reply(end="no response"), Reply(500), Reply(504), raw_reply(b"<html>", "text/html")],
    ids=["lost", "500", "504", "unreadable"],
)
def test_a_job_whose_response_was_lost_is_not_submitted_again(scripted, lost, tmp_path):
    server, both = scripted(lost)
    words = "not known whether it was received|was not sent again"
    with pytest.raises(rc.AmbiguousLaunchError, match=words) as caught:
        both("videos.generate", "x", model=VEO, path=tmp_path / "x.mp4")
    assert server.sent == 1
    assert "billing.list_transactions()" in str(caught.value)


def test_nothing_is_paid_for_a_video_that_cannot_be_saved(scripted, tmp_path):
    server, both = scripted(job("queued"), job("COMPLETED"))
    for path, error in ((tmp_path / "no" / "x", FileNotFoundError), (tmp_path, IsADirectoryError)):
        with pytest.raises(error):
            both("videos.generate", "x", model=VEO, path=path)
    assert server.sent == 0
    made = both("videos.generate", "x", model=VEO)  # without a path nothing is downloaded
    assert (server.sent, made.path) == (2, None)


def test_58_a_wait_that_ran_out_names_the_job_that_is_paid(scripted, tmp_path):
    server, both = scripted(job("queued"), job("processing"))
    waits = {"timeout": 0.05, "poll_interval": 0.02}
    with pytest.raises(rc.WaitTimeoutError, match=r"`v1` is not completed.*`proc") as caught:
        both("videos.generate", "x", model=VEO, path=tmp_path / "x.mp4", **waits)
    assert [request.method for request in server.received].count("POST") == 1
    assert "`v1`" in caught.value.__notes__[0]


async def test_a_cancelled_wait_names_the_job_too():
    with ScriptedServer(job("queued"), job("processing")) as server:
        seen = asyncio.Event()
        async with new_client(server.url, is_async=True) as client:
            made = client.videos.generate("x", model=VEO, on_status=lambda _: seen.set())
            task = asyncio.ensure_future(made)
            await seen.wait()
            error = await cancelled(task)
    assert any("`v1`" in note for note in error.__notes__)


def nested(reason: str, depth: int) -> Any:
    return reason if depth == 0 else {"error": nested(reason, depth - 1)}


@pytest.mark.parametrize(
    ("fields", "reason", "code"),
    [
        ({"error": {"code": "nsfw", "message": "not  allowed"}}, "not allowed", "nsfw"),
        ({"error": "plain"}, "plain", None),
        ({"error": {"code": "only_code"}}, "only_code", "only_code"),
        ({"error": None, "error_message": "m", "error_code": "c"}, "m", "c"),
        ({"error": {"details": [{"message": "deep"}]}}, "deep", None),
        ({"failure_reason": "f"}, "f", None),
        ({"details": {"reason": "r"}}, "r", None),
        ({"message": "m", "error": {}}, "m", None),
        ({"error": {"message": "key rc_live_abc123"}}, "key [redacted]", None),
        ({"error": "x" * 9000}, "x" * 500, None),
        ({"error": 7, "reason": []}, None, None),
        (nested("too deep", 7), None, None),
        (nested("deep", 6), "deep", None),
        ({}, None, None),
    ],
)
def test_the_reason_of_a_failure_is_found_wherever_it_is(fields, reason, code):
    assert failure_reason(fields) == reason
    assert failure_code(fields) == code


@pytest.mark.parametrize("status", ["failed", "FAILED", "cancelled", "expired"])
def test_a_failure_without_a_reason_says_so(scripted, status):
    _, both = scripted(job(status))
    with pytest.raises(rc.RuncrateError, match="gives no reason"):
        both("videos.wait", "v1")


@pytest.mark.parametrize(
    ("size", "is_shown"), [(None, False), (MAX_SHOWN_BYTES + 1, False), (8, True)]
)
def test_a_video_that_is_gone_or_large_is_only_named(tmp_path, size, is_shown):
    if size is not None:
        with (tmp_path / "a.mp4").open("wb") as file:
            file.truncate(size)
    video = rc.Video(id="v")
    video.downloaded_to(tmp_path / "a.mp4")
    assert ("text/html" in video._repr_mimebundle_()) is is_shown
