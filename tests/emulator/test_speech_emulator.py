"""POST /v1/audio/speech over HTTP."""

import io

import av
import httpx
import pytest

from runcrate_emulator.inference import model_catalogue
from tests.audio_files import wav

KOKORO = "hexgrad/Kokoro-82M"
HELLO = "Hello from Runcrate! How are you today?"


def say(media, **body) -> httpx.Response:
    return media.post("/audio/speech", json={"model": KOKORO, "input": HELLO, **body})


def transcribed(media, audio: bytes) -> str:
    form = {"model": "openai/whisper-1", "response_format": "text"}
    answer = media.post("/audio/transcriptions", data=form, files={"file": ("a.mp3", audio)})
    return answer.raise_for_status().text


def seconds(mp3: bytes) -> float:
    with av.open(io.BytesIO(mp3)) as container:
        assert container.streams.audio[0].codec_context.name.startswith("mp3")
        return sum(frame.samples / frame.sample_rate for frame in container.decode(audio=0))


@pytest.mark.parametrize("speed", [0.25, 0.5, 1, 2, 4])
def test_speech_is_mp3_of_a_speakers_length_divided_by_the_speed(media, speed):
    response = say(media, speed=speed)
    assert response.headers["content-type"] == "audio/mpeg"
    assert seconds(response.content) == pytest.approx(len(HELLO) / 15 / speed, abs=0.2)
    assert transcribed(media, response.content) == HELLO


def test_pcm_is_bare_samples_of_the_same_length(media):
    response = say(media, response_format="pcm")
    assert response.headers["content-type"] == "audio/pcm"
    assert len(response.content) / 2 / 24_000 == pytest.approx(len(HELLO) / 15, abs=0.1)
    assert transcribed(media, wav(response.content)) == HELLO


@pytest.mark.parametrize("model", [KOKORO, "openai/tts-1"])
def test_every_voice_says_the_words_in_its_own_way(media, model):
    voices = model_catalogue.find(model).voices
    sounds = [say(media, model=model, voice=voice).content for voice in voices]
    assert len(set(sounds)) == len(voices) >= 5
    assert {transcribed(media, sound) for sound in sounds} == {HELLO}


def test_speech_that_a_browser_can_play_is_shown_on_the_page(media, media_emulator):
    mp3 = say(media).content
    say(media, response_format="pcm")
    (newest,) = media_emulator.world.media.newest(1)
    assert (newest.kind, newest.data) == ("speech", mp3)


def test_other_parameters_pass_without_effect(media):
    assert say(media, language="en", instructions="whisper").content == say(media).content


def test_the_longest_input_is_said(media):
    text = ("Sixteen letters. " * 300)[:4096]
    assert transcribed(media, say(media, input=text, speed=4).content) == text.strip()
