"""The life of a video job over HTTP, on a clock that is stepped by hand."""

import io
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import av
import httpx
import pytest

from tests.content_parts import data_url
from tests.emulator.conftest import png

VEO = "google/veo-3.0"
ANY_LENGTH = "wan-ai/Wan2.1-T2V-14B"
LONG_ENOUGH_S = 1000


@pytest.fixture
def emulator(media_emulator):
    media_emulator.reset()
    return media_emulator


@pytest.fixture
def client(emulator, media):
    return media


def submit(client, **body) -> httpx.Response:
    return client.post("/videos", json={"model": VEO, "prompt": "A sunrise", **body})


def finished(client, emulator, **body) -> bytes:
    job = submit(client, **body).raise_for_status().json()
    emulator.clock.advance(LONG_ENOUGH_S)
    return client.get(f"/videos/{job['id']}/download").raise_for_status().content


def seconds_and_size(video: bytes):
    with av.open(io.BytesIO(video)) as container:
        video = container.streams.video[0]
        return video.duration * video.time_base, (video.width, video.height)


def test_a_job_is_queued_then_processed_then_completed(client, emulator):
    job = submit(client).json()
    assert (job["status"], job["progress"]) == ("queued", 0)
    seen = []
    while job["status"] != "completed":
        emulator.clock.advance(5)
        job = client.get(f"/videos/{job['id']}").json()
        seen.append((job["status"], job["progress"]))
    statuses = [status for status, _ in seen]
    assert statuses == ["processing"] * (len(seen) - 1) + ["completed"]
    assert [progress for _, progress in seen] == sorted({progress for _, progress in seen})
    assert seen[-1][1] == 100
    elapsed = 5 * len(seen)
    assert 30 <= elapsed <= 180  # what the service's guide leads one to expect
    assert job["completed_at"] - job["created_at"] <= elapsed
    assert "error" not in job


def test_the_video_is_an_attached_mp4_and_the_same_for_all_who_download_it(client, emulator):
    job = submit(client, duration=4).json()
    emulator.clock.advance(LONG_ENOUGH_S)
    path = f"/videos/{job['id']}/download"
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(client.get, [path] * 4))
    assert len({answer.content for answer in answers}) == 1
    assert [file.kind for file in emulator.world.media.newest(9)] == ["video"]
    assert answers[0].headers["content-type"] == "video/mp4"
    attached = f'attachment; filename="{job["id"]}.mp4"'
    assert answers[0].headers["content-disposition"] == attached
    assert answers[0].content[4:8] == b"ftyp"


@pytest.mark.parametrize(
    ("asked", "seconds", "size"),
    [
        ({}, 4, (640, 360)),
        ({"duration": 6}, 6, (640, 360)),
        ({"duration": 8.0, "aspect_ratio": "9:16"}, 8, (360, 640)),
        ({"duration_seconds": 4, "aspect_ratio": "1:1"}, 4, (640, 640)),
        ({"width": 1024, "height": 512}, 4, (640, 320)),
        ({"model": ANY_LENGTH}, 5, (640, 360)),
        ({"model": ANY_LENGTH, "duration": 1}, 1, (640, 360)),
    ],
)
def test_the_film_is_as_asked(client, emulator, asked, seconds, size):
    assert seconds_and_size(finished(client, emulator, **asked)) == (seconds, size)


@pytest.mark.parametrize("field", ["image", "start_image", "image_url"])
def test_a_picture_is_animated(client, emulator, field):
    uri = data_url("image/png", png((200, 20, 20), (64, 64)))
    video = finished(client, emulator, **{field: uri})
    with av.open(io.BytesIO(video)) as container:
        red, green, blue = next(container.decode(video=0)).to_image().getpixel((600, 60))
    assert red > 150
    assert max(green, blue) < 70


def test_a_seed_makes_a_film_reproducible(client, emulator):
    videos = [finished(client, emulator, seed=seed) for seed in (1, 1, 2)]
    assert videos[0] == videos[1] != videos[2]


def test_the_next_job_can_be_made_to_fail(client, emulator):
    before = emulator.world.ledger.balance
    emulator.fail_next_video("The prompt was too bright.")
    failing, next_one = submit(client).json(), submit(client).json()
    assert failing["status"] == "queued"
    assert before - emulator.world.ledger.balance == Decimal("0.40")  # for the second one alone
    emulator.clock.advance(LONG_ENOUGH_S)
    failed = client.get(f"/videos/{failing['id']}").json()
    assert failed["status"] == "failed"
    assert failed["error"] == {
        "code": "generation_failed",
        "message": "The prompt was too bright.",
    }
    download = client.get(f"/videos/{failing['id']}/download")
    assert download.status_code == 404
    assert "too bright" in download.json()["error"]["message"]
    assert client.get(f"/videos/{next_one['id']}").json()["status"] == "completed"


@pytest.mark.parametrize("path", ["/videos/none", "/videos/none/download", "/videos/%00"])
def test_an_unknown_job_is_not_found(client, path):
    assert client.get(path).status_code == 404
