"""The answer to a prompt in words: the first way of answering that fits it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from runcrate_emulator.simulation import judging
from runcrate_emulator.simulation.choosing import choice
from runcrate_emulator.simulation.classifying import classified
from runcrate_emulator.simulation.condensing import follow_up, standalone
from runcrate_emulator.simulation.extraction import find_answer
from runcrate_emulator.simulation.invention import invented
from runcrate_emulator.simulation.picking import picked
from runcrate_emulator.simulation.prompt import Prompt
from runcrate_emulator.simulation.refining import refined
from runcrate_emulator.simulation.small_talk import small_talk
from runcrate_emulator.simulation.translating import translated
from runcrate_emulator.simulation.triplets import extracted
from runcrate_emulator.simulation.writing import written

_LONGEST_QUOTE: Final = 160
_FORMS: Final[tuple[tuple[Callable[[Prompt], str | None], str], ...]] = (
    (judging.better_of_two, "Two answers are to be compared."),
    (choice, "Numbered options are given, so the best fitting number is wanted."),
    (extracted, "Facts are to be drawn from the text."),
    (standalone, "A follow-up is to be put so that it stands alone."),
    (translated, "A translation is wanted, which needs knowledge."),
    (judging.yes_or_no, "One of two words is wanted."),
    (judging.score, "A score is wanted."),
    (written, "A text is to be made from the material."),
    (classified, "The text is to be put into a class."),
    (picked, "Something particular is to be picked from the text."),
)
"""Forms of answers that a prompt's instructions ask for, the most particular first."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer in words.

    Attributes:
        text: What is said.
        grounded: Whether it rests on the prompt; if not, the simulation has nothing to go on.
        note: How it came about, in a sentence.
    """

    text: str
    grounded: bool
    note: str


def answer(prompt: Prompt) -> Answer:
    """Answer a prompt; one such as `now the same for dogs` as the one before it."""
    asked = follow_up(prompt.text, list(prompt.told))
    if asked != prompt.text:
        prompt = replace(prompt, text=asked)
    for form, note in _FORMS:
        if text := form(prompt):
            return Answer(text, grounded=True, note=note)
    if (better := refined(prompt)) is not None:
        return Answer(better.text, better.grounded, "An existing answer is to be improved.")
    if not prompt.context:
        for form in (small_talk, invented):
            if (text := form(prompt)) is not None:
                return Answer(text, grounded=True, note="This needs no source.")
    return _from_material(prompt)


def _from_material(prompt: Prompt) -> Answer:
    found = find_answer(prompt)
    if found.grounded:
        note = f"The best passage fits the question to {min(found.score, 1):.0%}; it is quoted."
        return Answer(found.text, grounded=True, note=note)
    if prompt.context:
        if (text := small_talk(prompt)) is not None and not prompt.part("question"):
            return Answer(text, grounded=True, note="This needs no source.")
        return Answer(
            found.text, grounded=False, note="No passage of the context fits the question."
        )
    asked = " ".join(prompt.question.split())
    if len(asked) > _LONGEST_QUOTE:
        asked = asked[:_LONGEST_QUOTE].rstrip() + " …"
    text = (
        "I am a simulated model without knowledge of my own, and nothing in this conversation "
        f'answers "{asked}". Give me a text to answer from, or tools to call.'
    )
    return Answer(text, grounded=False, note="There is no material to answer from.")
