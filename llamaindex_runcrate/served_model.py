"""A model that is served on an instance of its own, as LlamaIndex's LLM."""

from __future__ import annotations

from typing import Any

from llamaindex_runcrate.llm import RuncrateLLM
from runcrate_core.toolkit import SERVED_KEY, ServedModel


class RuncrateServedModel(ServedModel):
    """Result of `spec.serve(...)`: a model server that lives as long as the `with` block."""

    def llm(self, model: str | None = None, **options: Any) -> RuncrateLLM:
        """Return an LLM at the tunnel.

        Args:
            model: One of `models`; the first when not given.
            options: Further arguments of `RuncrateLLM`.
        """
        settings = {"api_base": self.base_url, "api_key": SERVED_KEY, **options}
        return RuncrateLLM(model=model or self.model, **settings)
