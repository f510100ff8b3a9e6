"""Speech: a hum of the right length, and the text that belongs to it.

Nothing is synthesized or recognized. The text is remembered by the digest of the audio, and is
in a metadata comment of MP3 files, so that a transcription of the same file returns it.
"""

import hashlib
import json
import math
from array import array
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from runcrate_emulator.media.audio_files import SPEECH_RATE_HZ, Audio, Samples

CHARACTERS_PER_SECOND: Final = 15
"""Pace of an unhurried English speaker, spaces included, at speed 1."""

_LEVEL: Final = 12_000  # of 32,767
_MAX_REMEMBERED: Final = 1024
_MARK: Final = "runcrate_emulator_speech"


@dataclass(frozen=True)
class Spoken:
    """A text as the emulator spoke it, and the length of that in seconds."""

    text: str
    seconds: float

    @property
    def comment(self) -> str:
        """The metadata comment that carries it."""
        return json.dumps({_MARK: self.text, "seconds": self.seconds})


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
        try:
            value = json.loads(audio.comment)
            return Spoken(str(value[_MARK]), float(value["seconds"]))
        except (ValueError, TypeError, KeyError):
            return None


def speak(text: str, *, pitch_hz: int = 110, speed: float = 1.0) -> tuple[Samples, Spoken]:
    """Return a hum of the length that a person would need, and its text."""
    seconds = len(text) / CHARACTERS_PER_SECOND / speed
    length = round(SPEECH_RATE_HZ / pitch_hz)
    period = array("h", (int(_LEVEL * math.sin(math.tau * n / length)) for n in range(length)))
    count = round(seconds * SPEECH_RATE_HZ)
    return (period * (count // length + 1))[:count], Spoken(text, seconds)
