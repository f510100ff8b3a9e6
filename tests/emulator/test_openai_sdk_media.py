"""The `openai` SDK, which this project did not write, makes media with the emulator."""

import base64
import inspect
import io

import openai
import pytest
from PIL import Image

from runcrate_emulator import Emulator

IMAGES = "black-forest-labs/FLUX.1-schnell"
SPEECH = "openai/tts-1"
TRANSCRIPTION = "openai/whisper-1"
TEXT = "Hello from Runcrate! Grüße aus der Ferne."


async def settled(value):
    """Give the result of a blocking call, or of an awaited one."""
    return await value if inspect.isawaitable(value) else value


@pytest.fixture(scope="module")
def emulator():
    with Emulator(requests_per_minute=100_000) as running:
        yield running
        assert running.crashes == []


@pytest.fixture(params=["sync", "async"])
async def client(request, emulator):
    make = openai.OpenAI if request.param == "sync" else openai.AsyncOpenAI
    client = make(api_key=emulator.api_key, base_url=emulator.inference_url)
    yield client
    await settled(client.close())


async def test_images_come_inline(client):
    answer = await settled(
        client.images.generate(
            model=IMAGES,
            prompt="A red fox",
            response_format="b64_json",
            extra_body={"width": 320, "height": 256, "seed": 1},
        )
    )
    (item,) = answer.data
    with Image.open(io.BytesIO(base64.b64decode(item.b64_json))) as image:
        assert (image.format, image.size) == ("WEBP", (320, 256))


async def test_images_come_as_links(client, emulator):
    answer = await settled(client.images.generate(model=IMAGES, prompt="A red fox"))
    assert answer.data[0].url.startswith(emulator.base_url)
    assert answer.created == pytest.approx(emulator.clock.now().timestamp(), abs=5)


async def test_speech_is_transcribed_to_the_words_spoken(client):
    speech = await settled(
        client.audio.speech.create(model=SPEECH, voice="alloy", input=TEXT, speed=1.5)
    )
    answer = await settled(
        client.audio.transcriptions.create(
            model=TRANSCRIPTION, file=("speech.mp3", speech.content), language="de"
        )
    )
    assert answer.text == TEXT


async def test_speech_can_be_streamed_to_a_file(client, tmp_path):
    path = tmp_path / "speech.pcm"
    arguments = {"model": SPEECH, "voice": "nova", "input": TEXT, "response_format": "pcm"}
    if isinstance(client, openai.OpenAI):
        with client.audio.speech.with_streaming_response.create(**arguments) as speech:
            speech.stream_to_file(path)
    else:
        async with client.audio.speech.with_streaming_response.create(**arguments) as speech:
            await speech.stream_to_file(path)
    assert path.stat().st_size / 2 / 24_000 == pytest.approx(len(TEXT) / 15, abs=0.1)


@pytest.mark.parametrize(
    ("response_format", "start"), [("srt", "1\n00:"), ("vtt", "WEBVTT\n\n00:")]
)
async def test_subtitles_come_as_text(client, response_format, start):
    speech = await settled(client.audio.speech.create(model=SPEECH, voice="onyx", input=TEXT))
    subtitles = await settled(
        client.audio.transcriptions.create(
            model=TRANSCRIPTION,
            file=("speech.mp3", speech.content),
            response_format=response_format,
        )
    )
    assert subtitles.startswith(start)
    assert "Grüße aus der Ferne." in subtitles


async def test_a_wrong_key_is_an_authentication_error(client):
    stranger = client.with_options(api_key="sk-not-a-runcrate-key", max_retries=0)
    with pytest.raises(openai.AuthenticationError) as raised:
        await settled(stranger.images.generate(model=IMAGES, prompt="A red fox"))
    assert raised.value.code == "invalid_api_key"


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda c: c.images.generate(model="no/model", prompt="x"), openai.NotFoundError),
        (
            lambda c: c.images.generate(model=IMAGES, prompt="x", extra_body={"width": 1}),
            openai.UnprocessableEntityError,
        ),
        (
            lambda c: c.audio.speech.create(model=SPEECH, voice="nobody", input="x"),
            openai.UnprocessableEntityError,
        ),
        (
            lambda c: c.audio.transcriptions.create(model=TRANSCRIPTION, file=("a.wav", b"x")),
            openai.BadRequestError,
        ),
    ],
    ids=["model", "width", "voice", "file"],
)
async def test_refusals_arrive_as_the_sdks_own_errors(client, call, error):
    with pytest.raises(error) as raised:
        await settled(call(client))
    assert raised.value.body["message"]
    assert raised.value.type == "invalid_request_error"


async def test_a_short_outage_is_bridged_by_the_sdks_retries(client, emulator):
    emulator.fail("POST /images/generations", status=503, times=1, headers={"Retry-After": "0"})
    answer = await settled(client.images.generate(model=IMAGES, prompt="A red fox"))
    assert answer.data[0].url
