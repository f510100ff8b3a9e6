"""Recordings as LangChain documents, on the emulator, which hears its own speech to the word."""

from __future__ import annotations

import asyncio
import json
import pickle
from collections.abc import Iterator

import pytest
from langchain_core.documents import Document
from langchain_core.documents.base import Blob

import runcrate_core as rc
from langchain_runcrate import (
    RuncrateAuthenticationError,
    RuncrateTranscriptionLoader,
    RuncrateTranscriptionParser,
)
from tests.audio_files import (
    FAREWELL,
    GREETING,
    RATE,
    name_of,
    samples_of,
    spoken,
    write_recordings,
)

SECONDS = len(samples_of(GREETING)) / 2 / RATE


@pytest.fixture
def settings(runcrate_emulator):
    return {"api_key": runcrate_emulator.api_key, "base_url": runcrate_emulator.inference_url}


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "recordings"
    write_recordings(folder, a=GREETING, b=FAREWELL)
    (folder / "notes.txt").write_text("no recording")
    return folder


async def loaded(loader: RuncrateTranscriptionLoader, way: str) -> list[Document]:
    documents = await loader.aload() if way == "async" else await asyncio.to_thread(loader.load)
    await loader.aclose()
    return documents


WAYS = pytest.mark.parametrize("way", ["sync", "async"])


@WAYS
async def test_a_folder_gives_its_recordings_in_order(settings, folder, way):
    documents = await loaded(RuncrateTranscriptionLoader(folder, **settings), way)
    assert [document.page_content for document in documents] == [GREETING, FAREWELL]
    first = documents[0].metadata
    assert json.loads(json.dumps(first)) == first
    assert first == {
        "source": str(folder / "a.mp3"),
        "model": "openai/whisper-1",
        "language": "en",
        "duration": pytest.approx(SECONDS, abs=0.2),
        "start": 0.0,
        "end": first["duration"],
        "segment": 0,
    }


def test_a_loader_of_an_iterator_loads_twice(settings, folder):
    loader = RuncrateTranscriptionLoader(folder.glob("*.mp3"), **settings)
    assert [len(loader.load()) for _ in range(2)] == [2, 2]
    loader.close()


def test_sources_and_the_format_are_the_core_s_and_loading_is_lazy(
    settings, folder, runcrate_emulator
):
    sources = (Blob.from_path(folder / "b.mp3"), str(folder / "*.mp3"))
    loader = RuncrateTranscriptionLoader(sources, format="windows", window_s=0.5, **settings)
    documents = loader.lazy_load()
    assert isinstance(documents, Iterator)
    assert not runcrate_emulator.requests
    next(documents)
    assert len(runcrate_emulator.requests) == 1
    names = [name_of(document.metadata["source"]) for document in documents]
    assert list(dict.fromkeys(names)) == ["b.mp3", "a.mp3"]
    assert len(names) > 3
    loader.close()


@WAYS
async def test_a_bad_file_is_raised_or_by_choice_skipped_and_named(settings, folder, way):
    (folder / "a.mp3").write_bytes(b"%PDF-1.7 and no sound at all")
    with pytest.raises((ValueError, rc.RuncrateError), match=r"a\.mp3"):
        await loaded(RuncrateTranscriptionLoader(folder, **settings), way)
    with pytest.raises(FileNotFoundError, match=r"none\.mp3"):
        await loaded(RuncrateTranscriptionLoader(folder / "none.mp3", **settings), way)
    sources = [folder, folder / "none.mp3"]
    loader = RuncrateTranscriptionLoader(sources, on_error="skip", **settings)
    for _ in range(2):
        with pytest.warns(UserWarning, match=r"Skipped .*(a|none)\.mp3"):
            documents = await loaded(loader, way)
        assert [document.page_content for document in documents] == [FAREWELL]
        assert [name_of(skipped.source) for skipped in loader.skipped] == ["a.mp3", "none.mp3"]


@WAYS
async def test_a_missing_or_refused_key_is_never_skipped(
    settings, folder, runcrate_emulator, monkeypatch, way
):
    runcrate_emulator.fail("POST /audio/transcriptions", status=401, times=None)
    loader = RuncrateTranscriptionLoader(folder, on_error="skip", **settings)
    with pytest.raises(RuncrateAuthenticationError, match=r"a\.mp3"):
        await loaded(loader, way)
    assert loader.skipped == []
    monkeypatch.delenv("RUNCRATE_API_KEY")
    with pytest.raises(rc.ConfigurationError, match="RUNCRATE_API_KEY") as caught:
        await loaded(RuncrateTranscriptionLoader(folder, on_error="skip"), way)
    assert caught.value.__cause__ is None


async def test_nothing_goes_on_when_nobody_asks_for_the_rest(
    settings, tmp_path, runcrate_emulator, monkeypatch
):
    transcribe = RuncrateTranscriptionLoader._atranscribed

    async def transcribed(self, audio):
        if name_of(audio.source) != "n0.mp3":
            await asyncio.Event().wait()
        return await transcribe(self, audio)

    monkeypatch.setattr(RuncrateTranscriptionLoader, "_atranscribed", transcribed)
    write_recordings(tmp_path, **{f"n{number}": f"{number}." for number in range(6)})
    loader = RuncrateTranscriptionLoader(tmp_path, max_concurrency=2, **settings)
    documents = loader.alazy_load()
    first = await anext(documents)
    assert first.metadata["source"] == str(tmp_path / "n0.mp3")
    await documents.aclose()  # type: ignore[attr-defined] # a generator
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert len(runcrate_emulator.requests) <= 2
    await loader.aclose()


async def parsed(parser: RuncrateTranscriptionParser, blob: Blob, way: str) -> list[Document]:
    if way == "async":
        return [document async for document in parser.alazy_parse(blob)]
    return await asyncio.to_thread(parser.parse, blob)


@WAYS
async def test_the_metadata_of_a_blob_wins_and_stays_whole(settings, folder, way):
    mine = {"source": "board meeting", "language": "en-GB", "topic": "budget"}
    blob = Blob.from_path(folder / "a.mp3", metadata=dict(mine))
    parser = RuncrateTranscriptionParser(format="segments", **settings)
    documents = await parsed(parser, blob, way)
    assert all(document.metadata.items() >= mine.items() for document in documents)
    assert {document.metadata["segment"] for document in documents} == {0, 1}
    assert blob.metadata == mine
    nameless, one, other = [
        (await parsed(parser, Blob.from_data(spoken("Hi."), path=path), way))[0]
        for path in (None, "x/call.mp3", "y/call.mp3")
    ]
    assert nameless.metadata["source"]
    assert one.metadata["source"] == "x/call.mp3"
    assert one.id != other.id  # equal bytes of two files are two documents
    await parser.aclose()


@pytest.mark.parametrize("cls", [RuncrateTranscriptionLoader, RuncrateTranscriptionParser])
@pytest.mark.parametrize(
    "settings", [{"api_key": "rc_live_secret"}, {"client": rc.Runcrate("rc_live_secret")}]
)
def test_they_pickle_without_the_key(cls, settings):
    source = ["a.mp3"] if cls is RuncrateTranscriptionLoader else []
    made = cls(*source, format="srt", **settings)
    stored = pickle.dumps(made)
    assert "rc_live_secret" not in repr(made) + str(made.model_dump()) + stored.decode("latin-1")
    assert pickle.loads(stored).format == "srt"  # noqa: S301 - made two lines above
    if source:
        made.source = "https://x.test/a.mp3?t=secret_token"
        assert "secret_token" not in repr(made)
