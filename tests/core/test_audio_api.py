"""Speech and transcriptions: requests, and responses in either form."""

from __future__ import annotations

import base64
import io
import os
import pickle
import tempfile
from functools import partial

import pytest

import runcrate_core as rc
from tests.servers import Reply, raw_reply

KOKORO = "hexgrad/Kokoro-82M"
MP3 = b"ID3\x04" + bytes(50)
WAV = b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(40)
MP4 = b"\x00\x00\x00\x20ftypisom" + bytes(40)
TEXT_REPLY = Reply(json={"text": "hello"})


@pytest.mark.parametrize("wanted", ["mp3", "pcm"])
def test_text_is_spoken_and_saved(both, cloud, tmp_path, wanted):
    options = {"model": KOKORO, "voice": "af_heart", "speed": 1.5, "response_format": wanted}
    speech = both("audio.speech.create", "Hello from Runcrate!", **options)
    path = both.use(lambda _: (speech.asave if both.is_async else speech.save)(tmp_path / "speech"))
    assert path == tmp_path / f"speech.{wanted}"
    assert path.read_bytes() == speech.content == speech.to_bytes()
    assert speech.save(tmp_path / "named.raw").name == "named.raw"
    assert speech.response.status == 200
    assert len(repr(speech)) < 100
    assert pickle.loads(pickle.dumps(speech)) == speech  # noqa: S301 - our own bytes
    bundle = speech._repr_mimebundle_(include=None, exclude=None)
    if wanted == "pcm":  # which browsers do not play
        assert (speech.content_type, bundle) == ("audio/pcm", {"text/plain": repr(speech)})
    else:
        assert speech.content_type == "audio/mpeg"
        shown = '<audio controls preload="metadata" src="data:audio/mpeg'
        assert bundle["text/html"].startswith(shown)


def test_given_arguments_of_speech_are_sent(scripted):
    server, both = scripted(raw_reply(MP3, "application/octet-stream"))
    given = {"input": "Hello!", "model": "m", "voice": "v", "response_format": "mp3", "speed": 1.5}
    given["language"] = "en"
    speech = both("audio.speech.create", **given, extra_headers={"x-trace": "1"})
    (request,) = server.received
    assert request.json == given
    assert request.headers["x-trace"] == "1"
    assert (speech.content, speech.content_type) == (MP3, "audio/mpeg")


@pytest.mark.parametrize(
    ("method", "given"),
    [("audio.speech.create", "x"), ("audio.transcriptions.create", WAV), ("images.generate", "x")],
)
@pytest.mark.parametrize("lost", [Reply(end="no response"), Reply(500), Reply(502)])
def test_nothing_is_paid_for_twice(failure, lost, method, given):
    charged = "may have been received and charged"
    failure(rc.RuncrateError, lost, call=lambda both: both(method, given, model="m"), match=charged)


PLAIN, JSON = "text/plain; charset=utf-8", "application/json"


@pytest.mark.parametrize(
    ("kind", "body", "text"),
    [
        (JSON, b'{"text": "hi", "duration": 1.5}', "hi"),
        (JSON, b'"hi"', "hi"),
        (PLAIN, b'{"text": "hi"}', "hi"),
        (PLAIN, b"hi there\n", "hi there\n"),
        (PLAIN, b"42", "42"),
        (PLAIN, b'"quoted"', '"quoted"'),
        (PLAIN, b"{curly} words", "{curly} words"),
        (PLAIN, b'{"not": "ours"}', '{"not": "ours"}'),
        (PLAIN, b"", ""),
        ("text/vtt", b"WEBVTT\n", "WEBVTT\n"),
        ("application/x-subrip", b"1\n", "1\n"),
        (PLAIN, "größer".encode(), "größer"),
        (PLAIN, b"broken \xff", "broken \ufffd"),
    ],
)
def test_a_response_is_read_as_json_or_text(scripted, kind, body, text):
    _, both = scripted(raw_reply(body, kind))
    result = both("audio.transcriptions.create", WAV, model="m")
    assert result.text == text
    assert str(result) == text


