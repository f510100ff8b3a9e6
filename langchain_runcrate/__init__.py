"""Runcrate for LangChain: chat, embeddings, media and GPU instances as native parts.

```python
from langchain_runcrate import ChatRuncrate

model = ChatRuncrate(model="deepseek-ai/DeepSeek-V3.2")
print(model.invoke("Explain LoRA fine-tuning in one sentence.").text)
```

Names load when they are first used, so a program pays only for what it uses.
"""

from runcrate_core import __version__ as __version__
from runcrate_core.toolkit import Extra, lazy_exports

# Type checkers and editors read the same names from `__init__.pyi`.
__all__, __getattr__, __dir__ = lazy_exports(
    "langchain_runcrate",
    {
        "chat_models": ("ChatRuncrate",),
        "costs": ("RuncrateCostCallbackHandler",),
        "document_loaders": ("RuncrateTranscriptionLoader", "RuncrateTranscriptionParser"),
        "embeddings": ("RuncrateEmbeddings",),
        "errors": (
            "RuncrateAuthenticationError",
            "RuncrateConnectionError",
            "RuncrateContextOverflowError",
            "RuncrateInsufficientCreditsError",
            "RuncrateInvalidRequestError",
            "RuncrateModelNotFoundError",
            "RuncratePermissionDeniedError",
            "RuncrateRateLimitError",
            "RuncrateRefusalError",
            "RuncrateResponseError",
            "RuncrateServerError",
            "RuncrateStatusError",
            "RuncrateStreamError",
            "RuncrateStreamStalledError",
            "RuncrateStreamTruncatedError",
            "RuncrateTimeoutError",
            "RuncrateUnprocessableError",
        ),
        "media_tools": ("RuncrateImageTool", "RuncrateSpeechTool", "RuncrateVideoTool"),
        "registration": ("register",),
        "sandbox": ("RuncrateSandbox",),
        "toolkit": ("RuncrateToolkit",),
    },
    present=("__version__",),
    extra=(
        Extra(module="langchain_core", name="LangChain", extra="langchain"),
        Extra(module="deepagents", name="Deep Agents", extra="deepagents"),
    ),
)
