"""Transcripts in their four forms, from words whose times are known."""

import re

import pytest

from runcrate_emulator.media.speech import Spoken
from runcrate_emulator.media.transcript import (
    Segment,
    as_json,
    as_srt,
    as_text,
    as_vtt,
    segments_of,
)


def segments(text: str, *, pace_s: float = 0.1, within_s: float = 1e6) -> list[Segment]:
    return segments_of(Spoken(text, len(text) * pace_s), within_s)


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("No end", ["No end"]),
        ('He said "stop." Then (he did!) go on', ['He said "stop."', "Then (he did!)", "go on"]),
        ("你好。 谢谢！ 好", ["你好。", "谢谢！", "好"]),  # noqa: RUF001 - full-width on purpose
        ("Pi is 3.14 or so.", ["Pi is 3.14 or so."]),
    ],
)
def test_a_segment_is_a_sentence(text, sentences):
    assert [segment.text for segment in segments(text)] == sentences


def test_a_segment_lasts_from_its_first_word_to_its_last():
    first, second = segments("a b. c d.")
    assert (first.start_s, first.end_s) == pytest.approx((0.0, 0.4))
    assert (second.start_s, second.end_s) == pytest.approx((0.5, 0.9))


def test_words_behind_the_end_of_the_audio_are_left_out():
    assert as_text(segments("One two three.", within_s=0.7)) == "One two"


def test_no_segments_are_an_empty_text_and_an_empty_list():
    assert as_json([], duration_s=3.0, language="en") == {
        "text": "",
        "language": "en",
        "duration": 3.0,
        "segments": [],
    }
    assert (as_text([]), as_srt([])) == ("", "")
    assert as_vtt([]) == "WEBVTT\n"


SEGMENTS = [Segment("One & <two>.", 0.0, 1.2345), Segment("Three.", 3599.9996, 3725.5)]


def test_srt_is_numbered_and_uses_commas():
    assert as_srt(SEGMENTS) == (
        "1\n00:00:00,000 --> 00:00:01,234\nOne & <two>.\n\n"
        "2\n01:00:00,000 --> 01:02:05,500\nThree.\n"
    )


def test_vtt_has_its_header_uses_points_and_escapes_markup():
    assert as_vtt(SEGMENTS) == (
        "WEBVTT\n\n"
        "00:00:00.000 --> 00:00:01.234\nOne &amp; &lt;two&gt;.\n\n"
        "01:00:00.000 --> 01:02:05.500\nThree.\n"
    )


def test_no_cue_of_a_long_text_overlaps_the_next():
    stamps = re.findall(r"(\d\d):(\d\d):(\d\d),(\d\d\d)", as_srt(segments("Yes. " * 90)))
    times = [((int(h) * 60 + int(m)) * 60 + int(s)) * 1000 + int(ms) for h, m, s, ms in stamps]
    assert len(times) == 180
    assert times == sorted(times)
