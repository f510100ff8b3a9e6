"""LangChain's standard tests for chat models, embeddings and tools.

Every capability of chat models is declared, with each method of structured output. Requests are
replayed from cassettes; see `make cassettes`.
"""

from __future__ import annotations

import itertools
import os
from types import SimpleNamespace
from typing import Any

import pytest
from langchain_core.tools import BaseTool
from langchain_core.utils import function_calling
from langchain_tests.integration_tests import (
    ChatModelIntegrationTests,
    EmbeddingsIntegrationTests,
    ToolsIntegrationTests,
)
from langchain_tests.integration_tests import chat_models as standard
from langchain_tests.unit_tests import ChatModelUnitTests, EmbeddingsUnitTests, ToolsUnitTests

import runcrate_core.toolkit as rt
from langchain_runcrate import (
    ChatRuncrate,
    RuncrateEmbeddings,
    RuncrateImageTool,
    RuncrateSpeechTool,
    RuncrateToolkit,
    RuncrateVideoTool,
)
from tests.langchain import downloads
from tests.langchain.chat_service import close
from tests.langchain.replaying import (
    JOB,
    LIMITS,
    POLL_S,
    finished_job,
    launched,
    named,
    toolkit_at,
    use,
)

# While a test is recorded, its benchmark does not run.
pytestmark = pytest.mark.filterwarnings("ignore::pytest_benchmark.logger.PytestBenchmarkWarning")

VARIABLES = {"RUNCRATE_API_KEY": "rc_live_from_env", "RUNCRATE_API_BASE": "https://x.test/v1"}
EXPECTED = {"api_key": "rc_live_from_env", "api_base": "https://x.test/v1"}


# --- chat models -----------------------------------------------------------------------------


class TestChatRuncrate(ChatModelUnitTests):
    @property
    def chat_model_class(self) -> type[ChatRuncrate]:
        return ChatRuncrate

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"model": "deepseek-ai/DeepSeek-V3.2"}

    @property
    def init_from_env_params(self) -> tuple[dict[str, str], dict[str, Any], dict[str, Any]]:
        params = self.chat_model_params
        return VARIABLES, params, {**EXPECTED, "model_name": params["model"]}


# Reads everything that the tests send: pictures, papers, recordings.
MODEL = "google/gemini-2.5-flash"
OTHER_MODEL = "deepseek-ai/DeepSeek-V3"
# The only tests whose requests depend on the method; the others run once, in `TestJsonSchema`.
STRUCTURED_OUTPUT = frozenset(
    {
        "test_structured_output",
        "test_structured_output_async",
        "test_structured_output_optional_param",
        "test_structured_output_pydantic_2_v1",
    }
)


class ReplayedChatTests(ChatModelIntegrationTests):
    """Capabilities and service of all three methods."""

    replayed = True
    method: str

    @pytest.fixture(autouse=True)
    async def _at_the_service(self, api, monkeypatch):
        """Let the models find the service, and the tests their files.

        The tests make models of their own and never close them, so connections are closed here.
        Their downloads are answered in the one module that makes them, as the files do not belong
        to the service: neither its cassettes nor its emulator should hold them. The identifiers
        that LangChain draws for example calls are counted instead, so that requests repeat.
        """
        numbers = itertools.count()
        counted = SimpleNamespace(uuid4=lambda: f"example-{next(numbers)}")
        monkeypatch.setattr(function_calling, "uuid", counted)
        monkeypatch.setenv("RUNCRATE_API_BASE", api.inference_url)
        monkeypatch.setenv("RUNCRATE_API_KEY", api.api_key)
        monkeypatch.setenv("LANGCHAIN_TESTS_USER_AGENT", "nothing is downloaded")
        monkeypatch.setattr(standard, "httpx", SimpleNamespace(get=downloads.get))
        yield
        await close(ChatRuncrate(**self.chat_model_params))

    @pytest.fixture
    def benchmark(self, benchmark):
        """Run once, as a cassette is played once; times are taken by the benchmarks."""
        benchmark.disabled = True
        return benchmark

    @property
    def chat_model_class(self) -> type[ChatRuncrate]:
        return ChatRuncrate

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"model": MODEL}

    @property
    def model_override_value(self) -> str:
        return OTHER_MODEL

    @property
    def structured_output_kwargs(self) -> dict[str, Any]:
        return {"method": self.method}

    supports_json_mode = True
    supports_image_inputs = True
    supports_image_urls = True
    supports_pdf_inputs = True
    supports_audio_inputs = True
    supports_video_inputs = True
    supports_image_tool_message = True
    supports_pdf_tool_message = True
    supports_anthropic_inputs = True
    enable_vcr_tests = True


class TestJsonSchema(ReplayedChatTests):
    method = "json_schema"


class TestFunctionCalling(ReplayedChatTests):
    method = "function_calling"
    only_tests = STRUCTURED_OUTPUT


class TestJsonMode(ReplayedChatTests):
    method = "json_mode"
    only_tests = STRUCTURED_OUTPUT


# --- embeddings ------------------------------------------------------------------------------


class OfEmbeddings:
    """What both suites need of embeddings."""

    @property
    def embeddings_class(self) -> type[RuncrateEmbeddings]:
        return RuncrateEmbeddings

    @property
    def embedding_model_params(self) -> dict[str, Any]:
        return {"model": "BAAI/bge-large-en-v1.5"}


