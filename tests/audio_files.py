"""Audio files for the tests of loaders and readers: speech that the emulator recognizes again."""

from __future__ import annotations

import functools
import io
import os
import wave
from pathlib import Path

from runcrate_emulator.media.audio_files import to_mp3
from runcrate_emulator.media.speech import speak

RATE = 24_000
GREETING = "Good morning everyone. The budget is forty thousand dollars."
FAREWELL = "Thank you. See you on Friday."


@functools.cache
def samples_of(text: str) -> bytes:
    """Return speech as bare samples."""
    return speak(text)[0].tobytes()


@functools.cache
def spoken(text: str, suffix: str = ".mp3") -> bytes:
    """Return speech as a file: mp3, wav, or the container of another suffix, with any codec."""
    samples, made = speak(text)
    if suffix == ".mp3":
        return to_mp3(samples, made.comment)
    return _converted(io.BytesIO(wav(samples.tobytes())), suffix, made.comment)


def wav(samples: bytes, rate: int = RATE) -> bytes:
    """Return bare samples of 16 bits as a WAV file."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(rate)
        writer.writeframes(samples)
    return file.getvalue()


def silence() -> bytes:
    """Return a WAV file with a second of silence."""
    return wav(bytes(2 * RATE))


def write_recordings(folder: Path, **texts: str) -> list[Path]:
    """Write mp3 files and return them in the order of their names."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{name}.mp3" for name in sorted(texts)]
    for path in paths:
        path.write_bytes(spoken(texts[path.stem]))
    return paths


_CODECS = {
    ".flac": ("flac", "flac"),
    ".m4a": ("ipod", "aac"),
    ".mp4": ("mp4", "aac"),
    ".ogg": ("ogg", "libopus"),
    ".wav": ("wav", "pcm_s16le"),
    ".webm": ("webm", "libopus"),
}


def _converted(plain: io.BytesIO, suffix: str, comment: str) -> bytes:
    import av

    container, codec = _CODECS[suffix]
    plain.seek(0)
    made = io.BytesIO()
    with av.open(plain) as source, av.open(made, "w", format=container) as target:
        target.metadata["comment"] = comment
        rate = 48_000 if codec == "libopus" else RATE
        stream = target.add_stream(codec, rate=rate, layout="mono")
        stream.bit_rate = 96_000
        for frame in [*source.decode(audio=0), None]:
            target.mux(stream.encode(frame))
    return made.getvalue()


def name_of(source: object) -> str:
    """Return the name of the file that a document is from."""
    return os.path.basename(str(source))  # noqa: PTH119 - addresses too
