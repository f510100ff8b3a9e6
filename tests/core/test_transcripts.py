"""Transcripts, their chunks, and long audio files in parts."""

# ruff: noqa: RUF001 - Chinese sentences end with full-width marks

from __future__ import annotations

import json
import math
import wave
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

import runcrate_core as rc
from runcrate_core.transcription.audio_splitter import RATE, quiet_split, split_audio
from runcrate_core.transcription.segment import Segment
from runcrate_core.transcription.subtitles import read_subtitles, srt, timestamp, vtt
from runcrate_core.transcription.transcriber import Transcriber
from runcrate_core.transcription.transcript import FORMATS, Transcript, join_transcripts
from tests.audio_files import wav
from tests.servers import raw_reply

TWO = (Segment("Hello there. How are", 0.0, 4.0), Segment("you today? Fine!", 4.0, 8.0))
WHOLE = Transcript("Hello there. How are you today? Fine!", TWO, "en", 8.0, "m")


BARE = Transcript("One. Two.")
CHINESE = "你好。再见！还有"
SECONDS = tuple(Segment(str(second), float(second), second + 1.0) for second in range(0, 9, 2))


@pytest.mark.parametrize(
    ("transcript", "way", "pieces"),
    [
        # Sentences go over the ends of segments.
        (
            WHOLE,
            ("sentences",),
            [("Hello there.", 0.0, 2.4), ("How are you today?", 2.6, 6.5), ("Fine!", 6.75, 8.0)],
        ),
        (
            Transcript(CHINESE, (Segment(CHINESE, 0.0, 8.0),)),
            ("sentences",),
            [("你好。", 0.0, 3.0), ("再见！", 3.0, 6.0), ("还有", 6.0, 8.0)],
        ),
        # Windows hold what begins within them.
        (
            Transcript("", SECONDS),
            ("windows", 4.0),
            [("0 2", 0.0, 3.0), ("4 6", 4.0, 7.0), ("8", 8.0, 9.0)],
        ),
        (BARE, ("text",), [("One. Two.", None, None)]),
        (BARE, ("segments",), [("One. Two.", None, None)]),
        (BARE, ("sentences",), [("One.", None, None), ("Two.", None, None)]),
    ],
)
def test_a_transcript_is_split_into_pieces_with_their_times(transcript, way, pieces):
    assert [(piece.text, piece.start, piece.end) for piece in transcript.split(*way)] == pieces


@pytest.mark.parametrize(
    ("format_", "window_s", "problem"),
    [
        *(("windows", seconds, "window must be longer") for seconds in (0, -1, math.nan)),
        ("words", 30.0, "'words'"),
    ],
)
def test_a_wrong_way_to_split_is_refused_before_it_is_paid_for(format_, window_s, problem):
    with pytest.raises(ValueError, match=problem):
        WHOLE.split(format_, window_s)
    with pytest.raises(ValueError, match=problem):
        Transcriber(format=format_, window_s=window_s)


SEGMENTS = st.lists(
    st.tuples(
        st.text("abc äß", min_size=1).map(str.strip).filter(bool),
        st.integers(0, 10**7),
        st.integers(0, 10**5),
    ).map(lambda t: Segment(" ".join(t[0].split()), t[1] / 1000, (t[1] + t[2]) / 1000)),
    max_size=5,
)


@given(SEGMENTS)
def test_subtitles_are_read_as_they_were_written(segments):
    assert list(read_subtitles(srt(segments))) == segments
    assert list(read_subtitles(vtt(segments).replace("\n", "\r\n"))) == segments


def test_unusual_subtitles_are_read_and_a_clock_carries():
    assert timestamp(3599.9996, ",") == "01:00:00,000"
    assert timestamp(None, ".") == "00:00:00.000"
    cue = "cue-1\n00:01.5 --> 00:02.250 align:start\n<v Ann>Hi <b>you</b>"
    text = f"WEBVTT\n\nNOTE x\n\n{cue}\n\nx --> y"
    assert read_subtitles(text) == (Segment("Hi you", 1.5, 2.25),)


