"""Media arguments: accepted forms, and their encoding in requests.

A plain string is a URL or encoded data, never a path: a model may have written it, and a
path would let it send any local file. A file is given as `Path`, bytes or file object.
"""

from __future__ import annotations

import binascii
import inspect
import io
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final
from urllib.parse import unquote_to_bytes

from runcrate_core.protocol.file_sources import (
    Base64Source,
    BytesSource,
    FixedSource,
    ObjectSource,
    PathSource,
)
from runcrate_core.protocol.json_body import encode_json
from runcrate_core.protocol.large_values import decode_base64
from runcrate_core.protocol.media_types import (
    UNKNOWN_TYPE,
    contradicts,
    sniffed_type,
    type_of_suffix,
)
from runcrate_core.protocol.url_policy import is_loopback

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runcrate_core.protocol.request import Content, FileSource

# Everything that a media argument may be.
MediaInput = str | bytes | bytearray | memoryview | os.PathLike[str] | BinaryIO

# Enough to recognise what a file is.
HEAD_BYTES: Final = 512
# Shorter text may be a word; the smallest images take more.
SHORTEST_BASE64: Final = 64
_BASE64: Final = re.compile(r"[A-Za-z0-9+/]+={0,2}", re.ASCII)


@dataclass(frozen=True, slots=True)
class DataUri:
    """A file that is sent inside JSON, as `data:<type>;base64,...`.

    Attributes:
        media_type: What it is.
        source: Its bytes.
    """

    media_type: str
    source: FileSource


def is_file(value: object) -> bool:
    """Return whether a value is a file in one of the forms that are read by this program."""
    return isinstance(value, bytes | bytearray | memoryview | os.PathLike | io.IOBase) or hasattr(
        value, "read"
    )


def source_of(value: MediaInput, argument: str) -> FileSource | str:
    """Return the file that a media argument is, or its text when it is one. Opens nothing.

    Args:
        value: The argument.
        argument: Its name, for errors.

    Raises:
        ValueError: It is neither a file nor an https URL, a data URI or base64.
    """
    match value:
        case str():
            return media_text(value, argument)
        case bytes() | bytearray() | memoryview():
            if not value:
                raise ValueError(f"`{argument}` is empty. Nothing was sent.")
            return BytesSource(bytes(value))
        case os.PathLike():
            return PathSource(Path(value))
        case _ if hasattr(value, "read"):
            return _object_source(value, argument)
        case _:
            raise ValueError(
                f"`{argument}` must be a `Path`, bytes, a binary file object, an https URL or a "
                f"data URI, not `{type(value).__name__}`. Nothing was sent."
            )


def _object_source(value: BinaryIO, argument: str) -> ObjectSource:
    if isinstance(value, io.TextIOBase):
        raise ValueError(f"`{argument}` is open as text; open it with `'rb'`. Nothing was sent.")  # noqa: TRY004 - callers handle every bad input as one class
    if inspect.iscoroutinefunction(value.read):
        raise ValueError(
            f"`{argument}` is an asynchronous file, which is not read here. Pass its bytes "
            "(`await file.read()`), or a `Path`. Nothing was sent."
        )
    if not (hasattr(value, "seekable") and value.seekable()):
        raise ValueError(
            f"`{argument}` cannot be read twice, which a retry needs; pass its bytes, or a "
            "`Path`. Nothing was sent."
        )
    return ObjectSource(value)


def media_text(value: str, argument: str) -> str:
    """Return a media argument that is text, as it is.

    Raises:
        ValueError: It is not an https URL, a data URI or base64. It is not read as a path.
    """
    text = value.strip()
    if is_url(text) or _is_data_uri(text):
        return text
    if len(text) >= SHORTEST_BASE64 and len(text) % 4 == 0 and _BASE64.fullmatch(text):
        return text
    raise ValueError(
        f"`{argument}` is text that is neither an https URL nor a data URI nor base64. Text is "
        f"never read as a path; for a file, pass `Path(...)`. Nothing was sent."
    )


def is_url(text: str) -> bool:
    """Return whether text is an https URL; plain http only for loopback."""
    start = text[:8].lower()
    return start == "https://" or (start.startswith("http://") and is_loopback(text))


_URL_SAFE: Final = str.maketrans("-_", "+/")


def _is_data_uri(text: str) -> bool:
    return text[:5].lower() == "data:" and "," in text


