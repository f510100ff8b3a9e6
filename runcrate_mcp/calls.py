"""Tool calls: validate, ask for approval, run, report progress, explain failures."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import TYPE_CHECKING, Any, Final

import anyio
from anyio.lowlevel import checkpoint_if_cancelled
from mcp.shared.exceptions import MCPError
from mcp.types import INVALID_PARAMS, CallToolResult, InputRequiredResult

from runcrate_core import ConfigurationError, RuncrateError
from runcrate_mcp.approval import can_ask
from runcrate_mcp.content import error_result, for_version

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mcp.server import ServerRequestContext
    from mcp.types import CallToolRequestParams

    from runcrate_core import AsyncRuncrate
    from runcrate_core.toolkit import AgentToolbox
    from runcrate_mcp.approval import Approvals
    from runcrate_mcp.served_tool import ServedTool

    Context = ServerRequestContext[Any, Any]

# Clients give up a call from which they hear nothing, many after 60 seconds.
HEARTBEAT_S: Final = 5.0

logger = logging.getLogger("runcrate_mcp")


class ToolCalls:
    """Runs the tools of a server.

    Args:
        tools: The tools by name.
        toolbox: The toolbox, for what was started.
        client: The client that sends the requests.
        approvals: Asks a person before a call; `None` where nobody is asked.
    """

    def __init__(
        self,
        tools: Mapping[str, ServedTool],
        toolbox: AgentToolbox,
        client: AsyncRuncrate,
        approvals: Approvals | None,
    ) -> None:
        self._tools = tools
        self._toolbox = toolbox
        self._client = client
        self._approvals = approvals

    async def call(
        self, context: Context, params: CallToolRequestParams
    ) -> CallToolResult | InputRequiredResult:
        """Run a tool.

        Returns:
            Its result, an error that the model reads, or the question for a person.

        Raises:
            MCPError: There is no such tool.
        """
        tool = self._tools.get(params.name)
        if tool is None:
            raise MCPError(INVALID_PARAMS, f"Unknown tool: {params.name[:100]}")
        arguments = params.arguments or {}
        try:
            tool.arguments.model_validate(arguments)
            if self._approvals is not None and self._needs_approval(context, tool, arguments):
                question = await self._approvals.require(
                    context, params, lambda: tool.prompt(arguments)
                )
                if question is not None:
                    return question
            result = tool.result(await self._run(context, tool, arguments))
            return for_version(result, context.protocol_version)
        except Exception as error:  # noqa: BLE001 - every failure is explained to the model
            return error_result(_explained(tool, error))

    def _needs_approval(
        self, context: Context, tool: ServedTool, arguments: Mapping[str, Any]
    ) -> bool:
        if not tool.annotations.needs_approval or self._is_unknown_plan(arguments):
            return False
        if tool.annotations.costs_money or can_ask(context):
            return True
        # Terminating what was started here only saves money: clients that cannot ask may do it.
        identifier = str(arguments.get("instance_id", arguments.get("job_id")))
        return self._toolbox.ledger.find(identifier) is None

    def _is_unknown_plan(self, arguments: Mapping[str, Any]) -> bool:
        """Return whether a launch is certain to be refused, so that nobody has to decide on it."""
        token, guard = arguments.get("plan_token"), self._toolbox.guard
        return token is not None and guard is not None and guard.plan_of(str(token)) is None

    async def _run(self, context: Context, tool: ServedTool, arguments: Mapping[str, Any]) -> Any:
        progress = _Progress(context)
        heartbeat = asyncio.create_task(progress.keep_alive())
        try:
            flow = tool.run(arguments, progress.report)
            if not tool.starts_resources:
                return await self._client.run(flow)
            # A launch is not cut in the middle: it would be unknown what it started.
            with anyio.CancelScope(shield=True):
                result = await self._client.run(flow)
            await self._undo_if_cancelled(result)
            return result
        finally:
            heartbeat.cancel()

    async def _undo_if_cancelled(self, result: Any) -> None:
        """Terminate what a call has started if its result is no longer awaited."""
        try:
            await checkpoint_if_cancelled()
        except asyncio.CancelledError:
            with anyio.CancelScope(shield=True):
                await self._undo(result.data)
            raise

    async def _undo(self, started: Mapping[str, Any]) -> None:
        guard = self._toolbox.guard
        entry = self._toolbox.ledger.find(str(started.get("id")))
        if (
            guard is None or entry is None or entry.id is None
        ):  # pragma: no cover - a launch has both
            return
        undo = (
            guard.cancel_job(entry.id)
            if entry.kind == "job"
            else guard.terminate(entry.id, expected_name=entry.name)
        )
        try:
            await self._client.run(undo)
        except RuncrateError as error:
            logger.warning("A cancelled call started %s. %s", entry.name, error.message)
        else:
            logger.warning("A cancelled call started %s: it is terminated.", entry.name)


class _Progress:
    """Progress notifications of one call, in seconds since its start."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._started = time.monotonic()
        self._message: str | None = None

    async def report(self, state: dict[str, Any]) -> None:
        """Report a new state."""
        self._message = f"{state['id']}: {state['status']}"
        await self._send()

    async def keep_alive(self) -> None:
        """Report the last state periodically, until cancelled."""
        while True:
            await asyncio.sleep(HEARTBEAT_S)
            await self._send()

    async def _send(self) -> None:
        elapsed = round(time.monotonic() - self._started, 3)
        with contextlib.suppress(anyio.ClosedResourceError, anyio.BrokenResourceError):
            await self._context.session.report_progress(elapsed, message=self._message)


def _explained(tool: ServedTool, error: Exception) -> str:
    text = tool.explain(error)
    if text is not None:
        return text
    if isinstance(error, ConfigurationError):
        return f"The server is not set up correctly: {error.message} Stop, and tell the user."
    logger.error("%s failed.", tool.name, exc_info=error)
    return (
        f"{tool.name} failed unexpectedly ({type(error).__name__}); details are in the server's "
        "log. Check the state with a list before calling it again."
    )
