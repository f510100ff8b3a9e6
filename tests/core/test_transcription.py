"""Recordings: what a program names, what is made of them, and several at once."""

from __future__ import annotations

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
from tests.servers import Reply, raw_reply

WAV = b"RIFF\x24\x00\x00\x00WAVEfmt "
SEGMENTS = [{"start": n, "end": n + 1, "text": text} for n, text in enumerate(["Hi.", " ", "Bye."])]
TEXT = {"text": "Hi. Bye.", "language": "en", "duration": 3.0}
TRANSCRIBED = Reply(json=TEXT | {"segments": SEGMENTS})


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
        ("*/*.ogg", ["in/c.ogg"]),
    ],
)
def test_paths_folders_and_patterns(folder, pattern, names, monkeypatch):
    named = str(folder / pattern) if pattern else folder
    found = list(rt.resolve_audio_sources(named))
    assert [recording.source for recording in found] == [str(folder / name) for name in names]
    assert [recording.media for recording in found] == [folder / name for name in names]
    monkeypatch.chdir(folder)
    for start in ("", "./") if pattern else ("./",):
        found = list(rt.resolve_audio_sources(start + pattern))
        assert [recording.source for recording in found] == [start + name for name in names]


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


class Read:
    """`read(source, *replies, **options)` transcribes with a server of those replies."""

    def __init__(self, scripted):
        self.scripted = scripted
        self.server = self.both = None

    def __call__(self, source, *replies, **options):
        if replies:
            self.server, self.both = self.scripted(*replies)
        return list(self.both("run", Transcriber(**options).chunks(source)))


@pytest.fixture
def read(scripted):
    return Read(scripted)


def test_passages_know_where_they_are_from(read):
    mine = {"topic": "greeting", "language": "en-GB"}
    recording = AudioSource.of_bytes(WAV, source="call", metadata=mine, filename="call.wav")
    first, second = read(recording, TRANSCRIBED, format="segments")
    assert b'filename="call.wav"' in read.server.received[0].body
    assert (first.text, second.text) == ("Hi.", "Bye.")
    known = {"source": "call", "model": "openai/whisper-1"} | mine
    assert second.metadata == known | {"duration": 3.0, "start": 2.0, "end": 3.0, "segment": 2}


def test_identifiers_depend_on_audio_format_and_number(read):
    ways: list[dict[str, Any]] = [
        *({"format": "text"}, {"format": "segments"}),
        *({"format": "windows", "window_s": seconds} for seconds in (2.0, 1.0)),
    ]
    sources = [AudioSource.of_bytes(content) for content in (WAV, WAV + b"x")]
    once, again = (
        [chunk.id for one in sources for way in ways for chunk in read(one, TRANSCRIBED, **way)]
        for _ in range(2)
    )
    assert once == again
    assert len(set(once)) == len(once)
    assert len({one.source for one in sources}) == 2


def test_unknown_facts_are_left_out_and_silence_gives_nothing(read):
    (bare,) = read(AudioSource.of_bytes(WAV, source="x"), Reply(json={"text": "Hi."}))
    assert bare.metadata == {"source": "x", "model": "openai/whisper-1", "segment": 0}
    assert read(AudioSource.of_bytes(WAV), Reply(json={"text": " "})) == []


def test_an_address_is_fetched_once_and_transcribed_again_if_times_are_missing(read):
    subtitles = raw_reply(b"1\n00:00:00,000 --> 00:00:01,000\nHi.\n", "text/plain")
    read(AudioSource.of_bytes(WAV), Reply(json={"text": "Hi."}))
    assert read.server.sent == 1  # without times, as none are needed
    read.server.replies = [raw_reply(WAV, "audio/wav"), Reply(json={"text": "Hi."}), subtitles]
    recording = AudioSource.of_url(f"{read.server.url}/x.wav?token=s3cret")
    (passage,) = read(recording, format="segments")
    _, fetched, *asked = read.server.received
    assert [request.method for request in (fetched, *asked)] == ["GET", "POST", "POST"]
    assert "authorization" not in fetched.headers
    assert b'name="response_format"\r\n\r\nsrt' in asked[1].body
    assert (passage.metadata["end"], passage.metadata["duration"]) == (1.0, 1.0)
    assert "s3cret" not in str(passage)


def test_failures_name_the_audio_file_and_keep_their_class(read, tmp_path):
    refused = Reply(401, json={"error": {"message": "No."}})
    with pytest.raises(rc.AuthenticationError, match="`call` was not transcribed") as caught:
        read(AudioSource.of_bytes(WAV, source="call"), refused)
    assert rt.is_account_error(caught.value)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)  # noqa: S301 - made in this line
    with pytest.raises(ValueError, match="`page` was not transcribed"):
        read(AudioSource.of_bytes(b"\x89PNG\r\n\x1a\n", source="page"))
    with pytest.raises(FileNotFoundError, match=r"none\.mp3"):
        read(AudioSource.of_path(tmp_path / "none.mp3"))
    read.server.replies = [Reply(403, body=[b"s3cret"], length=6)]
    with pytest.raises(ValueError, match=r"x\.wav` was not transcribed.*403") as bad:
        read(AudioSource.of_url(f"{read.server.url}/x.wav?token=s3cret"))
    assert "s3cret" not in str(bad.value)
    assert not rt.is_account_error(bad.value)


@pytest.mark.parametrize(
    ("split_s", "installed", "sent"), [(8.0, True, 2), (None, True, 1), (8.0, False, 1)]
)
def test_many_bytes_are_sent_in_parts_where_they_can_be(
    read, tmp_path, monkeypatch, split_s, installed, sent
):
    content = WAV + bytes(200)
    monkeypatch.setattr(transcriber, "MAX_UPLOAD_BYTES", 100)
    monkeypatch.setattr(transcriber, "can_split", lambda: installed)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def in_two(recording, folder, piece_s):
        assert recording.read_bytes() == content
        (folder / "0.wav").write_bytes(WAV)
        return [(0.0, folder / "0.wav"), (piece_s, folder / "0.wav")]

    monkeypatch.setattr(transcriber, "split_audio", in_two)
    recording = AudioSource.of_bytes(content, filename="../call.wav")
    [found] = read(recording, TRANSCRIBED, split_s=split_s)
    assert read.server.sent == sent
    assert found.text == " ".join(["Hi. Bye."] * sent)
    assert list(tmp_path.iterdir()) == []
