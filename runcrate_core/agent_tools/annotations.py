"""What a tool may do to the world, derived from the request that it makes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runcrate_core.protocol.request import RetrySafety

if TYPE_CHECKING:
    from runcrate_core.protocol.request import Request


@dataclass(frozen=True)
class ToolAnnotations:
    """What a tool may do. The words are those of the Model Context Protocol, plus the money.

    Attributes:
        read_only: It changes nothing.
        destructive: It ends or removes something for good.
        idempotent: Doing it twice does no more than doing it once.
        costs_money: It starts, or prolongs, something that costs money.
    """

    read_only: bool
    destructive: bool
    idempotent: bool
    costs_money: bool

    @property
    def needs_approval(self) -> bool:
        """Whether a person should be asked before."""
        return self.destructive or self.costs_money

    def hints(self) -> dict[str, bool]:
        """Return it under the names that frameworks and protocols use."""
        return {
            "readOnlyHint": self.read_only,
            "destructiveHint": self.destructive,
            "idempotentHint": self.idempotent,
            "costsMoney": self.costs_money,
        }

    def tags(self) -> list[str]:
        """Return it as short labels."""
        labels = {
            "read-only": self.read_only,
            "destructive": self.destructive,
            "costs-money": self.costs_money,
        }
        return [label for label, applies in labels.items() if applies]


def annotations_of(request: Request, *, saves_files: bool = False) -> ToolAnnotations:
    """Derive the effect of a tool, so that no label can contradict what is sent.

    Args:
        request: The request of the tool that does most.
        saves_files: Whether it also writes files on this machine.
    """
    reads = request.method == "GET"
    ends = request.method == "DELETE" or request.route.endswith("/cancel")
    return ToolAnnotations(
        read_only=reads and not saves_files,
        destructive=ends,
        # Of an idempotency key nothing is left when a tool is called again.
        idempotent=request.retry is RetrySafety.SAFE,
        # What neither reads nor ends something starts or changes a machine, which is paid.
        costs_money=not reads and not ends,
    )
