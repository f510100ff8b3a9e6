"""A segment: a timed part of a transcript."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a transcript.

    Attributes:
        text: Its text.
        start: Seconds from the start of the audio.
        end: Seconds from the start of the audio.
    """

    text: str
    start: float | None = None
    end: float | None = None

    def shifted(self, seconds: float) -> Segment:
        """Return the segment so many seconds later."""
        if self.start is None or self.end is None:
            return self
        return replace(self, start=self.start + seconds, end=self.end + seconds)
