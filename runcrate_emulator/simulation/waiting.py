"""Whether the state that a request waits for has been reached."""

import re
from collections.abc import Mapping
from typing import Any, Final

from runcrate_emulator.simulation.outcomes import Outcome
from runcrate_emulator.simulation.records import parsed
from runcrate_emulator.simulation.words import stem, words

_IN_BETWEEN: Final = frozenset(
    stem(word)
    for word in """
        pending starting queued processing provisioning creating booting initializing progress
        scheduled waiting submitted deploying loading stopping terminating
        """.split()  # noqa: SIM905 - words read best as words
)
_ENDED: Final = frozenset(
    stem(word)
    for word in ["failed", "error", "cancelled", "canceled", "terminated", "stopped", "deleted"]
)
_AWAITED: Final = re.compile(
    r"\b(?:until|till|for|to be|is|becomes?)\b(?P<state>.*)", re.IGNORECASE
)


def still_waiting(clause: str, outcome: Outcome) -> bool:
    """Whether a state shown by an outcome is only on the way to the one that a clause waits for."""
    state = _state(outcome)
    awaited = {stem(w) for w in words(m["state"])} if (m := _AWAITED.search(clause)) else set()
    if outcome.failed or state & _ENDED:
        return False
    if awaited & state:
        return False
    return bool(state & _IN_BETWEEN) or (bool(awaited) and bool(state) and not awaited & state)


def _state(outcome: Outcome) -> set[str]:
    value: Any = parsed(outcome.text)
    while (
        isinstance(value, Mapping)
        and len(value) == 1
        and isinstance(inner := next(iter(value.values())), Mapping)
    ):
        value = inner
    if isinstance(value, Mapping):
        value = value.get("status") or value.get("state") or ""
    return {stem(word) for word in words(str(value if value is not None else outcome.text)[:200])}
