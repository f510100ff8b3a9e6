"""What a poem, a joke or a story says that is to be read aloud, made from a form and a topic."""

import re
from typing import Final

from runcrate_emulator.simulation.evidence import Evidence
from runcrate_emulator.simulation.invention import invented
from runcrate_emulator.simulation.prompt import Prompt

_RECITED: Final = re.compile(
    r"\b(?:a|an|one|another|short|little|the)\s+(?P<what>(?:\w+\s+)?"
    r"(?:joke|haiku|poem|limerick|song|verse|story|tale|fact|slogan)s?\b[^.?!;]*?)"
    r"(?:\s+(?:aloud|out loud))?[.?!;]*$",
    re.IGNORECASE,
)
_IT: Final = re.compile(r"\b(?:it|them|that|this)\b", re.IGNORECASE)


def recited(evidence: Evidence) -> str:
    """The text of what a step wants recited, or "" if it wants nothing invented.

    `It` means what the latest thing that was made shows.
    """
    match = _RECITED.search(evidence.focus)
    if match is None:
        return ""
    made = next(
        (
            str(value)
            for record in evidence.records
            for name, value in record.items()
            if name in {"prompt", "topic", "subject", "title"} and value
        ),
        "",
    )
    wanted = _IT.sub(lambda _: made, match["what"]) if made else match["what"]
    return invented(Prompt("", f"write a {wanted}")) or ""
