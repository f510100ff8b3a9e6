"""Standard content blocks of Runcrate's messages (`message.content_blocks`, output version v1).

LangChain asks the translator that is registered for a message's provider. In streams it joins
blocks that have the same index; the indices here are texts that begin with `lc_`, one for the
reasoning, one for the text and one for each call, so that none can be taken for another: providers
number calls from 0, as LangChain numbers blocks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from langchain_core.messages.block_translators import register_translator
from langchain_core.messages.content import KNOWN_BLOCK_TYPES

from langchain_runcrate.media_blocks import read_media
from langchain_runcrate.reasoning import PROVIDER, REASONING_KEY

if TYPE_CHECKING:
    from langchain_core.messages import AIMessage, AIMessageChunk
    from langchain_core.messages.content import ContentBlock

Block = dict[str, Any]

REASONING_INDEX: Final = "lc_rs_0"
TEXT_INDEX: Final = "lc_txt_0"


def translate_content(message: AIMessage) -> list[ContentBlock]:
    """Return the blocks of a complete message.

    Raises:
        NotImplementedError: Its content is made of blocks, which LangChain reads itself.
    """
    blocks = _ordered_content(message)
    blocks += [
        {"type": "tool_call", "name": call["name"], "args": call["args"], "id": call["id"]}
        for call in message.tool_calls
    ]
    return cast("list[ContentBlock]", blocks)


def translate_content_chunk(message: AIMessageChunk) -> list[ContentBlock]:
    """Return the blocks of a chunk, or of chunks that were joined.

    Raises:
        NotImplementedError: Its content is made of blocks, which LangChain reads itself.
    """
    if message.chunk_position == "last" and message.tool_call_chunks:
        return translate_content(message)
    blocks = _ordered_content(message)
    for block in blocks:
        if block["type"] == "reasoning":
            block["index"] = REASONING_INDEX
        elif block["type"] == "text":
            block["index"] = TEXT_INDEX
    for call in message.tool_call_chunks:
        block = {
            "type": "tool_call_chunk",
            "id": call["id"],
            "name": call["name"],
            "args": call["args"],
        }
        if call["index"] is not None:
            block["index"] = f"lc_tc_{call['index']}"
        blocks.append(block)
    return cast("list[ContentBlock]", blocks)


def _ordered_content(message: AIMessage) -> list[Block]:
    """Return the content of a message in its order: reasoning, text, images."""
    text, extra = message.content, message.additional_kwargs
    if not isinstance(text, str):
        raise NotImplementedError
    blocks: list[Block] = []
    if not extra:  # what most chunks are
        return [{"type": "text", "text": text}] if text else blocks
    if reasoning := extra.get(REASONING_KEY):
        blocks.append({"type": "reasoning", "reasoning": reasoning})
    annotations = [_citation(item) for item in _items(extra.get("annotations"))]
    if text or annotations:
        block: Block = {"type": "text", "text": text}
        if annotations:
            block["annotations"] = annotations
        blocks.append(block)
    if refusal := extra.get("refusal"):
        blocks.append(_refusal(refusal))
    blocks += [_image_block(item) for item in _items(extra.get("images"))]
    return blocks


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _refusal(text: str) -> Block:
    block = {"type": "refusal", "refusal": text}
    # A standard block from langchain-core 1.7.5 on.
    return block if "refusal" in KNOWN_BLOCK_TYPES else {"type": "non_standard", "value": block}


def _citation(annotation: Any) -> Block:
    match annotation:
        case {"type": "url_citation", "url_citation": {"url": str(url), **about}}:
            block: Block = {"type": "citation", "url": url}
            block |= {
                name: about[name]
                for name in ("title", "start_index", "end_index")
                if about.get(name) is not None
            }
            if about.get("content"):
                block["cited_text"] = about["content"]
            return block
        case _:
            return {"type": "non_standard_annotation", "value": annotation}


def _image_block(item: Any) -> Block:
    media = read_media(item) if isinstance(item, dict) else None
    if media is None:
        return {
            "type": "non_standard",
            "value": item if isinstance(item, dict) else {"image": item},
        }
    block: Block = {"type": "image"}
    if media.mime_type:
        block["mime_type"] = media.mime_type
    return block | ({"base64": media.data} if media.data is not None else {"url": media.url})


def register_blocks() -> None:
    """Make LangChain read messages of this provider with this module."""
    register_translator(PROVIDER, translate_content, translate_content_chunk)
