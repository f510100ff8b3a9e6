"""Assumptions about the service, as data: expectation, source, and what depends on it.

Wherever two sources contradict each other there is a row. A row without an observation is settled
by a policy of the client that works with every variant, and a note why no probe decides it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final

from runcrate_core.verification import observations as seen

if TYPE_CHECKING:
    from collections.abc import Callable

    from runcrate_core.verification.exchanges import Exchanges


class Level(Enum):
    """Levels of probes, by what they cost."""

    FREE = "free"
    INFERENCE = "inference"
    LAUNCH = "launch"


@dataclass(frozen=True, slots=True)
class Assumption:
    """One fact about the service that this project relies on.

    Attributes:
        id: Stable name of the row, for reports and for the emulator.
        topic: The subject, in a few words.
        source: Where the expectation comes from.
        variants: Labels that sources name or that servers of this kind show.
        expected: Labels that agree with the client, the emulator and the documentation.
        affects: Part of the client that depends on it.
        level: Level whose probes show it; `None` for a row that is settled by policy.
        probe: Probe that shows it; `None` for a row that is settled by policy.
        observe: Returns the variant that the exchanges show, or `None` when they do not show it.
        policy: The client's rule, for a row that no probe decides.
    """

    id: str
    topic: str
    source: str
    variants: tuple[str, ...]
    expected: tuple[str, ...] = ()
    affects: str = ""
    level: Level | None = None
    probe: str | None = None
    observe: Callable[[Exchanges], str | None] | None = None
    policy: str = ""

    @property
    def requires(self) -> str:
        """Probe that shows whether the API of this row is offered at all."""
        return "balance" if self.probe in _INFRASTRUCTURE_PROBES else "models"


_INFRASTRUCTURE_PROBES: Final = frozenset(
    {
        "balance",
        "balance_wrong_key",
        "instance_missing_field",
        "instance_unknown_id",
        "unknown_environment",
        "instance_types",
        "transactions",
        "transactions_bad_page",
        "jobs",
        "auto_recharge",
        "usage_times",
    }
)


def _probed(
    level: Level,
    name: str,
    topic: str,
    source: str,
    variants: tuple[str, ...],
    expected: tuple[str, ...],
    affects: str,
    probe: str,
    observe: Callable[[Exchanges], str | None],
) -> Assumption:
    return Assumption(name, topic, source, variants, expected, affects, level, probe, observe)


def _settled(
    name: str, topic: str, source: str, variants: tuple[str, ...], policy: str
) -> Assumption:
    return Assumption(name, topic, source, variants, policy=policy)


_FREE: Final = (
    _probed(
        Level.FREE,
        "infrastructure-host",
        "Infrastructure host",
        "official SDK 0.5.0: www.runcrate.ai; seed 003: runcrate.ai",
        ("answers", "redirects"),
        ("answers",),
        "config.DEFAULT_BASE_URL",
        "balance",
        seen.host("balance"),
    ),
    _probed(
        Level.FREE,
        "inference-host",
        "Inference host",
        "seed 000",
        ("answers", "redirects"),
        ("answers",),
        "config.DEFAULT_INFERENCE_URL",
        "models",
        seen.host("models"),
    ),
    _probed(
        Level.FREE,
        "environment-parameter",
        "Environment as the query parameter `environment`",
        "official SDK 0.5.0; the CLI sends a header",
        ("read", "ignored"),
        ("read",),
        "client option `environment`",
        "unknown_environment",
        seen.environment_parameter,
    ),
    _probed(
        Level.FREE,
        "inference-error-envelope",
        "Error body of the inference API",
        "seed 000: message, type, code; seed 001: code, message, details",
        ("error with type", "error with code", "error with message", "error text", "detail"),
        ("error with type",),
        "protocol.error_mapping",
        "chat_wrong_key",
        seen.inference_envelope,
    ),
    _probed(
        Level.FREE,
        "infrastructure-error-envelope",
        "Error body of the infrastructure API",
        "seed 001, seed 003",
        ("error with code", "error with type", "error with message", "error text", "detail"),
        ("error with code",),
        "protocol.error_mapping",
        "balance_wrong_key",
        seen.infrastructure_envelope,
    ),
    _probed(
        Level.FREE,
        "error-code-casing",
        "Casing of error codes",
        "seed 001: lower case; CLI fixtures: upper case",
        ("lower", "upper", "mixed"),
        ("lower",),
        "protocol.error_mapping, compared without case",
        "balance_wrong_key",
        seen.code_casing,
    ),
    _probed(
        Level.FREE,
        "infrastructure-validation-status",
        "Status of an invalid infrastructure request",
        "seed 000 and TypeScript fixtures: 400; seed 003: 422",
        ("400", "422"),
        ("400",),
        "errors.BadRequestError, errors.UnprocessableEntityError",
        "instance_missing_field",
        seen.status_of("instance_missing_field"),
    ),
    _probed(
        Level.FREE,
        "inference-validation-status",
        "Status of an invalid inference request",
        "seed 000: 400; seed 003: 422",
        ("400", "422"),
        ("400",),
        "errors.BadRequestError, errors.UnprocessableEntityError",
        "chat_missing_field",
        seen.status_of("chat_missing_field"),
    ),
    _probed(
        Level.FREE,
        "wrong-key-inference",
        "Status for a wrong key, inference API",
        "seed 000",
        ("401", "403"),
        ("401",),
        "errors.AuthenticationError",
        "chat_wrong_key",
        seen.status_of("chat_wrong_key"),
    ),
    _probed(
        Level.FREE,
        "wrong-key-infrastructure",
        "Status for a wrong key, infrastructure API",
        "seed 003",
        ("401", "403"),
        ("401",),
        "errors.AuthenticationError",
        "balance_wrong_key",
        seen.status_of("balance_wrong_key"),
    ),
    _probed(
        Level.FREE,
        "unknown-id",
        "Status for an unknown instance",
        "seed 003",
        ("404", "400"),
        ("404",),
        "errors.NotFoundError",
        "instance_unknown_id",
        seen.status_of("instance_unknown_id"),
    ),
    _probed(
        Level.FREE,
        "unknown-model",
        "Status for an unknown model",
        "the field's practice; no Runcrate source",
        ("404", "400", "422"),
        ("404",),
        "errors.NotFoundError, errors.BadRequestError",
        "chat_unknown_model",
        seen.status_of("chat_unknown_model"),
    ),
    _probed(
        Level.FREE,
        "inference-endpoints",
        "Embeddings and models are offered",
        "seed 001 names both; seed 000 lists neither",
        ("offered", "missing"),
        ("offered",),
        "client.embeddings, client.models",
        "embeddings_missing_field",
        seen.offered("models", "embeddings_missing_field"),
    ),
    _probed(
        Level.FREE,
        "models-authentication",
        "Key for listing models",
        "seed 000: every endpoint; llm-runcrate: none",
        ("open", "key needed"),
        ("open",),
        "api.models; the key is sent where there is one",
        "models_wrong_key",
        seen.models_authentication,
    ),
    _probed(
        Level.FREE,
        "model-ids",
        "Form of model ids",
        "seed 003, seed 004",
        ("owner/name", "name", "mixed"),
        ("owner/name",),
        "models_catalogue; ids are opaque and keep their case",
        "models",
        seen.model_id_style,
    ),
    _probed(
        Level.FREE,
        "model-modalities",
        "Modalities of listed models",
        "llm-runcrate",
        ("listed", "missing", "mixed"),
        ("listed",),
        "models_catalogue.parse_model_info",
        "models",
        seen.model_modalities,
    ),
    _probed(
        Level.FREE,
        "balance-case",
        "Field names of the balance",
        "reference page: camelCase; the rest of the API: snake_case",
        ("camelCase", "snake_case"),
        ("camelCase",),
        "api.envelope.ApiModel reads both",
        "balance",
        seen.field_case("balance", "creditsBalance", "credits_balance"),
    ),
    _probed(
        Level.FREE,
        "transactions-case",
        "Field names of transactions",
        "reference page: camelCase; official SDK 0.5.0: snake_case",
        ("camelCase", "snake_case"),
        ("camelCase",),
        "api.envelope.ApiModel reads both",
        "transactions",
        seen.field_case("transactions", "createdAt", "created_at"),
    ),
    _probed(
        Level.FREE,
        "instance-types-case",
        "Field names of instance types",
        "official SDK 0.5.0",
        ("snake_case", "camelCase"),
        ("snake_case",),
        "api.envelope.ApiModel reads both",
        "instance_types",
        seen.field_case("instance_types", "hourlyRate", "hourly_rate"),
    ),
    _probed(
        Level.FREE,
        "list-envelope",
        "Form of infrastructure lists",
        "seed 001",
        ("data and meta", "data", "bare list"),
        ("data and meta",),
        "api.envelope",
        "jobs",
        seen.list_envelope,
    ),
    _probed(
        Level.FREE,
        "paging",
        "Field that reports further pages",
        "official SDK 0.5.0: hasMore, also has_more",
        ("hasMore", "has_more", "neither"),
        ("hasMore",),
        "protocol.paging reads both",
        "jobs",
        seen.cursor_meta,
    ),
    _probed(
        Level.FREE,
        "bad-page",
        "A page size out of range",
        "official SDK 0.5.0: 1 to 100",
        ("refused", "accepted"),
        ("refused",),
        "api.billing.list_transactions",
        "transactions_bad_page",
        seen.accepted("transactions_bad_page"),
    ),
    _probed(
        Level.FREE,
        "auto-recharge-fields",
        "Field of the automatic recharge",
        "official SDK 0.5.0: target_usd; billing page: amount",
        ("target_usd", "amount_usd", "amount"),
        ("target_usd",),
        "api.top_ups",
        "auto_recharge",
        seen.auto_recharge_fields,
    ),
    _probed(
        Level.FREE,
        "usage-dates",
        "Dates of a usage query",
        "seed 003: days; the CLI: times",
        ("days and times", "days", "times", "neither"),
        ("days and times",),
        "api.billing.usage",
        "usage_times",
        seen.usage_dates,
    ),
    _probed(
        Level.FREE,
        "rate-limit-headers",
        "Rate-limit headers on every response",
        "seed 000 names them with status 429",
        ("sent", "not sent"),
        ("sent",),
        "protocol.rate_limiter; without them the limiter waits for a 429",
        "models",
        seen.rate_limit_headers,
    ),
    _probed(
        Level.FREE,
        "rate-limit-reset",
        "Unit of `X-RateLimit-Reset`",
        "seed 000: unix time",
        ("unix time", "seconds", "duration"),
        ("unix time",),
        "protocol.rate_limiter reads all three",
        "models",
        seen.rate_limit_reset,
    ),
    _probed(
        Level.FREE,
        "request-id",
        "Request id in a header",
        "no Runcrate source; the practice of gateways",
        ("sent", "not sent"),
        ("not sent",),
        "error.request_id",
        "models",
        seen.request_id,
    ),
)

_I = Level.INFERENCE
_INFERENCE: Final = (
    _probed(
        _I,
        "chat-usage",
        "Usage of a complete chat response",
        "seed 001",
        ("sent", "not sent"),
        ("sent",),
        "usage_metadata, cost reports",
        "chat",
        seen.chat_usage,
    ),
    _probed(
        _I,
        "chat-token-limit",
        "Finish reason at the token limit",
        "seed 001",
        ("length", "stop", "other"),
        ("length",),
        "handling of cut responses in both adapters",
        "chat",
        seen.chat_cut,
    ),
    _probed(
        _I,
        "message-fields",
        "Assistant messages with tool calls and no content",
        "the OpenAI practice; seed 001 requires content",
        ("accepted", "refused"),
        ("accepted",),
        "tool round trips in both adapters",
        "chat_tool_result",
        seen.accepted("chat_tool_result"),
    ),
    _probed(
        _I,
        "streaming-usage",
        "Usage at the end of a stream",
        "no Runcrate source; the OpenAI practice (`stream_options`)",
        ("sent", "not sent", "refused"),
        ("sent",),
        "usage of streams",
        "chat_stream",
        seen.streaming_usage,
    ),
    _probed(
        _I,
        "stream-end",
        "End of a stream",
        "seed 004",
        ("[DONE]", "no marker"),
        ("[DONE]",),
        "protocol.sse; a finish reason ends a stream as well",
        "chat_stream",
        seen.stream_end,
    ),
    _probed(
        _I,
        "tool-calls",
        "Forced tool call, complete",
        "seed 001",
        ("tool_calls", "text", "refused"),
        ("tool_calls",),
        "tool calling in both adapters",
        "chat_tools",
        seen.tool_call,
    ),
    _probed(
        _I,
        "tool-calls-streamed",
        "Forced tool call, streamed",
        "the OpenAI practice",
        ("tool_calls", "text", "refused"),
        ("tool_calls",),
        "streamed tool calling in both adapters",
        "chat_tools_stream",
        seen.streamed_tool_call,
    ),
    _probed(
        _I,
        "reasoning-field",
        "Field of a model's reasoning",
        "langchain-runcrate 0.1.0: reasoning_content",
        ("reasoning_content", "reasoning", "thinking", "none"),
        ("reasoning_content",),
        "protocol.chat_types.extract_reasoning reads all three",
        "chat_reasoning",
        seen.reasoning_field,
    ),
    _probed(
        _I,
        "embedding-encoding",
        "Default encoding of vectors",
        "reference page of embeddings",
        ("numbers", "base64"),
        ("numbers",),
        "api.embeddings reads both",
        "embedding",
        seen.embedding_encoding("embedding"),
    ),
    _probed(
        _I,
        "embedding-base64",
        "Vectors as base64 on request",
        "reference page of embeddings",
        ("base64", "numbers"),
        ("base64",),
        "api.embeddings reads both",
        "embedding_base64",
        seen.embedding_encoding("embedding_base64"),
    ),
    _probed(
        _I,
        "image-delivery",
        "Delivery of an image by default",
        "OpenAPI page: url; README of the official SDK: base64",
        ("url", "b64_json", "data URI"),
        ("url",),
        "GeneratedImage.to_bytes reads all three",
        "image",
        seen.image_delivery,
    ),
    _probed(
        _I,
        "image-created",
        "Time of an image response",
        "OpenAPI page: present; older page: absent",
        ("present", "absent"),
        ("present",),
        "ImageGeneration.created is optional",
        "image",
        seen.image_created,
    ),
    _probed(
        _I,
        "speech-format",
        "Default format of speech",
        "reference page of speech: mp3",
        ("audio/mpeg", "audio/wav", "unknown bytes"),
        ("audio/mpeg",),
        "names of speech files",
        "speech",
        seen.speech_format,
    ),
    _probed(
        _I,
        "speech-header",
        "Content type of speech",
        "reference page of speech",
        ("audio", "other"),
        ("audio",),
        "names of speech files",
        "speech",
        seen.speech_header,
    ),
    *(
        _probed(
            _I,
            f"transcription-{kind}",
            f"Transcription with response_format `{kind}`",
            "seed 003 reads `.text` of every format; the OpenAI practice is plain text",
            ("JSON", "plain text", "refused"),
            ("JSON",) if kind == "json" else ("plain text",),
            "api.audio reads both",
            f"transcription_{kind}",
            seen.transcript(f"transcription_{kind}"),
        )
        for kind in ("json", "text", "srt", "vtt")
    ),
)

_L = Level.LAUNCH
_LAUNCH: Final = (
    _probed(
        _L,
        "env-vars-form",
        "Environment variables of an instance as an object",
        "official SDK 0.5.0: object; OpenAPI page and CLI: list of key and value",
        ("accepted", "refused"),
        ("accepted",),
        "client.instances.create(env_vars=...)",
        "instance_with_variables",
        seen.environment_variables,
    ),
    _probed(
        _L,
        "create-status",
        "Status of a launch",
        "observed: 201; fixtures: 200",
        ("201", "200"),
        ("201",),
        "any 2xx is accepted",
        "instance_created",
        seen.launch_status,
    ),
    _probed(
        _L,
        "ssh-key-optional",
        "Launch without an SSH key",
        "OpenAPI page: optional; official SDK 0.5.0: required",
        ("accepted", "refused"),
        ("accepted",),
        "client.instances.create",
        "instance_created",
        seen.accepted("instance_created"),
    ),
    _probed(
        _L,
        "lifetime",
        "Lifetime in the launched instance",
        "official SDK 0.5.0",
        ("kept", "dropped"),
        ("kept",),
        "every limit on spending",
        "instance_created",
        seen.lifetime_kept,
    ),
    _probed(
        _L,
        "lookup-by-name",
        "Instance found by its name",
        "official SDK 0.5.0: `search`",
        ("found", "not found"),
        ("found",),
        "protocol.reconcile after a lost response",
        "instances_by_name",
        seen.found_by_name,
    ),
    _probed(
        _L,
        "instance-statuses",
        "Words for an instance's status",
        "no published list; fixtures and the CLI",
        ("known", "new"),
        ("known",),
        "instances.wait_until_running; unknown words are waited through",
        "instance_status",
        seen.instance_status_words,
    ),
    _probed(
        _L,
        "update-limits",
        "Change of a running instance's lifetime",
        "official SDK 0.5.0",
        ("accepted", "refused"),
        ("accepted",),
        "client.instances.update",
        "instance_updated",
        seen.accepted("instance_updated"),
    ),
    _probed(
        _L,
        "delete-status",
        "Status of a termination",
        "official SDK 0.5.0: 204; observed: 200",
        ("204", "200"),
        ("204",),
        "any 2xx is accepted, then the instance is seen to have ended",
        "instance_deleted",
        seen.status_of("instance_deleted"),
    ),
)

_SETTLED: Final = (
    _settled(
        "base-url-version",
        "Base URL with or without its version part",
        "seed 000, seed 001: with; seed 003: without",
        ("with", "without"),
        "Both forms are accepted and normalised.",
    ),
    _settled(
        "budget-code",
        "Code of a spent budget",
        "official SDK 0.5.0: BUDGET_REACHED and budget_exceeded",
        ("BUDGET_REACHED", "budget_exceeded"),
        "Both are recognised; showing one would take a spent budget.",
    ),
    _settled(
        "inference-statuses",
        "Statuses of the inference API",
        "seed 000, seed 001 and seed 003 list different ones",
        ("400", "402", "422", "429", "500"),
        "Every status has its error class.",
    ),
    _settled(
        "temperature-default",
        "Default temperature",
        "seed 004: 0.7; seed 001: none",
        ("0.7", "none"),
        "It is not sent unless it is set.",
    ),
    _settled(
        "video-length-field",
        "Field for the length of a video",
        "seed 002: duration; OpenAPI page: duration_seconds",
        ("duration", "duration_seconds"),
        "`duration` is sent, other fields pass through; a video costs more than the limit.",
    ),
    _settled(
        "video-length-type",
        "Type of the length of a video",
        "seed 002: integer; official SDK 0.5.0: number",
        ("integer", "number"),
        "Whole numbers are sent as integers; a video costs more than the limit.",
    ),
    _settled(
        "video-image-field",
        "Field for the first image of a video",
        "seed 003: image; official SDK 0.5.0: start_image; OpenAPI page: image_url",
        ("image", "start_image", "image_url"),
        "The field that the caller names is sent; a video costs more than the limit.",
    ),
    _settled(
        "video-ratios",
        "Aspect ratios of videos",
        "seed 002: 16:9, 9:16; older page: also 1:1",
        ("two", "three"),
        "No ratio is refused locally; a video costs more than the limit.",
    ),
    _settled(
        "image-edit-field",
        "Field for the image to edit",
        "seed 003: image; guide: input_image",
        ("image", "input_image"),
        "`image` is sent, other fields pass through; models differ.",
    ),
    _settled(
        "audio-types",
        "Audio types that are transcribed",
        "pages differ on flac and ogg",
        ("with flac", "with ogg"),
        "No type is refused locally.",
    ),
    _settled(
        "instance-types-stock",
        "Instance types that are listed",
        "docs: what is available; observed: the complete catalogue",
        ("available", "catalogue"),
        "A listed type is not taken for an available one.",
    ),
    _settled(
        "no-capacity-status",
        "Status when there is no capacity",
        "official SDK 0.5.0: 503; observed: 500, 502",
        ("503", "500", "502"),
        "Only 503 is retried; 500 and 502 are looked up. Stock cannot be exhausted by a probe.",
    ),
    _settled(
        "post-retries",
        "Retries of requests that create",
        "seed 003: 429 and 5xx; official SDK 0.5.0: with care",
        ("plain", "careful"),
        "Never retried once the request may have been received.",
    ),
    _settled(
        "inference-retries",
        "Retries of inference",
        "Python SDK: none; TypeScript SDK: all; seed 001: on 429",
        ("none", "all", "429"),
        "Chat and embeddings are retried; video jobs are not once they may have been received.",
    ),
    _settled(
        "chat-timeout",
        "Timeout of chat",
        "official SDK 0.5.0: 30 s",
        ("30 s", "600 s"),
        "600 s of silence, since reasoning models take minutes.",
    ),
    _settled(
        "key-scope",
        "Scope of a key",
        "seed 003: workspace; older page: project",
        ("workspace", "project"),
        "A key is treated as the workspace's.",
    ),
    _settled(
        "gpu-billing",
        "Granularity of GPU billing",
        "seed 001: second; billing page: hour",
        ("second", "hour"),
        "A reservation is the complete lifetime; compare the cost of the report with the balance.",
    ),
    _settled(
        "top-up-minimum",
        "Smallest top-up",
        "dashboard: 5 USD; official SDK 0.5.0: 20 USD",
        ("5", "20"),
        "20 USD; a probe could charge a card.",
    ),
)

ASSUMPTIONS: Final = (*_FREE, *_INFERENCE, *_LAUNCH, *_SETTLED)
