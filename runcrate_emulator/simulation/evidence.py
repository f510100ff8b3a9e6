"""What a value may be taken from: a clause, the request, the material, earlier results."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from runcrate_emulator.simulation.options import Option

Style = Literal["call", "forced", "written"]
"""What the values are for: a tool call that the request calls for, one that the client forces, or
a structured answer."""
_LONGEST_TEXT: Final = 6000
"""Characters of a text in which values are looked for: a few pages."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """The sources of values, most telling first.

    Attributes:
        focus: The part of the request that the values are for.
        request: The whole request.
        material: Text to extract from: documents, earlier statements of the user.
        records: Fields of earlier tool results, the most relevant record first.
        question: The question to be answered, if there is one.
        answer: The answer found to it, or a text written for the request; "" if none.
        answered: Whether `answer` rests on the material.
        reason: Why the answer is what it is, in a sentence.
        style: What the values are for.
        last_result: Text of the latest tool result, or "".
        options: Numbered options to choose from, the best first.
        carries: Whether optional parameters take over what the records say, as for a launch.
    """

    focus: str
    request: str = ""
    material: str = ""
    records: tuple[Mapping[str, Any], ...] = ()
    question: str = ""
    answer: str = ""
    answered: bool = False
    reason: str = ""
    style: Style = "call"
    last_result: str = ""
    options: tuple[Option, ...] = ()
    carries: bool = False

    @property
    def free(self) -> bool:
        """Whether required texts may be composed; if not, they are taken from the request."""
        return self.style != "call"

    def texts(self) -> Iterator[str]:
        """The different texts to look in, most telling first; of long ones the beginning."""
        seen: set[str] = set()
        for whole in (self.focus, self.request, self.material):
            text = whole[:_LONGEST_TEXT]
            if text and text not in seen:
                seen.add(text)
                yield text
