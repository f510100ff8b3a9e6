"""Models for the tests of `llamaindex_runcrate`.

`llm` and `embed_model` talk to a recorded or emulated service; `made_llm` and `made_embedding`
to `service`, which says what the test has it say.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from llama_index.core import Settings
from llama_index.core.callbacks import CallbackManager
from llama_index.core.llms import MockLLM

from llamaindex_runcrate import RuncrateEmbedding, RuncrateLLM
from tests.llamaindex.service import Service

UNKNOWN_MODEL = "some/model"


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def made_llm(service: Service) -> Callable[..., RuncrateLLM]:
    """Make a model that talks to `service`."""

    def make(**settings: Any) -> RuncrateLLM:
        return RuncrateLLM(**{"model": UNKNOWN_MODEL, **service.clients(), **settings})

    return make


@pytest.fixture
def made_embedding(service: Service) -> Callable[..., RuncrateEmbedding]:
    """Make an embedding model that talks to `service`."""

    def make(**settings: Any) -> RuncrateEmbedding:
        return RuncrateEmbedding(**{"model_name": UNKNOWN_MODEL, **service.clients(), **settings})

    return make


@pytest.fixture(autouse=True)
def _no_global_models() -> None:
    """A part that falls back on LlamaIndex's global models is noticed: they are not ours."""
    Settings._llm = MockLLM()
    Settings._embed_model = None
    Settings._callback_manager = CallbackManager([])
