"""Recordings as LangChain documents: what is said in them, and when."""

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
    """A recording that was passed over.

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
    """Recordings above 25 MiB are sent in parts of so many seconds where PyAV is installed."""

    def _listened(self, recording: AudioSource) -> list[Document]:
        with translating_errors():
            chunks = self._sync_client().run(self._transcriber().chunks(recording))
        return _documents(chunks)

    async def _alistened(self, recording: AudioSource) -> list[Document]:
        with translating_errors():
            client = self._async_client()
            chunks = await client.run(self._transcriber().chunks(recording))
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
    """Turn recordings into documents, as part of any loader of blobs.

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
        """Yield what is said in a recording.

        Raises:
            ValueError: It is no recording.
            OSError: It cannot be read.
            RuncrateError: The request failed.
        """
        yield from self._listened(audio_source_of(blob))

    async def alazy_parse(self, blob: Blob) -> AsyncIterator[Document]:
        """Yield what is said in a recording without blocking the event loop; see `lazy_parse`."""
        for document in await self._alistened(audio_source_of(blob)):
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
    """Load what is said in recordings.

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

    Async, four recordings at a time:
        ```python
        async for document in loader.alazy_load():
            print(document.page_content)
        ```

    For the metadata see `RuncrateTranscriptionParser`. Identifiers of documents stay the same when
    a recording is loaded in the same pieces again, so that an index replaces rather than repeats.

    Args:
        source: The path of a file; that of a folder, for all recordings in it and within it; a
            pattern such as `calls/*.mp3`; an https address; a `Blob`; or several of them.
        settings: The fields below.
    """

    source: Any = Field(repr=False)
    """Where the recordings are."""

    on_error: Literal["raise", "skip"] = "raise"
    """Handling of a file that cannot be transcribed: raise, or skip it with a
    warning and an entry in `skipped`. A refused key, or no credits, is always raised."""

    max_concurrency: int = Field(default=4, ge=1)
    """Most recordings at the same time, when loading asynchronously."""

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
        """The recordings that the last load passed over."""
        return list(self._skipped)

    def lazy_load(self) -> Iterator[Document]:
        """Yield what is said in the recordings, one recording after another.

        Raises:
            ValueError: A file is no recording; it is named.
            OSError: A file cannot be read; it is named.
            RuncrateError: A request failed; the recording is named.
        """
        self._skipped.clear()
        for recording in _recordings(self.source):
            try:
                documents = self._listened(recording)
            except (RuncrateError, ValueError, OSError) as error:
                self._pass_over(recording, error)
            else:
                yield from documents

    async def alazy_load(self) -> AsyncIterator[Document]:
        """Yield what is said in the recordings, in order, working on several at once."""
        self._skipped.clear()
        recordings = await asyncio.to_thread(list, _recordings(self.source))
        results = map_ordered(self._result, recordings, max_concurrency=self.max_concurrency)
        try:
            async for recording, result in results:
                if isinstance(result, Exception):
                    self._pass_over(recording, result)
                    continue
                for document in result:
                    yield document
        finally:
            await results.aclose()

    async def _result(
        self, recording: AudioSource
    ) -> tuple[AudioSource, list[Document] | Exception]:
        try:
            return recording, await self._alistened(recording)
        except (RuncrateError, ValueError, OSError) as error:
            return recording, error

    def _pass_over(self, recording: AudioSource, error: Exception) -> None:
        if self.on_error == "raise" or is_account_error(error):
            raise error
        self._skipped.append(SkippedAudio(recording.source, str(error)))
        warnings.warn(f"Skipped {recording.source}: {error}", stacklevel=3)


def audio_source_of(blob: Blob) -> AudioSource:
    """Return the recording that a blob is; its bytes stay on the disk if they are there."""
    known: dict[str, Any] = {"metadata": blob.metadata}
    if blob.source is not None:
        known["source"] = blob.source
    if blob.data is None and blob.path is not None:
        return AudioSource.of_path(blob.path, **known)
    if blob.path is not None:
        known |= {"filename": Path(blob.path).name, "identity": str(blob.path)}
    return AudioSource.of_bytes(blob.as_bytes(), **known)


def _recordings(
    source: TranscriptionSource | Iterable[TranscriptionSource],
) -> Iterator[AudioSource]:
    if isinstance(source, Blob):
        yield audio_source_of(source)
    elif isinstance(source, Iterable) and not isinstance(source, str | bytes):
        for each in source:
            yield from _recordings(each)
    else:
        yield from resolve_audio_sources(source)


def _documents(chunks: tuple[TranscriptChunk, ...]) -> list[Document]:
    return [
        Document(id=passage.id, page_content=passage.text, metadata=passage.metadata)
        for passage in chunks
    ]
