"""Parts that LlamaIndex sends to processes of its own: pickled without a key, made anew there."""

from __future__ import annotations

import os
from typing import Any

import pytest
from llama_index.core.extractors import TitleExtractor
from llama_index.core.ingestion import IngestionPipeline

from llamaindex_runcrate import RuncrateEmbedding, RuncrateLLM
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
