"""`runcrate:` in LangChain's own functions, only when asked for."""

import importlib
import subprocess
import sys
from types import SimpleNamespace

import pytest
from langchain.chat_models import base as chat_base
from langchain.chat_models import init_chat_model
from langchain.embeddings import base as embeddings_base
from langchain.embeddings import init_embeddings

from langchain_runcrate import ChatRuncrate, RuncrateEmbeddings, register
from langchain_runcrate.registration import register_deepagents_profile


@pytest.fixture(autouse=True)
def _as_before(monkeypatch):
    for module, creator in (
        (chat_base, "_get_chat_model_creator"),
        (embeddings_base, "_get_embeddings_class_creator"),
    ):
        # Other tests of this process may have registered the provider for good.
        others = {name: at for name, at in module._BUILTIN_PROVIDERS.items() if name != "runcrate"}
        monkeypatch.setattr(module, "_BUILTIN_PROVIDERS", others)
        getattr(module, creator).cache_clear()


def test_importing_registers_nothing():
    with pytest.raises(ValueError, match="Unable to infer model provider"):
        init_chat_model("runcrate:deepseek-ai/DeepSeek-V3")


def test_models_and_embeddings_by_name():
    register()
    register()
    model = init_chat_model("runcrate:deepseek-ai/DeepSeek-V3", temperature=0.5)
    assert isinstance(model, ChatRuncrate)
    assert (model.model_name, model.temperature) == ("deepseek-ai/DeepSeek-V3", 0.5)
    assert isinstance(init_chat_model("m", model_provider="runcrate"), ChatRuncrate)
    embeddings = init_embeddings("runcrate:BAAI/bge-large-en-v1.5")
    assert isinstance(embeddings, RuncrateEmbeddings)
    assert embeddings.model == "BAAI/bge-large-en-v1.5"


@pytest.mark.parametrize("table", [None, [], {"openai": "langchain_openai"}])
def test_a_table_of_another_form_is_left_alone(monkeypatch, table):
    monkeypatch.setattr(chat_base, "_BUILTIN_PROVIDERS", table)
    with pytest.raises(ImportError, match=r"use `langchain_runcrate\.ChatRuncrate"):
        register()


def test_the_entry_point_for_deepagents(monkeypatch):
    registered = {}
    deepagents = SimpleNamespace(
        ProviderProfile=dict,
        register_provider_profile=lambda key, profile: registered.update({key: profile}),
    )
    monkeypatch.setitem(sys.modules, "deepagents", deepagents)
    register_deepagents_profile()
    assert registered == {"runcrate": {}}
    assert isinstance(init_chat_model("runcrate:m"), ChatRuncrate)


def test_the_package_loads_without_what_was_not_asked_for():
    program = """
import sys
import langchain_runcrate
assert "langchain_core" not in sys.modules, "importing the package alone loads LangChain"
from langchain_runcrate import ChatRuncrate
heavy = {"langchain", "langgraph", "openai", "tiktoken", "transformers", "numpy", "llama_index"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, timeout=60
    )
    assert done.returncode == 0, done.stderr.decode()
    assert importlib.import_module("langchain_runcrate").__version__
