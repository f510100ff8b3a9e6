"""Speech and transcriptions: requests, and responses in either form."""

from __future__ import annotations

import base64
import io
import os
import pickle
import tempfile
import wave
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest
from starlette.datastructures import Headers
from starlette.formparsers import MultiPartParser

import runcrate_core as rc
from runcrate_core.api.notebook import player_bundle
from tests.core.both_clients import awaited
from tests.servers import Received, Reply, ScriptedServer

KOKORO = "hexgrad/Kokoro-82M"
MP3 = b"ID3\x04" + bytes(50)


def silence() -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(800))
    return file.getvalue()


WAV = silence()
TEXT_REPLY = Reply(json={"text": "hello"})


async def form_of(request: Received) -> dict[str, Any]:
    """Read a form as the server's framework does."""

    async def stream() -> AsyncIterator[bytes]:
        yield request.body

    form = await MultiPartParser(Headers(request.headers), stream()).parse()
    read: dict[str, Any] = {}
    for name, value in form.multi_items():
        if isinstance(value, str):
            read.setdefault(name, []).append(value)
        else:
            read[name] = (value.filename, value.content_type, await value.read())
    await form.close()
    return read


def test_text_is_spoken_and_saved(run, cloud, tmp_path):
    async def use(client):
        options = {"model": KOKORO, "voice": "af_heart", "speed": 1.5}
        made = await awaited(client.audio.speech.create("Hello from Runcrate!", **options))
        path = tmp_path / "speech"
        return made, (await made.asave(path) if run.is_async else made.save(path))

    speech, path = run(use, cloud.base_url)
    assert path == tmp_path / "speech.mp3"
    assert path.read_bytes() == speech.content == speech.to_bytes()
    assert speech.content_type == "audio/mpeg"
    assert speech.response.status == 200
    bundle = speech._repr_mimebundle_(include=None, exclude=None)
    assert bundle["text/html"].startswith('<audio controls preload="metadata" src="data:audio/mpeg')
    assert len(repr(speech)) < 100
    assert pickle.loads(pickle.dumps(speech)) == speech  # noqa: S301 - our own bytes


def test_bare_samples_are_saved_and_not_played(run, cloud, tmp_path):
    speech = run(
        lambda client: client.audio.speech.create("Hi", model=KOKORO, response_format="pcm"),
        cloud.base_url,
    )
    assert speech.content_type == "audio/pcm"
    assert speech.save(tmp_path / "a").name == "a.pcm"
    assert speech.save(tmp_path / "b.raw").name == "b.raw"
    assert speech._repr_mimebundle_() == {"text/plain": repr(speech)}


def test_given_arguments_of_speech_are_sent(scripted):
    reply = Reply(body=[MP3], length=len(MP3), headers={"content-type": "application/octet-stream"})
    server, both = scripted(reply)
    speech = both(
        "audio.speech.create",
        input="Hello!",
        model="m",
        voice="v",
        response_format="mp3",
        speed=1.5,
        language="en",
        extra_headers={"x-trace": "1"},
    )
    (request,) = server.received
    assert request.json == {
        "model": "m",
        "input": "Hello!",
        "voice": "v",
        "response_format": "mp3",
        "speed": 1.5,
        "language": "en",
    }
    assert request.headers["x-trace"] == "1"
    assert (speech.content, speech.content_type) == (MP3, "audio/mpeg")


@pytest.mark.parametrize(
    ("method", "given"),
    [
        ("audio.speech.create", "x"),
        ("audio.transcriptions.create", WAV),
        ("images.generate", "x"),
    ],
)
@pytest.mark.parametrize("lost", [Reply(end="no response"), Reply(500), Reply(502)])
def test_nothing_is_paid_for_twice(scripted, lost, method, given):
    server, both = scripted(lost)
    with pytest.raises(rc.RuncrateError, match="may have been received and charged"):
        both(method, given, model="m")
    assert server.sent == 1


PLAIN = {"content-type": "text/plain; charset=utf-8"}
JSON = {"content-type": "application/json"}


