"""Wire variants: ways in which the real service may differ from what its documents say.

`runcrate verify` reports what it observed; `--as-observed report.json` makes the emulator behave
like that. A variant changes a finished request or response, so that the rest of the emulator knows
one form only.
"""

from __future__ import annotations

import base64
import json
import re
import struct
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

from runcrate_emulator.gateway import read_body, replaying
from runcrate_emulator.inference.model_catalogue import MODELS
from runcrate_emulator.keys import bearer_token

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from runcrate_emulator.world import World

Variant = tuple[str, str]

_SUCCESS: Final = range(200, 300)
_REFUSED: Final = {"error": {"message": "not supported", "type": "invalid_request_error"}}
_FORM_FIELD: Final = re.compile(rb'name="(\w+)"\r\n\r\n([^\r\n]*)')
_PIXEL: Final = base64.b64encode(
    base64.b64decode(
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    )
).decode()


@dataclass(frozen=True)
class Exchange:
    """A request and its response, complete.

    Attributes:
        method: HTTP method.
        path: Path with its version part.
        query: First value of each query parameter.
        request: Fields of the request's JSON body or form.
        has_known_key: Whether the request carries a key that the emulator accepts.
        status: HTTP status.
        headers: Response headers, names in lower case.
        body: Response body.
    """

    method: str
    path: str
    query: Mapping[str, str]
    request: Mapping[str, Any]
    has_known_key: bool
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def json(self) -> Any:
        """The JSON value of the response body, or `None`."""
        return _loads(self.body)

    def with_json(self, value: Any, status: int | None = None) -> Exchange:
        """Return the exchange with another JSON body."""
        headers = {**self.headers, "content-type": "application/json"}
        return replace(
            self, body=json.dumps(value).encode(), headers=headers, status=status or self.status
        )


Change = Callable[[Exchange], Exchange]


def _on(method: str, path: str, *statuses: int) -> Callable[[Change], Change]:
    """Return a decorator that limits a change to one endpoint, and to statuses if any are given."""

    def limit(change: Change) -> Change:
        def limited(exchange: Exchange) -> Exchange:
            fits = exchange.method == method and exchange.path == path
            if not fits or (statuses and exchange.status not in statuses):
                return exchange
            return change(exchange)

        return limited

    return limit


def _status(method: str, path: str, old: int, new: int) -> Change:
    return _on(method, path, old)(lambda exchange: replace(exchange, status=new))


def _renamed(method: str, path: str, names: Mapping[str, str]) -> Change:
    """Return a change of field names, in an object or in each object of a list."""

    def rename(row: Any) -> Any:
        if not isinstance(row, dict):
            return row
        return {names.get(name, name): value for name, value in row.items()}

    def change(exchange: Exchange) -> Exchange:
        value = exchange.json
        if not isinstance(value, dict) or "data" not in value:
            return exchange
        data = value["data"]
        renamed = [rename(row) for row in data] if isinstance(data, list) else rename(data)
        return exchange.with_json({**value, "data": renamed})

    return _on(method, path, 200)(change)


def _meta_renamed(name: str | None) -> Change:
    def change(exchange: Exchange) -> Exchange:
        value = exchange.json
        meta = dict(value["meta"])
        more = meta.pop("hasMore")
        return exchange.with_json({**value, "meta": meta | ({name: more} if name else {})})

    return _on("GET", "/api/v1/jobs", 200)(change)


def _listed(form: str) -> Change:
    def change(exchange: Exchange) -> Exchange:
        data = exchange.json["data"]
        return exchange.with_json(data if form == "bare list" else {"data": data})

    return _on("GET", "/api/v1/jobs", 200)(change)


def _error_form(prefix: str, form: str) -> Change:
    """Return a change of every error body of one API."""

    def change(exchange: Exchange) -> Exchange:
        value = exchange.json
        error = value.get("error") if isinstance(value, dict) else None
        if not exchange.path.startswith(prefix) or not isinstance(error, dict):
            return exchange
        message, code = error.get("message"), error.get("code") or "error"
        forms = {
            "error with type": {"error": {"message": message, "type": "error", "code": code}},
            "error with code": {"error": {"code": code, "message": message}},
            "error with message": {"error": {"message": message}},
            "error text": {"error": message},
            "detail": {"detail": message},
        }
        return exchange.with_json(forms[form])

    return change


