"""Probe requests, as flows: what is sent for each level, and which models it is sent to.

Nothing here is retried, apart from one wait for the rate limit: a probe shows what the service
does. The free probes read, or send a request that must be refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from runcrate_core.protocol.file_sources import BytesSource
from runcrate_core.protocol.media_types import sniffed_type, suffix_of
from runcrate_core.protocol.multipart import FilePart, encode_form, form_fields
from runcrate_core.protocol.request import (
    ReadTimeout,
    Request,
    RetrySafety,
    Surface,
    infrastructure_request,
    json_request,
)
from runcrate_core.protocol.response import Response
from runcrate_core.protocol.retry import TOO_MANY_REQUESTS, retry_hint
from runcrate_core.protocol.steps import Send, Sleep
from runcrate_core.verification.exchanges import Exchanges

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from runcrate_core.protocol.response import TransportFailure
    from runcrate_core.protocol.steps import Flow

# It has the form of a key and belongs to nobody.
_WRONG_KEY: Final = (("authorization", "Bearer rc_live_verify_wrong"),)
_UNKNOWN: Final = "runcrate-verify-unknown"
MAX_WAIT_S: Final = 65.0  # a window of the rate limit is a minute (seed 000)

# The cheapest model of each kind that a source prints a price for, or that is the smallest.
PREFERRED: Final[Mapping[str, tuple[str, ...]]] = {
    "chat": (
        "meta-llama/Meta-Llama-3.1-8B-Instruct",
        "meta-llama/Llama-3.1-8B-Instruct",
        "deepseek-ai/DeepSeek-V3.2",
        "deepseek-ai/DeepSeek-V3",
    ),
    "reasoning": ("deepseek-ai/DeepSeek-R1-0528", "deepseek-ai/DeepSeek-R1"),
    "embedding": ("sentence-transformers/all-MiniLM-L6-v2", "BAAI/bge-base-en-v1.5"),
    "speech": ("hexgrad/Kokoro-82M", "openai/tts-1"),
    "transcription": (
        "openai/whisper-1",
        "openai/whisper-large-v3-turbo",
        "openai/whisper-large-v3",
    ),
    "image": ("black-forest-labs/FLUX.1-schnell",),
}
_OUTPUT: Final = {"embedding": "embeddings", "speech": "audio", "image": "image"}
_VOICES: Final = {"kokoro": "af_heart"}  # by a part of the model's id
_DEFAULT_VOICE: Final = "alloy"

# Upper bounds in USD: a few tokens at the highest published price, three words, a small image.
PRICES_USD: Final[Mapping[str, Decimal]] = {
    "chat": Decimal("0.005"),
    "reasoning": Decimal("0.002"),
    "embedding": Decimal("0.001"),
    "speech": Decimal("0.002"),
    "transcription": Decimal("0.008"),
    "image": Decimal("0.010"),
}


@dataclass(frozen=True, slots=True)
class Models:
    """The model of each kind that probes are sent to; `None` where none is listed.

    Attributes:
        by_kind: Model ids by kind.
    """

    by_kind: Mapping[str, str | None]

    def estimate_usd(self) -> Decimal:
        """Return an upper bound for the cost of the inference probes."""
        return sum((PRICES_USD[kind] for kind, model in self.by_kind.items() if model), Decimal(0))


def choose_models(exchanges: Exchanges, given: Mapping[str, str] | None = None) -> Models:
    """Return the model of each kind: a given one, a known cheap one, or the first of its kind.

    Args:
        exchanges: Exchanges of the free probes, with the list of models.
        given: Model ids by kind, chosen by the caller.
    """
    rows = exchanges.rows("models")
    return Models({kind: (given or {}).get(kind) or _choose(kind, rows) for kind in PREFERRED})


def _choose(kind: str, rows: list[dict[str, Any]]) -> str | None:
    listed = {str(row.get("id")): row for row in rows}
    for name in PREFERRED[kind]:
        if name in listed:
            return name
    if kind in {"reasoning", "transcription"}:
        return next((name for name in listed if _sounds_like(kind, name)), None)
    for name, row in listed.items():
        output = row.get("output_modalities")
        if kind == "chat" and (output is None or output == ["text"]):
            return name
        if kind != "chat" and isinstance(output, list) and _OUTPUT[kind] in output:
            return name
    return None


def _sounds_like(kind: str, name: str) -> bool:
    words = ("whisper",) if kind == "transcription" else ("-r1", "qwq")
    return any(word in name.lower() for word in words)


def _infrastructure(method: str, route: str, **options: Any) -> Request:
    return infrastructure_request(method, route, RetrySafety.NEVER, **options)


def _inference(method: str, path: str, **options: Any) -> Request:
    options.setdefault("read_timeout", ReadTimeout.MEDIA)
    return json_request(Surface.INFERENCE, method, path, retry=RetrySafety.NEVER, **options)


def _with_wrong_key(request: Request) -> Request:
    return Request(
        **{name: getattr(request, name) for name in request.__slots__} | {"headers": _WRONG_KEY}
    )


def free_requests(models: Models) -> Iterator[tuple[str, Request]]:
    """Yield the free probes by name: reads, and requests that must be refused.

    Args:
        models: Models that exist, so that a missing field is what is refused.
    """
    user = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1}
    chat, embedding = (models.by_kind[kind] or _UNKNOWN for kind in ("chat", "embedding"))
    yield "balance", _infrastructure("GET", "/billing/balance")
    yield "models_wrong_key", _with_wrong_key(_inference("GET", "/models"))
    yield "balance_wrong_key", _with_wrong_key(_infrastructure("GET", "/billing/balance"))
    yield (
        "chat_wrong_key",
        _with_wrong_key(_inference("POST", "/chat/completions", body={"model": _UNKNOWN, **user})),
    )
    yield "chat_missing_field", _inference("POST", "/chat/completions", body={"model": chat})
    yield (
        "chat_unknown_model",
        _inference("POST", "/chat/completions", body={"model": _UNKNOWN, **user}),
    )
    yield "embeddings_missing_field", _inference("POST", "/embeddings", body={"model": embedding})
    # Without a name and a type of GPU there is nothing that could be launched.
    yield "instance_missing_field", _infrastructure("POST", "/instances", body={})
    yield (
        "instance_unknown_id",
        _infrastructure("GET", "/instances/{instance_id}", identifiers={"instance_id": _UNKNOWN}),
    )
    yield (
        "unknown_environment",
        _infrastructure("GET", "/instances", query={"environment": _UNKNOWN}),
    )
    yield "instance_types", _infrastructure("GET", "/instances/types")
    yield "transactions", _infrastructure("GET", "/billing/transactions", query={"limit": 1})
    yield (
        "transactions_bad_page",
        _infrastructure("GET", "/billing/transactions", query={"limit": 0}),
    )
    yield "jobs", _infrastructure("GET", "/jobs", query={"limit": 1})
    yield "auto_recharge", _infrastructure("GET", "/billing/auto-recharge")
    days = {"from": "2026-01-01", "to": "2026-01-02"}
    times = {"from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z"}
    yield "usage_days", _infrastructure("GET", "/billing/usage", query=days)
    yield "usage_times", _infrastructure("GET", "/billing/usage", query=times)


def free_probes(given: Mapping[str, str] | None = None) -> Flow[Exchanges]:
    """Send the free probes; the list of models comes first.

    Args:
        given: Model ids by kind, chosen by the caller.
    """
    listed = yield from _send_all(iter([("models", _inference("GET", "/models"))]))
    rest = yield from _send_all(free_requests(choose_models(listed, given)))
    return listed.merged(rest)


_BOUNDARY: Final = "runcrate-verify-7d4b1f0c"  # 24 characters that no speech holds

_TOOL: Final[dict[str, Any]] = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Return the weather of a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}
_FORCED: Final = {"type": "function", "function": {"name": "get_weather"}}


def chat_requests(model: str) -> Iterator[tuple[str, Request]]:
    """Yield the chat probes by name: a few tokens each."""
    question = [{"role": "user", "content": "Count from one to twenty."}]
    weather = [{"role": "user", "content": "Weather in Paris?"}]
    forced = {"model": model, "tools": [_TOOL], "tool_choice": _FORCED, "max_tokens": 64}
    call = {
        "id": "call_1",
        "type": "function",
        "function": {"name": "get_weather", "arguments": '{"city": "Paris"}'},
    }
    returned = [
        *weather,
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "18 degrees"},
    ]
    yield "chat", _chat({"model": model, "messages": question, "max_tokens": 4})
    yield (
        "chat_stream",
        _chat(
            {
                "model": model,
                "messages": question,
                "max_tokens": 8,
                "stream": True,
                "stream_options": {"include_usage": True},
            }
        ),
    )
    yield "chat_tools", _chat({**forced, "messages": weather})
    yield "chat_tools_stream", _chat({**forced, "messages": weather, "stream": True})
    yield (
        "chat_tool_result",
        _chat({"model": model, "messages": returned, "tools": [_TOOL], "max_tokens": 8}),
    )


def _chat(body: Mapping[str, Any]) -> Request:
    return _inference("POST", "/chat/completions", body=body)


def inference_probes(models: Models) -> Flow[Exchanges]:
    """Send the probes of the inference API: a few tokens, one vector, three words, one image."""
    exchanges = Exchanges()
    for kind, model in models.by_kind.items():
        flow = _skip(kind) if model is None else _PROBES[kind](model)
        exchanges = exchanges.merged((yield from flow))
    speech = exchanges.ok("speech")
    transcript = _transcribe(models.by_kind["transcription"], speech.body if speech else None)
    return exchanges.merged((yield from transcript))


def _chat_probes(model: str) -> Flow[Exchanges]:
    return (yield from _send_all(chat_requests(model)))


def _reasoning_probes(model: str) -> Flow[Exchanges]:
    messages = [{"role": "user", "content": "Is 7 prime? One word."}]
    body = {"model": model, "messages": messages, "max_tokens": 64}
    return (yield from _send_all(iter([("chat_reasoning", _chat(body))])))


def _embedding_probes(model: str) -> Flow[Exchanges]:
    body = {"model": model, "input": "three short words"}
    base64 = {**body, "encoding_format": "base64"}
    requests = [
        ("embedding", _inference("POST", "/embeddings", body=body)),
        ("embedding_base64", _inference("POST", "/embeddings", body=base64)),
    ]
    return (yield from _send_all(iter(requests)))


def _speech_probes(model: str) -> Flow[Exchanges]:
    voices = (voice for part, voice in _VOICES.items() if part in model.lower())
    voice = next(voices, _DEFAULT_VOICE)
    body = {"model": model, "input": "Three short words.", "voice": voice}
    return (
        yield from _send_all(iter([("speech", _inference("POST", "/audio/speech", body=body))]))
    )


def _image_probes(model: str) -> Flow[Exchanges]:
    body = {"model": model, "prompt": "a grey square", "width": 256, "height": 256}
    request = _inference("POST", "/images/generations", body=body)
    return (yield from _send_all(iter([("image", request)])))


def _nothing(_: str) -> Flow[Exchanges]:
    yield from ()
    return Exchanges()


_PROBES: Final = {
    "chat": _chat_probes,
    "reasoning": _reasoning_probes,
    "embedding": _embedding_probes,
    "speech": _speech_probes,
    "image": _image_probes,
    "transcription": _nothing,  # it needs the speech, and comes last
}
_TRANSCRIPTION_FORMATS: Final = ("json", "text", "srt", "vtt")
_PROBE_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "chat": ("chat", "chat_stream", "chat_tools", "chat_tools_stream", "chat_tool_result"),
    "reasoning": ("chat_reasoning",),
    "embedding": ("embedding", "embedding_base64"),
    "speech": ("speech",),
    "image": ("image",),
    "transcription": tuple(f"transcription_{kind}" for kind in _TRANSCRIPTION_FORMATS),
}


def _skip(kind: str, reason: str = "") -> Flow[Exchanges]:
    yield from ()
    text = reason or f"no {kind} model is listed"
    return Exchanges(skipped=dict.fromkeys(_PROBE_NAMES[kind], text))


def _transcribe(model: str | None, audio: bytes | None) -> Flow[Exchanges]:
    if model is None or audio is None:
        reason = "" if model is None else "there is no speech to transcribe"
        return (yield from _skip("transcription", reason))
    kind = sniffed_type(audio)
    if kind is None or not kind.startswith("audio/"):
        return (yield from _skip("transcription", "the speech is not a known kind of audio"))
    part = FilePart("file", f"speech{suffix_of(audio)}", kind, BytesSource(audio))
    requests = []
    for form_of in _TRANSCRIPTION_FORMATS:
        fields = form_fields({"model": model, "response_format": form_of})
        form = encode_form(fields, [part], _BOUNDARY)
        request = Request(
            surface=Surface.INFERENCE,
            method="POST",
            path="/audio/transcriptions",
            route="/audio/transcriptions",
            retry=RetrySafety.NEVER,
            read_timeout=ReadTimeout.MEDIA,
            content=form.content,
            content_type=form.content_type,
        )
        requests.append((f"transcription_{form_of}", request))
    return (yield from _send_all(iter(requests)))


def _send_all(requests: Iterator[tuple[str, Request]]) -> Flow[Exchanges]:
    replies: dict[str, Response | TransportFailure] = {}
    for name, request in requests:
        replies[name] = yield from send(request)
    return Exchanges(replies)


def send(request: Request) -> Flow[Response | TransportFailure]:
    """Send a probe once; after a 429, which had no effect, again in the next window."""
    reply: Response | TransportFailure = yield Send(request)
    if isinstance(reply, Response) and reply.status == TOO_MANY_REQUESTS:
        hint = retry_hint(reply.headers, reply.status)
        yield Sleep(MAX_WAIT_S if hint is None else min(hint, MAX_WAIT_S))
        reply = yield Send(request)
    return reply
