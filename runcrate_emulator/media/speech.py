"""Speech: a hum of the right length, and the text that belongs to it.

Nothing is synthesized or recognized. The text is remembered by the digest of the audio, and stands
in a metadata comment of MP3 files, so that a transcription of the same file returns it.
"""

import hashlib
import json
import math
from array import array
from collections import OrderedDict
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from runcrate_emulator.media.audio_files import SPEECH_RATE_HZ, Audio, Samples

CHARACTERS_PER_SECOND: Final = 15
"""Pace of an unhurried English speaker, spaces included, at speed 1."""

_LEVEL: Final = 12_000  # of 32,767
_FADE: Final = 240  # samples; 10 ms
_MAX_REMEMBERED: Final = 1024
_MARK: Final = "runcrate_emulator_speech"


@dataclass(frozen=True)
class Word:
    """A word with its start and end in seconds."""

    text: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Spoken:
    """A text as the emulator spoke it, and the length of that in seconds."""

    text: str
    seconds: float

    @property
    def comment(self) -> str:
        """The metadata comment that carries it."""
        return json.dumps({_MARK: self.text, "seconds": self.seconds})

    def words(self, within_s: float) -> list[Word]:
        """Return the words with their times, as far as audio of this length goes."""
        pace_s = self.seconds / max(len(self.text), 1)
        words: list[Word] = []
        at = 0
        for text in self.text.split():
            at = self.text.index(text, at)
            word = Word(text, at * pace_s, (at + len(text)) * pace_s)
            at += len(text)
            if word.start_s < within_s:
                words.append(word)
        return words


class SpeechMemory:
    """The texts of the speech that an emulator made, by the digest of the audio."""

    def __init__(self) -> None:
        self._texts: OrderedDict[str, Spoken] = OrderedDict()

    def remember(self, audio: bytes, spoken: Spoken) -> None:
        """Keep the text of an audio file, or of bare samples."""
        self._texts[hashlib.sha256(audio).hexdigest()] = spoken
        while len(self._texts) > _MAX_REMEMBERED:
            self._texts.popitem(last=False)

    def recall(self, data: bytes, audio: Audio) -> Spoken | None:
        """Return the text of a file; None when the emulator did not speak it."""
        for digest in (hashlib.sha256(data).hexdigest(), audio.pcm_sha256 or ""):
            if digest in self._texts:
                return self._texts[digest]
        return _from_comment(audio.comment)


def _from_comment(comment: str) -> Spoken | None:
    try:
        value = json.loads(comment)
        return Spoken(str(value[_MARK]), float(value["seconds"]))
    except (ValueError, TypeError, KeyError):
        return None


def speak(text: str, *, pitch_hz: int = 110, speed: float = 1.0) -> tuple[Samples, Spoken]:
    """Return audio of the length that a person would need, a hum for each word, and its text."""
    samples_per_letter = SPEECH_RATE_HZ / CHARACTERS_PER_SECOND / speed
    samples: Samples = array("h")
    at = 0
    for word in text.split():
        start = text.index(word, at)
        at = start + len(word)
        samples.extend(_silence(round(start * samples_per_letter) - len(samples)))
        samples.extend(_hum(round(len(word) * samples_per_letter), pitch_hz))
    samples.extend(_silence(round(len(text) * samples_per_letter) - len(samples)))
    return samples, Spoken(text, len(text) / CHARACTERS_PER_SECOND / speed)


def _silence(count: int) -> Samples:
    """Return samples of silence."""
    return array("h", bytes(2 * max(count, 0)))


def _hum(length: int, pitch_hz: int) -> Samples:
    """A hum that fades in and out, so that words are apart."""
    period = _period(pitch_hz)
    samples = (period * (length // len(period) + 1))[:length]
    for at in range(min(_FADE, length // 2)):
        samples[at] = samples[at] * at // _FADE
        samples[-1 - at] = samples[-1 - at] * at // _FADE
    return samples


@lru_cache(maxsize=64)
def _period(pitch_hz: int) -> Samples:
    length = round(SPEECH_RATE_HZ / pitch_hz)
    return array("h", (int(_LEVEL * math.sin(math.tau * n / length)) for n in range(length)))