def _code_casing(kind: str) -> Change:
    def change(exchange: Exchange) -> Exchange:
        value = exchange.json
        error = value.get("error") if isinstance(value, dict) else None
        mixed_out = kind == "mixed" and not exchange.path.startswith("/api/")
        if not isinstance(error, dict) or not isinstance(error.get("code"), str) or mixed_out:
            return exchange
        return exchange.with_json({"error": {**error, "code": error["code"].upper()}})

    return change


def _headers(changes: Mapping[str, str | None]) -> Change:
    """Return a change of headers of every response; `None` removes one."""

    def change(exchange: Exchange) -> Exchange:
        merged = {**exchange.headers, **changes}
        kept = {name: value for name, value in merged.items() if value is not None}
        return replace(exchange, headers=kept)

    return change


@dataclass(frozen=True)
class Refusal:
    """A request that is refused before it has any effect.

    Attributes:
        method: HTTP method.
        path: Path with its version part.
        status: HTTP status of the refusal.
        fits: Returns whether a request is refused; it gets an exchange without a response.
    """

    method: str
    path: str
    status: int
    fits: Callable[[Exchange], bool] = lambda _: True

    def refuses(self, exchange: Exchange) -> bool:
        """Return whether this request is refused."""
        same = (exchange.method, exchange.path) == (self.method, self.path)
        return same and self.fits(exchange)


def _empty_list(path: str, fits: Callable[[Exchange], bool]) -> Change:
    """Return a change to an empty list of the requests that fit."""

    def change(exchange: Exchange) -> Exchange:
        return exchange.with_json({"data": []}, 200) if fits(exchange) else exchange

    return _on("GET", path)(change)


_CHAT: Final = "/v1/chat/completions"
_chat_refusal = partial(Refusal, "POST", _CHAT, 400)
_usage_refusal = partial(Refusal, "GET", "/api/v1/billing/usage", 400)
_launch_refusal = partial(Refusal, "POST", "/api/v1/instances", 422)


def _streams(exchange: Exchange) -> bool:
    return exchange.request.get("stream") is True


def _forces_tool(exchange: Exchange) -> bool:
    return isinstance(exchange.request.get("tool_choice"), dict)


def _chat(edit: Callable[[dict[str, Any]], dict[str, Any]]) -> Change:
    """Return a change of complete chat responses."""

    def change(exchange: Exchange) -> Exchange:
        return exchange if _streams(exchange) else exchange.with_json(edit(exchange.json))

    return _on("POST", _CHAT, 200)(change)


def _chat_message(edit: Callable[[dict[str, Any]], dict[str, Any]]) -> Change:
    def edited(value: dict[str, Any]) -> dict[str, Any]:
        choices = [{**one, "message": edit(dict(one["message"]))} for one in value["choices"]]
        return {**value, "choices": choices}

    return _chat(edited)


def _stream(
    edit: Callable[[dict[str, Any]], dict[str, Any] | None], *, marker: bool = True
) -> Change:
    """Return a change of the chunks of a stream."""

    def change(exchange: Exchange) -> Exchange:
        if not _streams(exchange):
            return exchange
        events = [line[6:] for line in exchange.body.decode().split("\n\n") if line]
        chunks = [edit(json.loads(event)) for event in events if event != "[DONE]"]
        lines = [json.dumps(chunk) for chunk in chunks if chunk is not None]
        text = "".join(f"data: {line}\n\n" for line in [*lines, *(["[DONE]"] if marker else [])])
        return replace(exchange, body=text.encode())

    return _on("POST", _CHAT, 200)(change)


def _without_usage(chunk: dict[str, Any]) -> dict[str, Any] | None:
    if not chunk.get("choices"):
        return None
    return {name: value for name, value in chunk.items() if name != "usage"}


def _without_calls(chunk: dict[str, Any]) -> dict[str, Any]:
    choices = [
        {**one, "delta": {"content": "."} if one["delta"].get("tool_calls") else one["delta"]}
        for one in chunk["choices"]
    ]
    return {**chunk, "choices": choices}


def _without_call(message: dict[str, Any]) -> dict[str, Any]:
    if message.get("tool_calls"):
        return {"role": "assistant", "content": "."}
    return message


