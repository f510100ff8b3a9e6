"""What pictures and films cost, as far as that is known; nothing is guessed.

No document of Runcrate names a field or header that tells the cost of media. Read is what its
other answers call it (`cost_usd`, of jobs: official SDK 0.5.0) and what providers behind such APIs
send (`usage.cost` and the like); behind that come the prices that documents print.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runcrate_core.models_catalogue import get_model_info
from runcrate_core.protocol.chat_types import extract_cost

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from decimal import Decimal


def cost_facts(
    answers: Sequence[Mapping[str, Any]], *, model: str = "", pictures: int = 0
) -> dict[str, Any]:
    """Return what something cost, for its record; empty when that is not known.

    Args:
        answers: All answers with which it was made. Where one does not tell its cost, the sum is
            not known from them.
        model: Identifier of the model, for its published price.
        pictures: How many pictures were made.

    Returns:
        `cost_usd` in US dollars and `cost_source`: `server`, or `catalogue` for a published price.
    """
    told = [cost for cost in map(_told, answers) if cost is not None]
    if told and len(told) == len(answers):
        return {"cost_usd": float(sum(told)), "cost_source": "server"}
    facts = get_model_info(model)
    if pictures and facts is not None and facts.usd_per_image is not None:
        return {"cost_usd": float(facts.usd_per_image * pictures), "cost_source": "catalogue"}
    return {}


def _told(answer: Mapping[str, Any]) -> Decimal | None:
    own = extract_cost({"usage": {"cost": answer.get("cost_usd")}})
    return extract_cost(answer) if own is None else own
