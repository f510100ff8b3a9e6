"""The code that carries words in sound, without any sound."""

import binascii

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runcrate_emulator.media.word_code import (
    BANDS,
    MARK_MS,
    MARK_TONES,
    MAX_PAYLOAD,
    TEMPOS_MS,
    CodeError,
    Frame,
    Header,
    frame_ms,
    frames_of,
    notes_of,
)

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
TEMPOS = st.sampled_from(range(len(TEMPOS_MS)))


def bytes_of(notes) -> bytes:
    """Read chords as a perfect ear would."""
    return bytes(
        sum(band.index(tone) << 2 * number for number, (band, tone) in enumerate(pairs))
        for note in notes
        for pairs in [list(zip(BANDS, note.tones, strict=True))]
    )


def joined(frames) -> str:
    return "".join(frame.text + ("" if frame.glued else " ") for frame in frames).strip()


@given(TEXTS)
def test_frames_hold_every_word_once_and_in_order(text):
    frames = list(frames_of(text))
    assert joined(frames) == " ".join(text.split())
    assert all(1 <= len(frame.payload) <= MAX_PAYLOAD for frame in frames)


@given(TEXTS.filter(str.split), TEMPOS)
def test_what_is_sounded_can_be_read_back(text, tempo):
    for frame in frames_of(text):
        first, second, *chords = notes_of(frame, tempo)
        assert (first.tones, second.tones) == tuple((tone,) for tone in MARK_TONES)
        header_byte, *body = bytes_of(chords)
        header = Header.from_byte(header_byte)
        assert header.body_notes == len(body)
        assert header.frame_from(bytes(body)) == frame


@pytest.mark.parametrize("bit", range(8))
def test_a_single_wrong_bit_is_noticed(bit):
    frame = Frame("emulator")
    header_byte, *body = bytes_of(list(notes_of(frame, 0))[2:])
    damaged = bytes([body[0] ^ (1 << bit), *body[1:]])
    with pytest.raises(CodeError):
        Header.from_byte(header_byte).frame_from(damaged)


def test_bytes_that_are_no_utf8_are_refused_though_their_check_is_right():
    header = Header(payload_bytes=1, glued=False, tempo=0)
    payload = b"\xff"
    check = binascii.crc_hqx(bytes([header.to_byte()]) + payload, 0xFFFF).to_bytes(2)
    with pytest.raises(CodeError, match="UTF-8"):
        header.frame_from(payload + check)


def test_an_empty_payload_is_refused():
    with pytest.raises(CodeError):
        Header.from_byte(0)


@given(TEMPOS)
def test_a_frame_lasts_as_long_as_its_notes(tempo):
    frame = Frame("words")
    assert frame_ms(frame, tempo) == sum(note.length_ms for note in notes_of(frame, tempo))


def test_all_tones_pass_through_a_telephone_and_differ():
    tones = [tone for band in BANDS for tone in band] + list(MARK_TONES)
    assert len(set(tones)) == len(tones)
    assert min(tones) >= 300
    assert max(tones) <= 3400


def test_a_mark_is_long_enough_for_its_tones_to_be_told_apart():
    assert MARK_MS * (MARK_TONES[1] - MARK_TONES[0]) >= 1000
