"""A tool on offer: what its name, its description and its parameters tell."""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from runcrate_emulator.simulation.actions import action_of, verb_action
from runcrate_emulator.simulation.arithmetic import OPERATOR_WORDS
from runcrate_emulator.simulation.choice_values import described_options, examples
from runcrate_emulator.simulation.conversation import Tool
from runcrate_emulator.simulation.schema import Schemas, types_of
from runcrate_emulator.simulation.slots import Slot
from runcrate_emulator.simulation.words import identifier_words, stem, stem_set, words

CHANGING: Final = frozenset({"delete", "create", "update", "send"})
"""Actions that change something outside the conversation."""

_HANDLE_STEMS: Final = stem_set("id uuid identifier token key") | {"id"}
_RETRIEVES: Final = re.compile(
    r"\b(?:search|retriev\w+|look ?up|query|queries|knowledge|documents?|documentation|docs|"
    r"answer(?:s|ing)? questions?|information|rag|wiki\w*|lookup|find)\b",
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
    def handled(self) -> frozenset[str]:
        """Stems of what its required ids are ids of: `job` for a `job_id`."""
        return frozenset().union(
            *(
                slot.stems - _HANDLE_STEMS
                for slot in self.slots
                if slot.required and slot.kind == "id"
            )
        )

    @cached_property
    def examples(self) -> tuple[re.Pattern[str], ...]:
        """What finds values like those that its parameters give as examples."""
        return tuple(pattern for slot in self.slots for pattern in examples(slot))

    def hands_over_to(self, other: "Offer") -> bool:
        """Whether its description names another tool, and a parameter that this one needs."""
        told = self.tool.description
        if other is self or other.tool.name not in told:
            return False
        wanted = [slot.name for slot in other.slots if slot.required]
        return speaks_of(told, other.tool.name) and any(
            re.search(rf"\b{re.escape(name)}\b", told) for name in wanted
        )

    @property
    def runs_code(self) -> bool:
        """Whether it cannot do without code or a command."""
        return any(slot.required and slot.kind == "code" for slot in self.slots)

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
        return self.action in CHANGING

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
