"""Runcrate for LlamaIndex: chat models and embeddings.

```python
from llama_index.core import Settings
from llamaindex_runcrate import RuncrateEmbedding, RuncrateLLM

Settings.llm = RuncrateLLM(model="deepseek-ai/DeepSeek-V3.2")  # reads RUNCRATE_API_KEY
Settings.embed_model = RuncrateEmbedding(model_name="BAAI/bge-large-en-v1.5")
```

Names load when they are first used.
"""

from runcrate_core import __version__ as __version__
from runcrate_core.toolkit import Extra, lazy_exports

# Type checkers and editors read the same names from `__init__.pyi`.
__all__, __getattr__, __dir__ = lazy_exports(
    "llamaindex_runcrate",
    {
        "approval": ("ApprovalRequiredEvent",),
        "embedding": ("RuncrateEmbedding",),
        "infrastructure": ("RuncrateInfrastructureToolSpec",),
        "llm": ("RuncrateLLM",),
        "media_tools": ("RuncrateMediaToolSpec",),
        "tool_progress": ("ToolProgressEvent",),
        "transcription_reader": ("audio_file_extractor", "RuncrateTranscriptionReader"),
    },
    present=("__version__",),
    extra=Extra(module="llama_index", name="LlamaIndex", extra="llamaindex"),
)
