"""LangChain's standard tests for embeddings."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_tests.integration_tests import EmbeddingsIntegrationTests
from langchain_tests.unit_tests import EmbeddingsUnitTests

from langchain_runcrate import RuncrateEmbeddings
from tests.conftest import Api

MODEL = "BAAI/bge-large-en-v1.5"


class TestRuncrateEmbeddings(EmbeddingsUnitTests):
    @property
    def embeddings_class(self) -> type[RuncrateEmbeddings]:
        return RuncrateEmbeddings

    @property
    def embedding_model_params(self) -> dict[str, Any]:
        return {"model": MODEL}

    @property
    def init_from_env_params(self) -> tuple[dict[str, str], dict[str, Any], dict[str, Any]]:
        variables = {
            "RUNCRATE_API_KEY": "rc_live_from_env",
            "RUNCRATE_API_BASE": "https://api.example.com/v1",
        }
        expected = {"api_key": "rc_live_from_env", "api_base": "https://api.example.com/v1"}
        return variables, {"model": MODEL}, expected


class TestRuncrateEmbeddingsReplayed(EmbeddingsIntegrationTests):
    replayed = True

    @pytest.fixture(autouse=True)
    async def _at_the_service(self, api: Api, monkeypatch: pytest.MonkeyPatch) -> Any:
        monkeypatch.setenv("RUNCRATE_API_BASE", api.inference_url)
        monkeypatch.setenv("RUNCRATE_API_KEY", api.api_key)
        yield
        await RuncrateEmbeddings(model=MODEL).aclose()

    @property
    def embeddings_class(self) -> type[RuncrateEmbeddings]:
        return RuncrateEmbeddings

    @property
    def embedding_model_params(self) -> dict[str, Any]:
        return {"model": MODEL}
