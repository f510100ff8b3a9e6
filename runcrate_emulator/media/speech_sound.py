"""The emulator's voice, and the ear that understands it.

`speak` gives sound of the length a person would need, in which a hum at the voice's pitch carries
the chords of `word_code`; `read_words` finds those chords in any recording and gives the words
with the times at which they were said.
"""

import math
import operator
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from runcrate_emulator.media.sound_files import SPEECH_RATE_HZ, Samples, read_sound
from runcrate_emulator.media.sounding import Span, sounding_spans
from runcrate_emulator.media.word_code import (
    TEMPOS_MS,
    Note,
    frame_ms,
    frames_of,
    notes_of,
)
from runcrate_emulator.media.word_search import HeardFrame, heard_frames

__all__ = ["CHARACTERS_PER_SECOND", "LONGEST_RECORDING_S", "Word", "Words", "read_words", "speak"]

CHARACTERS_PER_SECOND = 15
"""Pace of an unhurried English speaker, spaces included, at speed 1."""

LONGEST_RECORDING_S = 3600
"""Longest recording that `read_words` listens to by default, in seconds: up to 15 s of work."""

INAUDIBLE = "[inaudible]"
"""What stands for a word that was heard but not understood."""

_OTHER_SOUND_S = 1.0  # shorter sound between words is taken for a breath, or for a word cut in two
_AFTERSOUND_S = 0.4  # how long the hum of a word may be heard after its chords

_SAMPLES_PER_MS = SPEECH_RATE_HZ // 1000
_FULL_SCALE = 32_767
_NOTE_LEVEL = 0.5  # of full scale, all tones of a chord together
_HUM_LEVEL = 0.22
_RAMP_MS = 1  # softens the start and end of a note; a hard edge is heard as a click
_SLOT_SHARE = 0.9  # of a word's time that its chords may fill; the rest is a breath
_HUM_TAIL_MS = 120  # how long the hum outlasts the chords of a word, if it has the time
_HUM_HARMONICS = (1.0, 0.4)  # relative strength; a third would reach into the lowest band
_LEAD_MS = 40  # silence before the first word; MP3 coding blurs the very start


@dataclass(frozen=True)
class Word:
    """A word and when it was said."""

    text: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Words:
    """What was heard in a recording."""

    words: tuple[Word, ...]
    duration_s: float
    """Length of the recording in seconds."""
    other_sound: tuple[Span, ...] = ()
    """Where there was sound that is not the emulator's speech."""

    @property
    def text(self) -> str:
        """The words, with single spaces."""
        return " ".join(word.text for word in self.words)


def read_words(data: bytes, *, longest_s: float = LONGEST_RECORDING_S) -> Words:
    """Listen to a recording: WAV, MP3, FLAC, Ogg, WebM, MP4 or M4A.

    A word that was damaged within the recording is given as `[inaudible]`; one that was cut at its
    start or end is left out.

    Args:
        data: The file.
        longest_s: Longest recording to accept, in seconds.

    Raises:
        SoundFileError: The file cannot be read, or holds no sound.
        SoundTooLongError: It is longer than `longest_s`.
    """
    sound = read_sound(data, longest_s=longest_s)
    frames = list(heard_frames(sound))
    words = tuple(_words(frames)) if any(heard.frame for heard in frames) else ()
    heard = [Span(word.start_s, word.end_s + _AFTERSOUND_S) for word in words]
    other = sounding_spans(sound, apart_from=heard)
    if words:
        other = [span for span in other if span.seconds >= _OTHER_SOUND_S]
    return Words(words, sound.seconds, tuple(other))


def _words(frames: Iterable[HeardFrame]) -> Iterator[Word]:
    """Join the frames that are glued together, and mark those that were not understood."""
    text, start_s, glued = "", 0.0, False
    for heard in frames:
        piece, glues = (heard.frame.text, heard.frame.glued) if heard.frame else (INAUDIBLE, False)
        if not glued:
            text, start_s = "", heard.start_s
        text, glued, end_s = text + piece, glues, heard.end_s
        if not glued:
            yield Word(text, start_s, end_s)
    if glued:
        yield Word(text, start_s, end_s)


