"""Recordings to transcripts, with times, languages and long files: for both frameworks."""

from __future__ import annotations

import functools
import shutil
import tempfile
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from runcrate_core.api import audio
from runcrate_core.errors import (
    APIStatusError,
    AuthenticationError,
    ConfigurationError,
    InsufficientCreditsError,
    PermissionDeniedError,
    RuncrateError,
)
from runcrate_core.io.audio_splitter import can_split, split_audio
from runcrate_core.protocol.downloads import download_flow
from runcrate_core.protocol.media import is_url
from runcrate_core.protocol.steps import RunInThread
from runcrate_core.protocol.transcripts import (
    TIMED,
    Segment,
    Transcript,
    TranscriptFormat,
    joined,
    read_subtitles,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runcrate_core.api.audio import Transcription
    from runcrate_core.audio_sources import AudioSource
    from runcrate_core.protocol.media import MediaInput
    from runcrate_core.protocol.steps import Flow

# What a transcription of a recording is asked for by most providers at once, at the most.
MAX_UPLOAD_BYTES: Final = 25 * 1024 * 1024
# They say something of the account, not of one recording.
_OF_THE_ACCOUNT: Final = (
    ConfigurationError,
    AuthenticationError,
    InsufficientCreditsError,
    PermissionDeniedError,
)


@dataclass(frozen=True, slots=True)
class TranscriptChunk:
    """A part of a transcript, ready to be a document.

    Attributes:
        text: What is said in it, or a subtitle file.
        metadata: `source`, `model`, and where they are known `language` (as the API names it),
            `duration`, `start` and `end` (seconds); `segment`, its number from 0. Values of the
            recording's own metadata stand over them. JSON values, as far as those are.
        id: Stays the same when the same recording is transcribed in the same pieces again.
    """

    text: str
    metadata: dict[str, Any]
    id: str


@dataclass(frozen=True)
class Transcriber:
    """How recordings are listened to.

    Attributes:
        model: Identifier of a transcription model.
        language: What is spoken, as a hint (ISO 639-1); found out by the model when not given.
        format: In what pieces the transcript is wanted; tells whether times are needed.
        window_s: Seconds of a piece with the format `windows`.
        split_s: Recordings that are larger than 25 MiB are cut into pieces of so many seconds
            where PyAV is installed; `None` never cuts.
    """

    model: str = "openai/whisper-1"
    language: str | None = None
    format: TranscriptFormat = "text"
    window_s: float = 30.0
    split_s: float | None = 600.0

    def pieces(self, transcript: Transcript) -> tuple[Segment, ...]:
        """Return a transcript in the pieces that were asked for."""
        return transcript.pieces(self.format, self.window_s)

    def chunks(self, recording: AudioSource) -> Flow[tuple[TranscriptChunk, ...]]:
        """Return what is said in a recording, in pieces that know where they are from.

        Returns:
            The pieces in which something is said: none for a recording of silence.

        Raises:
            ValueError: It is no recording, or cannot be fetched; it is named.
            OSError: It cannot be read; it is named.
            RuncrateError: See `audio.transcriptions.create`; the recording is named.
        """
        try:
            transcript = yield from self.transcribe(recording.media, recording.filename)
        except RuncrateError as error:
            error.message = f"`{recording.source}` was not transcribed. {error.message}"
            error.args = (error.message,)
            raise
        except ValueError as error:
            raise ValueError(f"`{recording.source}` was not transcribed. {error}") from None
        return tuple(self._passages(recording, transcript))

    def _passages(
        self, recording: AudioSource, transcript: Transcript
    ) -> Iterator[TranscriptChunk]:
        window = f"/{self.window_s:g}" if self.format == "windows" else ""
        for number, piece in enumerate(self.pieces(transcript)):
            if not piece.text.strip():
                continue
            found = {
                "source": recording.source,
                "model": transcript.model or self.model,
                "language": transcript.language,
                "duration": transcript.duration,
                "start": piece.start,
                "end": piece.end,
                "segment": number,
            }
            known = {name: value for name, value in found.items() if value is not None}
            name = f"{recording.identity}#{self.format}{window}#{number}"
            identifier = str(uuid.uuid5(uuid.NAMESPACE_URL, name))
            yield TranscriptChunk(piece.text, known | dict(recording.metadata), identifier)

    def transcribe(self, recording: MediaInput, filename: str | None = None) -> Flow[Transcript]:
        """Return what is said in a recording.

        Args:
            recording: A `Path`, bytes, a binary file object, a data URI or an https URL.
            filename: What to call it, where it has no name of its own.

        Raises:
            ValueError: It is no recording, or was refused at its address; nothing was transcribed.
            RuncrateError: See `audio.transcriptions.create`.
        """
        folder: Path | None = None
        try:
            if isinstance(recording, str) and is_url(recording.strip()):
                # Once, however often and in however many parts it has to be sent.
                folder = yield from RunInThread(_new_folder)
                recording = yield from _fetched(recording.strip(), folder)
            elif isinstance(recording, bytes) and len(recording) > MAX_UPLOAD_BYTES:
                folder = yield from RunInThread(_new_folder)
                content, recording = recording, folder / Path(filename or "audio").name
                yield from RunInThread(functools.partial(recording.write_bytes, content))
            return (yield from self._at_hand(recording, filename))
        finally:
            _remove(folder)

    def _at_hand(self, recording: MediaInput, filename: str | None) -> Flow[Transcript]:
        if self.split_s is not None and isinstance(recording, Path):
            size = yield from RunInThread(lambda: recording.stat().st_size)
            if size > MAX_UPLOAD_BYTES and can_split():
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
        folder = yield from RunInThread(_new_folder)
        try:
            cut = functools.partial(split_audio, recording, folder, piece_s)
            heard: list[tuple[float, Transcript]] = []
            for start, piece in (yield from RunInThread(cut)):
                heard.append((start, (yield from self._whole(piece))))
            return joined(heard)
        finally:
            _remove(folder)


def is_of_the_account(error: Exception) -> bool:
    """Return whether a failure concerns all recordings: the key, its permissions, the credits.

    To pass over one bad recording is sensible, to pass over all of them is not.
    """
    return isinstance(error, _OF_THE_ACCOUNT)


def segments_of(told: Transcription) -> tuple[Segment, ...]:
    """Return the parts of a transcription whose times are known."""
    return tuple(
        Segment(part.text.strip(), part.start, part.end)
        for part in told.segments or ()
        if part.start is not None and part.end is not None
    )


def _fetched(url: str, folder: Path) -> Flow[Path]:
    try:
        return (yield from download_flow(url, folder / "audio", media="audio"))
    except APIStatusError as error:
        # A refusal by the host of the recording says nothing of the key.
        raise ValueError(
            f"Its address answered with status {error.status_code}; it may have expired."
        ) from None


def _new_folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="runcrate-"))


def _remove(folder: Path | None) -> None:
    # Not a step: it also has to happen when nothing can be asked for any more.
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)
