"""Model catalogue: context windows, features and prices, known without a request.

A model that is not in this list works all the same: it is sent as it is, and `get_model_info`
returns `None`. The list spares a program one request, and knows what `/models` does not promise to
tell (how many tokens fit). It is refreshed from the service with `parse_model_info`:

```python
from runcrate_core import Runcrate, parse_model_info

with Runcrate() as client:
    facts = {model.id: parse_model_info(model.to_dict()) for model in client.models.list()}
print(facts["deepseek-ai/DeepSeek-V3"].context_window)
```

Identifiers, and the values not named in `general_knowledge`, are from Runcrate's documents or
official packages (seeds 000 to 004 and the pages they belong to); the rest is what the authors of
the models publish. Where a provider may serve less than a model was made for, the smaller figure
stands here: a window that is too large ends in refused requests, one too small in shorter prompts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInfo:
    """Metadata of a model.

    Attributes:
        id: Identifier, in the spelling that requests use.
        input_modalities: What it reads: `text`, `image`, `audio`, `video`, `file`.
        output_modalities: What it makes: `text`, `image`, `video`, `audio`, `embeddings`.
        features: What it can do besides, in the words of `/models`: `tools`,
            `structured_outputs`, `json_mode`, `reasoning`.
        context_window: Most tokens of a prompt and its response; `None` when unknown.
        max_output_tokens: Most tokens of a response; `None` when unknown.
        dimensions: Length of an embedding model's vectors.
        input_usd_per_million: Price of a million tokens of prompt in US dollars, when published.
        output_usd_per_million: Price of a million tokens of response in US dollars, when published.
        usd_per_image: Price of an image in US dollars, when published; documents say "about".
        aliases: Other spellings that documents print for the same model.
        general_knowledge: Names of the fields above that no document of Runcrate states.
    """

    id: str
    input_modalities: tuple[str, ...] = ("text",)
    output_modalities: tuple[str, ...] = ("text",)
    features: frozenset[str] = frozenset()
    context_window: int | None = None
    max_output_tokens: int | None = None
    dimensions: int | None = None
    input_usd_per_million: Decimal | None = None
    output_usd_per_million: Decimal | None = None
    usd_per_image: Decimal | None = None
    aliases: tuple[str, ...] = ()
    general_knowledge: frozenset[str] = frozenset()

    def has(self, feature: str) -> bool:
        """True if the model has a feature (`tools`, `structured_outputs`, ...)."""
        return feature in self.features

    def reads(self, modality: str) -> bool:
        """True if the model takes input of a modality (`image`, `audio`, ...)."""
        return modality in self.input_modalities

    @property
    def is_reasoning(self) -> bool:
        """True if the model writes its reasoning before its response."""
        return "reasoning" in self.features


def get_model_info(model: str) -> ModelInfo | None:
    """Return the metadata of a model; `None` for one that is not in the list.

    Args:
        model: Identifier or alias; upper and lower case do not matter for looking it up.

    Example:
        ```python
        from runcrate_core import get_model_info

        facts = get_model_info("deepseek-ai/DeepSeek-V3")
        assert facts is not None and facts.context_window == 128_000
        assert get_model_info("somebody/new-model") is None
        ```
    """
    return _BY_NAME.get(model.casefold())


def parse_model_info(listed: Mapping[str, Any]) -> ModelInfo:
    """Return the metadata of a model that `/models` lists; the listing wins over this list.

    Args:
        listed: An entry of `/models`: `client.models.list()[0].to_dict()`. Read are `id`,
            `input_modalities`, `output_modalities`, `supported_features`, `context_length` and
            `max_output_tokens`; what is missing, null or of another type is left as known.

    Raises:
        ValueError: It has no `id`.

    Example:
        ```python
        from runcrate_core import parse_model_info

        facts = parse_model_info({"id": "somebody/new-model", "context_length": 65_536})
        assert facts.context_window == 65_536
        ```
    """
    model = listed.get("id")
    if not isinstance(model, str) or not model:
        raise ValueError("The entry has no `id`, so it is not a model of the catalogue.")
    reported: dict[str, Any] = {
        "input_modalities": _texts(listed.get("input_modalities")),
        "output_modalities": _texts(listed.get("output_modalities")),
        "context_window": _count(listed.get("context_length")),
        "max_output_tokens": _count(listed.get("max_output_tokens")),
    }
    features = _texts(listed.get("supported_features"))
    reported["features"] = None if features is None else frozenset(features)
    reported = {name: value for name, value in reported.items() if value is not None}
    known = get_model_info(model) or ModelInfo(id=model)
    return replace(
        known, id=model, general_knowledge=known.general_knowledge - reported.keys(), **reported
    )


def _texts(value: Any) -> tuple[str, ...] | None:
    if not isinstance(value, list):
        return None
    return tuple(item for item in value if isinstance(item, str))


def _count(value: Any) -> int | None:
    return value if type(value) is int and value > 0 else None


_NO_TOOLS: Final = frozenset({"json_mode"})
_TOOLS: Final = _NO_TOOLS | {"tools", "structured_outputs"}
_REASONING: Final = frozenset({"reasoning"})


def _chat(
    model: str,
    *,
    documented: Iterable[str] = (),
    reads: tuple[str, ...] = (),
    features: frozenset[str] = _TOOLS,
    window: int,
    max_output: int | None = None,
    price: str | None = None,
    aliases: tuple[str, ...] = (),
) -> ModelInfo:
    """A chat model; `documented` names the fields that a document of Runcrate states."""
    own = {"input_modalities", "features", "context_window"}
    if max_output is not None:
        own.add("max_output_tokens")
    usd = None if price is None else Decimal(price)
    return ModelInfo(
        id=model,
        input_modalities=("text", *reads),
        features=features,
        context_window=window,
        max_output_tokens=max_output,
        # Documents print one price for a million tokens, of either kind.
        input_usd_per_million=usd,
        output_usd_per_million=usd,
        aliases=aliases,
        general_knowledge=frozenset(own) - frozenset(documented),
    )


_WINDOW: Final = ("context_window",)
_SIGHT: Final = ("input_modalities",)
_IMAGE: Final = ("image",)
_128_KI: Final = 131_072

_CHAT_MODELS: Final = (
    _chat("deepseek-ai/DeepSeek-V3", window=128_000, documented=_WINDOW, max_output=8_192),
    _chat(
        "deepseek-ai/DeepSeek-V3.2",
        window=128_000,
        price="0.30",
        aliases=("deepseek/deepseek-v3.2",),
    ),
    _chat("deepseek-ai/DeepSeek-R1-0528", window=128_000, features=_TOOLS | _REASONING),
    _chat("deepseek-ai/DeepSeek-R1", window=128_000, features=_NO_TOOLS | _REASONING),
    _chat(
        "deepseek-ai/DeepSeek-R1-Distill-Llama-70B",
        window=_128_KI,
        features=_NO_TOOLS | _REASONING,
    ),
    _chat(
        "deepseek-ai/DeepSeek-R1-Distill-Qwen-32B",
        window=_128_KI,
        features=_NO_TOOLS | _REASONING,
    ),
    _chat("meta-llama/Meta-Llama-3.1-8B-Instruct", window=_128_KI),
    _chat("meta-llama/Llama-3.1-8B-Instruct", window=_128_KI),
    _chat("meta-llama/Llama-3.1-70B-Instruct", window=_128_KI),
    _chat("meta-llama/Llama-3.1-405B-Instruct", window=_128_KI),
    _chat("meta-llama/Llama-3.3-70B-Instruct", window=_128_KI),
    _chat("meta-llama/Llama-4-Scout", window=128_000, reads=_IMAGE, documented=_WINDOW + _SIGHT),
    _chat(
        "meta-llama/Llama-3.2-11B-Vision-Instruct", window=_128_KI, reads=_IMAGE, documented=_SIGHT
    ),
    _chat(
        "meta-llama/Llama-3.2-90B-Vision-Instruct", window=_128_KI, reads=_IMAGE, documented=_SIGHT
    ),
    _chat(
        "Qwen/Qwen3-VL-235B-A22B-Instruct",
        window=128_000,
        reads=_IMAGE,
        documented=_WINDOW + _SIGHT,
    ),
    _chat("Qwen/Qwen3-VL-8B-Instruct", window=128_000, reads=_IMAGE, documented=_SIGHT),
    _chat("Qwen/Qwen3-235B-A22B-Instruct-2507", window=_128_KI, documented=_WINDOW),
    _chat("Qwen/Qwen3-Max", window=128_000, documented=_WINDOW),
    _chat("Qwen/Qwen3-Coder-480B-A35B-Instruct-Turbo", window=262_144, price="0.20"),
    _chat("Qwen/Qwen2.5-72B-Instruct", window=32_768, max_output=8_192),
    _chat("Qwen/Qwen2.5-32B-Instruct", window=32_768, max_output=8_192),
    _chat("Qwen/Qwen2.5-Coder-32B-Instruct", window=32_768, max_output=8_192),
    _chat("Qwen/QwQ-32B", window=_128_KI, features=_TOOLS | _REASONING),
    _chat("moonshotai/Kimi-K2.6", window=262_144, reads=_IMAGE, features=_TOOLS | _REASONING),
    _chat("openai/gpt-oss-120b", window=_128_KI, features=_TOOLS | _REASONING),
    _chat(
        "anthropic/claude-4-sonnet",
        window=200_000,
        max_output=64_000,
        reads=("image", "file"),
        price="3",
        documented=_WINDOW,
    ),
    _chat(
        "google/gemini-2.5-flash",
        window=1_000_000,
        max_output=65_536,
        reads=("image", "audio", "video", "file"),
        features=_TOOLS | _REASONING,
        documented=_WINDOW,
    ),
    _chat("mistralai/Mistral-Large-Instruct-2411", window=_128_KI),
    _chat("mistralai/Mixtral-8x22B-Instruct-v0.1", window=65_536),
    _chat("mistralai/Mistral-Small-24B-Instruct-2501", window=32_768),
    _chat("google/gemma-2-27b-it", window=8_192, features=_NO_TOOLS),
    _chat("google/gemma-2-9b-it", window=8_192, features=_NO_TOOLS),
    _chat("microsoft/phi-4", window=16_384, features=_NO_TOOLS),
    _chat("nvidia/Llama-3.1-Nemotron-70B-Instruct-HF", window=_128_KI),
)


def _embedding(model: str, *, window: int, dimensions: int) -> ModelInfo:
    return ModelInfo(
        id=model,
        output_modalities=("embeddings",),
        context_window=window,
        dimensions=dimensions,
        general_knowledge=frozenset({"context_window", "dimensions"}),
    )


_EMBEDDING_MODELS: Final = (
    _embedding("BAAI/bge-large-en-v1.5", window=512, dimensions=1024),
    _embedding("BAAI/bge-base-en-v1.5", window=512, dimensions=768),
    _embedding("sentence-transformers/all-MiniLM-L6-v2", window=256, dimensions=384),
)

_IMAGE_MODELS: Final = (
    ModelInfo(
        id="black-forest-labs/FLUX.1-schnell",
        output_modalities=("image",),
        usd_per_image=Decimal("0.003"),
    ),
)

MODELS: Final[tuple[ModelInfo, ...]] = (*_CHAT_MODELS, *_EMBEDDING_MODELS, *_IMAGE_MODELS)
"""Every model in the list. Of media models only those are in it whose price is published: their
parameters the service alone knows."""

_BY_NAME: Final = {
    name.casefold(): facts for facts in MODELS for name in (facts.id, *facts.aliases)
}
