"""`RuncrateToolkit`: GPU instances and jobs as tools for LangChain agents, within limits."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Unpack

from langchain_core.tools import BaseTool, BaseToolkit
from pydantic import PrivateAttr

from langchain_runcrate.infrastructure_tool import RuncrateInfrastructureTool
from langchain_runcrate.served_model import RuncrateServedModel
from runcrate_core import ApproveCallback, AsyncRuncrate, Runcrate, SpendLedger, SpendLimits
from runcrate_core.toolkit import AgentToolbox, ServeOptions, SyncAsyncClients, ToolkitMixin

if TYPE_CHECKING:
    from collections.abc import Callable


class RuncrateToolkit(ToolkitMixin, BaseToolkit):
    """GPU instances, jobs and the rest of the workspace as tools for agents.

    Without `limits` the tools only read. With them an agent can plan and launch instances, run
    jobs and end both: price, GPUs, regions, lifetime and total spend are checked and reserved
    before anything is sent, every instance carries a lifetime that the server enforces, and only
    instances that were started here can be ended. Top-ups, keys, secrets and storage are never
    tools.

    Setup:
        ```bash
        pip install "runcrate-integrations[langchain]" langchain
        export RUNCRATE_API_KEY="rc_live_..."
        ```

    Instantiate:
        ```python
        from langchain_runcrate import RuncrateToolkit
        from runcrate_core import SpendLimits

        toolkit = RuncrateToolkit(limits=SpendLimits(max_price_per_hour=2, max_total_usd=5))
        ```

    Use in an agent, with a person who approves what costs money or ends something:
        ```python
        from langchain.agents import create_agent
        from langchain.agents.middleware import HumanInTheLoopMiddleware
        from langgraph.checkpoint.memory import InMemorySaver

        agent = create_agent(
            "runcrate:deepseek-ai/DeepSeek-V3.2",
            tools=toolkit.get_tools(),
            middleware=[HumanInTheLoopMiddleware(interrupt_on=toolkit.interrupt_on())],
            checkpointer=InMemorySaver(),
        )
        with toolkit.session():  # what the agent leaves running is ended here
            ...
        ```

    Args:
        client: The client to use, of either kind; made from the environment when not given.
        limits: What may be spent; without them nothing can be started or ended.
        include: Names of the tools wanted; all that there are otherwise.
        async_client: The client of asynchronous calls; made like `client` when not given.
        ledger: The ledger to keep: `SpendLedger("budget.db")` outlives the process and is shared
            with others; a new one in memory when not given.
        approve: Asked before each launch, job and longer lifetime, in addition to any middleware;
            anything but `True` refuses it.
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
    """

    _toolbox: AgentToolbox = PrivateAttr()
    _clients: SyncAsyncClients = PrivateAttr()

    def __init__(
        self,
        client: Runcrate | AsyncRuncrate | None = None,
        *,
        limits: SpendLimits | None = None,
        include: Iterable[str] | None = None,
        async_client: AsyncRuncrate | None = None,
        ledger: SpendLedger | None = None,
        approve: ApproveCallback | None = None,
        files_dir: str | os.PathLike[str] | None = None,
        allow_terminating_prefix: bool = False,
        allow_terminating_others: bool = False,
        show_addresses: bool = False,
        poll_interval: float = 5.0,
        allow_commands: bool = False,
    ) -> None:
        super().__init__()
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

    def get_tools(self) -> list[BaseTool]:
        """Return the tools. They share the clients, the limits and the ledger of this toolkit."""
        return [
            RuncrateInfrastructureTool.of(tool, self._toolbox, self._clients)
            for tool in self._toolbox.tools
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
            with toolkit.serve(
                image_or_setup=["pip install vllm"],
                command="vllm serve Qwen/Qwen3-8B",
                port=8000,
                limits=SpendLimits(max_price_per_hour=2, max_runtime_minutes=60),
            ) as served:
                print(served.chat().invoke("Hello!").text)
            ```
        """
        return self._serve(RuncrateServedModel, command, options)

    def interrupt_on(self) -> dict[str, Any]:
        """Return the configuration of LangChain's `HumanInTheLoopMiddleware` for these tools.

        A person is asked before anything that costs money or ends something. The question shows
        GPU, price per hour, lifetime and the cost at worst; the plan of a launch is looked up.

        Returns:
            For each such tool the decisions allowed (approve, edit, reject) and its description.
        """
        return {
            tool.name: {
                "allowed_decisions": ["approve", "edit", "reject"],
                "description": self._describe,
            }
            for tool in self._toolbox.tools
            if tool.annotations.needs_approval
        }

    @property
    def _describe(self) -> Callable[[Any, Any, Any], str]:
        toolbox = self._toolbox

        def describe(tool_call: Any, state: Any, runtime: Any) -> str:  # noqa: ARG001 - the middleware's signature
            return toolbox.describe_call(tool_call["name"], tool_call["args"])

        return describe
