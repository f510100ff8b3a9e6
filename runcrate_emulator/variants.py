"""Wire variants: ways in which the real service may differ from what its documents say.

`runcrate verify` reports what it observed; `--as-observed report.json` makes the emulator behave
like that. A variant refuses a request or changes a finished response, so that the rest of the
emulator knows one form only.
"""

from __future__ import annotations

import base64
import io
import json
import re
import struct
import wave
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx
from pydantic.alias_generators import to_camel, to_snake
from starlette.requests import Request
from starlette.responses import Response

from runcrate_emulator.inference.model_catalogue import MODELS
from runcrate_emulator.keys import bearer_token

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from runcrate_emulator.world import World

Variant = tuple[str, str]
Row = dict[str, Any]

_REFUSED: Final = {"error": {"message": "not supported", "type": "invalid_request_error"}}
_FORM_FIELD: Final = re.compile(rb'name="(\w+)"\r\n\r\n([^\r\n]*)')
_PIXEL: Final = "R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"


@dataclass
class Exchange:
    """A request and, later, its response; `request` has the fields of its JSON body or form."""

    method: str
    path: str
    query: Mapping[str, str]
    request: Mapping[str, Any]
    has_key: bool
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def json(self) -> Any:
        """The JSON value of the response body, or None."""
        return _loads(self.body)

    def respond(self, content: Any, content_type: str = "", status: int | None = None) -> None:
        """Replace the response; content without a type is sent as JSON."""
        self.body = content if content_type else json.dumps(content).encode()
        self.headers["content-type"] = content_type or "application/json"
        self.status = status or self.status

    @property
    def is_success(self) -> bool:
        """True for a response that is not an error."""
        return self.status in range(200, 300)

    @property
    def error(self) -> Row:
        """The error object of the response; empty where there is none."""
        value = self.json
        found = value.get("error") if isinstance(value, dict) else None
        return found if isinstance(found, dict) else {}

    @property
    def streams(self) -> bool:
        """True if a chat request asks for a stream."""
        return self.request.get("stream") is True

    @property
    def forces_tool(self) -> bool:
        """True if a chat request names the tool to call."""
        return isinstance(self.request.get("tool_choice"), dict)


Fits = Callable[[Exchange], bool]


@dataclass(frozen=True)
class Change:
    """A change of the responses of an endpoint, or a refusal of requests to it.

    Attributes:
        endpoint: Method and path; a path that ends in `*` means everything below it.
        edit: Changes the response of an exchange.
        fits: Returns whether an exchange is meant; default: one that succeeds.
        refuses: Whether `edit` makes a response to the request, which then has no effect.
    """

    endpoint: str
    edit: Callable[[Exchange], object]
    fits: Fits = lambda it: it.is_success
    refuses: bool = False

    def means(self, exchange: Exchange) -> bool:
        """Return whether the change applies to an exchange."""
        method, _, path = self.endpoint.partition(" ")
        is_below = path.endswith("*") and exchange.path.startswith(path[:-1])
        is_endpoint = method in ("*", exchange.method) and (is_below or path == exchange.path)
        return is_endpoint and self.fits(exchange)


_CHAT: Final = "POST /v1/chat/completions"
_IMAGES: Final = "POST /v1/images/generations"
_EMBEDDINGS: Final = "POST /v1/embeddings"
_MODELS: Final = "GET /v1/models"
_LAUNCH: Final = "POST /api/v1/instances"
_LIST: Final = "GET /api/v1/instances"
_INSTANCES: Final = "* /api/v1/instances*"
_JOBS: Final = "GET /api/v1/jobs"
_BALANCE: Final = "GET /api/v1/billing/balance"
_TRANSACTIONS: Final = "GET /api/v1/billing/transactions"
_RECHARGE: Final = "GET /api/v1/billing/auto-recharge"
_USAGE: Final = "GET /api/v1/billing/usage"


def _always(_: Exchange) -> bool:
    return True


def _empty(endpoint: str, fits: Fits) -> Change:
    """An empty list."""
    return Change(endpoint, lambda it: it.respond({"data": []}, status=200), fits)


def _refusal(endpoint: str, status: int, fits: Fits) -> Change:
    return Change(endpoint, lambda it: it.respond(_REFUSED, status=status), fits, refuses=True)


def _status(endpoint: str, old: int, new: int) -> Change:
    return Change(endpoint, lambda it: setattr(it, "status", new), lambda it: it.status == old)


def _json(endpoint: str, path: str, edit: Callable[[Any], Any], fits: Fits = _always) -> Change:
    """A change of what is at a path of a successful response, as `data` or `choices.message`."""
    return Change(
        endpoint,
        lambda it: it.respond(_edited(it.json, path, edit)),
        lambda it: it.is_success and it.body != b"" and fits(it),
    )


