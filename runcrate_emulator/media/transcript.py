"""Transcripts: sentences with their times, in the formats of the service.

Seed 003 names the forms `text`, `json`, `srt` and `vtt`.
"""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from html import escape
from typing import Any

from runcrate_emulator.media.speech import Spoken

# Up to a sentence end, which a typographic quote may close; full-width marks end sentences too.
_SENTENCE = re.compile(r"\S.*?(?:[.!?…。！？؟।][\"'”’»)\]」』]*(?=\s|$)|$)", re.DOTALL)  # noqa: RUF001
_MIDNIGHT = datetime(1, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Segment:
    """A sentence, or the fixed text in brackets for audio that the emulator did not speak."""

    text: str
    start_s: float
    end_s: float


def segments_of(spoken: Spoken | None, seconds: float) -> list[Segment]:
    """Split what was spoken into sentences; audio that was not spoken here gets a fixed text."""
    if spoken is None:
        fixed = f"[{seconds:.1f} s of audio that the emulator did not speak]"
        return [Segment(fixed, 0.0, seconds)]
    pace_s = spoken.seconds / max(len(spoken.text), 1)
    end = min(math.ceil(seconds / pace_s), len(spoken.text)) if pace_s else 0
    while 0 < end < len(spoken.text) and not spoken.text[end - 1 : end + 1].count(" "):
        end += 1  # up to the end of a word
    return [
        Segment(" ".join(found[0].split()), found.start() * pace_s, found.end() * pace_s)
        for found in _SENTENCE.finditer(spoken.text[:end].rstrip())
    ]


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
        f"{number}\n{_times(segment).replace('.', ',')}\n{segment.text}\n"
        for number, segment in enumerate(segments, start=1)
    )


def as_vtt(segments: Iterable[Segment]) -> str:
    """Give WebVTT subtitles; the characters that would be read as markup are escaped."""
    cues = (f"{_times(one)}\n{escape(one.text, quote=False)}\n" for one in segments)
    return "\n".join(("WEBVTT\n", *cues))


def _times(segment: Segment) -> str:
    start, end = (
        (_MIDNIGHT + timedelta(milliseconds=round(at * 1000))).time().isoformat("milliseconds")
        for at in (segment.start_s, segment.end_s)
    )
    return f"{start} --> {end}"
