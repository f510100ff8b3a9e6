"""Recordings: what a program names, what is made of them, and several at once."""

from __future__ import annotations

import asyncio
import os
import pickle
from pathlib import Path
from typing import Any

import pytest

import runcrate_core as rc
import runcrate_core.toolkit as rt
from runcrate_core.transcription import transcriber
from runcrate_core.transcription.audio_sources import AudioSource
from runcrate_core.transcription.transcriber import Transcriber
from tests.servers import Reply, ScriptedServer

WAV = b"RIFF\x24\x00\x00\x00WAVEfmt "
TRANSCRIBED = Reply(
    json={
        "text": "Hi. Bye.",
        "language": "en",
        "duration": 3.0,
        "segments": [
            {"start": 0, "end": 1, "text": "Hi."},
            {"start": 1, "end": 2, "text": " "},
            {"start": 2, "end": 3, "text": "Bye."},
        ],
    }
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.mp3", "a.WAV", "notes.txt", "in/c.ogg", "in/[d].mp3"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(WAV)
    return tmp_path


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("", ["a.WAV", "b.mp3", "in/[d].mp3", "in/c.ogg"]),
        ("*", ["a.WAV", "b.mp3"]),
        ("*.txt", ["notes.txt"]),
        ("**/*.mp3", ["b.mp3", "in/[d].mp3"]),
        ("*.m?3", ["b.mp3"]),
        ("in/[d].mp3", ["in/[d].mp3"]),
        ("none.mp3", ["none.mp3"]),
        ("none*.mp3", []),
        ("**", ["a.WAV", "b.mp3", "in/[d].mp3", "in/c.ogg"]),
        ("**/in/*", ["in/[d].mp3", "in/c.ogg"]),
        ("**/**/*.ogg", ["in/c.ogg"]),
        ("*/**/c.*", ["in/c.ogg"]),
        ("b**3", ["b.mp3"]),
    ],
)
def test_paths_folders_and_patterns(folder, pattern, names):
    named = str(folder / pattern) if pattern else folder
    found = list(rt.resolve_audio_sources(named))
    assert [recording.source for recording in found] == [str(folder / name) for name in names]
    assert [recording.media for recording in found] == [folder / name for name in names]


def test_patterns_without_a_folder_begin_here(folder, monkeypatch):
    monkeypatch.chdir(folder)
    for pattern, names in {
        "**/*.mp3": ["b.mp3", "in/[d].mp3"],
        "./**/*.ogg": ["./in/c.ogg"],
        "*/*.ogg": ["in/c.ogg"],
        ".": ["./a.WAV", "./b.mp3", "./in/[d].mp3", "./in/c.ogg"],
    }.items():
        assert [recording.source for recording in rt.resolve_audio_sources(pattern)] == names


@pytest.mark.parametrize("pattern", ["", "**/*.mp3", "**/*"])
def test_each_file_comes_once_however_many_links_lead_to_it(folder, pattern):
    (folder / "in" / "back").symlink_to(folder)
    (folder / "again").symlink_to(folder / "in")
    (folder / "z.mp3").symlink_to(folder / "b.mp3")
    (folder / "gone.mp3").symlink_to(folder / "nothing")
    (folder / ".hidden").mkdir()
    (folder / ".hidden" / "x.mp3").write_bytes(WAV)
    found = list(rt.resolve_audio_sources(str(folder / pattern) if pattern else folder))
    names = [Path(recording.source).name for recording in found]
    assert sorted(names) == sorted({"b.mp3", "[d].mp3", *names})
    assert not {"x.mp3", "z.mp3", "gone.mp3"} & set(names)
    assert len(names) == (2 if pattern == "**/*.mp3" else 4)


def test_a_name_that_is_no_text_can_be_stored_as_text(scripted, tmp_path):
    path = tmp_path / os.fsdecode(b"\xff.mp3")
    try:
        path.write_bytes(WAV)
    except OSError:
        pytest.skip("this file system takes no such names")
    [recording] = rt.resolve_audio_sources(tmp_path)
    _, both = scripted(TRANSCRIBED)
    [passage] = both("run", Transcriber().chunks(recording))
    assert passage.metadata["source"].encode() == f"{tmp_path}/\\udcff.mp3".encode()


