"""Cutting a long recording into pieces, where PyAV is installed."""

from __future__ import annotations

import importlib
import importlib.util
import wave
from array import array
from typing import TYPE_CHECKING, Any, Final

from runcrate_core.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

# Speech recognition works at this rate; more would only make the pieces larger.
RATE: Final = 16_000
_SAMPLE_BYTES: Final = 2
# A cut is looked for in the quietest tenth of a second of the last seconds of a piece.
_SEARCH_S: Final = 5.0
_QUIET_SAMPLES: Final = RATE // 10


def can_split() -> bool:
    """Return whether recordings can be cut here."""
    return importlib.util.find_spec("av") is not None


def split_audio(recording: Path, folder: Path, piece_s: float) -> list[tuple[float, Path]]:
    """Cut a recording into wav files.

    Args:
        recording: The recording, in any format that PyAV reads.
        folder: Where the pieces go.
        piece_s: Most seconds of a piece.

    Returns:
        When each piece begins, in seconds, and its file. One of the whole if it is short enough.

    Raises:
        ConfigurationError: PyAV is not installed.
        ValueError: It is no recording.
    """
    av = _library()
    most = int(piece_s * RATE)
    pieces: list[tuple[float, Path]] = []
    held = array("h")
    begun = 0
    for samples in _samples(av, recording):
        held.extend(samples)
        while len(held) > most:
            cut = quiet_cut(held[:most])
            pieces.append((begun / RATE, _write(folder, len(pieces), held[:cut])))
            begun += cut
            del held[:cut]
    if held or not pieces:
        pieces.append((begun / RATE, _write(folder, len(pieces), held)))
    return pieces


def quiet_cut(samples: array[int]) -> int:
    """Return where to cut: in the quietest moment near the end, rather than in a word."""
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
            "Cutting long recordings needs PyAV. Install it (`pip install av`), or give shorter "
            "recordings. Nothing was sent."
        )
    return importlib.import_module("av")


def _samples(av: Any, recording: Path) -> Any:
    resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
    try:
        with av.open(str(recording)) as container:
            if not container.streams.audio:
                raise ValueError(f"`{recording.name}` has no sound. Nothing was sent.")
            for frame in container.decode(audio=0):
                yield from map(_plain, resampler.resample(frame))
            yield from map(_plain, resampler.resample(None))
    except av.FFmpegError:
        raise ValueError(f"`{recording.name}` is no recording. Nothing was sent.") from None


def _plain(frame: Any) -> array[int]:
    samples = array("h")
    samples.frombytes(bytes(frame.planes[0])[: frame.samples * _SAMPLE_BYTES])
    return samples


def _write(folder: Path, number: int, samples: array[int]) -> Path:
    path = folder / f"piece-{number:04}.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(_SAMPLE_BYTES)
        file.setframerate(RATE)
        file.writeframes(samples.tobytes())
    return path
