"""Transcripts of audio files as LangChain documents, with times."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypedDict, Unpack

from langchain_core.document_loaders import BaseBlobParser, BaseLoader
from langchain_core.documents import Document
from langchain_core.documents.base import Blob
from pydantic import Field, PrivateAttr, SecretStr

from langchain_runcrate.connection import TimeoutArgument
from langchain_runcrate.errors import translating_errors
from langchain_runcrate.given_clients import GivenClients
from runcrate_core import RequestEvent, RuncrateError
from runcrate_core.toolkit import (
    AudioInput,
    AudioSource,
    Transcriber,
    TranscriptFormat,
    is_account_error,
    map_ordered,
    resolve_audio_sources,
)

if TYPE_CHECKING:
    from runcrate_core.toolkit import TranscriptChunk

TranscriptionSource = AudioInput | Blob
_TRANSCRIBER: Final = Transcriber()


@dataclass(frozen=True, slots=True)
class SkippedAudio:
    """An audio file that was skipped.

    Attributes:
        source: What it is called.
        reason: What was wrong with it.
    """

    source: str
    reason: str


class RuncrateTranscription(GivenClients):
    """Base of parser and loader: transcription settings. Use one of its subclasses."""

    model: str = _TRANSCRIBER.model
    """Identifier of a transcription model."""

    language: str | None = None
    """Spoken language, as a hint (ISO 639-1); detected by default."""

    format: TranscriptFormat = _TRANSCRIBER.format
    """Content of a document: `text`, the complete transcript; `segments`, the model's segments;
    `sentences`; `windows`, so many seconds each; `srt` or `vtt`, a subtitle file."""

    window_s: float = Field(default=_TRANSCRIBER.window_s, gt=0)
    """Seconds of a window."""

    split_s: float | None = Field(default=_TRANSCRIBER.split_s, gt=0)
    """Audio files above 25 MiB are sent in parts of so many seconds if PyAV is installed."""

    def _transcribed(self, audio: AudioSource) -> list[Document]:
        with translating_errors():
            chunks = self._sync_client().run(self._transcriber().chunks(audio))
        return _documents(chunks)

    async def _atranscribed(self, audio: AudioSource) -> list[Document]:
        with translating_errors():
            client = self._async_client()
            chunks = await client.run(self._transcriber().chunks(audio))
        return _documents(chunks)

    def _transcriber(self) -> Transcriber:
        return Transcriber(
            model=self.model,
            language=self.language,
            format=self.format,
            window_s=self.window_s,
            split_s=self.split_s,
        )


class RuncrateTranscriptionParser(RuncrateTranscription, BaseBlobParser):
    """Turn audio blobs into documents, as part of any loader of blobs.

    Use:
        ```python
        from langchain_core.documents.base import Blob
        from langchain_runcrate import RuncrateTranscriptionParser

        parser = RuncrateTranscriptionParser(format="segments")
        for document in parser.lazy_parse(Blob.from_path("call.mp3")):
            print(document.metadata["start"], document.page_content)
        ```

    The metadata of a document holds `source`, `model`, `segment` (its number), and where they are
    known `language` (as the API names it), `duration`, `start` and `end` (seconds). The blob's own
    metadata stands over them. In what is silent there is no document.
    """

    def lazy_parse(self, blob: Blob) -> Iterator[Document]:
        """Yield the transcript of an audio blob.

        Raises:
            ValueError: It is not an audio file.
            OSError: It cannot be read.
            RuncrateError: The request failed.
        """
        yield from self._transcribed(audio_source_of(blob))

    async def alazy_parse(self, blob: Blob) -> AsyncIterator[Document]:
        """Yield the transcript of an audio blob; see `lazy_parse`."""
        for document in await self._atranscribed(audio_source_of(blob)):
            yield document


class TranscriptionLoaderSettings(TypedDict, total=False):
    """The settings of `RuncrateTranscriptionLoader`, for type checkers; see its fields."""

    api_key: SecretStr | str | None
    api_base: str
    base_url: str
    timeout: TimeoutArgument
    request_timeout: TimeoutArgument
    max_retries: int
    default_headers: Mapping[str, str] | None
    http_client: Any
    http_async_client: Any
    on_request: Callable[[RequestEvent], object] | None
    client: Any
    async_client: Any
    model: str
    language: str | None
    format: TranscriptFormat
    window_s: float
    split_s: float | None
    on_error: Literal["raise", "skip"]
    max_concurrency: int


class RuncrateTranscriptionLoader(RuncrateTranscription, BaseLoader):
    """Load the transcripts of audio files.

    Instantiate:
        ```python
        from langchain_runcrate import RuncrateTranscriptionLoader

        loader = RuncrateTranscriptionLoader("recordings", format="windows", window_s=60)
        ```

    Load:
        ```python
        for document in loader.lazy_load():
            print(document.metadata["source"], document.metadata["start"])
        ```

    Async, four files at a time:
        ```python
        async for document in loader.alazy_load():
            print(document.page_content)
        ```

    For the metadata see `RuncrateTranscriptionParser`. A file that is split in the same way
    again gives documents with the same identifiers, so that an index replaces them.

    Args:
        source: The path of a file; that of a directory, for all audio files in it and below; a
            pattern such as `calls/*.mp3`; an https URL; a `Blob`; or several of them.
        settings: The fields below.
    """

    source: Any = Field(repr=False)
    """Location of the audio files."""

    on_error: Literal["raise", "skip"] = "raise"
    """Handling of a file that cannot be transcribed: raise, or skip it with a
    warning and an entry in `skipped`. A refused key, or no credits, is always raised."""

    max_concurrency: int = Field(default=4, ge=1)
    """Maximum number of files at the same time, when loading asynchronously."""

    _skipped: list[SkippedAudio] = PrivateAttr(default_factory=list)

    def __init__(
        self,
        source: TranscriptionSource | Iterable[TranscriptionSource],
        **settings: Unpack[TranscriptionLoaderSettings],
    ) -> None:
        key = settings.get("api_key")
        if isinstance(key, str):
            key = settings["api_key"] = SecretStr(key)  # as in `RuncrateConnection`
        if isinstance(source, Iterator):
            source = list(source)  # such as that of `Path.glob`: a second load reads it again
        values: dict[str, Any] = {"source": source, **settings}
        super().__init__(**values)

    @property
    def skipped(self) -> list[SkippedAudio]:
        """The audio files that the last load skipped."""
        return list(self._skipped)

    def lazy_load(self) -> Iterator[Document]:
        """Yield the transcripts, one audio file after another.

        Raises:
            ValueError: A file is not an audio file; it is named.
            OSError: A file cannot be read; it is named.
            RuncrateError: A request failed; the file is named.
        """
        self._skipped.clear()
        for audio in _audio_sources(self.source):
            try:
                documents = self._transcribed(audio)
            except (RuncrateError, ValueError, OSError) as error:
                self._skip(audio, error)
            else:
                yield from documents

    async def alazy_load(self) -> AsyncIterator[Document]:
        """Yield the transcripts in order, working on several files at once."""
        self._skipped.clear()
        audio_files = await asyncio.to_thread(list, _audio_sources(self.source))
        results = map_ordered(self._result, audio_files, max_concurrency=self.max_concurrency)
        try:
            async for audio, result in results:
                if isinstance(result, Exception):
                    self._skip(audio, result)
                    continue
                for document in result:
                    yield document
        finally:
            await results.aclose()

    async def _result(self, audio: AudioSource) -> tuple[AudioSource, list[Document] | Exception]:
        try:
            return audio, await self._atranscribed(audio)
        except (RuncrateError, ValueError, OSError) as error:
            return audio, error

    def _skip(self, audio: AudioSource, error: Exception) -> None:
        if self.on_error == "raise" or is_account_error(error):
            raise error
        self._skipped.append(SkippedAudio(audio.source, str(error)))
        warnings.warn(f"Skipped {audio.source}: {error}", stacklevel=3)


def audio_source_of(blob: Blob) -> AudioSource:
    """Return a blob as an audio source; its bytes stay on the disk if they are there."""
    known: dict[str, Any] = {"metadata": blob.metadata}
    if blob.source is not None:
        known["source"] = blob.source
    if blob.data is None and blob.path is not None:
        return AudioSource.of_path(blob.path, **known)
    if blob.path is not None:
        known |= {"filename": Path(blob.path).name, "identity": str(blob.path)}
    return AudioSource.of_bytes(blob.as_bytes(), **known)


def _audio_sources(
    source: TranscriptionSource | Iterable[TranscriptionSource],
) -> Iterator[AudioSource]:
    if isinstance(source, Blob):
        yield audio_source_of(source)
    elif isinstance(source, Iterable) and not isinstance(source, str | bytes):
        for each in source:
            yield from _audio_sources(each)
    else:
        yield from resolve_audio_sources(source)


def _documents(chunks: tuple[TranscriptChunk, ...]) -> list[Document]:
    return [
        Document(id=passage.id, page_content=passage.text, metadata=passage.metadata)
        for passage in chunks
    ]
