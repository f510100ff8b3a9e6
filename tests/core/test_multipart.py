"""Forms with files: framed so that any parser reads back what was put in."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from python_multipart import parse_form

from runcrate_core.io.request_body import length_of, pieces_of
from runcrate_core.protocol.file_names import safe_file_name
from runcrate_core.protocol.file_sources import BytesSource, PathSource
from runcrate_core.protocol.multipart import FilePart, Form, boundary_of, encode_form, form_fields
from tests.core.cloud import memory_below

CHARACTERS = st.characters(exclude_categories=["Cs"])
NAMES = st.text(CHARACTERS | st.sampled_from('"\r\n'), min_size=1, max_size=30)
TEXTS = st.text(CHARACTERS, max_size=200)


def made(fields: tuple[tuple[str, str], ...], files: list[FilePart]) -> Form:
    return encode_form(fields, files, boundary_of(fields, files))


def parsed(form: Form) -> tuple[list[tuple[bytes, bytes]], list[tuple[bytes, bytes, bytes]]]:
    fields: list[tuple[bytes, bytes]] = []
    files: list[tuple[bytes, bytes, bytes]] = []
    assert isinstance(form.content, tuple)
    body = b"".join(pieces_of(form.content))
    assert len(body) == length_of(form.content)

    def on_file(file: Any) -> None:
        file.file_object.seek(0)
        files.append((file.field_name, file.file_name, file.file_object.read()))

    parse_form(
        {"Content-Type": form.content_type.encode()},
        BytesIO(body),
        lambda field: fields.append((field.field_name, field.value or b"")),
        on_file,
    )
    return fields, files


def escaped(name: str) -> bytes:
    return name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A").encode()


FILES = st.lists(st.tuples(NAMES, st.binary(min_size=1, max_size=2000)), max_size=2)


@given(st.lists(st.tuples(NAMES, TEXTS), max_size=4), FILES)
def test_a_parser_reads_back_what_was_put_in(fields, files):
    # A backslash escapes a quotation mark for this parser, and no name of the API has one.
    fields = [(name.replace("\\", ""), value) for name, value in fields if name.strip("\\")]
    parts = [FilePart("file", name, "audio/mpeg", BytesSource(data)) for name, data in files]
    got_fields, got_files = parsed(made(tuple(fields), parts))
    assert got_fields == [(escaped(name), value.encode()) for name, value in fields]
    assert got_files == [
        (b"file", safe_file_name(name, "file").encode(), data) for name, data in files
    ]


def test_a_file_cannot_end_its_own_part():
    evil = b'\r\n--%b\r\nContent-Disposition: form-data; name="model"\r\n\r\nexpensive\r\n'
    data = b"x"
    for _ in range(3):  # each time for the boundary of the file before
        part = FilePart("file", "a.wav", "audio/wav", BytesSource(data))
        data += evil % boundary_of((("model", "m"),), [part]).encode()
    fields, files = parsed(
        made((("model", "m"),), [FilePart("file", "a", "b/c", BytesSource(data))])
    )
    assert fields == [(b"model", b"m")]
    assert files[0][2] == data


def test_fields_are_written_as_text():
    fields = {"a": 1, "b": 0.5, "c": True, "d": False, "e": None, "f": ["x", 2], "g": ()}
    texts = [("a", "1"), ("b", "0.5"), ("c", "true"), ("d", "false"), ("f", "x"), ("f", "2")]
    assert list(form_fields(fields)) == texts


def test_a_large_file_is_never_in_memory(tmp_path):
    size = 48 * 1024 * 1024
    path = tmp_path / "long.wav"
    with path.open("wb") as file:
        file.truncate(size)
    with memory_below(4):
        form = made((), [FilePart("file", "long.wav", "audio/wav", PathSource(path))])
        assert isinstance(form.content, tuple)
        sent = sum(map(len, pieces_of(form.content)))
    assert sent == length_of(form.content) > size
