"""LlamaIndex agents that run commands on instances, and models that are served there."""

from __future__ import annotations

import pytest
from llama_index.core.agent.workflow import FunctionAgent, ToolCallResult

import runcrate_core as rc
from examples.train_on_instance import TOOLS_TASK, simulated
from llamaindex_runcrate import (
    ApprovalRequiredEvent,
    RuncrateInfrastructureToolSpec,
    RuncrateLLM,
    ToolProgressEvent,
)
from runcrate_emulator import Emulator
from tests.langchain.test_sandbox import free_port, served_by
from tests.llamaindex.ignored_warnings import IGNORED_WARNINGS

pytestmark = IGNORED_WARNINGS
LIMITS = rc.SpendLimits(max_price_per_hour=2, max_runtime_minutes=30, max_total_usd=5)


@pytest.fixture
def cloud():
    with Emulator(ssh=True, clock_speed=600.0, on_chat=simulated) as running:
        yield running


async def test_a_function_agent_runs_a_script_and_brings_its_file_back(cloud):
    async with rc.AsyncRuncrate(cloud.api_key, base_url=cloud.base_url) as client:
        spec = RuncrateInfrastructureToolSpec(
            client, limits=LIMITS, allow_commands=True, poll_interval=0.02
        )
        llm = RuncrateLLM(
            model="deepseek-ai/DeepSeek-V3",
            api_base=cloud.inference_url,
            api_key=cloud.api_key,
        )
        agent = FunctionAgent(tools=list(spec.to_tool_list()), llm=llm)
        asked: list[str] = []
        results: dict[str, str] = {}
        async with spec.session():
            handler = agent.run(TOOLS_TASK, max_iterations=30)
            async for event in handler.stream_events():
                if isinstance(event, ApprovalRequiredEvent):
                    asked.append(event.tool_name)
                    assert handler.ctx is not None
                    handler.ctx.send_event(event.answer("yes"))
                elif isinstance(event, ToolCallResult):
                    results[event.tool_name] = str(event.tool_output.content)
                elif isinstance(event, ToolProgressEvent):
                    assert event.status
            assert "the weight is 3" in str(await handler)
        assert '\\"weight\\": 3.0' in results["runcrate_read_file"]
        assert asked == [
            "runcrate_launch_instance",
            "runcrate_write_file",
            "runcrate_run_command",
            "runcrate_terminate_instance",
        ]
        assert not [item for item in await client.instances.list() if not item.has_ended]
        await spec.aclose()
        await llm.aclose()


async def test_a_served_model_is_an_llm(cloud):
    async with rc.AsyncRuncrate(cloud.api_key, base_url=cloud.base_url) as client:
        spec = RuncrateInfrastructureToolSpec(client, limits=LIMITS)
        async with spec.serve(**served_by(free_port())) as served:
            llm = served.llm()
            assert (await llm.acomplete("Hello!")).text == "served"
            cloud.ssh.drop_connections()
            assert (await served.llm().acomplete("Hello again!")).text == "served"
            await llm.aclose()
        assert not [item for item in await client.instances.list() if not item.has_ended]
        await spec.aclose()
