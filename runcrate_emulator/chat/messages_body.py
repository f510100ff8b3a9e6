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
_ADDRESS: Final = re.compile(r"^(?:https://[^\s/]|http://(?:127\.0\.0\.1|localhost|\[::1\])[:/])")


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
                f"messages[{at}].tool_call_id", "answers no tool call of an earlier message."
            )
        messages.append(message)
    return tuple(messages)


def _message(item: Any, field: str, model: Model) -> Message:
    if not isinstance(item, Mapping):
        raise invalid(field, "must be an object.")
    role = _ROLES.get(item["role"]) if isinstance(item.get("role"), str) else None
    if role is None:
        raise invalid(f"{field}.role", "must be `system`, `user`, `assistant` or `tool`.")
    name = item.get("name") or ""
    if not isinstance(name, str):
        raise invalid(f"{field}.name", "must be a string.")
    calls = _tool_calls(item.get("tool_calls"), role, field)
    answered = item.get("tool_call_id") or ""
    if role == "tool" and (not isinstance(answered, str) or not answered):
        raise invalid(f"{field}.tool_call_id", "must name the tool call that is answered.")
    content = item.get("content")
    if content is None and not calls:
        raise invalid(f"{field}.content", "must be a string or a list of parts.")
    text, attachments = _content(content, f"{field}.content", model)
    return Message(role, text, name, attachments, calls, answered if role == "tool" else "")


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
    call_id, name, arguments = item.get("id"), function.get("name"), function.get("arguments")
    if not isinstance(call_id, str) or not call_id:
        raise invalid(f"{field}.id", "must be a string.")
    if not isinstance(name, str) or not name:
        raise invalid(f"{field}.function.name", "must be a string.")
    try:
        parsed = json.loads(arguments) if isinstance(arguments, str) else None
    except ValueError:
        parsed = None
    if not isinstance(parsed, dict):
        raise invalid(f"{field}.function.arguments", "must be a string that holds a JSON object.")
    return ToolCall(call_id, name, parsed)


def _content(value: Any, field: str, model: Model) -> tuple[str, tuple[Attachment, ...]]:
    if value is None:
        return "", ()
    if isinstance(value, str):
        return value, ()
    if not isinstance(value, list):
        raise invalid(field, "must be a string or a list of parts.")
    texts: list[str] = []
    attachments: list[Attachment] = []
    for at, part in enumerate(value):
        where = f"{field}[{at}]"
        if not isinstance(part, Mapping):
            raise invalid(where, "must be an object.")
        if part.get("type") == "text":
            if not isinstance(part.get("text"), str):
                raise invalid(f"{where}.text", "must be a string.")
            texts.append(part["text"])
        else:
            attachments.append(_attachment(part, where, model))
    return "\n".join(texts), tuple(attachments)


def _attachment(part: Mapping[str, Any], field: str, model: Model) -> Attachment:
    kind = part.get("type")
    if kind == "image_url":
        attachment = _linked(part, field, "image_url", "image")
    elif kind == "video_url":
        attachment = _linked(part, field, "video_url", "video")
    elif kind == "input_audio":
        attachment = _audio(part.get("input_audio"), f"{field}.input_audio")
    elif kind == "file":
        attachment = _file(part.get("file"), f"{field}.file")
    else:
        raise invalid(
            f"{field}.type",
            "must be `text`, `image_url`, or where the model reads them `input_audio`, `file` or "
            f"`video_url`; got {kind!r}.",
        )
    if not model.reads(attachment.kind):
        readable = ", ".join(model.input_modalities)
        raise invalid(
            f"{field}.type", f"is {kind!r}, but the model {model.id} reads only {readable}."
        )
    return attachment


def _linked(part: Mapping[str, Any], field: str, key: str, kind: AttachmentKind) -> Attachment:
    holder = part.get(key)
    url = holder.get("url") if isinstance(holder, Mapping) else None
    where = f"{field}.{key}.url"
    if not isinstance(url, str):
        raise invalid(where, "must be a string.")
    if _ADDRESS.match(url):
        return Attachment(kind, None, url)
    data, media_type = _data(url, where)
    if media_type and not media_type.startswith(f"{kind}/"):
        raise invalid(where, f"must hold an {kind}; it says {media_type}.")
    return Attachment(kind, data, "", media_type)


def _audio(holder: Any, field: str) -> Attachment:
    if not isinstance(holder, Mapping) or not isinstance(holder.get("data"), str):
        raise invalid(f"{field}.data", "must be base64 text.")
    if not isinstance(holder.get("format"), str):
        raise invalid(f"{field}.format", "must name the format, for example `wav`.")
    return Attachment("audio", _decoded(holder["data"], f"{field}.data"), "", holder["format"])


def _file(holder: Any, field: str) -> Attachment:
    if not isinstance(holder, Mapping) or not isinstance(holder.get("file_data"), str):
        raise invalid(f"{field}.file_data", "must be a data URI or base64 text.")
    name = holder.get("filename") or ""
    where, source = f"{field}.file_data", holder["file_data"]
    if source.startswith("data:"):
        data, media_type = _data(source, where)
        return Attachment("file", data, "", media_type, str(name))
    return Attachment("file", _decoded(source, where), "", "", str(name))


def _data(uri: str, field: str) -> tuple[bytes, str]:
    match = _DATA_URI.match(uri)
    if not match:
        raise invalid(field, "must be an https address or a data URI with base64 data.")
    return _decoded(match["data"], field), match["type"] or ""


def _decoded(text: str, field: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise invalid(field, "holds no valid base64 data.") from None
