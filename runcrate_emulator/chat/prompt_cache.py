"""Prompt cache: conversations that the server has seen before."""

import hashlib
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import Final

from runcrate_emulator.chat.completion import message_tokens
from runcrate_emulator.chat.request import Message

_MAX_REMEMBERED: Final = 4096


class PromptCache:
    """Remembers the beginnings of conversations by their fingerprints, the latest ones only."""

    def __init__(self) -> None:
        self._seen: OrderedDict[bytes, None] = OrderedDict()

    def cached_tokens(self, model: str, messages: Sequence[Message]) -> int:
        """The tokens of the longest beginning that was seen before; remembers the whole."""
        prefixes = list(_prefixes(model, messages))
        known = max(
            (at for at, print_ in enumerate(prefixes, 1) if print_ in self._seen), default=0
        )
        for fingerprint in prefixes:
            self._seen[fingerprint] = None
            self._seen.move_to_end(fingerprint)
        while len(self._seen) > _MAX_REMEMBERED:
            self._seen.popitem(last=False)
        return sum(message_tokens(message) for message in messages[:known])


def _prefixes(model: str, messages: Sequence[Message]) -> Iterator[bytes]:
    running = hashlib.sha256(model.encode())
    for message in messages:
        running.update(repr(message).encode(errors="surrogatepass"))
        yield running.digest()
