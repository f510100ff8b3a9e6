"""Transcripts in pieces: segments, sentences, fixed windows, and subtitle files of them."""

# ruff: noqa: RUF001 - Chinese and Japanese sentences end with full-width marks

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

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
# These are cut by time, so the words' times are needed.
TIMED: Final = frozenset(FORMATS) - {"text"}

_SENTENCE_END: Final = re.compile(r"(?<=[.!?…。！？])[\"'”’)\]]*\s+|(?<=[。！？])")
_TIME: Final = re.compile(r"(?:(\d+):)?(\d{1,2}):(\d{2})[.,](\d{1,3})")
_TAG: Final = re.compile(r"<[^<>]*>")


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a recording.

    Attributes:
        text: What is said in it.
        start: Seconds from the beginning of the recording.
        end: Seconds from the beginning of the recording.
    """

    text: str
    start: float | None = None
    end: float | None = None

    def later(self, seconds: float) -> Segment:
        """Return it as a part of a recording that began so much earlier."""
        if self.start is None or self.end is None:
            return self
        return replace(self, start=self.start + seconds, end=self.end + seconds)


@dataclass(frozen=True, slots=True)
class Transcript:
    """What is said in a recording.

    Attributes:
        text: All of it.
        segments: Its parts, in order; empty when their times are not known.
        language: What is spoken, when the API tells.
        duration: Seconds, when the API tells or the parts show it.
        model: The model that listened.
    """

    text: str
    segments: tuple[Segment, ...] = ()
    language: str | None = None
    duration: float | None = None
    model: str = ""

    def pieces(self, wanted: TranscriptFormat, window_s: float = 30.0) -> tuple[Segment, ...]:
        """Return the transcript in the pieces that a format asks for.

        Args:
            wanted: `text`: all in one; `segments`: as the API cut it; `sentences`; `windows`: all
                that begins within the same so many seconds; `srt`, `vtt`: one subtitle file.
            window_s: Seconds of a window.

        Raises:
            ValueError: The format is none of these.
        """
        whole = Segment(self.text, 0.0 if self.duration else None, self.duration)
        match wanted:
            case "text":
                return (whole,)
            case "segments":
                return self.segments or (whole,)
            case "sentences":
                return tuple(sentences(self.segments or (whole,)))
            case "windows":
                return tuple(windows(self.segments or (whole,), window_s))
            case "srt":
                return (replace(whole, text=srt(self.segments or (whole,))),)
            case "vtt":
                return (replace(whole, text=vtt(self.segments or (whole,))),)
            case _:
                raise ValueError(f"{wanted!r} is no format. There are: {', '.join(FORMATS)}.")


def joined(parts: Sequence[tuple[float, Transcript]]) -> Transcript:
    """Return the transcript of a recording that was listened to in parts.

    Args:
        parts: When each part begins, in seconds, and what is said in it.
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
    """Give the segments of all parts; among those that have some, a part without is one itself."""
    if not any(part.segments for _, part in parts):
        return
    for start, part in parts:
        whole = Segment(part.text.strip(), 0.0, part.duration or 0.0)
        for segment in part.segments or ((whole,) if whole.text else ()):
            yield segment.later(start)


def sentences(segments: Iterable[Segment]) -> Iterator[Segment]:
    """Cut segments anew at the ends of sentences; times within a segment go by its letters."""
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
        begun = text.index(piece, at)
        at = begun + len(piece)
        yield Segment(piece, _moment(segment, begun, text), _moment(segment, at, text))


def _moment(segment: Segment, letters: int, text: str) -> float | None:
    if segment.start is None or segment.end is None:
        return None
    share = letters / len(text) if text else 0.0
    return round(segment.start + (segment.end - segment.start) * share, 3)


def windows(segments: Iterable[Segment], window_s: float) -> Iterator[Segment]:
    """Put together what begins within the same window of so many seconds.

    Raises:
        ValueError: The window is not a length.
    """
    if not window_s > 0:
        raise ValueError(f"A window must be longer than {window_s} seconds.")
    held: list[Segment] = []
    number = 0
    for segment in segments:
        its = int((segment.start or 0.0) // window_s)
        if held and its != number:
            yield _merged(held)
            held = []
        number = its
        held.append(segment)
    if held:
        yield _merged(held)


def _merged(segments: Sequence[Segment]) -> Segment:
    text = " ".join(segment.text.strip() for segment in segments if segment.text.strip())
    return Segment(text, segments[0].start, segments[-1].end)


def srt(segments: Iterable[Segment]) -> str:
    """Return segments as a SubRip file."""
    return "\n".join(
        f"{number}\n{clock(segment.start, ',')} --> {clock(segment.end, ',')}\n"
        f"{segment.text.strip()}\n"
        for number, segment in enumerate(segments, 1)
    )


def vtt(segments: Iterable[Segment]) -> str:
    """Return segments as a WebVTT file."""
    cues = (
        f"{clock(segment.start, '.')} --> {clock(segment.end, '.')}\n{segment.text.strip()}\n"
        for segment in segments
    )
    return "\n".join(["WEBVTT\n", *cues])


def clock(seconds: float | None, mark: str) -> str:
    """Return seconds as `HH:MM:SS` with milliseconds behind the mark."""
    milliseconds = round((seconds or 0.0) * 1000)
    whole, rest = divmod(milliseconds, 1000)
    minutes, second = divmod(whole, 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour:02}:{minute:02}:{second:02}{mark}{rest:03}"


def read_subtitles(text: str) -> tuple[Segment, ...]:
    """Return the cues of a SubRip or WebVTT file; what is none is passed over."""
    return tuple(_each_cue(text.replace("\r\n", "\n").replace("\r", "\n")))


def _each_cue(text: str) -> Iterator[Segment]:
    for block in re.split(r"\n\s*\n", text):
        lines = block.strip().split("\n")
        timing = next((number for number, line in enumerate(lines) if "-->" in line), None)
        if timing is None:
            continue
        times = _TIME.findall(lines[timing])
        both = 2
        if len(times) < both:
            continue
        said = " ".join(_TAG.sub("", line).strip() for line in lines[timing + 1 :]).strip()
        yield Segment(said, _seconds(times[0]), _seconds(times[1]))


def _seconds(parts: tuple[str, str, str, str]) -> float:
    hours, minutes, seconds, fraction = parts
    whole = int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds)
    return (whole * 1000 + int(fraction.ljust(3, "0"))) / 1000