@pytest.mark.parametrize(
    ("source", "error", "reported"),
    [
        ("http://host.test/call.mp3?signature=s3cret", ValueError, "`http://` URLs are not"),
        ("s3://bucket/call.mp3", ValueError, "only https"),
        ("", ValueError, "is empty"),
        (b"RIFF", TypeError, "`bytes` is not an audio source"),
        ([None], TypeError, "`NoneType` is not an audio source"),
    ],
)
def test_what_names_no_audio_is_refused(source, error, reported):
    with pytest.raises(error, match=reported) as caught:
        list(rt.resolve_audio_sources(source))
    assert "s3cret" not in str(caught.value)


def test_several_sources_and_what_is_known_of_them(folder):
    own = AudioSource.of_bytes(WAV, source="mine")
    sources = [own, folder / "b.mp3", [" https://host.test/x.mp3?token=s3cret#y "]]
    first, second, third = rt.resolve_audio_sources(sources, metadata={"topic": "x"})
    assert first is own
    assert second.metadata == third.metadata == {"topic": "x"}
    assert third.source == "https://host.test/x.mp3"
    assert third.media == third.identity == "https://host.test/x.mp3?token=s3cret#y"
    assert "s3cret" not in repr(third)
    assert pickle.loads(pickle.dumps(second)) == second  # noqa: S301 - made in this line


def test_bytes_are_known_by_what_they_hold():
    one, two = AudioSource.of_bytes(WAV), AudioSource.of_bytes(WAV + b"x")
    assert one.identity != two.identity
    assert one.source != two.source
    assert one == AudioSource.of_bytes(WAV)


def chunks(run: Any, url: str, recording: AudioSource, **options: Any) -> list[rt.TranscriptChunk]:
    plan = Transcriber(**options).chunks
    return list(run(lambda client: client.run(plan(recording)), url))


def test_passages_know_where_they_are_from(run):
    mine = {"topic": "greeting", "language": "en-GB"}
    recording = AudioSource.of_bytes(WAV, source="call", metadata=mine, filename="call.wav")
    with ScriptedServer(TRANSCRIBED) as server:
        first, second = chunks(run, server.url, recording, format="segments")
        assert b'filename="call.wav"' in server.received[0].body
    assert (first.text, second.text) == ("Hi.", "Bye.")
    assert second.metadata == {
        "source": "call",
        "model": "openai/whisper-1",
        "language": "en-GB",
        "duration": 3.0,
        "start": 2.0,
        "end": 3.0,
        "segment": 2,
        "topic": "greeting",
    }


def test_identifiers_depend_on_audio_format_and_number(run):
    recording = AudioSource.of_bytes(WAV)
    seen: set[str] = set()
    ways: list[dict[str, Any]] = [
        {"format": "text"},
        {"format": "segments"},
        {"format": "windows", "window_s": 2.0},
        {"format": "windows", "window_s": 1.0},
    ]
    with ScriptedServer(TRANSCRIBED) as server:
        for way in ways:
            once = [passage.id for passage in chunks(run, server.url, recording, **way)]
            again = [passage.id for passage in chunks(run, server.url, recording, **way)]
            assert once == again
            assert not seen & set(once)
            seen |= set(once)


def test_unknown_facts_are_left_out_and_silence_gives_nothing(run):
    with ScriptedServer(Reply(json={"text": "Hi."}), Reply(json={"text": " "})) as server:
        (bare,) = chunks(run, server.url, AudioSource.of_bytes(WAV, source="x"))
        assert chunks(run, server.url, AudioSource.of_bytes(WAV)) == []
    assert bare.metadata == {"source": "x", "model": "openai/whisper-1", "segment": 0}


def test_an_address_is_fetched_once_even_when_it_is_transcribed_twice(run):
    file = Reply(body=[WAV], length=len(WAV), headers={"content-type": "audio/wav"})
    text = Reply(json={"text": "Hi."})
    srt = b"1\n00:00:00,000 --> 00:00:01,000\nHi.\n"
    subtitles = Reply(body=[srt], length=len(srt), headers={"content-type": "text/plain"})
    with ScriptedServer(file, text, subtitles) as server:
        recording = AudioSource.of_url(f"{server.url}/x.wav?token=s3cret")
        (passage,) = chunks(run, server.url, recording, format="segments")
        assert [request.method for request in server.received] == ["GET", "POST", "POST"]
        assert "authorization" not in server.received[0].headers
    assert passage.metadata["end"] == 1.0
    assert "s3cret" not in str(passage)


