"""Texts to embed, made such that they can be sent."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from runcrate_core.protocol.unicode_text import valid_text

logger = logging.getLogger("runcrate_core")


def embeddable_texts(texts: Iterable[str]) -> list[str]:
    """Return texts that can be sent, in the same order.

    A lone surrogate, as text extracted from PDF files may hold, becomes U+FFFD; the position of
    the text is logged.

    Raises:
        TypeError: It is one text and no list; or an item is not text (`None`, NaN of a data frame),
            and its position is named.
    """
    if isinstance(texts, str):
        raise TypeError("`texts` must be a list of texts, not one text. Nothing was sent.")
    sendable = []
    for position, text in enumerate(texts):
        if not isinstance(text, str):
            raise TypeError(
                f"Text {position} of those to embed is of type `{type(text).__name__}`, not text. "
                "Nothing was sent. Remove it, or replace it by a text."
            )
        valid = valid_text(text)
        if valid is not text:
            logger.warning(
                "Text %d of those to embed is not valid Unicode (a lone surrogate). It was sent "
                "with U+FFFD in that place.",
                position,
            )
        sendable.append(valid)
    return sendable
