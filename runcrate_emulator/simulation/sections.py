"""A prompt cut into labelled sections: `Question: …`, `<context>…</context>`, `## User Query`.

People frame prompts in countless ways, yet they label the parts with the same few nouns. A
section's role follows from the noun in its label, not from any particular template. What stands
between two equal rules or inside a tag is taken as it is, so that documents may hold labels.
"""

import re
from collections.abc import Sequence
from typing import Final

from runcrate_emulator.simulation.instructions import instructs
from runcrate_emulator.simulation.labels import (
    ANNOUNCEMENT,
    ANNOUNCES,
    BELOW,
    END,
    END_TAG,
    LABEL,
    QUOTE_RULE,
    RULE,
    TAG,
    TITLE,
    Role,
    announced_role,
    role_of,
    title_name,
)
from runcrate_emulator.simulation.passages import sentences
from runcrate_emulator.simulation.trimming import Section, as_example, sorted_out

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


_ON_FORM: Final = re.compile(r"\b(?:json|output format|output schema)\b", re.IGNORECASE)
"""Words of instructions on the answer's form, which often follow a text without a border."""
_SPEAKING: Final = frozenset({"question", "history", "existing", "instruction", "candidate"})
"""Roles of the labels that may stand after a text at the end of a prompt."""
_FARTHEST_LABEL: Final = 30
"""Lines in which the next label must follow, going backwards from the end."""
_INLINE_RULE: Final = re.compile(r"-{8,}[ \t]*[A-Za-z]{2,20}[ \t]*-{8,}|-{8,}")
_INLINE_LABEL: Final = re.compile(
    r"(?:^|(?<=[.?!] ))(?:(?:Student|Correct|Reference|Expected|Submitted|User|Model|Assistant|"
    r"Predicted|Generated|Given) )?(?:Question|Query|Answer|Response|Context|Document|Passage|Text|"
    r"Statement|Claim|Input|Output|Premise|Hypothesis)(?=: )",
    re.IGNORECASE,
)
_INLINE_TEXT: Final = re.compile(r"(?<=[?] )(?:Text|Context|Document|Passage)(?=: )")
"""A label that opens a text behind the question about it."""
_SHORTEST_RULE: Final = 5
"""Characters from which a line of dashes is a border even inside a text."""


def sections(text: str) -> list[Section]:
    """Cut a prompt into its sections, in order; unlabelled parts have the role `plain`."""
    lines = _INLINE_RULE.sub(r"\n\g<0>\n", text).split("\n")
    return sorted_out(_Cutter([part for line in lines for part in _unrolled(line)]).cut())


def _unrolled(line: str) -> Sequence[str]:
    """A line cut before each label in it, if it holds several; what instructs comes first."""
    if ": " not in line:  # quick, as most lines of a long text are
        return (line,)
    if len(_INLINE_LABEL.findall(line)) < 2 and not _INLINE_TEXT.search(line):  # noqa: PLR2004 - one may be part of a text
        return (line,)
    parts = _INLINE_LABEL.sub(r"\n\g<0>", line).lstrip("\n").split("\n")
    last = sentences(parts[-1])
    if len(last) > 1 and instructs(last[-1]):
        parts = [last[-1], "", *parts[:-1], " ".join(last[:-1])]
    return parts


