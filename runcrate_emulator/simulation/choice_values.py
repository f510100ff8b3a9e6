"""One of several options, and yes or no, as the evidence suggests."""

import re
from collections.abc import Sequence
from typing import Any, Final

from runcrate_emulator.simulation import spans
from runcrate_emulator.simulation.evidence import Evidence
from runcrate_emulator.simulation.records import parsed
from runcrate_emulator.simulation.slots import Slot
from runcrate_emulator.simulation.subject import LYING, UPRIGHT
from runcrate_emulator.simulation.thesaurus import alike
from runcrate_emulator.simulation.words import (
    identifier_words,
    is_name_like,
    same_family,
    stem,
    stem_set,
    words,
)

_POSITIVE: Final = frozenset(
    stem(word)
    for word in """
        good great excellent amazing happy love loved like wonderful best nice fantastic awesome
        perfect enjoy enjoyed delighted glad pleased beautiful thanks brilliant superb impressive
        recommend fast helpful friendly
        """.split()  # noqa: SIM905 - words read best as words
)
_NEGATIVE: Final = frozenset(
    stem(word)
    for word in """
        bad terrible awful hate hated horrible worst poor sad angry broken disappointed
        disappointing slow ugly annoying annoyed useless never problem fail failed wrong refund rude
        waste boring disgusting upset complaint
        """.split()  # noqa: SIM905 - words read best as words
)
_NEGATION: Final = re.compile(
    r"\b(?:no|not|without|don'?t|doesn'?t|never|disable[ds]?|exclud\w+|skip|avoid|isn'?t|off|false)\b",
    re.IGNORECASE,
)
_MOODS: Final = (
    ({"positive", "happy", "good"}, 1),
    ({"negative", "sad", "angry", "bad"}, -1),
    ({"neutral", "mixed"}, 0),
)
_NO_TOPIC: Final = frozenset(
    {"i", "ha", "should", "can", "enabl", "us", "includ", "be", "do", "is"}
)
_VERDICT: Final = re.compile(
    r"\b(?:satisf\w+|answer\w*|found|support\w*|relevant|pass\w*|valid|correct|success\w*|"
    r"complete\w*|faithful|grounded|helpful|sufficient|binary.score)\b",
    re.IGNORECASE,
)
_SUCH_AS: Final = re.compile(r"\b(?:such as|like|e\.g\.|for example)\s*:?\s*(?P<list>[^.;()]+)")
_ALTERNATIVES: Final = re.compile(r"\bor\b|\bone of\b|/|\||\bLiteral\[|\b(?:valid|allowed|among)\b")
_CODE_NAME: Final = re.compile(r"(?<![\w-])(?:[A-Z]{2,4}[ -]?|[A-Z])\d{1,5}[A-Z]{0,2}s?(?![\w-])")
_PERSON: Final = re.compile(r"^(?:[A-Z][a-z'-]+ ){1,2}[A-Z][a-z'-]+$")
_ONE_OF: Final = re.compile(
    r"\b(?:one of|either|can be|must be|options?(?: are)?|choices?(?: are)?|values?(?: are)?|"
    r"(?:possible|allowed|valid) values)\b[:\s]*(?P<list>[^.;\n]+)",
    re.IGNORECASE,
)
_SAID: Final = 4.0
"""Score of an option that stands right behind the slot's name, as in `role admin`."""
_OF_ITS_SHAPE: Final = 1.0
"""Score of a ratio such as `9:16` when the text asks for an upright format."""
_RATIO: Final = re.compile(r"(\d{1,2}):(\d{1,2})")
_LONGEST_OPTION_WORDS: Final = 4
_FALLBACKS: Final = ("other", "unknown", "none", "neutral", "general", "n/a", "no", "default")


def described_options(slot: Slot) -> dict[str, str]:
    """Options that a tool's description lists with their meanings, as `{'a': 'does …', …}`."""
    if "{" not in slot.owner:
        return {}
    for match in re.finditer(r"(?P<lead>[\w ]{0,80}):?\s?(?P<table>\{[^{}]+\})", slot.owner):
        table = parsed(match["table"])
        if (
            isinstance(table, dict)
            and all(isinstance(value, str) for value in table.values())
            and stem_set(match["lead"]) & slot.stems
        ):
            return table
    return {}


def told_options(slot: Slot) -> list[str]:
    """Options that a description lists in words, as `one of 'low', 'high'`; often none."""
    quoted = [span.text for span in spans.quotations(slot.description)]
    if len(quoted) > 1 and _ALTERNATIVES.search(slot.description):
        return quoted
    if match := _ONE_OF.search(slot.description):
        options = spans.listed(match["list"])
        if len(options) > 1 and all(len(o.split()) <= _LONGEST_OPTION_WORDS for o in options):
            return options
    return []


def exemplified(slot: Slot, text: str) -> tuple[str, str] | None:
    """The example that a description gives and a text names: `a GPU, such as A100 or RTX4090`.

    The text may write it with spaces, as `RTX 4090`. A code of letters and figures that looks like
    the examples will do as well, as `B200`.

    Returns:
        The value, and how the text writes it.
    """
    for one in _given_examples(slot):
        if match := _spaced(one).search(text):
            return one, match[0]
    if (shape := _shape(_given_examples(slot))) and (match := shape.search(_unquoted(text))):
        return re.sub(r"[ -]", "", match[0]).removesuffix("s"), match[0]
    return None


def examples(slot: Slot) -> list[re.Pattern[str]]:
    """What finds values like the examples that a description gives; often nothing."""
    given = _given_examples(slot)
    shape = _shape(given)
    return [_spaced(one) for one in given if is_name_like(one)] + ([shape] if shape else [])


