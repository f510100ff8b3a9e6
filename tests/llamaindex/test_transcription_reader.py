"""Recordings as LlamaIndex documents, on the emulator, which hears its own speech to the word."""

from __future__ import annotations

import asyncio
import functools
import json
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest
from llama_index.core import SimpleDirectoryReader
from llama_index.core.schema import Document, MetadataMode

import runcrate_core as rc
import runcrate_core.toolkit as rt
from llamaindex_runcrate import (
    RuncrateTranscriptionReader,
    audio_file_extractor,
    transcription_reader,
)
from tests.audio_files import FAREWELL, GREETING, spoken, write_recordings
from tests.llamaindex.conftest import settings_of

WAYS = pytest.mark.parametrize(
    "way", ["load_data", "lazy_load_data", "aload_data", "alazy_load_data"]
)


@pytest.fixture
def settings(runcrate_emulator):
    return settings_of(runcrate_emulator)


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "recordings"
    write_recordings(folder, a=GREETING, b=FAREWELL)
    return folder


async def read(reader, way, *given, **named):
    if way.startswith("a"):
        return list(await getattr(reader, way)(*given, **named))
    return await asyncio.to_thread(lambda: list(getattr(reader, way)(*given, **named)))


async def closed(reader: RuncrateTranscriptionReader) -> None:
    reader.close()
    await reader.aclose()


@WAYS
async def test_a_folder_gives_its_recordings_in_order(settings, folder, way):
    reader = RuncrateTranscriptionReader(**settings)
    mine = {"language": "en-GB", "topic": "budget"}
    documents = await read(reader, way, folder, extra_info=mine)
    assert [document.text for document in documents] == [GREETING, FAREWELL]
    metadata = documents[0].metadata
    assert json.loads(json.dumps(metadata)) == metadata
    found = {"source", "model", "duration", "start", "end", "segment"}
    assert set(metadata) == found | mine.keys()
    assert isinstance(metadata["end"], float)
    metadata["topic"] = "changed"
    assert mine == {"language": "en-GB", "topic": "budget"}
    assert documents[1].metadata.items() >= mine.items()
    await closed(reader)


def test_reading_is_lazy(settings, folder, runcrate_emulator):
    reader = RuncrateTranscriptionReader(**settings)
    documents = reader.lazy_load_data([folder / "a.mp3", folder / "b.mp3"])
    assert isinstance(documents, Iterator)
    assert not runcrate_emulator.requests
    next(documents)
    assert len(runcrate_emulator.requests) == 1
    reader.close()


@WAYS
async def test_a_file_system_of_fsspec(settings, way):
    memory = fsspec.filesystem("memory")
    with memory.open("/calls/last.mp3", "wb") as file:
        file.write(spoken(FAREWELL))
    reader = RuncrateTranscriptionReader(**settings)
    (document,) = await read(reader, way, Path("/calls/last.mp3"), fs=memory)
    assert document.text == FAREWELL
    assert document.metadata["source"] == "/calls/last.mp3"
    directory: Any = SimpleDirectoryReader(
        Path("/calls"), fs=memory, raise_on_error=True, file_extractor={".mp3": reader}
    )
    (document,) = await asyncio.to_thread(directory.load_data)
    assert document.text == FAREWELL
    await closed(reader)
    memory.rm("/calls", recursive=True)


@pytest.mark.parametrize("attached", [False, True])
def test_embeddings_see_the_words_and_models_the_times(settings, folder, attached):
    options = {"attach_audio": True} if attached else {}
    reader = RuncrateTranscriptionReader(**options, **settings)
    (document,) = reader.load_data(folder / "b.mp3")
    assert document.get_content(MetadataMode.EMBED).strip() == FAREWELL
    shown = document.get_content(MetadataMode.LLM)
    assert "start: 0.0" in shown
    assert "whisper" not in shown
    recording = document.audio_resource
    assert (recording.path if recording else None) == (folder / "b.mp3" if attached else None)
    assert Document.model_validate(json.loads(document.model_dump_json())).text == FAREWELL
    reader.close()


@WAYS
async def test_the_timeout_holds(settings, folder, runcrate_emulator, way):
    reader = RuncrateTranscriptionReader(timeout=0.1, max_retries=0, **settings)
    runcrate_emulator.fail("POST /audio/transcriptions", latency_s=0.3)
    with pytest.raises(rc.APITimeoutError, match=r"b\.mp3"):
        await read(reader, way, folder / "b.mp3")
    await closed(reader)


async def test_so_many_at_once(settings, folder, monkeypatch):
    """The core's tests count what is under way."""
    limits: list[Any] = []

    def mapped(*args: Any, **options: Any) -> Any:
        limits.append(options)
        return rt.map_ordered(*args, **options)

    monkeypatch.setattr(transcription_reader, "map_ordered", mapped)
    reader = RuncrateTranscriptionReader(max_concurrency=2, **settings)
    assert len(await reader.aload_data(folder)) == 2
    assert limits == [{"max_concurrency": 2}]
    await closed(reader)


@pytest.fixture
async def directory(settings):
    """Make directory readers that know all kinds of recordings."""
    extractor: Any = audio_file_extractor(**settings)
    yield functools.partial(SimpleDirectoryReader, file_extractor=extractor)
    await closed(extractor[".mp3"])


@pytest.mark.parametrize("way", ["sync", "async"])
async def test_a_directory_reader_reads_all_kinds_of_recordings(directory, tmp_path, way):
    for suffix in rt.AUDIO_SUFFIXES:
        (tmp_path / f"call{suffix}").write_bytes(spoken(FAREWELL, suffix))
    (tmp_path / "LOUD.MP3").write_bytes(spoken(FAREWELL))
    (tmp_path / "notes.txt").write_text("Not spoken.")
    reader = directory(tmp_path, raise_on_error=True)
    load = reader.aload_data() if way == "async" else asyncio.to_thread(reader.load_data)
    texts = {document.metadata["file_name"]: document.text for document in await load}
    assert texts.pop("notes.txt") == "Not spoken."
    assert set(texts) == {"LOUD.MP3", *(f"call{suffix}" for suffix in rt.AUDIO_SUFFIXES)}
    assert set(texts.values()) == {FAREWELL}


def test_a_key_is_needed_and_neither_shown_nor_pickled(settings, folder, monkeypatch):
    """Directories that are read in several processes pickle their readers."""
    extractor = audio_file_extractor(**(settings | {"api_key": "rc_live_secret"}), language="en")
    reader: Any = extractor[".mp3"]
    shown = repr(reader) + str(reader.to_dict()) + reader.to_json() + str(reader.model_dump())
    stored = pickle.dumps(extractor)
    assert "rc_live_secret" not in shown + stored.decode("latin-1")
    assert RuncrateTranscriptionReader.from_dict(reader.to_dict()).language == "en"
    assert reader.class_name() == "runcrate_transcription_reader"
    monkeypatch.setenv("RUNCRATE_API_KEY", settings["api_key"])
    copies = pickle.loads(stored)  # noqa: S301 - made some lines above
    assert set(copies) == set(rt.AUDIO_SUFFIXES)
    (document,) = copies[".mp3"].load_data(folder / "b.mp3")
    assert document.text == FAREWELL
    copies[".mp3"].close()
    monkeypatch.delenv("RUNCRATE_API_KEY")
    with pytest.raises(rc.ConfigurationError, match="RUNCRATE_API_KEY"):
        audio_file_extractor()