class TestEmbeddings(OfEmbeddings, EmbeddingsUnitTests):
    @property
    def init_from_env_params(self) -> tuple[dict[str, str], dict[str, Any], dict[str, Any]]:
        return VARIABLES, self.embedding_model_params, EXPECTED


class TestEmbeddingsReplayed(OfEmbeddings, EmbeddingsIntegrationTests):
    replayed = True

    @pytest.fixture(autouse=True)
    async def _at_the_service(self, api, monkeypatch):
        monkeypatch.setenv("RUNCRATE_API_BASE", api.inference_url)
        monkeypatch.setenv("RUNCRATE_API_KEY", api.api_key)
        yield
        await RuncrateEmbeddings(**self.embedding_model_params).aclose()


# --- tools -----------------------------------------------------------------------------------

# Small on purpose: what is made here is kept in cassettes.
MEDIA: dict[str, tuple[type[BaseTool], dict[str, Any]]] = {
    "image": (RuncrateImageTool, {"prompt": "A fox", "width": 256, "height": 256, "seed": 7}),
    "speech": (RuncrateSpeechTool, {"text": "Hello."}),
    "video": (RuncrateVideoTool, {"prompt": "Waves at night", "duration": 4}),
}
EVERY_TOOL = [
    tool.name.removeprefix("runcrate_")
    for tool in rt.AgentToolbox(limits=LIMITS, files_dir=".").tools
]
# What schemas ask for, in the form that they ask for.
SAMPLES: dict[str, Any] = {
    "command": "nvidia-smi",
    "expected_name": "agent-instance-000000",
    "gpu_type": "A100",
    "instance_id": "a-machine",
    "job_id": "a-job",
    "max_runtime_minutes": 10,
    "path": "r.txt",
    "plan_token": "plan-000000000000",
}


class OfTools:
    """What both suites need of a tool."""

    arguments: dict[str, Any]

    @property
    def tool_constructor(self) -> BaseTool:
        return RuncrateToolkit(include=["runcrate_get_balance"]).get_tools()[0]

    @property
    def tool_invoke_params_example(self) -> dict[str, Any]:
        return self.arguments


class TestTools(OfTools, ToolsUnitTests):
    @pytest.fixture(params=EVERY_TOOL)
    def tool(self, request, tmp_path):
        tool = named(RuncrateToolkit(limits=LIMITS, files_dir=tmp_path), request.param)
        schema: Any = tool.tool_call_schema
        required = schema.model_json_schema().get("required", [])
        self.arguments = {name: SAMPLES[name] for name in required}
        return tool


class TestImageTool(ToolsUnitTests):
    kind = "image"

    @property
    def tool_constructor(self) -> type[BaseTool]:
        return MEDIA[self.kind][0]

    @property
    def tool_invoke_params_example(self) -> dict[str, Any]:
        return MEDIA[self.kind][1]

    @property
    def init_from_env_params(self) -> tuple[dict[str, str], dict[str, Any], dict[str, Any]]:
        return VARIABLES, {}, EXPECTED


class TestSpeechTool(TestImageTool):
    kind = "speech"


class TestVideoTool(TestImageTool):
    kind = "video"


class TestToolsReplayed(OfTools, ToolsIntegrationTests):
    replayed = True

    @pytest.fixture(params=[*MEDIA, *EVERY_TOOL])
    async def tool(self, request, api, tmp_path):
        if request.param not in MEDIA:
            async with toolkit_at(api, tmp_path) as toolkit:
                self.arguments = arguments_for(toolkit, request.param)
                yield named(toolkit, request.param)
            return
        cls, self.arguments = MEDIA[request.param]
        settings: dict[str, Any] = {"api_key": api.api_key, "base_url": api.inference_url}
        if cls is RuncrateVideoTool:
            settings["poll_interval"] = POLL_S
        tool: Any = cls(output_dir=tmp_path, **settings)
        yield tool
        [made] = os.listdir(tmp_path)  # noqa: PTH208 - one look, which blocks nobody
        assert not made.endswith(".part")
        await tool.aclose()


def arguments_for(toolkit: RuncrateToolkit, name: str) -> dict[str, Any]:
    """Return arguments with which a tool works, after what it needs was made."""
    match name:
        case "plan_instance":
            return {"gpu_type": "A100", "max_runtime_minutes": 30}
        case "launch_instance":
            plan = use(toolkit, "plan_instance", gpu_type="A100", max_runtime_minutes=30)
            return {"plan_token": plan["plan_token"]}
        case "update_instance_limits":
            return {"instance_id": launched(toolkit)["id"], "max_runtime_minutes": 40}
        case "terminate_instance":
            instance = launched(toolkit)
            return {"instance_id": instance["id"], "expected_name": instance["name"]}
        case "list_instances" | "get_spending":
            launched(toolkit)
            return {}
        case "list_jobs":
            finished_job(toolkit)
            return {}
        case "get_instance" | "wait_for_instance":
            return {"instance_id": launched(toolkit)["id"]}
        case "run_job":
            return JOB
        case "download_job_artifact":
            return {"job_id": finished_job(toolkit), "path": "r.txt"}
        case job if job.endswith(("_job", "_logs", "_artifacts")):
            return {"job_id": finished_job(toolkit)}
        case _:
            return {}