def _edited(value: Any, path: str, edit: Callable[[Any], Any]) -> Any:
    """Edit what is at a path: in each item of a list, unless the path has the number of one."""
    name, _, rest = path.partition(".")
    if isinstance(value, list):
        one = int(name) if name.isdigit() else None
        inner = path if one is None else rest
        return [_edited(v, inner, edit) if one in (None, at) else v for at, v in enumerate(value)]
    return {**value, name: _edited(value[name], rest, edit)} if path else edit(value)


def _without(name: str) -> Callable[[Row], Row]:
    return lambda row: {key: value for key, value in row.items() if key != name}


def _renamed(old: str, new: str) -> Callable[[Row], Row]:
    return lambda row: {new if name == old else name: value for name, value in row.items()}


def _cased(form: Callable[[str], str]) -> Callable[[Row], Row]:
    return lambda row: {form(name): value for name, value in row.items()}


_ERROR_FORMS: Final[Mapping[str, Callable[[Row], Any]]] = {
    "error with type": lambda it: {"error": {"type": "error", "code": "error"} | it},
    "error with code": lambda it: {"error": {"code": it["code"], "message": it["message"]}},
    "error with message": lambda it: {"error": {"message": it["message"]}},
    "error text": lambda it: {"error": it["message"]},
    "detail": lambda it: {"detail": it["message"]},
}


def _error(endpoints: str, form: Callable[[Row], Any]) -> Change:
    return Change(endpoints, lambda it: it.respond(form(it.error)), lambda it: "code" in it.error)


def _upper_code(error: Row) -> Row:
    return {"error": {**error, "code": error["code"].upper()}}


def _headers(**changes: str) -> Change:
    """Other headers on every response; an empty value removes one."""

    def edit(it: Exchange) -> None:
        merged = {**it.headers, **changes}
        it.headers = {name: value for name, value in merged.items() if value}

    return Change("* /*", edit, _always)


def _redirect(endpoint: str) -> Change:
    def edit(it: Exchange) -> None:
        it.respond(b"", "text/plain", 308)
        it.headers["location"] = "https://elsewhere.invalid/"

    return Change(endpoint, edit)


def _chat(path: str, edit: Callable[[Row], Row]) -> Change:
    """A change of complete chat responses."""
    return _json(_CHAT, path, edit, lambda it: not it.streams)


def _cut(reason: str) -> Change:
    """Another finish reason of a reply that the token limit cut."""
    return _chat(
        "choices",
        lambda it: it | ({"finish_reason": reason} if it["finish_reason"] == "length" else {}),
    )


def _stream(edit: Callable[[Row], Row | None], end: str = "data: [DONE]\n\n") -> Change:
    """A change of the chunks of a stream; None leaves a chunk out."""

    def changed(it: Exchange) -> None:
        events = [line[6:] for line in it.body.decode().split("\n\n") if line]
        chunks = [edit(json.loads(event)) for event in events if event != "[DONE]"]
        lines = [f"data: {json.dumps(chunk)}\n\n" for chunk in chunks if chunk is not None]
        it.respond("".join([*lines, end]).encode(), "text/event-stream")

    return Change(_CHAT, changed, lambda it: it.is_success and it.streams)


def _short_id(model: Row) -> Row:
    return {**model, "id": model["id"].rpartition("/")[2]}


def _with_new_status(instance: Row) -> Row:
    new = {"pending": "allocating", "running": "active"}
    return {k: new.get(v, v) if k == "status" else v for k, v in instance.items()}


def _without_calls(message: Row) -> Row:
    return {"role": "assistant", "content": "."} if message.get("tool_calls") else message


def _vectors(asked: str | None, recode: Callable[[Any], Any]) -> Change:
    """A change of the form of vectors, for requests with this `encoding_format`."""
    return _json(
        _EMBEDDINGS,
        "data",
        lambda row: {**row, "embedding": recode(row["embedding"])},
        lambda it: it.request.get("encoding_format") == asked,
    )


