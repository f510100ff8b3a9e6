"""LangChain's standard integration tests for chat models, with each method of structured output.

Every capability is declared. Requests are replayed from cassettes; see `make cassettes`.
"""

from __future__ import annotations

import itertools
from types import SimpleNamespace
from typing import Any

import pytest
from langchain_core.utils import function_calling
from langchain_tests.integration_tests import ChatModelIntegrationTests
from langchain_tests.integration_tests import chat_models as standard
from pytest_benchmark.fixture import BenchmarkFixture

from langchain_runcrate import ChatRuncrate
from tests.conftest import Api
from tests.langchain import downloads
from tests.langchain.chat_service import close

# While a test is recorded, its benchmark does not run.
pytestmark = pytest.mark.filterwarnings("ignore::pytest_benchmark.logger.PytestBenchmarkWarning")

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


class StandardTests(ChatModelIntegrationTests):
    """Capabilities and service of all three methods."""

    replayed = True

    @pytest.fixture(autouse=True)
    async def _at_the_service(self, api: Api, monkeypatch: pytest.MonkeyPatch) -> Any:
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
    def benchmark(self, benchmark: BenchmarkFixture) -> BenchmarkFixture:
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


class TestJsonSchema(StandardTests):
    @property
    def structured_output_kwargs(self) -> dict[str, Any]:
        return {"method": "json_schema"}


class TestFunctionCalling(StandardTests):
    only_tests = STRUCTURED_OUTPUT

    @property
    def structured_output_kwargs(self) -> dict[str, Any]:
        return {"method": "function_calling"}


class TestJsonMode(StandardTests):
    only_tests = STRUCTURED_OUTPUT

    @property
    def structured_output_kwargs(self) -> dict[str, Any]:
        return {"method": "json_mode"}
