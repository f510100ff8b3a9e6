"""What a conversation asks: the question, the material to answer from, and the instructions."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from runcrate_emulator.simulation.instructions import instructs
from runcrate_emulator.simulation.labels import Role
from runcrate_emulator.simulation.passages import sentences
from runcrate_emulator.simulation.sections import sections
from runcrate_emulator.simulation.trimming import Section

_LONGEST_REQUEST_WORDS: Final = 60
"""A longer text without labels is taken for material with a request in it."""
_POINTS_AT_TEXT: Final = re.compile(
    r"\b(?:above|this (?:text|document|passage|article|section|context|list)|the (?:text|document)|"
    r"following|below|context|summar\w+|keywords?|titles?|translate)\b",
    re.IGNORECASE,
)
_QUESTION_OPENING: Final = re.compile(
    r"^(?:who|whom|whose|what|what's|which|when|where|why|how|is|are|was|were|do|does|did|can|"
    r"could|should|would|will|has|have|had|may)\b",
    re.IGNORECASE,
)
_QUOTES: Final = {'"': '"', "'": "'", "`": "`", "\u201c": "\u201d", "\u2018": "\u2019"}
_TRIPLE: Final = '"""'


@dataclass(frozen=True)
class Prompt:
    """The last request of a conversation, taken apart.

    Attributes:
        system: Text of the system messages.
        text: Text of the user's last message.
        attached: Text found in attached files, one entry a file.
        told: What the user said before, oldest first.
        replied: What the assistant said before, oldest first.
    """

    system: str
    text: str
    attached: tuple[str, ...] = ()
    told: tuple[str, ...] = ()
    replied: tuple[str, ...] = ()

    @cached_property
    def sections(self) -> tuple[Section, ...]:
        """The sections of the user's text."""
        return tuple(sections(self.text))

    @cached_property
    def system_sections(self) -> tuple[Section, ...]:
        """The sections of the system text."""
        return tuple(sections(self.system))

    def part(self, *roles: Role) -> str:
        """The text of the last section with one of these roles, or ""."""
        every = (*self.system_sections, *self.sections)
        found = [part.text for part in every if part.role in roles and part.text]
        return found[-1] if found else ""

    @cached_property
    def cue(self) -> str:
        """The label in lower case that the prompt ends with, as `answer` in `… Answer:`, or ""."""
        return next((part.label for part in self.sections if part.role == "cue"), "")

    @cached_property
    def question(self) -> str:
        """What is asked, without its quotation marks; "" if the user's text is empty."""
        asked = [part.text for part in self.sections if part.role == "question" and part.text]
        if asked:
            return unquoted(asked[-1])
        plain = [part.text for part in self.sections if part.role == "plain" and part.text]
        whole = "\n".join(plain)
        if plain and len(whole.split()) <= _LONGEST_REQUEST_WORDS:
            return whole.strip()
        told = [part.text for part in self.sections if part.role == "instruction"]
        pieces = [piece for text in (*plain, *told) for piece in sentences(text)]
        wanted = [piece for piece in pieces if is_question(piece)]
        return wanted[-1] if wanted else (told[-1] if told else whole).strip()

    @cached_property
    def instructions(self) -> str:
        """Everything that says how to answer, from the system text and the user's."""
        every = (*self.system_sections, *self.sections)
        told = [part.text for part in every if part.role in {"instruction", "schema"}]
        told += [s for part in every if part.role == "plain" for s in sentences(part.text)]
        return "\n".join(told)

    @cached_property
    def examples(self) -> str:
        """The examples that the prompt shows."""
        every = (*self.system_sections, *self.sections)
        shown = [f"{part.label}:\n{part.text}" for part in every if part.role == "example"]
        return "\n".join(shown)

    @cached_property
    def context(self) -> tuple[str, ...]:
        """The material to answer from, one text a section; empty if the prompt brings none."""
        every = (*self.system_sections, *self.sections)
        given = [part.text for part in every if part.role in {"context", "choices"} and part.text]
        if not given or self._asked_elsewhere():
            given += self._unlabelled_material()
        return (*(unquoted(text) for text in given), *self.attached)

    @cached_property
    def told_without_context(self) -> str:
        """System text and user text without the sections to answer from."""
        text = f"{self.system}\n{self.text}".strip()
        for part in (*self.system_sections, *self.sections):
            if part.role == "context" and part.text:
                text = text.replace(part.text, "")
        return text

    @cached_property
    def facts(self) -> tuple[str, ...]:
        """Informing sentences of the system text that stand in no context section."""
        every = [part for part in self.system_sections if part.role in {"plain", "instruction"}]
        return tuple(
            sentence
            for part in every
            for sentence in sentences(part.text)
            if not instructs(sentence)
        )

    def _asked_elsewhere(self) -> bool:
        return any(part.role in {"question", "statement"} for part in self.sections)

    def _unlabelled_material(self) -> list[str]:
        plain = [part.text for part in self.sections if part.role == "plain"]
        told = " ".join(part.text for part in self.sections if part.role == "instruction")
        if self._asked_elsewhere():
            return [text for text in plain if not all(map(is_question, sentences(text)))]
        if told and _POINTS_AT_TEXT.search(told):
            return plain
        whole = "\n\n".join(plain)
        if len(whole.split()) <= _LONGEST_REQUEST_WORDS:
            return []
        return [whole.replace(self.question, "")]


def is_question(sentence: str) -> bool:
    """Whether a sentence asks something."""
    text = sentence.strip()
    return text.endswith("?") or bool(_QUESTION_OPENING.match(text))


def unquoted(text: str) -> str:
    """A text without the quotation marks around it; a mark at one end only is part of the text."""
    bare = text.strip().removeprefix(_TRIPLE).removesuffix(_TRIPLE).strip()
    while len(bare) > 1 and _QUOTES.get(bare[0]) == bare[-1]:
        bare = bare[1:-1].strip()
    return bare


def joined(texts: Sequence[str]) -> str:
    """Texts as one, with an empty line between them."""
    return "\n\n".join(text for text in texts if text)
