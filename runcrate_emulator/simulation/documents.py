"""The text of PDF files, as far as it can be read without a library."""

import re
import zlib
from collections.abc import Iterator, Mapping
from typing import Final

_STREAM: Final = re.compile(
    rb"(?P<head>.{0,2048}?)stream\r?\n(?P<body>.*?)\r?\nendstream", re.DOTALL
)
_PAGE: Final = re.compile(rb"/Type\s*/Page(?![a-zA-Z])")
_TEXT_BLOCK: Final = re.compile(rb"\bBT\b(.*?)\bET\b", re.DOTALL)
_SHOWN: Final = re.compile(
    rb"(?P<array>\[(?:[^\]\\]|\\.)*\])\s*TJ|(?P<text>\((?:[^()\\]|\\.|\((?:[^()\\]|\\.)*\))*\)|"
    rb"<[0-9A-Fa-f\s]*>)\s*(?:Tj|'|\")|(?P<move>-?[\d.]+\s+-?[\d.]+\s+T[dD]|T\*|[-\d.\s]+Tm)",
    re.DOTALL,
)
_PIECE: Final = re.compile(
    rb"\((?P<text>(?:[^()\\]|\\.|\((?:[^()\\]|\\.)*\))*)\)|<(?P<hex>[0-9A-Fa-f\s]*)>|(?P<shift>-?[\d.]+)",
    re.DOTALL,
)
_ESCAPE: Final = re.compile(rb"\\([0-7]{1,3}|\r?\n|.)", re.DOTALL)
_ESCAPED: Final = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}
_MAPPED: Final = re.compile(rb"<([0-9A-Fa-f]+)>\s*<([0-9A-Fa-f]+)>(?!\s*<)")
_MAPPED_RANGE: Final = re.compile(rb"<([0-9A-Fa-f]+)>\s*<([0-9A-Fa-f]+)>\s*<([0-9A-Fa-f]+)>")
_WORD_GAP: Final = -180
"""Shift in a text array, in thousandths of an em, from which a space is meant."""
_LARGEST: Final = 32 * 1024 * 1024
_LARGEST_RANGE: Final = 0x10000

CharacterMap = Mapping[int, str]


def is_pdf(data: bytes) -> bool:
    """Whether bytes are a PDF file."""
    return data[:1024].lstrip().startswith(b"%PDF")


def pdf_text(data: bytes) -> tuple[str, int]:
    """The text of a PDF file, "" if none can be read, and its number of pages (at least 1)."""
    streams = list(_streams(data[:_LARGEST]))
    pages = len(_PAGE.findall(data)) or sum(len(_PAGE.findall(stream)) for stream in streams)
    characters = _character_map(streams)
    texts = [text for stream in streams if (text := _text(stream, characters))]
    return "\n".join(texts).strip(), max(pages, 1)


def _streams(data: bytes) -> Iterator[bytes]:
    for match in _STREAM.finditer(data):
        body = match["body"]
        if b"FlateDecode" in match["head"][-512:]:
            try:
                yield zlib.decompressobj().decompress(body, _LARGEST)
            except zlib.error:
                continue
        elif b"/Filter" not in match["head"][-512:]:
            yield body


def _character_map(streams: list[bytes]) -> CharacterMap:
    """What character codes mean, from the tables that the file's fonts bring along."""
    found: dict[int, str] = {}
    for stream in streams:
        if b"begincmap" not in stream:
            continue
        for block in re.findall(rb"beginbfchar(.*?)endbfchar", stream, re.DOTALL):
            for code, character in _MAPPED.findall(block):
                found[int(code, 16)] = _from_hex(character)
        for block in re.findall(rb"beginbfrange(.*?)endbfrange", stream, re.DOTALL):
            for low, high, first in _MAPPED_RANGE.findall(block):
                start, size = int(low, 16), int(high, 16) - int(low, 16)
                for step in range(min(size, _LARGEST_RANGE) + 1):
                    code_point = int(first, 16) + step
                    if code_point <= 0x10FFFF:  # noqa: PLR2004 - the last character there is
                        found[start + step] = chr(code_point)
    return found


def _from_hex(digits: bytes) -> str:
    raw = bytes.fromhex(digits.decode() if len(digits) % 2 == 0 else f"0{digits.decode()}")
    return raw.decode("utf-16-be", "ignore")


def _text(stream: bytes, characters: CharacterMap) -> str:
    lines: list[str] = []
    for block in _TEXT_BLOCK.findall(stream):
        line = ""
        for shown in _SHOWN.finditer(block):
            if shown["move"]:
                lines.append(line)
                line = ""
            else:
                line += _pieces(shown["array"] or shown["text"], characters)
        lines.append(line)
    return "\n".join(line.strip() for line in lines if line.strip())


def _pieces(source: bytes, characters: CharacterMap) -> str:
    text = ""
    for piece in _PIECE.finditer(source):
        if piece["shift"] is not None:
            text += " " if float(piece["shift"]) < _WORD_GAP and not text.endswith(" ") else ""
        elif piece["hex"] is not None:
            text += _decoded(bytes.fromhex(_even(piece["hex"])), characters)
        else:
            text += _decoded(_ESCAPE.sub(_unescaped, piece["text"]), characters)
    return text


def _even(digits: bytes) -> str:
    bare = b"".join(digits.split()).decode()
    return bare if len(bare) % 2 == 0 else f"{bare}0"


def _unescaped(match: re.Match[bytes]) -> bytes:
    found = match[1]
    if found.isdigit():
        return bytes([int(found, 8) & 0xFF])
    return b"" if found.strip() == b"" else _ESCAPED.get(found, found)


def _decoded(raw: bytes, characters: CharacterMap) -> str:
    if raw.startswith(b"\xfe\xff"):
        return raw[2:].decode("utf-16-be", "ignore")
    pairs = [raw[at] * 256 + raw[at + 1] for at in range(0, len(raw) - 1, 2)]
    if characters and len(raw) % 2 == 0 and pairs and all(pair in characters for pair in pairs):
        return "".join(characters[pair] for pair in pairs)
    if characters and all(byte in characters for byte in raw):
        return "".join(characters[byte] for byte in raw)
    return raw.decode("cp1252", "ignore").replace("\x00", "")
