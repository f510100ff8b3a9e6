"""Media that a program gives: in which forms, and that text is never a path (row 55)."""

from __future__ import annotations

import base64
import io
import json
import os
from typing import Any
from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runcrate_core.io.request_body import length_of, pieces_of
from runcrate_core.protocol import media, media_types
from runcrate_core.protocol.file_sources import Base64Source, BytesSource, ObjectSource, PathSource
from tests.json_values import TEXTS, json_values

PNG = b"\x89PNG\r\n\x1a\n" + bytes(40)
BASE64 = base64.b64encode(PNG * 2).decode()


@pytest.mark.parametrize(
    ("head", "kind", "suffix"),
    [
        (PNG, "image/png", ".png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg", ".jpg"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp", ".webp"),
        (b"GIF87a", "image/gif", ".gif"),
        (b"GIF89a", "image/gif", ".gif"),
        (b"<svg xmlns", "image/svg+xml", ".svg"),
        (b'\n<?xml version="1.0"?><svg', "image/svg+xml", ".svg"),
        (b"RIFF\x00\x00\x00\x00WAVEfmt ", "audio/wav", ".wav"),
        (b"ID3\x04", "audio/mpeg", ".mp3"),
        (b"\xff\xfb\x90", "audio/mpeg", ".mp3"),
        (b"\xff\xf3\x40", "audio/mpeg", ".mp3"),
        (b"\xff\xf1\x50", "audio/aac", ".aac"),
        (b"fLaC", "audio/flac", ".flac"),
        (b"OggS", "audio/ogg", ".ogg"),
        (b"\x1a\x45\xdf\xa3", "video/webm", ".webm"),
        (b"\x00\x00\x00\x20ftypM4A ", "audio/mp4", ".m4a"),
        (b"\x00\x00\x00\x20ftypisom", "video/mp4", ".mp4"),
        (b"\x00\x00\x00\x20ftypqt  ", "video/quicktime", ".mov"),
        (b"\x00\x00\x00\x20ftypavif", "image/avif", ".avif"),
        (b"%PDF-1.7", "application/pdf", ""),
    ],
)
def test_the_first_bytes_tell_what_a_file_is(head, kind, suffix):
    assert media_types.sniffed_type(head) == kind
    assert media_types.media_type(head, "text/plain") == kind
    assert media_types.type_of_base64(base64.b64encode(head * 99).decode(), "text/plain") == kind
    assert media_types.suffix_of(head) == suffix


@pytest.mark.parametrize("head", [b"", b"\xff", b"\xff\x00", b"RIFF1234AVI ", b"<?xml?><a>", b"hi"])
def test_other_bytes_tell_nothing(head):
    assert media_types.sniffed_type(head) is None
    assert media_types.media_type(head) == "application/octet-stream"
    assert media_types.type_of_base64(base64.b64encode(head).decode()) is None
    assert media_types.type_of_base64("A", "image/jpg") == "image/jpeg"  # no base64
    assert media_types.suffix_of(head) == ""
    assert media_types.suffix_of(head, "Audio/X-WAV; rate=1") == ".wav"


def test_types_suffixes_and_addresses_are_recognised():
    assert media_types.normal_type(" Image/JPG ; a=b") == "image/jpeg"
    assert media_types.type_of_suffix(".JPEG") == "image/jpeg"
    assert media_types.type_of_suffix(".webm") == "audio/webm"
    assert media_types.type_of_suffix(".txt") is None
    for declared in ("audio/pcm", "audio/L16; rate=24000"):  # bare samples look like anything
        assert media_types.suffix_of(b"\xff\xfb\x90", declared) == ".pcm"
    urls = ["https://a", "http://[::1]:80/", "http://[::1", "https:/a"]
    assert [media.is_url(url) for url in urls] == [True, True, False, False]


@pytest.mark.parametrize(
    "text",
    [
        *("https://example.com/a.png", " HTTPS://example.com/a.png "),
        *("http://127.0.0.1:8787/files/a", "http://localhost/a"),
        *(f"data:image/png;base64,{BASE64}", "data:image/svg+xml,%3Csvg/%3E", BASE64),
    ],
)
def test_text_that_is_an_address_or_data_is_sent_as_it_is(text):
    assert media.source_of(text, "image") == text.strip()


@pytest.mark.parametrize(
    "text",
    [
        *("", "photo.png", "/etc/passwd", "~/.ssh/id_rsa", "../" * 40),
        *("file:///etc/passwd", "http://example.com/a.png", "ftp://example.com/a.png"),
        *("http://[::1", "data:image/png;base64", "a" * 60, "/" * 65, "word " * 40),
    ],
)
def test_55_other_text_is_refused_and_never_read(text, monkeypatch):
    for name in ("pathlib.Path.open", "builtins.open"):
        monkeypatch.setattr(name, Mock(side_effect=AssertionError("a file was opened")))
    words = r"`image` is text .* never read as a path; .* pass `Path\(\.\.\.\)`. Nothing was sent"
    with pytest.raises(ValueError, match=words):
        media.source_of(text, "image")


def test_files_may_have_any_of_these_forms(tmp_path):
    path = tmp_path / "photo.png"
    path.write_bytes(PNG)

    class Named:
        def __fspath__(self):
            return str(path)

    read_from = io.BytesIO(PNG)
    read_from.seek(20)  # it is sent whole wherever it stands
    with path.open("rb") as file:
        for value in (path, PNG, bytearray(PNG), io.BytesIO(PNG), read_from, file, Named()):
            assert media.is_file(value)
            source = media.source_of(value, "image")
            assert not isinstance(source, str)
            for _ in range(2):  # a repeat sends all of it again
                assert media.head_of(source, "image") == PNG
                with source.open() as opened:
                    assert opened.read() == PNG
                assert source.size() == len(PNG)
        assert not file.closed
    assert not media.is_file("text")
    assert not media.is_file(3)


class OneWay(io.BytesIO):
    def seekable(self) -> bool:
        return False


class AsyncFile:
    async def read(self) -> bytes:
        return b""


class TextReader(io.BytesIO):
    def read(self, *_: Any) -> Any:
        return "text"


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (b"", "is empty"),
        (AsyncFile(), "is an asynchronous file"),
        (TextReader(), "gives `str` instead of bytes"),
        (io.StringIO("text"), "open as text"),
        (OneWay(PNG), "cannot be read twice"),
        (type("NoSeek", (), {"read": lambda self: b""})(), "cannot be read twice"),
        (42, "must be a `Path`, bytes.*not `int`"),
        (None, "not `NoneType`"),
    ],
)
def test_files_that_cannot_be_sent(value, problem):
    with pytest.raises(ValueError, match=problem) as caught:
        media.image_uri(media.source_of(value, "mask"), "mask")
    assert "`mask`" in str(caught.value)
    assert "Nothing was sent" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [("wrong.jpg", PNG, "image/png"), ("odd.avif", b"unusual bytes", "image/avif")],
)
def test_an_image_is_recognised_by_its_bytes_or_its_suffix(tmp_path, name, content, kind):
    path = tmp_path / name
    path.write_bytes(content)
    assert media.image_uri(PathSource(path), "image").media_type == kind


