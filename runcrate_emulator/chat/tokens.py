"""The emulator's tokens: one stated rule for usage, limits, log-probabilities and stream chunks.

A token is a run of at most six letters with the space before it, a run of at most three digits, or
one other character; spaces that stand alone are one token. The pieces of a text joined give the
text, so cutting at a number of tokens and counting them can never disagree.
"""

import re
from typing import Final

_TOKEN: Final = re.compile(
    r" ?[^\W\d_\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]{1,6}| ?\d{1,3}|\s+(?=\S)|\s+$| ?[^\s]"
)
MESSAGE_TOKENS: Final = 4  # that a message costs besides its text, for its role and its borders
IMAGE_TOKENS: Final = 256  # of one image, whatever its size: the emulator's own rule
BYTES_PER_TOKEN: Final = 1024  # of attached audio, video or documents: the emulator's own rule


def split(text: str) -> list[str]:
    """The tokens of a text; joined they are the text."""
    return _TOKEN.findall(text)


def count(text: str) -> int:
    """Number of tokens of a text."""
    return sum(1 for _ in _TOKEN.finditer(text))
