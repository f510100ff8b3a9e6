"""A text cut into passages, and the passages that answer a question.

A passage is a sentence, a list item, a table row or a block of code, together with the heading and
the numbered source that it stands under.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

Kind = Literal["prose", "item", "row", "code"]

_HEADING: Final = re.compile(r"^\s{0,3}#{1,6}\s+(?P<text>.+?)\s*#*$")
_ITEM: Final = re.compile(r"^\s*(?:[-*+•]|\d{1,3}[.)]|\(\d{1,3}\))\s+(?P<text>.+)$")
_ROW: Final = re.compile(r"^\s*\|(?P<text>.+)\|\s*$")
_ROW_RULE: Final = re.compile(r"^[\s|:+-]+$")
_FENCE: Final = re.compile(r"^\s*(?:```|~~~)")
_RULE: Final = re.compile(r"^\s*[-=_*~]{3,}\s*$")
_SOURCE: Final = re.compile(
    r"^\s*(?:\[(?P<bracket>\d{1,3})\]|"
    r"(?P<word>Source|Document|Doc|Passage|Context|Excerpt|Chunk|Reference|Node)\s*"
    r"#?(?P<number>\d{1,3}))\s*[:.)-]?\s*(?P<rest>.*)$"
)
_ABBREVIATION: Final = re.compile(
    r"\b(?:e\.g|i\.e|etc|cf|vs|approx|Dr|Mr|Mrs|Ms|Prof|St|No|Fig|Inc|Ltd|Co|Corp|U\.S|[A-Z])\.$"
)
_ABBREVIATION_REACH: Final = 12
"""Characters at the end of a piece in which an abbreviation is looked for."""
_SENTENCE_END: Final = re.compile(
    r"(?<=[.!?])[\"'\u201d\u2019)\]*`]*\s+(?=[\"'\u201c\u2018(\[*`]*[^\W_a-z])|(?<=[。\uff01\uff1f])"
)


@dataclass(frozen=True, slots=True)
class Passage:
    """One piece of a text that can stand as an answer.

    Attributes:
        text: The words, without list markers.
        kind: What it was in the text.
        heading: The nearest heading above it, or "".
        source: The number of the source it stands under, or "".
        paragraph: Number of its paragraph, for finding its neighbours.
    """

    text: str
    kind: Kind = "prose"
    heading: str = ""
    source: str = ""
    paragraph: int = 0


def sentences(text: str) -> list[str]:
    """The sentences of running text; line breaks inside a sentence become spaces."""
    joined = " ".join(text.split())
    found: list[str] = []
    held = ""
    for piece in _SENTENCE_END.split(joined):
        candidate = f"{held} {piece}".strip() if held else piece
        if _ABBREVIATION.search(candidate[-_ABBREVIATION_REACH:]) and piece != joined:
            held = candidate
            continue
        held = ""
        if candidate:
            found.append(candidate)
    return [*found, held] if held else found


def passages(text: str) -> list[Passage]:
    """Cut a text with prose, lists, tables, headings and code into passages, in order."""
    return list(_Reader().read(text))


class _Reader:
    """Walks over the lines of a text and remembers where it is."""

    def __init__(self) -> None:
        self._heading = ""
        self._source = ""
        self._columns = ""
        self._paragraph = 0
        self._prose: list[str] = []
        self._prose_kind: Kind = "prose"
        self._code: list[str] | None = None

    def read(self, text: str) -> Iterator[Passage]:
        for line in text.splitlines():
            yield from self._line(line)
        if self._code:
            yield self._made("\n".join(self._code), "code")
        yield from self._flush()

    def _line(self, line: str) -> Iterator[Passage]:
        if not _ROW.match(line):
            self._columns = ""
        if _FENCE.match(line):
            yield from self._fence()
        elif self._code is not None:
            self._code.append(line)
        elif not line.strip() or _RULE.match(line):
            yield from self._flush()
        elif heading := _HEADING.match(line):
            yield from self._flush()
            self._heading = heading["text"]
        elif row := _ROW.match(line):
            yield from self._flush(new_paragraph=not self._columns)
            yield from self._row(line, row["text"])
        elif item := _ITEM.match(line):
            yield from self._flush()
            self._prose, self._prose_kind = [item["text"]], "item"
        elif source := _SOURCE.match(line):
            yield from self._flush()
            self._source = source["bracket"] or source["number"]
            self._heading = ""
            if source["rest"]:
                self._prose.append(source["rest"])
        else:
            self._prose.append(line.strip())

    def _row(self, line: str, cells: str) -> Iterator[Passage]:
        """A table's first row names its columns, and so is part of the heading of the others."""
        if _ROW_RULE.match(line):
            return
        text = " | ".join(cell.strip() for cell in cells.split("|"))
        made = self._made(text, "row")
        yield replace(made, heading=f"{made.heading} {self._columns}".strip())
        self._columns = self._columns or text

    def _fence(self) -> Iterator[Passage]:
        if self._code is None:
            yield from self._flush(new_paragraph=False)
            self._code = []
        else:
            if any(line.strip() for line in self._code):
                yield self._made("\n".join(self._code), "code")
            self._code = None

    def _flush(self, *, new_paragraph: bool = True) -> Iterator[Passage]:
        kind, self._prose_kind = self._prose_kind, "prose"
        prose, self._prose = "\n".join(self._prose), []
        for sentence in sentences(prose):
            yield self._made(sentence, kind)
        if new_paragraph:
            self._paragraph += 1

    def _made(self, text: str, kind: Kind) -> Passage:
        return Passage(text, kind, self._heading, self._source, self._paragraph)


def with_continuation(chosen: Passage, every: Sequence[Passage], limit: int = 8) -> Passage:
    """A passage together with the list or code that its closing colon announces."""
    if not chosen.text.rstrip().endswith(":"):
        return chosen
    at = next((i for i, passage in enumerate(every) if passage is chosen), len(every))
    followers: list[str] = []
    for passage in every[at + 1 : at + 1 + limit]:
        if passage.kind == "prose":
            break
        followers.append(f"- {passage.text}" if passage.kind == "item" else passage.text)
    return replace(chosen, text="\n".join([chosen.text, *followers]))