@pytest.mark.parametrize("name", ["empty", "pipe", "/dev/zero"])
def test_a_file_without_content_or_length_is_not_read(tmp_path, name):
    path = tmp_path / name
    if name == "empty":
        path.touch()
    elif name == "pipe":
        os.mkfifo(path)
    with pytest.raises(ValueError, match="`image` is empty, or not a regular file"):
        media.image_uri(PathSource(path), "image")


def test_names_and_types_of_sources(tmp_path):
    path = tmp_path / "a.mp3"
    path.write_bytes(b"unknown")
    with path.open("rb") as file:
        assert media.name_of_source(ObjectSource(file)) == "a.mp3"
        assert media.type_of_source(ObjectSource(file), b"unknown") == "audio/mpeg"
    with os.fdopen(os.open(path, os.O_RDONLY), "rb") as file:
        assert media.name_of_source(ObjectSource(file)) == ""  # its name is a number
    assert media.name_of_source(BytesSource(b"x")) == ""
    assert media.type_of_source(BytesSource(b"x"), b"x") == "application/octet-stream"


@pytest.mark.parametrize(
    ("text", "data"),
    [
        (BASE64, PNG * 2),
        ("data:image/png;base64," + BASE64, PNG * 2),
        ("data:image/png;BASE64,aGk\n=", b"hi"),
        ("data:,a%20b", b"a b"),
    ],
)
def test_data_in_text_is_decoded(text, data):
    assert media.bytes_of_text(text, "file") == data
    with pytest.raises(ValueError, match="`file` is empty"):
        media.bytes_of_text("data:audio/wav;base64,", "file")


class Dribble(io.BytesIO):
    """Reads as little as an unbuffered source may."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(min(size or 1, 2) if size and size > 0 else size)


@given(st.binary(max_size=4000), st.integers(1, 700), st.sampled_from([io.BytesIO, Dribble]))
def test_base64_is_made_while_reading(data, piece, kind):
    source = Base64Source(ObjectSource(kind(data)))
    with source.open() as file:
        read = b"".join(iter(lambda: file.read(piece), b""))
    assert read == base64.b64encode(data)
    assert source.size() == len(read)


FILES = st.binary(min_size=1, max_size=300)
NAMES = TEXTS.map('"{}" of a file'.format)


@given(
    st.dictionaries(TEXTS, json_values(), max_size=4),
    st.dictionaries(NAMES, FILES | st.lists(FILES | TEXTS, max_size=3), min_size=1),
)
def test_json_with_files_is_the_json_it_stands_for(body, files):
    def sent_as(make, value):
        if isinstance(value, list):
            return [sent_as(make, item) for item in value]
        return make(value) if isinstance(value, bytes) else value

    def members(make):
        return {name: sent_as(make, value) for name, value in files.items()}

    uris = members(lambda data: media.DataUri("a/b", BytesSource(data)))
    content = media.json_with_files(body, uris)
    assert isinstance(content, tuple)
    encoded = b"".join(pieces_of(content))
    texts = members(lambda data: f"data:a/b;base64,{base64.b64encode(data).decode()}")
    assert json.loads(encoded) == body | texts
    assert len(encoded) == length_of(content)
