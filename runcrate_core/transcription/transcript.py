"""Transcripts, and their split into segments, sentences, time windows or a subtitle file."""

# ruff: noqa: RUF001 - Chinese and Japanese sentences end with full-width marks

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

from runcrate_core.transcription.segment import Segment
from runcrate_core.transcription.subtitles import srt, vtt

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

TranscriptFormat = Literal["text", "segments", "sentences", "windows", "srt", "vtt"]
FORMATS: Final[tuple[TranscriptFormat, ...]] = (
    "text",
    "segments",
    "sentences",
    "windows",
    "srt",
    "vtt",
)
# These need the times of the words.
TIMED: Final = frozenset(FORMATS) - {"text"}

_SENTENCE_END: Final = re.compile(r"(?<=[.!?…。！？])[\"'”’)\]]*\s+|(?<=[。！？])")


@dataclass(frozen=True, slots=True)
class Transcript:
    """The transcript of an audio file.

    Attributes:
        text: The complete text.
        segments: Its segments, in order; empty when their times are not known.
        language: The spoken language, when the API reports it.
        duration: Seconds, when the API reports it or the segments show it.
        model: The transcription model.
    """

    text: str
    segments: tuple[Segment, ...] = ()
    language: str | None = None
    duration: float | None = None
    model: str = ""

    def split(self, format_: TranscriptFormat, window_s: float = 30.0) -> tuple[Segment, ...]:
        """Return the transcript in the segments of a format.

        Args:
            format_: `text`: all in one; `segments`: those of the API; `sentences`; `windows`: all
                that starts within the same number of seconds; `srt`, `vtt`: one subtitle file,
                which is empty if nothing is said.
            window_s: Seconds of a window.

        Raises:
            ValueError: The format is not one of these.
        """
        whole = Segment(self.text, 0.0 if self.duration else None, self.duration)
        spoken = tuple(part for part in self.segments or (whole,) if part.text.strip())
        match format_:
            case "text":
                return (whole,)
            case "segments":
                return self.segments or (whole,)
            case "sentences":
                return tuple(sentences(self.segments or (whole,)))
            case "windows":
                return tuple(windows(self.segments or (whole,), window_s))
            case "srt":
                return (replace(whole, text=srt(spoken)),)
            case "vtt":
                return (replace(whole, text=vtt(spoken) if spoken else ""),)
            case _:
                raise ValueError(
                    f"{format_!r} is not a transcript format. Use one of: {', '.join(FORMATS)}."
                )


def join_transcripts(parts: Sequence[tuple[float, Transcript]]) -> Transcript:
    """Return the transcript of an audio file that was transcribed in parts.

    Args:
        parts: The start of each part in seconds, and its transcript.
    """
    first = parts[0][1]
    last_start, last = parts[-1]
    return Transcript(
        text=" ".join(part.text.strip() for _, part in parts if part.text.strip()),
        segments=tuple(_joined_segments(parts)),
        language=first.language,
        duration=None if last.duration is None else last_start + last.duration,
        model=first.model,
    )


def _joined_segments(parts: Sequence[tuple[float, Transcript]]) -> Iterator[Segment]:
    """Yield the segments of all parts; a part without segments is one, if others have some."""
    if not any(part.segments for _, part in parts):
        return
    for start, part in parts:
        whole = Segment(part.text.strip(), 0.0, part.duration or 0.0)
        for segment in part.segments or ((whole,) if whole.text else ()):
            yield segment.shifted(start)


def sentences(segments: Iterable[Segment]) -> Iterator[Segment]:
    """Split segments at the ends of sentences; times within a segment follow its characters."""
    held: list[Segment] = []
    for segment in segments:
        for piece in _cut(segment):
            held.append(piece)
            if piece.text.rstrip("\"'”’)] ").endswith((".", "!", "?", "…", "。", "！", "？")):
                yield _merged(held)
                held = []
    if held:
        yield _merged(held)


def _cut(segment: Segment) -> Iterator[Segment]:
    text = segment.text.strip()
    at = 0
    for piece in (part.strip() for part in _SENTENCE_END.split(text)):
        if not piece:
            continue
        first = text.index(piece, at)
        at = first + len(piece)
        yield Segment(piece, _time_at(segment, first, text), _time_at(segment, at, text))


def _time_at(segment: Segment, characters: int, text: str) -> float | None:
    if segment.start is None or segment.end is None:
        return None
    share = characters / len(text) if text else 0.0
    return round(segment.start + (segment.end - segment.start) * share, 3)


def windows(segments: Iterable[Segment], window_s: float) -> Iterator[Segment]:
    """Merge the segments that start within the same window of so many seconds.

    Raises:
        ValueError: The window is not longer than 0 seconds.
    """
    if not window_s > 0:
        raise ValueError(f"A window must be longer than 0 seconds, not {window_s}.")
    held: list[Segment] = []
    number = 0
    for segment in segments:
        window = int((segment.start or 0.0) // window_s)
        if held and window != number:
            yield _merged(held)
            held = []
        number = window
        held.append(segment)
    if held:
        yield _merged(held)


def _merged(segments: Sequence[Segment]) -> Segment:
    text = " ".join(segment.text.strip() for segment in segments if segment.text.strip())
    return Segment(text, segments[0].start, segments[-1].end)
