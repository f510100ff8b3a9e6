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
    from llamaindex_runcrate.approval import ApprovalRequiredEvent
    from llamaindex_runcrate.embedding import RuncrateEmbedding
    from llamaindex_runcrate.infrastructure import RuncrateInfrastructureToolSpec
    from llamaindex_runcrate.llm import RuncrateLLM
    from llamaindex_runcrate.media_tools import RuncrateMediaToolSpec
    from llamaindex_runcrate.tool_progress import ToolProgressEvent
    from llamaindex_runcrate.transcription_reader import (
        RuncrateTranscriptionReader,
        audio_file_extractor,
    )

__all__ = [
    "ApprovalRequiredEvent",
    "RuncrateEmbedding",
    "RuncrateInfrastructureToolSpec",
    "RuncrateLLM",
    "RuncrateMediaToolSpec",
    "RuncrateTranscriptionReader",
    "ToolProgressEvent",
    "audio_file_extractor",
]

# Where each public name lives.
_HOME = {
    "ApprovalRequiredEvent": "approval",
    "RuncrateEmbedding": "embedding",
    "RuncrateInfrastructureToolSpec": "infrastructure",
    "RuncrateLLM": "llm",
    "RuncrateMediaToolSpec": "media_tools",
    "RuncrateTranscriptionReader": "transcription_reader",
    "ToolProgressEvent": "tool_progress",
    "audio_file_extractor": "transcription_reader",
}


def __getattr__(name: str) -> Any:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        value = getattr(importlib.import_module(f"llamaindex_runcrate.{home}"), name)
    except ModuleNotFoundError as missing:
        if missing.name not in {"llama_index", "llama_index.core"}:
            raise
        told = "LlamaIndex is not installed. Run: pip install 'runcrate-integrations[llamaindex]'"
        raise ModuleNotFoundError(told, name=missing.name) from missing
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
