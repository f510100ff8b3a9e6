"""Agents and GPUs: rent the cheapest instance that fits, within limits; nothing is left running."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from langchain.agents import create_agent

from examples.service import runcrate_service
from langchain_runcrate import ChatRuncrate, RuncrateToolkit
from runcrate_core import Runcrate, SpendLimits

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage

LIMITS = SpendLimits(max_price_per_hour=2, max_runtime_minutes=30, max_total_usd=1.5)
TASK = (
    "List the instance types with an A100 GPU, cheapest first. Plan an instance with an A100 GPU "
    "named demo for 30 minutes, launch it, wait until it is running, and then terminate it."
)


def main() -> None:
    with runcrate_service(), Runcrate() as client:
        print(f"Balance: {client.billing.get_balance().credits_balance} USD.\nYou:   {TASK}\n")
        toolkit = RuncrateToolkit(client, limits=LIMITS)
        agent = create_agent(ChatRuncrate(model="deepseek-ai/DeepSeek-V3"), toolkit.get_tools())
        with toolkit.session() as session:
            task = {"messages": [("user", TASK)]}
            for mode, state in agent.stream(task, stream_mode=["updates", "custom"]):
                if mode == "custom":
                    progress = state["runcrate_progress"]
                    print(f"       ... {progress['status']}", flush=True)
                else:
                    for update in state.values():
                        show(update["messages"][-1])
        print(f"\nLedger: {toolkit.ledger.describe()}")
        print(session.report.describe())
        live = [item.name for item in client.instances.list() if not item.has_ended]
        print(f"Running now: {', '.join(live) or 'nothing'}")


def show(message: BaseMessage) -> None:
    """Print what the agent or a tool said, cut to a few lines."""
    for call in getattr(message, "tool_calls", []):
        arguments = ", ".join(f"{name}={value!r}" for name, value in call["args"].items())
        print(f"Agent: {call['name']}({arguments})")
    text = str(message.content).strip()
    if text:
        print(f"{'Tool ' if message.type == 'tool' else 'Agent'}: {textwrap.shorten(text, 230)}")


if __name__ == "__main__":
    main()
