"""Names on the wire, of tools and of messages' authors: at most 64 characters, and not all.

Servers refuse other names (OpenAI's patterns), and MCP servers and programs use dots and spaces.
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Iterable
from typing import Final

MAX_TOOL_NAME_LENGTH: Final = 64

_NOT_IN_NAMES: Final = re.compile(r"[^a-zA-Z0-9_-]")
_NOT_IN_AUTHORS: Final = re.compile(r"[\s<|\\/>]")
# What gpt-oss models leave around a name where a server does not remove it.
_TEMPLATE_TOKENS: Final = re.compile(r"\Afunctions\.|<\|.*\Z", re.DOTALL)
_DIGEST_LENGTH: Final = 8


@functools.lru_cache(maxsize=1024)
def wire_tool_name(name: str) -> str:
    """Return a name that servers accept: the name itself where they accept it."""
    wire = _NOT_IN_NAMES.sub("_", name) or "unnamed"  # a model may have called no tool's name
    if len(wire) > MAX_TOOL_NAME_LENGTH:
        wire = f"{wire[: MAX_TOOL_NAME_LENGTH - _DIGEST_LENGTH - 1]}_{_digest(name)}"
    return wire


def wire_author_name(name: str) -> str:
    """Return the name of a message's author as servers accept it."""
    return _NOT_IN_AUTHORS.sub("_", name)[:MAX_TOOL_NAME_LENGTH]


class ToolNames:
    """The names of a request's tools, both ways.

    Args:
        names: The names that the program knows. Two that would be sent under one name are kept
            apart on the wire.
    """

    __slots__ = ("_originals", "_wires")

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._wires: dict[str, str] = {}
        distinct = list(dict.fromkeys(names))
        unchanged = {name for name in distinct if wire_tool_name(name) == name}
        taken = set(unchanged)
        for name in distinct:
            if name in unchanged:
                continue
            wire = wire_tool_name(name)
            if wire in taken:
                cut = wire[: MAX_TOOL_NAME_LENGTH - _DIGEST_LENGTH - 1]
                wire = f"{cut}_{_digest(name)}"
            taken.add(wire)
            self._wires[name] = wire
        self._originals = {self._wires.get(name, name): name for name in distinct}

    def __bool__(self) -> bool:
        """True if any name has to be changed."""
        return bool(self._wires)

    def to_wire(self, name: str) -> str:
        """Return the name to send, also for a tool of an earlier request."""
        return self._wires.get(name) or wire_tool_name(name)

    def from_wire(self, name: str) -> str:
        """Return the name that the program knows; a name that was not sent stays as it is.

        Tokens of the model's chat template around a name that was sent do not count.
        """
        known = self._originals.get(name)
        return known or self._originals.get(_TEMPLATE_TOKENS.sub("", name.strip()), name)


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()[:_DIGEST_LENGTH]
