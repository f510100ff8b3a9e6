"""JSON that a prompt asks for in words: by a schema, by an example, or by naming its keys."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from runcrate_emulator.simulation import spans
from runcrate_emulator.simulation.form_wishes import behind_wish, without_form
from runcrate_emulator.simulation.instructions import instructs
from runcrate_emulator.simulation.passages import sentences
from runcrate_emulator.simulation.prompt import Prompt
from runcrate_emulator.simulation.relevance import likeness
from runcrate_emulator.simulation.words import identifier_words

_WANTS: Final = re.compile(r"\bjson\b|\boutput schema\b", re.IGNORECASE)
_ASKS: Final = re.compile(r"\b(?:json|schema|markdown|output)\b", re.IGNORECASE)
_ON_FORM: Final = re.compile(
    r"\bwell-formatted\b|\bschema\b.*\b(?:object|instance|example)\b|\bcode fences?\b|"
    r"\b(?:object|instance)\b.*\bschema\b",
    re.IGNORECASE,
)
_EMPTY_FENCE: Final = re.compile(r"```\w*\s*```")
_KEYS: Final = re.compile(
    r"(?:keys?|fields?|properties|attributes|extract(?: the| their| his| her)?)\b"
    r"(?: named| called|:| are| of| is)?\s*:?\s*(?P<after>[^.\n]{1,200})|"
    r"(?P<before>(?:[\"'\u201c`][\w ]+[\"'\u201d`](?:,? and |,? or |, "
    r")?)+)\s*(?:keys?|fields?|properties|attributes)",
    re.IGNORECASE,
)
_DEMANDS: Final = re.compile(
    r"\b(?:answer|respond|reply|output|return|speak)\b[^.\n]{0,30}?"
    r"\b(?:in|as|with|only|valid)\b (?:(?:a|an|the|only|valid|pure|raw|strict) )*json\b",
    re.IGNORECASE,
)
ANY_ANSWER: Final[Mapping[str, Any]] = {
    "type": "object",
    "properties": {"answer": {"type": "string"}},
    "required": ["answer"],
}
"""What a prompt gets that asks for JSON and names no keys."""
_COUNTED: Final = frozenset(
    """
        age year years count number quantity amount price total cost salary percentage height weight
        length size population duration distance
        """.split()  # noqa: SIM905 - words read best as words
)
"""Last words of keys whose values are numbers."""
_SKETCH: Final = re.compile(r"\{[^{}]{3,600}\}")
_SKETCHED_KEY: Final = re.compile(r"\"([A-Za-z_]\w{0,40})\"\s*:")
_LONGEST_KEY_WORDS: Final = 3
_MOST_TRIED: Final = 40


def schema_in(prompt: Prompt) -> Mapping[str, Any] | None:
    """A JSON schema for the answer that the prompt's text asks for, or `None`.

    Found as the last schema written out in the text, as the shape of an example object, or as
    the keys that are named.
    """
    text = prompt.told_without_context
    told = (said for line in text.splitlines() for said in sentences(line))
    if not any(_WANTS.search(said) and instructs(said) for said in told):
        return None
    if "{{" in text:
        plain = text.replace("{{", "{").replace("}}", "}")
        text = plain if any(map(_is_schema, _objects(plain))) else text
    found = list(_objects(text))
    schemas: list[Mapping[str, Any]] = [one for one in found if _is_schema(one)]
    if schemas:
        return max(enumerate(schemas), key=lambda one: ("properties" in one[1], one[0]))[1]
    if shaped := _by_example(prompt, found):
        return shaped
    if sketched := _by_sketch(text):
        return sketched
    shows_form = "{" in text or "[" in text
    return _by_keys(text) or (ANY_ANSWER if _DEMANDS.search(text) and not shows_form else None)


def without_wish(prompt: Prompt) -> Prompt:
    """A prompt without the schema or example it shows and the words that ask for JSON."""
    if schema_in(prompt) is None:
        return replace(prompt, text=without_form(prompt.text))
    return replace(prompt, system=_without_wish(prompt.system), text=_without_wish(prompt.text))


def _without_wish(text: str) -> str:
    if "{{" in text:
        text = text.replace("{{", "{").replace("}}", "}")
    for start, end in reversed([(start, end) for _, start, end in _found(text)]):
        text = text[:start] + text[end:]
    text = _EMPTY_FENCE.sub("", text)
    return "\n\n".join(filter(None, map(_uninstructed, re.split(r"\n\s*\n", text)))).strip()


def _uninstructed(paragraph: str) -> str:
    """A paragraph; without its instructions if one of them is about the form of the answer."""
    lines = [sentences(line) for line in paragraph.splitlines()]
    if not any(_is_wish(said) for line in lines for said in line):
        return paragraph
    kept = [[_material_of(said) for said in line] for line in lines]
    return "\n".join(" ".join(filter(None, line)) for line in kept if any(line))


def _material_of(sentence: str) -> str:
    """A sentence that informs, or what an instruction brings along after its colon."""
    if not (_is_wish(sentence) or instructs(sentence)):
        return sentence
    return behind_wish(sentence)


def _is_wish(sentence: str) -> bool:
    """Whether a sentence is about the form of the answer."""
    if _ASKS.search(sentence) and instructs(sentence):
        return True
    return bool(_ON_FORM.search(sentence))


def _objects(text: str) -> Iterator[Any]:
    """The JSON objects and arrays written out in a text."""
    return (value for value, _, _ in _found(text))


def _found(text: str) -> Iterator[tuple[Any, int, int]]:
    """The same with the places where they begin and end."""
    decoder = json.JSONDecoder()
    at, tried = 0, 0
    while (match := re.compile(r"[{\[]").search(text, at)) and tried < _MOST_TRIED:
        tried += 1
        try:
            value, end = decoder.raw_decode(text, match.start())
        except ValueError:
            at = match.end()
            continue
        at = end
        if isinstance(value, (dict, list)) and value and not _is_reference(value):
            yield value, match.start(), end


def _is_reference(value: Any) -> bool:
    return isinstance(value, list) and not isinstance(value[0], dict)


def _is_schema(value: Any) -> bool:
    return isinstance(value, dict) and (
        isinstance(value.get("properties"), dict)
        or value.get("type") in {"object", "array", "string", "number", "integer", "boolean"}
    )


def _by_example(prompt: Prompt, found: list[Any]) -> Mapping[str, Any] | None:
    """The schema of an example output, with the real options where it picks one of its own."""
    tables = [one for one in found if _is_table(one)]
    shapes = [one for one in found if one not in tables]
    if not shapes or not re.search(
        r"\bexample|\bformat|\bshape|\blike this|\bfollowing",
        prompt.text + prompt.system,
        re.IGNORECASE,
    ):
        return None
    options: list[str] = []
    if tables:
        offered = tables[-1]
        scored = [
            (likeness(prompt.question, f"{name} {text}"), name) for name, text in offered.items()
        ]
        options = [name for score, name in scored if score > 0] or list(offered)
    known = {name for table in tables for name in table}
    return _shape(shapes[-1], known, options)


def _is_table(value: Any) -> bool:
    return isinstance(value, dict) and all(
        isinstance(item, str) and len(item.split()) > _LONGEST_KEY_WORDS for item in value.values()
    )


def _shape(example: Any, known: set[str], options: list[str]) -> dict[str, Any]:
    if isinstance(example, dict):
        properties = {key: _shape(value, known, options) for key, value in example.items()}
        return {"type": "object", "properties": properties, "required": list(example)}
    if isinstance(example, list):
        items = _shape(example[0], known, options) if example else {}
        chosen = _picked(items, options)
        if chosen and items.get("type") == "object":
            each = [
                {**items, "properties": {**items["properties"], chosen: {"const": name}}}
                for name in options
            ]
            return {
                "type": "array",
                "prefixItems": each,
                "minItems": len(each),
                "maxItems": len(each),
            }
        return {"type": "array", "items": items, "minItems": 1}
    if isinstance(example, str):
        return (
            {"type": "string", "enum": options}
            if example in known and options
            else {"type": "string"}
        )
    names = {bool: "boolean", int: "integer", float: "number"}
    return {"type": names.get(type(example), "null")}


def _picked(items: Mapping[str, Any], options: list[str]) -> str:
    properties = items.get("properties", {})
    return next(
        (key for key, one in properties.items() if options and one.get("enum") == options), ""
    )


def _kind_of(key: str) -> dict[str, Any]:
    """What a bare key's name tells of its value: a number, or anything."""
    named = [word.lower() for word in identifier_words(key)]
    if named and named[-1] in _COUNTED and "phone" not in named:
        return {"type": ["integer", "number", "null"]}
    return {}


def _by_sketch(text: str) -> Mapping[str, Any] | None:
    """The keys of an object that is sketched and no JSON, as `{"answer": ..., "score": 0-10}`."""
    for match in _SKETCH.finditer(text):
        keys = _SKETCHED_KEY.findall(match[0])
        if keys:
            return _with_keys(keys)
    return None


def _with_keys(keys: Sequence[str]) -> Mapping[str, Any]:
    return {
        "type": "object",
        "properties": {key: _kind_of(key) for key in keys},
        "required": list(dict.fromkeys(keys)),
    }


def _by_keys(text: str) -> Mapping[str, Any] | None:
    for match in _KEYS.finditer(text):
        source = match["before"] or match["after"].partition(": ")[0]
        quoted = [span.text for span in spans.quotations(source)]
        keys = quoted or [part for part in spans.listed(source) if re.fullmatch(r"\w+", part)]
        keys = [key for key in keys if len(key.split()) <= _LONGEST_KEY_WORDS]
        if keys:
            return _with_keys(keys)
    return None
