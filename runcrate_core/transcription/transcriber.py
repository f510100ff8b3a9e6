"""Transcribe audio files, long ones in parts, into chunks with times and metadata."""

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
from runcrate_core.protocol.downloads import download_flow
from runcrate_core.protocol.media import MediaInput, is_url
from runcrate_core.protocol.steps import Flow, RunInThread
from runcrate_core.transcription.audio_sources import AudioSource
from runcrate_core.transcription.audio_splitter import can_split, split_audio
from runcrate_core.transcription.segment import Segment
from runcrate_core.transcription.subtitles import read_subtitles
from runcrate_core.transcription.transcript import (
    TIMED,
    Transcript,
    TranscriptFormat,
    join_transcripts,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runcrate_core.api.audio import Transcription

# The maximum upload of most transcription providers.
MAX_UPLOAD_BYTES: Final = 25 * 1024 * 1024
# These concern the account, not one audio file.
_ACCOUNT_ERRORS: Final = (
    ConfigurationError,
    AuthenticationError,
    InsufficientCreditsError,
    PermissionDeniedError,
)


@dataclass(frozen=True, slots=True)
class TranscriptChunk:
    """A part of a transcript, ready to be a document.

    Attributes:
        text: Its text, or a subtitle file.
        metadata: `source`, `model`, and where they are known `language` (as the API names it),
            `duration`, `start` and `end` (seconds); `segment`, its number from 0. Metadata of the
            source takes precedence. JSON values, if that metadata is.
        id: Stays the same when the same audio is transcribed into the same chunks again.
    """

    text: str
    metadata: dict[str, Any]
    id: str


@dataclass(frozen=True)
class Transcriber:
    """Settings of a transcription.

    Attributes:
        model: Identifier of a transcription model.
        language: The spoken language, as a hint (ISO 639-1); detected by the model by default.
        format: The chunks of the transcript; some formats need the times of the words.
        window_s: Seconds of a chunk with the format `windows`.
        split_s: Audio files larger than 25 MiB are split into parts of so many seconds where PyAV
            is installed; `None` never splits.

    Raises:
        ValueError: `format` or `window_s` is not usable.
    """

    model: str = "openai/whisper-1"
    language: str | None = None
    format: TranscriptFormat = "text"
    window_s: float = 30.0
    split_s: float | None = 600.0

    def __post_init__(self) -> None:
        Transcript("").split(self.format, self.window_s)  # refuses both before they are paid for

    def chunks(self, source: AudioSource) -> Flow[tuple[TranscriptChunk, ...]]:
        """Transcribe an audio file into chunks with metadata.

        Returns:
            The chunks that have text: none for silence.

        Raises:
            ValueError: It is not an audio file, or cannot be fetched; the message names it.
            OSError: It cannot be read; the message names it.
            RuncrateError: See `audio.transcriptions.create`; the message names the file.
        """
        try:
            transcript = yield from self.transcribe(source.media, source.filename)
        except RuncrateError as error:
            error.message = f"`{source.source}` was not transcribed. {error.message}"
            error.args = (error.message,)
            raise
        except ValueError as error:
            raise ValueError(f"`{source.source}` was not transcribed. {error}") from None
        return tuple(self._chunks_of(source, transcript))

    def _chunks_of(self, source: AudioSource, transcript: Transcript) -> Iterator[TranscriptChunk]:
        window = f"/{self.window_s:g}" if self.format == "windows" else ""
        for number, segment in enumerate(transcript.split(self.format, self.window_s)):
            if not segment.text.strip():
                continue
            values = {
                "source": source.source,
                "model": transcript.model or self.model,
                "language": transcript.language,
                "duration": transcript.duration,
                "start": segment.start,
                "end": segment.end,
                "segment": number,
            }
            known = {name: value for name, value in values.items() if value is not None}
            name = f"{source.identity}#{self.format}{window}#{number}"
            identifier = str(uuid.uuid5(uuid.NAMESPACE_URL, name))
            yield TranscriptChunk(segment.text, known | dict(source.metadata), identifier)

    def transcribe(self, media: MediaInput, filename: str | None = None) -> Flow[Transcript]:
        """Transcribe an audio file.

        Args:
            media: A `Path`, bytes, a binary file object, a data URI or an https URL.
            filename: Its file name, where it has none of its own.

        Raises:
            ValueError: It is not an audio file, or its URL failed; nothing was transcribed.
            RuncrateError: See `audio.transcriptions.create`.
        """
        directory: Path | None = None
        try:
            if isinstance(media, str) and is_url(media.strip()):
                # Downloaded once, however many requests and parts it takes.
                directory = yield from RunInThread(_make_directory)
                media = yield from _download(media.strip(), directory)
            elif isinstance(media, bytes) and len(media) > MAX_UPLOAD_BYTES:
                directory = yield from RunInThread(_make_directory)
                content, media = media, directory / Path(filename or "audio").name
                yield from RunInThread(functools.partial(media.write_bytes, content))
            return (yield from self._transcribe_local(media, filename))
        finally:
            _remove(directory)

    def _transcribe_local(self, media: MediaInput, filename: str | None) -> Flow[Transcript]:
        if self.split_s is not None and isinstance(media, Path):
            size = yield from RunInThread(lambda: media.stat().st_size)
            if size > MAX_UPLOAD_BYTES and can_split():
                return (yield from self._transcribe_parts(media, self.split_s))
        return (yield from self._transcribe_complete(media, filename))

    def _transcribe_complete(
        self, media: MediaInput, filename: str | None = None
    ) -> Flow[Transcript]:
        transcription = yield from audio.create_transcription(
            media,
            model=self.model,
            language=self.language,
            response_format="json",
            filename=filename,
        )
        segments = timed_segments(transcription)
        if not segments and self.format in TIMED and transcription.text.strip():
            # Times in JSON are not promised; subtitles always have them. This is a second
            # transcription, and billed as one.
            subtitles = yield from audio.create_transcription(
                media,
                model=self.model,
                language=self.language,
                response_format="srt",
                filename=filename,
            )
            segments = read_subtitles(subtitles.text)
        ends = [segment.end for segment in segments if segment.end is not None]
        return Transcript(
            text=transcription.text.strip(),
            segments=segments,
            language=transcription.language or self.language,
            duration=(
                max(ends, default=None)
                if transcription.duration is None
                else transcription.duration
            ),
            model=self.model,
        )

    def _transcribe_parts(self, path: Path, part_s: float) -> Flow[Transcript]:
        directory = yield from RunInThread(_make_directory)
        try:
            split = functools.partial(split_audio, path, directory, part_s)
            parts: list[tuple[float, Transcript]] = []
            for start, part in (yield from RunInThread(split)):
                parts.append((start, (yield from self._transcribe_complete(part))))
            return join_transcripts(parts)
        finally:
            _remove(directory)


def is_account_error(error: Exception) -> bool:
    """Return whether a failure concerns every audio file: the key, its permissions, the credits.

    Skipping one bad file is sensible, skipping all of them is not.
    """
    return isinstance(error, _ACCOUNT_ERRORS)


def timed_segments(transcription: Transcription) -> tuple[Segment, ...]:
    """Return the segments of a transcription; none if the times of none are known.

    A time that is not known is that of the segment before, so that no text is lost.
    """
    parts = transcription.segments or ()
    if not any(part.start is not None and part.end is not None for part in parts):
        return ()
    segments: list[Segment] = []
    at = 0.0
    for part in parts:
        start = at if part.start is None else part.start
        at = start if part.end is None else part.end
        segments.append(Segment(part.text.strip(), start, at))
    return tuple(segments)


def _download(url: str, directory: Path) -> Flow[Path]:
    try:
        return (yield from download_flow(url, directory / "audio", media="audio"))
    except APIStatusError as error:
        # The status of another host is not about the key.
        raise ValueError(
            f"Its URL responded with status {error.status_code}; it may have expired."
        ) from None


def _make_directory() -> Path:
    return Path(tempfile.mkdtemp(prefix="runcrate-"))


def _remove(directory: Path | None) -> None:
    # Not a step: it also has to happen when the flow is closed.
    if directory is not None:
        shutil.rmtree(directory, ignore_errors=True)