def speak(text: str, *, pitch_hz: int = 120, speed: float = 1.0) -> Samples:
    """Say a text.

    Args:
        text: What to say; runs of whitespace count as one space.
        pitch_hz: Pitch of the hum under the words, 80 to 200 Hz.
        speed: Pace relative to `CHARACTERS_PER_SECOND`. Text of many bytes a character is said
            more slowly where the code cannot keep up.

    Returns:
        One channel of 16-bit samples at `SPEECH_RATE_HZ`.
    """
    samples_per_character = SPEECH_RATE_HZ / (CHARACTERS_PER_SECOND * speed)
    sound = array("h", bytes(2 * _LEAD_MS * _SAMPLES_PER_MS))
    characters = 0
    frames = list(frames_of(text))
    for number, frame in enumerate(frames, start=1):
        space_follows = not frame.glued and number < len(frames)
        characters += len(frame.text) + space_follows
        slot = round(characters * samples_per_character) - len(sound)
        tempo = _tempo(slot, [frame_ms(frame, tempo) for tempo in range(len(TEMPOS_MS))])
        sound.extend(_word(notes_of(frame, tempo), slot, pitch_hz))
    return sound


def _tempo(slot: int, lengths_ms: list[int]) -> int:
    """Choose the slowest tempo at which a frame fits its slot, or else the fastest."""
    fitting = [
        tempo
        for tempo, length_ms in enumerate(lengths_ms)
        if length_ms * _SAMPLES_PER_MS <= slot * _SLOT_SHARE
    ]
    return max(fitting, default=0)


def _word(notes: Iterable[Note], slot: int, pitch_hz: int) -> Samples:
    chords: list[int] = []
    for note in notes:
        chords.extend(_note(note))
    length = max(len(chords), slot)
    hum_length = min(length, len(chords) + _HUM_TAIL_MS * _SAMPLES_PER_MS)
    chords.extend([0] * (hum_length - len(chords)))
    word = array("h", map(operator.add, chords, _hum(hum_length, pitch_hz)))
    word.extend(array("h", bytes(2 * (length - hum_length))))
    return word


@lru_cache(maxsize=1024)  # 256 bytes in four tempos
def _note(note: Note) -> tuple[int, ...]:
    length = note.length_ms * _SAMPLES_PER_MS
    ramp = _RAMP_MS * _SAMPLES_PER_MS
    level = _FULL_SCALE * _NOTE_LEVEL / len(note.tones)
    return tuple(
        round(
            level
            * min(1.0, (sample + 0.5) / ramp, (length - sample - 0.5) / ramp)
            * sum(math.sin(math.tau * tone * sample / SPEECH_RATE_HZ) for tone in note.tones)
        )
        for sample in range(length)
    )


def _hum(length: int, pitch_hz: int) -> Iterator[int]:
    """Give a hum that swells and fades like a syllable."""
    table = _hum_table(pitch_hz)
    step = math.pi / length
    for sample in range(length):
        yield int(table[sample % SPEECH_RATE_HZ] * math.sin(step * sample))


@lru_cache(maxsize=32)  # one entry a voice
def _hum_table(pitch_hz: int) -> tuple[float, ...]:
    """One second of hum at full strength; a whole number of periods, so that it can be repeated."""
    level = _FULL_SCALE * _HUM_LEVEL / sum(_HUM_HARMONICS)
    return tuple(
        level
        * sum(
            strength * math.sin(math.tau * pitch_hz * number * sample / SPEECH_RATE_HZ)
            for number, strength in enumerate(_HUM_HARMONICS, start=1)
        )
        for sample in range(SPEECH_RATE_HZ)
    )
