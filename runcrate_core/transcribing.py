"""Recordings to transcripts, with times, languages and long files: for both frameworks."""

from __future__ import annotations

import functools
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from runcrate_core.api import audio
from runcrate_core.io.audio_pieces import can_split, split_recording
from runcrate_core.protocol.steps import Do
from runcrate_core.protocol.transcripts import (
    TIMED,
    Segment,
    Transcript,
    TranscriptFormat,
    joined,
    read_subtitles,
)

if TYPE_CHECKING:
    from runcrate_core.api.audio import Transcription
    from runcrate_core.protocol.media import MediaInput
    from runcrate_core.protocol.steps import Flow

# What a transcription of a recording is asked for by most providers at once, at the most.
LARGEST_UPLOAD: Final = 25 * 1024 * 1024
AUDIO_SUFFIXES: Final = (".flac", ".m4a", ".mp3", ".mp4", ".ogg", ".wav", ".webm")


@dataclass(frozen=True)
class Transcriber:
    """How recordings are listened to.

    Attributes:
        model: Identifier of a transcription model.
        language: What is spoken, as a hint (ISO 639-1); found out by the model when not given.
        format: In what pieces the transcript is wanted; tells whether times are needed.
        window_s: Seconds of a piece with the format `windows`.
        split_s: Recordings on disk that are larger than 25 MiB are cut into pieces of so many
            seconds where PyAV is installed; `None` never cuts.
    """

    model: str = "openai/whisper-1"
    language: str | None = None
    format: TranscriptFormat = "text"
    window_s: float = 30.0
    split_s: float | None = 600.0

    def pieces(self, transcript: Transcript) -> tuple[Segment, ...]:
        """Return a transcript in the pieces that were asked for."""
        return transcript.pieces(self.format, self.window_s)

    def listen(self, recording: MediaInput, filename: str | None = None) -> Flow[Transcript]:
        """Return what is said in a recording.

        Args:
            recording: A `Path`, bytes, a binary file object, a data URI or an https URL.
            filename: What to call it, where it has no name of its own.

        Raises:
            ValueError: It is no recording; nothing was sent.
            RuncrateError: See `audio.transcriptions.create`.
        """
        if self.split_s is not None and isinstance(recording, Path):
            size = yield from Do(lambda: recording.stat().st_size)
            if size > LARGEST_UPLOAD and can_split():
                return (yield from self._in_parts(recording, self.split_s))
        return (yield from self._whole(recording, filename))

    def _whole(self, recording: MediaInput, filename: str | None = None) -> Flow[Transcript]:
        told = yield from audio.create_transcription(
            recording,
            model=self.model,
            language=self.language,
            response_format="json",
            filename=filename,
        )
        segments = segments_of(told)
        if not segments and self.format in TIMED and told.text.strip():
            # Times in JSON are not promised; subtitles always have them. This is a second
            # transcription, and paid for.
            subtitles = yield from audio.create_transcription(
                recording,
                model=self.model,
                language=self.language,
                response_format="srt",
                filename=filename,
            )
            segments = read_subtitles(subtitles.text)
        ends = [segment.end for segment in segments if segment.end is not None]
        return Transcript(
            text=told.text.strip(),
            segments=segments,
            language=told.language or self.language,
            duration=told.duration if told.duration is not None else max(ends, default=None),
            model=self.model,
        )

    def _in_parts(self, recording: Path, piece_s: float) -> Flow[Transcript]:
        folder = yield from Do(lambda: Path(tempfile.mkdtemp(prefix="runcrate-")))
        try:
            cut = functools.partial(split_recording, recording, folder, piece_s)
            heard: list[tuple[float, Transcript]] = []
            for start, piece in (yield from Do(cut)):
                heard.append((start, (yield from self._whole(piece))))
            return joined(heard)
        finally:
            # Not a step: it also has to happen when nothing can be asked for any more.
            shutil.rmtree(folder, ignore_errors=True)


def segments_of(told: Transcription) -> tuple[Segment, ...]:
    """Return the parts of a transcription whose times are known."""
    return tuple(
        Segment(part.text.strip(), part.start, part.end)
        for part in told.segments or ()
        if part.start is not None and part.end is not None
    )