def _finished(value: dict[str, Any], reason: str) -> dict[str, Any]:
    choices = [
        {
            **one,
            "finish_reason": reason if one["finish_reason"] == "length" else one["finish_reason"],
        }
        for one in value["choices"]
    ]
    return {**value, "choices": choices}


def _reasoning(name: str | None) -> Callable[[dict[str, Any]], dict[str, Any]]:
    def edit(message: dict[str, Any]) -> dict[str, Any]:
        thoughts = message.pop("reasoning_content", None)
        return message | ({name: thoughts} if name and thoughts else {})

    return edit


def _vectors(*, asked: str | None, base64_form: bool) -> Change:
    """Return a change of the form of vectors, for requests with this `encoding_format`."""

    def recoded(vector: Any) -> Any:
        if base64_form and isinstance(vector, list):
            return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
        if not base64_form and isinstance(vector, str):
            data = base64.b64decode(vector)
            return list(struct.unpack(f"<{len(data) // 4}f", data))
        return vector

    def change(exchange: Exchange) -> Exchange:
        if exchange.request.get("encoding_format") != asked:
            return exchange
        value = exchange.json
        rows = [{**row, "embedding": recoded(row["embedding"])} for row in value["data"]]
        return exchange.with_json({**value, "data": rows})

    return _on("POST", "/v1/embeddings", 200)(change)


def _image(row: Mapping[str, str] | None) -> Change:
    def change(exchange: Exchange) -> Exchange:
        value = exchange.json
        if row is None:
            return exchange.with_json({"data": value["data"]})
        return exchange.with_json({**value, "data": [dict(row) for _ in value["data"]]})

    return _on("POST", "/v1/images/generations", 200)(change)


def _speech(body: bytes | None = None, content_type: str = "audio/mpeg") -> Change:
    def change(exchange: Exchange) -> Exchange:
        headers = {**exchange.headers, "content-type": content_type}
        return replace(exchange, body=body or exchange.body, headers=headers)

    return _on("POST", "/v1/audio/speech", 200)(change)


def _transcription(kind: str, form: str) -> Change:
    """Return a change of transcriptions with one `response_format`.

    Args:
        kind: The format that is asked for.
        form: `JSON`, `plain text` or `refused`.
    """

    def change(exchange: Exchange) -> Exchange:
        if exchange.request.get("response_format") != kind:
            return exchange
        if form == "refused":
            return exchange.with_json(_REFUSED, 400)
        value = exchange.json
        if form == "plain text" and isinstance(value, dict):
            headers = {**exchange.headers, "content-type": "text/plain; charset=utf-8"}
            return replace(exchange, body=str(value.get("text", "")).encode(), headers=headers)
        if form == "JSON" and not isinstance(value, dict):
            return exchange.with_json({"text": exchange.body.decode()})
        return exchange

    return _on("POST", "/v1/audio/transcriptions", 200)(change)


def _models(edit: Callable[[int, dict[str, Any]], dict[str, Any]]) -> Change:
    def change(exchange: Exchange) -> Exchange:
        value = exchange.json
        rows = [edit(index, row) for index, row in enumerate(value["data"])]
        return exchange.with_json({**value, "data": rows})

    return _on("GET", "/v1/models", 200)(change)


def _short_id(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "id": row["id"].rpartition("/")[2]}


def _without(row: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key != name}


def _instances(edit: Callable[[dict[str, Any]], dict[str, Any]]) -> Change:
    """Return a change of every instance in a response."""

    def edited(data: Any) -> Any:
        if isinstance(data, list):
            return [edited(row) for row in data]
        return edit(data) if isinstance(data, dict) and "status" in data else data

    def change(exchange: Exchange) -> Exchange:
        value = exchange.json
        if not exchange.path.startswith("/api/v1/instances") or not isinstance(value, dict):
            return exchange
        return exchange.with_json({**value, "data": edited(value.get("data"))})

    return change


def _new_word(row: dict[str, Any]) -> dict[str, Any]:
    words = {"pending": "allocating", "provisioning": "allocating", "running": "active"}
    return {**row, "status": words.get(row["status"], row["status"])}


