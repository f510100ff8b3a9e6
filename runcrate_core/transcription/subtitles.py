"""Subtitle files: SubRip and WebVTT, written and read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from runcrate_core.transcription.segment import Segment

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_TIME: Final = re.compile(r"(?:(\d+):)?(\d{1,2}):(\d{2})[.,](\d{1,3})")
_TAG: Final = re.compile(r"<[^<>]*>")


def srt(segments: Iterable[Segment]) -> str:
    """Return segments as a SubRip file."""
    return "\n".join(
        f"{number}\n{timestamp(segment.start, ',')} --> {timestamp(segment.end, ',')}\n"
        f"{segment.text.strip()}\n"
        for number, segment in enumerate(segments, 1)
    )


def vtt(segments: Iterable[Segment]) -> str:
    """Return segments as a WebVTT file."""
    cues = (
        f"{timestamp(segment.start, '.')} --> {timestamp(segment.end, '.')}\n"
        f"{segment.text.strip()}\n"
        for segment in segments
    )
    return "\n".join(["WEBVTT\n", *cues])


def timestamp(seconds: float | None, mark: str) -> str:
    """Return seconds as `HH:MM:SS` with milliseconds after the mark."""
    milliseconds = round((seconds or 0.0) * 1000)
    whole, rest = divmod(milliseconds, 1000)
    minutes, second = divmod(whole, 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour:02}:{minute:02}:{second:02}{mark}{rest:03}"


def read_subtitles(text: str) -> tuple[Segment, ...]:
    """Return the cues of a SubRip or WebVTT file; anything else in it is skipped."""
    return tuple(_cues(text.replace("\r\n", "\n").replace("\r", "\n")))


def _cues(text: str) -> Iterator[Segment]:
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
