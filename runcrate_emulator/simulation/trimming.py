"""Sorting out a prompt's sections: what instructs, what informs, what is only an example."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from runcrate_emulator.simulation.instructions import instructs
from runcrate_emulator.simulation.labels import BELOW, Role
from runcrate_emulator.simulation.passages import sentences


@dataclass(frozen=True, slots=True)
class Section:
    """One part of a prompt.

    Attributes:
        role: What the part is for.
        label: Its label in lower case, or "".
        text: Its text without the label.
        marked: Whether rules, tags or quotes show where it ends.
    """

    role: Role
    label: str
    text: str
    marked: bool = False


_CUE: Final = re.compile(r"(?:^|(?<=[.!?\n]) *)(?P<cue>[A-Z][\w ]{1,30}):\s*$")
_LEAD: Final = re.compile(
    r"(?P<told>[^\n:.?!]{8,120}:)[ \t]+(?P<text>[\"'\u201c]?[A-Z]\S*(?:\s+\S+){2,})$", re.DOTALL
)
"""An instruction with the text that it is about behind its colon."""
_OPEN_QUOTES: Final = re.compile(r"(?:\"\"\"|''')\s*$")


def sorted_out(cut: list[Section]) -> list[Section]:
    """Sections with their instructions split off, their examples marked and their cue found."""
    body, cue = _without_cue(cut)
    parts = [part for found in body for part in _separated(found)]
    return _without_examples([part for part in parts if part.text or part.label], cue)


def _without_cue(cut: list[Section]) -> tuple[list[Section], str]:
    """Take off an empty label at the end, as in `… Answer:`, that shows where the answer goes."""
    if not cut:
        return cut, ""
    last = replace(cut[-1], text=_OPEN_QUOTES.sub("", cut[-1].text).rstrip())
    if last.label and not last.text:
        return cut[:-1], last.label
    if cue := _CUE.search(last.text):
        return [*cut[:-1], replace(last, text=last.text[: cue.start()].strip())], cue["cue"].lower()
    return cut, ""


def _separated(section: Section) -> Iterable[Section]:
    """Split what instructs from what informs in a section whose end nothing marks."""
    if section.role == "plain":
        return _separated_paragraphs(section)
    if section.marked or section.role not in {"context", "question", "existing", "statement"}:
        return (section,)
    return _without_trailing_instructions(section)


def _separated_paragraphs(section: Section) -> Iterable[Section]:
    informing = False
    for paragraph in re.split(r"\n\s*\n", section.text):
        told, rest = _led_by_instructions(paragraph)
        if told:
            informing = bool(BELOW.search(told))
            yield Section("instruction", section.label, told)
        role: Role = "context" if informing else "plain"
        if rest:
            yield from _without_trailing_instructions(Section(role, section.label, rest))


def _led_by_instructions(paragraph: str) -> tuple[str, str]:
    """The instructions that a paragraph begins with, and what follows them."""
    said = sentences(paragraph)
    told = [sentence for sentence in said if instructs(sentence)]
    if not told or not instructs(said[0]):
        return "", paragraph
    lead = _LEAD.match(paragraph)
    if lead and instructs(lead["told"]) and not instructs(lead["text"]):
        return lead["told"], lead["text"]
    if len(told) * 2 >= len(said):
        return paragraph, ""
    end = next(i for i, sentence in enumerate(said) if not instructs(sentence))
    return " ".join(said[:end]), " ".join(said[end:])


def _without_trailing_instructions(section: Section) -> Iterable[Section]:
    paragraphs = re.split(r"\n\s*\n", section.text)
    kept = _informing_paragraphs(paragraphs)
    lines = "\n\n".join(paragraphs[:kept]).split("\n")
    end = len(lines)
    while end > 1 and (not lines[end - 1].strip() or instructs(lines[end - 1])):
        end -= 1
    said = sentences(lines[end - 1]) if section.role != "question" else [lines[end - 1]]
    last = len(said)
    while last > 1 and instructs(said[last - 1]):
        last -= 1
    body = lines[: end - 1] + ([" ".join(said[:last])] if last < len(said) else [lines[end - 1]])
    yield replace(section, text="\n".join(body).strip())
    tail = [*said[last:], *lines[end:], *paragraphs[kept:]]
    if any(map(str.strip, tail)):
        yield Section("instruction", "", "\n".join(tail).strip())


def _informing_paragraphs(paragraphs: Sequence[str]) -> int:
    """How many paragraphs inform, before those at the end that instruct."""
    kept = at = len(paragraphs)
    while at > 1 and _mostly_instructs(paragraphs[at - 1]):
        at -= 1
        if instructs(sentences(paragraphs[at])[0]):
            kept = at
    return kept


def _mostly_instructs(paragraph: str) -> bool:
    said = sentences(paragraph)
    return bool(said) and sum(map(instructs, said)) * 2 >= len(said)


def _comes_again(cut: Sequence[Section], at: int) -> bool:
    label = cut[at].label
    return bool(label) and any(part.label == label for part in cut[at + 1 :])


def as_example(section: Section) -> Section:
    """The section as part of an example, unless it instructs."""
    return section if section.role == "instruction" else replace(section, role="example")


def _without_examples(cut: list[Section], cue: str) -> list[Section]:
    """Mark as `example` what stands before the last repetition of the prompt's final label."""
    if not cue:
        return cut
    earlier = [i for i, part in enumerate(cut) if part.label == cue and part.text]
    last = earlier[-1] if earlier else -1
    shown = next((i for i, part in enumerate(cut) if part.role == "example"), len(cut))
    last = max([last, *(i for i in range(shown, len(cut)) if _comes_again(cut, i))])
    marked = [as_example(part) if i <= last else part for i, part in enumerate(cut)]
    return [*marked, Section("cue", cue, "")]
