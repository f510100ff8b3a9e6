"""A model that is served on an instance of its own, as LangChain's chat model."""

from __future__ import annotations

from typing import Any

from langchain_runcrate.chat_models import ChatRuncrate
from runcrate_core.toolkit import SERVED_KEY, ServedModel


class RuncrateServedModel(ServedModel):
    """Result of `toolkit.serve(...)`: a model server that lives as long as the `with` block."""

    def chat(self, model: str | None = None, **options: Any) -> ChatRuncrate:
        """Return a chat model at the tunnel.

        Args:
            model: One of `models`; the first when not given.
            options: Further arguments of `ChatRuncrate`.
        """
        settings = {"base_url": self.base_url, "api_key": SERVED_KEY, **options}
        return ChatRuncrate(model=model or self.model, **settings)
