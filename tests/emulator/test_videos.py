"""The life of a video job over HTTP, on a clock that is stepped by hand."""

import io
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import av
import pytest

from tests.content_parts import data_url
from tests.emulator.conftest import png

VEO = "google/veo-3.0"
ANY_LENGTH = "wan-ai/Wan2.1-T2V-14B"
LONG_ENOUGH_S = 1000


def submit(inference, **body) -> dict:
    body = {"model": VEO, "prompt": "A sunrise", **body}
    return inference.post("/videos", json=body).raise_for_status().json()


def finished(inference, emulator, **body) -> bytes:
    job = submit(inference, **body)
    emulator.clock.advance(LONG_ENOUGH_S)
    return inference.get(f"/videos/{job['id']}/download").raise_for_status().content


def test_a_job_is_queued_then_processed_then_completed(inference, emulator):
    job = submit(inference)
    assert (job["status"], job["progress"]) == ("queued", 0)
    seen = []
    while job["status"] != "completed":
        emulator.clock.advance(5)
        job = inference.get(f"/videos/{job['id']}").json()
        seen.append((job["status"], job["progress"]))
    statuses, progress = zip(*seen, strict=True)
    assert set(statuses[:-1]) == {"processing"}
    assert list(progress) == sorted(set(progress))
    assert progress[-1] == 100
    elapsed = 5 * len(seen)
    assert 30 <= elapsed <= 180  # what the service's guide leads one to expect
    assert job["completed_at"] - job["created_at"] <= elapsed
    assert "error" not in job


def test_the_video_is_attached_and_the_same_for_all_who_download_it(inference, emulator):
    job = submit(inference)
    emulator.clock.advance(LONG_ENOUGH_S)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(inference.get, [f"/videos/{job['id']}/download"] * 4))
    assert len({answer.content for answer in answers}) == 1
    assert [file.kind for file in emulator.world.media.newest(9)] == ["video"]
    assert answers[0].headers["content-type"] == "video/mp4"
    attached = f'attachment; filename="{job["id"]}.mp4"'
    assert answers[0].headers["content-disposition"] == attached


@pytest.mark.parametrize(
    ("asked", "seconds", "size"),
    [
        ({}, 4, (640, 360)),
        ({"duration": 8.0, "aspect_ratio": "9:16"}, 8, (360, 640)),
        ({"duration_seconds": 4, "aspect_ratio": "1:1"}, 4, (640, 640)),
        ({"width": 1024, "height": 512}, 4, (640, 320)),
        ({"model": ANY_LENGTH}, 5, (640, 360)),
        ({"model": ANY_LENGTH, "duration": 1}, 1, (640, 360)),
    ],
)
def test_the_video_is_as_asked(inference, emulator, asked, seconds, size):
    with av.open(io.BytesIO(finished(inference, emulator, **asked))) as container:
        video = container.streams.video[0]
        assert video.duration * video.time_base == seconds
        assert (video.width, video.height) == size


@pytest.mark.parametrize("field", ["image", "start_image", "image_url"])
def test_an_image_is_animated(inference, emulator, field):
    uri = data_url("image/png", png((200, 20, 20), (64, 64)))
    with av.open(io.BytesIO(finished(inference, emulator, **{field: uri}))) as container:
        red, green, blue = next(container.decode(video=0)).to_image().getpixel((600, 60))
    assert red > 150
    assert max(green, blue) < 70


def test_a_seed_makes_a_video_reproducible(inference, emulator):
    videos = [finished(inference, emulator, seed=seed) for seed in (1, 1, 2)]
    assert videos[0] == videos[1] != videos[2]


def test_the_next_job_can_be_made_to_fail(inference, emulator):
    before = emulator.world.ledger.balance
    emulator.fail_next_video("The prompt was too bright.")
    failing, other = submit(inference), submit(inference)
    assert failing["status"] == "queued"
    assert before - emulator.world.ledger.balance == Decimal("0.40")  # for the second one alone
    emulator.clock.advance(LONG_ENOUGH_S)
    failed = inference.get(f"/videos/{failing['id']}").json()
    error = {"code": "generation_failed", "message": "The prompt was too bright."}
    assert (failed["status"], failed["error"]) == ("failed", error)
    download = inference.get(f"/videos/{failing['id']}/download")
    assert download.status_code == 404
    assert "too bright" in download.json()["error"]["message"]
    assert inference.get(f"/videos/{other['id']}").json()["status"] == "completed"
