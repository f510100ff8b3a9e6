"""Content blocks: tool results as text, structured content, images, audio and resource links."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Final

from mcp.types import (
    AudioContent,
    CallToolResult,
    ContentBlock,
    ImageContent,
    ResourceLink,
    TextContent,
)
from mcp.types.version import is_version_at_least

if TYPE_CHECKING:
    from runcrate_core.toolkit import MediaFile, MediaResult, ToolResult

# Clients refuse results of more than about a megabyte; base64 takes a third more than the bytes.
MAX_INLINE_BYTES: Final = 700_000
# Revisions of the protocol in which kinds of blocks appeared; older clients reject them.
_SINCE: Final = {"audio": "2025-03-26", "resource_link": "2025-06-18"}
FILE_URI: Final = "runcrate://files/"


def tool_result(result: ToolResult) -> CallToolResult:
    """Return the result of an infrastructure tool."""
    text = TextContent(type="text", text=result.text)
    return CallToolResult(content=[text], structured_content=result.data)


def media_result(result: MediaResult) -> CallToolResult:
    """Return the result of a media tool: small images and audio inline, all files as links."""
    content: list[ContentBlock] = [TextContent(type="text", text=result.text)]
    for file in result.files:
        content += _inline(file)
        content.append(
            ResourceLink(
                type="resource_link",
                uri=f"{FILE_URI}{file.path.name}",
                name=file.path.name,
                mime_type=file.content_type,
                size=file.size,
            )
        )
    return CallToolResult(content=content, structured_content=result.data)


def for_version(result: CallToolResult, version: str) -> CallToolResult:
    """Return a result without the blocks that a version of the protocol does not know.

    The text names every file, so nothing is lost.
    """
    known = [
        block
        for block in result.content
        if block.type not in _SINCE or is_version_at_least(version, _SINCE[block.type])
    ]
    return result.model_copy(update={"content": known})


def error_result(text: str) -> CallToolResult:
    """Return a failure that the model reads."""
    return CallToolResult(content=[TextContent(type="text", text=text)], is_error=True)


def _inline(file: MediaFile) -> list[Any]:
    if file.content is None or file.size > MAX_INLINE_BYTES:
        return []
    data = base64.b64encode(file.content).decode()
    match file.content_type.partition("/")[0]:
        case "image":
            return [ImageContent(type="image", data=data, mime_type=file.content_type)]
        case "audio":
            return [AudioContent(type="audio", data=data, mime_type=file.content_type)]
        case _:
            return []
