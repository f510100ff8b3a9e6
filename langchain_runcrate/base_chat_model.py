"""Model metadata: tracing, serialization, profile, token counting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from langchain_core.language_models import BaseChatModel, LangSmithParams, ModelProfile
from langchain_core.messages import BaseMessage

from langchain_runcrate.arguments import OTHER_NAMES
from langchain_runcrate.chat_parameters import ChatParameters
from langchain_runcrate.completion_request import completion_request
from langchain_runcrate.connection import KEY_VARIABLE, RuncrateConnection
from langchain_runcrate.errors import translating_errors
from langchain_runcrate.messages import WirePolicy, to_wire
from langchain_runcrate.prices import prices_of
from langchain_runcrate.profiles import known_profile, listed_model_info, profile_of
from langchain_runcrate.reasoning import PROVIDER
from langchain_runcrate.responses import ResponseContext
from langchain_runcrate.token_counting import (
    estimated_request_tokens,
    estimated_tokens,
    piece_ids,
)
from langchain_runcrate.tools_binding import NO_NAMES, tool_names, wire_tools, with_wire_tools
from runcrate_core import get_model_info

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runcrate_core import ModelInfo
    from runcrate_core.toolkit import ToolNames

# Arguments of the connection, which a call does not take.
_CONNECTION: Final = frozenset(
    name
    for field, info in RuncrateConnection.model_fields.items()
    if field != "request_timeout"
    for name in (field, info.alias)
)
# Arguments of a call that may hold credentials, and are kept out of traces and cache keys.
_PRIVATE_ARGUMENTS: Final = frozenset({*_CONNECTION, *OTHER_NAMES, "extra_headers"})


# Unknown arguments go to `model_kwargs` before; that none is left, type checkers read here.
class BaseChatRuncrate(RuncrateConnection, ChatParameters, BaseChatModel, extra="forbid"):
    """A chat model without its calls."""

    @property
    def model(self) -> str:
        """Identifier of the model."""
        return self.model_name

    @property
    def _llm_type(self) -> str:
        return "chat-runcrate"

    @property
    def lc_secrets(self) -> dict[str, str]:
        """Secrets that a serialization refers to instead of containing them."""
        return {"api_key": KEY_VARIABLE}

    @classmethod
    def is_lc_serializable(cls) -> bool:
        """LangChain can serialize this class."""
        return True

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"model_name": self.model_name, **self._default_params}

    def _get_invocation_params(
        self, stop: list[str] | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        # As the base class does it, which looks for overrides of a deprecated method besides.
        return {**self.asdict(), "stop": stop, **_public(kwargs)}

    def _get_llm_string(self, stop: list[str] | None = None, **kwargs: Any) -> str:
        return super()._get_llm_string(stop=stop, **_public(kwargs))

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        given = {k: v for k, v in kwargs.items() if v is not None}
        settings = {**self._default_params, **given}
        params = LangSmithParams(
            ls_provider=PROVIDER, ls_model_name=settings["model"], ls_model_type="chat"
        )
        if (temperature := settings.get("temperature")) is not None:
            params["ls_temperature"] = temperature
        max_tokens = settings.get("max_completion_tokens") or settings.get("max_tokens")
        if max_tokens is not None:
            params["ls_max_tokens"] = max_tokens
        if ends := stop or settings.get("stop"):
            params["ls_stop"] = [ends] if isinstance(ends, str) else list(ends)
        return params

    def _resolve_model_profile(self) -> ModelProfile | None:
        return known_profile(self.model_name)

    def _combine_llm_outputs(self, llm_outputs: list[dict[str, Any] | None], /) -> dict[str, Any]:
        outputs = [output for output in llm_outputs if output]
        usage: dict[str, int] = {}
        for output in outputs:
            for name, count in output.get("token_usage", {}).items():
                if isinstance(count, int):
                    usage[name] = usage.get(name, 0) + count
        model = next((output["model_name"] for output in outputs), self.model_name)
        return {"token_usage": usage, "model_name": model}

    def refresh_profile(self) -> ModelProfile:
        """Read from the service what the model can do, and use it from now on.

        Raises:
            LookupError: The service does not list the model.
        """
        with translating_errors():
            models = self._sync_client().models.list()
        return self._use_facts(listed_model_info(models, self.model_name))

    async def arefresh_profile(self) -> ModelProfile:
        """Read from the service what the model can do; see `refresh_profile`."""
        with translating_errors():
            models = await self._async_client().models.list()
        return self._use_facts(listed_model_info(models, self.model_name))

    def _use_facts(self, facts: ModelInfo) -> ModelProfile:
        self.profile = profile_of(facts)
        self.token_prices = self.token_prices or prices_of(facts)
        return self.profile

    def get_num_tokens(self, text: str) -> int:
        """Return about how many tokens a text is, without a tokenizer or the network."""
        if self.custom_get_token_ids is not None:
            return len(self.custom_get_token_ids(text))
        return estimated_tokens(text)

    def get_token_ids(self, text: str) -> list[int]:
        """Return a number for each piece of a text of about one token.

        They are the numbers of `custom_get_token_ids` if that was given, and otherwise not those
        of the model's vocabulary.
        """
        if self.custom_get_token_ids is not None:
            return self.custom_get_token_ids(text)
        return piece_ids(text)

    def get_num_tokens_from_messages(
        self, messages: list[BaseMessage], tools: Sequence[Any] | None = None
    ) -> int:
        """Return about how many tokens a conversation and its tools are.

        Args:
            messages: The conversation.
            tools: Tools as `bind_tools` takes them.
        """
        wire = to_wire(messages, self._wire_policy())
        return estimated_request_tokens(wire, wire_tools(tools or ()))

    def _prepared(
        self, messages: Sequence[BaseMessage], stop: list[str] | None, call: Mapping[str, Any]
    ) -> tuple[dict[str, Any], ResponseContext]:
        """Return the arguments of `chat.completions.create`, and how its response is to be read.

        Raises:
            TypeError: A message cannot be sent.
            ValueError: A content block, or an argument of the call, cannot be sent.
        """
        if misplaced := [name for name in call if name in _CONNECTION or name in OTHER_NAMES]:
            name = OTHER_NAMES.get(misplaced[0], misplaced[0])
            raise ValueError(
                f"A call takes no `{misplaced[0]}`: give `{name}` to `{type(self).__name__}`. "
                "Nothing was sent."
            )
        call = with_wire_tools(call)
        # The names that the program knows; the request has those of the wire.
        names = tool_names(call.get("tools") or self.model_kwargs.get("tools"))
        request = completion_request(
            to_wire(messages, self._wire_policy(call.get("model"), names)),
            self._default_params,
            call,
            stop,
            names,
            self.disabled_params,
        )
        model = request["model"]
        prices = self.token_prices if model == self.model_name else None
        context = ResponseContext(
            model,
            prices or prices_of(get_model_info(model)),
            self.include_response_headers,
            request.get("tools") or (),
            names,
            request.get("tool_choice") not in (None, "auto", "none"),
        )
        return request, context

    def _wire_policy(self, model: str | None = None, names: ToolNames = NO_NAMES) -> WirePolicy:
        profile: Mapping[str, Any] = self._profile_for(model) or {}
        by_profile = self.tool_media == "auto"
        native = self.tool_media == "native"
        return WirePolicy(
            self.reasoning_roundtrip,
            native or (by_profile and bool(profile.get("image_tool_message"))),
            native or (by_profile and bool(profile.get("pdf_tool_message"))),
            names,
        )

    def _profile_for(self, model: str | None) -> ModelProfile | None:
        return self.profile if model in (None, self.model_name) else known_profile(str(model))


def _public(arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in arguments.items() if name not in _PRIVATE_ARGUMENTS}
