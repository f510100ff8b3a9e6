"""A tool as data: what a model is told of it, what it takes, what it may do, and how it is done."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from runcrate_core.agent_tools.annotations import annotations_of
from runcrate_core.agent_tools.untrusted_text import Sanitizer
from runcrate_core.spending.limits import refused

if TYPE_CHECKING:
    from pathlib import Path

    from runcrate_core.agent_tools.annotations import ToolAnnotations
    from runcrate_core.agent_tools.arguments import Arguments
    from runcrate_core.protocol.request import Request
    from runcrate_core.protocol.steps import Flow
    from runcrate_core.spending.guard import SpendGuard
    from runcrate_core.spending.ledger import SpendLedger

# Told what a tool waits for: `{"tool", "id", "status"}`. May return an awaitable.
ProgressCallback = Callable[[dict[str, Any]], Any]


@dataclass(frozen=True)
class ToolContext:
    """What a tool works with, beside its arguments.

    Attributes:
        ledger: What was started, and what it costs.
        guard: What may be started; `None` where nothing may.
        files_dir: Where files may be saved; `None` where none may.
        show_addresses: Whether IP addresses are shown.
        poll_interval: Seconds between two looks while something is waited for.
        tell: Who is told of progress.
        clean: Cleans text of others.
    """

    ledger: SpendLedger
    guard: SpendGuard | None = None
    files_dir: Path | None = None
    show_addresses: bool = False
    poll_interval: float = 5.0
    tell: ProgressCallback | None = None
    clean: Sanitizer = field(default_factory=Sanitizer)

    @property
    def spending(self) -> SpendGuard:
        """The guard, for tools that start or end something.

        Raises:
            SpendRefusedError: There is none.
        """
        if self.guard is None:
            raise refused("no spending limits were given", "Only reading is possible")
        return self.guard

    def telling(self, tool: str) -> Callable[[Any], Any] | None:
        """Return what is to be called with each new state of something that is waited for."""
        tell = self.tell
        if tell is None:
            return None
        return lambda state: tell({"tool": tool, "id": state.id, "status": state.status})


Run = Callable[[ToolContext, Any], "Flow[dict[str, Any]]"]


@dataclass(frozen=True)
class AgentTool:
    """A tool for agents.

    Attributes:
        name: Stable: approvals and policies are configured by it.
        description: Written for the model.
        arguments: What it takes.
        request: The request that does most of what it does; its effect is derived from it.
        run: Does it; the result is JSON with its most important fields first.
        needs_limits: Whether it exists only where spending limits were given.
        saves_files: Whether it exists only where files may be saved.
        waits: Whether it waits for something, and tells of progress.
    """

    name: str
    description: str
    arguments: type[Arguments]
    request: Request
    run: Run
    needs_limits: bool = False
    saves_files: bool = False
    waits: bool = False

    @property
    def effect(self) -> ToolAnnotations:
        """What it may do."""
        return annotations_of(self.request, saves_files=self.saves_files)


@dataclass(frozen=True)
class ToolResult:
    """What a tool gave.

    Attributes:
        data: JSON values, in the order in which they are shown.
    """

    data: dict[str, Any]

    @property
    def text(self) -> str:
        """The answer as the model reads it."""
        return json.dumps(self.data, ensure_ascii=False)


def given(**fields: Any) -> dict[str, Any]:
    """Return the fields that are known, in order."""
    return {name: value for name, value in fields.items() if value is not None}
