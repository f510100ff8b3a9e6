"""Tool annotations: the hints of the Model Context Protocol, and whether a tool costs money."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class ToolAnnotations:
    """The effect of a tool.

    Attributes:
        read_only: It changes nothing.
        destructive: It terminates or removes something for good.
        idempotent: Calling it twice does no more than calling it once.
        costs_money: It starts, or prolongs, something that costs money.
    """

    read_only: bool
    destructive: bool
    idempotent: bool
    costs_money: bool

    @property
    def needs_approval(self) -> bool:
        """True if a person should approve each call."""
        return self.destructive or self.costs_money

    def hints(self) -> dict[str, bool]:
        """Return the flags under the names that frameworks and protocols use."""
        return {
            "readOnlyHint": self.read_only,
            "destructiveHint": self.destructive,
            "idempotentHint": self.idempotent,
            "costsMoney": self.costs_money,
        }

    def tags(self) -> list[str]:
        """Return the flags that are set as short labels."""
        labels = {
            "read-only": self.read_only,
            "destructive": self.destructive,
            "costs-money": self.costs_money,
        }
        return [label for label, applies in labels.items() if applies]


READ_ONLY: Final = ToolAnnotations(
    read_only=True, destructive=False, idempotent=True, costs_money=False
)
SAVES_FILES: Final = ToolAnnotations(
    read_only=False, destructive=False, idempotent=True, costs_money=False
)
# An idempotency key protects one call; a tool that is called again uses another.
STARTS: Final = ToolAnnotations(
    read_only=False, destructive=False, idempotent=False, costs_money=True
)
PROLONGS: Final = ToolAnnotations(
    read_only=False, destructive=False, idempotent=True, costs_money=True
)
TERMINATES: Final = ToolAnnotations(
    read_only=False, destructive=True, idempotent=True, costs_money=False
)
