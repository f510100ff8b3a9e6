"""LlamaIndex: an agent rents a GPU within limits; a person approves in the workflow's events."""

from __future__ import annotations

import asyncio
import sys
import textwrap
from typing import Final

from llama_index.core.agent.workflow import FunctionAgent, ToolCall, ToolCallResult

from examples.service import runcrate_service
from llamaindex_runcrate import (
    ApprovalRequiredEvent,
    RuncrateInfrastructureToolSpec,
    RuncrateLLM,
    ToolProgressEvent,
)
from runcrate_core import AsyncRuncrate, SpendLimits

LIMITS = SpendLimits(max_price_per_hour=2, max_runtime_minutes=60, max_total_usd=1.5)
TASKS = (
    "Plan an instance with an A100 GPU named long for 60 minutes and launch it.",
    (
        "Plan an instance with an A100 GPU named short for 20 minutes, launch it, wait until it is "
        "running, and then terminate it."
    ),
)
# The rule refuses this, if there is no terminal.
TOO_LONG: Final = "for at most 60 minutes"


def main() -> None:
    with runcrate_service():
        asyncio.run(rent())


async def rent() -> None:
    """Give an agent two tasks, and end whatever it leaves running."""
    async with AsyncRuncrate() as client:
        spec = RuncrateInfrastructureToolSpec(client, limits=LIMITS, poll_interval=1)
        llm = RuncrateLLM(model="deepseek-ai/DeepSeek-V3")
        agent = FunctionAgent(tools=list(spec.to_tool_list()), llm=llm)
        async with spec.session() as session:
            for task in TASKS:
                await run_tool(agent, task)
        print(f"Ledger: {spec.ledger.describe()}")
        print(session.report.describe())
        live = [item.name for item in await client.instances.list() if not item.has_ended]
        print(f"Running now: {', '.join(live) or 'nothing'}")
        await llm.aclose()


async def run_tool(agent: FunctionAgent, task: str) -> None:
    """Run one task, showing what happens and answering what the workflow asks."""
    print(f"You:    {task}")
    handler = agent.run(task)
    shown: set[str] = set()
    async for event in handler.stream_events():
        match event:
            case ToolCallResult():
                print(f"Tool:   {textwrap.shorten(event.tool_output.content, 160)}")
            case ToolCall() if event.tool_id not in shown:  # one that was asked for comes again
                shown.add(event.tool_id)
                given = ", ".join(f"{name}={value!r}" for name, value in event.tool_kwargs.items())
                print(f"Agent:  {event.tool_name}({given})")
            case ToolProgressEvent():
                print(f"        ... {event.status}", flush=True)
            case ApprovalRequiredEvent():
                handler.ctx.send_event(event.answer(await asyncio.to_thread(decide, event)))
    print(f"Agent:  {textwrap.shorten(str(await handler), 160)}\n")


def decide(event: ApprovalRequiredEvent) -> str:
    """Ask for approval in the terminal; without a terminal, a rule decides."""
    print(f"Asked:  {event.prefix}")
    if sys.stdin.isatty():
        return input("Answer: yes, or a reason why not: ")
    answer = "no, an hour is too long" if TOO_LONG in event.prefix else "yes"
    print(f"Answer: {answer}  (given by a rule: nobody is at the terminal)")
    return answer


if __name__ == "__main__":
    main()
