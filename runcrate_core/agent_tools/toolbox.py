"""The toolbox: a set of tools with its limits, shared by the adapters of all frameworks."""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Self, TypeVar

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
from runcrate_core.spending.limits import SpendLimits, refused
from runcrate_core.spending.plans import ApproveCallback
from runcrate_core.spending.session import SpendSession
from runcrate_core.ssh.opening import require_extra
from runcrate_core.ssh.served_model import ServedModel, ServeOptions
from runcrate_core.sync_async_clients import SyncAsyncClients

if TYPE_CHECKING:
    from runcrate_core.agent_tools.tool import AgentTool

Served = TypeVar("Served", bound=ServedModel)


class AgentToolbox:
    """Tools for the infrastructure API. Without `limits` they only read.

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
        allow_commands: Commands may be run, and files read and written, on instances of the
            ledger. Needs `limits` and the extra `ssh`.

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
        allow_commands: bool = False,
    ) -> None:
        if allow_commands:
            require_extra()
            if limits is None:
                raise ConfigurationError(
                    "`allow_commands` needs `limits`: commands are run on instances that were "
                    "launched within them, and on no others."
                )
        self._allow_commands = allow_commands
        self._approve = approve
        self.ledger = ledger if ledger is not None else SpendLedger()
        self.guard = (
            None
            if limits is None
            else SpendGuard(
                limits,
                ledger=self.ledger,
                approve=approve,
                may_terminate_prefix=allow_terminating_prefix,
                may_terminate_others=allow_terminating_others,
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
        is_cancelled = tool.runs_commands or not tool.annotations.needs_approval
        if self.guard is not None and is_cancelled:
            flow = cancel_on_session_exit(flow, self.guard)
        return ToolResult((yield from flow))

    def describe_call(self, name: str, arguments: Mapping[str, Any]) -> str:
        """Return effect and worst-case cost of a call, for the person who approves it.

        Nothing is sent, and every call of a tool has a description, whatever its arguments are.
        """
        return describe_call(self.guard, name, self._by_name.get(name), arguments)

    def session(self, clients: SyncAsyncClients, *, timeout: float | None = None) -> SpendSession:
        """Return a session that terminates on exit everything that was started in it.

        Args:
            clients: Clients that send the requests.
            timeout: Maximum seconds that leaving takes.
        """
        options = {} if timeout is None else {"timeout": timeout}
        return SpendSession(self.guard, clients, **options)

    def serve(
        self, clients: SyncAsyncClients, kind: type[Served], command: str, options: ServeOptions
    ) -> Served:
        """Return a context manager that serves a model on an instance of its own.

        Raises:
            SpendRefusedError: There are no limits, neither here nor in the options.
        """
        from runcrate_core.ssh.launched_instance import LaunchSettings  # noqa: PLC0415 - rarely used
        from runcrate_core.ssh.served_model import (  # noqa: PLC0415 - rarely used
            DEFAULT_PORT,
            DEFAULT_START_TIMEOUT_S,
            ServerSettings,
        )

        rest: dict[str, Any] = dict(options)
        limits: SpendLimits | None = rest.pop("limits", None)
        if limits is None and self.guard is not None:
            limits = self.guard.limits
        if limits is None:
            raise refused("no spending limits were given", "Give `limits=SpendLimits(...)`")
        source = rest.pop("image_or_setup", ())
        if isinstance(source, str):
            rest["template"] = source
        else:
            rest["setup"] = source
        server = ServerSettings(
            command,
            rest.pop("port", DEFAULT_PORT),
            rest.pop("start_timeout", DEFAULT_START_TIMEOUT_S),
        )
        return kind(
            clients,
            limits,
            LaunchSettings.of(**rest),
            server,
            ledger=self.ledger,
            approve=self._approve,
        )

    def close(self) -> None:
        """Close the connections to instances; a later call opens others."""
        self._context.shells.close()

    def _chosen(self, include: set[str] | None) -> Iterable[AgentTool]:
        available = {tool.name: tool for tool in TOOLS if self._has(tool)}
        for name in sorted((include or set()) - available.keys()):
            known = name in {tool.name for tool in TOOLS}
            reason = "needs `limits`, `files_dir` or `allow_commands`" if known else "is not a tool"
            raise ConfigurationError(f"`{name}` {reason}. Available: {', '.join(available)}.")
        return [tool for name, tool in available.items() if include is None or name in include]

    def _has(self, tool: AgentTool) -> bool:
        if tool.needs_limits and self.guard is None:
            return False
        if tool.runs_commands and not self._allow_commands:
            return False
        return not (tool.saves_files and self._context.files_dir is None)
