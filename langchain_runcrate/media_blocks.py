"""Images, audio, video and documents in messages: every form in use, one form to send.

`read_media` understands the blocks of LangChain v1 (`base64`, `url`, `file_id`) and v0
(`source_type`), OpenAI (`image_url`, `input_image`, `input_audio`, `file`, `input_file`),
Anthropic (`source`), Gemini (`media`) and Bedrock (`{"image": {"source": {"bytes": ...}}}`);
`media_part` writes the part that OpenAI-compatible servers read. The API documents images alone
(seed 001); the other parts are those of OpenAI and vLLM, which the service passes on to the model's
provider.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from runcrate_core.toolkit import type_of_base64

if TYPE_CHECKING:
    from collections.abc import Mapping

Kind = Literal["image", "audio", "video", "file"]

_KINDS: Final[dict[Any, Kind]] = {
    "image": "image",
    "audio": "audio",
    "video": "video",
    "file": "file",
    "document": "file",
    "text-plain": "file",
}
# Names that servers expect for an audio format, where the media type has another.
_AUDIO_FORMATS: Final = {
    "mpeg": "mp3",
    "mpga": "mp3",
    "x-wav": "wav",
    "wave": "wav",
    "vnd.wave": "wav",
    "x-flac": "flac",
    "x-m4a": "m4a",
    "mp4": "m4a",
}
_TEXT_TYPES: Final = frozenset(
    {"application/json", "application/xml", "application/x-yaml", "application/yaml"}
)
_MEDIA_TYPES: Final = {"pdf": "application/pdf", "jpg": "image/jpeg"}


@dataclass(frozen=True, slots=True)
class Media:
    """An image, audio file, video or document.

    Attributes:
        kind: What it is.
        mime_type: Media type, when known.
        data: Its bytes in base64.
        url: Its URL, when its bytes are not given.
        file_id: Its identifier at the provider, when neither is given.
        filename: Its name, when known.
        detail: Level of detail of an image (`low`, `high`, `auto`).
    """

    kind: Kind
    mime_type: str | None = None
    data: str | None = None
    url: str | None = None
    file_id: str | None = None
    filename: str | None = None
    detail: str | None = None


def read_media(block: Mapping[str, Any]) -> Media | None:
    """Return what a content block holds; `None` when it holds nothing of the kind.

    Raises:
        ValueError: It is a media block without anything to send.
    """
    match block:
        case {"type": "image_url", "image_url": {"url": str(url), **more}}:
            detail = more.get("detail") or block.get("detail")
            return _at(Media("image", detail=_text(detail)), url)
        case {"type": "image_url" | "input_image", "image_url": str(url)}:
            return _at(Media("image", detail=_text(block.get("detail"))), url)
        case {"type": "input_audio", "input_audio": {"data": str(data), **more}}:
            return Media("audio", mime_type=f"audio/{more.get('format', 'wav')}", data=data)
        case {"type": "audio_url" | "video_url" as kind, **more} if kind in more:
            inner = more[kind]
            url = inner.get("url", "") if isinstance(inner, dict) else str(inner)
            return _at(Media("audio" if kind == "audio_url" else "video"), url)
        case {"type": "file", "file": dict(file)} | {"type": "input_file", **file}:
            return _of_openai_file(file)
        case {"type": "image" | "document" | "audio" | "video" as kind, "source": dict(source)}:
            return _of_source(kind, source, block)
        case {"type": "media", "mime_type": str(mime_type)}:
            return _of_fields(_kind_of(mime_type), block)
        case {"type": "image" | "audio" | "video" | "file" | "text-plain" as kind}:
            return _of_fields(_KINDS[kind], block)
        case {"image": {"source": {"bytes": _} as source} as inner} if "type" not in block:
            return _of_bedrock("image", inner, source)
        case {"document": {"source": {"bytes": _} as source} as inner} if "type" not in block:
            return _of_bedrock("file", inner, source)
        case {"video": {"source": {"bytes": _} as source} as inner} if "type" not in block:
            return _of_bedrock("video", inner, source)
        case _:
            return None


def media_part(media: Media) -> dict[str, Any]:
    """Return the part of a message that OpenAI-compatible servers read.

    Raises:
        ValueError: What is given cannot be sent in this form.
    """
    kind = media.kind
    if kind == "file" and media.mime_type:
        kind = _kind_of(media.mime_type)
    if kind == "file":
        return {"type": "file", "file": _file_fields(media)}
    if media.file_id is not None:
        return {"type": "file", "file": {"file_id": media.file_id}}
    if kind == "audio" and media.data is not None:
        audio_type = media.mime_type or type_of_base64(media.data) or "audio/wav"
        audio_format = audio_type.rpartition("/")[2].partition(";")[0]
        audio_format = _AUDIO_FORMATS.get(audio_format, audio_format)
        return {"type": "input_audio", "input_audio": {"data": media.data, "format": audio_format}}
    target: dict[str, Any] = {"url": _address(media)}
    if media.detail is not None:
        target["detail"] = media.detail
    name = f"{kind}_url"
    return {"type": name, name: target}


def text_of(media: Media) -> str | None:
    """Return the text of a document that is a text file, which models read as text alone."""
    kind = "" if media.mime_type is None else media.mime_type.partition(";")[0]
    if media.kind != "file" or media.data is None:
        return None
    if not kind.startswith("text/") and kind not in _TEXT_TYPES:
        return None
    return base64.b64decode(media.data).decode("utf-8", "replace")


def _of_openai_file(file: Mapping[str, Any]) -> Media:
    media = Media("file", filename=_text(file.get("filename")))
    if file_id := _text(file.get("file_id")):
        return Media("file", file_id=file_id, filename=media.filename)
    if url := _text(file.get("file_data")) or _text(file.get("url") or file.get("file_url")):
        return _at(media, url)
    raise _nothing_to_send("file")


def _of_source(kind: str, source: Mapping[str, Any], block: Mapping[str, Any]) -> Media | None:
    """Read Anthropic's form. A plain-text document is not media."""
    media = Media(
        _KINDS[kind],
        mime_type=_text(source.get("media_type")),
        filename=_text(block.get("title")),
    )
    match source:
        case {"type": "base64", "data": str(data)}:
            return _with(media, data=data)
        case {"type": "url", "url": str(url)}:
            return _at(media, url)
        case {"type": "file", "file_id": str(file_id)}:
            return _with(media, file_id=file_id)
        case {"type": "text" | "content"}:
            return None
        case _:
            raise _nothing_to_send(kind)