def test_the_form_holds_what_was_given(scripted, tmp_path):
    path = tmp_path / "talk.wav"
    path.write_bytes(WAV)
    server, both = scripted(TEXT_REPLY)
    call = partial(both, "audio.transcriptions.create", model="m")
    given = {"language": "de", "response_format": "json", "temperature": 0.5, "diarize": True}
    given |= {"timestamp_granularities": ["word", "segment"], "extra_headers": {"x-trace": "1"}}
    call(path, **given)
    data_uri = f"data:audio/mpeg;base64,{base64.b64encode(MP3).decode()}"
    for file in (WAV, io.BytesIO(MP3), data_uri, MP4):
        call(file)
    call(path, filename="x.y")
    request = server.received[0]
    assert request.form == [
        ("model", None, None, b"m"),
        ("language", None, None, b"de"),
        ("response_format", None, None, b"json"),
        ("temperature", None, None, b"0.5"),
        ("diarize", None, None, b"true"),
        ("timestamp_granularities", None, None, b"word"),
        ("timestamp_granularities", None, None, b"segment"),
        ("file", "talk.wav", "audio/wav", WAV),
    ]
    assert [request.form[-1][1:3] for request in server.received[1:]] == [
        ("audio.wav", "audio/wav"),
        ("audio.mp3", "audio/mpeg"),
        ("audio.mp3", "audio/mpeg"),
        ("audio.mp4", "video/mp4"),
        ("x.y", "audio/wav"),
    ]
    assert request.headers["content-length"] == str(len(request.body))
    assert "transfer-encoding" not in request.headers
    assert request.headers["x-trace"] == "1"


def test_the_same_audio_gives_the_same_bytes(scripted, tmp_path):
    path = tmp_path / "talk.wav"
    path.write_bytes(WAV)
    server, both = scripted(Reply(429, {"error": {"message": "slow"}}), TEXT_REPLY)
    for file in (path, WAV):
        both("audio.transcriptions.create", file, model="m", filename="talk.wav")
    assert server.sent == 3
    assert len({request.body for request in server.received}) == 1
    assert len({request.headers["content-type"] for request in server.received}) == 1


def test_a_url_is_downloaded_first_and_cleaned_up(scripted, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    server, both = scripted(raw_reply(MP3, "audio/mpeg"), TEXT_REPLY)
    url = f"{server.url}/talk?signature=s"
    result = both("audio.transcriptions.create", url, model="m")
    assert result.text == "hello"
    fetched, sent = server.received
    assert "authorization" not in fetched.headers
    assert b'filename="audio.mp3"' in sent.body
    assert MP3 in sent.body
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("given", [bytes, io.BytesIO])
def test_progress_of_sending_is_reported(scripted, given):
    progress: list[tuple[int, int | None]] = []
    sound = WAV + bytes(600_000)
    server, both = scripted(Reply(429, {}), TEXT_REPLY)
    watch = {"on_progress": lambda *state: progress.append(state)}
    both("audio.transcriptions.create", given(sound), model="m", **watch)
    assert all(sound in request.body for request in server.received)
    assert len(progress) == 3 * server.sent == 6
    assert progress[:3] == progress[3:] == sorted(progress[3:])
    assert progress[-1] == (len(sound), len(sound))


@pytest.mark.parametrize("length", [900_000, 270_000])
def test_a_file_that_changes_while_it_is_sent(scripted, tmp_path, length):
    """A recording that goes on is sent as it was at first; one that is cut is not sent."""
    path = tmp_path / "call.wav"
    path.write_bytes(WAV + bytes(700_000))
    size = path.stat().st_size

    def change(done: int, total: int | None) -> None:
        assert total == size
        os.truncate(path, length)

    server, both = scripted(TEXT_REPLY)
    call = partial(both, "audio.transcriptions.create", path, model="m", on_progress=change)
    if length > size:
        assert call().text == "hello"
        assert len(server.received[0].body) < size + 1000
    else:
        with pytest.raises(OSError, match="became shorter while it was sent"):
            call()
