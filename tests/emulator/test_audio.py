"""Speech and transcriptions: containers, lengths, words with their times, and what is refused."""

import io

import av
import httpx
import pytest

from runcrate_emulator.inference import transcriptions
from runcrate_emulator.media.transcript import Segment, as_srt, as_vtt
from tests.audio_files import silence, spoken, wav
from tests.emulator.conftest import refused_field

KOKORO, WHISPER = "hexgrad/Kokoro-82M", "openai/whisper-large-v3"
TEXT = "Hello from Runcrate! Grüße, 世界. The end"
SUFFIXES = (".mp3", ".wav", ".flac", ".m4a", ".mp4", ".ogg", ".webm")


def say(inference, **body) -> httpx.Response:
    answer = inference.post("/audio/speech", json={"model": KOKORO, "input": TEXT, **body})
    return answer.raise_for_status()


def transcribe(inference, data: bytes, **form) -> httpx.Response:
    form = {"model": WHISPER, **form}
    return inference.post("/audio/transcriptions", data=form, files={"file": ("a.wav", data)})


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_words_come_back_with_their_times_out_of_every_container(inference, suffix):
    body = transcribe(inference, spoken(TEXT, suffix)).json()
    assert (body["text"], body["language"]) == (TEXT, "en")
    assert body["duration"] == pytest.approx(len(TEXT) / 15, abs=0.1)
    _, second, _ = body["segments"]
    assert second["text"] == "Grüße, 世界."
    assert second["start"] == pytest.approx(len("Hello from Runcrate! ") / 15, abs=0.1)


@pytest.mark.parametrize("speed", [0.25, 4])
def test_speech_is_mp3_of_a_speakers_length_divided_by_the_speed(inference, speed):
    speech = say(inference, speed=speed)
    assert speech.headers["content-type"] == "audio/mpeg"
    assert speech.content.startswith(b"ID3")
    duration = transcribe(inference, speech.content).json()["duration"]
    assert duration == pytest.approx(len(TEXT) / 15 / speed, abs=0.2)


def test_bare_samples_are_recognized_and_only_what_a_browser_plays_is_on_the_page(
    emulator, inference
):
    mp3 = say(inference).content
    pcm = say(inference, response_format="pcm")
    assert pcm.headers["content-type"] == "audio/pcm"
    assert transcribe(inference, wav(pcm.content), response_format="text").text == TEXT
    assert say(inference, response_format="pcm", voice="bm_george").content != pcm.content
    (newest,) = emulator.world.media.newest(1)
    assert (newest.kind, newest.data) == ("speech", mp3)


def test_other_audio_gets_a_fixed_transcript_of_its_length(inference):
    hum = bytes(range(0, 200, 2)) * 960  # a saw tooth; two seconds
    body = transcribe(inference, wav(hum)).json()
    assert body["text"] == "[2.0 s of audio that the emulator did not speak]"
    assert [(one["start"], one["end"]) for one in body["segments"]] == [(0, 2)]


def test_speech_that_was_cut_gives_the_words_up_to_the_cut(inference):
    mp3 = spoken(TEXT)
    text = transcribe(inference, mp3[: len(mp3) // 2]).json()["text"]
    assert text != TEXT
    assert TEXT.startswith(text)
    assert text.startswith("Hello")


def test_silence_is_an_empty_text(inference):
    body = transcribe(inference, silence()).json()
    assert body == {"text": "", "language": "en", "duration": 1.0, "segments": []}
    texts = [transcribe(inference, silence(), response_format=form).text for form in ("srt", "vtt")]
    assert texts == ["", "WEBVTT\n"]


def video_without_audio() -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        container.mux(stream.encode(av.VideoFrame(64, 64, "yuv420p")))
        container.mux(stream.encode(None))
    return file.getvalue()


SOUNDLESS = {
    "empty": b"",
    "text": b"no sound at all",
    "head alone": b"RIFF\x00\x00\x00\x00WAVE",
    "a playlist, which is not followed": b"#EXTM3U\n#EXTINF:1,\nfile:///etc/hostname\n",
    "video": video_without_audio(),
}


@pytest.mark.parametrize("data", SOUNDLESS.values(), ids=SOUNDLESS)
def test_a_file_without_sound_is_refused_and_not_paid(emulator, inference, data):
    before = emulator.world.ledger.balance
    assert refused_field(transcribe(inference, data)) == (400, "file")
    assert emulator.world.ledger.balance == before


def test_a_file_that_is_too_large_or_too_long_is_refused(inference, monkeypatch):
    monkeypatch.setattr(transcriptions, "MAX_AUDIO_S", 5)
    assert transcribe(inference, wav(bytes(2 * 8_000 * 5), rate=8_000)).status_code == 200
    too_long = transcribe(inference, wav(bytes(2 * 8_000 * 6), rate=8_000))
    assert refused_field(too_long) == (413, "file")
    monkeypatch.setattr(transcriptions, "MAX_FILE_BYTES", 10_000)
    assert refused_field(transcribe(inference, wav(bytes(20_000)))) == (413, "file")


FORM = "multipart/form-data"
NO_FILE = b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\na string\r\n--x--'


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b'{"model": "openai/whisper-1"}'),
        (FORM, b"--x\r\n"),
        (f"{FORM}; boundary=x", b"--y\r\nrubbish"),
        (f"{FORM}; boundary=x", NO_FILE),
        (f"{FORM}; boundary=x", NO_FILE.replace(b"file", b"\xff")),
        (f"{FORM}; boundary=x", b"--x\r\nContent-Disposition: form-data\r\n\r\n"),
        (f"{FORM}; boundary=x; charset=nonsense", b'--x\r\nrubbish: "'),
        (f"{FORM}; boundary=" + "x" * 500, b""),
        ("", b"anything"),
    ],
)
def test_what_is_no_form_is_refused(inference, content_type, body):
    headers = {"Content-Type": content_type}
    answer = inference.post("/audio/transcriptions", content=body, headers=headers)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"]


def test_subtitles_have_the_stamps_and_escapes_of_their_form():
    cues = [Segment("One & <two>.", 0.0, 1.2345), Segment("Three.", 3599.9996, 3725.5)]
    assert as_srt(cues) == (
        "1\n00:00:00,000 --> 00:00:01,234\nOne & <two>.\n\n"
        "2\n01:00:00,000 --> 01:02:05,500\nThree.\n"
    )
    assert as_vtt(cues) == (
        "WEBVTT\n\n"
        "00:00:00.000 --> 00:00:01.234\nOne &amp; &lt;two&gt;.\n\n"
        "01:00:00.000 --> 01:02:05.500\nThree.\n"
    )
