"""LangChain's standard unit tests for chat models."""

from __future__ import annotations

from typing import Any

from langchain_tests.unit_tests import ChatModelUnitTests

from langchain_runcrate import ChatRuncrate


class TestChatRuncrate(ChatModelUnitTests):
    @property
    def chat_model_class(self) -> type[ChatRuncrate]:
        return ChatRuncrate

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"model": "deepseek-ai/DeepSeek-V3.2"}

    @property
    def init_from_env_params(self) -> tuple[dict[str, str], dict[str, Any], dict[str, Any]]:
        variables = {
            "RUNCRATE_API_KEY": "rc_live_from_env",
            "RUNCRATE_API_BASE": "https://api.example.com/v1",
        }
        expected = {
            "api_key": "rc_live_from_env",
            "api_base": "https://api.example.com/v1",
            "model_name": "deepseek-ai/DeepSeek-V3.2",
        }
        return variables, {"model": "deepseek-ai/DeepSeek-V3.2"}, expected
