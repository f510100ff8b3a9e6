"""Objects of an array that are facts: a subject, a relation and an object under any such names."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from runcrate_emulator.simulation.evidence import Evidence
from runcrate_emulator.simulation.triplets import triplets

_MOST: Final = 10
_ROLES: Final = (
    ("relation", re.compile(r"^(?:rel|pred|edge|verb)", re.IGNORECASE)),
    ("object", re.compile(r"^(?:tail|obj|target|to$|end)", re.IGNORECASE)),
    ("subject", re.compile(r"^(?:head|subj|source|from$|start)", re.IGNORECASE)),
)


def facts_for(item: Mapping[str, Any], evidence: Evidence) -> Iterator[dict[str, str]]:
    """For each fact of the material, the text for each property of such an object.

    Nothing, if the object's properties do not name the three parts of a fact.
    """
    names = {name: role for name in item.get("properties", {}) if (role := _role(name))}
    if set(names.values()) != {"subject", "relation", "object"}:
        return
    for triplet in triplets(evidence.material or evidence.focus, _MOST):
        yield {name: getattr(triplet, role) for name, role in names.items()}


def _role(name: str) -> str:
    if re.search(r"type|label|prop", name, re.IGNORECASE):
        return ""
    return next((role for role, noun in _ROLES if noun.match(name)), "")
