"""One LangChain tool for each infrastructure tool of the core."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from langchain_core.tools import BaseTool
from pydantic import PrivateAttr, ValidationError, create_model

from langchain_runcrate.progress import InjectedRuntime, Progress
from langchain_runcrate.tool_failures import tool_errors
from runcrate_core.toolkit import explain_failure

if TYPE_CHECKING:
    from runcrate_core.toolkit import AgentTool, AgentToolbox, SyncAsyncClients, ToolResult


class RuncrateInfrastructureTool(BaseTool):
    """A call of the infrastructure API as a tool; made by `RuncrateToolkit`.

    The content of its result is JSON for the model, its artifact the same as a dictionary. What a
    model can do something about reaches it as an error text without secrets; what only the
    program can set right (no key, a wrong URL) is raised.
    """

    _toolbox: AgentToolbox = PrivateAttr()
    _clients: SyncAsyncClients = PrivateAttr()

    @classmethod
    def of(cls, tool: AgentTool, toolbox: AgentToolbox, clients: SyncAsyncClients) -> Self:
        """Make the tool.

        Args:
            tool: What it does.
            toolbox: Who does it, within which limits.
            clients: The clients it is done with.
        """
        annotations = tool.annotations
        result = cls(
            name=tool.name,
            description=tool.description,
            args_schema=_with_runtime(tool.arguments) if tool.waits else tool.arguments,
            response_format="content_and_artifact",
            handle_tool_error=True,
            handle_validation_error=_explain_arguments,
            metadata={"runcrate": annotations.hints()},
            tags=["runcrate", *annotations.tags()],
        )
        result._toolbox = toolbox
        result._clients = clients
        return result

    def _run(self, runtime: Any = None, **arguments: Any) -> tuple[str, dict[str, Any]]:
        with tool_errors(explain_failure):
            flow = self._toolbox.run_tool(self.name, arguments, Progress(self.name, runtime).report)
            return _shown(self._clients.sync.run(flow))

    async def _arun(self, runtime: Any = None, **arguments: Any) -> tuple[str, dict[str, Any]]:
        with tool_errors(explain_failure):
            flow = self._toolbox.run_tool(
                self.name, arguments, Progress(self.name, runtime).areport
            )
            return _shown(await self._clients.async_.run(flow))


def _with_runtime(arguments: type[Any]) -> type[Any]:
    """Return a tool's arguments with LangGraph's runtime, which receives its progress."""
    return create_model(
        arguments.__name__,
        __base__=arguments,
        __doc__=arguments.__doc__,
        runtime=(InjectedRuntime, None),
    )


def _shown(result: ToolResult) -> tuple[str, dict[str, Any]]:
    return result.text, result.data


def _explain_arguments(error: Any) -> str:
    """Return which arguments are wrong, without their values."""
    text = explain_failure(error) if isinstance(error, ValidationError) else None
    return text or "The arguments are wrong. Nothing was done."
