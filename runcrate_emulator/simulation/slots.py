"""A place in a schema that wants a value, and what kind of value its name speaks of."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, Literal

from runcrate_emulator.simulation.words import identifier_words, stem, stem_set

Kind = Literal[
    "email",
    "url",
    "phone",
    "date",
    "time",
    "path",
    "file",
    "language",
    "currency",
    "expression",
    "code",
    "id",
    "query",
    "message",
    "summary",
    "title",
    "reason",
    "answer",
    "question",
    "person",
    "organisation",
    "place",
    "unit",
    "occupation",
    "name",
    "other",
]


_KINDS: Final[tuple[tuple[Kind, str], ...]] = (
    ("email", r"e ?mails?(?: address)?|recipient email"),
    ("url", r"urls?|links?|uri|website|web ?page|endpoint|href"),
    ("phone", r"phone(?: number)?|telephone|mobile"),
    ("time", r"time|start time|end time|hour of day"),
    (
        "date",
        r".*\bdates?|day|deadline|birthday|when|date ?time|departure date|check ?in|check ?out",
    ),
    ("path", r"(?:file ?)?paths?|file(?: ?name)?|directory|folder"),
    ("language", r".*\blanguages?|locale|lang"),
    ("currency", r".*\bcurrency|(?:from|to|base|target) currency"),
    ("expression", r".*\bexpressions?|formula|equation|calculation"),
    ("code", r".*\bcode|script|snippet|sql(?: query)?|command"),
    (
        "id",
        (
            r"(?:.* )?(?:ids?|uuid|identifier|token|key|handle|reference)|"
            r"(?:invoice|order|ticket|case|booking|tracking|serial|account|flight) "
            r"(?:number|no|code)"
        ),
    ),
    (
        "query",
        (
            r"(?:search |user |input |original )?(?:query|queries|q|"
            r"input|prompt|keywords?|topics?|term|"
            r"search terms?|request|task|instruction|tool input|inputs|search string)"
        ),
    ),
    ("question", r".*\bquestions?"),
    ("summary", r".*\b(?:summary|abstract|overview|synopsis|tldr|gist)"),
    ("title", r".*\b(?:title|headline|heading|subject)"),
    (
        "reason",
        (
            r".*\b(?:reason|reasons|reasoning|rationale|explanation|justification|feedback|thoughts?|"
            r"critique|analysis|comment|comments|evidence)"
        ),
    ),
    ("answer", r".*\b(?:answer|response|reply|output|result|final answer|conclusion)"),
    ("message", r".*\b(?:messages?|body|text|contents?|note|notes|description|details)"),
    (
        "person",
        (
            r"(?:full |first |last |user |customer |person |author |"
            r"patient |client |contact )*name|"
            r"author|person|recipient|assignee|sender|attendee|user|customer|owner|contact|"
            r"people|persons|attendees|participants|names|ceo|founder|director|actors?|cast|singers?|"
            r"musicians?|speakers?|players?|members?|students?|employees?"
        ),
    ),
    (
        "organisation",
        (
            r".*\b(?:company|organi[sz]ation|employer|business|brand|firm|institution|"
            r"company name|vendor|manufacturer)"
        ),
    ),
    (
        "place",
        (
            r".*\b(?:location|locations|city|cities|place|places|country|countries|town|state|"
            r"destination|origin|venue|address|area|capital)"
        ),
    ),
    ("occupation", r".*\b(?:occupation|profession|job|job title|role|position|career)"),
    ("unit", r".*\bunits?|scale|format|measure"),
)
_KIND_NAMES: Final = tuple((kind, re.compile(rf"^(?:{noun})$")) for kind, noun in _KINDS)
_FORMATS: Final[Mapping[str, Kind]] = {
    "email": "email",
    "uri": "url",
    "url": "url",
    "date": "date",
    "date-time": "date",
    "time": "time",
    "uuid": "id",
}


@dataclass(frozen=True)
class Slot:
    """One property of an object, or one value on its own.

    Attributes:
        name: The property's name, or "" for a value on its own.
        schema: Its resolved schema.
        required: Whether the object is invalid without it.
        alone: Whether it is the only one of its object.
        owner: Name and description of what the object is for.
        nested: Whether its object is itself a part of another.
    """

    name: str
    schema: Mapping[str, Any] = field(default_factory=dict)
    required: bool = True
    alone: bool = False
    owner: str = ""
    nested: bool = False

    @cached_property
    def words(self) -> tuple[str, ...]:
        """The words of the name in lower case."""
        return tuple(word.lower() for word in identifier_words(self.name))

    @cached_property
    def phrase(self) -> str:
        """The name as plain words."""
        return " ".join(self.words)

    @cached_property
    def description(self) -> str:
        """What the schema says of the value."""
        branches = (one for key in ("anyOf", "oneOf") for one in self.schema.get(key, ()))
        told = (
            one.get("description") for one in (self.schema, *branches) if isinstance(one, Mapping)
        )
        return str(next(filter(None, told), None) or self.schema.get("title") or "")

    @cached_property
    def stems(self) -> frozenset[str]:
        """Stems of the name's words."""
        return frozenset(stem(word) for word in self.words)

    @cached_property
    def described_stems(self) -> frozenset[str]:
        """Stems of the name and of the description."""
        return self.stems | stem_set(self.description)

    @cached_property
    def kind(self) -> Kind:
        """What kind of text the slot wants."""
        if (of_format := _FORMATS.get(str(self.schema.get("format")))) is not None:
            return of_format
        singular = " ".join(_singular(word) for word in self.words)
        found: Kind = next(
            (kind for kind, noun in _KIND_NAMES if noun.match(self.phrase) or noun.match(singular)),
            "other",
        )
        if found == "person" and self._names_a_thing():
            return "name"
        if found == "other" and self.description:
            return self._described_kind()
        return found

    def _names_a_thing(self) -> bool:
        about = f"{self.owner} {self.description}".lower()
        return self.phrase == "name" and not re.search(
            r"\b(?:person|people|user|customer|employee|contact|author|patient|candidate|"
            r"student|guest|client|character|member|name of the (?:user|person))\b",
            about,
        )

    def _described_kind(self) -> Kind:
        lowered = self.description.lower()
        for kind, pattern in (
            ("question", r"^(?:the |a )?question\b"),
            (
                "file",
                r"\bfile name of\b|\bname of (?:a|the) file\b|\bpath to (?:a|the)\b|\bdata uri\b",
            ),
            ("answer", r"^(?:the |a |an )?answer\b"),
            ("place", r"\b(?:city|location|place name)\b"),
            ("query", r"\b(?:search query|query to|question to|what to search|search term)\b"),
            ("expression", r"\b(?:math(?:ematical)?|arithmetic) expression\b"),
            ("email", r"\bemail address\b"),
            ("date", r"\bYYYY-MM-DD\b|\bdate\b"),
        ):
            if re.search(pattern, lowered, re.IGNORECASE):
                return kind  # type: ignore[return-value]  # each is a member of Kind
        return "other"


def _singular(word: str) -> str:
    if word.endswith("ies"):
        return word[:-3] + "y"
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word
