"""Prompts: the common tasks, as messages that a person starts from a menu."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mcp.shared.exceptions import MCPError
from mcp.types import (
    INVALID_PARAMS,
    GetPromptResult,
    ListPromptsResult,
    Prompt,
    PromptArgument,
    PromptMessage,
    TextContent,
)

if TYPE_CHECKING:
    from collections.abc import Collection

    from mcp.types import GetPromptRequestParams

_PLAN: Final = (
    "Choose a GPU on Runcrate for this task: {task}. It may cost at most {budget_usd} USD.\n"
    "1. List the instance types and compare their GPU memory and price with what the task needs.\n"
    "2. Estimate the runtime in minutes, and the worst-case cost as price per hour times runtime.\n"
    "3. Recommend the cheapest that fits, or say why none does.\n"
    "{next}"
)
_LAUNCH: Final = (
    "4. Prefer runcrate_run_job for work that ends on its own, and runcrate_plan_instance for an "
    "instance. Show me the plan and its worst-case cost, and wait for my decision before you "
    "launch anything."
)
_NO_LAUNCH: Final = "This server only reads: say which command-line flags would allow a launch."
_CLEAN_UP: Final = (
    "Find out what still costs money on Runcrate: list instances, jobs and storage volumes, and "
    "show the spending of this server.\n"
    "Make a table with name, status, price per hour and when the server ends it automatically.\n"
    "{next}"
)
_TERMINATE: Final = (
    "Then propose what to terminate or cancel. Do it only for what I name, and check the name with "
    "runcrate_get_instance first."
)
_NO_TERMINATE: Final = (
    "This server only reads: say what I should terminate myself, with `runcrate instances "
    "terminate`."
)
PROMPTS: Final = (
    Prompt(
        name="plan_gpu",
        title="Plan a GPU for a budget",
        description="Choose the cheapest GPU that fits a task and a budget.",
        arguments=[
            PromptArgument(name="task", description="The task of the GPU.", required=True),
            PromptArgument(name="budget_usd", description="Maximum cost in USD.", required=True),
        ],
    ),
    Prompt(
        name="clean_up",
        title="Clean up",
        description="Find out what still costs money, and terminate what is not needed.",
        arguments=[],
    ),
)


class Prompts:
    """The prompts of a server.

    Args:
        tools: Names of its tools.
    """

    def __init__(self, tools: Collection[str]) -> None:
        self._can_launch = "runcrate_launch_instance" in tools or "runcrate_run_job" in tools
        self._can_terminate = "runcrate_terminate_instance" in tools

    async def list(self, *_: Any) -> ListPromptsResult:
        """List the prompts."""
        return ListPromptsResult(prompts=list(PROMPTS))

    async def get(self, _: Any, params: GetPromptRequestParams) -> GetPromptResult:
        """Return the message of a prompt.

        Raises:
            MCPError: There is no such prompt, or an argument is missing.
        """
        prompt = next((prompt for prompt in PROMPTS if prompt.name == params.name), None)
        if prompt is None:
            raise MCPError(INVALID_PARAMS, f"Unknown prompt: {params.name[:100]}")
        given = params.arguments or {}
        missing = [
            argument.name
            for argument in prompt.arguments or ()
            if argument.required and not given.get(argument.name, "").strip()
        ]
        if missing:
            raise MCPError(INVALID_PARAMS, f"Missing arguments: {', '.join(missing)}")
        if prompt.name == "plan_gpu":
            next_step = _LAUNCH if self._can_launch else _NO_LAUNCH
            text = _PLAN.format(task=given["task"], budget_usd=given["budget_usd"], next=next_step)
        else:
            text = _CLEAN_UP.format(next=_TERMINATE if self._can_terminate else _NO_TERMINATE)
        message = PromptMessage(role="user", content=TextContent(type="text", text=text))
        return GetPromptResult(description=prompt.description, messages=[message])
