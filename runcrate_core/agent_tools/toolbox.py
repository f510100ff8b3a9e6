"""The toolbox: a set of tools with its limits, shared by the adapters of all frameworks."""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Self

from runcrate_core.agent_tools.approval_prompts import describe_call
from runcrate_core.agent_tools.arguments import Arguments
from runcrate_core.agent_tools.cancellation import cancel_on_session_exit
from runcrate_core.agent_tools.catalogue import TOOLS
from runcrate_core.agent_tools.tool import ProgressCallback, ToolContext, ToolResult
from runcrate_core.agent_tools.untrusted_text import Sanitizer
from runcrate_core.errors import ConfigurationError
from runcrate_core.protocol.steps import Flow, GetRunner
from runcrate_core.spending.guard import SpendGuard
from runcrate_core.spending.ledger import SpendLedger
from runcrate_core.spending.limits import SpendLimits
from runcrate_core.spending.plans import ApproveCallback
from runcrate_core.spending.session import SpendSession
from runcrate_core.sync_async_clients import SyncAsyncClients

if TYPE_CHECKING:
    from runcrate_core.agent_tools.tool import AgentTool


class AgentToolbox:
    """The infrastructure calls as tools. Without `limits` they only read.

    Args:
        limits: Spending limits; with them there are tools that start and terminate instances.
        ledger: The ledger to keep; a new one when not given.
        approve: Called before anything that costs money; any result but `True` refuses it.
        include: Names of the tools wanted; all that there are otherwise.
        files_dir: Directory in which artifacts of jobs may be saved; none otherwise.
        allow_terminating_prefix: Instances and jobs whose names have the prefix of the limits may
            be terminated; without it only those that the ledger holds.
        allow_terminating_others: Every instance and job may be terminated.
        show_addresses: IP addresses of instances are shown.
        poll_interval: Seconds between two polls while a tool waits.

    Attributes:
        tools: The tools, in order.
        ledger: The resources that were started, and their cost.
        guard: The guard that keeps the limits; `None` without limits.

    Raises:
        ConfigurationError: A name of `include` is not a tool, or not available with these settings.
    """

    def __init__(
        self,
        *,
        limits: SpendLimits | None = None,
        ledger: SpendLedger | None = None,
        approve: ApproveCallback | None = None,
        include: Iterable[str] | None = None,
        files_dir: str | os.PathLike[str] | None = None,
        allow_terminating_prefix: bool = False,
        allow_terminating_others: bool = False,
        show_addresses: bool = False,
        poll_interval: float = 5.0,
    ) -> None:
        self.ledger = ledger if ledger is not None else SpendLedger()
        self.guard = (
            None
            if limits is None
            else SpendGuard(
                limits,
                ledger=self.ledger,
                approve=approve,
                may_end_prefix=allow_terminating_prefix,
                may_end_others=allow_terminating_others,
            )
        )
        self._context = ToolContext(
            ledger=self.ledger,
            guard=self.guard,
            files_dir=None if files_dir is None else Path(files_dir),
            show_addresses=show_addresses,
            poll_interval=poll_interval,
        )
        self.tools = tuple(self._chosen(None if include is None else set(include)))
        self._by_name = {tool.name: tool for tool in self.tools}

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self  # its ledger is there to be shared

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled.

        Raises:
            PicklingError: Always.
        """
        raise pickle.PicklingError(
            "These tools share one ledger, whose limits a copy in another process would exceed. "
            "Make the toolkit in the process that uses it."
        )

    def checked(self, name: str, arguments: Mapping[str, Any]) -> Arguments:
        """Return the validated arguments of a call; nothing is sent.

        Raises:
            ValidationError: They are wrong.
        """
        return self._by_name[name].arguments.model_validate(dict(arguments))

    def run_tool(
        self, name: str, arguments: Mapping[str, Any], on_progress: ProgressCallback | None = None
    ) -> Flow[ToolResult]:
        """Run a tool.

        Args:
            name: One of `tools`.
            arguments: Arguments as the model wrote them.
            on_progress: Called with `{"tool", "id", "status"}` while the tool waits.

        Raises:
            ValidationError: The arguments are wrong; nothing was sent.
            RuncrateError: See the tool; `explain_failure` returns the text for the model.
        """
        tool = self._by_name[name]
        args = self.checked(name, arguments)
        runner = yield from GetRunner()
        sanitizer = Sanitizer(runner.context.secrets)
        context = replace(self._context, on_progress=on_progress, sanitizer=sanitizer)
        flow = tool.run(context, args)
        # A launch or a termination is never cancelled.
        if self.guard is not None and not tool.annotations.needs_approval:
            flow = cancel_on_session_exit(flow, self.guard)
        return ToolResult((yield from flow))

    def describe_call(self, name: str, arguments: Mapping[str, Any]) -> str:
        """Return what a call does and costs at worst, for the person who approves it.

        Nothing is sent, and every call of a tool has a description, whatever its arguments are.
        """
        return describe_call(self.guard, name, self._by_name.get(name), arguments)

    def session(self, clients: SyncAsyncClients, *, timeout: float | None = None) -> SpendSession:
        """Return a session that terminates everything started in it when it is left.

        Args:
            clients: Clients that send the requests.
            timeout: Maximum seconds that leaving takes.
        """
        options = {} if timeout is None else {"timeout": timeout}
        return SpendSession(self.guard, clients, **options)

    def _chosen(self, include: set[str] | None) -> Iterable[AgentTool]:
        available = {tool.name: tool for tool in TOOLS if self._has(tool)}
        for name in sorted((include or set()) - available.keys()):
            known = name in {tool.name for tool in TOOLS}
            reason = "needs `limits` or `files_dir`" if known else "is not a tool"
            raise ConfigurationError(f"`{name}` {reason}. Available: {', '.join(available)}.")
        return [tool for name, tool in available.items() if include is None or name in include]

    def _has(self, tool: AgentTool) -> bool:
        if tool.needs_limits and self.guard is None:
            return False
        return not (tool.saves_files and self._context.files_dir is None)
