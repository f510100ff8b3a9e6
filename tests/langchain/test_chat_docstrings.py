"""The examples in the documentation of the chat side run, one after the other, on the emulator."""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
import textwrap
from pathlib import Path
from typing import Any

import pytest
from langchain.chat_models import base as chat_base
from langchain_core._api import suppress_langchain_beta_warning

import langchain_runcrate
from langchain_runcrate import ChatRuncrate
from runcrate_emulator import Emulator, Reply
from tests.langchain import downloads

FOLDER = Path(langchain_runcrate.__file__).parent
EXAMPLE = re.compile(r"^ *```python\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
MODULES = ("chat_models", "costs", "embeddings", "registration", "serialization")


def examples(name: str) -> list[str]:
    return [textwrap.dedent(code) for code in EXAMPLE.findall((FOLDER / f"{name}.py").read_text())]


def run(code: str, names: dict[str, Any], loop: asyncio.Runner) -> None:
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    made = eval(compile(code, "<example>", "exec", flags, dont_inherit=True), names)  # noqa: S307 - our own
    if inspect.iscoroutine(made):
        loop.run(made)


async def close(parts: Any) -> None:
    for part in parts:
        if not isinstance(part, type) and callable(getattr(part, "aclose", None)):
            await part.aclose()


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name, runcrate_emulator: Emulator, monkeypatch, tmp_path, capsys) -> None:
    monkeypatch.setenv("RUNCRATE_API_BASE", runcrate_emulator.inference_url)
    monkeypatch.setenv("RUNCRATE_API_KEY", runcrate_emulator.api_key)
    monkeypatch.setattr(chat_base, "_BUILTIN_PROVIDERS", dict(chat_base._BUILTIN_PROVIDERS))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "image.png").write_bytes(downloads.picture())
    runcrate_emulator.on_chat = lambda request: (
        Reply.tool_calls(("GetPrice", {"gpu": "H100"})) if "H100" in request.prompt else None
    )
    names: dict[str, Any] = {"model": ChatRuncrate(model="deepseek-ai/DeepSeek-V3.2")}
    found = examples(name)
    assert found
    with asyncio.Runner() as loop, suppress_langchain_beta_warning():
        for code in found:
            run(code, names, loop)
        loop.run(close(names.values()))
    printed = capsys.readouterr().out
    if name == "chat_models":
        assert "'name': 'GetPrice'" in printed
        assert "['reasoning', 'text']" in printed
        assert "'input_tokens'" in printed
    if name == "costs":
        assert "US dollars for 1 call(s)" in printed
