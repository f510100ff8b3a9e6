"""The parameters of `ChatRuncrate`, which its requests send unless a call overrides them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from langchain_runcrate.messages import ToolMedia
from langchain_runcrate.prices import TokenPrices
from langchain_runcrate.reasoning import ReasoningPolicy

if TYPE_CHECKING:
    from collections.abc import Mapping

# Written inside the class, it would make pydantic's mypy plugin demand `model_name` and refuse
# `model`, as it then knows a field by one name alone.
_CONFIG = ConfigDict(populate_by_name=True, protected_namespaces=())

# Fields that become parameters of the request under the same name.
_PARAMETERS = (
    "temperature",
    "max_tokens",
    "top_p",
    "stop",
    "frequency_penalty",
    "presence_penalty",
    "seed",
    "logprobs",
    "top_logprobs",
    "logit_bias",
    "n",
    "reasoning_effort",
    "service_tier",
    "extra_body",
)


class ChatParameters(BaseModel):
    """The fields of a chat model, and what of them a request holds.

    Some have two names, as LangChain's users know them by either.
    """

    model_config = _CONFIG

    model_name: str = Field(alias="model")
    """Identifier of the model, as the catalogue lists it."""

    temperature: float | None = None
    """From 0 (always the likeliest) to 2. The service's default is 0.7."""

    max_tokens: int | None = None
    """Maximum tokens of a response; the model's own limit if not given."""

    top_p: float | None = None
    """Share of the likeliest tokens to choose from, 0 to 1."""

    stop: list[str] | str | None = None
    """Texts at which a response ends."""

    frequency_penalty: float | None = None
    """From -2 to 2: how much tokens that came often are avoided."""

    presence_penalty: float | None = None
    """From -2 to 2: how much tokens that came at all are avoided."""

    seed: int | None = None
    """For reproducible output, if the model supports it."""

    logprobs: bool | None = None
    """Return log probabilities (`response_metadata["logprobs"]`)."""

    top_logprobs: int | None = None
    """Number of alternatives to return per token."""

    logit_bias: dict[str, int] | None = None
    """Changes to the likelihood of tokens, by their numbers."""

    n: int | None = Field(default=None, ge=1)
    """Number of completions to generate, for `generate`. More than one cannot be streamed."""

    reasoning_effort: str | None = None
    """Effort of a reasoning model: `low`, `medium` or `high`."""

    service_tier: str | None = None
    """Passed on to the model's provider."""

    streaming: bool = False
    """Stream in `invoke` too, for callbacks that need tokens."""

    stream_usage: bool = True
    """Request token usage in streams. Turn it off for a server without `stream_options`."""

    stream_idle_timeout: float | None = 120.0
    """Seconds a stream may stay without content; `None` or 0 for no limit."""

    reasoning_roundtrip: ReasoningPolicy = "auto"
    """Reasoning that is sent back to the model: that of the present tool loop (`auto`),
    `always` all of them, or `never` any. Models differ in which of these they accept."""

    tool_media: ToolMedia = "auto"
    """Place of images and files in tool messages: `native` leaves them, `lift` puts them into a
    user's message behind, `auto` decides by the profile."""

    token_prices: TokenPrices | None = None
    """US dollars for a million tokens (`input`, `output`, `cached_input`), for `response_metadata
    ["cost"]` where the server reports no cost. Published prices are known."""

    include_response_headers: bool = False
    """Include the response headers in `response_metadata["headers"]`."""

    extra_body: dict[str, Any] | None = None
    """Fields to put over the body of each request."""

    model_kwargs: dict[str, Any] = Field(default_factory=dict)
    """Further parameters of each request. Unknown constructor arguments come here."""

    disabled_params: dict[str, Any] | None = None
    """Parameters never to send: `{"parallel_tool_calls": None}`; with a list, only those values."""

    @field_validator("stream_idle_timeout")
    @classmethod
    def _no_limit(cls, value: float | None) -> float | None:
        return value or None

    @property
    def _default_params(self) -> dict[str, Any]:
        values = self.__dict__  # where Pydantic keeps the fields
        given = {
            name: value
            for name in _PARAMETERS
            if (value := values[name]) is not None and value != []
        }
        return {"model": values["model_name"], **given, **values["model_kwargs"]}

    def _streamed_request(
        self,
        request: dict[str, Any],
        call: Mapping[str, Any],
    ) -> dict[str, Any]:
        """Return the arguments of `chat.completions.stream`, from those of `create`.

        Raises:
            ValueError: Several responses are asked for.
        """
        if request.get("n", 1) > 1:
            raise ValueError(
                "Several responses (`n`) cannot be streamed. Use `generate` with "
                "`disable_streaming=True`. Nothing was sent."
            )
        options = call.get("stream_options") or self.model_kwargs.get("stream_options")
        wanted = call.get("stream_usage")
        if options is not None:
            request["stream_options"] = options
        elif not (self.stream_usage if wanted is None else wanted):
            request["stream_options"] = None  # leaves out what the client sends by default
        return request
