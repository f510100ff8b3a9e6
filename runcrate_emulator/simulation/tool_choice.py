"""Which tool a clause calls for, judged by names, descriptions, parameters and verbs."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Final

from runcrate_emulator.simulation.actions import VERBS
from runcrate_emulator.simulation.arithmetic import OPERATOR_WORDS, expressions, operations
from runcrate_emulator.simulation.clauses import TURNS_INTO, Clause
from runcrate_emulator.simulation.conversation import Tool
from runcrate_emulator.simulation.kind_finders import of_kind
from runcrate_emulator.simulation.offers import CHANGING, Offer, speaks_of
from runcrate_emulator.simulation.spans import PATH, URL, quotations
from runcrate_emulator.simulation.subject import AVOIDED
from runcrate_emulator.simulation.thesaurus import alike
from runcrate_emulator.simulation.words import rarity, same_family, stem, stem_set, weight, words

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
_IN_HAND: Final = 1.0
"""What it counts that a tool wants the id of a thing that an earlier step made."""
_ALTERS: Final = re.compile(
    r"^(?:make|turn|change|edit|modify|adjust|recolou?r|repaint|crop|rotate)\b", re.IGNORECASE
)
_OTHER_THING: Final = -2.0
_LITTLE_WORDS: Final = frozenset({"to", "for", "of", "from", "by", "with", "and", "in", "on", "a"})
_LOOKS_AT_ONE: Final = 2.0
_CALCULATING: Final = frozenset({stem("calculate"), stem("calculator"), stem("math")})
_USE_TOOL: Final = re.compile(
    r"\b(?:us(?:e|ing)|call|calling|invoke|run|with)\s+(?:the|a|your|this|any)?\s*(?:\w+\s+)?tools?\b",
    re.IGNORECASE,
)


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
        """Stems of the verbs in the tools' names with which their descriptions begin."""
        return frozenset(
            stem(said[0])
            for offer in self.offers
            if (said := words(offer.tool.description)) and stem(said[0]) in offer.name_stems
        )

    @cached_property
    def _shared(self) -> frozenset[str]:
        """Stems of a prefix that all tools' names share, and of words such as `to`."""
        bags = [offer.name_stems for offer in self.offers]
        common = frozenset.intersection(*bags) if len(bags) > 1 else frozenset()
        return common | _LITTLE_WORDS

    def prepared_by(self, offer: Offer) -> tuple[Offer, ...]:
        """The tools that say that this one comes next and what they hand over to it."""
        return self._preparations.get(offer.tool.name, ())

    @cached_property
    def _preparations(self) -> dict[str, tuple[Offer, ...]]:
        return {
            offer.tool.name: found
            for offer in self.offers
            if (found := tuple(one for one in self.offers if one.hands_over_to(offer)))
        }

    def followed_by(self, name: str) -> Offer | None:
        """The tool for waiting that another tool says comes next."""
        told = next((one.tool.description for one in self.offers if one.tool.name == name), "")
        waits = (one for one in self.offers if one.action == "wait")
        return next((one for one in waits if speaks_of(told, one.tool.name)), None)

    def offer(self, name: str) -> Offer | None:
        """The tool of a name."""
        return next((one for one in self.offers if one.tool.name == name), None)

    def nouns(self, names: Iterable[str]) -> frozenset[str]:
        """Stems of the nouns in the names of tools, as what these tools are about."""
        found = (offer.name_stems for name in names if (offer := self.offer(name)))
        return frozenset().union(*found) - VERBS - self._shared

    @cached_property
    def products(self) -> frozenset[str]:
        """Stems of the nouns in the names of tools that make something."""
        return frozenset(
            one
            for offer in self.offers
            if offer.action in {"create", None}
            for one in offer.name_stems - VERBS - self.verbs - self._shared
        )

    @cached_property
    def _weights(self) -> dict[str, float]:
        bags = [offer.name_stems | offer.description_stems for offer in self.offers]
        total = len(bags)
        return {
            found: weight(count, total) / weight(1, total) for found, count in rarity(bags).items()
        }

    def best(
        self,
        clause: Clause,
        before: str = "",
        lacking: Callable[[Offer], int] | None = None,
        things: frozenset[str] = frozenset(),
    ) -> Offer | None:
        """The tool that a clause calls for, or `None`.

        Args:
            clause: The step.
            before: The steps before it, whose nouns `it` may mean.
            lacking: How many of a tool's required parameters nothing is known for.
            things: Stems of what earlier steps made or looked at; `it` is one of these.
        """
        called_for = [
            (score - _LACKING * (lacking(offer) if lacking else 0), -at)
            for at, offer in enumerate(self.offers)
            if (score := self.score(clause, offer, before, things)) >= CALLS_FOR
        ]
        return self.offers[-max(called_for)[1]] if called_for else None

    def score(
        self,
        clause: Clause,
        offer: Offer,
        before: str = "",
        things: frozenset[str] = frozenset(),
    ) -> float:
        """How strongly a clause calls for a tool; see `CALLS_FOR`."""
        if speaks_of(clause.text, offer.tool.name):
            return _SPOKEN_NAME
        asked = self._asked(clause.text)
        score = sum(self._match(one, offer) for one in asked)
        every = (offer, *self.prepared_by(offer))
        score += _PARAMETER * len(asked & frozenset().union(*(o.parameter_stems for o in every)))
        score += self._detail_score(clause, every, before)
        if things and offer.handled:
            in_hand = bool(things & offer.handled)
            score += _IN_HAND if in_hand else _OTHER_THING * clause.points_back
        if not clause.points_back:
            score -= _UNASKED * self._unasked(asked, offer)
        lowered = clause.text.lower()
        score += _OPTION * any(
            re.search(rf"(?<!\w){re.escape(option)}(?!\w)", lowered)
            for option in offer.option_words
            if len(option) > 2  # noqa: PLR2004 - a letter or two may mean anything
        )
        score += _OPTION * bool(asked & offer.described_stems)
        if clause.points_back and things & offer.name_stems and _ALTERS.match(clause.text):
            score += _IN_HAND * any(slot.kind == "file" for slot in offer.slots)
        if offer.runs_code:
            score += self._code_score(clause, is_named=bool(asked & offer.name_stems))
        if any(slot.kind == "url" and slot.required for slot in offer.slots):
            score += _ADDRESS * bool(URL.search(clause.text))
        if clause.points_back:
            nouns = [one for one in stem_set(before) if one not in VERBS]
            score += _POINTED * sum(self._match(one, offer) for one in nouns)
        if clause.action == "read" and _LISTS.search(clause.text):
            score += _LIST_BONUS * (stem("list") in offer.name_stems)
        return score + self._action_score(clause, offer)

    def _detail_score(self, clause: Clause, offers: Iterable[Offer], before: str) -> float:
        """What the values count that look like the examples of a tool's parameters."""
        said = f"{before} {clause.text}" if clause.points_back else clause.text
        return _OPTION * any(one.search(said) for offer in offers for one in offer.examples)

    def _code_score(self, clause: Clause, *, is_named: bool) -> float:
        """How well a step goes with a tool that runs code: it must say what is to be run."""
        if any(of_kind("code", clause.text)) or (is_named and quotations(clause.text)):
            return _ADDRESS
        return -_ADDRESS if clause.points_back and clause.action == "create" else 0.0

    def _asked(self, text: str) -> frozenset[str]:
        asked = stem_set(topic_of(text))
        every = [one for found in expressions(text) for one in operations(found.operation)]
        if not every:
            return asked
        wording = " ".join(OPERATOR_WORDS[one.sign] for one in every)
        return asked | _CALCULATING | {stem(word) for word in wording.split()}

    def _unasked(self, asked: frozenset[str], offer: Offer) -> int:
        """How many nouns of a tool's name the clause does not speak of, common ones left aside."""
        return sum(
            1
            for one in offer.name_stems - asked - VERBS - self._shared
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
        if {clause.action, offer.action} & CHANGING:
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


@lru_cache(maxsize=64)
def topic_of(text: str) -> str:
    """What a step is for: of `turn X into Y` the Y, without names of files and what to avoid."""
    wanted = AVOIDED.sub("", PATH.sub("", text))
    return turned["goal"] if (turned := TURNS_INTO.match(wanted)) else wanted
