"""The models that the emulator offers.

Every id stands in one of Runcrate's published documents or official packages, written as printed
there. Prices, context lengths and durations are taken from the same places where they state any;
everything else is the emulator's own choice, and each record lists those fields in
`emulator_values`. Models that the documents name without an id are left out: an invented id would
work here and nowhere else.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, Literal

Kind = Literal["chat", "embedding", "image", "video", "speech", "transcription"]

OBJECT_CREATED: Final = 1_767_225_600
"""Unix time in each listed model's `created` field: 2026-01-01, the emulator's own choice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One model of the catalogue.

    Attributes:
        id: The case-sensitive name that a request gives in `model`.
        kind: Which endpoint serves it.
        input_modalities: What it reads: `text`, `image`, `audio`, `video`, `file`.
        output_modalities: What it makes.
        supported_features: What a chat model can do besides writing text: `tools`,
            `structured_outputs`, `json_mode`, `reasoning`, `vision`, `logprobs`.
        context_length: Most tokens of prompt and answer together; `None` where it has no meaning.
        max_output_tokens: Most tokens of one answer; `None` where it has no meaning.
        input_usd_per_million: Price of a million prompt tokens in US dollars.
        output_usd_per_million: Price of a million answered tokens in US dollars.
        unit_usd: Price in US dollars of one `unit` of a media model.
        unit: What a media model is charged by: `image`, `second`, `minute` or `million characters`.
        dimensions: Length of an embedding model's vectors.
        durations: Seconds of video that a request may ask for; empty means any from 1 to 20.
        voices: Names of a speech model's voices, the default first.
        edits_images: Whether an image model takes source images.
        aliases: Other spellings that a document prints for the same model.
        emulator_values: Names of the fields above that no document states.
    """

    id: str
    kind: Kind
    input_modalities: tuple[str, ...] = ("text",)
    output_modalities: tuple[str, ...] = ("text",)
    supported_features: tuple[str, ...] = ()
    context_length: int | None = None
    max_output_tokens: int | None = None
    input_usd_per_million: Decimal = Decimal(0)
    output_usd_per_million: Decimal = Decimal(0)
    unit_usd: Decimal = Decimal(0)
    unit: str = ""
    dimensions: int | None = None
    durations: tuple[int, ...] = ()
    voices: tuple[str, ...] = ()
    edits_images: bool = False
    aliases: tuple[str, ...] = ()
    emulator_values: tuple[str, ...] = ()

    def has(self, feature: str) -> bool:
        """Whether the model supports the named feature."""
        return feature in self.supported_features

    def reads(self, modality: str) -> bool:
        """Whether the model takes input of the named modality."""
        return modality in self.input_modalities

    def cost_usd(self, prompt_tokens: int, completion_tokens: int = 0) -> Decimal:
        """The price in US dollars of a request with these token counts."""
        million = Decimal(1_000_000)
        return (
            self.input_usd_per_million * prompt_tokens
            + self.output_usd_per_million * completion_tokens
        ) / million

    def listed(self) -> dict[str, Any]:
        """The entry in the answer of `GET /v1/models`.

        `id`, `input_modalities`, `output_modalities` and `supported_features` are read by official
        software; the other fields are the emulator's extension, and `emulator_values` says which
        of their values are its own.
        """
        return {
            "id": self.id,
            "object": "model",
            "created": OBJECT_CREATED,
            "owned_by": self.id.partition("/")[0],
            "input_modalities": list(self.input_modalities),
            "output_modalities": list(self.output_modalities),
            "supported_features": list(self.supported_features),
            "context_length": self.context_length,
            "max_output_tokens": self.max_output_tokens,
            "emulator": {
                "kind": self.kind,
                "pricing": self._pricing(),
                "dimensions": self.dimensions,
                "durations": list(self.durations),
                "voices": list(self.voices),
                "aliases": list(self.aliases),
                "emulator_values": list(self.emulator_values),
            },
        }

    def _pricing(self) -> dict[str, str]:
        if self.unit:
            return {"unit": self.unit, "usd": str(self.unit_usd)}
        return {
            "input_usd_per_million_tokens": str(self.input_usd_per_million),
            "output_usd_per_million_tokens": str(self.output_usd_per_million),
        }


_TEXT_FEATURES: Final[tuple[str, ...]] = ("tools", "structured_outputs", "json_mode", "logprobs")
_CONTEXT: Final = 131_072
_MAX_OUTPUT: Final = 16_384


def _chat(
    model_id: str,
    *,
    reads: tuple[str, ...] = (),
    reasoning: bool = False,
    context: int | None = None,
    price: str | None = None,
    own_price: str = "0.40",
    aliases: tuple[str, ...] = (),
) -> Model:
    """A chat model; `context` and `price` (US dollars per million tokens) as far as documented."""
    own = ["supported_features", "max_output_tokens"]
    own += [] if context else ["context_length"]
    own += [] if price else ["input_usd_per_million", "output_usd_per_million"]
    features = _TEXT_FEATURES
    features += ("vision",) if "image" in reads else ()
    features += ("reasoning",) if reasoning else ()
    usd = Decimal(price or own_price)
    return Model(
        id=model_id,
        kind="chat",
        input_modalities=("text", *reads),
        supported_features=features,
        context_length=context or _CONTEXT,
        max_output_tokens=_MAX_OUTPUT,
        input_usd_per_million=usd,
        output_usd_per_million=usd,
        aliases=aliases,
        emulator_values=tuple(own),
    )


_IMAGE: Final = ("image",)

_CHAT_MODELS: Final = (
    _chat("meta-llama/Meta-Llama-3.1-8B-Instruct", own_price="0.05"),
    _chat("deepseek-ai/DeepSeek-V3", context=128_000),
    _chat("deepseek-ai/DeepSeek-V3.2", price="0.30", aliases=("deepseek/deepseek-v3.2",)),
    _chat("deepseek-ai/DeepSeek-R1-0528", reasoning=True, own_price="0.80"),
    _chat("deepseek-ai/DeepSeek-R1", reasoning=True, own_price="0.80"),
    _chat("deepseek-ai/DeepSeek-R1-Distill-Llama-70B", reasoning=True),
    _chat("deepseek-ai/DeepSeek-R1-Distill-Qwen-32B", reasoning=True),
    _chat("meta-llama/Llama-3.3-70B-Instruct"),
    _chat("meta-llama/Llama-3.1-405B-Instruct", own_price="0.90"),
    _chat("meta-llama/Llama-3.1-70B-Instruct"),
    _chat("meta-llama/Llama-3.1-8B-Instruct", own_price="0.05"),
    _chat("meta-llama/Llama-4-Scout", reads=_IMAGE, context=128_000),
    _chat("meta-llama/Llama-3.2-11B-Vision-Instruct", reads=_IMAGE),
    _chat("meta-llama/Llama-3.2-90B-Vision-Instruct", reads=_IMAGE),
    _chat("Qwen/Qwen3-VL-235B-A22B-Instruct", reads=_IMAGE, context=128_000),
    _chat("Qwen/Qwen3-VL-8B-Instruct", reads=_IMAGE, own_price="0.08"),
    _chat("Qwen/Qwen3-235B-A22B-Instruct-2507", context=131_072),
    _chat("Qwen/Qwen3-Max", context=128_000, own_price="1.20"),
    _chat("Qwen/Qwen3-Coder-480B-A35B-Instruct-Turbo", price="0.20"),
    _chat("Qwen/Qwen2.5-72B-Instruct"),
    _chat("Qwen/Qwen2.5-32B-Instruct"),
    _chat("Qwen/Qwen2.5-Coder-32B-Instruct"),
    _chat("Qwen/QwQ-32B", reasoning=True),
    _chat("moonshotai/Kimi-K2.6"),
    _chat("openai/gpt-oss-120b", reasoning=True),
    _chat("anthropic/claude-4-sonnet", reads=("image", "file"), context=200_000, price="3"),
    _chat(
        "google/gemini-2.5-flash",
        reads=("image", "audio", "video", "file"),
        reasoning=True,
        context=1_000_000,
    ),
    _chat("mistralai/Mistral-Large-Instruct-2411"),
    _chat("mistralai/Mixtral-8x22B-Instruct-v0.1"),
    _chat("mistralai/Mistral-Small-24B-Instruct-2501"),
    _chat("google/gemma-2-27b-it"),
    _chat("google/gemma-2-9b-it", own_price="0.05"),
    _chat("microsoft/phi-4", own_price="0.10"),
    _chat("nvidia/Llama-3.1-Nemotron-70B-Instruct-HF"),
)


def _embedding(model_id: str, dimensions: int, context: int) -> Model:
    return Model(
        id=model_id,
        kind="embedding",
        output_modalities=("embeddings",),
        context_length=context,
        input_usd_per_million=Decimal("0.01"),
        dimensions=dimensions,
        emulator_values=("context_length", "dimensions", "input_usd_per_million"),
    )


_EMBEDDING_MODELS: Final = (
    _embedding("BAAI/bge-large-en-v1.5", 1024, 8192),
    _embedding("BAAI/bge-base-en-v1.5", 768, 8192),
    _embedding("sentence-transformers/all-MiniLM-L6-v2", 384, 8192),
)


def _image(
    model_id: str, price: str | None = None, *, edits: bool = False, aliases: tuple[str, ...] = ()
) -> Model:
    return Model(
        id=model_id,
        kind="image",
        input_modalities=("text", "image") if edits else ("text",),
        output_modalities=("image",),
        unit_usd=Decimal(price or "0.02"),
        unit="image",
        edits_images=edits,
        aliases=aliases,
        emulator_values=() if price else ("unit_usd",),
    )


_IMAGE_MODELS: Final = (
    _image("black-forest-labs/FLUX.1-schnell", "0.003"),
    _image("black-forest-labs/FLUX.1-dev", edits=True),
    _image("black-forest-labs/FLUX.1-pro"),
    _image("black-forest-labs/FLUX.1.1-pro", aliases=("black-forest-labs/flux-1.1-pro",)),
    _image("black-forest-labs/FLUX.1-kontext-pro", edits=True),
    _image("Wan-AI/Wan2.6-Image-Edit", edits=True),
    _image("ideogram-ai/ideogram-v2"),
    _image("ideogram-ai/ideogram-v2-turbo"),
    _image("recraft-ai/recraft-v3"),
    _image("recraft-ai/recraft-v3-svg"),
    _image("stabilityai/stable-diffusion-xl-base-1.0", edits=True),
    _image("stabilityai/stable-diffusion-3.5-large", edits=True),
    _image("stabilityai/stable-diffusion-3.5-large-turbo", edits=True),
)


def _video(model_id: str, durations: tuple[int, ...] = ()) -> Model:
    return Model(
        id=model_id,
        kind="video",
        input_modalities=("text", "image"),
        output_modalities=("video",),
        unit_usd=Decimal("0.10"),
        unit="second",
        durations=durations,
        emulator_values=("unit_usd",) if durations else ("unit_usd", "durations"),
    )


_VIDEO_MODELS: Final = (
    _video("google/veo-3.0", (4, 6, 8)),
    _video("openai/sora-2", (4, 8, 12)),
    _video("wan-ai/Wan2.1-T2V-14B"),
)


def _speech(model_id: str, voices: tuple[str, ...]) -> Model:
    return Model(
        id=model_id,
        kind="speech",
        output_modalities=("audio",),
        unit_usd=Decimal("1.00"),
        unit="million characters",
        voices=voices,
        emulator_values=("unit_usd", "voices"),
    )


_SPEECH_MODELS: Final = (
    _speech("hexgrad/Kokoro-82M", ("af_heart", "af_bella", "am_adam", "bf_emma", "bm_george")),
    _speech("openai/tts-1", ("alloy", "echo", "fable", "onyx", "nova", "shimmer")),
)


def _transcription(model_id: str) -> Model:
    return Model(
        id=model_id,
        kind="transcription",
        input_modalities=("audio",),
        unit_usd=Decimal("0.006"),
        unit="minute",
        emulator_values=("unit_usd",),
    )


_TRANSCRIPTION_MODELS: Final = (
    _transcription("openai/whisper-1"),
    _transcription("openai/whisper-large-v3"),
    _transcription("openai/whisper-large-v3-turbo"),
)

MODELS: Final[tuple[Model, ...]] = (
    *_CHAT_MODELS,
    *_EMBEDDING_MODELS,
    *_IMAGE_MODELS,
    *_VIDEO_MODELS,
    *_SPEECH_MODELS,
    *_TRANSCRIPTION_MODELS,
)

_BY_ID: Final = {name: model for model in MODELS for name in (model.id, *model.aliases)}


def find(model_id: str) -> Model | None:
    """The model with this exact id or documented alias, or `None`."""
    return _BY_ID.get(model_id)


def of_kind(kind: Kind) -> tuple[Model, ...]:
    """The models of one kind, in catalogue order."""
    return tuple(model for model in MODELS if model.kind == kind)
