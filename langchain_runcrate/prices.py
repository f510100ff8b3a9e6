"""Cost of a response: the server's figure, or tokens times the catalogue's prices."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from typing_extensions import TypedDict

from runcrate_core.toolkit import extract_cost

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runcrate_core import ModelInfo

_MILLION: Final = Decimal(1_000_000)


class TokenPrices(TypedDict, total=False):
    """Prices in US dollars for a million tokens.

    Attributes:
        input: Of the prompt.
        output: Of the response, reasoning included.
        cached_input: Of the part of the prompt that the provider had cached; `input` if absent.
    """

    input: float
    output: float
    cached_input: float


def prices_of(facts: ModelInfo | None) -> TokenPrices | None:
    """Return the published prices of a model; `None` when there are none."""
    if facts is None or facts.input_usd_per_million is None or facts.output_usd_per_million is None:
        return None
    return {
        "input": float(facts.input_usd_per_million),
        "output": float(facts.output_usd_per_million),
    }


def tokens_cost(usage: Mapping[str, Any], prices: TokenPrices) -> Decimal | None:
    """Return what tokens cost in US dollars; `None` when a price is missing.

    Args:
        usage: LangChain's usage metadata.
        prices: Prices for a million tokens.
    """
    if "input" not in prices or "output" not in prices:
        return None
    cached = (usage.get("input_token_details") or {}).get("cache_read", 0)
    fresh = usage.get("input_tokens", 0) - cached
    cached_price = prices.get("cached_input", prices["input"])
    parts = (
        (fresh, prices["input"]),
        (cached, cached_price),
        (usage.get("output_tokens", 0), prices["output"]),
    )
    # Through text, so that 0.3 is 0.3 and not its nearest binary fraction.
    return sum((tokens * Decimal(str(price)) for tokens, price in parts), Decimal(0)) / _MILLION


def cost_metadata(
    usage: Mapping[str, Any], tokens: Mapping[str, Any], prices: TokenPrices | None
) -> dict[str, Any]:
    """Return the cost of a response for its metadata; empty when it is not known.

    It stands there and not in `usage_metadata`, which LangChain can only add up when all its
    values are whole numbers.

    Args:
        usage: The usage as the API reported it; a cost in it counts.
        tokens: The usage in LangChain's form.
        prices: Prices for a million tokens, for responses that report no cost.

    Returns:
        `cost` in US dollars and `cost_source`: `server` or `catalogue`.
    """
    cost = extract_cost({"usage": usage})
    if cost is not None:
        return {"cost": float(cost), "cost_source": "server"}
    cost = tokens_cost(tokens, prices) if prices else None
    return {} if cost is None else {"cost": float(cost), "cost_source": "catalogue"}