def _members(block: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    members = block.get(name)
    return members if isinstance(members, dict) else {}


def _of_fields(kind: Kind, block: Mapping[str, Any]) -> Media | None:
    """Read the forms of LangChain, v1 and v0, and Gemini's."""
    extras = _members(block, "extras")
    more = {
        **_members(extras, "metadata"),  # where LangChain puts the metadata of v0 blocks
        **_members(block, "metadata"),
        **extras,
        **{name: value for name, value in block.items() if value is not None},
    }
    media = Media(
        kind,
        mime_type=_text(more.get("mime_type")),
        filename=_text(more.get("filename")) or _text(more.get("name")),
        detail=_text(more.get("detail")) if kind == "image" else None,
    )
    if more.get("source_type") == "text":
        return None
    if more.get("source_type") == "id":
        return _with(media, file_id=str(more.get("id")))
    data = more.get("base64") or more.get("data")
    if isinstance(data, bytes):
        data = base64.b64encode(data).decode()
    if isinstance(data, str):
        return _at(media, data) if data.startswith("data:") else _with(media, data=data)
    if url := _text(more.get("url")) or _text(more.get("file_uri")):
        return _at(media, url)
    if file_id := _text(more.get("file_id")):
        return _with(media, file_id=file_id)
    raise _nothing_to_send(kind)


def _of_bedrock(kind: Kind, inner: Mapping[str, Any], source: Mapping[str, Any]) -> Media:
    ending = str(inner.get("format", ""))
    data = source["bytes"]
    return Media(
        kind,
        mime_type=_MEDIA_TYPES.get(ending) or (f"{kind}/{ending}" if kind != "file" else None),
        data=base64.b64encode(data).decode() if isinstance(data, bytes) else str(data),
        filename=_text(inner.get("name")),
    )


def _at(media: Media, url: str) -> Media:
    """Return media whose bytes are at a URL, or in it."""
    if not url.startswith("data:"):
        return _with(media, url=url)
    head, comma, data = url.partition(",")
    if not comma or not head.endswith(";base64"):
        raise ValueError(f"The data URI of the {media.kind} is not in base64. Nothing was sent.")
    return _with(media, mime_type=head[len("data:") : -len(";base64")], data=data)


def _with(media: Media, **fields: str | None) -> Media:
    known = {name: getattr(media, name) for name in Media.__slots__}
    return Media(**{**known, **fields})


def _address(media: Media) -> str:
    if media.data is None:
        return media.url or ""
    return f"data:{_mime_type_of(media)};base64,{media.data}"


def _file_fields(media: Media) -> dict[str, Any]:
    if media.file_id is not None:
        return {"file_id": media.file_id}
    fields = {"file_data": _address(media)}
    filename = media.filename
    if filename is None and media.data is not None:
        # Servers choose how to read a document by the ending of its name.
        filename = f"document.{_mime_type_of(media).rpartition('/')[2]}"
    return fields if filename is None else {"filename": filename, **fields}


def _mime_type_of(media: Media) -> str:
    if kind := type_of_base64(media.data or "", media.mime_type):
        return kind
    raise ValueError(
        f"The {media.kind} has no `mime_type`, and its first bytes do not tell it. "
        'Add one, such as "image/png". Nothing was sent.'
    )


def _kind_of(mime_type: str) -> Kind:
    family = mime_type.partition("/")[0]
    return _KINDS.get(family, "file")


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _nothing_to_send(kind: str) -> ValueError:
    return ValueError(
        f"A content block of type `{kind}` has none of `base64`, `url` and `file_id`. "
        "Nothing was sent."
    )
