"""Audio files: reading those that clients upload, writing the speech of the emulator."""

import contextlib
import hashlib
import io
import wave
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

import av
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.error import FFmpegError

SPEECH_RATE_HZ: Final = 24_000
"""Sample rate of the speech that the emulator writes, MP3 and PCM alike."""

_READ_RATE_HZ: Final = 8_000
_MP3_BITS_PER_SECOND: Final = 64_000
_MP3_OPTIONS: Final = {"compression_level": "7"}  # quick; finer searches change nothing audible
_TAG: Final = "comment"
# Without it FFmpeg would also read playlists, and open what they name.
_FORMATS: Final = {"format_whitelist": "wav,mp3,flac,ogg,matroska,webm,mov,mp4,m4a"}

Samples: TypeAlias = "array[int]"
"""Signed 16-bit samples of one channel, typecode `h`. (Quoted: Python 3.11 cannot subscript it.)"""


class AudioFileError(Exception):
    """A file without audio that the emulator can read."""


@dataclass(frozen=True)
class Audio:
    """The facts about an audio file that a transcription needs.

    Attributes:
        seconds: Its length.
        is_silent: Whether every sample is zero.
        comment: Its metadata comment, or "".
        pcm_sha256: Digest of the samples of a WAV file; None for other formats.
    """

    seconds: float
    is_silent: bool
    comment: str
    pcm_sha256: str | None


def read_audio(data: bytes, *, max_s: float) -> Audio:
    """Read the first audio track of a WAV, MP3, FLAC, Ogg, WebM, MP4 or M4A file.

    Reading stops when the audio turns out to be longer than `max_s`.

    Raises:
        AudioFileError: The file is of another kind, is broken, or has no audio track.
    """
    count, is_silent = 0, True
    try:
        with av.open(io.BytesIO(data), "r", options=dict(_FORMATS)) as container:
            if not container.streams.audio:
                raise AudioFileError("it has no audio track")
            tags = {**container.metadata, **container.streams.audio[0].metadata}
            for frame in _frames(container):
                count += frame.samples
                is_silent = is_silent and not any(bytes(frame.planes[0])[: frame.samples * 2])
                if count > max_s * _READ_RATE_HZ:
                    break
    except (FFmpegError, ValueError):
        raise AudioFileError("it is broken, or not WAV, MP3, FLAC, Ogg, WebM, MP4 or M4A") from None
    if not count:
        raise AudioFileError("its audio track is empty")
    comment = next((text for name, text in tags.items() if name.lower() == _TAG), "")
    digest = None
    with contextlib.suppress(wave.Error, EOFError), wave.open(io.BytesIO(data)) as file:
        digest = hashlib.sha256(file.readframes(file.getnframes())).hexdigest()
    return Audio(count / _READ_RATE_HZ, is_silent, comment, digest)


def _frames(container: "av.container.InputContainer") -> Iterator[AudioFrame]:
    track = container.streams.audio[0]
    resampler = AudioResampler(format="s16", layout="mono", rate=_READ_RATE_HZ)
    for packet in container.demux(track):
        try:
            frames = packet.decode()
        except av.error.InvalidDataError:
            continue  # as players do: a damaged packet is skipped, the rest still plays
        for frame in frames:
            yield from resampler.resample(frame)
    yield from resampler.resample(None)


def to_mp3(samples: Samples, comment: str = "") -> bytes:
    """Encode speech as a mono MP3 file of `SPEECH_RATE_HZ`, with a metadata comment."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp3") as container:
        container.metadata[_TAG] = comment
        stream = container.add_stream(
            "libmp3lame", rate=SPEECH_RATE_HZ, layout="mono", options=dict(_MP3_OPTIONS)
        )
        stream.bit_rate = _MP3_BITS_PER_SECOND
        frame = AudioFrame(format="s16", layout="mono", samples=len(samples))
        frame.sample_rate = SPEECH_RATE_HZ
        frame.planes[0].update(samples.tobytes())
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()
