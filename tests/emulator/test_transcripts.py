"""Transcripts in their four forms, from words whose times are known."""

import re

import pytest

from runcrate_emulator.media.speech import Spoken
from runcrate_emulator.media.transcript import (
    Segment,
    as_srt,
    as_vtt,
    segments_of,
)


def segments(text: str) -> list[Segment]:
    return segments_of(Spoken(text, len(text) / 10), 1e6)


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
