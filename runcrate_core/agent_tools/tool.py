"""Agent tools as data: name, description, arguments, annotations and the function that runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from runcrate_core.agent_tools.annotations import ToolAnnotations
from runcrate_core.agent_tools.arguments import Arguments
from runcrate_core.agent_tools.results import Result
from runcrate_core.agent_tools.untrusted_text import Sanitizer
from runcrate_core.protocol.steps import Flow
from runcrate_core.spending.guard import SpendGuard
from runcrate_core.spending.limits import refused
from runcrate_core.ssh.shell_pool import ShellPool

if TYPE_CHECKING:
    from pathlib import Path

    from runcrate_core.spending.ledger import SpendLedger

# Called with `{"tool", "id", "status"}` while a tool waits. May return an awaitable.
ProgressCallback = Callable[[dict[str, Any]], Any]
_NAME_PREFIX: Final = "runcrate_"


@dataclass(frozen=True)
class ToolContext:
    """The context of a tool: everything that it works with besides its arguments.

    Attributes:
        ledger: The resources that were started, and their cost.
        guard: Plans and starts resources; `None` where nothing may be started.
        files_dir: Directory in which files may be saved; `None` where none may.
        show_addresses: IP addresses are shown.
        poll_interval: Seconds between two polls while a tool waits.
        on_progress: Called with the progress of a tool that waits.
        sanitizer: Sanitizes untrusted text.
        shells: Connections to the instances of the ledger.
    """

    ledger: SpendLedger
    guard: SpendGuard | None = None
    files_dir: Path | None = None
    show_addresses: bool = False
    poll_interval: float = 5.0
    on_progress: ProgressCallback | None = None
    sanitizer: Sanitizer = field(default_factory=Sanitizer)
    shells: ShellPool = field(default_factory=ShellPool)

    @property
    def spending(self) -> SpendGuard:
        """The guard, for tools that start or terminate something.

        Raises:
            SpendRefusedError: There is none.
        """
        if self.guard is None:
            raise refused("no spending limits were given", "Only reading is possible")
        return self.guard

    def progress_callback(self, tool: str) -> Callable[[Any], Any] | None:
        """Return the callback for each new state of a resource that `tool` waits for."""
        report = self.on_progress
        if report is None:
            return None
        return lambda state: report({"tool": tool, "id": state.id, "status": state.status})


Run = Callable[[ToolContext, Any], "Flow[dict[str, Any]]"]
# Returns the question for the person who approves a call, without its budget.
ApprovalPrompt = Callable[["SpendGuard", Any], str]


@dataclass(frozen=True)
class AgentTool:
    """A tool for agents.

    Attributes:
        name: Stable: approvals and policies are configured by it.
        description: Written for the model.
        arguments: Model of its arguments.
        annotations: Its effect.
        run: Runs it; the result is JSON with its most important fields first.
        result: Type of its result; a test compares it with the results.
        approval_prompt: Describes a call to the person who approves it.
        needs_limits: It exists only where spending limits were given.
        saves_files: It exists only where files may be saved.
        waits: It waits for something, and reports progress.
        runs_commands: It exists only where commands on instances are allowed.
    """

    name: str
    description: str
    arguments: type[Arguments]
    annotations: ToolAnnotations
    run: Run
    result: type[Result] = Result
    approval_prompt: ApprovalPrompt | None = None
    needs_limits: bool = False
    saves_files: bool = False
    waits: bool = False
    runs_commands: bool = False


def agent_tool(
    arguments: type[Arguments], annotations: ToolAnnotations, description: str, **options: Any
) -> Callable[[Run], AgentTool]:
    """Make a tool of a function; `runcrate_` and the function's name are the tool's name.

    Args:
        arguments: Model of its arguments.
        annotations: Its effect; a test compares it with the requests that are sent.
        description: Written for the model.
        options: Further fields of `AgentTool`.
    """

    def decorate(run: Run) -> AgentTool:
        name = f"{_NAME_PREFIX}{run.__name__}"
        return AgentTool(name, description, arguments, annotations, run, **options)

    return decorate


@dataclass(frozen=True)
class ToolResult:
    """The result of a tool.

    Attributes:
        data: JSON values, in the order in which they are shown.
    """

    data: dict[str, Any]

    @property
    def text(self) -> str:
        """The result as the model reads it."""
        return json.dumps(self.data, ensure_ascii=False)