class _Cutter:
    """Walks over the lines of a prompt and closes a section wherever a new one begins."""

    def __init__(self, lines: Sequence[str]) -> None:
        self.sections: list[Section] = []
        self._source = lines
        self._at = 0
        self._role: Role = "plain"
        self._label = ""
        self._lines: list[str] = []
        self._marked = False

    def cut(self) -> list[Section]:
        while self._at < len(self._source):
            line = self._source[self._at]
            self._at += 1
            self._line(line)
        self._close("plain", "")
        return self.sections

    def _line(self, line: str) -> None:
        if self._is_border(line):
            self._at_rule(line)
        elif turn := _TURN.match(line):
            self._close("plain", "")
            self.sections = [
                as_example(section) if section.label else section for section in self.sections
            ]
            self._close("instruction", "")
            self._lines.append(turn["rest"])
            self._close("context", "")
        elif (tag := TAG.match(line)) and (
            role := role_of(tag["label"].replace("_", " ")) or self._tail(tag)
        ):
            self._at_tag(role, tag)
        elif END.match(line):
            self._close("plain", "")
        elif (title := TITLE.match(line)) and (role := role_of(name := title_name(title))):
            if self._breaks(role):
                self._close(role, name)
            else:
                self._lines.append(line)
        elif ((label := LABEL.match(line)) and self._takes(label)) or (
            (said := ANNOUNCEMENT.match(line)) and self._announces(said)
        ):
            return
        else:
            self._add(line)

    def _tail(self, tag: re.Match[str]) -> Role | None:
        """The role of an unknown tag: a text, if the tag is ended somewhere."""
        ending = f"</{tag['label']}>"
        rest = self._source[self._at :]
        return "context" if any(ending in line for line in (tag.string, *rest)) else None

    def _takes(self, label: re.Match[str]) -> bool:
        name = label["label"]
        if len(name.split()) > _MOST_LABEL_WORDS:
            return False
        role = role_of(name)
        if role is None or not self._breaks(role) or self._quotes(role, label):
            return False
        self._close(role, name)
        self._add(label["rest"])
        return True

    def _quotes(self, role: Role, label: re.Match[str]) -> bool:
        """Whether a label such as `Output:` inside a text is part of the text."""
        if role != "candidate" or self._role != "context" or self._marked:
            return False
        rest = [line for line in self._source[self._at :] if line.strip()]
        final = LABEL.match(rest[-1]) if rest else None
        is_cue = final is not None and final["label"].lower() == label["label"].lower()
        return " " not in label["label"] and bool(rest) and not is_cue

    def _announces(self, said: re.Match[str]) -> bool:
        """Whether a line such as `The original query is as follows: …` opens a section."""
        last = sentences(said["sentence"])[-1]
        if self._role == "context" and (self._marked or not instructs(last)):
            return False
        if not ANNOUNCES.search(last) or len(last.split()) <= _MOST_LABEL_WORDS - 2:
            return False
        role = announced_role(last)
        if role in {None, "example", "instruction", "candidate", "schema", "tools"}:
            return False
        self._close("instruction", "")
        self._lines.append(said["sentence"] + ":")
        self._close(role or "context", "")
        following = next((line for line in self._source[self._at :] if line.strip()), "")
        if role == "context" and not said["rest"].strip() and not self._is_border(following):
            self._take_until_prompt_speaks()
        else:
            self._add(said["rest"])
        return True

    def _take_until_prompt_speaks(self) -> None:
        """Take the lines of an unmarked text up to the parts at the end that are no text."""
        end = self._end_of_text()
        if end > self._at:
            self._lines = list(self._source[self._at : end])
            self._at = end

    def _end_of_text(self) -> int:
        """Where the last labels or instructions of the prompt begin."""
        end = at = len(self._source)
        while at > self._at:
            at -= 1
            line = self._source[at]
            opens = not self._source[at - 1].strip()
            label = LABEL.match(line)
            role = role_of(label["label"]) if label else None
            if role in _SPEAKING or (opens and line.strip() and instructs(sentences(line)[0])):
                end = at
            elif end - at > _FARTHEST_LABEL:
                break
        return end

    def _breaks(self, role: Role) -> bool:
        if self._role == "context" and any(line.strip() for line in self._lines):
            return role in _STRONG or (role == "context" and bool(self._label))
        return True

    def _is_border(self, line: str) -> bool:
        if QUOTE_RULE.match(line):
            return True
        bare = line.strip()
        return RULE.match(line) is not None and (
            len(bare) >= _SHORTEST_RULE or self._role != "context"
        )

    def _at_rule(self, line: str) -> None:
        """Begin what a rule opens; up to its twin as it is, if the rule was announced."""
        rule = RULE.match(line)
        label = (rule["label"] or "").strip() if rule else ""
        waiting = self._role if not any(map(str.strip, self._lines)) else "plain"
        told = self._announcement(sentences(" ".join(self._lines)))
        was_open = self._marked
        self._close("plain", label, marked=True)
        if label:
            self._role = role_of(label) or "context"
        elif waiting != "plain":
            self._role = waiting
            self._take_verbatim(line)
        elif told and not was_open:
            role = announced_role(told)
            known = role not in {None, "candidate", "instruction", "statement", "example"}
            self._role = role if known and role else "context"
            self._take_verbatim(line)

    def _take_verbatim(self, rule: str) -> None:
        """Take the lines up to the next equal rule after which the prompt speaks again."""
        twins = [
            at
            for at in range(self._at, len(self._source))
            if self._source[at].strip() == rule.strip()
        ]
        if not twins or self._role == "example":
            return
        end = next((at for at in twins if self._speaks_after(at)), twins[-1])
        self._lines = list(self._source[self._at : end])
        first = LABEL.match(next((line for line in self._lines if line.strip()), ""))
        if first and role_of(first["label"]) == "example":
            self._role = "example"
        self._at = end + 1
        self._close("plain", "")

    def _speaks_after(self, at: int) -> bool:
        rest = [line for line in self._source[at + 1 :] if line.strip()]
        if not rest:
            return True
        label = LABEL.match(rest[0])
        return instructs(sentences(rest[0])[0]) or bool(label and role_of(label["label"]))

    def _at_tag(self, role: Role, tag: re.Match[str]) -> None:
        """Begin what a tag opens; up to its end tag as it is, if there is one."""
        ending = f"</{tag['label']}>"
        self._close(role, tag["label"], marked=role == "context")
        rest = [tag["rest"], *self._source[self._at :]]
        end = next((at for at, line in enumerate(rest) if ending in line), None)
        if end is None:
            self._lines.append(tag["rest"])
            return
        last, _, after = rest[end].partition(ending)
        self._lines = [*rest[:end], last]
        self._marked = True
        self._at += end
        self._close("plain", "")
        if after.strip():
            self._line(after)

    @staticmethod
    def _announcement(said: Sequence[str]) -> str:
        """The sentence that speaks of what comes below, if the text leads up to it."""
        if not said or not (instructs(said[-1]) or _LEADS_UP.search(said[-1])):
            return ""
        return next((sentence for sentence in said if BELOW.search(sentence)), "")

    def _add(self, line: str) -> None:
        open_ended = not self._marked and any(map(str.strip, self._lines))
        told = self._role in {"question", "existing", "statement"} or (
            self._role == "context" and _ON_FORM.search(line)
        )
        if open_ended and told and instructs(line):
            self._close("instruction", "")
        self._lines.append(END_TAG.sub("", line))

    def _close(self, role: Role, label: str, *, marked: bool = False) -> None:
        text = "\n".join(self._lines).strip()
        if text or self._label:
            self.sections.append(Section(self._role, self._label.lower(), text, self._marked))
        self._role, self._label, self._lines, self._marked = role, label, [], marked
