"""Replies that need no material: greetings, who the model is, echoes, counting, sums."""

import re
from collections.abc import Callable, Sequence
from typing import Final

from runcrate_emulator.simulation import spans
from runcrate_emulator.simulation.arithmetic import expressions, solved, with_result
from runcrate_emulator.simulation.languages import greeted
from runcrate_emulator.simulation.passages import sentences
from runcrate_emulator.simulation.perspective import addressed
from runcrate_emulator.simulation.prompt import Prompt, is_question
from runcrate_emulator.simulation.text_operations import operated

IDENTITY: Final = (
    "I am a simulated model of the local Runcrate emulator. I answer from the text that I am given "
    "and call the tools that I am offered; I have no knowledge of my own."
)
_GREETING: Final = re.compile(
    r"^\W*(?:hello|hi|hey|good (?:morning|afternoon|evening)|greetings|howdy|hallo|hola|bonjour)\b"
    r"(?:[ ,!.]*(?:there|all|everyone|you|again|world|assistant|bot|ai|friend|\w{1,20}))?\W*$",
    re.IGNORECASE,
)
_HOW_ARE_YOU: Final = re.compile(
    r"\bhow (?:are|r) (?:you|things)\b|\bhow'?s it going\b", re.IGNORECASE
)
_THANKS: Final = re.compile(
    r"^\W*(?:many |well,? )?(?:thanks|thank you|thx|cheers)\b", re.IGNORECASE
)
_GOODBYE: Final = re.compile(r"^\W*(?:good ?bye|bye|see you|good night)\b", re.IGNORECASE)
_WHO: Final = re.compile(
    r"\b(?:who|what) (?:are|r) you\b|\b(?:what|which) "
    r"(?:(?:language |ai )?model|llm|ai)\b.*\byou\b|"
    r"\bare you (?:a|an|real|human|simulated|chatgpt|gpt|an ai)\b|\bintroduce yourself\b|"
    r"\byour name\b|\bwhat can you do\b",
    re.IGNORECASE,
)
_SAY: Final = re.compile(
    r"^(?:please |now |just |simply |only |can you |could you )*"
    r"(?:say|repeat|echo|print|output|reply|respond|answer|write|return)"
    r"(?: with)?(?: back)?(?: after me| the following| exactly| only| just|"
    r" (?:the|this|one)(?: single| exact| following| one)* (?:words?|phrase|text|sentence))*"
    r"\s*(?P<colon>:)?\s+(?P<what>.+?)$",
    re.IGNORECASE | re.DOTALL,
)
_SAY_ONLY: Final = re.compile(
    r"\s*(?:,? and nothing else|only|verbatim|exactly)?[.!]*$", re.IGNORECASE
)
_NOT_LITERAL: Final = re.compile(
    r"^(?:a|an|the|me|my|your|about|to|in|some|two|three|four|five|how|"
    r"what|why|when|where|who|which|\d+|code|hello to|"
    r"using|based|based on|if|only if|this question|as|like|briefly|concisely)\b",
    re.IGNORECASE,
)
_COUNT: Final = re.compile(
    r"\bcount\s+(?:(?P<down>down)\s+)?(?:from\s+(?P<low>\w+)\s+)?(?:(?:up )?to|down to|till|until)"
    r"\s+(?P<high>[\w-]+)",
    re.IGNORECASE,
)
_MOST_COUNTED: Final = 5000
_TELLS: Final = re.compile(
    r"^\W*(?:my (?P<what>[\w ]{1,30}?) (?:is|are)|i(?:'m| am| "
    r"like| love| live| work| have| prefer| "
    r"was)|call me|remember (?:that )?|note that )\b",
    re.IGNORECASE,
)


def small_talk(prompt: Prompt) -> str | None:
    """A reply to a prompt that only greets, tells, echoes, counts or reckons, else `None`."""
    text = prompt.text.strip()
    if not text:
        return "There is no question here to answer."
    for reply in _REPLIES:
        if said := reply(text):
            return said
    return _reckoned_on(text, prompt.replied)


def is_social(text: str) -> bool:
    """Whether a text only greets, thanks or asks about the model itself."""
    return any(
        pattern.search(text) and len(text.split()) <= 14  # noqa: PLR2004 - more is a request
        for pattern in (_GREETING, _HOW_ARE_YOU, _THANKS, _GOODBYE, _WHO)
    )


def _greeting(text: str) -> str | None:
    return greeted(text) or ("Hello! How can I help you?" if _GREETING.match(text) else None)


def _social(text: str) -> str | None:
    if not is_social(text):
        return None
    if _WHO.search(text):
        return IDENTITY
    if _HOW_ARE_YOU.search(text):
        return "I am a simulation, so always the same, thank you. How can I help you?"
    return "You are welcome." if _THANKS.match(text) else "Goodbye!"


def _echo(text: str) -> str | None:
    match = _SAY.match(text)
    if not match or (not match["colon"] and _NOT_LITERAL.match(match["what"])):
        return None
    if text.endswith("?") and not match["colon"]:
        return None
    quoted = spans.quotations(match["what"])
    if quoted:
        return quoted[0].text
    what = match["what"].strip()
    if len(sentences(what)) > 1 and "following" not in text.lower():
        what = sentences(what)[0]
    return _SAY_ONLY.sub("", what) or what


def _counted(text: str) -> str | None:
    match = _COUNT.search(text)
    if not match:
        return None
    found = [spans.numbers(part)[:1] for part in (match["low"] or "1", match["high"])]
    if not all(found):
        return None
    low, high = (int(part[0].value) for part in found)
    if match["down"] or low > high:
        low, high = (low, high) if low > high else (high, 1)
        return ", ".join(str(n) for n in range(low, max(high, low - _MOST_COUNTED) - 1, -1))
    return ", ".join(str(n) for n in range(low, min(high, low + _MOST_COUNTED) + 1))


def _reckoned(text: str) -> str | None:
    results = solved(text)
    if not results or len(expressions(text)) != len(results):
        return None
    return "; ".join(f"{shown} = {value}" for shown, value in results)


def _reckoned_on(text: str, replied: Sequence[str]) -> str | None:
    """The result of a sum that goes on from the last reply: `Multiply that by 3`."""
    before = spans.numbers(replied[-1]) if replied else []
    if not before or is_question(text):
        return None
    said = with_result(text, before[-1].value)
    return None if said == text else _reckoned(said)


def _told(text: str) -> str | None:
    """An acknowledgement of what a user says of themselves, if that is all they say."""
    said = sentences(text)
    if len(said) > 1 and _GREETING.match(said[0]):
        said = said[1:]
    if any(is_question(one) for one in said) or not _TELLS.match(said[0]):
        return None
    match = re.match(
        r"^\W*(?:my name is|i am|i'm|call me)\s+(?P<name>[A-Z]\w+)\W*$", said[0], re.IGNORECASE
    )
    if match and match["name"][0].isupper():
        return f"Nice to meet you, {match['name']}."
    facts = " ".join(addressed(one) for one in said)
    return f"Understood. {facts}"


_REPLIES: Final[tuple[Callable[[str], str | None], ...]] = (
    _greeting,
    _social,
    _counted,
    operated,
    _echo,
    _reckoned,
    _told,
)
