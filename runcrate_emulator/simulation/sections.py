"""A prompt cut into labelled sections: `Question: …`, `<context>…</context>`, `## User Query`.

People frame prompts in countless ways, yet they label the parts with the same few nouns. A
section's role follows from the noun in its label, not from any particular template.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from runcrate_emulator.simulation.instructions import instructs
from runcrate_emulator.simulation.passages import sentences

Role = Literal[
    "question",
    "context",
    "history",
    "existing",
    "candidate",
    "reference",
    "statement",
    "choices",
    "example",
    "instruction",
    "schema",
    "tools",
    "cue",
    "plain",
]


_NOUNS: Final[tuple[tuple[Role, str], ...]] = (
    (
        "history",
        r"(?:chat|conversation|message|dialogue?) (?:history|log)|history|transcript so far",
    ),
    (
        "existing",
        (
            r"(?:existing|original|previous|current|initial|draft|old|yes/no)(?: yes/no)? "
            r"(?:answer|response|summary|evaluation|result)(?: score)?|existing evaluation score"
        ),
    ),
    (
        "reference",
        (
            r"(?:reference|expected|correct|true|ground[- ]truth|gold|ideal) "
            r"(?:answer|response|output|solution)s?|ground[- ]truth"
        ),
    ),
    ("tools", r"tools|available tools"),
    ("choices", r"choices|options|candidates|categories|labels|answer choices"),
    ("example", r"(?:some )?examples?(?: \d+)?(?: (?:format|response|output|input))?"),
    ("schema", r"(?:json |output |response )?schema|output format|response format"),
    (
        "question",
        (
            r"(?:(?:user|original|search|follow[- ]?up|human|standalone|final|current|new|the|my|input|"
            r"student|customer)'?s? )*"
            r"(?:questions?|query|queries|request|task|input|message|prompt|problem|follow[- ]?up)"
        ),
    ),
    (
        "statement",
        (
            r"(?:piece of |given )?(?:information|claim|statement|hypothesis|assertion|fact)|"
            r"(?:query|question) (?:and|&) (?:response|answer)"
        ),
    ),
    (
        "context",
        (
            r"(?:(?:new|additional|retrieved|given|provided|relevant|supporting|source|reference|the|"
            r"input|extra|background|knowledge source|search|useful) )*"
            r"(?:contexts?|documents?|passages?|texts?|articles?|sources?|contents?|excerpts?|"
            r"paragraphs?|snippets?|knowledge|background|notes|transcript|material|data|references|"
            r"results|emails?|reviews?|story|section|chunks?|pages?|report|facts|abstract|reviews)"
            r"(?: information| context)?"
        ),
    ),
    ("instruction", r"(?:instructions?|guidelines?|rules|requirements|note|important|criteria)"),
    (
        "candidate",
        (
            r"(?:(?:generated|submitted|student|model|assistant|ai|predicted|proposed|actual|final|"
            r"new|refined|helpful|your|the|user|chatbot|system)'?s? )*"
            r"(?:answers?|responses?|outputs?|predictions?|submissions?|results?|repl(?:y|ies))"
            r"(?: [ab12])?|(?:assistant|model|system|candidate) [ab12](?:['\u2019]s)? "
            r"(?:answer|response|output)"
        ),
    ),
)
_ROLE_NAMES: Final = tuple((role, re.compile(rf"^(?:{noun})$")) for role, noun in _NOUNS)
_ROLE_MENTIONS: Final = tuple((role, re.compile(rf"\b(?:{noun})\b")) for role, noun in _NOUNS)

_LABEL: Final = re.compile(
    r"^\s*(?:#{1,6}\s*|[-*]\s+)?(?:\*\*)?(?P<label>[A-Za-z][\w'/ -]{0,48}?)\s*"
    r"(?:\*\*:|:\*\*|:)[ \t]*(?P<rest>.*)$"
)
_TITLE: Final = re.compile(
    r"^\s*(?:#{1,6}\s+(?P<heading>.+?)|\*\*(?P<bold>[^*]+)\*\*|"
    r"\[(?:The )?(?:Start of )?(?P<bracket>[A-Z][\w '\u2019]+)\])\s*:?\s*$"
)
_END: Final = re.compile(r"^\s*\[(?:The )?End of [\w '\u2019]+\]\s*$")
_TAG: Final = re.compile(r"^\s*<(?P<label>[A-Za-z][\w -]{0,40})>\s*(?P<rest>.*)$")
_END_TAG: Final = re.compile(r"</[A-Za-z][\w -]{0,40}>")
_RULE: Final = re.compile(r"^\s*[-=_*~#]{3,}\s*(?:(?P<label>[A-Za-z ]{2,30}?)\s*[-=_*~#]{3,})?\s*$")
_QUOTE_RULE: Final = re.compile(r'^\s*(?:"""|\'\'\')\s*$')
_ANNOUNCEMENT: Final = re.compile(r"^(?P<sentence>[A-Z<][^\n]{8,400}?):[ \t]*(?P<rest>[^\n]*)$")
_ANNOUNCES: Final = re.compile(
    r"\b(?:below|following|follows|here (?:is|are)|provided|given|based (?:only |solely )?on|"
    r"relevant to|answer|from|this|for)\b",
    re.IGNORECASE,
)
_BELOW: Final = re.compile(
    r"\b(?:below|following|given|provided)\b|\bhere (?:is|are)\b", re.IGNORECASE
)
_LEADS_UP: Final = re.compile(r"\b(?:below|following|numbered|each item|summary)\b", re.IGNORECASE)
_TURN: Final = re.compile(
    r"^\s*(?:let'?s (?:try|do) (?:this|it)(?: now)?|now it'?s your turn|your turn|now your turn|"
    r"begin|now try|now answer)\s*[:.!]*\s*(?P<rest>.*)$",
    re.IGNORECASE,
)
"""Words that end the examples of a prompt."""
_MOST_LABEL_WORDS: Final = 5
_STRONG: Final = frozenset({"question", "history", "existing", "candidate", "reference", "cue"})
"""Roles whose labels end an unmarked context; weaker ones may be part of a document."""


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


