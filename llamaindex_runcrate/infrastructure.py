"""`RuncrateInfrastructureToolSpec`: GPU instances and jobs as tools for LlamaIndex agents."""

# Annotations are not postponed here: LlamaIndex compares them as objects to find `ctx: Context`.

import inspect
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Unpack

from llama_index.core.tools import FunctionTool, ToolMetadata
from llama_index.core.tools.tool_spec.base import SPEC_FUNCTION_TYPE, BaseToolSpec
from llama_index.core.workflow import Context

from llamaindex_runcrate.approval import approved
from llamaindex_runcrate.served_model import RuncrateServedModel
from llamaindex_runcrate.tool_progress import NO_CONTEXT, progress_callback
from runcrate_core import (
    ApproveCallback,
    AsyncRuncrate,
    ConfigurationError,
    Runcrate,
    RuncrateError,
    SpendLedger,
    SpendLimits,
    SpendRefusedError,
)
from runcrate_core.toolkit import (
    AgentTool,
    AgentToolbox,
    ServeOptions,
    SyncAsyncClients,
    ToolkitMixin,
    explain_failure,
)

DEFAULT_APPROVAL_TIMEOUT_S = 480.0
"""Maximum wait for a person: less than the ten minutes after which a plan expires."""


class RuncrateInfrastructureToolSpec(ToolkitMixin, BaseToolSpec):
    """GPU instances, jobs and the rest of the workspace as tools for agents.

    Without `limits` the tools only read. With them an agent can plan and launch instances, run
    jobs and end both: price, GPUs, regions, lifetime and total spend are checked and reserved
    before anything is sent, every instance carries a lifetime that the server enforces, and only
    instances that were started here can be terminated. Top-ups, keys, secrets and storage are never
    tools.

    Calls that cost money or end something need approval: an `ApprovalRequiredEvent` (an
    `InputRequiredEvent`) is emitted to the workflow's event stream, and only an explicit yes
    lets the tool continue. Where nobody can be asked (outside of a workflow), it refuses.

    Args:
        client: The client to use, of either kind; made from the environment when not given.
        limits: What may be spent; without them nothing can be started or ended.
        include: Names of the tools wanted; all that there are otherwise.
        async_client: The client of asynchronous calls; made like `client` when not given.
        ledger: The ledger to keep: `SpendLedger("budget.db")` outlives the process and is shared
            with others; a new one in memory when not given.
        approve: A function that is asked before each launch, job and longer lifetime, instead of a
            person in the workflow; anything but `True` refuses it.
        ask_human: Whether a person is asked where there is no `approve`. Without either, the
            limits alone decide.
        approval_timeout: Seconds after which no response means no.
        files_dir: A directory in which outputs of jobs may be saved; without it none are.
        allow_terminating_prefix: Whatever has the name prefix of the limits may be terminated;
            without it only what the ledger holds.
        allow_terminating_others: Every instance and job may be terminated.
        show_addresses: Show IP addresses of instances.
        poll_interval: Seconds between two checks while something is waited for.
        allow_commands: Whether commands may be run, and files read and written, on instances that
            were launched here. Needs `limits` and the extra `ssh`.

    Raises:
        ConfigurationError: There is no key, or a name of `include` is no tool here.

    Example:
        ```python
        spec = RuncrateInfrastructureToolSpec(limits=SpendLimits(max_total_usd=5))
        agent = FunctionAgent(tools=spec.to_tool_list(), llm=RuncrateLLM(model="..."))
        async with spec.session():  # what the agent leaves running is ended here
            handler = agent.run("Launch an A100 for 10 minutes.")
            async for event in handler.stream_events():
                if isinstance(event, ApprovalRequiredEvent):
                    handler.ctx.send_event(event.answer(input(f"{event.prefix} [yes/no] ")))
            print(await handler)
        ```
    """

    def __init__(
        self,
        client: Runcrate | AsyncRuncrate | None = None,
        *,
        limits: SpendLimits | None = None,
        include: Iterable[str] | None = None,
        async_client: AsyncRuncrate | None = None,
        ledger: SpendLedger | None = None,
        approve: ApproveCallback | None = None,
        ask_human: bool = True,
        approval_timeout: float = DEFAULT_APPROVAL_TIMEOUT_S,
        files_dir: str | os.PathLike[str] | None = None,
        allow_terminating_prefix: bool = False,
        allow_terminating_others: bool = False,
        show_addresses: bool = False,
        poll_interval: float = 5.0,
        allow_commands: bool = False,
    ) -> None:
        self._toolbox = AgentToolbox(
            limits=limits,
            ledger=ledger,
            approve=approve,
            include=include,
            files_dir=files_dir,
            allow_terminating_prefix=allow_terminating_prefix,
            allow_terminating_others=allow_terminating_others,
            show_addresses=show_addresses,
            poll_interval=poll_interval,
            allow_commands=allow_commands,
        )
        self._clients = SyncAsyncClients(client, async_client)
        self._asks = ask_human and approve is None
        self._approval_timeout = approval_timeout
        self.spec_functions: list[SPEC_FUNCTION_TYPE] = [tool.name for tool in self._toolbox.tools]

    def to_tool_list(
        self,
        spec_functions: list[SPEC_FUNCTION_TYPE] | None = None,
        func_to_metadata_mapping: dict[str, ToolMetadata] | None = None,
    ) -> list[FunctionTool]:
        """Return the tools. They share the clients, the limits and the ledger of this object.

        Args:
            spec_functions: Names of the tools wanted; all otherwise.
            func_to_metadata_mapping: Other descriptions, by name.

        Raises:
            ConfigurationError: A name in `spec_functions` is not one of these tools.
        """
        names = self.spec_functions if spec_functions is None else spec_functions
        wanted = {name if isinstance(name, str) else name[0] for name in names}
        if unknown := wanted.difference(tool.name for tool in self._toolbox.tools):
            raise ConfigurationError(
                f"`{min(unknown)}` is not one of these tools. Nothing was sent."
            )
        metadata = func_to_metadata_mapping or {}
        return [
            self._function_tool(tool, metadata.get(tool.name) or _metadata(tool))
            for tool in self._toolbox.tools
            if tool.name in wanted
        ]

    def serve(self, command: str, **options: Unpack[ServeOptions]) -> RuncrateServedModel:
        """Return a context manager that serves a model on an instance of its own.

        On the way in it launches an instance within the limits, sets it up, starts the server
        and waits for its `GET /v1/models`; on the way out it terminates the instance. The server
        is reached through a tunnel, from this computer alone.

        Args:
            command: The command that serves, such as `vllm serve Qwen/Qwen3-8B`.
            options: See `ServeOptions`: `image_or_setup`, `port`, `limits`, `gpu_type`,
                `max_runtime_minutes`, `start_timeout`, ...

        Raises:
            SpendRefusedError: On entering: the limits forbid it; nothing was launched.
            InstanceSetupError: On entering: the server did not start. The instance was
                terminated; the end of its log is in the error.

        Example:
            ```python
            with spec.serve(
                image_or_setup=["pip install vllm"],
                command="vllm serve Qwen/Qwen3-8B",
                port=8000,
                limits=SpendLimits(max_price_per_hour=2, max_runtime_minutes=60),
            ) as served:
                print(served.llm().complete("Hello!"))
            ```
        """
        return self._serve(RuncrateServedModel, command, options)

    def _function_tool(self, tool: AgentTool, metadata: ToolMetadata) -> FunctionTool:
        asks = self._asks and tool.annotations.needs_approval

        async def run_tool(ctx: Context | None, **arguments: Any) -> str:
            with _failures_as_results():
                checked = self._toolbox.checked(tool.name, arguments)
            if asks:  # outside of the block above: the workflow waits by an exception of its own
                given = checked.model_dump(mode="json", exclude_none=True)
                await approved(
                    ctx,
                    tool.name,
                    given,
                    question=self._toolbox.describe_call(tool.name, given),
                    within_s=self._approval_timeout,
                )
            with _failures_as_results():
                flow = self._toolbox.run_tool(tool.name, arguments, progress_callback(ctx))
                return (await self._clients.async_.run(flow)).text

        def run_tool_sync(ctx: Context | None, **arguments: Any) -> str:
            with _failures_as_results():
                self._toolbox.checked(tool.name, arguments)
            if asks:
                raise SpendRefusedError(_NOBODY.format(tool.name))
            with _failures_as_results():
                flow = self._toolbox.run_tool(tool.name, arguments, progress_callback(ctx))
                return self._clients.sync.run(flow).text

        return FunctionTool(
            fn=_shaped(run_tool_sync, tool),
            async_fn=_shaped(run_tool, tool),
            metadata=metadata,
            partial_params=NO_CONTEXT,
        )


_NOBODY = (
    "`{}` needs the approval of a person, who can only be asked in a workflow. Nothing was done. "
    "Call it from an agent, or give the tool spec `approve` or `ask_human=False`."
)


def _metadata(tool: AgentTool) -> ToolMetadata:
    return ToolMetadata(name=tool.name, description=tool.description, fn_schema=tool.arguments)


def _shaped(function: Callable[..., Any], tool: AgentTool) -> Callable[..., Any]:
    """Return a function that shows the name, the arguments and the description of a tool."""
    context = inspect.Parameter("ctx", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=Context)
    arguments = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if field.is_required() else field.default,
            annotation=field.annotation,
        )
        for name, field in tool.arguments.model_fields.items()
    ]
    function.__name__ = function.__qualname__ = tool.name
    function.__doc__ = tool.description
    function.__signature__ = inspect.Signature([context, *arguments])  # type: ignore[attr-defined] # read by inspect
    return function


@contextmanager
def _failures_as_results() -> Iterator[None]:
    """Raise an error that the model can act on with an explanation for it.

    The original error is its cause.
    """
    try:
        yield
    except Exception as error:
        explanation = explain_failure(error)
        if explanation is None:
            raise
        raise RuncrateError(explanation) from error