def _packed(vector: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


def _unpacked(text: str) -> list[float]:
    return [number for (number,) in struct.iter_unpack("<f", base64.b64decode(text))]


def _speech(content_type: str, body: bytes = b"") -> Change:
    return Change(
        "POST /v1/audio/speech",
        lambda it: it.respond(body or it.body, content_type),
        lambda it: it.is_success,
    )


def _silence() -> bytes:
    """A tenth of a second as a WAV file."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setparams((1, 2, 8000, 0, "NONE", ""))
        writer.writeframes(bytes(1600))
    return file.getvalue()


def _transcription(kind: str, form: str) -> Change:
    """A change of transcriptions with one `response_format`."""

    def edit(it: Exchange) -> None:
        if form == "refused":
            it.respond(_REFUSED, status=400)
        elif form == "plain text":
            it.respond(it.json["text"].encode(), "text/plain; charset=utf-8")
        else:
            it.respond({"text": it.body.decode()})

    endpoint = "POST /v1/audio/transcriptions"
    return Change(endpoint, edit, lambda it: it.request.get("response_format") == kind)


# Changes by row of the report and by the label that was observed.
CHANGES: Final[Mapping[Variant, Change]] = {
    ("infrastructure-host", "redirects"): _redirect(_BALANCE),
    ("inference-host", "redirects"): _redirect(_MODELS),
    ("environment-parameter", "ignored"): _empty(_LIST, lambda it: "environment" in it.query),
    **{
        (f"{api}-error-envelope", label): _error(f"* {below}*", form)
        for api, below, own in (
            ("inference", "/v1/", "error with type"),
            ("infrastructure", "/api/v1/", "error with code"),
        )
        for label, form in _ERROR_FORMS.items()
        if label != own
    },
    ("error-code-casing", "upper"): _error("* /*", _upper_code),
    ("error-code-casing", "mixed"): _error("* /api/*", _upper_code),
    ("infrastructure-validation-status", "422"): _status(_LAUNCH, 400, 422),
    ("inference-validation-status", "422"): _status(_CHAT, 400, 422),
    ("wrong-key-inference", "403"): _status(_CHAT, 401, 403),
    ("wrong-key-infrastructure", "403"): _status(_BALANCE, 401, 403),
    ("unknown-id", "400"): _status("GET /api/v1/instances/*", 404, 400),
    ("models-authentication", "key needed"): _refusal(_MODELS, 401, lambda it: not it.has_key),
    ("unknown-model", "400"): _status(_CHAT, 404, 400),
    ("unknown-model", "422"): _status(_CHAT, 404, 422),
    ("inference-endpoints", "missing"): _refusal(_EMBEDDINGS, 404, _always),
    ("model-ids", "name"): _json(_MODELS, "data", _short_id),
    ("model-ids", "mixed"): _json(_MODELS, "data.0", _short_id),
    ("model-modalities", "missing"): _json(_MODELS, "data", _without("input_modalities")),
    ("model-modalities", "mixed"): _json(_MODELS, "data.0", _without("input_modalities")),
    ("balance-case", "snake_case"): _json(_BALANCE, "data", _cased(to_snake)),
    ("transactions-case", "snake_case"): _json(_TRANSACTIONS, "data", _cased(to_snake)),
    ("instance-types-case", "camelCase"): _json(
        "GET /api/v1/instances/types", "data", _cased(to_camel)
    ),
    ("list-envelope", "data"): _json(_JOBS, "", _without("meta")),
    ("list-envelope", "bare list"): _json(_JOBS, "", lambda value: value["data"]),
    ("paging", "has_more"): _json(_JOBS, "meta", _renamed("hasMore", "has_more")),
    ("paging", "neither"): _json(_JOBS, "meta", _without("hasMore")),
    ("bad-page", "accepted"): _empty(_TRANSACTIONS, lambda it: it.query.get("limit") == "0"),
    ("auto-recharge-fields", "amount_usd"): _json(
        _RECHARGE, "data", _renamed("target_usd", "amount_usd")
    ),
    ("auto-recharge-fields", "amount"): _json(_RECHARGE, "data", _renamed("target_usd", "amount")),
    ("usage-dates", "days"): _refusal(_USAGE, 400, lambda it: "T" in it.query.get("from", "")),
    ("usage-dates", "times"): _refusal(_USAGE, 400, lambda it: "T" not in it.query.get("from", "")),
    ("usage-dates", "neither"): _refusal(_USAGE, 400, _always),
    ("rate-limit-headers", "not sent"): _headers(
        **{"x-ratelimit-limit": "", "x-ratelimit-remaining": "", "x-ratelimit-reset": ""}
    ),
    ("rate-limit-reset", "seconds"): _headers(**{"x-ratelimit-reset": "30"}),
    ("rate-limit-reset", "duration"): _headers(**{"x-ratelimit-reset": "30s"}),
    ("request-id", "sent"): _headers(**{"x-request-id": "req_emulated"}),
    ("chat-usage", "not sent"): _chat("", _without("usage")),
    ("chat-token-limit", "stop"): _cut("stop"),
    ("chat-token-limit", "other"): _cut("max_tokens"),
    ("message-fields", "refused"): _refusal(
        _CHAT, 400, lambda it: any(m.get("content") is None for m in it.request.get("messages", ()))
    ),
    ("streaming-usage", "not sent"): _stream(
        lambda chunk: _without("usage")(chunk) if chunk["choices"] else None
    ),
    ("streaming-usage", "refused"): _refusal(_CHAT, 400, lambda it: "stream_options" in it.request),
    ("stream-end", "no marker"): _stream(lambda chunk: chunk, end=""),
    ("tool-calls", "text"): _chat("choices.message", _without_calls),
    ("tool-calls", "refused"): _refusal(_CHAT, 400, lambda it: it.forces_tool and not it.streams),
    ("tool-calls-streamed", "text"): _stream(
        lambda chunk: _edited(chunk, "choices.delta", _without_calls)
    ),
    ("tool-calls-streamed", "refused"): _refusal(
        _CHAT, 400, lambda it: it.forces_tool and it.streams
    ),
    ("reasoning-field", "none"): _chat("choices.message", _without("reasoning_content")),
    ("reasoning-field", "reasoning"): _chat(
        "choices.message", _renamed("reasoning_content", "reasoning")
    ),
    ("reasoning-field", "thinking"): _chat(
        "choices.message", _renamed("reasoning_content", "thinking")
    ),
    ("embedding-encoding", "base64"): _vectors(None, _packed),
    ("embedding-base64", "numbers"): _vectors("base64", _unpacked),
    ("image-delivery", "b64_json"): _json(_IMAGES, "data", lambda _: {"b64_json": _PIXEL}),
    ("image-delivery", "data URI"): _json(
        _IMAGES, "data", lambda _: {"url": f"data:image/gif;base64,{_PIXEL}"}
    ),
    ("image-created", "absent"): _json(_IMAGES, "", _without("created")),
    ("speech-format", "audio/wav"): _speech("audio/wav", _silence()),
    ("speech-format", "unknown bytes"): _speech("audio/mpeg", bytes(64)),
    ("speech-header", "other"): _speech("application/octet-stream"),
    **{
        (f"transcription-{kind}", form): _transcription(kind, form)
        for kind in ("json", "text", "srt", "vtt")
        for form in ("plain text" if kind == "json" else "JSON", "refused")
    },
    ("env-vars-form", "refused"): _refusal(
        _LAUNCH, 422, lambda it: isinstance(it.request.get("env_vars"), dict)
    ),
    ("create-status", "200"): _status(_LAUNCH, 201, 200),
    ("ssh-key-optional", "refused"): _refusal(
        _LAUNCH, 422, lambda it: "name" in it.request and "ssh_key_id" not in it.request
    ),
    ("lifetime", "dropped"): _json(_INSTANCES, "data", _without("max_runtime_minutes")),
    ("lookup-by-name", "not found"): _empty(_LIST, lambda it: "search" in it.query),
    ("instance-statuses", "new"): _json(_INSTANCES, "data", _with_new_status),
    ("update-limits", "refused"): Change(
        "PATCH /api/v1/instances/*", lambda it: it.respond(_REFUSED, status=409)
    ),
    ("delete-status", "200"): Change(
        "DELETE /api/v1/instances/*",
        lambda it: it.respond({"data": {"message": "terminated"}}, status=200),
    ),
}


def observed_variants(report: Path | str) -> tuple[Variant, ...]:
    """Return the variants that a report of `runcrate verify` observed and that differ.

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
    """Return the variants, or raise ValueError if one of them is not known."""
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
    """An ASGI app whose requests and responses have the forms of the variants in force."""

    def __init__(self, app: ASGIApp, world: World, variants: Iterable[Variant] = ()) -> None:
        self.variants = known_variants(variants)
        self._app = app
        self._world = world

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if not self.variants:
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        body = self._with_full_model(await request.body())
        exchange = Exchange(
            method=request.method,
            path=request.url.path,
            query=dict(request.query_params),
            request=_fields(body),
            has_key=bearer_token(request.headers) in self._world.keys,
        )
        changes = [CHANGES[variant] for variant in self.variants]
        refusals = [one for one in changes if one.refuses and one.means(exchange)]
        if not refusals:
            headers = [pair for pair in request.headers.raw if pair[0] != b"content-length"]
            inner = httpx.Request(request.method, str(request.url), headers=headers, content=body)
            response = await httpx.ASGITransport(self._app).handle_async_request(inner)
            exchange.status, exchange.headers = response.status_code, dict(response.headers)
            exchange.body = await response.aread()
        for change in refusals or changes:
            if change.means(exchange):
                change.edit(exchange)
        exchange.headers.pop("content-length", None)
        await Response(exchange.body, exchange.status, exchange.headers)(scope, receive, send)

    def _with_full_model(self, body: bytes) -> bytes:
        """Return a request that names a model by its short id with the full one."""
        value = _loads(body) if any(row == "model-ids" for row, _ in self.variants) else None
        if not isinstance(value, dict) or "/" in str(value.get("model", "/")):
            return body
        ids = (model.id for model in MODELS)
        full = next((name for name in ids if name.endswith(f"/{value['model']}")), None)
        return json.dumps({**value, "model": full}).encode() if full else body


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
