"""Split a long audio file at quiet moments, where PyAV is installed."""

from __future__ import annotations

import importlib
import importlib.util
import wave
from array import array
from typing import TYPE_CHECKING, Any, Final

from runcrate_core.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

# Speech recognition works at this rate; more would only make the parts larger.
RATE: Final = 16_000
_SAMPLE_BYTES: Final = 2
# The split is in the quietest tenth of a second of the last seconds of a part.
_SEARCH_S: Final = 5.0
_QUIET_SAMPLES: Final = RATE // 10


def can_split() -> bool:
    """Return whether PyAV is installed, so that audio can be split."""
    return importlib.util.find_spec("av") is not None


def split_audio(audio: Path, directory: Path, part_s: float) -> list[tuple[float, Path]]:
    """Split an audio file into wav files.

    Args:
        audio: The file, in any format that PyAV reads.
        directory: Directory of the parts.
        part_s: Maximum seconds of a part.

    Returns:
        The start of each part in seconds, and its file. One part if the audio is short enough.

    Raises:
        ConfigurationError: PyAV is not installed.
        ValueError: It is not an audio file.
    """
    av = _library()
    max_samples = int(part_s * RATE)
    parts: list[tuple[float, Path]] = []
    held = array("h")
    start = 0
    for samples in _samples(av, audio):
        held.extend(samples)
        while len(held) > max_samples:
            split = quiet_split(held[:max_samples])
            parts.append((start / RATE, _write(directory, len(parts), held[:split])))
            start += split
            del held[:split]
    if held or not parts:
        parts.append((start / RATE, _write(directory, len(parts), held)))
    return parts


def quiet_split(samples: array[int]) -> int:
    """Return where to split: in the quietest moment near the end, rather than in a word."""
    first = max(_QUIET_SAMPLES, len(samples) - int(_SEARCH_S * RATE))
    starts = range(first, len(samples) - _QUIET_SAMPLES + 1, _QUIET_SAMPLES)
    if not starts:
        return len(samples)

    def loudness(start: int) -> int:
        return sum(map(abs, samples[start : start + _QUIET_SAMPLES]))

    return min(starts, key=lambda start: (loudness(start), -start)) + _QUIET_SAMPLES // 2


def _library() -> Any:
    if not can_split():
        raise ConfigurationError(
            "Splitting long audio files needs PyAV. Install it (`pip install av`), or give shorter "
            "files. Nothing was sent."
        )
    return importlib.import_module("av")


def _samples(av: Any, audio: Path) -> Any:
    resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
    try:
        with av.open(str(audio)) as container:
            if not container.streams.audio:
                raise ValueError(f"`{audio.name}` has no audio track. Nothing was sent.")
            for frame in container.decode(audio=0):
                yield from map(_plain, resampler.resample(frame))
            yield from map(_plain, resampler.resample(None))
    except av.FFmpegError:
        raise ValueError(f"`{audio.name}` is not an audio file. Nothing was sent.") from None


def _plain(frame: Any) -> array[int]:
    samples = array("h")
    samples.frombytes(bytes(frame.planes[0])[: frame.samples * _SAMPLE_BYTES])
    return samples


def _write(directory: Path, number: int, samples: array[int]) -> Path:
    path = directory / f"part-{number:04}.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(_SAMPLE_BYTES)
        file.setframerate(RATE)
        file.writeframes(samples.tobytes())
    return path
