"""A set of tools with its limits: what the adapters of both frameworks are made of."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Self

from runcrate_core.agent_tools.approval_prompts import describe_call
from runcrate_core.agent_tools.cancellation import cancel_on_session_exit
from runcrate_core.agent_tools.catalogue import TOOLS
from runcrate_core.agent_tools.tool import ToolContext, ToolResult
from runcrate_core.agent_tools.untrusted_text import Sanitizer
from runcrate_core.errors import ConfigurationError
from runcrate_core.protocol.steps import GetRunner
from runcrate_core.spending.guard import SpendGuard
from runcrate_core.spending.ledger import SpendLedger
from runcrate_core.spending.session import SpendSession

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping

    from runcrate_core.agent_tools.arguments import Arguments
    from runcrate_core.agent_tools.tool import AgentTool, ProgressCallback
    from runcrate_core.client_pair import ClientPair
    from runcrate_core.protocol.steps import Flow
    from runcrate_core.spending.limits import SpendLimits
    from runcrate_core.spending.plans import ApproveCallback


class AgentToolbox:
    """The infrastructure calls as tools. Without `limits` they only read.

    Args:
        limits: What may be spent; with them there are tools that start and end machines.
        ledger: The ledger to keep; a new one when not given.
        approve: Asked before anything that costs money; anything but `True` refuses it.
        include: Names of the tools wanted; all that there are otherwise.
        files_dir: A folder in which outputs of jobs may be saved; none otherwise.
        allow_terminating_others: Whether instances may be ended whose names lack the prefix.
        show_addresses: Whether IP addresses of instances are shown.
        poll_interval: Seconds between two looks while something is waited for.

    Attributes:
        tools: The tools, in order.
        ledger: What was started, and what it costs.
        guard: What keeps the limits; `None` without limits.

    Raises:
        ConfigurationError: A name of `include` is no tool, or one that these settings lack.
    """

    def __init__(
        self,
        *,
        limits: SpendLimits | None = None,
        ledger: SpendLedger | None = None,
        approve: ApproveCallback | None = None,
        include: Iterable[str] | None = None,
        files_dir: str | os.PathLike[str] | None = None,
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
                may_end_others=allow_terminating_others,
            )
        )
        self._around = ToolContext(
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
        """Return the arguments of a call, checked; nothing is sent.

        Raises:
            ValidationError: They are wrong.
        """
        return self._by_name[name].arguments.model_validate(dict(arguments))

    def run_tool(
        self, name: str, arguments: Mapping[str, Any], tell: ProgressCallback | None = None
    ) -> Flow[ToolResult]:
        """Do what a tool does.

        Args:
            name: One of `tools`.
            arguments: What the model gave.
            tell: Called with `{"tool", "id", "status"}` while something is waited for.

        Raises:
            ValidationError: The arguments are wrong; nothing was sent.
            RuncrateError: See the tool; `explain_failure` says what the model may be told.
        """
        tool = self._by_name[name]
        args = self.checked(name, arguments)
        runner = yield from GetRunner()
        context = replace(self._around, tell=tell, clean=Sanitizer(runner.context.secrets))
        flow = tool.run(context, args)
        if not tool.effect.needs_approval:  # what starts or ends something must not be broken off
            flow = cancel_on_session_exit(flow, self.ledger)
        return ToolResult((yield from flow))

    def describe_call(self, name: str, arguments: Mapping[str, Any]) -> str:
        """Return what a call would do and cost at worst, for a person who is asked to approve it.

        Nothing is sent, and whatever the arguments are, there is a description.
        """
        return describe_call(self.guard, name, arguments)

    def session(self, clients: ClientPair, *, timeout: float | None = None) -> SpendSession:
        """Return a session at whose end everything that was started in it is ended.

        Args:
            clients: Who ends it.
            timeout: Most seconds that leaving takes.
        """
        options = {} if timeout is None else {"timeout": timeout}
        return SpendSession(self.guard, clients, **options)

    def _chosen(self, include: set[str] | None) -> Iterable[AgentTool]:
        there = {tool.name: tool for tool in TOOLS if self._has(tool)}
        for name in sorted((include or set()) - there.keys()):
            known = name in {tool.name for tool in TOOLS}
            why = "needs `limits` or `files_dir`" if known else "is no tool"
            raise ConfigurationError(f"`{name}` {why}. There are: {', '.join(there)}.")
        return [tool for name, tool in there.items() if include is None or name in include]

    def _has(self, tool: AgentTool) -> bool:
        if tool.needs_limits and self.guard is None:
            return False
        return not (tool.saves_files and self._around.files_dir is None)