def _on_instance(method: str, change: Change, status: int | None = None) -> Change:
    """Return a change of responses about one instance: of successes, or of one status."""

    def limited(exchange: Exchange) -> Exchange:
        fits = exchange.method == method and exchange.path.startswith("/api/v1/instances/")
        wanted = exchange.status in _SUCCESS if status is None else exchange.status == status
        return change(exchange) if fits and wanted else exchange

    return limited


# A tenth of a second of silence as a WAV file: mono, 8 kHz, 16 bit.
_WAV: Final = b"".join(
    (
        struct.pack("<4sI4s", b"RIFF", 36 + 1600, b"WAVE"),
        struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 8000, 16000, 2, 16),
        struct.pack("<4sI", b"data", 1600),
        bytes(1600),
    )
)


def _redirected(exchange: Exchange) -> Exchange:
    headers = {**exchange.headers, "location": "https://elsewhere.invalid/"}
    return replace(exchange, status=308, headers=headers, body=b"")


# Changes by row of the report and by the label that was observed.
CHANGES: Final[Mapping[tuple[str, str], Change | Refusal]] = {
    ("infrastructure-host", "redirects"): _on("GET", "/api/v1/billing/balance", 200)(_redirected),
    ("inference-host", "redirects"): _on("GET", "/v1/models", 200)(_redirected),
    ("environment-parameter", "ignored"): _empty_list(
        "/api/v1/instances", lambda it: "environment" in it.query
    ),
    **{
        ("inference-error-envelope", form): _error_form("/v1/", form)
        for form in ("error with code", "error with message", "error text", "detail")
    },
    **{
        ("infrastructure-error-envelope", form): _error_form("/api/v1/", form)
        for form in ("error with type", "error with message", "error text", "detail")
    },
    ("error-code-casing", "upper"): _code_casing("upper"),
    ("error-code-casing", "mixed"): _code_casing("mixed"),
    ("infrastructure-validation-status", "422"): _status("POST", "/api/v1/instances", 400, 422),
    ("inference-validation-status", "422"): _status("POST", _CHAT, 400, 422),
    ("wrong-key-inference", "403"): _status("POST", _CHAT, 401, 403),
    ("wrong-key-infrastructure", "403"): _status("GET", "/api/v1/billing/balance", 401, 403),
    ("unknown-id", "400"): _on_instance("GET", lambda it: replace(it, status=400), status=404),
    ("models-authentication", "key needed"): Refusal(
        "GET", "/v1/models", 401, lambda it: not it.has_known_key
    ),
    ("unknown-model", "400"): _status("POST", _CHAT, 404, 400),
    ("unknown-model", "422"): _status("POST", _CHAT, 404, 422),
    ("inference-endpoints", "missing"): Refusal("POST", "/v1/embeddings", 404),
    ("model-ids", "name"): _models(lambda _, row: _short_id(row)),
    ("model-ids", "mixed"): _models(lambda index, row: row if index else _short_id(row)),
    ("model-modalities", "missing"): _models(lambda _, row: _without(row, "input_modalities")),
    ("model-modalities", "mixed"): _models(
        lambda index, row: row if index else _without(row, "input_modalities")
    ),
    ("balance-case", "snake_case"): _renamed(
        "GET",
        "/api/v1/billing/balance",
        {"creditsBalance": "credits_balance", "activeUsageCost": "active_usage_cost"},
    ),
    ("transactions-case", "snake_case"): _renamed(
        "GET",
        "/api/v1/billing/transactions",
        {"createdAt": "created_at", "projectId": "project_id"},
    ),
    ("instance-types-case", "camelCase"): _renamed(
        "GET",
        "/api/v1/instances/types",
        {
            "gpu_type": "gpuType",
            "gpu_count": "gpuCount",
            "cpu_cores": "cpuCores",
            "memory_gb": "memoryGb",
            "storage_gb": "storageGb",
            "hourly_rate": "hourlyRate",
            "deployment_type": "deploymentType",
        },
    ),
    ("list-envelope", "data"): _listed("data"),
    ("list-envelope", "bare list"): _listed("bare list"),
    ("paging", "has_more"): _meta_renamed("has_more"),
    ("paging", "neither"): _meta_renamed(None),
    ("bad-page", "accepted"): _empty_list(
        "/api/v1/billing/transactions", lambda it: it.query.get("limit") == "0"
    ),
    **{
        ("auto-recharge-fields", name): _renamed(
            "GET", "/api/v1/billing/auto-recharge", {"target_usd": name}
        )
        for name in ("amount_usd", "amount")
    },
    ("usage-dates", "days"): _usage_refusal(lambda it: "T" in it.query.get("from", "")),
    ("usage-dates", "times"): _usage_refusal(lambda it: "T" not in it.query.get("from", "")),
    ("usage-dates", "neither"): _usage_refusal(),
    ("rate-limit-headers", "not sent"): _headers(
        {
            "x-ratelimit-limit": None,
            "x-ratelimit-remaining": None,
            "x-ratelimit-reset": None,
        }
    ),
    ("rate-limit-reset", "seconds"): _headers({"x-ratelimit-reset": "30"}),
    ("rate-limit-reset", "duration"): _headers({"x-ratelimit-reset": "30s"}),
    ("request-id", "sent"): _headers({"x-request-id": "req_emulated"}),
    ("chat-usage", "not sent"): _chat(lambda value: _without(value, "usage")),
    ("chat-token-limit", "stop"): _chat(lambda value: _finished(value, "stop")),
    ("chat-token-limit", "other"): _chat(lambda value: _finished(value, "max_tokens")),
    ("message-fields", "refused"): _chat_refusal(
        lambda it: any(one.get("content") is None for one in it.request.get("messages", ())),
    ),
    ("streaming-usage", "not sent"): _stream(_without_usage),
    ("streaming-usage", "refused"): _chat_refusal(lambda it: "stream_options" in it.request),
    ("stream-end", "no marker"): _stream(lambda chunk: chunk, marker=False),
    ("tool-calls", "text"): _chat_message(_without_call),
    ("tool-calls", "refused"): _chat_refusal(lambda it: _forces_tool(it) and not _streams(it)),
    ("tool-calls-streamed", "text"): _stream(_without_calls),
    ("tool-calls-streamed", "refused"): _chat_refusal(lambda it: _forces_tool(it) and _streams(it)),
    ("reasoning-field", "reasoning"): _chat_message(_reasoning("reasoning")),
    ("reasoning-field", "thinking"): _chat_message(_reasoning("thinking")),
    ("reasoning-field", "none"): _chat_message(_reasoning(None)),
    ("embedding-encoding", "base64"): _vectors(asked=None, base64_form=True),
    ("embedding-base64", "numbers"): _vectors(asked="base64", base64_form=False),
    ("image-delivery", "b64_json"): _image({"b64_json": _PIXEL}),
    ("image-delivery", "data URI"): _image({"url": f"data:image/png;base64,{_PIXEL}"}),
    ("image-created", "absent"): _image(None),
    ("speech-format", "audio/wav"): _speech(_WAV, "audio/wav"),
    ("speech-format", "unknown bytes"): _speech(bytes(64)),
    ("speech-header", "other"): _speech(content_type="application/octet-stream"),
    **{
        (f"transcription-{kind}", form): _transcription(kind, form)
        for kind in ("json", "text", "srt", "vtt")
        for form in ("JSON", "plain text", "refused")
        if form != ("JSON" if kind == "json" else "plain text")
    },
    ("env-vars-form", "refused"): _launch_refusal(
        lambda it: isinstance(it.request.get("env_vars"), dict)
    ),
    ("create-status", "200"): _status("POST", "/api/v1/instances", 201, 200),
    ("ssh-key-optional", "refused"): _launch_refusal(
        lambda it: "name" in it.request and "ssh_key_id" not in it.request
    ),
    ("lifetime", "dropped"): _instances(lambda row: _without(row, "max_runtime_minutes")),
    ("lookup-by-name", "not found"): _empty_list(
        "/api/v1/instances", lambda it: "search" in it.query
    ),
    ("instance-statuses", "new"): _instances(_new_word),
    ("update-limits", "refused"): _on_instance("PATCH", lambda it: it.with_json(_REFUSED, 409)),
    ("delete-status", "200"): _on_instance(
        "DELETE", lambda it: it.with_json({"data": {"message": "terminated"}}, 200)
    ),
}


