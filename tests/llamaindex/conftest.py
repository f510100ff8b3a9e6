"""Models for the tests of `llamaindex_runcrate`.

`emulated_llm` and `emulated_embedding` talk to the emulator over real connections, `made_llm` and
`made_embedding` to `service`, which says what the test has it say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import pytest
from llama_index.core import Settings
from llama_index.core.callbacks import CallbackManager
from llama_index.core.llms import MockLLM

from llamaindex_runcrate import RuncrateEmbedding, RuncrateLLM
from tests.chat_service import Service
from tests.garbage import collected

if TYPE_CHECKING:
    from runcrate_emulator import Emulator

# Their assertions explain themselves as those of test modules do.
pytest.register_assert_rewrite("tests.llamaindex.conformance")

P = TypeVar("P", RuncrateLLM, RuncrateEmbedding)

UNKNOWN_MODEL = "some/model"
CHAT_MODEL = "deepseek-ai/DeepSeek-V3"
EMBEDDING_MODEL = "BAAI/bge-large-en-v1.5"


@pytest.fixture(scope="module", autouse=True)
def _leave_nothing_behind() -> Iterator[None]:
    """What LlamaIndex leaves unclosed is collected here, not in somebody else's test."""
    with collected():
        yield


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


def settings_of(api: Any) -> dict[str, Any]:
    """Return the arguments that make a model talk to an emulator or a recorded service."""
    return {"api_base": api.inference_url, "api_key": api.api_key}


def _closed(part: P) -> Iterator[P]:
    yield part
    part.close()


@pytest.fixture
def emulated_llm(runcrate_emulator: Emulator) -> Iterator[RuncrateLLM]:
    """A model of the emulator, over real connections."""
    yield from _closed(RuncrateLLM(model=CHAT_MODEL, **settings_of(runcrate_emulator)))


@pytest.fixture
def emulated_embedding(runcrate_emulator: Emulator) -> Iterator[RuncrateEmbedding]:
    """An embedding model of the emulator, over real connections."""
    yield from _closed(
        RuncrateEmbedding(model_name=EMBEDDING_MODEL, **settings_of(runcrate_emulator))
    )


@pytest.fixture(autouse=True)
def _no_global_models() -> None:
    """A part that falls back on LlamaIndex's global models is noticed: they are not ours."""
    Settings._llm = MockLLM()
    Settings._embed_model = None
    Settings._callback_manager = CallbackManager([])
