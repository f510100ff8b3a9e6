"""Parts that LlamaIndex sends to processes of its own: pickled without a key, made anew there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from llama_index.core import SimpleDirectoryReader
from llama_index.core.extractors import TitleExtractor
from llama_index.core.ingestion import IngestionPipeline

from llamaindex_runcrate import RuncrateEmbedding, RuncrateLLM, audio_file_extractor
from runcrate_core import Runcrate
from runcrate_emulator import Emulator
from tests.llamaindex.leftovers import LEFTOVERS
from tests.llamaindex.rag_rows import TEXTS, Parts

pytestmark = LEFTOVERS


@pytest.fixture(autouse=True)
def _key_in_the_environment(runcrate_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the processes find what pickles do not hold."""
    monkeypatch.setenv("RUNCRATE_API_KEY", runcrate_emulator.api_key)
    monkeypatch.setenv("RUNCRATE_API_BASE", runcrate_emulator.inference_url)


def test_a_pipeline_in_two_processes(runcrate_emulator: Emulator) -> None:
    llm = RuncrateLLM(model="deepseek-ai/DeepSeek-V3")
    embedding = RuncrateEmbedding(model_name="BAAI/bge-large-en-v1.5")
    transformations: list[Any] = [TitleExtractor(llm=llm, show_progress=False), embedding]
    pipeline = IngestionPipeline(transformations=transformations, disable_cache=True)
    nodes = pipeline.run(nodes=Parts(llm, embedding).nodes(), num_workers=2)
    assert len(nodes) == len(TEXTS)
    assert all(node.metadata["document_title"] and len(node.embedding) == 1024 for node in nodes)
    routes = {request.route for request in runcrate_emulator.requests}
    assert {"/chat/completions", "/embeddings"} <= routes
    assert os.environ["RUNCRATE_API_KEY"] not in repr(transformations)


def test_recordings_read_in_two_processes(tmp_path: Path) -> None:
    with Runcrate() as client:
        for name in ("one", "two"):
            speech = client.audio.speech.create(f"This is {name}.", model="hexgrad/Kokoro-82M")
            speech.save(tmp_path / f"{name}.mp3")
    reader = SimpleDirectoryReader(
        str(tmp_path), file_extractor=audio_file_extractor(), raise_on_error=True
    )
    documents = reader.load_data(num_workers=2)
    assert sorted(document.text.strip(". ") for document in documents) == [
        "This is one",
        "This is two",
    ]
