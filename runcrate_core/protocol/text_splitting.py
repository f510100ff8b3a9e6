"""Text splitting: texts longer than an embedding model reads, and the average of their vectors."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from typing import Final, Literal, TypeAlias

LongText: TypeAlias = Literal["average", "truncate", "send"]
Vector: TypeAlias = list[float]

# The counters, LlamaIndex's tokenizer and an estimate for chat models, find fewer tokens in a text
# than the small vocabularies of embedding models do; in English about a tenth, in other languages
# up to a quarter.
_SAFE_SHARE: Final = 0.75
# Characters of a long token: no more text is counted at once than a piece can hold.
_MAX_TOKEN_LENGTH: Final = 8
# Marks that the model itself puts around a text.
_MARKS: Final = 2


@dataclass(frozen=True, slots=True)
class Pieces:
    """Texts as they are sent, and to which of the given texts they belong.

    Attributes:
        texts: The pieces, in order.
        owners: For each piece the number of its text.
        weights: For each piece its length, by which its vector counts.
    """

    texts: list[str]
    owners: list[int]
    weights: list[int]

    def joined(self, vectors: Sequence[Vector]) -> list[Vector]:
        """Return one vector for each text: that of its piece, or the average of its pieces'.

        An average has the length that the vectors have on average, so that models whose vectors
        are of length 1 keep to it.
        """
        if self.owners == [*range(len(vectors))]:
            return list(vectors)
        places = groupby(range(len(self.owners)), key=self.owners.__getitem__)
        return [_average([(vectors[i], self.weights[i]) for i in group]) for _, group in places]


def split_texts(
    texts: Sequence[str],
    max_tokens: int | None,
    count: Callable[[str], int],
    *,
    long_text: LongText = "average",
    instruction: str = "",
) -> Pieces:
    """Return texts in pieces of a length that the model reads.

    Args:
        texts: The texts.
        max_tokens: Tokens that the model reads; None when unknown, and nothing is cut.
        count: Counts the tokens of a text.
        long_text: Treatment of longer texts: `average` keeps all pieces, `truncate` the first,
            `send` does not cut.
        instruction: Put before every piece.
    """
    max_piece = None
    if max_tokens is not None and long_text != "send":
        instructed = count(instruction) if instruction else 0
        max_piece = max(1, int(max_tokens * _SAFE_SHARE) - _MARKS - instructed)
    # A token has a character or more, so texts this short need not be counted.
    if max_piece is None or max(map(len, texts), default=0) <= max_piece:
        return Pieces(
            [instruction + text for text in texts], list(range(len(texts))), [1] * len(texts)
        )
    pieces = Pieces([], [], [])
    for owner, text in enumerate(texts):
        parts = _split(text, max_piece, count)
        for piece in islice(parts, 1) if long_text == "truncate" else parts:
            pieces.texts.append(instruction + piece)
            pieces.owners.append(owner)
            pieces.weights.append(len(piece))
    return pieces


def _split(text: str, max_tokens: int, count: Callable[[str], int]) -> Iterator[str]:
    """Yield pieces of a maximum number of tokens, split at white space where there is any."""
    start = 0
    while len(text) - start > max_tokens:
        head = text[start : start + max_tokens * _MAX_TOKEN_LENGTH]
        end = len(head)
        while end > 1 and (tokens := count(head[:end])) > max_tokens:
            end = max(1, min(end - 1, end * max_tokens // tokens))
        if start + end >= len(text):
            break
        space = max(head.rfind(" ", end // 2, end), head.rfind("\n", end // 2, end))
        end = space + 1 if space > 0 else end
        if head[:end].strip():
            yield head[:end].strip()
        start += end
    if rest := text[start:].strip() if start else text:
        yield rest


def _average(weighted: Sequence[tuple[Vector, int]]) -> Vector:
    if len(weighted) == 1:
        return weighted[0][0]
    total = sum(weight for _, weight in weighted)
    shares = [weight / total for _, weight in weighted]
    mean = [
        math.fsum(share * number for share, number in zip(shares, column, strict=True))
        for column in zip(*(vector for vector, _ in weighted), strict=True)
    ]
    length = math.sqrt(math.fsum(number * number for number in mean))
    wanted = math.fsum(
        share * math.sqrt(math.fsum(number * number for number in vector))
        for share, (vector, _) in zip(shares, weighted, strict=True)
    )
    return [number * wanted / length for number in mean] if length else mean
