"""Which tool a clause calls for, judged by names, descriptions, parameters and verbs."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from runcrate_emulator.simulation.actions import VERBS, action_of, verb_action
from runcrate_emulator.simulation.arithmetic import OPERATOR_WORDS, expressions, operations
from runcrate_emulator.simulation.choice_values import described_options
from runcrate_emulator.simulation.clauses import Clause
from runcrate_emulator.simulation.conversation import Tool
from runcrate_emulator.simulation.schema import Schemas, types_of
from runcrate_emulator.simulation.slots import Slot
from runcrate_emulator.simulation.spans import URL
from runcrate_emulator.simulation.thesaurus import alike
from runcrate_emulator.simulation.words import (
    identifier_words,
    rarity,
    same_family,
    stem,
    stem_set,
    weight,
    words,
)

CALLS_FOR: Final = 2.0
"""Score from which a clause calls for a tool."""

_NAME: Final = 3.0
_DESCRIPTION: Final = 1.0
_PARAMETER: Final = 0.8
_OPTION: Final = 1.5
_SYNONYM: Final = 0.5
_ADDRESS: Final = 3.0
"""What an address in the clause counts for a tool that needs one."""
_SAME_ACTION: Final = 1.0
_OTHER_ACTION: Final = -3.0
_POINTED: Final = 0.4
"""Share that the nouns of earlier steps count in a step that says `it`."""
_LIST_BONUS: Final = 1.5
_LISTS: Final = re.compile(
    r"^(?:which|what|list|show(?: me)?|how many)\b(?:\s+\w+){0,3}?\s+\w{2,}s\b|\ball\b",
    re.IGNORECASE,
)
"""Questions for several things, as `Which instances are running?`."""
_UNASKED: Final = 0.4
"""What each noun of a tool's name costs that a clause does not speak of."""
_RARE: Final = 0.3
"""Weight from which a stem tells tools apart: a prefix that all of them share does not."""
_SPOKEN_NAME: Final = 12.0
_LACKING: Final = 0.8
_LOOKS_AT_ONE: Final = 2.0
_DANGEROUS: Final = frozenset({"delete", "create", "update", "send"})
_CALCULATING: Final = frozenset({stem("calculate"), stem("calculator"), stem("math")})
_RETRIEVES: Final = re.compile(
    r"\b(?:search|retriev\w+|look ?up|query|queries|knowledge|documents?|documentation|docs|"
    r"answer(?:s|ing)? questions?|information|rag|wiki\w*|lookup|find)\b",
    re.IGNORECASE,
)
_USE_TOOL: Final = re.compile(
    r"\b(?:us(?:e|ing)|call|calling|invoke|run|with)\s+(?:the|a|your|this|any)?\s*(?:\w+\s+)?tools?\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Offer:
    """A tool on offer, with what its words tell."""

    tool: Tool

    @cached_property
    def name_stems(self) -> frozenset[str]:
        """Stems of the words in its name."""
        return frozenset(stem(word) for word in identifier_words(self.tool.name))

    @cached_property
    def description_stems(self) -> frozenset[str]:
        """Stems of the words in the first lines of its description."""
        return stem_set(" ".join(identifier_words(_summary(self.tool.description))))

    @cached_property
    def action(self) -> str | None:
        """What it does, judged by its name and then by its description's first verb."""
        named = action_of(self.tool.name)
        first = words(self.tool.description)[:1]
        return named or (verb_action(first[0]) if first else None)

    @cached_property
    def slots(self) -> tuple[Slot, ...]:
        """Its parameters."""
        schemas = Schemas(self.tool.parameters)
        found = schemas.resolved(self.tool.parameters)
        required = set(found.get("required", ()))
        return tuple(
            Slot(name, schemas.resolved(schema), name in required, owner=self.owner)
            for name, schema in (found.get("properties") or {}).items()
        )

    @property
    def owner(self) -> str:
        """Name and description, as what its arguments are for."""
        return f"{self.tool.name} {_summary(self.tool.description)}"

    @cached_property
    def parameter_stems(self) -> frozenset[str]:
        """Stems of the names of its parameters."""
        return frozenset().union(*(slot.stems for slot in self.slots))

    @cached_property
    def option_words(self) -> frozenset[str]:
        """Its parameters' enumerated values in lower case."""
        return frozenset(
            str(option).lower() for slot in self.slots for option in slot.schema.get("enum", ())
        )

    @cached_property
    def described_stems(self) -> frozenset[str]:
        """Stems in the names of the options that its description explains, as of other agents."""
        return frozenset(
            stem(word)
            for slot in self.slots
            for option in described_options(slot)
            for word in identifier_words(option)
        )

    @cached_property
    def numeric_slots(self) -> tuple[Slot, ...]:
        """Its required parameters that take a single number."""
        return tuple(
            slot
            for slot in self.slots
            if slot.required and set(types_of(slot.schema)) & {"integer", "number"}
        )

    @property
    def acts(self) -> bool:
        """Whether it changes something outside the conversation."""
        return self.action in _DANGEROUS

    def operates(self, sign: str) -> bool:
        """Whether it is a tool for one arithmetic operator."""
        wanted = {stem(word) for word in OPERATOR_WORDS[sign].split()}
        others = {
            stem(word)
            for other, said in OPERATOR_WORDS.items()
            if other != sign
            for word in said.split()
        }
        if wanted & self.name_stems:
            return True
        return bool(wanted & self.description_stems) and not others & self.name_stems

    @cached_property
    def retrieves(self) -> bool:
        """Whether it looks things up for a free-text query."""
        wanted = [slot for slot in self.slots if slot.required] or list(self.slots)
        return (
            len(wanted) == 1
            and "string" in (types_of(wanted[0].schema) or ("string",))
            and "enum" not in wanted[0].schema
            and wanted[0].kind in {"query", "question", "message", "other"}
            and bool(
                _RETRIEVES.search(
                    f"{' '.join(identifier_words(self.tool.name))} {self.tool.description}"
                )
            )
        )


def _summary(description: str) -> str:
    """A description without its lists of arguments."""
    return re.split(r"\n\s*(?:Args|Arguments|Parameters|Returns|Raises)\s*:", description)[0][:600]


@dataclass(frozen=True)
class Choice:
    """The tools on offer, ready to be matched with clauses."""

    offers: tuple[Offer, ...]

    @classmethod
    def among(cls, tools: Sequence[Tool]) -> "Choice":
        """Prepare tools for matching."""
        return cls(tuple(Offer(tool) for tool in tools))

    @cached_property
    def verbs(self) -> frozenset[str]:
        """Stems of the verbs that the tools' names and descriptions both begin with."""
        return frozenset(
            stem(named[0])
            for offer in self.offers
            if (named := identifier_words(offer.tool.name))
            and (said := words(offer.tool.description))
            and stem(named[0]) == stem(said[0])
        )

    @cached_property
    def _weights(self) -> dict[str, float]:
        bags = [offer.name_stems | offer.description_stems for offer in self.offers]
        total = len(bags)
        return {
            found: weight(count, total) / weight(1, total) for found, count in rarity(bags).items()
        }

    def best(
        self, clause: Clause, before: str = "", lacking: Callable[[Offer], int] | None = None
    ) -> Offer | None:
        """The tool that a clause calls for, or `None`.

        Args:
            clause: The step.
            before: The steps before it, whose nouns `it` may mean.
            lacking: How many of a tool's required parameters nothing is known for.
        """
        called_for = [
            (score - _LACKING * (lacking(offer) if lacking else 0), -at)
            for at, offer in enumerate(self.offers)
            if (score := self.score(clause, offer, before)) >= CALLS_FOR
        ]
        return self.offers[-max(called_for)[1]] if called_for else None

    def score(self, clause: Clause, offer: Offer, before: str = "") -> float:
        """How strongly a clause calls for a tool; see `CALLS_FOR`."""
        if speaks_of(clause.text, offer.tool.name):
            return _SPOKEN_NAME
        asked = self._asked(clause.text)
        score = sum(self._match(one, offer) for one in asked)
        score += _PARAMETER * len(asked & offer.parameter_stems)
        if not clause.points_back:
            score -= _UNASKED * self._unasked(asked, offer)
        lowered = clause.text.lower()
        score += _OPTION * any(
            re.search(rf"(?<!\w){re.escape(option)}(?!\w)", lowered)
            for option in offer.option_words
            if len(option) > 2  # noqa: PLR2004 - a letter or two may mean anything
        )
        score += _OPTION * bool(asked & offer.described_stems)
        if any(slot.kind == "url" and slot.required for slot in offer.slots):
            score += _ADDRESS * bool(URL.search(clause.text))
        if clause.points_back:
            nouns = [one for one in stem_set(before) if one not in VERBS]
            score += _POINTED * sum(self._match(one, offer) for one in nouns)
        if clause.action == "read" and _LISTS.search(clause.text):
            score += _LIST_BONUS * (stem("list") in offer.name_stems)
        return score + self._action_score(clause, offer)

    def _asked(self, text: str) -> frozenset[str]:
        asked = stem_set(text)
        every = [one for found in expressions(text) for one in operations(found.operation)]
        if not every:
            return asked
        wording = " ".join(OPERATOR_WORDS[one.sign] for one in every)
        return asked | _CALCULATING | {stem(word) for word in wording.split()}

    def _unasked(self, asked: frozenset[str], offer: Offer) -> int:
        """How many nouns of a tool's name the clause does not speak of, common ones left aside."""
        return sum(
            1
            for one in offer.name_stems - asked - VERBS
            if self._weights.get(one, 1.0) >= _RARE and not any(alike(one, a) for a in asked)
        )

    def _match(self, asked: str, offer: Offer) -> float:
        rare = self._weights.get(asked, 1.0)
        if asked in offer.name_stems:
            return _NAME * rare
        if any(same_family(asked, found) for found in offer.name_stems):
            return _NAME * 0.8
        near = max(
            (_NAME * self._weights.get(f, 1.0) for f in offer.name_stems if alike(asked, f)),
            default=0.0,
        )
        if asked in offer.description_stems:
            return max(_DESCRIPTION * rare, _SYNONYM * near)
        if near:
            return _SYNONYM * near
        if any(alike(asked, found) for found in offer.description_stems):
            return _SYNONYM * _DESCRIPTION
        return 0.0

    def _action_score(self, clause: Clause, offer: Offer) -> float:
        if clause.action is None or offer.action is None:
            return _OTHER_ACTION if offer.action == "delete" else 0.0
        if clause.action == offer.action:
            return _SAME_ACTION
        if clause.action == "wait" and offer.action == "read":
            return self._watching_score(offer)
        if offer.action == "wait" or clause.action == "wait":
            return _OTHER_ACTION
        if {clause.action, offer.action} & _DANGEROUS:
            return _OTHER_ACTION
        return 0.0

    def companions(self, clause: Clause, chosen: Offer) -> list[Offer]:
        """The chosen tool and those that a clause names beside it, as sources to be compared."""
        asked = stem_set(clause.text)
        others = [
            offer
            for offer in self.offers
            if offer is not chosen
            and chosen.retrieves
            and offer.retrieves
            and any(self._weights.get(one, 0) >= 1 for one in asked & offer.name_stems)
        ]
        return [chosen, *others]

    def _watching_score(self, offer: Offer) -> float:
        """How well a tool that reads serves for waiting: it must show one thing's state."""
        if any(other.action == "wait" for other in self.offers):
            return _OTHER_ACTION
        one = any(slot.kind == "id" and slot.required for slot in offer.slots)
        state = stem("status") in offer.name_stems or stem("status") in offer.description_stems
        return _LOOKS_AT_ONE * one + _LOOKS_AT_ONE * state - 1

    def retriever(self, question: str) -> Offer | None:
        """The tool that looks up free-text queries, the closest to the question if several."""
        found = [offer for offer in self.offers if offer.retrieves]
        asked = stem_set(question)
        return max(found, key=lambda offer: len(asked & offer.description_stems), default=None)

    def named(self, text: str) -> Offer | None:
        """The tool whose name stands in the text, or the only one if a text says `use the tool`."""
        for offer in self.offers:
            if speaks_of(text, offer.tool.name):
                return offer
        if len(self.offers) == 1 and _USE_TOOL.search(text):
            return self.offers[0]
        return None


def speaks_of(text: str, name: str) -> bool:
    """Whether a text writes out a tool's name, as `call get_weather` does."""
    if "_" not in name and name.islower():
        return (
            re.search(
                rf"\b(?:use|call|run|tool)\s+(?:the\s+)?[`'\"]?{re.escape(name)}\b|\b{re.escape(name)}\(",
                text,
            )
            is not None
        )
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text) is not None


