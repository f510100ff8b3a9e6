"""The content of a message, from LangChain's blocks to the parts that the API reads.

Every block is either converted or refused with an error that names it; none is dropped silently.
To send a part of your own that this package does not know, wrap it:
`{"type": "non_standard", "value": {...}}` in a user's or system message is sent as `value`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from langchain_runcrate.media_blocks import media_part, read_media, text_of
from runcrate_core.toolkit import json_text, valid_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from langchain_runcrate.media_blocks import Media

WireContent = str | list[dict[str, Any]]

_TEXT_TYPES: Final = ("text", "input_text", "output_text")  # the others are of OpenAI's Responses


def wire_content(content: str | Sequence[Any], role: str) -> WireContent:
    """Return the content of a user's, system or tool message for the API.

    Args:
        content: Text or blocks, as LangChain has them.
        role: Whose message it is, for error messages.

    Returns:
        Text when there is nothing else, as every server reads that; parts otherwise.

    Raises:
        ValueError: A block is of an unknown type, or holds nothing to send; it is named.
    """
    if isinstance(content, str):
        return valid_text(content)
    return as_text([part for block in content for part in wire_parts(block, role)])


def as_text(parts: list[dict[str, Any]]) -> WireContent:
    """Return parts as one text when they are plain text; many servers read nothing else."""
    if all(part.keys() == {"type", "text"} for part in parts):
        return "\n".join(part["text"] for part in parts)
    return parts


def joined_content(first: WireContent, second: WireContent) -> WireContent:
    """Return the content of two messages as that of one."""
    if isinstance(first, str) and isinstance(second, str):
        return "\n\n".join(text for text in (first, second) if text)
    return [
        *([text_part(first)] if isinstance(first, str) else first),
        *([text_part(second)] if isinstance(second, str) else second),
    ]


def wire_parts(block: Any, role: str) -> list[dict[str, Any]]:
    """Return the parts that one block of content becomes.

    Raises:
        ValueError: The block is of an unknown type, or holds nothing to send; it is named.
    """
    match block:
        case str():
            return [text_part(block)] if block else []
        case {"text": str(text)} if block.get("type", "text") in _TEXT_TYPES:
            return [_hinted(text_part(text), block)] if text else []
        case {"type": "text-plain", "text": str(text)} | {"type": "text-plain", "url": str(text)}:
            return [_document(text, block)]
        case {"type": "file", "source_type": "text"}:
            return [_document(block.get("text") or block.get("url") or "", block)]
        case {"type": "document", "source": {"type": "text", "data": str(text)}}:
            return [_document(text, block)]
        case {"type": "document", "source": {"type": "content", "content": inner}}:
            blocks = [inner] if isinstance(inner, str) else inner
            return [part for item in blocks for part in wire_parts(item, role)]
        case {"type": "search_result", "content": list(inner)}:
            about = {"title": block.get("title"), "context": block.get("source")}
            text = "\n".join(item.get("text", "") for item in inner if isinstance(item, dict))
            return [_document(text, about)]
        case {"type": "json", "json": value} | {"type": "custom_tool_call_output", "output": value}:
            return [text_part(value if isinstance(value, str) else json_text(value))]
        case {"cachePoint": _} if "type" not in block:
            return []  # a hint of Bedrock, for which the service has no field
        case {"type": "non_standard", "value": dict(value)}:
            return [dict(value)]
        case dict(known) if (media := read_media(known)) is not None:
            return [_hinted(_media_part(media), known)]
        case _:
            raise unknown_block(block, role)


def _media_part(media: Media) -> dict[str, Any]:
    text = text_of(media)
    return media_part(media) if text is None else _document(text, {"title": media.filename})


def text_part(text: str) -> dict[str, Any]:
    """Return the part that a text is; half characters, as of PDF files, become U+FFFD."""
    return {"type": "text", "text": valid_text(text)}


def unknown_block(block: Any, role: str) -> ValueError:
    """Return the error for a block that is not understood."""
    if isinstance(block, dict):
        kind = block.get("type")
        label = f"type `{kind}`" if kind else f"no type (its keys: {', '.join(map(str, block))})"
    else:
        label = f"the Python type `{type(block).__name__}`"
    return ValueError(
        f"A message of the role `{role}` has a content block of {label}, which cannot be sent. "
        "Nothing was sent. "
        'To send it as it is, wrap it: {"type": "non_standard", "value": {...}}.'
    )


_HINTS: Final = ("cache_control",)


def _hinted(part: dict[str, Any], block: Mapping[str, Any]) -> dict[str, Any]:
    """Add what providers read besides the content, such as where a prompt may be cached."""
    extras = block.get("extras")
    for name in _HINTS:
        value = block.get(name)
        if value is None and isinstance(extras, dict):
            value = extras.get(name)
        if value is not None:
            part[name] = value
    return part


def _document(text: str, about: Mapping[str, Any]) -> dict[str, Any]:
    heads = (about.get("title"), about.get("context"))
    return text_part("\n".join([*(head for head in heads if isinstance(head, str)), text]))
