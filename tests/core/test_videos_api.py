"""Videos: submitted once, watched to their end, and downloaded whole."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import runcrate_core as rc
from runcrate_core.api.notebook import MAX_SHOWN_BYTES
from runcrate_core.protocol.failure_reason import failure_code, failure_reason
from runcrate_emulator import Emulator
from tests.core.both_clients import KEY
from tests.servers import Reply, ScriptedServer

if TYPE_CHECKING:
    from collections.abc import Iterator

VEO = "google/veo-3.0"
MP4 = b"\x00\x00\x00\x20ftypisom" + bytes(100)
PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)
FILM = Reply(body=[MP4], length=len(MP4), headers={"content-type": "video/mp4"})


def job(status: str, **fields: Any) -> Reply:
    return Reply(json={"id": "v1", "status": status, **fields})


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with Emulator(clock_speed=500) as running:
        running.add_key(KEY)
        yield running


def test_a_film_is_made_watched_and_saved(run: Any, emulator: Emulator, tmp_path: Path) -> None:
    seen: list[str] = []
    told: list[tuple[int, int | None]] = []
    made = run(
        lambda client: client.videos.generate(
            "A drone flying over mountains",
            model=VEO,
            duration=4.0,
            aspect_ratio="9:16",
            path=tmp_path / "output",
            on_status=lambda job: seen.append(job.status),
            on_progress=lambda done, total: told.append((done, total)),
            poll_interval=0.05,
        ),
        emulator.base_url,
    )
    assert made.is_completed
    assert made.path == tmp_path / "output.mp4"
    assert made.path.read_bytes()[4:8] == b"ftyp"
    size = made.path.stat().st_size
    assert told[0] == (0, size)
    assert told[-1] == (size, size)
    assert seen[0] in {"queued", "processing"}
    assert seen[-1] == "completed"
    assert len(seen) == len(set(seen))
    assert [file.name for file in tmp_path.iterdir()] == ["output.mp4"]
    shown = made._repr_mimebundle_(include=None)
    assert shown["text/html"].startswith('<video controls preload="metadata" src="data:video/mp4;')


def test_the_steps_may_be_taken_one_by_one(run: Any, emulator: Emulator, tmp_path: Path) -> None:
    submitted = run(
        lambda client: client.videos.create("Ocean waves at sunset", model=VEO, duration=4),
        emulator.base_url,
    )
    assert submitted.status in {"queued", "processing"}
    assert submitted._repr_mimebundle_() == {"text/plain": repr(submitted)}
    seen = run(lambda client: client.videos.retrieve(submitted.id), emulator.base_url)
    assert seen.id == submitted.id
    done = run(
        lambda client: client.videos.wait(submitted.id, poll_interval=0.05), emulator.base_url
    )
    assert done.is_completed
    assert done.failure_reason is None
    path = run(
        lambda client: client.videos.download(submitted.id, str(tmp_path / "waves.mp4")),
        emulator.base_url,
    )
    assert path == tmp_path / "waves.mp4"


def test_a_film_that_failed_tells_why(run: Any, emulator: Emulator, tmp_path: Path) -> None:
    emulator.world.videos.fail_next("The prompt shows a real person.")
    with pytest.raises(rc.RuncrateError, match="shows a real person") as caught:
        run(
            lambda client: client.videos.generate(
                "x", model=VEO, path=tmp_path / "x.mp4", poll_interval=0.05
            ),
            emulator.base_url,
        )
    assert type(caught.value) is rc.RuncrateError
    assert caught.value.code == "generation_failed"
    assert "There is no video" in str(caught.value)
    assert "The video job is `video-" in caught.value.__notes__[0]
    assert list(tmp_path.iterdir()) == []


def test_a_film_that_is_not_done_is_not_there(run: Any, emulator: Emulator, tmp_path: Path) -> None:
    def use(client: Any) -> Any:
        return client.videos.create("x", model=VEO, duration=8)

    emulator.clock_speed = 0
    try:
        submitted = run(use, emulator.base_url)
        with pytest.raises(rc.NotFoundError, match="no video yet"):
            run(
                lambda client: client.videos.download(submitted.id, tmp_path / "x.mp4"),
                emulator.base_url,
            )
    finally:
        emulator.clock_speed = 500
    assert list(tmp_path.iterdir()) == []


def test_what_is_sent_is_what_was_given(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "first_frame.png"
    path.write_bytes(PNG)
    with ScriptedServer(job("queued")) as server:
        for duration in (6, 6.0, 5.5):
            made = run(
                lambda client, duration=duration: client.videos.create(
                    "Animate this scene",
                    model="some-img2vid-model",
                    duration=duration,
                    image=path,
                    start_image="https://example.com/a.png",
                    seed=42,
                    negative_prompt="blurry",
                    width=640,
                    height=360,
                    aspect_ratio="16:9",
                    fps=24,
                    extra_headers={"x-trace": "1"},
                ),
                server.url,
            )
            assert made.id == "v1"
        bodies = [request.json for request in server.received]
    image = bodies[0].pop("image")
    assert image.startswith("data:image/png;base64,iVBORw0KGgo")
    assert bodies[0] == {
        "model": "some-img2vid-model",
        "prompt": "Animate this scene",
        "duration": 6,
        "aspect_ratio": "16:9",
        "width": 640,
        "height": 360,
        "seed": 42,
        "negative_prompt": "blurry",
        "start_image": "https://example.com/a.png",
        "fps": 24,
    }
    assert [repr(body["duration"]) for body in bodies] == ["6", "6", "5.5"]
    assert server.received[0].headers["x-trace"] == "1"


@pytest.mark.parametrize(
    "lost",
    [
        Reply(end="no answer"),
        Reply(500, {"error": {"message": "x"}}),
        Reply(504),
        Reply(body=[b"<html>"], length=6),
    ],
    ids=["lost", "500", "504", "unreadable"],
)
def test_a_job_whose_answer_was_lost_is_not_submitted_again(
    scripted: Any, lost: Reply, tmp_path: Path
) -> None:
    server, both = scripted(lost)
    with pytest.raises(
        rc.AmbiguousLaunchError, match=r"not known whether it was received|was not sent again"
    ) as caught:
        both("videos.generate", "x", model=VEO, path=tmp_path / "x.mp4")
    assert server.sent == 1
    assert "billing.list_transactions()" in str(caught.value)


def test_a_job_that_was_certainly_not_taken_is_submitted_again(scripted: Any) -> None:
    busy = Reply(503, {"error": {"message": "full"}})
    limited = Reply(429, {"error": {"code": "rate_limited", "message": "slow"}})
    server, both = scripted(busy, limited, job("queued"))
    assert both("videos.create", "x", model=VEO).id == "v1"
    assert server.sent == 3


def test_a_refused_job_is_a_refusal(scripted: Any) -> None:
    refused = Reply(402, {"error": {"code": "budget_exceeded", "message": "spent"}})
    _, both = scripted(refused)
    with pytest.raises(rc.InsufficientCreditsError):
        both("videos.create", "x", model=VEO)


def test_nothing_is_paid_for_a_film_that_has_no_place(scripted: Any, tmp_path: Path) -> None:
    server, both = scripted(job("queued"))
    with pytest.raises(FileNotFoundError):
        both("videos.generate", "x", model=VEO, path=tmp_path / "no" / "x")
    with pytest.raises(IsADirectoryError):
        both("videos.generate", "x", model=VEO, path=tmp_path)
    assert server.sent == 0


def test_without_a_path_nothing_is_downloaded(scripted: Any) -> None:
    server, both = scripted(job("queued"), job("completed"))
    made = both("videos.generate", "x", model=VEO)
    assert server.sent == 2
    assert made.path is None


def test_58_a_lost_wait_names_the_job_that_is_paid(scripted: Any, tmp_path: Path) -> None:
    server, both = scripted(job("queued"), job("processing"))
    with pytest.raises(rc.APITimeoutError) as caught:
        both(
            "videos.generate",
            "x",
            model=VEO,
            path=tmp_path / "x.mp4",
            timeout=0.05,
            poll_interval=0.02,
        )
    assert [request.method for request in server.received].count("POST") == 1
    assert "`v1`" in caught.value.__notes__[0]


async def test_a_cancelled_wait_names_the_job_too() -> None:
    with ScriptedServer(job("queued"), job("processing")) as server:
        seen = asyncio.Event()
        client = rc.AsyncRuncrate("rc_live_test", base_url=server.url, inference_url=server.url)
        async with client:
            made = client.videos.generate("x", model=VEO, on_status=lambda _: seen.set())
            task = asyncio.ensure_future(made)
            await seen.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError) as caught:
                await task
    assert any("`v1`" in note for note in caught.value.__notes__)


def test_a_film_may_be_limited(scripted: Any, tmp_path: Path) -> None:
    _, both = scripted(FILM)
    with pytest.raises(rc.ResponseFormatError, match="limit of 10"):
        both("videos.download", "v1", tmp_path / "x.mp4", limit=10)


def nested(reason: str, depth: int) -> dict[str, Any]:
    inner: Any = reason
    for _ in range(depth):
        inner = {"error": inner}
    made: dict[str, Any] = inner
    return made


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
        ({"error": 7, "reason": []}, None, None),
        (nested("too deep", 7), None, None),
        (nested("deep", 6), "deep", None),
        ({}, None, None),
    ],
)
def test_the_reason_of_a_failure_is_found_wherever_it_is(
    fields: dict[str, Any], reason: str | None, code: str | None
) -> None:
    assert failure_reason(fields) == reason
    assert failure_code(fields) == code


def test_a_long_reason_is_cut() -> None:
    assert len(failure_reason({"error": "x" * 9000}) or "") == 500


@pytest.mark.parametrize("status", ["failed", "FAILED", "cancelled", "expired"])
def test_a_failure_without_a_reason_says_so(scripted: Any, status: str) -> None:
    _, both = scripted(job(status))
    with pytest.raises(rc.RuncrateError, match="gives no reason"):
        both("videos.wait", "v1")


@pytest.mark.parametrize("sent", ["2026-11-21T10:00:00", "2026-11-21T10:00:00Z", 1795255200])
def test_the_time_of_a_job_has_its_time_zone(sent: Any) -> None:
    video = rc.Video.model_validate({"id": "v", "created_at": sent})
    assert video.created_at == datetime(2026, 11, 21, 10, tzinfo=UTC)


def test_a_film_that_is_gone_or_long_is_named_only(tmp_path: Path) -> None:
    video = rc.Video(id="v")
    video.downloaded_to(tmp_path / "gone.mp4")
    assert set(video._repr_mimebundle_()) == {"text/plain"}
    with (tmp_path / "long.mp4").open("wb") as file:
        file.truncate(MAX_SHOWN_BYTES + 1)
    video.downloaded_to(tmp_path / "long.mp4")
    assert set(video._repr_mimebundle_()) == {"text/plain"}
    video.downloaded_to(tmp_path / "odd.mp4")
    (tmp_path / "odd.mp4").write_bytes(b"no film")
    assert "text/html" in video._repr_mimebundle_()
