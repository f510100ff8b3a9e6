"""The official `runcrate-sdk` 0.5.0 walks its whole inference surface against the emulator."""

import io

import av
import pytest
import runcrate
from PIL import Image

from runcrate_emulator import Emulator
from tests.emulator.chat_support import gathered, settled

CHAT = "deepseek-ai/DeepSeek-V3"
DRAWS = "black-forest-labs/FLUX.1-schnell"
EDITS = "black-forest-labs/FLUX.1-kontext-pro"
VEO = "google/veo-3.0"
KOKORO = "hexgrad/Kokoro-82M"
WHISPER = "openai/whisper-1"
TEXT = "Hello from Runcrate! Grüße aus der Ferne."
GREEN = (10, 200, 30)
CLOCK_SPEED = 600.0  # a video of half a minute takes a twentieth of a second


@pytest.fixture(scope="module")
def _running():
    with Emulator(clock_speed=CLOCK_SPEED, requests_per_minute=100_000) as running:
        yield running
        assert running.crashes == []


@pytest.fixture
def emulator(_running):
    _running.reset()
    return _running


def make_client(kind: str, emulator):
    cls = runcrate.Runcrate if kind == "sync" else runcrate.AsyncRuncrate
    return cls(
        api_key=emulator.api_key,
        base_url=emulator.base_url,
        inference_url=emulator.inference_url.removesuffix("/v1"),
    )


@pytest.fixture(params=["sync", "async"])
async def client(request, emulator):
    client = make_client(request.param, emulator)
    yield client
    await settled(client.close())


@pytest.fixture
def sync_client(emulator):
    with make_client("sync", emulator) as client:
        yield client


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.png"
    Image.new("RGB", (300, 260), GREEN).save(path)
    return path


def is_green(colour) -> bool:
    return max(abs(seen - sent) for seen, sent in zip(colour, GREEN, strict=True)) < 25


def colour_at(data: bytes, place: tuple[int, int]):
    with Image.open(io.BytesIO(data)) as image:
        return image.convert("RGB").getpixel(place)


# --- chat ---------------------------------------------------------------------------------------


async def test_chat_answers(client):
    completion = await settled(
        client.chat.completions.create(
            model=CHAT,
            messages=[
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": [{"type": "text", "text": "What is 2 + 3?"}]},
            ],
            max_tokens=50,
            temperature=0,
        )
    )
    (choice,) = completion.choices
    assert choice.message.role == "assistant"
    assert choice.message.content
    assert choice.finish_reason == "stop"
    assert completion.usage.total_tokens == (
        completion.usage.prompt_tokens + completion.usage.completion_tokens
    )


async def test_chat_streams(client):
    chunks = await gathered(
        client.chat.completions.create(
            model=CHAT, messages=[{"role": "user", "content": "What is 2 + 3?"}], stream=True
        )
    )
    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    assert "".join(choice["delta"].get("content") or "" for choice in choices)
    assert [c["finish_reason"] for c in choices if c["finish_reason"]] == ["stop"]
    assert len({chunk["id"] for chunk in chunks}) == 1


# --- images -------------------------------------------------------------------------------------


async def test_an_image_is_generated_and_saved(client, tmp_path):
    answer = await settled(
        client.images.generate(
            model=DRAWS,
            prompt="A futuristic cityscape at sunset",
            width=512,
            height=384,
            num_inference_steps=4,
            guidance=3.5,
            seed=42,
            negative_prompt="people",
        )
    )
    path = tmp_path / "city.webp"
    answer.data[0].save(str(path))
    with Image.open(path) as image:
        assert (image.format, image.size) == ("WEBP", (512, 384))
    assert await answer.data[0].to_bytes_async() == path.read_bytes()


async def test_an_image_comes_inline(client):
    answer = await settled(
        client.images.generate(
            model=DRAWS, prompt="A cat", aspect_ratio="16:9", response_format="b64_json"
        )
    )
    with Image.open(io.BytesIO(answer.data[0].to_bytes())) as image:
        assert image.size == (1280, 720)


@pytest.mark.parametrize("field", ["image", "start_image", "control_image"])
async def test_an_image_file_is_edited(client, photo, field):
    answer = await settled(
        client.images.generate(
            model=EDITS, prompt="Make the sky purple", prompt_strength=0, **{field: str(photo)}
        )
    )
    assert is_green(colour_at(answer.data[0].to_bytes(), (285, 15)))


