"""Runcrate for LlamaIndex: chat models and embeddings.

```python
from llama_index.core import Settings
from llamaindex_runcrate import RuncrateEmbedding, RuncrateLLM

Settings.llm = RuncrateLLM(model="deepseek-ai/DeepSeek-V3.2")  # reads RUNCRATE_API_KEY
Settings.embed_model = RuncrateEmbedding(model_name="BAAI/bge-large-en-v1.5")
```

Names load when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llamaindex_runcrate.embedding import RuncrateEmbedding
    from llamaindex_runcrate.llm import RuncrateLLM

__all__ = ["RuncrateEmbedding", "RuncrateLLM"]

# Where each public name lives.
_HOME = {
    "RuncrateEmbedding": "embedding",
    "RuncrateLLM": "llm",
}


def __getattr__(name: str) -> Any:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"llamaindex_runcrate.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
