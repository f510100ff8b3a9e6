"""Finding the frames of `word_code` in sound.

A mark is looked for in coarse steps, placed to half a millisecond, and then the notes after it are
read one by one: in each band, the tone that holds most of the energy. Foreign sound is told apart
by how little of its energy lies on the tones, and in the end by the check of the frame.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from runcrate_emulator.media.dot_product import sumprod
from runcrate_emulator.media.sound_files import Sound
from runcrate_emulator.media.word_code import (
    BANDS,
    HEADER_MS,
    MARK_MS,
    MARK_TONES,
    CodeError,
    Frame,
    Header,
)

__all__ = ["HeardFrame", "heard_frames"]

_COARSE_STEP_MS = MARK_MS // 2
_FINE_STEPS_PER_MS = 2
_SUSPECTED_SHARE = 0.25  # of the energy on the first mark tone; enough to look closer
_MARK_SHARE = 0.4  # of the energy on each mark tone, in its place; enough to call it a mark
_SILENCE = 30.0  # root mean square of samples that are not worth a look; full scale is 32767
_DOMINANCE = 1.15  # power of a band's strongest tone over the second; less is no note
_RAMPS_MS = 2  # of a note, start and end together
_ORTHOGONAL_MS = 8  # over multiples of this, the tones of a band do not leak into each other
_SHIFTS_MS = (0.0, -1.0, 1.0, -2.0, 2.0)  # tried in turn when a frame's check fails


@dataclass(frozen=True)
class HeardFrame:
    """A frame in a recording."""

    start_s: float
    end_s: float
    frame: Frame | None
    """None if a mark was heard but what followed could not be understood."""


def heard_frames(sound: Sound) -> Iterator[HeardFrame]:
    """Give the frames of a recording in their order, leaving out one that is cut by its end."""
    ear = _Ear(sound)
    at, end = 0.0, sound.seconds * 1000
    while at < end:
        mark = ear.mark_near(at)
        if mark is None:
            at += _COARSE_STEP_MS
            continue
        heard = ear.frame_at(mark)
        if heard is None:
            at = mark + MARK_MS * len(MARK_TONES)
            continue
        yield heard
        at = heard.end_s * 1000


class _SoundEndsError(CodeError):
    """The recording is over before the frame is."""


class _Ear:
    """Reads a sound at places given in ms."""

    def __init__(self, sound: Sound) -> None:
        self._samples = sound.samples
        self._rate = sound.rate_hz

    def mark_near(self, at: float) -> float | None:
        """Return where a mark begins, if one begins within a coarse step of a place."""
        if self._share(MARK_TONES[0], at) < _SUSPECTED_SHARE:
            return None
        steps = _COARSE_STEP_MS * _FINE_STEPS_PER_MS
        places = [at + step / _FINE_STEPS_PER_MS for step in range(-steps, steps + 1)]
        share, place = max((self._mark_share(place), place) for place in places)
        return place if share >= _MARK_SHARE else None

    def frame_at(self, mark: float) -> HeardFrame | None:
        """Read the frame whose mark begins at a place; None if the sound ends within it."""
        after_mark = mark + MARK_MS * len(MARK_TONES)
        for shift in _SHIFTS_MS:
            try:
                frame, end = self._frame(after_mark + shift)
            except _SoundEndsError:
                return None
            except CodeError:
                continue
            return HeardFrame(max(mark, 0.0) / 1000, (end - shift) / 1000, frame)
        return HeardFrame(max(mark, 0.0) / 1000, after_mark / 1000, None)

    def _frame(self, at: float) -> tuple[Frame, float]:
        header = Header.from_byte(self._byte(at, HEADER_MS))
        start = at + HEADER_MS
        places = [start + note * header.note_ms for note in range(header.body_notes)]
        body = bytes(self._byte(place, header.note_ms) for place in places)
        return header.frame_from(body), start + header.body_notes * header.note_ms

    def _byte(self, at: float, length_ms: int) -> int:
        """Read the note of a length that begins at a place."""
        used_ms = (length_ms - _RAMPS_MS) // _ORTHOGONAL_MS * _ORTHOGONAL_MS
        window = self._window(at + (length_ms - used_ms) / 2, used_ms)
        if window is None:
            raise _SoundEndsError("the sound ends within a note")
        value = 0
        for number, band in enumerate(BANDS):
            powers = [self._power(tone, window) for tone in band]
            second, best = sorted(powers)[-2:]
            if best < second * _DOMINANCE or best == 0:
                raise CodeError("no tone of a band stands out")
            value |= powers.index(best) << 2 * number
        return value

    def _mark_share(self, at: float) -> float:
        return min(
            self._share(tone, at + number * MARK_MS) for number, tone in enumerate(MARK_TONES)
        )

    def _share(self, tone: int, at: float) -> float:
        """Return which share of the energy of a mark note's time lies on one tone."""
        window = self._window(at, MARK_MS)
        if window is None:
            return 0.0
        energy = sumprod(window, window)
        if energy < _SILENCE**2 * len(window):
            return 0.0
        return 2 * self._power(tone, window) / (len(window) * energy)

    def _power(self, tone: int, window: list[float]) -> float:
        cosine, sine = _waves(tone, len(window), self._rate)
        return sumprod(window, cosine) ** 2 + sumprod(window, sine) ** 2

    def _window(self, at: float, length_ms: int) -> list[float] | None:
        start = round(at * self._rate / 1000)
        end = start + length_ms * self._rate // 1000
        if start < 0 or end > len(self._samples):
            return None
        return list(map(float, self._samples[start:end]))


@lru_cache(maxsize=128)  # every tone in every length of window
def _waves(tone: int, length: int, rate: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    angles = [math.tau * tone * sample / rate for sample in range(length)]
    return tuple(map(math.cos, angles)), tuple(map(math.sin, angles))
