"""The examples in the documentation of `llamaindex_runcrate` run, on the emulator."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import Any

import pytest
from llama_index.core import Settings

import llamaindex_runcrate
from llamaindex_runcrate import RuncrateLLM

FOLDER = Path(llamaindex_runcrate.__file__).parent
EXAMPLE = re.compile(r"^ *```python\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
# The tools of the cloud and of media have tests of their own.
MODULES = ("__init__", "embedding", "llm", "partial_json")
EXAMPLES = [
    pytest.param(textwrap.dedent(code), id=f"{name} {number}")
    for name in MODULES
    for number, code in enumerate(EXAMPLE.findall((FOLDER / f"{name}.py").read_text()))
]


@pytest.mark.parametrize("code", EXAMPLES)
def test_example(code, runcrate_emulator, monkeypatch) -> None:
    monkeypatch.setenv("RUNCRATE_API_BASE", runcrate_emulator.inference_url)
    monkeypatch.setenv("RUNCRATE_API_KEY", runcrate_emulator.api_key)
    llm = RuncrateLLM(model="deepseek-ai/DeepSeek-V3.2")
    names: dict[str, Any] = {"llm": llm}
    exec(compile(code, "<example>", "exec", dont_inherit=True), names)  # noqa: S102 - this repository's own
    assert len(names) > 2
    for made in (*names.values(), Settings._llm, Settings._embed_model):
        if callable(getattr(made, "close", None)) and not isinstance(made, type):
            made.close()


def test_every_module_with_an_example_is_looked_at() -> None:
    assert len(EXAMPLES) >= len(MODULES)