def observed_variants(report: Path | str) -> tuple[Variant, ...]:
    """Return the variants that a report of `runcrate verify` observed and that differ.

    Args:
        report: Path of the JSON report.

    Raises:
        ValueError: The file is not such a report, or names a variant that is not known.
    """
    value = _loads(Path(report).read_bytes())
    rows = value.get("rows") if isinstance(value, dict) else None
    if not isinstance(rows, list) or value.get("report") != "runcrate verify":
        raise ValueError(f"{report} is not a report of `runcrate verify --report`.")
    return known_variants(
        (row["id"], row["observed"]) for row in rows if row.get("verdict") == "DIFFERS"
    )


def known_variants(variants: Iterable[Variant]) -> tuple[Variant, ...]:
    """Return the variants.

    Raises:
        ValueError: One of them is not known.
    """
    chosen = tuple(variants)
    for row, label in chosen:
        if (row, label) not in CHANGES:
            known = sorted(other for name, other in CHANGES if name == row)
            raise ValueError(
                f"The emulator has no variant {label!r} of {row!r}. "
                + (f"It has: {', '.join(known)}." if known else "It has none of this row.")
            )
    return chosen


class VariantApp:
    """An ASGI app whose requests and responses have other forms than the documented ones.

    Args:
        app: The emulator's app.
        world: The emulator's state: its keys and models.
        variants: Pairs of a row of the report and the label that was observed.

    Attributes:
        variants: The variants in force.

    Raises:
        ValueError: A variant is not known.
    """

    def __init__(self, app: ASGIApp, world: World, variants: Iterable[Variant] = ()) -> None:
        self.variants = known_variants(variants)
        self._app = app
        self._world = world

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http" or not self.variants:
            await self._app(scope, receive, send)
            return
        whole = await read_body(receive)
        if whole is None:
            return
        body = self._with_full_model(whole)
        sent: list[Message] = []

        async def keep(message: Message) -> None:
            sent.append(message)

        scope = {**scope, "headers": _with_length(scope["headers"], len(body))}
        exchange = self._request(scope, body)
        changes = [CHANGES[variant] for variant in self.variants]
        for change in changes:
            if isinstance(change, Refusal) and change.refuses(exchange):
                await _respond(exchange.with_json(_REFUSED, change.status), send)
                return
        await self._app(scope, replaying(body, receive), keep)
        exchange = _with_response(exchange, sent)
        for change in changes:
            if not isinstance(change, Refusal):
                exchange = change(exchange)
        await _respond(exchange, send)

    def _request(self, scope: Mapping[str, Any], body: bytes) -> Exchange:
        headers = {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}
        return Exchange(
            method=scope["method"],
            path=scope["path"],
            query=dict(parse_qsl(scope["query_string"].decode())),
            request=_fields(body),
            has_known_key=bearer_token(headers) in self._world.key_permissions,
        )

    def _with_full_model(self, body: bytes) -> bytes:
        """Return a request that names a model by its short id with the full one."""
        value = _loads(body) if any(row == "model-ids" for row, _ in self.variants) else None
        if not isinstance(value, dict) or "/" in str(value.get("model", "/")):
            return body
        ids = (model.id for model in MODELS)
        full = next((name for name in ids if name.endswith(f"/{value['model']}")), None)
        return json.dumps({**value, "model": full}).encode() if full else body


def _with_response(exchange: Exchange, sent: list[Message]) -> Exchange:
    start, *parts = sent
    headers = {name.decode().lower(): value.decode("latin-1") for name, value in start["headers"]}
    body = b"".join(part.get("body", b"") for part in parts)
    return replace(exchange, status=start["status"], headers=headers, body=body)


async def _respond(exchange: Exchange, send: Send) -> None:
    headers = {**exchange.headers, "content-length": str(len(exchange.body))}
    pairs = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": exchange.status, "headers": pairs})
    await send({"type": "http.response.body", "body": exchange.body})


def _with_length(headers: Iterable[tuple[bytes, bytes]], length: int) -> list[tuple[bytes, bytes]]:
    return [
        (name, str(length).encode() if name == b"content-length" else value)
        for name, value in headers
    ]


def _fields(body: bytes) -> Mapping[str, Any]:
    value = _loads(body)
    if isinstance(value, dict):
        return value
    return {name.decode(): text.decode() for name, text in _FORM_FIELD.findall(body[:65_536])}


def _loads(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None
