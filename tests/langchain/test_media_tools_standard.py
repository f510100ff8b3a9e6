"""LangChain's standard tests for the tools that make pictures, speech and films."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from langchain_core.tools import BaseTool
from langchain_tests.integration_tests import ToolsIntegrationTests
from langchain_tests.unit_tests import ToolsUnitTests

from langchain_runcrate import RuncrateImageTool, RuncrateSpeechTool, RuncrateVideoTool
from tests.conftest import Api
from tests.langchain.replaying import POLL_S

# Small on purpose: what is made here is kept in cassettes.
TOOLS: dict[type[BaseTool], dict[str, Any]] = {
    RuncrateImageTool: {"prompt": "A fox", "width": 256, "height": 256, "seed": 7},
    RuncrateSpeechTool: {"text": "Hello."},
    RuncrateVideoTool: {"prompt": "Waves at night", "duration": 4},
}


class OfEveryTool:
    """What both suites need of a tool."""

    cls: type[BaseTool]

    @property
    def tool_constructor(self) -> type[BaseTool]:
        return self.cls

    @property
    def tool_invoke_params_example(self) -> dict[str, Any]:
        return TOOLS[self.cls]


class UnitSuite(OfEveryTool, ToolsUnitTests):
    @property
    def init_from_env_params(self) -> tuple[dict[str, str], dict[str, Any], dict[str, Any]]:
        variables = {"RUNCRATE_API_KEY": "rc_live_env", "RUNCRATE_API_BASE": "https://x.test/v1"}
        return variables, {}, {"api_key": "rc_live_env", "api_base": "https://x.test/v1"}


class TestImageUnit(UnitSuite):
    cls = RuncrateImageTool


class TestSpeechUnit(UnitSuite):
    cls = RuncrateSpeechTool


class TestVideoUnit(UnitSuite):
    cls = RuncrateVideoTool


class ReplayedSuite(OfEveryTool, ToolsIntegrationTests):
    replayed = True

    @pytest.fixture
    async def tool(self, api: Api, tmp_path: Path) -> Any:
        settings: dict[str, Any] = {"api_key": api.api_key, "base_url": api.inference_url}
        if self.cls is RuncrateVideoTool:
            settings["poll_interval"] = POLL_S
        tool: Any = self.cls(output_dir=tmp_path, **settings)
        yield tool
        [made] = os.listdir(tmp_path)  # noqa: PTH208 - one look, which blocks nobody
        assert not made.endswith(".part")
        await tool.aclose()


class TestImageReplayed(ReplayedSuite):
    cls = RuncrateImageTool


class TestSpeechReplayed(ReplayedSuite):
    cls = RuncrateSpeechTool


class TestVideoReplayed(ReplayedSuite):
    cls = RuncrateVideoTool