def _given_examples(slot: Slot) -> list[str]:
    match = _SUCH_AS.search(slot.description)
    return spans.listed(match["list"]) if match else []


def _spaced(example: str) -> re.Pattern[str]:
    parts = re.findall(r"[^\W\d]+|\d+|[^\w\s]+", example)
    return re.compile(rf"(?<!\w){'[ -]?'.join(map(re.escape, parts))}s?(?!\w)", re.IGNORECASE)


def _shape(given: Sequence[str]) -> re.Pattern[str] | None:
    """How examples look that are all capitals and then figures, if they are."""
    return _CODE_NAME if given and all(map(_CODE_NAME.fullmatch, given)) else None


def _unquoted(text: str) -> str:
    """A text with its quotations blanked out: a code inside a command is none of a thing."""
    for span in spans.quotations(text):
        text = text[: span.start] + " " * (span.end - span.start) + text[span.end :]
    return text


def chosen(slot: Slot, options: Sequence[Any], evidence: Evidence) -> Any:
    """The option that the evidence names, or `None` if it names none and none is needed."""
    for record in evidence.records:
        for name, value in record.items():
            if value in options and set(map(str.lower, identifier_words(name))) & set(slot.words):
                return value
    if meanings := described_options(slot):
        request = evidence.focus or evidence.request
        return max(meanings, key=lambda name: _fit(request, f"{name} {meanings[name]}"))
    for text in evidence.texts():
        scored = [(_mention(str(option), text, slot), -at) for at, option in enumerate(options)]
        best, at = max(scored)
        if best > 0:
            return options[-at]
    if not slot.required:
        return None
    return (
        _by_mood(options, evidence)
        or _by_verdict(options, evidence)
        or _by_sort_of_name(options, evidence)
        or _fallback(options)
    )


def _mention(option: str, text: str, slot: Slot) -> float:
    if ratio := _RATIO.fullmatch(option):
        way = LYING if int(ratio[1]) > int(ratio[2]) else UPRIGHT
        if option in text:
            return _SAID
        return _OF_ITS_SHAPE if ratio[1] != ratio[2] and way.search(text) else 0.0
    plain = " ".join(identifier_words(option)) or option
    said = rf"\b{re.escape(slot.phrase)}(?: (?:is|of|to|as)|:|=)? [\"'`]?{re.escape(option)}(?!\w)"
    if slot.phrase and option and re.search(said, text, re.IGNORECASE):
        return _SAID
    if match := re.search(rf"(?<!\w){re.escape(option)}(?!\w)", text, re.IGNORECASE):
        return 3 - match.start() / (len(text) + 1) if option else 0.0
    wanted = [stem(word) for word in words(plain)]
    held = {stem(word) for word in words(text)}
    if wanted and set(wanted) <= held:
        return 1.5
    topic = stem_set(text)
    if wanted and all(len(one) > 2 and any(alike(one, h) for h in topic) for one in wanted):  # noqa: PLR2004 - no letter codes
        return 0.5
    return 0.4 * len(set(wanted) & topic) / len(wanted) if wanted else 0.0


def _fit(request: str, described: str) -> int:
    """How many words of a request an option's name and meaning hold, or a relative of them."""
    held = stem_set(" ".join(identifier_words(described)))
    return sum(any(same_family(one, other) for other in held) for one in stem_set(request))


def mood(text: str) -> int:
    """Whether a text sounds positive (1), negative (-1) or neither (0)."""
    held = [stem(word) for word in words(text)]
    score = sum(one in _POSITIVE for one in held) - sum(one in _NEGATIVE for one in held)
    if re.search(r"\b(?:not|isn't|wasn't|never)\s+(?:\w+\s+)?(?:good|great|happy|like|nice)", text):
        score = -abs(score)
    return (score > 0) - (score < 0)


def _by_mood(options: Sequence[Any], evidence: Evidence) -> Any:
    felt = mood(evidence.material or evidence.request or evidence.focus)
    for names, value in _MOODS:
        if value == felt:
            return next((one for one in options if str(one).lower() in names), None)
    return None


def _by_verdict(options: Sequence[Any], evidence: Evidence) -> Any:
    lowered = {str(option).lower(): option for option in options}
    if {"yes", "no"} <= set(lowered):
        return lowered["yes" if evidence.answered else "no"]
    return None


def _by_sort_of_name(options: Sequence[Any], evidence: Evidence) -> Any:
    """`PERSON` for `Ada Colm` and `THING` for `a lighthouse`, where these are options."""
    lowered = {str(option).lower(): option for option in options}
    if "person" not in lowered:
        return None
    if _PERSON.match(evidence.focus):
        return lowered["person"]
    return next((lowered[name] for name in ("thing", "object", "concept") if name in lowered), None)


def _fallback(options: Sequence[Any]) -> Any:
    lowered = {str(option).lower(): option for option in options}
    return next((lowered[name] for name in _FALLBACKS if name in lowered), options[0])


def truth(slot: Slot, evidence: Evidence) -> bool | None:
    """Whether what the slot says is so; `None` if nothing is known and nothing is needed."""
    wanted = {one for one in slot.stems if one not in _NO_TOPIC}
    for text in (evidence.focus, evidence.request):
        for sentence in re.split(r"[.;,!?\n]", text):
            held = {stem(word) for word in words(sentence)}
            if wanted and wanted <= held:
                return not _NEGATION.search(sentence)
    if evidence.free and _VERDICT.search(f"{slot.phrase} {slot.description}"):
        return evidence.answered
    if not slot.required:
        return None
    default = slot.schema.get("default")
    return default if isinstance(default, bool) else False
