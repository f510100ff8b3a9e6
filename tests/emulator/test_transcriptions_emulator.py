"""POST /v1/audio/transcriptions over HTTP."""

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runcrate_emulator.inference import transcriptions
from tests.audio_files import silence, wav
from tests.emulator.conftest import refused_field

WHISPER = "openai/whisper-large-v3"
TEXT = "Hello from Runcrate! Grüße, 世界. The end"


@pytest.fixture(scope="module")
def mp3(media) -> bytes:
    body = {"model": "hexgrad/Kokoro-82M", "input": TEXT}
    return media.post("/audio/speech", json=body).raise_for_status().content


def transcribe(media, data: bytes, filename: str = "audio.wav", **form) -> httpx.Response:
    return media.post(
        "/audio/transcriptions", data={"model": WHISPER, **form}, files={"file": (filename, data)}
    )


def test_the_words_spoken_come_back_with_their_times(media, mp3):
    body = transcribe(media, mp3, "speech.mp3").raise_for_status().json()
    assert body["text"] == TEXT
    assert body["language"] == "en"
    assert body["duration"] == pytest.approx(len(TEXT) / 15, abs=0.2)
    assert [segment["text"] for segment in body["segments"]] == [
        "Hello from Runcrate!",
        "Grüße, 世界.",
        "The end",
    ]
    times = [time for segment in body["segments"] for time in (segment["start"], segment["end"])]
    assert times == sorted(times)
    assert body["segments"][1]["start"] == pytest.approx(len("Hello from Runcrate! ") / 15, abs=0.1)


@pytest.mark.parametrize(
    ("form", "start", "cues"),
    [("text", TEXT, 0), ("srt", "1\n00:00:00,0", 3), ("vtt", "WEBVTT\n\n00:00:00.0", 3)],
)
def test_text_and_subtitles_are_plain_text(media, mp3, form, start, cues):
    response = transcribe(media, mp3, response_format=form)
    assert response.headers["content-type"] == "text/plain; charset=utf-8"
    assert response.text.startswith(start)
    assert response.text.count("-->") == cues


def test_other_audio_gets_a_fixed_transcript_of_its_length(media):
    hum = bytes(range(0, 200, 2)) * 960  # a saw tooth; two seconds
    fixed = "[2.0 s of audio that the emulator did not speak]"
    body = transcribe(media, wav(hum)).json()
    assert body["text"] == fixed
    assert [(one["start"], one["end"]) for one in body["segments"]] == [(0, 2)]


def test_speech_that_was_cut_gives_the_words_up_to_the_cut(media, mp3):
    first, *_ = TEXT.split(" ")
    text = transcribe(media, mp3[: len(mp3) // 2], "part.mp3").json()["text"]
    assert TEXT.startswith(text)
    assert first in text
    assert text != TEXT


def test_silence_is_an_empty_text(media):
    body = transcribe(media, silence()).json()
    assert body == {"text": "", "language": "en", "duration": 1.0, "segments": []}
    texts = [transcribe(media, silence(), response_format=form).text for form in ("srt", "vtt")]
    assert texts == ["", "WEBVTT\n"]


@pytest.mark.parametrize(
    ("form", "status", "field"),
    [
        ({"model": ""}, 400, "model"),
        ({"model": "nobody/nothing"}, 404, "model"),
        ({"model": "openai/tts-1"}, 422, "model"),
        ({"language": "english"}, 422, "language"),
        ({"response_format": "verbose_json"}, 422, "response_format"),
    ],
)
def test_what_is_wrong_is_refused_and_named(media, mp3, form, status, field):
    assert refused_field(transcribe(media, mp3, **form)) == (status, field)


PLAYLIST = b"#EXTM3U\n#EXTINF:1,\nfile:///etc/hostname\n"  # which is not followed


@pytest.mark.parametrize(
    "data", [b"", b"no sound at all", b"RIFF\x00\x00\x00\x00WAVE", b"ID3", PLAYLIST]
)
def test_a_file_without_sound_is_refused(media, media_emulator, data):
    before = media_emulator.world.ledger.balance
    assert refused_field(transcribe(media, data)) == (400, "file")
    assert media_emulator.world.ledger.balance == before


def test_a_file_that_is_too_large_or_too_long_is_refused(media, monkeypatch):
    monkeypatch.setattr(transcriptions, "MAX_AUDIO_S", 5)
    assert transcribe(media, wav(bytes(2 * 8_000 * 5), rate=8_000)).status_code == 200
    assert refused_field(transcribe(media, wav(bytes(2 * 8_000 * 6), rate=8_000))) == (413, "file")
    monkeypatch.setattr(transcriptions, "MAX_FILE_BYTES", 10_000)
    assert refused_field(transcribe(media, wav(bytes(20_000)))) == (413, "file")


def test_a_request_without_a_file_is_refused(media):
    response = media.post(
        "/audio/transcriptions", files={"model": (None, WHISPER), "file": (None, "a string")}
    )
    assert refused_field(response) == (400, "file")


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b'{"model": "openai/whisper-1"}'),
        ("multipart/form-data", b"--x\r\n"),
        ("multipart/form-data; boundary=x", b"--y\r\nrubbish"),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data\r\n\r\n"),
        ("multipart/form-data; boundary=x; charset=nonsense", b'--x\r\nrubbish: "'),
        ("multipart/form-data; boundary=" + "x" * 500, b""),
        ("text/plain", b""),
        ("", b"anything"),
    ],
)
def test_what_is_no_form_is_refused(media, content_type, body):
    headers = {"Content-Type": content_type}
    response = media.post("/audio/transcriptions", content=body, headers=headers)
    assert response.status_code == 400, response.text
    assert response.json()["error"]["message"]


PARTS = st.tuples(
    st.sampled_from(["file", "model", "language", "response_format", "\xff", ""]),
    st.binary(max_size=60) | st.sampled_from([WHISPER.encode(), b"ID3", b"en", b"json"]),
    st.booleans(),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(PARTS, max_size=5), st.binary(max_size=20))
def test_no_form_makes_the_emulator_fail(media_emulator, media, parts, rubbish):
    body = b""
    for name, value, is_file in parts:
        head = f'Content-Disposition: form-data; name="{name}"' + '; filename="f"' * is_file
        body += b"--x\r\n" + head.encode("latin-1") + b"\r\n\r\n" + value + b"\r\n"
    response = media.post(
        "/audio/transcriptions",
        content=body + b"--x--\r\n" + rubbish,
        headers={"Content-Type": "multipart/form-data; boundary=x"},
    )
    assert 400 <= response.status_code < 500
