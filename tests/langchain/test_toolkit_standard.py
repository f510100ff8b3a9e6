"""LangChain's standard tests for every tool of the toolkit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from langchain_core.tools import BaseTool
from langchain_tests.integration_tests import ToolsIntegrationTests
from langchain_tests.unit_tests import ToolsUnitTests

import runcrate_core.toolkit as rt
from langchain_runcrate import RuncrateToolkit
from tests.conftest import Api
from tests.langchain.replaying import (
    JOB,
    LIMITS,
    finished_job,
    launched,
    named,
    toolkit_at,
    use,
)

EVERY_TOOL = [
    tool.name.removeprefix("runcrate_")
    for tool in rt.AgentToolbox(limits=LIMITS, files_dir=".").tools
]
# One of each kind; what each of the others returns is tested in core.
REPLAYED = [
    "get_balance",
    "plan_instance",
    "launch_instance",
    "terminate_instance",
    "run_job",
    "wait_for_job",
    "download_job_artifact",
]
# What schemas ask for, in the form that they ask for.
SAMPLES: dict[str, Any] = {
    "command": "nvidia-smi",
    "expected_name": "agent-machine-000000",
    "gpu_type": "A100",
    "instance_id": "a-machine",
    "job_id": "a-job",
    "max_runtime_minutes": 10,
    "path": "r.txt",
    "plan_token": "plan-000000000000",
}


class OfEveryTool:
    """What both suites need of a tool."""

    arguments: dict[str, Any]

    @property
    def tool_constructor(self) -> BaseTool:
        return RuncrateToolkit(include=["runcrate_get_balance"]).get_tools()[0]

    @property
    def tool_invoke_params_example(self) -> dict[str, Any]:
        return self.arguments


class TestEveryToolByItself(OfEveryTool, ToolsUnitTests):
    @pytest.fixture(params=EVERY_TOOL)
    def tool(self, request: pytest.FixtureRequest, tmp_path: Path) -> BaseTool:
        tool = named(RuncrateToolkit(limits=LIMITS, files_dir=tmp_path), request.param)
        schema: Any = tool.tool_call_schema
        required = schema.model_json_schema().get("required", [])
        self.arguments = {name: SAMPLES[name] for name in required}
        return tool


class TestToolsReplayed(OfEveryTool, ToolsIntegrationTests):
    replayed = True

    @pytest.fixture(params=REPLAYED)
    async def tool(self, request: pytest.FixtureRequest, api: Api, tmp_path: Path) -> Any:
        async with toolkit_at(api, tmp_path) as toolkit:
            self.arguments = arguments_for(toolkit, request.param)
            yield named(toolkit, request.param)


def arguments_for(toolkit: RuncrateToolkit, name: str) -> dict[str, Any]:
    """Return arguments with which a tool works, after what it needs was made."""
    match name:
        case "plan_instance":
            return {"gpu_type": "A100", "max_runtime_minutes": 30}
        case "launch_instance":
            plan = use(toolkit, "plan_instance", gpu_type="A100", max_runtime_minutes=30)
            return {"plan_token": plan["plan_token"]}
        case "terminate_instance":
            instance = launched(toolkit)
            return {"instance_id": instance["id"], "expected_name": instance["name"]}
        case "run_job":
            return JOB
        case "download_job_artifact":
            return {"job_id": finished_job(toolkit), "path": "r.txt"}
        case "wait_for_job":
            return {"job_id": finished_job(toolkit)}
        case _:
            return {}
