"""Runcrate for LangChain: chat, embeddings, media and GPU instances as native parts.

```python
from langchain_runcrate import ChatRuncrate

model = ChatRuncrate(model="deepseek-ai/DeepSeek-V3.2")
print(model.invoke("Explain LoRA fine-tuning in one sentence.").text)
```

Names load when they are first used, so a program pays only for what it uses.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from runcrate_core import __version__

if TYPE_CHECKING:
    from langchain_runcrate.chat_models import ChatRuncrate
    from langchain_runcrate.costs import RuncrateCostCallbackHandler
    from langchain_runcrate.document_loaders import (
        RuncrateTranscriptionLoader,
        RuncrateTranscriptionParser,
    )
    from langchain_runcrate.embeddings import RuncrateEmbeddings
    from langchain_runcrate.errors import (
        RuncrateAuthenticationError,
        RuncrateConnectionError,
        RuncrateContextOverflowError,
        RuncrateInsufficientCreditsError,
        RuncrateInvalidRequestError,
        RuncrateModelNotFoundError,
        RuncratePermissionDeniedError,
        RuncrateRateLimitError,
        RuncrateRefusalError,
        RuncrateResponseError,
        RuncrateServerError,
        RuncrateStatusError,
        RuncrateStreamError,
        RuncrateStreamStalledError,
        RuncrateStreamTruncatedError,
        RuncrateTimeoutError,
        RuncrateUnprocessableError,
    )
    from langchain_runcrate.media_tools import (
        RuncrateImageTool,
        RuncrateSpeechTool,
        RuncrateVideoTool,
    )
    from langchain_runcrate.registration import register
    from langchain_runcrate.toolkit import RuncrateToolkit

__all__ = [
    "ChatRuncrate",
    "RuncrateAuthenticationError",
    "RuncrateConnectionError",
    "RuncrateContextOverflowError",
    "RuncrateCostCallbackHandler",
    "RuncrateEmbeddings",
    "RuncrateImageTool",
    "RuncrateInsufficientCreditsError",
    "RuncrateInvalidRequestError",
    "RuncrateModelNotFoundError",
    "RuncratePermissionDeniedError",
    "RuncrateRateLimitError",
    "RuncrateRefusalError",
    "RuncrateResponseError",
    "RuncrateServerError",
    "RuncrateSpeechTool",
    "RuncrateStatusError",
    "RuncrateStreamError",
    "RuncrateStreamStalledError",
    "RuncrateStreamTruncatedError",
    "RuncrateTimeoutError",
    "RuncrateToolkit",
    "RuncrateTranscriptionLoader",
    "RuncrateTranscriptionParser",
    "RuncrateUnprocessableError",
    "RuncrateVideoTool",
    "__version__",
    "register",
]

# Modules whose public names are not all errors.
_HOME = {
    "ChatRuncrate": "chat_models",
    "RuncrateCostCallbackHandler": "costs",
    "RuncrateEmbeddings": "embeddings",
    "RuncrateImageTool": "media_tools",
    "RuncrateSpeechTool": "media_tools",
    "RuncrateToolkit": "toolkit",
    "RuncrateTranscriptionLoader": "document_loaders",
    "RuncrateTranscriptionParser": "document_loaders",
    "RuncrateVideoTool": "media_tools",
    "register": "registration",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = _HOME.get(name, "errors")
    try:
        value = getattr(importlib.import_module(f"langchain_runcrate.{home}"), name)
    except ModuleNotFoundError as missing:
        if missing.name != "langchain_core":
            raise
        told = "LangChain is not installed. Run: pip install 'runcrate-integrations[langchain]'"
        raise ModuleNotFoundError(told, name=missing.name) from missing
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
