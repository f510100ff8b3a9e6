"""Sound in files: reading what people upload, writing what the emulator speaks."""

import io
import sys
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import av
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.error import FFmpegError

from runcrate_emulator.media.container_formats import container_format

__all__ = [
    "LISTENING_RATE_HZ",
    "SPEECH_RATE_HZ",
    "Samples",
    "Sound",
    "SoundFileError",
    "SoundTooLongError",
    "pcm_bytes",
    "read_sound",
    "speech_frames",
    "to_mp3",
]

LISTENING_RATE_HZ = 8000
"""Sound is read at a telephone's rate: the word code survives it, and it is quick to search."""

SPEECH_RATE_HZ = 24_000
"""Sample rate of the speech that the emulator writes, MP3 and PCM alike."""

_MP3_BITS_PER_SECOND = 64_000
_MP3_OPTIONS = {"compression_level": "7"}  # quick; the finer searches change nothing audible here
_SECONDS_PER_FRAME = 1


Samples: TypeAlias = "array[int]"
"""Signed 16-bit samples of one channel, typecode `h`. (Quoted: Python 3.11 cannot subscript it.)"""


class SoundFileError(ValueError):
    """A file that holds no sound the emulator can read."""


class SoundTooLongError(SoundFileError):
    """A file whose sound is longer than the caller allows."""


@dataclass(frozen=True)
class Sound:
    """Sound in memory: one channel, 16 bit."""

    samples: Samples
    rate_hz: int = LISTENING_RATE_HZ

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return len(self.samples) / self.rate_hz


def read_sound(data: bytes, *, longest_s: float) -> Sound:
    """Read the first audio track of a WAV, MP3, FLAC, Ogg, WebM, MP4 or M4A file.

    Args:
        data: The file.
        longest_s: Longest sound to accept in seconds; reading stops there.

    Raises:
        SoundFileError: The file is of another kind, is broken, or has no audio track.
        SoundTooLongError: The sound is longer than `longest_s`.
    """
    kind = container_format(data)
    if kind is None:
        raise SoundFileError("it is none of WAV, MP3, FLAC, Ogg, WebM, MP4 and M4A")
    samples: Samples = array("h")
    try:
        for frame in _frames(data, kind):
            samples.frombytes(_frame_bytes(frame))
            if len(samples) > longest_s * LISTENING_RATE_HZ:
                raise SoundTooLongError(f"its sound is longer than {longest_s:g} s")
    except (FFmpegError, UnicodeDecodeError, ValueError) as error:
        if isinstance(error, SoundFileError):
            raise
        raise SoundFileError("it is broken or its sound is coded in an unknown way") from None
    if not samples:
        raise SoundFileError("its audio track is empty")
    if sys.byteorder == "big":
        samples.byteswap()
    return Sound(samples)


def to_mp3(samples: Samples) -> bytes:
    """Encode speech as a mono MP3 file of `SPEECH_RATE_HZ`."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp3") as container:
        stream = container.add_stream(
            "libmp3lame", rate=SPEECH_RATE_HZ, layout="mono", options=dict(_MP3_OPTIONS)
        )
        stream.bit_rate = _MP3_BITS_PER_SECOND
        for frame in speech_frames(samples):
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


def pcm_bytes(samples: Samples) -> bytes:
    """Return samples as signed 16-bit little-endian bytes without a header."""
    if sys.byteorder == "little":
        return samples.tobytes()
    swapped = array("h", samples)
    swapped.byteswap()
    return swapped.tobytes()


def speech_frames(samples: Samples) -> Iterator[AudioFrame]:
    """Cut speech into the frames that an encoder takes."""
    size = SPEECH_RATE_HZ * _SECONDS_PER_FRAME
    for start in range(0, len(samples), size):
        piece = samples[start : start + size]
        frame = AudioFrame(format="s16", layout="mono", samples=len(piece))
        frame.sample_rate = SPEECH_RATE_HZ
        frame.pts = start
        frame.planes[0].update(piece.tobytes())
        yield frame


def _frames(data: bytes, kind: str) -> Iterator[AudioFrame]:
    resampler = AudioResampler(format="s16", layout="mono", rate=LISTENING_RATE_HZ)
    with av.open(io.BytesIO(data), "r", format=kind) as container:
        tracks = container.streams.audio
        if not tracks:
            raise SoundFileError("it has no audio track")
        for frame in _decoded(container, tracks[0]):
            yield from resampler.resample(frame)
        yield from resampler.resample(None)


def _decoded(container: av.container.InputContainer, track: AudioStream) -> Iterator[AudioFrame]:
    for packet in container.demux(track):
        try:
            yield from packet.decode()
        except av.error.InvalidDataError:
            continue  # as players do: a damaged packet is skipped, the rest is still heard


def _frame_bytes(frame: AudioFrame) -> bytes:
    return bytes(frame.planes[0])[: frame.samples * 2]
