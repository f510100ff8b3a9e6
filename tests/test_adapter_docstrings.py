"""The examples in the documentation of both adapters run, module by module, on the emulator."""

from __future__ import annotations

import ast
import asyncio
import importlib
import inspect
import re
import textwrap
from pathlib import Path
from typing import Any

import pytest
from langchain.chat_models import base as chat_base
from langchain_core._api import suppress_langchain_beta_warning
from llama_index.core import Settings

from langchain_runcrate import ChatRuncrate
from llamaindex_runcrate import RuncrateLLM
from runcrate_emulator import Reply
from tests.langchain import downloads

EXAMPLE = re.compile(r"^ *```python\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
# The tools of the cloud and of media have tests of their own.
MODULES = {
    "langchain_runcrate": ("chat_models", "costs", "embeddings", "registration", "serialization"),
    "llamaindex_runcrate": ("__init__", "embedding", "llm", "partial_json"),
}
# What examples print, of those that print what a model says.
PRINTED = {
    "chat_models": ("'name': 'GetPrice'", "['reasoning', 'text']", "'input_tokens'"),
    "costs": ("US dollars for 1 call(s)",),
}


def run(code: str, names: dict[str, Any], loop: asyncio.Runner) -> None:
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    made = eval(compile(code, "<example>", "exec", flags, dont_inherit=True), names)  # noqa: S307 - our own
    if inspect.iscoroutine(made):
        loop.run(made)


async def close(parts: Any) -> None:
    for part in parts:
        if not isinstance(part, type) and callable(getattr(part, "aclose", None)):
            await part.aclose()


@pytest.mark.parametrize(
    ("package", "name"), [(package, name) for package in MODULES for name in MODULES[package]]
)
def test_examples_run(package, name, runcrate_emulator, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("RUNCRATE_API_BASE", runcrate_emulator.inference_url)
    monkeypatch.setenv("RUNCRATE_API_KEY", runcrate_emulator.api_key)
    monkeypatch.setattr(chat_base, "_BUILTIN_PROVIDERS", dict(chat_base._BUILTIN_PROVIDERS))
    monkeypatch.setattr(Settings, "_llm", None)
    monkeypatch.setattr(Settings, "_embed_model", None)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "image.png").write_bytes(downloads.picture())
    runcrate_emulator.on_chat = lambda request: (
        Reply.tool_calls(("GetPrice", {"gpu": "H100"})) if "H100" in request.prompt else None
    )
    source = Path(str(importlib.import_module(package).__file__)).with_name(f"{name}.py")
    examples = [textwrap.dedent(code) for code in EXAMPLE.findall(source.read_text())]
    assert examples
    with asyncio.Runner() as loop, suppress_langchain_beta_warning():
        names: dict[str, Any] = {
            "model": ChatRuncrate(model="deepseek-ai/DeepSeek-V3.2"),
            "llm": RuncrateLLM(model="deepseek-ai/DeepSeek-V3.2"),
        }
        for code in examples:
            run(code, names, loop)
        loop.run(close([*names.values(), Settings._llm, Settings._embed_model]))
    printed = capsys.readouterr().out
    assert all(words in printed for words in PRINTED.get(name, ()))
