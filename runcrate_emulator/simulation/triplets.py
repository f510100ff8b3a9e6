"""Facts of a text as subject, relation and object."""

import ast
import json
import re
from typing import Final, NamedTuple

from runcrate_emulator.simulation.passages import sentences
from runcrate_emulator.simulation.prompt import Prompt, joined

_WANTS: Final = re.compile(
    r"\btriplets?\b|\bknowledge graph\b|\(subject, \w+, object\)", re.IGNORECASE
)
_AT_MOST: Final = re.compile(r"\bup to (\d+)", re.IGNORECASE)
_BE: Final = r"(?:is|are|was|were|has been|have been|will be)"
_COMMON: Final = (
    "has have had can make makes use uses need needs cost costs take takes give gives own owns run "
    "runs wrote made built led won met became sold bought"
).replace(" ", "|")
_VERB: Final = re.compile(
    rf"\s(?P<verb>{_BE}\s+\w+(?:ed|en|wn|lt|nt|de|un|id)(?:\s+(?:by|in|on|at|from|to|with|for|as|of))?|"
    rf"{_BE}|{_COMMON}|(?:\w{{3,}}ed|(?P<noun>\w{{2,}}[^s\W]s))"
    r"(?:\s+(?:by|in|on|at|from|to|with|for|as))?)\s+(?P<object>\S.*)$"
)
_BARE_VERB: Final = re.compile(
    r"^(?P<verb>[a-z]+[^s\W])\s+(?P<object>(?:the|a|an|its|their|\d)\b.*)$"
)
_NO_SUBJECT: Final = re.compile(
    r"^(?:the|a|an)?$|\b(?:that|which|who|if|when|and|or)$", re.IGNORECASE
)
_ARTICLE: Final = re.compile(r"^(?:the|a|an|its|their|his|her)\s+", re.IGNORECASE)
_TAIL: Final = re.compile(r"\s+((?:\w+(?:ed|en)\s+)?(?:in|at|on|by|for|since|from))\s+")
_PREPOSITION: Final = re.compile(r" (?:by|in|on|at|from|to|with|for|as|of)$")
_SHAPE: Final = re.compile(r"\[\s*\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}", re.DOTALL)


class Triplet(NamedTuple):
    """One fact."""

    subject: str
    relation: str
    object: str


def triplets(text: str, limit: int) -> list[Triplet]:
    """Facts of a text, in order, at most `limit`."""
    found: list[Triplet] = []
    subject = ""
    for sentence in sentences(text):
        for triplet in _of_sentence(sentence, subject):
            subject = subject if triplet.subject.lower() in {"it", "they"} else triplet.subject
            if triplet not in found:
                found.append(triplet)
    return found[:limit]


def _parts(sentence: str) -> tuple[str, str, str] | None:
    """Subject, verb and the rest, split at the first word that can be the verb."""
    at = 0
    while match := _VERB.search(sentence, at):
        subject = _ARTICLE.sub("", sentence[: match.start()]).strip(" ,")
        at = match.start() + 1
        if _NO_SUBJECT.search(sentence[: match.start()].strip()):
            continue
        bare = _BARE_VERB.match(match["object"]) if match["noun"] else None
        if bare:
            return f"{subject} {match['noun']}", bare["verb"], bare["object"]
        return subject, match["verb"], match["object"]
    return None


def _of_sentence(sentence: str, earlier: str) -> list[Triplet]:
    parts = _parts(sentence.rstrip(".!? "))
    if parts is None:
        return []
    subject, relation, rest = parts
    if subject.lower() in {"it", "they", "he", "she", "this"} and earlier:
        subject = earlier
    main, *tails = _TAIL.split(rest)
    first = Triplet(subject, relation, _ARTICLE.sub("", main).strip(" ,"))
    carried = relation.rpartition(" ")[0] if _PREPOSITION.search(relation) else relation
    found = [first]
    for verb, rest in zip(tails[::2], tails[1::2], strict=True):
        carried = verb.rpartition(" ")[0] or carried
        said = f"{carried} {verb.rpartition(' ')[2]}"
        found.append(Triplet(subject, said, _ARTICLE.sub("", rest).strip(" ,")))
    return [one for one in found if one.object]


def extracted(prompt: Prompt) -> str | None:
    """The answer to a prompt that wants the facts of its text, else `None`."""
    if not _WANTS.search(f"{prompt.instructions} {prompt.cue}"):
        return None
    text = joined(prompt.context) or prompt.part("statement", "plain")
    if not text.strip():
        return None
    most = int(match[1]) if (match := _AT_MOST.search(prompt.instructions)) else 10
    found = triplets(text, most)
    if shape := _shape(f"{prompt.examples}\n{prompt.instructions}"):
        return json.dumps([_shaped(one, shape) for one in found], ensure_ascii=False)
    return "\n".join(f"({one.subject}, {one.relation}, {one.object})" for one in found)


def _shape(shown: str) -> dict[str, object] | None:
    """The keys of the first record in the prompt's example, if it shows records."""
    for match in _SHAPE.finditer(shown.replace("{{", "{").replace("}}", "}")):
        written = match[0].lstrip("[ \n").replace("{...}", "{}").replace(", ...", "")
        try:
            record = ast.literal_eval(written)
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            continue
        if isinstance(record, dict):
            return {str(key): value for key, value in record.items()}
    return None


def _shaped(triplet: Triplet, shape: dict[str, object]) -> dict[str, object]:
    """A triplet under the example's keys, of which the first three texts are its parts."""
    made: dict[str, object] = {}
    for key, value in shape.items():
        lowered = key.lower()
        if isinstance(value, dict):
            made[key] = {}
        elif "type" in lowered or "label" in lowered:
            made[key] = _type_of(triplet, lowered)
        elif re.search(r"rel|pred|edge|verb", lowered):
            made[key] = re.sub(r"\W+", "_", triplet.relation).upper()
        elif re.search(r"tail|obj|target|to\b", lowered):
            made[key] = triplet.object
        else:
            made[key] = triplet.subject
    return made


def _type_of(triplet: Triplet, key: str) -> str:
    text = triplet.object if re.search(r"tail|obj|target", key) else triplet.subject
    if re.fullmatch(r"\d{4}", text):
        return "DATE"
    return "ENTITY" if text[:1].isupper() else "CONCEPT"
