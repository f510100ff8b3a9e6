"""POST /v1/audio/speech over HTTP."""

import io
import json
from decimal import Decimal

import av
import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runcrate_emulator import Emulator
from runcrate_emulator.inference import model_catalogue

KOKORO = "hexgrad/Kokoro-82M"
HELLO = "Hello from Runcrate! How are you today?"


@pytest.fixture(scope="module")
def emulator():
    with Emulator(requests_per_minute=100_000) as running:
        yield running
        assert running.crashes == []


@pytest.fixture(scope="module")
def client(emulator):
    headers = {"Authorization": f"Bearer {emulator.api_key}"}
    with httpx.Client(base_url=emulator.inference_url, headers=headers, timeout=30) as running:
        yield running


def say(client, **body) -> httpx.Response:
    return client.post("/audio/speech", json={"model": KOKORO, "input": HELLO, **body})


def transcribed(client, audio: bytes) -> str:
    form = {"model": "openai/whisper-1", "response_format": "text"}
    answer = client.post("/audio/transcriptions", data=form, files={"file": ("a.mp3", audio)})
    return answer.raise_for_status().text


def seconds(mp3: bytes) -> float:
    with av.open(io.BytesIO(mp3)) as container:
        assert container.streams.audio[0].codec_context.name.startswith("mp3")
        return sum(frame.samples / frame.sample_rate for frame in container.decode(audio=0))


def refusal(response: httpx.Response) -> tuple[int, str | None]:
    return response.status_code, response.json()["error"].get("details", {}).get("field")


def test_speech_is_mp3_of_a_speakers_length(client):
    response = say(client)
    assert response.headers["content-type"] == "audio/mpeg"
    assert seconds(response.content) == pytest.approx(len(HELLO) / 15, abs=0.15)


def test_pcm_is_bare_samples_of_the_same_length(client):
    response = say(client, response_format="pcm")
    assert response.headers["content-type"] == "audio/pcm"
    assert len(response.content) / 2 / 24_000 == pytest.approx(len(HELLO) / 15, abs=0.1)


@pytest.mark.parametrize(("speed", "tolerance_s"), [(0.25, 0.15), (0.5, 0.15), (2, 0.15), (4, 0.2)])
def test_speed_divides_the_length(client, speed, tolerance_s):
    mp3 = say(client, speed=speed).content
    assert seconds(mp3) == pytest.approx(len(HELLO) / 15 / speed, abs=tolerance_s)
    assert transcribed(client, mp3) == HELLO


@pytest.mark.parametrize("model", [KOKORO, "openai/tts-1"])
def test_every_voice_says_the_words_in_its_own_way(client, model):
    voices = model_catalogue.find(model).voices
    sounds = [say(client, model=model, voice=voice).content for voice in voices]
    assert len(set(sounds)) == len(voices) >= 5
    assert {transcribed(client, sound) for sound in sounds} == {HELLO}


def test_speech_that_a_browser_can_play_is_shown_on_the_page(client, emulator):
    mp3 = say(client).content
    say(client, response_format="pcm")
    (newest,) = emulator.world.media.newest(1)
    assert (newest.kind, newest.data) == ("speech", mp3)


def test_the_first_voice_is_the_default(client):
    assert say(client).content == say(client, voice="af_heart").content


def test_speech_is_charged_by_the_character(client, emulator):
    before = emulator.world.ledger.balance
    say(client, input="x" * 1000)
    assert before - emulator.world.ledger.balance == Decimal("0.001")


def test_other_parameters_pass_without_effect(client):
    assert say(client, language="en", instructions="whisper").content == say(client).content


def test_the_longest_input_is_said(client):
    text = ("Sixteen letters. " * 300)[:4096]
    assert transcribed(client, say(client, input=text).content) == text.strip()


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"input": None}, 400, "input"),
        ({"input": ["a"]}, 400, "input"),
        ({"input": " \n"}, 422, "input"),
        ({"input": "x" * 4097}, 422, "input"),
        ({"voice": "alloy"}, 422, "voice"),
        ({"voice": 3}, 400, "voice"),
        ({"response_format": "wav"}, 422, "response_format"),
        ({"speed": 0.2}, 422, "speed"),
        ({"speed": 4.1}, 422, "speed"),
        ({"speed": "fast"}, 400, "speed"),
        ({"model": "openai/whisper-1"}, 422, "model"),
        ({"model": None}, 400, "model"),
    ],
)
def test_what_is_wrong_is_refused_and_named(client, emulator, body, status, field):
    before = emulator.world.ledger.balance
    assert refusal(say(client, **body)) == (status, field)
    assert emulator.world.ledger.balance == before


def test_the_refusal_of_a_voice_names_the_voices(client):
    message = say(client, voice="alloy").json()["error"]["message"]
    assert "af_heart" in message
    assert "bm_george" in message


@settings(max_examples=40, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["input", "voice", "response_format", "speed", "language"]),
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text(max_size=40)
        | st.just([]),
        max_size=3,
    )
)
def test_no_body_makes_the_emulator_fail(emulator, client, body):
    response = client.post(
        "/audio/speech", content=json.dumps({"model": KOKORO, "input": HELLO, **body})
    )
    assert response.status_code < 500
