"""Transcripts: sentences with their times, in the formats of the service.

Seed 003 names the forms `text`, `json`, `srt` and `vtt`.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from runcrate_emulator.media.speech import Spoken, Word

_SENTENCE_ENDS = tuple(".!?…。！？؟।")  # noqa: RUF001 - full-width marks end sentences too
_CLOSING = "\"'”’»)]」』"  # noqa: RUF001 - a typographic quote may close a sentence


@dataclass(frozen=True)
class Segment:
    """A sentence, or the fixed text in brackets for audio that the emulator did not speak."""

    text: str
    start_s: float
    end_s: float


def segments_of(spoken: Spoken | None, seconds: float) -> list[Segment]:
    """Split what was spoken into sentences; audio that was not spoken here gets a fixed text."""
    if spoken is not None:
        return list(_sentences(spoken.words(seconds)))
    fixed = f"[{seconds:.1f} s of audio that the emulator did not speak]"
    return [Segment(fixed, 0.0, seconds)]


def as_text(segments: Iterable[Segment]) -> str:
    """Give the plain text; empty for silence."""
    return " ".join(segment.text for segment in segments)


def as_json(segments: list[Segment], *, duration_s: float, language: str) -> dict[str, Any]:
    """Give the body of a `json` response."""
    return {
        "text": as_text(segments),
        "language": language,
        "duration": round(duration_s, 3),
        "segments": [
            {
                "id": number,
                "start": round(segment.start_s, 3),
                "end": round(segment.end_s, 3),
                "text": segment.text,
            }
            for number, segment in enumerate(segments)
        ],
    }


def as_srt(segments: Iterable[Segment]) -> str:
    """Give SubRip subtitles."""
    return "\n".join(
        f"{number}\n{_clock(segment.start_s, ',')} --> {_clock(segment.end_s, ',')}\n"
        f"{segment.text}\n"
        for number, segment in enumerate(segments, start=1)
    )


def as_vtt(segments: Iterable[Segment]) -> str:
    """Give WebVTT subtitles; the characters that would be read as markup are escaped."""
    cues = (
        f"{_clock(segment.start_s, '.')} --> {_clock(segment.end_s, '.')}\n"
        f"{segment.text.replace('&', '&amp;').replace('<', '&lt;').replace('>', '&gt;')}\n"
        for segment in segments
    )
    return "\n".join(("WEBVTT\n", *cues))


def _sentences(words: Iterable[Word]) -> Iterator[Segment]:
    sentence: list[Word] = []
    for word in words:
        sentence.append(word)
        if word.text.rstrip(_CLOSING).endswith(_SENTENCE_ENDS):
            yield _segment(sentence)
            sentence = []
    if sentence:
        yield _segment(sentence)


def _segment(words: list[Word]) -> Segment:
    return Segment(" ".join(word.text for word in words), words[0].start_s, words[-1].end_s)


def _clock(seconds: float, separator: str) -> str:
    milliseconds = round(seconds * 1000)
    whole, rest = divmod(milliseconds, 1000)
    minutes, second = divmod(whole, 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour:02}:{minute:02}:{second:02}{separator}{rest:03}"
