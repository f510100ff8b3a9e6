"""When a recording sounds, and when it is silent."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from runcrate_emulator.media.dot_product import sumprod
from runcrate_emulator.media.sound_files import Sound

__all__ = ["Span", "sounding_spans"]

_BLOCKS_PER_SECOND = 20
_SILENCE = 65.0  # root mean square of samples; -54 dB of full scale, the noise of a quiet room
_PAUSE_BLOCKS = 6  # 0.3 s; a shorter silence does not end a span


@dataclass(frozen=True)
class Span:
    """A stretch of time, in seconds from the start of the recording."""

    start_s: float
    end_s: float

    @property
    def seconds(self) -> float:
        """Its length."""
        return self.end_s - self.start_s


def sounding_spans(sound: Sound, *, apart_from: Iterable[Span] = ()) -> list[Span]:
    """Give the stretches in which there is sound, bridging short pauses.

    Args:
        sound: The recording.
        apart_from: Stretches whose sound is accounted for and does not count.
    """
    blocks = [_sounds(block) for block in _blocks(sound)]
    for span in apart_from:
        first = int(span.start_s * _BLOCKS_PER_SECOND)
        last = min(math.ceil(span.end_s * _BLOCKS_PER_SECOND), len(blocks))
        blocks[first:last] = [False] * (last - first)
    return [
        Span(first / _BLOCKS_PER_SECOND, min(end / _BLOCKS_PER_SECOND, sound.seconds))
        for first, end in _runs(blocks)
    ]


def _blocks(sound: Sound) -> Iterator["memoryview[int]"]:
    size = sound.rate_hz // _BLOCKS_PER_SECOND
    whole = memoryview(sound.samples)
    for start in range(0, len(whole), size):
        yield whole[start : start + size]


def _sounds(block: "memoryview[int]") -> bool:
    return sumprod(block, block) > _SILENCE**2 * len(block)


def _runs(blocks: list[bool]) -> Iterator[tuple[int, int]]:
    """Give where the runs of sounding blocks begin and end."""
    first = end = None
    for number, sounds in enumerate(blocks):
        if not sounds:
            continue
        if first is not None and end is not None and number - end > _PAUSE_BLOCKS:
            yield first, end
            first = None
        first = number if first is None else first
        end = number + 1
    if first is not None and end is not None:
        yield first, end