async def test_an_image_is_edited_again_by_its_link(client):
    first = await settled(
        client.images.generate(model=DRAWS, prompt="A cat", width=300, height=260)
    )
    second = await settled(
        client.images.generate(model=EDITS, prompt="Add a hat", image=first.data[0].url)
    )
    with Image.open(io.BytesIO(second.data[0].to_bytes())) as image:
        assert image.size == (300, 260)


# --- videos -------------------------------------------------------------------------------------


async def test_a_video_is_submitted_polled_and_downloaded(client):
    job = await settled(client.videos.generate(model=VEO, prompt="Ocean waves", duration=4))
    assert job.status == "queued"
    while job.status not in ("completed", "failed"):
        job = await settled(client.videos.get_status(job.id))
    assert job.progress == 100
    video = await settled(client.videos.download(job.id))
    with av.open(io.BytesIO(video)) as container:
        assert container.duration == 4 * av.time_base


async def test_a_video_is_generated_and_saved(client, tmp_path):
    path, seen = tmp_path / "video.mp4", []
    job = await settled(
        client.videos.generate_and_save(
            str(path),
            model=VEO,
            prompt="A drone flying over mountains",
            duration=6,
            aspect_ratio="9:16",
            seed=3,
            poll_interval=0.01,
            on_status=lambda job: seen.append(job.status),
        )
    )
    assert job.status == "completed"
    assert set(seen) <= {"queued", "processing", "completed"}
    with av.open(str(path)) as container:
        assert container.duration == 6 * av.time_base
        assert container.streams.video[0].height > container.streams.video[0].width


def test_a_picture_file_is_animated(sync_client, photo, tmp_path):
    path = tmp_path / "video.mp4"
    sync_client.videos.generate_and_save(
        str(path), model=VEO, prompt="Animate this", image=str(photo), poll_interval=0.01
    )
    with av.open(str(path)) as container:
        assert is_green(next(container.decode(video=0)).to_image().getpixel((600, 60)))


async def test_an_early_download_is_not_found(client, emulator):
    emulator.clock_speed = 0
    job = await settled(client.videos.generate(model=VEO, prompt="Ocean waves"))
    with pytest.raises(runcrate.NotFoundError):
        await settled(client.videos.download(job.id))


# --- sound --------------------------------------------------------------------------------------


@pytest.mark.parametrize("voice", ["af_heart", "am_adam"])
async def test_speech_is_transcribed_to_the_words_spoken(client, voice):
    speech = await settled(
        client.audio.speech.create(model=KOKORO, input=TEXT, voice=voice, speed=1.2)
    )
    heard = await settled(
        client.audio.transcriptions.create(
            model=WHISPER, file=speech, filename="speech.mp3", language="de", temperature="0"
        )
    )
    assert heard.text == TEXT
    assert heard.language == "de"
    assert heard.duration == pytest.approx(len(TEXT) / 15 / 1.2, abs=0.2)
    assert [segment["text"] for segment in heard.segments] == [
        "Hello from Runcrate!",
        "Grüße aus der Ferne.",
    ]


async def test_speech_comes_as_bare_samples(client):
    pcm = await settled(client.audio.speech.create(model=KOKORO, input=TEXT, response_format="pcm"))
    assert len(pcm) / 2 / 24_000 == pytest.approx(len(TEXT) / 15, abs=0.1)


# --- refusals -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error", "code"),
    [
        (
            lambda c: c.images.generate(model=DRAWS, prompt="x", width=10),
            runcrate.UnprocessableEntityError,
            "validation_error",
        ),
        (
            lambda c: c.videos.generate(model=VEO, prompt="x", duration=5),
            runcrate.UnprocessableEntityError,
            "validation_error",
        ),
        (lambda c: c.videos.get_status("none"), runcrate.NotFoundError, "not_found"),
        (
            lambda c: c.audio.transcriptions.create(model=WHISPER, file=b"no sound"),
            runcrate.BadRequestError,
            "validation_error",
        ),
    ],
    ids=["width", "duration", "job", "file"],
)
async def test_refusals_arrive_as_the_sdks_own_errors(client, call, error, code):
    with pytest.raises(error) as raised:
        await settled(call(client))
    assert raised.value.code == code
    assert raised.value.message


async def test_an_empty_balance_is_a_payment_error(client, emulator):
    emulator.world.ledger.balance = emulator.world.ledger.balance * 0
    with pytest.raises(runcrate.InsufficientCreditsError):
        await settled(client.audio.speech.create(model=KOKORO, input=TEXT))
