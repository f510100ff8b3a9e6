"""Texts that a structured answer needs and no document holds: a summary, a title, a reason."""

import zlib
from collections.abc import Iterator
from typing import Final

from runcrate_emulator.simulation import digest, spans
from runcrate_emulator.simulation.actions import action_of, verb_action
from runcrate_emulator.simulation.enumerations import enumerations
from runcrate_emulator.simulation.evidence import Evidence
from runcrate_emulator.simulation.languages import language_of
from runcrate_emulator.simulation.passages import passages
from runcrate_emulator.simulation.relevance import GOOD_ENOUGH, rank
from runcrate_emulator.simulation.slots import Slot
from runcrate_emulator.simulation.text_values import candidates
from runcrate_emulator.simulation.words import identifier_words, stem_set

COMPOSED_KINDS: Final = frozenset({"answer", "summary", "title", "reason", "question"})
"""Kinds of slots that are written anew, even where the material has a fitting text."""

STRICT_KINDS: Final = frozenset({"email", "url", "phone", "date", "time", "path", "currency"})
"""Kinds of slots whose values have a shape, so that no other text can stand in for them."""

_OWN_NAMES: Final = frozenset({"name", "label"})
_SHORTEST_SOURCE: Final = 8
"""Words below which a request is not worth summing up."""
_KEYED: Final = stem_set("keyword topic term tag query theme search")
"""Stems in the names of lists that keywords fill; others take an enumeration of the text first."""
_MOST_KEYWORDS: Final = 5


def text_for(slot: Slot, evidence: Evidence) -> str:
    """A text for a slot of a structured answer."""
    source = evidence.material or evidence.request
    if slot.kind == "answer" and evidence.answer:
        return evidence.answer
    if slot.kind == "language":
        return language_of(source)
    if slot.kind == "reason":
        return evidence.reason or f"This follows from the request: {digest.topic(source)}."
    if slot.kind == "summary" and len(source.split()) >= _SHORTEST_SOURCE:
        return digest.summary(source)
    if slot.kind == "title" and evidence.material:
        return digest.title(source)
    if slot.kind == "question" and evidence.question.rstrip().endswith("?"):
        return evidence.question
    if evidence.material and (found := _relevant(slot, evidence.material)):
        return found
    topic = digest.topic(evidence.request or evidence.focus)
    if slot.kind == "question" or "question" in slot.description.lower():
        return f"What is there to say about {topic}?"
    return f"A simulated {slot.phrase or 'text'} about {topic}."


def wants_own_name(slot: Slot, evidence: Evidence) -> bool:
    """Whether the slot is the name of something that the call will create."""
    action = action_of(slot.owner.partition(" ")[0])
    creates = action == "create" or evidence.carries
    return slot.phrase in _OWN_NAMES and creates and not slot.nested


def own_name(slot: Slot, evidence: Evidence) -> str:
    """A name for something new: what it is, and a few digits that come from the request."""
    tool_words = identifier_words(slot.owner.partition(" ")[0])
    noun = next((word.lower() for word in reversed(tool_words) if not verb_action(word)), "new")
    digits = zlib.crc32(evidence.request.encode()) % 10_000
    return f"{noun}-{digits:04d}"


def _relevant(slot: Slot, material: str) -> str:
    ranking = rank(f"{slot.phrase} {slot.description}".lower(), passages(material))
    best = ranking.best[0] if ranking.best else None
    return best.passage.text if best and best.score >= GOOD_ENOUGH else ""


def listed_for(slot: Slot, text: str, evidence: Evidence) -> Iterator[str]:
    """The texts for a slot that takes several."""
    if slot.kind in {"person", "place", "organisation", "email", "url", "date", "phone", "id"}:
        found = [one.text for one in candidates(slot, text)]
        yield from found
        if found or slot.kind not in {"person", "place"}:
            return
    for one in candidates(slot, text):
        if one.strength == "stated":
            yield from _enumerated(text, one.start)
            return
    quoted = [span.text for span in spans.quotations(text)]
    if quoted:
        yield from quoted
        return
    if not evidence.free:
        if enumeration := spans.enumeration(text):
            yield from enumeration
        return
    if slot.kind == "question":
        yield from digest.questions(text, _MOST_KEYWORDS)
        return
    is_keyed = slot.kind not in {"other", "query"} or slot.stems & _KEYED
    written = [] if is_keyed else max(enumerations(text), key=len, default=[])
    yield from written or digest.keywords(text, _MOST_KEYWORDS)


def _enumerated(text: str, start: int) -> list[str]:
    end = min(
        (at for at in (text.find(sign, start) for sign in ".;?!\n") if at > 0), default=len(text)
    )
    return spans.listed(text[start:end])
