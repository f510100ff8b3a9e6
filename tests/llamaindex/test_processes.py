"""`llamaindex_runcrate` in other processes: imports, and pickles without a key."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
from typing import Any

import pytest
from llama_index.core.extractors import TitleExtractor
from llama_index.core.ingestion import IngestionPipeline

from llamaindex_runcrate import RuncrateEmbedding, RuncrateLLM
from runcrate_emulator import Emulator
from tests.llamaindex.ignored_warnings import IGNORED_WARNINGS
from tests.llamaindex.test_rag import TEXTS, Parts

pytestmark = IGNORED_WARNINGS


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


def test_nothing_but_llamaindex_is_needed() -> None:
    needed = importlib.metadata.requires("runcrate-integrations") or []
    for_llamaindex = [name for name in needed if "extra == 'llamaindex'" in name.replace('"', "'")]
    assert [name.split(">")[0].split("<")[0] for name in for_llamaindex] == ["llama-index-core"]
    code = (
        "import sys, llamaindex_runcrate as l; l.RuncrateLLM; l.RuncrateEmbedding;"
        "print(sorted({'openai', 'transformers', 'torch', 'langchain_core', 'llama_index.llms',"
        "'runcrate_emulator', 'httpx'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