def _named(title: re.Match[str]) -> str:
    return (title["heading"] or title["bold"] or title["bracket"]).strip(" :")


def role_of(label: str) -> Role | None:
    """The role that a label gives to its section; `None` for a label without a known noun."""
    plain = " ".join(label.lower().split()).removeprefix("the ").strip("<>*")
    return next((role for role, noun in _ROLE_NAMES if noun.match(plain)), None)


def _mentioned(sentence: str) -> Role | None:
    """The role of what a sentence such as `Here is the text` or `the following query` announces."""
    lowered = sentence.lower()
    if re.search(r"\bformat\b", lowered):
        return None
    if at := re.search(r"\b(?:following|new piece of|here (?:is|are)|^below)\b", lowered):
        return _mention(lowered[at.start() : at.start() + 50], first=True)
    return _mention(lowered.partition("below")[0], first=False)


def _mention(text: str, *, first: bool) -> Role | None:
    found = [
        (match.start(), match.end(), order, role)
        for order, (role, noun) in enumerate(_ROLE_MENTIONS)
        for match in noun.finditer(text)
    ]
    if not found:
        return None
    if first:
        return min(found, key=lambda item: (item[0], -item[1], item[2]))[3]
    return max(found, key=lambda item: (item[1], -item[0], -item[2]))[3]


