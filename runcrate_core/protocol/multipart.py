"""Forms with files (`multipart/form-data`, RFC 7578): framed here, read from disk when sent."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from runcrate_core.protocol.file_names import safe_file_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from runcrate_core.protocol.request import Content, FileSource

_PIECE_BYTES: Final = 1024 * 1024
# As browsers do it: a quotation mark or line end in a name must not end the header.
_ESCAPED: Final = str.maketrans({'"': "%22", "\r": "%0D", "\n": "%0A"})


@dataclass(frozen=True, slots=True)
class FilePart:
    """One file of a form.

    Attributes:
        name: Name of the field.
        file_name: What the file is called; made safe.
        content_type: Its media type.
        source: Its bytes.
    """

    name: str
    file_name: str
    content_type: str
    source: FileSource


@dataclass(frozen=True, slots=True)
class Form:
    """An encoded form.

    Attributes:
        content: Its bytes and files.
        content_type: Media type with the boundary.
    """

    content: Content
    content_type: str


def form_fields(fields: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Return form fields as text; `None` is left out, a list repeats its name.

    Raises:
        ValueError: A value has no plain form as text.
    """
    return tuple(_each_field(fields))


def _each_field(fields: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in fields.items():
        for item in value if isinstance(value, list | tuple) else [value]:
            match item:
                case None:
                    continue
                case bool():
                    yield name, "true" if item else "false"
                case str() | int() | float():
                    yield name, str(item)
                case _:
                    raise ValueError(
                        f"`{name}` is of type `{type(item).__name__}`, which a form cannot hold. "
                        "Nothing was sent."
                    )


def boundary_of(fields: Sequence[tuple[str, str]], files: Sequence[FilePart]) -> str:
    """Return a boundary that the same form always gets, and that occurs in none of its files.

    It is a hash of everything in the form, so no file can hold its own boundary (blocks: reads
    the files).
    """
    digest = hashlib.sha256()
    for name, value in fields:
        digest.update(_framed(name.encode(), value.encode()))
    for part in files:
        digest.update(_framed(part.name.encode(), part.file_name.encode(errors="replace")))
        with part.source.open() as file:
            while piece := file.read(_PIECE_BYTES):
                digest.update(piece)
    return f"form-{digest.hexdigest()[:40]}"


def encode_form(
    fields: Sequence[tuple[str, str]], files: Sequence[FilePart], boundary: str
) -> Form:
    """Frame a form.

    Args:
        fields: Names and values, in order.
        files: Its files, which follow the fields.
        boundary: What separates the parts; see `boundary_of`.
    """
    parts: list[bytes | FileSource] = []
    frame = bytearray()
    for name, value in fields:
        frame += f"--{boundary}\r\n{_disposition(name)}\r\n\r\n".encode()
        frame += value.encode() + b"\r\n"
    for part in files:
        file_name = safe_file_name(part.file_name, "file").translate(_ESCAPED)
        frame += (
            f'--{boundary}\r\n{_disposition(part.name)}; filename="{file_name}"\r\n'
            f"Content-Type: {part.content_type}\r\n\r\n"
        ).encode()
        parts += [bytes(frame), part.source]
        frame = bytearray(b"\r\n")
    frame += f"--{boundary}--\r\n".encode()
    return Form((*parts, bytes(frame)), f"multipart/form-data; boundary={boundary}")


def _disposition(name: str) -> str:
    return f'Content-Disposition: form-data; name="{name.translate(_ESCAPED)}"'


def _framed(*values: bytes) -> bytes:
    return b"".join(len(value).to_bytes(8, "big") + value for value in values)