@pytest.mark.parametrize(
    ("headers", "body", "text"),
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
        ({"content-type": "text/vtt"}, b"WEBVTT\n", "WEBVTT\n"),
        ({"content-type": "application/x-subrip"}, b"1\n", "1\n"),
        (PLAIN, "größer".encode(), "größer"),
        (PLAIN, b"broken \xff", "broken \ufffd"),
    ],
)
def test_a_response_is_read_as_json_or_text(scripted, headers, body, text):
    _, both = scripted(Reply(body=[body], length=len(body), headers=headers))
    result = both("audio.transcriptions.create", WAV, model="m")
    assert result.text == text
    assert str(result) == text


async def test_the_form_holds_what_was_given(tmp_path):
    path = tmp_path / "talk.wav"
    path.write_bytes(WAV)
    with ScriptedServer(TEXT_REPLY) as server:
        async with rc.AsyncRuncrate(
            "rc_live_test", base_url=server.url, inference_url=server.url
        ) as client:
            for file, filename in (
                (path, None),
                (WAV, None),
                (io.BytesIO(MP3), None),
                (f"data:audio/mpeg;base64,{base64.b64encode(MP3).decode()}", None),
                (path, "x.y"),
            ):
                await client.audio.transcriptions.create(
                    file,
                    model="m",
                    language="de",
                    response_format="json",
                    filename=filename,
                    temperature=0.5,
                    timestamp_granularities=["word", "segment"],
                    diarize=True,
                    extra_headers={"x-trace": "1"},
                )
        forms = [await form_of(request) for request in server.received]
        request = server.received[0]
    assert forms[0] == {
        "model": ["m"],
        "language": ["de"],
        "response_format": ["json"],
        "temperature": ["0.5"],
        "timestamp_granularities": ["word", "segment"],
        "diarize": ["true"],
        "file": ("talk.wav", "audio/wav", WAV),
    }
    assert [form["file"][:2] for form in forms[1:]] == [
        ("audio.wav", "audio/wav"),
        ("audio.mp3", "audio/mpeg"),
        ("audio.mp3", "audio/mpeg"),
        ("x.y", "audio/wav"),
    ]
    assert request.headers["content-length"] == str(len(request.body))
    assert "transfer-encoding" not in request.headers
    assert request.headers["x-trace"] == "1"


def test_the_same_audio_gives_the_same_bytes(run, tmp_path):
    path = tmp_path / "talk.wav"
    path.write_bytes(WAV)
    busy = Reply(429, {"error": {"message": "slow"}})
    with ScriptedServer(busy, TEXT_REPLY) as server:
        for file in (path, path.read_bytes()):
            run(
                lambda client, file=file: client.audio.transcriptions.create(
                    file, model="m", filename="talk.wav"
                ),
                server.url,
            )
        first, again, other = server.received
    assert first.body == again.body == other.body
    assert first.headers["content-type"] == other.headers["content-type"]


def test_a_url_is_downloaded_first_and_cleaned_up(scripted, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    sound = Reply(body=[MP3], length=len(MP3), headers={"content-type": "audio/mpeg"})
    server, both = scripted(sound, TEXT_REPLY)
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
    server, both = scripted(TEXT_REPLY)
    both(
        "audio.transcriptions.create",
        given(sound),
        model="m",
        on_progress=lambda done, total: progress.append((done, total)),
    )
    assert sound in server.received[0].body
    assert len(progress) == 3
    assert progress[-1] == (len(sound), len(sound))
    assert progress == sorted(progress)


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


def test_progress_of_sending_is_not_for_a_coroutine(scripted):
    async def on_progress(done, total): ...

    server, both = scripted(TEXT_REPLY)
    with pytest.raises(TypeError, match="must be an ordinary function"):
        both("audio.transcriptions.create", WAV, model="m", on_progress=on_progress)
    assert server.sent == 0


def test_audio_in_a_video_container_is_sent(scripted):
    server, both = scripted(TEXT_REPLY)
    mp4 = b"\x00\x00\x00\x20ftypisom" + bytes(40)
    both("audio.transcriptions.create", mp4, model="m")
    assert b'filename="audio.mp4"' in server.received[0].body


def test_players_are_for_what_browsers_play():
    assert "<video" in player_bundle(b"x", "video/webm", "p")["text/html"]
    assert player_bundle(b"x", "text/html", "p") == {"text/plain": "p"}