def call_syntax(text: str, offer: Offer) -> dict[str, Any] | None:
    """Arguments of a call written out in a text, as `magic(3)` or `add(a=1, b=2)`, or `None`."""
    match = re.search(rf"(?<!\w){re.escape(offer.tool.name)}\(([^()]*)\)", text)
    if not match:
        return None
    arguments: dict[str, Any] = {}
    free = [slot.name for slot in offer.slots]
    schemas = Schemas(offer.tool.parameters)
    for part in filter(None, (piece.strip() for piece in match[1].split(","))):
        key, equals, value = part.partition("=")
        name = key.strip() if equals else (free[0] if free else "")
        slot = next((one for one in offer.slots if one.name == name), None)
        if slot is None:
            return None
        free.remove(name) if name in free else None
        for shaped in _literals(value.strip() if equals else part):
            if schemas.accepts(slot.schema, shaped):
                arguments[name] = shaped
                break
    return arguments


def _literals(text: str) -> list[Any]:
    bare = text.strip("\"'`")
    shapes: list[Any] = []
    if re.fullmatch(r"-?\d+", bare):
        shapes.append(int(bare))
    elif re.fullmatch(r"-?\d*\.\d+", bare):
        shapes.append(float(bare))
    if bare.lower() in {"true", "false"}:
        shapes.append(bare.lower() == "true")
    return [*shapes, bare]
