"""Small texts on demand, made from a form and a topic: a joke, a poem, a story. They say so."""

import re
from collections.abc import Callable, Sequence
from itertools import cycle, islice
from typing import Final

from runcrate_emulator.simulation import digest, spans
from runcrate_emulator.simulation.prompt import Prompt
from runcrate_emulator.simulation.words import words

_WANTS: Final = re.compile(
    r"\b(?:tell|write|give|make|compose|create|generate|sing|draft|invent|share)\b[^.?!]{0,40}?"
    r"\b(?:(?P<count>\d+|one|two|three|four|five|a|an|another)\s+)?(?:\w+[ -]){0,2}?"
    r"(?P<form>joke|haiku|poem|limerick|song|verse|story|tale|essay|paragraph|article|blog post|"
    r"letter|speech|text|passage|fact|slogan|tweet)s?\b",
    re.IGNORECASE,
)
_LISTS: Final = re.compile(
    r"^\W*(?:please |can you |could you )*"
    r"(?:list|name|give me|suggest|generate|provide|tell me|write)\s+(?:me\s+)?"
    r"(?P<count>\d+|[a-z]+)\s+(?P<what>[a-z][\w' -]{1,40}?)"
    r"(?=\s*(?:[.,:;\n?!]|$)|\s(?:for|about|of|that|which|in|from|as|with|to|starting)\b)",
    re.IGNORECASE,
)
_COMMAS: Final = re.compile(r"\bcommas?\b", re.IGNORECASE)
_LENGTH: Final = re.compile(r"\b(\d+)[- ]words?\b|\bin (\d+) words\b", re.IGNORECASE)
_DEFAULT_WORDS: Final = 90
_LONGEST_WORDS: Final = 3000
_MOST_PIECES: Final = 20
_PROSE: Final = (
    "This is a simulated text about {topic}.",
    "Nobody wrote it: the emulator filled a form with the words of the request.",
    "A real model would now say what it knows of {topic}.",
    "This one knows only the word, and so it turns it over and looks at it from every side.",
    "Still, a stream needs something to carry, and {topic} will do as well as anything.",
    "Sentence follows sentence, each as true as the first one.",
    "What can be said of {topic} for certain is that it was asked for.",
    "The rest is left to a model that has read more than this request.",
)
_LINES: Final = (
    "{topic}, the prompt has said,",
    "and so the lines are led",
    "by form and not by thought,",
    "by words the request has brought.",
    "No model dreamed of this,",
    "no knowledge gone amiss:",
    "a rhyme the emulator made",
    "of {topic}, lightly laid.",
)


def invented(prompt: Prompt) -> str | None:
    """The text that a prompt wants invented, else `None`."""
    if prompt.context:
        return None
    match = _WANTS.search(prompt.text)
    if not match:
        return _listed(prompt.text)
    topic = digest.topic(prompt.question or prompt.text)
    form = match["form"].lower()
    counted = spans.numbers(match["count"])[:1] if match["count"] else []
    count = max(1, min(int(counted[0].value), _MOST_PIECES)) if counted else 1
    write = _FORMS.get(form, _prose)
    pieces = [write(topic, prompt.text) for _ in range(count if form in _FORMS else 1)]
    return "\n\n".join(pieces)


def _listed(text: str) -> str | None:
    """As many numbered stand-ins as a prompt wants listed, else `None`."""
    match = _LISTS.search(text)
    counted = spans.numbers(match["count"])[:1] if match else []
    if match is None or not counted:
        return None
    count = max(1, min(int(counted[0].value), _MOST_PIECES))
    what = re.sub(r"ies$", "y", match["what"].strip()).removesuffix("s")
    items = [f"simulated {what} {number}" for number in range(1, count + 1)]
    if _COMMAS.search(text):
        return ", ".join(items)
    return "\n".join(f"{number}. {item}" for number, item in enumerate(items, start=1))


def _joke(topic: str, _: str) -> str:
    return (
        f"Why did the simulated model tell a joke about {topic}? It "
        f"had a form for it, and no idea of {topic}."
    )


def _haiku(topic: str, _: str) -> str:
    return f"A word in the prompt:\n{topic}, the simulation repeats,\nknowing no more than that."


def _poem(topic: str, _: str) -> str:
    return "\n".join(_titled(line.format(topic=topic)) for line in _LINES)


def _fact(topic: str, _: str) -> str:
    return f"The only fact about {topic} that a simulated model has is that you asked for one."


def _prose(topic: str, request: str) -> str:
    match = _LENGTH.search(request)
    wanted = min(int(match[1] or match[2]), _LONGEST_WORDS) if match else _DEFAULT_WORDS
    return _filled([_titled(line.format(topic=topic)) for line in _PROSE], wanted)


def _filled(sentences: Sequence[str], wanted: int) -> str:
    average = max(1, len(words(" ".join(sentences))) // len(sentences))
    return " ".join(islice(cycle(sentences), max(len(sentences), wanted // average)))


def _titled(line: str) -> str:
    return line[:1].upper() + line[1:]


_FORMS: Final[dict[str, Callable[[str, str], str]]] = {
    "joke": _joke,
    "haiku": _haiku,
    "poem": _poem,
    "song": _poem,
    "verse": _poem,
    "limerick": _poem,
    "fact": _fact,
    "slogan": _fact,
}