def bytes_of_text(text: str, argument: str, *, is_received: bool = False) -> bytes:
    """Return the bytes of a data URI or of base64.

    Args:
        text: The data URI, or base64.
        argument: Its name, for errors.
        is_received: A server sent it: base64 may be of the alphabet for URLs and without padding.

    Raises:
        ValueError: It does not decode, or is empty.
    """
    head, _, encoded = text.partition(",") if _is_data_uri(text) else (";base64", "", text)
    try:
        if head.lower().endswith(";base64"):
            encoded = "".join(encoded.split())
            if is_received:
                encoded = encoded.translate(_URL_SAFE) + "=" * (-len(encoded) % 4)
            data = decode_base64(encoded)
        else:
            data = unquote_to_bytes(encoded)
    except binascii.Error:
        raise ValueError(f"`{argument}` is not valid base64.") from None
    if not data:
        raise ValueError(f"`{argument}` is empty.")
    return data


def head_of(source: FileSource, argument: str) -> bytes:
    """Return the first bytes of a file (blocks).

    Raises:
        OSError: It cannot be read.
        ValueError: It is empty. So is a pipe or a device, whose length is not known.
    """
    if isinstance(source, PathSource) and not source.size():
        raise ValueError(f"`{argument}` is empty, or not a regular file. Nothing was sent.")
    head = bytearray()
    with source.open() as file:
        # A raw stream may give a few bytes at a time.
        while len(head) < HEAD_BYTES and (piece := file.read(HEAD_BYTES - len(head))):
            if not isinstance(piece, bytes):
                raise ValueError(  # noqa: TRY004 - callers handle every bad input as one class
                    f"`{argument}` gives `{type(piece).__name__}` instead of bytes; open it with "
                    "`'rb'`. Nothing was sent."
                )
            head += piece
    if not head:
        raise ValueError(f"`{argument}` is empty. Nothing was sent.")
    return bytes(head)


def name_of_source(source: FileSource) -> str:
    """Return the name of a file; empty when it has none."""
    match source:
        case PathSource(path):
            return path.name
        case ObjectSource(file):
            name = getattr(file, "name", None)
            return Path(name).name if isinstance(name, str) else ""
        case _:
            return ""


def type_of_source(source: FileSource, head: bytes) -> str:
    """Return the media type of a file: what its bytes show, else what its suffix says."""
    suffix = Path(name_of_source(source)).suffix
    return sniffed_type(head) or type_of_suffix(suffix) or UNKNOWN_TYPE


def image_uri(source: FileSource, argument: str) -> DataUri:
    """Return an image as it is sent inside JSON (blocks: reads its beginning).

    Raises:
        OSError: It cannot be read.
        ValueError: It is empty, or not an image.
    """
    kind = type_of_source(source, head_of(source, argument))
    if kind == UNKNOWN_TYPE or contradicts(kind, "image"):
        raise ValueError(
            f"`{argument}` is not an image of a known kind (png, jpeg, webp, gif, ...). Nothing "
            "was sent."
        )
    return DataUri(kind, FixedSource.of(source))


def json_with_files(
    body: Mapping[str, Any], files: Mapping[str, DataUri | Sequence[DataUri | str]]
) -> Content:
    """Encode a JSON object of which some members are files, which are encoded as they are sent.

    Args:
        body: The other members.
        files: Members that are a file, or a list of files and texts.

    Raises:
        ValueError: A member of `body` is not JSON.
    """
    encoded = encode_json(body)
    if not files:
        return encoded
    parts: list[bytes | FileSource] = [encoded.removesuffix(b"}")]
    for name, value in files.items():
        opening = b"" if parts[-1] == b"{" else b","
        parts.append(opening + encode_json({name: ""})[1:-3])
        if isinstance(value, DataUri):
            parts += _uri_parts(value)
        else:
            parts.append(b"[")
            for index, item in enumerate(value):
                parts += [b","] if index else []
                parts += _uri_parts(item) if isinstance(item, DataUri) else [_text(item)]
            parts.append(b"]")
    return tuple(_joined([*parts, b"}"]))


def _uri_parts(uri: DataUri) -> list[bytes | FileSource]:
    return [f'"data:{uri.media_type};base64,'.encode(), Base64Source(uri.source), b'"']


def _text(value: str) -> bytes:
    return encode_json({"": value})[4:-1]


def _joined(parts: Sequence[bytes | FileSource]) -> Sequence[bytes | FileSource]:
    joined: list[bytes | FileSource] = []
    for part in parts:
        if isinstance(part, bytes) and joined and isinstance(joined[-1], bytes):
            joined[-1] += part
        else:
            joined.append(part)
    return joined
