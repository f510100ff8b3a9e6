"""The code in which the emulator's speech carries its words.

A real voice cannot be synthesised, or understood, without a model. So the emulator speaks in
chords: each UTF-8 byte is four tones at once, one out of four in each of four bands, all of them
inside the band of a telephone so that MP3, Opus, mono mixing and resampling to 8 kHz leave them
readable.

A word is a *frame*, complete in itself, so that a recording cut between words still gives every
word: a mark (two notes outside the bands), a header (one byte), a payload (1 to 31 bytes) and a
check (CRC-16).

This module only turns text into frames, frames into notes, and note values back into frames.
"""

import binascii
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = [
    "BANDS",
    "HEADER_MS",
    "MARK_MS",
    "MARK_TONES",
    "MAX_PAYLOAD",
    "TEMPOS_MS",
    "CodeError",
    "Frame",
    "Header",
    "Note",
    "frame_ms",
    "frames_of",
    "notes_of",
    "tones_of",
]

_TONE_SPACING_HZ = 125  # orthogonal over the 8 ms of a shortest note that are free of its ramps
_LOWEST_TONE_HZ = 625  # well above the hum that gives the voice its pitch
BANDS = tuple(
    tuple(_LOWEST_TONE_HZ + _TONE_SPACING_HZ * (4 * band + tone) for tone in range(4))
    for band in range(4)
)
"""Frequencies in Hz; band *n* carries bits *2n* and *2n+1* of a byte."""

MARK_TONES = (2750, 3000)
"""The two tones, one after the other, that announce a frame; in no band."""
MARK_MS = 12
HEADER_MS = 20
TEMPOS_MS = (10, 16, 26, 40)
"""Lengths of a payload note in ms. The header says which; slow speech uses long notes."""

MAX_PAYLOAD = 31  # five bits of the header
_CHECK_BYTES = 2
_GLUED = 0b0010_0000


class CodeError(ValueError):
    """The notes of a frame do not add up: a false start, or a frame that was cut or overlaid."""


@dataclass(frozen=True)
class Note:
    """Some tones sounding together."""

    tones: tuple[int, ...]
    """Frequencies in Hz."""
    length_ms: int


@dataclass(frozen=True)
class Frame:
    """One word, or one piece of a word too long for a frame."""

    text: str
    glued: bool = False
    """True when the next frame continues the same word."""

    @property
    def payload(self) -> bytes:
        """The text as sent."""
        return self.text.encode()


@dataclass(frozen=True)
class Header:
    """What must be known of a frame before its payload can be read."""

    payload_bytes: int
    glued: bool
    tempo: int
    """Index into `TEMPOS_MS`."""

    def to_byte(self) -> int:
        """Return the header as the byte that is sent."""
        return self.tempo << 6 | (_GLUED if self.glued else 0) | self.payload_bytes

    @classmethod
    def from_byte(cls, value: int) -> "Header":
        """Read a header.

        Raises:
            CodeError: The header announces an empty payload, which is never sent.
        """
        header = cls(value & MAX_PAYLOAD, bool(value & _GLUED), value >> 6)
        if header.payload_bytes == 0:
            raise CodeError("the header announces no payload")
        return header

    @property
    def body_notes(self) -> int:
        """Number of notes that follow the header."""
        return self.payload_bytes + _CHECK_BYTES

    @property
    def note_ms(self) -> int:
        """Length of each of those notes in ms."""
        return TEMPOS_MS[self.tempo]

    def frame_from(self, body: bytes) -> Frame:
        """Check the values of the notes after the header and give the frame they spell.

        Raises:
            CodeError: The check or the UTF-8 is wrong.
        """
        payload, check = body[: self.payload_bytes], body[self.payload_bytes :]
        if check != _check(self, payload):
            raise CodeError("the check does not match")
        try:
            return Frame(payload.decode(), self.glued)
        except UnicodeDecodeError:
            raise CodeError("the payload is no UTF-8") from None


def frames_of(text: str) -> Iterator[Frame]:
    """Split a text at its whitespace into words, and words that are too long between characters."""
    for word in text.split():
        pieces = list(_pieces(word))
        for number, piece in enumerate(pieces, start=1):
            yield Frame(piece, glued=number < len(pieces))


def notes_of(frame: Frame, tempo: int) -> Iterator[Note]:
    """Give the notes of a frame in the order they sound."""
    header = Header(len(frame.payload), frame.glued, tempo)
    for tone in MARK_TONES:
        yield Note((tone,), MARK_MS)
    yield Note(tones_of(header.to_byte()), HEADER_MS)
    for value in frame.payload + _check(header, frame.payload):
        yield Note(tones_of(value), header.note_ms)


def frame_ms(frame: Frame, tempo: int) -> int:
    """Return how long a frame sounds, in ms."""
    header = Header(len(frame.payload), frame.glued, tempo)
    return len(MARK_TONES) * MARK_MS + HEADER_MS + header.body_notes * header.note_ms


def tones_of(value: int) -> tuple[int, ...]:
    """Return the chord of a byte."""
    return tuple(band[value >> 2 * number & 3] for number, band in enumerate(BANDS))


def _check(header: Header, payload: bytes) -> bytes:
    covered = bytes([header.to_byte()]) + payload
    return binascii.crc_hqx(covered, 0xFFFF).to_bytes(_CHECK_BYTES)


def _pieces(word: str) -> Iterator[str]:
    piece, size = "", 0
    for character in word:
        added = len(character.encode())
        if size + added > MAX_PAYLOAD:
            yield piece
            piece, size = "", 0
        piece += character
        size += added
    yield piece
