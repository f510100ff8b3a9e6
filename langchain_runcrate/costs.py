"""Cost tracking over calls."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, LLMResult

from langchain_runcrate.prices import TokenPrices, prices_of, tokens_cost
from runcrate_core import get_model_info


@dataclass(slots=True)
class ModelCosts:
    """Total cost of one model's calls.

    Attributes:
        calls: Responses received.
        unpriced_calls: Those of them whose cost is not known; `cost_usd` lacks them.
        input_tokens: Tokens of their prompts.
        output_tokens: Tokens of the responses.
        cost_usd: Their cost in US dollars.
    """

    calls: int = 0
    unpriced_calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: Decimal = Decimal(0)


class RuncrateCostCallbackHandler(BaseCallbackHandler):
    """Adds up the cost of all calls it sees, streamed or not, from any thread.

    The cost that the server reports is counted (`response_metadata["cost"]`), otherwise tokens
    times the prices given or published. Responses from LangChain's cache cost nothing.

    Args:
        prices: Prices for a million tokens by model, for responses that report no cost.

    Attributes:
        by_model: Costs by the name of the model that answered.

    Example:
        ```python
        from langchain_runcrate import ChatRuncrate, RuncrateCostCallbackHandler

        costs = RuncrateCostCallbackHandler()
        model = ChatRuncrate(model="deepseek-ai/DeepSeek-V3.2")
        model.invoke("Hello!", config={"callbacks": [costs]})
        print(f"{costs.total_cost_usd} US dollars for {costs.calls} call(s)")
        ```
    """

    def __init__(self, prices: Mapping[str, TokenPrices] | None = None) -> None:
        self.by_model: dict[str, ModelCosts] = {}
        self._prices = dict(prices or {})
        self._lock = threading.Lock()

    @property
    def total_cost_usd(self) -> Decimal:
        """Cost of all calls in US dollars, without the unpriced ones."""
        with self._lock:
            return sum((costs.cost_usd for costs in self.by_model.values()), Decimal(0))

    @property
    def calls(self) -> int:
        """Responses received."""
        with self._lock:
            return sum(costs.calls for costs in self.by_model.values())

    @property
    def unpriced_calls(self) -> int:
        """Responses whose cost is not known."""
        with self._lock:
            return sum(costs.unpriced_calls for costs in self.by_model.values())

    def on_llm_end(self, response: LLMResult, **kwargs: Any) -> None:  # noqa: ARG002 - LangChain's signature
        """Count the responses of a call."""
        for generations in response.generations:
            first = generations[0] if generations else None
            message = first.message if isinstance(first, ChatGeneration) else None
            if isinstance(message, AIMessage):
                self._count(message)

    def _count(self, message: AIMessage) -> None:
        model = str(message.response_metadata.get("model_name") or "unknown")
        usage: Mapping[str, Any] = message.usage_metadata or {}
        cost = self._extract_cost(message, model)
        with self._lock:
            costs = self.by_model.setdefault(model, ModelCosts())
            costs.calls += 1
            costs.input_tokens += usage.get("input_tokens", 0)
            costs.output_tokens += usage.get("output_tokens", 0)
            if cost is None:
                costs.unpriced_calls += 1
            else:
                costs.cost_usd += cost

    def _extract_cost(self, message: AIMessage, model: str) -> Decimal | None:
        usage: Mapping[str, Any] = message.usage_metadata or {}
        if usage.get("total_cost") == 0:  # LangChain's mark of a response from its cache
            return Decimal(0)
        cost = message.response_metadata.get("cost")
        if cost is not None:
            return Decimal(str(cost))
        prices = self._prices.get(model) or prices_of(get_model_info(model))
        return tokens_cost(usage, prices) if prices and usage else None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.total_cost_usd} USD, {self.calls} calls)"
