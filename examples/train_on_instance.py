"""Commands on a GPU: three agents each run a training script on an instance and read its result."""

from __future__ import annotations

import asyncio
import json
import re
import textwrap
from typing import Any, Final

from deepagents import create_deep_agent
from langchain.agents import create_agent
from llama_index.core.agent.workflow import FunctionAgent

from examples.service import runcrate_service
from langchain_runcrate import ChatRuncrate, RuncrateSandbox, RuncrateToolkit
from llamaindex_runcrate import RuncrateInfrastructureToolSpec, RuncrateLLM
from runcrate_core import AsyncRuncrate, Runcrate, SpendLimits

MODEL: Final = "deepseek-ai/DeepSeek-V3"
LIMITS: Final = SpendLimits(max_price_per_hour=2, max_runtime_minutes=30, max_total_usd=1.5)
TRAIN: Final = textwrap.dedent("""
    import json

    weight = 0.0
    for step in range(50):  # fits y = 3 x
        weight -= 0.1 * sum(2 * x * (weight * x - 3 * x) for x in (1, 2)) / 2
    json.dump({"weight": round(weight, 3)}, open("result.json", "w"))
    print("trained for 50 steps")
""").lstrip()
SANDBOX_TASK: Final = (
    f"Save this script as train.py in your home directory, run it, and report what it wrote to "
    f"result.json:\n\n{TRAIN}"
)
WEIGHT: Final = re.compile(r"weight\W+(\d+\.\d+)")
TOOLS_TASK: Final = (
    "Launch an instance with an A100 GPU for 30 minutes and wait until it runs. "
    f"{SANDBOX_TASK}\nTerminate the instance when you have the result."
)


def main() -> None:
    with runcrate_service(on_chat=simulated, ssh=True), Runcrate() as client:
        with_deep_agents(client)
        with_langchain(client)
        asyncio.run(with_llamaindex())
        live = [item.name for item in client.instances.list() if not item.has_ended]
        print(f"Running now: {', '.join(live) or 'nothing'}")


def with_deep_agents(client: Runcrate) -> None:
    """Deep Agents: the instance is the agent's sandbox and lives as long as the block."""
    launch = RuncrateSandbox.launch(
        client, limits=LIMITS, gpu_type="A100", on_status=print, poll_interval=0.5
    )
    with launch as sandbox:
        home = sandbox.execute("pwd").output.strip()
        agent = create_deep_agent(ChatRuncrate(model=MODEL), backend=sandbox)
        task = f"Your home directory is {home}. {SANDBOX_TASK}"
        state = agent.invoke({"messages": [("user", task)]})
        print(f"Deep agent: {state['messages'][-1].text}")
        [result] = sandbox.download_files([f"{home}/result.json"])
        print(f"Downloaded: {(result.content or b'').decode()}")
    print(f"Ledger: {launch.ledger.describe()}\n")


def with_langchain(client: Runcrate) -> None:
    """LangChain: the agent launches an instance, works on it and terminates it by tools."""
    toolkit = RuncrateToolkit(client, limits=LIMITS, allow_commands=True, poll_interval=0.5)
    agent = create_agent(ChatRuncrate(model=MODEL), toolkit.get_tools())
    with toolkit.session() as session:
        state = agent.invoke({"messages": [("user", TOOLS_TASK)]})
        print(f"LangChain agent: {state['messages'][-1].text}")
    print(f"{session.report.describe()}\n")
    toolkit.close()


async def with_llamaindex() -> None:
    """LlamaIndex: the same with a FunctionAgent. The limits alone decide here, not a person."""
    async with AsyncRuncrate() as client:
        spec = RuncrateInfrastructureToolSpec(
            client, limits=LIMITS, allow_commands=True, ask_human=False, poll_interval=0.5
        )
        llm = RuncrateLLM(model=MODEL)
        agent = FunctionAgent(tools=list(spec.to_tool_list()), llm=llm)
        async with spec.session() as session:
            print(f"LlamaIndex agent: {await agent.run(TOOLS_TASK, max_iterations=30)}")
        print(f"{session.report.describe()}\n")
        await spec.aclose()
        await llm.aclose()


def simulated(request: Any) -> Any:
    """Reply in place of a model on the emulator: work through the task, a tool call each turn."""
    from runcrate_emulator import Reply  # noqa: PLC0415 - the real service needs no emulator

    task = next((item.text for item in request.messages if TRAIN in item.text), "")
    results = [item.text for item in request.messages if item.role == "tool"]
    if not task:
        return None
    offered = {tool.name for tool in request.tools}
    steps = _sandbox_steps(task) if "execute" in offered else _tool_steps(results)
    if len(results) < len(steps):
        return Reply.tool_calls(steps[len(results)])
    number = next(filter(None, (WEIGHT.search(text) for text in reversed(results))))[1]
    return Reply.text(f"The script trained for 50 steps; the weight is {float(number):g}.")


def _sandbox_steps(task: str) -> list[tuple[str, dict[str, Any]]]:
    home = task.partition("Your home directory is ")[2].partition(". ")[0]
    return [
        ("write_file", {"file_path": f"{home}/train.py", "content": TRAIN}),
        ("execute", {"command": "python3 train.py"}),
        ("read_file", {"file_path": f"{home}/result.json"}),
    ]


def _tool_steps(results: list[str]) -> list[tuple[str, dict[str, Any]]]:
    steps: list[tuple[str, dict[str, Any]]] = [
        ("runcrate_plan_instance", {"gpu_type": "A100", "max_runtime_minutes": 30})
    ]
    if len(results) > 0:
        token = json.loads(results[0])["plan_token"]
        steps.append(("runcrate_launch_instance", {"plan_token": token}))
    if len(results) > 1:
        launched = json.loads(results[1])
        one = {"instance_id": launched["id"]}
        steps += [
            ("runcrate_wait_for_instance", one),
            ("runcrate_write_file", {**one, "path": "train.py", "content": TRAIN}),
            ("runcrate_run_command", {**one, "command": "python3 train.py"}),
            ("runcrate_read_file", {**one, "path": "result.json"}),
            ("runcrate_terminate_instance", {**one, "expected_name": launched["name"]}),
        ]
    return steps


if __name__ == "__main__":
    main()
