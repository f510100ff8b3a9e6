"""Messages from LlamaIndex's form to the service's: every kind of block, or an error that names it.

The other direction is in `responses.py`.
"""

from __future__ import annotations

from io import IOBase
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeAlias
from urllib.parse import urlsplit

from llama_index.core.base.llms.types import (
    AudioBlock,
    CachePoint,
    CitableBlock,
    CitationBlock,
    DocumentBlock,
    ImageBlock,
    MessageRole,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
    VideoBlock,
)

from llamaindex_runcrate.tool_calls import NO_NAMES, tool_result_text, wire_calls
from runcrate_core.toolkit import (
    ToolNames,
    encode_base64,
    type_of_base64,
    valid_text,
    wire_author_name,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from llama_index.core.base.llms.types import ChatMessage

Part: TypeAlias = dict[str, Any]
SendReasoning: TypeAlias = Literal["auto", "always", "never"]

# The origin of a thinking block's text, to which it is sent back.
REASONING_FIELD: Final = "field"
REASONING_DETAILS: Final = "reasoning_details"
DEFAULT_REASONING_FIELD: Final = "reasoning_content"
# The field of reasoning that arrived as parts of the content, next to the text.
CONTENT_FIELD: Final = "content"

# The service knows four roles (seed 001).
_ROLES: Final = {
    MessageRole.SYSTEM: "system",
    MessageRole.DEVELOPER: "system",
    MessageRole.USER: "user",
    MessageRole.ASSISTANT: "assistant",
    MessageRole.CHATBOT: "assistant",
    MessageRole.MODEL: "assistant",
    MessageRole.TOOL: "tool",
    MessageRole.FUNCTION: "tool",
}
_TEXT_MIMETYPES: Final = frozenset(
    {"application/json", "application/xml", "application/x-yaml", "application/yaml"}
)
# Text files whose kind LlamaIndex does not guess.
_TEXT_SUFFIXES: Final = frozenset({".csv", ".json", ".md", ".rst", ".txt", ".xml", ".yaml", ".yml"})
# Part types by the modality that reads them.
_MODALITIES: Final = {
    "image_url": "image",
    "input_audio": "audio",
    "audio_url": "audio",
    "video_url": "video",
    "file": "file",
}


class Rules(NamedTuple):
    """Differences between models.

    Attributes:
        reads: Returns True for a modality (`image`, `audio`, `video`, `file`) that the model reads.
            Other media in a tool's result are named instead of sent; a user's media are always
            sent.
        send_reasoning: Reasoning that is sent back to the model: `auto`: those of the turn that is
            still open, which reasoning models need to continue after a tool's result;
            `always` or `never`.
        system_first: System messages are sent at the start only. Many chat templates refuse any
            other place.
        tool_names: The tools' names on the wire.
    """

    reads: Callable[[str], bool] = lambda _: True
    send_reasoning: SendReasoning = "auto"
    system_first: bool = True
    tool_names: ToolNames = NO_NAMES


def wire_messages(messages: Sequence[ChatMessage], rules: Rules) -> list[dict[str, Any]]:
    """Return messages in the service's form; they themselves are not changed.

    * System messages at the start become one; later ones are sent as the user's (`system_first`).
    * Images and other media in tool results go into a user message behind the results, since the
      content of a tool message is text; media that the model cannot read are named instead.

    Args:
        messages: The conversation.
        rules: Differences between models.

    Raises:
        TypeError: Something is not a message; or a block is of a kind that cannot be sent in this
            place, and is named.
    """
    try:
        questions = [place for place, it in enumerate(messages) if it.role is MessageRole.USER]
    except AttributeError:
        raise TypeError(
            "A conversation is a list of LlamaIndex's `ChatMessage`s. Nothing was sent."
        ) from None
    turn_start = questions[-1] if questions else -1
    wire: list[dict[str, Any]] = []
    lifted: list[Part] = []
    for place, message in enumerate(messages):
        role = _ROLES[message.role]
        if role != "tool" and lifted:
            wire.append({"role": "user", "content": lifted})
            lifted = []
        match role:
            case "assistant":
                in_turn = place > turn_start and rules.send_reasoning == "auto"
                with_reasoning = in_turn or rules.send_reasoning == "always"
                wire.append(_assistant(message, rules, with_reasoning=with_reasoning))
            case "tool":
                wire.append(_tool_result(message, rules, lifted))
            case "system" if rules.system_first:
                _add_system(wire, message)
            case _:
                wire.append(_plain_message(role, message))
    if lifted:
        wire.append({"role": "user", "content": lifted})
    return wire


def _plain_message(role: str, message: ChatMessage) -> dict[str, Any]:
    """Return a message of the system or the user."""
    wire = {"role": role, "content": _content(_parts(message, message.blocks))}
    name = message.additional_kwargs.get("name")
    return wire | {"name": wire_author_name(name)} if isinstance(name, str) else wire


def _add_system(wire: list[dict[str, Any]], message: ChatMessage) -> None:
    if not wire:
        wire.append(_plain_message("system", message))
    elif len(wire) == 1 and wire[0]["role"] == "system":
        first, more = wire[0]["content"], _plain_message("system", message)["content"]
        if isinstance(first, str) and isinstance(more, str):
            wire[0] = wire[0] | {"content": f"{first}\n\n{more}"}
        else:
            wire[0] = wire[0] | {"content": [*_as_parts(first), *_as_parts(more)]}
    else:
        wire.append(_plain_message("user", message))


def _assistant(message: ChatMessage, rules: Rules, *, with_reasoning: bool) -> dict[str, Any]:
    reasoning_blocks, others = [], []
    for block in message.blocks:
        match block:
            case ThinkingBlock():
                reasoning_blocks.append(block)
            case ToolCallBlock():
                pass  # `wire_calls` reads them
            case _:
                others.append(block)
    calls = wire_calls(message, rules.tool_names)
    parts = _parts(message, others)
    wire: dict[str, Any] = {"role": "assistant", "content": _content(parts)}
    if isinstance(refusal := message.additional_kwargs.get("refusal"), str):
        wire["refusal"] = refusal
    if calls:
        wire["tool_calls"] = calls
        if not parts:
            wire["content"] = None
    if with_reasoning:
        reasoning = _reasoning(reasoning_blocks)
        in_content = reasoning.pop(CONTENT_FIELD, None)
        wire |= reasoning
        if in_content:
            thinking = {"type": "thinking", "thinking": [_text(in_content)]}
            wire["content"] = [thinking, *parts]
    return wire


def _reasoning(blocks: Sequence[ThinkingBlock]) -> dict[str, Any]:
    """Return reasoning under the names of its origin."""
    texts: dict[str, list[str]] = {}
    wire: dict[str, Any] = {}
    for block in blocks:
        origin = block.additional_information
        name = str(origin.get(REASONING_FIELD) or DEFAULT_REASONING_FIELD)
        if block.content:
            texts.setdefault(name, []).append(valid_text(block.content))
        if details := origin.get(REASONING_DETAILS):
            wire[REASONING_DETAILS] = details
    return {name: "\n".join(pieces) for name, pieces in texts.items()} | wire


def _tool_result(message: ChatMessage, rules: Rules, lifted: list[Part]) -> dict[str, Any]:
    """Return a tool's result as text, and put its media into `lifted`."""
    named = message.additional_kwargs
    identifier = named.get("tool_call_id") or named.get("name")
    texts: list[str] = []
    shown: list[Part] = []
    for part in _parts(message, message.blocks):
        modality = _MODALITIES.get(part["type"])
        if modality is None:
            texts.append(tool_result_text(part["text"]))
        elif rules.reads(modality):
            shown.append(part)
        else:
            texts.append(f"[{modality}: generated, but you cannot read this kind of content]")
    if shown:
        origin = f"the tool call `{identifier}`" if identifier else "the tool call"
        if not texts:
            texts.append("[The result is in the next message.]")
        lifted += [{"type": "text", "text": f"Result of {origin}:"}, *shown]
    wire: dict[str, Any] = {"role": "tool", "content": "\n".join(texts)}
    return wire | {"tool_call_id": identifier} if isinstance(identifier, str) else wire


def _parts(message: ChatMessage, blocks: Iterable[Any]) -> list[Part]:
    """Return the parts that blocks become.

    Raises:
        TypeError: A block cannot be sent in a message of this role.
    """
    parts: list[Part] = []
    for block in blocks:
        match block:
            case TextBlock():
                if block.text:  # servers refuse empty parts
                    parts.append(_text(block.text))
            case ImageBlock():
                parts.append(_image(block))
            case AudioBlock():
                parts.append(_audio(block))
            case VideoBlock():
                parts.append(_video(block))
            case DocumentBlock():
                parts.append(_document(block))
            case CachePoint():
                pass  # a hint, and one that the service has no field for
            case CitableBlock():
                parts += [
                    _text(f"{block.title} ({block.source}):"),
                    *_parts(message, block.content),
                ]
            case CitationBlock():
                parts += _parts(message, [block.cited_content])
            case ThinkingBlock():
                pass  # reasoning is the assistant's; in other messages it has no place
            case _:
                raise TypeError(
                    f"A {type(block).__name__} cannot be sent in a message of role "
                    f"`{message.role.value}`. Nothing was sent."
                )
    return parts


def _text(text: str) -> Part:
    # Text of PDF files and of models may hold half a character, with which nothing can be sent.
    return {"type": "text", "text": valid_text(text)}


def _image(block: ImageBlock) -> Part:
    url = _url(block.url)
    if url is None:
        data = _base64(block.image, block.resolve_image)
        kind = type_of_base64(data, block.image_mimetype) or "image/png"
        url = f"data:{kind};base64,{data}"
    return {"type": "image_url", "image_url": {"url": url} | _given(detail=block.detail)}


def _audio(block: AudioBlock) -> Part:
    if url := _url(block.url):
        return {"type": "audio_url", "audio_url": {"url": url}}
    data = _base64(block.audio, block.resolve_audio)
    return {"type": "input_audio", "input_audio": {"data": data, "format": block.format or "wav"}}


def _video(block: VideoBlock) -> Part:
    url = _url(block.url)
    if url is None:
        kind = block.video_mimetype or "video/mp4"
        url = f"data:{kind};base64,{_base64(block.video, block.resolve_video)}"
    video = {"url": url} | _given(detail=block.detail, fps=block.fps)
    return {"type": "video_url", "video_url": video}


def _document(block: DocumentBlock) -> Part:
    """Text goes as text, which every model reads; anything else as a file."""
    source = str(block.path or block.url or "")
    kind = block.document_mimetype or ""
    suffix = PurePath(urlsplit(source).path if block.url else source).suffix.lower()
    is_text = kind.startswith("text/") or kind in _TEXT_MIMETYPES or suffix in _TEXT_SUFFIXES
    if is_text and not block.url:
        text = block.resolve_document().read().decode("utf-8", "replace")
        return _text(f"{block.title}:\n{text}" if block.title != "input_document" else text)
    name = block.title if block.title != "input_document" else PurePath(source).name
    data = _url(block.url)
    if data is None:
        encoded = encode_base64(block.resolve_document().read())
        kind = type_of_base64(encoded, kind) or "application/octet-stream"
        data = f"data:{kind};base64,{encoded}"
    return {"type": "file", "file": {"filename": name or "document", "file_data": data}}


def _url(url: object) -> str | None:
    """Return a URL to send: the service fetches it, this process does not."""
    return str(url) if url else None


def _base64(held: object, resolve: Callable[..., IOBase]) -> str:
    """Return the data of a block as base64 text. LlamaIndex encodes bytes, but not open files."""
    if isinstance(held, IOBase):
        return encode_base64(resolve().read())
    encoded: bytes = resolve(as_base64=True).read()
    return encoded.decode()


def _given(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _content(parts: list[Part]) -> str | list[Part]:
    """Return text alone as plain text, which every server takes, in every role."""
    if all(part["type"] == "text" for part in parts):
        return "\n".join(part["text"] for part in parts)
    return parts


def _as_parts(content: str | list[Part]) -> list[Part]:
    return [_text(content)] if isinstance(content, str) else content