def test_a_refused_address_is_a_bad_audio_file(run):
    with ScriptedServer(Reply(403, body=[b"s3cret"], length=6)) as server:
        recording = AudioSource.of_url(f"{server.url}/x.wav?token=s3cret")
        with pytest.raises(ValueError, match=r"x\.wav` was not transcribed.*403") as caught:
            chunks(run, server.url, recording)
    assert "s3cret" not in str(caught.value)
    assert not rt.is_account_error(caught.value)


def test_failures_name_the_audio_file_and_keep_their_class(run, tmp_path):
    refused = Reply(401, json={"error": {"message": "No."}})
    with ScriptedServer(refused) as server:
        with pytest.raises(rc.AuthenticationError, match="`call` was not transcribed") as caught:
            chunks(run, server.url, AudioSource.of_bytes(WAV, source="call"))
        assert rt.is_account_error(caught.value)
        assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)  # noqa: S301 - made in this line
        with pytest.raises(ValueError, match="`page` was not transcribed"):
            chunks(run, server.url, AudioSource.of_bytes(b"\x89PNG\r\n\x1a\n", source="page"))
        with pytest.raises(FileNotFoundError, match=r"none\.mp3"):
            chunks(run, server.url, AudioSource.of_path(tmp_path / "none.mp3"))


@pytest.mark.parametrize("split_s", [8.0, None])
def test_many_bytes_are_sent_in_parts_where_they_can_be(run, tmp_path, monkeypatch, split_s):
    content = WAV + bytes(200)
    monkeypatch.setattr(transcriber, "MAX_UPLOAD_BYTES", 100)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def in_two(recording, folder, piece_s):
        assert recording.read_bytes() == content
        (folder / "0.wav").write_bytes(WAV)
        return [(0.0, folder / "0.wav"), (piece_s, folder / "0.wav")]

    monkeypatch.setattr(transcriber, "split_audio", in_two)
    recording = AudioSource.of_bytes(content, filename="../call.wav")
    with ScriptedServer(TRANSCRIBED) as server:
        found = chunks(run, server.url, recording, split_s=split_s)
        assert server.sent == (1 if split_s is None else 2)
    assert found[0].text == ("Hi. Bye." if split_s is None else "Hi. Bye. Hi. Bye.")
    assert list(tmp_path.iterdir()) == []


def test_a_large_file_is_sent_whole_without_a_splitter(run, tmp_path, monkeypatch):
    monkeypatch.setattr(transcriber, "MAX_UPLOAD_BYTES", 10)
    monkeypatch.setattr(transcriber, "can_split", lambda: False)
    (tmp_path / "x.wav").write_bytes(WAV)
    with ScriptedServer(TRANSCRIBED) as server:
        chunks(run, server.url, AudioSource.of_path(tmp_path / "x.wav"))
        assert server.sent == 1


async def test_results_come_in_order_with_so_many_at_once():
    under_way, most = 0, 0

    async def work(number):
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.02 / (number + 1))
        under_way -= 1
        return number

    assert [number async for number in rt.map_ordered(work, range(7), max_concurrency=3)] == list(
        range(7)
    )
    assert most == 3


async def test_a_failure_has_its_turn_and_cancels_what_is_behind_it():
    cancelled: list[int] = []

    async def work(number):
        if number == 1:
            raise ValueError("one")
        try:
            await asyncio.sleep(0 if number == 0 else 30)
        except asyncio.CancelledError:
            cancelled.append(number)
            raise
        return number

    results = rt.map_ordered(work, range(9), max_concurrency=3)
    assert await anext(results) == 0
    with pytest.raises(ValueError, match="one"):
        await anext(results)
    assert cancelled == [2]  # and the next had not started


async def test_at_least_one_at_once():
    async def work(number):
        return number

    with pytest.raises(ValueError, match="max_concurrency"):
        await anext(rt.map_ordered(work, [1], max_concurrency=0))