def test_parts_are_joined_with_their_times_corrected():
    second = Transcript("Bye.", (Segment("Bye.", 1.0, 2.0),), "de", 3.0, "m")
    whole = join_transcripts([(0.0, WHOLE), (600.0, second)])
    assert whole.text == "Hello there. How are you today? Fine! Bye."
    assert whole.segments[-1] == Segment("Bye.", 601.0, 602.0)
    assert (whole.language, whole.duration) == ("en", 603.0)
    assert Segment("x").shifted(5.0) == Segment("x")


def test_a_part_without_times_is_not_lost_among_others():
    silent, bare = Transcript(" ", (), "en", 5.0), Transcript("Bye.", (), "en", 3.0)
    whole = join_transcripts(
        [(0.0, WHOLE), (600.0, silent), (605.0, bare), (608.0, Transcript("Done."))]
    )
    assert whole.segments[:-2] == WHOLE.segments
    assert whole.segments[-2:] == (Segment("Bye.", 605.0, 608.0), Segment("Done.", 608.0, 608.0))
    assert join_transcripts([(0.0, bare), (3.0, bare)]).segments == ()


WAV = b"RIFF\x24\x00\x00\x00WAVEfmt "


@pytest.mark.parametrize("odd", [None, "x", -1, math.inf])
def test_a_segment_with_an_odd_time_is_not_lost(scripted, odd):
    given = [(odd, odd, "Hi."), (1, 2, "You."), (2, odd, "Bye.")]
    segments = [dict(zip(("start", "end", "text"), one, strict=True)) for one in given]
    body = {"text": " Hi. You. Bye. ", "duration": odd, "segments": segments}
    server, both = scripted(raw_reply(json.dumps(body).encode()))
    transcript = both("run", Transcriber(format="srt").transcribe(WAV))
    read = [(segment.start, segment.end, segment.text) for segment in transcript.segments]
    assert read == [(0.0, 0.0, "Hi."), (1.0, 2.0, "You."), (2.0, 2.0, "Bye.")]
    assert (transcript.text, transcript.duration, server.sent) == ("Hi. You. Bye.", 2.0, 1)


@pytest.mark.parametrize("format_", FORMATS)
def test_silence_has_no_text_in_any_format(format_):
    """Not even that of an empty subtitle."""
    for silent in (Transcript(" "), Transcript("", (Segment("", 0.0, 1.0),))):
        assert "".join(piece.text for piece in silent.split(format_)).strip() == ""


def test_a_long_audio_file_is_cut_where_it_is_quiet(tmp_path):
    recording = tmp_path / "long.wav"
    samples = array("h", ([9000] * 20 + [-9000] * 20) * (12 * RATE // 40))
    samples[13 * RATE // 2 : 34 * RATE // 5] = array("h", [0] * (3 * RATE // 10))  # from 6.5 s on
    recording.write_bytes(wav(samples.tobytes(), RATE))
    pieces = split_audio(recording, tmp_path, 8.0)
    assert [start for start, _ in pieces] == [0.0, pytest.approx(6.65, abs=0.2)]
    with wave.open(str(pieces[1][1])) as second:
        assert second.getnframes() / RATE == pytest.approx(12.0 - pieces[1][0], abs=0.01)
    assert quiet_split(array("h", [1] * 10)) == 10  # too short to be searched


def test_what_is_no_audio_is_named_and_so_is_a_splitter_that_is_missing(tmp_path, monkeypatch):
    path = tmp_path / "x.mp3"
    for content in (b"no sound at all", b""):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"`x\.mp3` is not an audio file"):
            split_audio(path, tmp_path, 8.0)
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(rc.ConfigurationError, match="PyAV"):
        split_audio(path, tmp_path, 8.0)
