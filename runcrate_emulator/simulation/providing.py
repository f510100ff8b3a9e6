"""The tool that yields what another one needs: `list_instances` for an `instance_id`."""

from typing import Final

from runcrate_emulator.simulation.arguments import Gap
from runcrate_emulator.simulation.clauses import Clause
from runcrate_emulator.simulation.offers import Offer
from runcrate_emulator.simulation.records import field_stems
from runcrate_emulator.simulation.tool_choice import Choice

_HANDLES: Final = field_stems("id uuid token key name type")


def provider(choice: Choice, gap: Gap, consumer: Offer) -> Offer | None:
    """The tool that yields what a parameter of another tool wants, if there is one."""
    scored = []
    for offer in choice.offers:
        if offer is consumer or offer.action not in {"read", None}:
            continue
        if any(slot.required and slot.name == gap.slot.name for slot in offer.slots):
            continue
        told = offer.tool.name in f"{gap.slot.description} {consumer.tool.description}"
        nouns = gap.slot.stems - _HANDLES
        score = 3 * told + 2 * len(nouns & offer.name_stems) + len(nouns & offer.description_stems)
        scored.append((score, -sum(slot.required for slot in offer.slots), offer))
    best = max(scored, key=lambda item: item[:2], default=None)
    return best[2] if best and best[0] > 1 else None


def providing(gap: Gap) -> Clause:
    """The step that finds what a parameter wants."""
    return Clause(f"find the {gap.slot.phrase}", "read", follows=False, points_back=False)
