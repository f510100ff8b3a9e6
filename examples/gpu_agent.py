"""Agents and GPUs: rent the cheapest machine that fits, within limits; nothing is left running."""

from __future__ import annotations

from langchain.agents import create_agent

from examples.service import runcrate_service
from langchain_runcrate import ChatRuncrate, RuncrateToolkit
from runcrate_core import Runcrate, SpendLimits

LIMITS = SpendLimits(max_price_per_hour=2, max_runtime_minutes=30, max_total_usd=1.5)
TASK = (
    "Plan an instance with an A100 GPU named demo for 30 minutes, launch it, wait until it is "
    "running, tell me its price per hour, and then terminate it."
)


def main() -> None:
    with runcrate_service(), Runcrate() as client:
        print(f"Balance: {client.billing.get_balance().credits_balance} USD. {TASK}\n")
        toolkit = RuncrateToolkit(client, limits=LIMITS)
        agent = create_agent(ChatRuncrate(model="deepseek-ai/DeepSeek-V3"), toolkit.get_tools())
        with toolkit.session() as session:
            for state in agent.stream({"messages": [("user", TASK)]}, stream_mode="values"):
                show(state["messages"][-1])
        print(f"\nLedger: {toolkit.ledger.describe()}")
        print(session.report.describe())
        live = [item.name for item in client.instances.list() if not item.has_ended]
        print(f"Running now: {', '.join(live) or 'nothing'}")


def show(message: object) -> None:
    for call in getattr(message, "tool_calls", []):
        print(f"Agent: {call['name']}({', '.join(f'{k}={v!r}' for k, v in call['args'].items())})")
    content = str(getattr(message, "content", "")).strip()
    if content and getattr(message, "type", "") in {"ai", "tool"}:
        speaker = "Agent" if message.type == "ai" else "Tool "
        print(f"{speaker}: {content[:400]}")


if __name__ == "__main__":
    main()
