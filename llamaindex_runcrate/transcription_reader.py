"""Transcripts of audio files as LlamaIndex documents, with times."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, Final, TypeVar

from llama_index.core.bridge.pydantic import Field
from llama_index.core.readers.base import BasePydanticReader, BaseReader
from llama_index.core.schema import Document, MediaResource

from llamaindex_runcrate.clients import Connected
from runcrate_core.toolkit import (
    AUDIO_SUFFIXES,
    AudioInput,
    AudioSource,
    Transcriber,
    TranscriptChunk,
    TranscriptFormat,
    map_ordered,
    resolve_audio_sources,
)

if TYPE_CHECKING:
    from runcrate_core import AsyncRuncrate, Runcrate

C = TypeVar("C", "Runcrate", "AsyncRuncrate")

_TRANSCRIBER: Final = Transcriber()
# They add nothing to the text; `source`, `start` and `end` are the evidence of a response.
_NOT_FOR_LLM: Final = ("model", "language", "duration", "segment")
_NOT_FOR_EMBEDDING: Final = ("source", "start", "end", *_NOT_FOR_LLM)


class RuncrateTranscriptionReader(Connected, BasePydanticReader):
    """Reads the transcripts of audio files.

    The metadata of a document holds `source`, `model`, `segment` (its number), and where they are
    known `language` (as the API names it), `duration`, `start` and `end` (seconds). Embeddings are
    made without them, and a language model sees the source and the times. In what is silent there
    is not a document. Identifiers of documents stay the same when a file is read in the same
    pieces again.

    Example:
        ```python
        from llamaindex_runcrate import RuncrateTranscriptionReader

        reader = RuncrateTranscriptionReader(format="sentences")
        for document in reader.lazy_load_data("recordings"):
            print(document.metadata["start"], document.text)
        ```

    For a directory of mixed files, see `audio_file_extractor`.
    """

    model: str = Field(
        default=_TRANSCRIBER.model, description="Identifier of a transcription model."
    )
    language: str | None = Field(
        default=None,
        description="Spoken language, as a hint (ISO 639-1); detected by default.",
    )
    format: TranscriptFormat = Field(
        default=_TRANSCRIBER.format,
        description="Content of a document: `text`, the complete transcript; `segments`, those of "
        "the model; `sentences`; `windows`, so many seconds each; `srt` or `vtt`, a subtitle file.",
    )
    window_s: float = Field(default=_TRANSCRIBER.window_s, gt=0, description="Seconds of a window.")
    split_s: float | None = Field(
        default=_TRANSCRIBER.split_s,
        gt=0,
        description="Audio files above 25 MiB are sent in parts of so many seconds where PyAV is "
        "installed.",
    )
    attach_audio: bool = Field(
        default=False,
        description="Attach a reference to the audio file on disk to each document, as its "
        "`audio_resource`. Messages that are made from such nodes contain the audio.",
    )
    max_concurrency: int = Field(
        default=4,
        ge=1,
        description="Maximum number of files at the same time, when reading asynchronously.",
    )

    @classmethod
    def class_name(cls) -> str:
        """Name of the class in serialised form."""
        return "runcrate_transcription_reader"

    def lazy_load_data(
        self,
        file: AudioInput | Iterable[AudioInput],
        extra_info: Mapping[str, Any] | None = None,
        fs: Any = None,
    ) -> Iterator[Document]:
        """Yield the transcripts of audio files, one file after another.

        Args:
            file: The path of a file; that of a directory, for all audio files in it and below; a
                pattern such as `calls/*.mp3`; an https URL; or several of them.
            extra_info: Metadata of the documents; it wins over the reader's own.
            fs: The fsspec file system that `file`, then a single path, belongs to.

        Raises:
            ValueError: A file is not an audio file; it is named.
            OSError: A file cannot be read; it is named.
            RuncrateError: A request failed; the file is named.
        """
        for audio in _audio_sources(file, extra_info, fs):
            client = self._patient(self._sync_client)
            chunks = client.run(self._transcriber().chunks(audio))
            yield from self._documents(audio, chunks)

    async def aload_data(
        self,
        file: AudioInput | Iterable[AudioInput],
        extra_info: Mapping[str, Any] | None = None,
        fs: Any = None,
    ) -> list[Document]:
        """Return the transcripts of audio files, in order, working on several at once.

        For arguments and errors see `lazy_load_data`.
        """
        audio_files = await asyncio.to_thread(lambda: list(_audio_sources(file, extra_info, fs)))
        results = map_ordered(self._transcribed, audio_files, max_concurrency=self.max_concurrency)
        return [document async for documents in results for document in documents]

    async def alazy_load_data(
        self,
        file: AudioInput | Iterable[AudioInput],
        extra_info: Mapping[str, Any] | None = None,
        fs: Any = None,
    ) -> Iterable[Document]:
        """Return the result of `aload_data`: LlamaIndex awaits this for an iterable."""
        return await self.aload_data(file, extra_info, fs)

    async def _transcribed(self, audio: AudioSource) -> list[Document]:
        client = self._patient(self._async_client)
        chunks = await client.run(self._transcriber().chunks(audio))
        return self._documents(audio, chunks)

    def _patient(self, client: C) -> C:
        """Return a client with the reader's own timeout, on the same connections."""
        return client if self.timeout is None else client.with_options(timeout=self.timeout)

    def _transcriber(self) -> Transcriber:
        return Transcriber(
            model=self.model,
            language=self.language,
            format=self.format,
            window_s=self.window_s,
            split_s=self.split_s,
        )

    def _documents(self, audio: AudioSource, chunks: Iterable[TranscriptChunk]) -> list[Document]:
        attached: dict[str, Any] = {}
        if self.attach_audio and isinstance(audio.media, Path):
            attached["audio_resource"] = MediaResource(path=audio.media)
        return [
            Document(
                id_=passage.id,
                text=passage.text,
                metadata=passage.metadata,
                excluded_embed_metadata_keys=list(_NOT_FOR_EMBEDDING),
                excluded_llm_metadata_keys=list(_NOT_FOR_LLM),
                **attached,
            )
            for passage in chunks
        ]


def audio_file_extractor(**options: Any) -> dict[str, BaseReader]:
    """Return readers for all kinds of audio files, for `SimpleDirectoryReader`.

    Without it LlamaIndex decodes most audio files as text.

    Args:
        options: What `RuncrateTranscriptionReader` takes.

    Example:
        ```python
        from llama_index.core import SimpleDirectoryReader
        from llamaindex_runcrate import audio_file_extractor

        reader = SimpleDirectoryReader(
            "inbox",
            file_extractor=audio_file_extractor(format="segments"),
            raise_on_error=True,  # otherwise a file that fails is printed and left out
        )
        ```
    """
    reader = RuncrateTranscriptionReader(**options)
    return dict.fromkeys(AUDIO_SUFFIXES, reader)


def _audio_sources(
    file: AudioInput | Iterable[AudioInput],
    extra_info: Mapping[str, Any] | None,
    fs: Any,
) -> Iterator[AudioSource]:
    metadata = dict(extra_info or {})
    if fs is None:
        yield from resolve_audio_sources(file, metadata=metadata)
    else:
        yield _stored(file, metadata, fs)


def _stored(file: Any, metadata: dict[str, Any], fs: Any) -> AudioSource:
    path = str(file)
    with fs.open(path, "rb") as stored:
        content = stored.read()
    name = PurePath(path).name
    return AudioSource.of_bytes(
        content, source=path, identity=path, filename=name, metadata=metadata
    )