class _Cutter:
    """Walks over the lines of a prompt and closes a section wherever a new one begins."""

    def __init__(self) -> None:
        self.sections: list[Section] = []
        self._role: Role = "plain"
        self._label = ""
        self._lines: list[str] = []
        self._marked = False
        self._announced: Role | None = None

    def cut(self, text: str) -> list[Section]:
        for line in text.split("\n"):
            self._line(line)
        self._close("plain", "")
        return self.sections

    def _line(self, line: str) -> None:
        if rule := _RULE.match(line) or _QUOTE_RULE.match(line):
            label = (rule.groupdict().get("label") or "").strip()
            self._at_rule(label)
        elif turn := _TURN.match(line):
            self._close("plain", "")
            self.sections = [
                _as_example(section) if section.label else section for section in self.sections
            ]
            self._close("instruction", "")
            self._lines.append(turn["rest"])
            self._close("context", "")
        elif (tag := _TAG.match(line)) and (role := role_of(tag["label"]) or self._tail(tag)):
            self._close(role, tag["label"], marked=bool(_END_TAG.search(line)) or role == "context")
            self._add(tag["rest"])
        elif _END.match(line):
            self._close("plain", "")
        elif (title := _TITLE.match(line)) and (role := role_of(name := _named(title))):
            if self._breaks(role):
                self._close(role, name)
            else:
                self._lines.append(line)
        elif ((label := _LABEL.match(line)) and self._takes(label)) or (
            (said := _ANNOUNCEMENT.match(line)) and self._announces(said)
        ):
            return
        else:
            self._add(line)

    def _tail(self, tag: re.Match[str]) -> Role | None:
        return "context" if f"</{tag['label']}>" in tag.string else None

    def _takes(self, label: re.Match[str]) -> bool:
        name = label["label"]
        if len(name.split()) > _MOST_LABEL_WORDS:
            return False
        role = role_of(name)
        if role is None or not self._breaks(role):
            return False
        self._close(role, name)
        self._add(label["rest"])
        return True

    def _announces(self, said: re.Match[str]) -> bool:
        """Whether a line such as `The original query is as follows: …` opens a section."""
        last = sentences(said["sentence"])[-1]
        if self._role == "context" and (self._marked or not instructs(last)):
            return False
        if not _ANNOUNCES.search(last) or len(last.split()) <= _MOST_LABEL_WORDS - 2:
            return False
        role = _mentioned(last)
        if role in {None, "example", "instruction", "candidate", "schema", "tools"}:
            return False
        self._close("instruction", "")
        self._lines.append(said["sentence"] + ":")
        self._close(role or "context", "")
        self._add(said["rest"])
        return True

    def _breaks(self, role: Role) -> bool:
        if self._role == "context" and any(line.strip() for line in self._lines):
            return role in _STRONG or (role == "context" and bool(self._label))
        return True

    def _at_rule(self, label: str) -> None:
        waiting = self._role if not any(map(str.strip, self._lines)) else None
        text = " ".join(self._lines)
        self._close("plain", label, marked=True)
        if label:
            self._role = role_of(label) or "context"
        elif waiting not in {None, "plain"}:
            self._role = waiting or "context"
        elif (told := self._announcement(sentences(text))) and not self.sections[-1].marked:
            self._role = _mentioned(told) or "context"
            if self._role in {"candidate", "instruction", "statement"}:
                self._role = "context"

    @staticmethod
    def _announcement(said: Sequence[str]) -> str:
        """The sentence that speaks of what comes below, if the text leads up to it."""
        if not said or not (instructs(said[-1]) or _LEADS_UP.search(said[-1])):
            return ""
        return next((sentence for sentence in said if _BELOW.search(sentence)), "")

    def _add(self, line: str) -> None:
        if (
            self._role in {"question", "existing", "statement"}
            and not self._marked
            and any(map(str.strip, self._lines))
            and instructs(line)
        ):
            self._close("instruction", "")
        if _END_TAG.search(line):
            self._lines.append(_END_TAG.sub("", line))
            self._close("plain", "")
        else:
            self._lines.append(line)

    def _close(self, role: Role, label: str, *, marked: bool = False) -> None:
        text = "\n".join(self._lines).strip()
        if text or self._label:
            self.sections.append(Section(self._role, self._label.lower(), text, self._marked))
        self._role, self._label, self._lines, self._marked = role, label, [], marked


def sections(text: str) -> list[Section]:
    """Cut a prompt into its sections, in order; unlabelled parts have the role `plain`."""
    spaced = _INLINE_RULE.sub(r"\n\g<0>\n", text)
    body, cue = _without_cue(_Cutter().cut(spaced))
    cut = [part for found in body for part in _separated(found)]
    return _without_examples([part for part in cut if part.text or part.label], cue)


_INLINE_RULE: Final = re.compile(r"-{8,}[ \t]*[A-Za-z]{2,20}[ \t]*-{8,}|-{8,}")
_CUE: Final = re.compile(r"(?:^|(?<=[.!?\n]) *)(?P<cue>[A-Z][\w ]{1,30}):\s*$")
_OPEN_QUOTES: Final = re.compile(r"(?:\"\"\"|''')\s*$")


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
            informing = bool(_BELOW.search(told))
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


def _as_example(section: Section) -> Section:
    return section if section.role == "instruction" else replace(section, role="example")


def _without_examples(cut: list[Section], cue: str) -> list[Section]:
    """Mark as `example` what stands before the last repetition of the prompt's final label."""
    if not cue:
        return cut
    earlier = [i for i, part in enumerate(cut) if part.label == cue and part.text]
    last = earlier[-1] if earlier else -1
    shown = next((i for i, part in enumerate(cut) if part.role == "example"), len(cut))
    last = max([last, *(i for i in range(shown, len(cut)) if _comes_again(cut, i))])
    marked = [_as_example(part) if i <= last else part for i, part in enumerate(cut)]
    return [*marked, Section("cue", cue, "")]
