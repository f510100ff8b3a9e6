"""A drop-in for the official `langchain-runcrate` 0.1.0: its README, names and metadata."""

from __future__ import annotations

from typing import Any

from langchain.agents import create_agent
from langchain_core.tools import tool
from pydantic import BaseModel

from langchain_runcrate import ChatRuncrate
from tests.langchain.chat_service import streamed, whole
from tests.servers import ScriptedServer


@tool
def gpu_price(gpu: str) -> str:
    """Return the hourly price of a GPU."""
    return "see https://www.runcrate.ai/api/gpu-pricing"


GPU_PRICE = {"id": "1", "function": {"name": "gpu_price", "arguments": '{"gpu": "H100"}'}}


class Summary(BaseModel):
    title: str
    bullets: list[str]


def test_the_examples_of_its_readme(monkeypatch, capsys):
    call = whole({"tool_calls": [GPU_PRICE]})
    replies = [
        whole({"content": "LoRA is cheap."}),
        streamed({"content": "GPUs "}, {"content": "hum"}),
        call,
        whole({"content": '{"title": "GPU cloud", "bullets": ["rent"]}'}),
        call,
        whole({"content": "See the page."}),
        whole({"content": "3", "reasoning_content": "s-t-r-a-w..."}),
        streamed({"reasoning_content": "s-t-r"}, {"reasoning_content": "-a-w..."}),
    ]
    with ScriptedServer(*replies) as server:
        monkeypatch.setenv("RUNCRATE_API_BASE", f"{server.url}/v1")
        follow_its_readme(capsys)


def follow_its_readme(capsys: Any) -> None:
    llm = ChatRuncrate(model="deepseek-ai/DeepSeek-V3.2", temperature=0)
    print(llm.invoke("Explain LoRA fine-tuning in one sentence.").content)  # noqa: T201 - the README's
    for chunk in llm.stream("Write a haiku about GPUs."):
        print(chunk.text, end="", flush=True)  # noqa: T201 - the README's
    assert capsys.readouterr().out == "LoRA is cheap.\nGPUs hum"
    calls = llm.bind_tools([gpu_price]).invoke("What does an H100 cost per hour?").tool_calls
    assert calls == [{"type": "tool_call", "id": "1", "name": "gpu_price", "args": {"gpu": "H100"}}]
    made = llm.with_structured_output(Summary).invoke("Summarize what a GPU cloud is.")
    assert made == Summary(title="GPU cloud", bullets=["rent"])
    agent = create_agent(ChatRuncrate(model="Qwen/Qwen3-235B-A22B-Instruct-2507"), [gpu_price])
    done = agent.invoke({"messages": [{"role": "user", "content": "Price an H100 for 10 hours."}]})
    assert done["messages"][-1].content == "See the page."
    assert "gpu-pricing" in done["messages"][-2].content
    thinker = ChatRuncrate(model="deepseek-ai/DeepSeek-R1-0528")
    thoughts = thinker.invoke("How many r?").additional_kwargs["reasoning_content"]
    assert thoughts == "s-t-r-a-w..."
    pieces = thinker.stream("How many?")
    assert [chunk.additional_kwargs.get("reasoning_content") for chunk in pieces] == [
        *("s-t-r", "-a-w...", None)
    ]
