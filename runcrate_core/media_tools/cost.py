"""The cost of images and videos, as far as it is known; nothing is guessed.

Runcrate's documents name no field or header with the cost of media. The values read here are those
of its other responses (`cost_usd`, of jobs: official SDK 0.5.0) and of providers behind such APIs
(`usage.cost` and the like); after them come the prices that the documents print.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runcrate_core.models_catalogue import get_model_info
from runcrate_core.protocol.chat_types import extract_cost

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from decimal import Decimal


def cost_facts(
    responses: Sequence[Mapping[str, Any]], *, model: str = "", images: int = 0
) -> dict[str, Any]:
    """Return the cost for the data of a result; empty when it is not known.

    Args:
        responses: All responses of the call. If one has no cost, their sum is not known.
        model: Identifier of the model, for its published price.
        images: Number of generated images.

    Returns:
        `cost_usd` in US dollars and `cost_source`: `server`, or `catalogue` for a published price.
    """
    reported = [cost for cost in map(_reported, responses) if cost is not None]
    if reported and len(reported) == len(responses):
        return {"cost_usd": float(sum(reported)), "cost_source": "server"}
    info = get_model_info(model)
    if images and info is not None and info.usd_per_image is not None:
        return {"cost_usd": float(info.usd_per_image * images), "cost_source": "catalogue"}
    return {}


def _reported(response: Mapping[str, Any]) -> Decimal | None:
    own = extract_cost({"usage": {"cost": response.get("cost_usd")}})
    return extract_cost(response) if own is None else own
