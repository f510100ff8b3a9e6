"""Embeddings that put similar texts close together: hashed stems, pairs of stems and letters."""

import base64
import itertools
import math
import struct
import zlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from runcrate_emulator.stems import stems

_STEM: Final = 1.0
_PAIR: Final = 0.5
_LETTERS: Final = 0.25
_GRAM: Final = 4
_HASHES: Final = 2
"""Places of the vector that each feature touches, so that a chance meeting weighs less."""


def embed(text: str, dimensions: int) -> list[float]:
    """A vector of length 1 for a text; the same text always gives the same."""
    vector = [0.0] * dimensions
    for feature, value in _features(text).items():
        for place, sign in _places(feature, dimensions):
            vector[place] += sign * value
    length = math.sqrt(sum(value * value for value in vector))
    if not length:
        vector[0] = length = 1.0
    return [value / length for value in vector]


def _features(text: str) -> dict[str, float]:
    """Features of a text with their weights; repetitions weigh less and less."""
    found = stems(text)
    features: defaultdict[str, float] = defaultdict(float)
    for one, count in Counter(found).items():
        features[f"w:{one}"] = _STEM * (1 + math.log(count))
        padded = f"^{one}$"
        for at in range(max(1, len(padded) - _GRAM + 1)):
            features[f"g:{padded[at : at + _GRAM]}"] += _LETTERS
    for pair, count in Counter(itertools.pairwise(found)).items():
        features[f"p:{pair[0]} {pair[1]}"] = _PAIR * (1 + math.log(count))
    if not features:
        features[f"t:{text}"] = 1
    return features


@lru_cache(maxsize=65_536)
def _places(feature: str, dimensions: int) -> tuple[tuple[int, int], ...]:
    raw = feature.encode(errors="surrogatepass")
    return tuple(
        (hashed % dimensions, 1 if hashed >> 31 else -1)
        for hashed in (zlib.crc32(raw, seed) for seed in range(1, _HASHES + 1))
    )


def as_base64(vector: Sequence[float]) -> str:
    """A vector as base64 of little-endian 32-bit floats."""
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
