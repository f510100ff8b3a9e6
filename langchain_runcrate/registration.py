"""`runcrate:` in `init_chat_model` and `init_embeddings`.

LangChain keeps its providers in a private table without a way to register others, so this writes
into that table; only when asked, never on import.
"""

from __future__ import annotations

import importlib
from typing import Any, Final

# Module of `langchain`, the class that stands for the provider there.
_TABLES: Final = (
    ("langchain.chat_models.base", "ChatRuncrate"),
    ("langchain.embeddings.base", "RuncrateEmbeddings"),
)


def register() -> None:
    """Add the provider `runcrate` to `init_chat_model` and `init_embeddings`.

    May be called again.

    Raises:
        ImportError: The package `langchain` is not installed, or is one whose table of providers
            has changed; use `ChatRuncrate(...)` itself then.

    Example:
        ```python
        from langchain.chat_models import init_chat_model

        from langchain_runcrate import register

        register()
        model = init_chat_model("runcrate:deepseek-ai/DeepSeek-V3.2")
        ```
    """
    for module, class_name in _TABLES:
        providers = getattr(importlib.import_module(module), "_BUILTIN_PROVIDERS", None)
        if not isinstance(providers, dict) or not all(
            isinstance(entry, tuple) and len(entry) == _ENTRY_SIZE for entry in providers.values()
        ):
            raise ImportError(
                f"`{module}` keeps its providers in a way that this version does not know. "
                f"Nothing was registered there; use `langchain_runcrate.{class_name}(...)` itself."
            )
        providers["runcrate"] = ("langchain_runcrate", class_name, _construct)


# Module, class, and the function that makes an object of it.
_ENTRY_SIZE: Final = 3


def _construct(cls: type[Any], **arguments: Any) -> Any:
    return cls(**arguments)


def register_deepagents_profile() -> None:
    """Make `create_deep_agent(model="runcrate:...")` work.

    deepagents calls this automatically: it is an entry point of the group
    `deepagents.provider_profiles`.
    """
    profiles = importlib.import_module("deepagents")
    register()
    profiles.register_provider_profile("runcrate", profiles.ProviderProfile())
