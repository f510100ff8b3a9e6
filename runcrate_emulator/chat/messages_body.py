"""Reading the messages of a chat request."""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from typing import Any, Final

from runcrate_emulator.chat.request import (
    Attachment,
    AttachmentKind,
    Message,
    Role,
    ToolCall,
)
from runcrate_emulator.errors import invalid
from runcrate_emulator.inference.model_catalogue import Model

_ROLES: Final[Mapping[str, Role]] = {
    "system": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
}
_DATA_URI: Final = re.compile(
    r"^data:(?P<type>[\w.+-]+/[\w.+-]+)?(?:;[\w=.-]+)*;base64,(?P<data>.*)$", re.DOTALL
)
_URL: Final = re.compile(r"^(?:https://[^\s/]|http://(?:127\.0\.0\.1|localhost|\[::1\])[:/])")


def messages_of(value: Any, model: Model) -> tuple[Message, ...]:
    """The messages of a body.

    Raises:
        ApiError: 400, naming the field.
    """
    if not isinstance(value, list) or not value:
        raise invalid("messages", "must be a list of at least one message.")
    known: set[str] = set()
    messages: list[Message] = []
    for at, item in enumerate(value):
        message = _message(item, f"messages[{at}]", model)
        known |= {call.id for call in message.tool_calls}
        if message.role == "tool" and message.tool_call_id not in known:
            raise invalid(
                f"messages[{at}].tool_call_id", "belongs to no tool call of an earlier message."
            )
        messages.append(message)
    return tuple(messages)


def _message(item: Any, field: str, model: Model) -> Message:
    if not isinstance(item, Mapping):
        raise invalid(field, "must be an object.")
    role = _ROLES.get(item["role"]) if isinstance(item.get("role"), str) else None
    if role is None:
        raise invalid(f"{field}.role", "must be `system`, `user`, `assistant` or `tool`.")
    name = _string(item, "name", field) if item.get("name") else ""
    calls = _tool_calls(item.get("tool_calls"), role, field)
    call_id = _string(item, "tool_call_id", field) if role == "tool" else ""
    content = item.get("content")
    if content is None and not calls:
        raise invalid(f"{field}.content", "must be a string or a list of parts.")
    text, attachments = _content(content, f"{field}.content", model)
    return Message(role, text, name, attachments, calls, call_id)


def _string(holder: Any, key: str, field: str) -> str:
    """A member that must be a string with something in it."""
    value = holder.get(key) if isinstance(holder, Mapping) else None
    if not isinstance(value, str) or not value:
        raise invalid(f"{field}.{key}", "must be a string that is not empty.")
    return value


def _tool_calls(value: Any, role: Role, field: str) -> tuple[ToolCall, ...]:
    if not value:
        return ()
    if role != "assistant" or not isinstance(value, list):
        raise invalid(f"{field}.tool_calls", "must be a list, and only on an assistant message.")
    return tuple(_tool_call(item, f"{field}.tool_calls[{at}]") for at, item in enumerate(value))


def _tool_call(item: Any, field: str) -> ToolCall:
    function = item.get("function") if isinstance(item, Mapping) else None
    if not isinstance(function, Mapping) or item.get("type", "function") != "function":
        raise invalid(field, "must be an object with `id`, `type` and `function`.")
    call_id, name = _string(item, "id", field), _string(function, "name", f"{field}.function")
    try:
        arguments = json.loads(_string(function, "arguments", f"{field}.function"))
    except ValueError:
        arguments = None
    if not isinstance(arguments, dict):
        raise invalid(f"{field}.function.arguments", "must be a string that holds a JSON object.")
    return ToolCall(call_id, name, arguments)


def _content(value: Any, field: str, model: Model) -> tuple[str, tuple[Attachment, ...]]:
    if value is None or isinstance(value, str):
        return value or "", ()
    if not isinstance(value, list):
        raise invalid(field, "must be a string or a list of parts.")
    texts: list[str] = []
    attachments: list[Attachment] = []
    for at, part in enumerate(value):
        where = f"{field}[{at}]"
        if not isinstance(part, Mapping):
            raise invalid(where, "must be an object.")
        if part.get("type") != "text":
            attachments.append(_attachment(part, where, model))
        elif isinstance(part.get("text"), str):
            texts.append(part["text"])
        else:
            raise invalid(f"{where}.text", "must be a string.")
    return "\n".join(texts), tuple(attachments)


def _attachment(part: Mapping[str, Any], field: str, model: Model) -> Attachment:
    kind = part.get("type")
    holder = part.get(kind) if isinstance(kind, str) else None
    where = f"{field}.{kind}"
    match kind:
        case "image_url":
            attachment = _linked(_string(holder, "url", where), f"{where}.url", "image")
        case "video_url":
            attachment = _linked(_string(holder, "url", where), f"{where}.url", "video")
        case "input_audio":
            data = _decoded(_string(holder, "data", where), f"{where}.data")
            attachment = Attachment("audio", data, "", _string(holder, "format", where))
        case "file":
            source = _string(holder, "file_data", where)
            where = f"{where}.file_data"
            is_uri = source.startswith("data:")
            data, media_type = _data(source, where) if is_uri else (_decoded(source, where), "")
            attachment = Attachment("file", data, "", media_type, str(part["file"].get("filename")))
        case _:
            raise invalid(
                f"{field}.type",
                "must be `text`, `image_url`, or where the model reads them `input_audio`, `file` "
                f"or `video_url`; got {kind!r}.",
            )
    if not model.reads(attachment.kind):
        readable = ", ".join(model.input_modalities)
        raise invalid(
            f"{field}.type", f"is {kind!r}, but the model {model.id} reads only {readable}."
        )
    return attachment


def _linked(url: str, field: str, kind: AttachmentKind) -> Attachment:
    if _URL.match(url):
        return Attachment(kind, None, url)
    data, media_type = _data(url, field)
    if media_type and not media_type.startswith(f"{kind}/"):
        raise invalid(field, f"must hold an {kind}; it says {media_type}.")
    return Attachment(kind, data, "", media_type)


def _data(uri: str, field: str) -> tuple[bytes, str]:
    match = _DATA_URI.match(uri)
    if not match:
        raise invalid(field, "must be an https URL or a data URI with base64 data.")
    return _decoded(match["data"], field), match["type"] or ""


def _decoded(text: str, field: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise invalid(field, "holds no valid base64 data.") from None
