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
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx
from starlette.requests import Request

from runcrate_emulator.inference.model_catalogue import MODELS
from runcrate_emulator.keys import bearer_token

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from runcrate_emulator.world import World

Variant = tuple[str, str]

_REFUSED: Final = {"error": {"message": "not supported", "type": "invalid_request_error"}}
_FORM_FIELD: Final = re.compile(rb'name="(\w+)"\r\n\r\n([^\r\n]*)')
_PIXEL: Final = "R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"


@dataclass(frozen=True)
class Exchange:
    """A request and its complete response; `request` has the fields of its JSON body or form."""

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
        """The JSON value of the response body, or None."""
        return _loads(self.body)

    @property
    def streams(self) -> bool:
        """True if a chat request asks for a stream."""
        return self.request.get("stream") is True

    def with_body(self, body: bytes, content_type: str) -> Exchange:
        """Return the exchange with another response body."""
        return replace(self, body=body, headers={**self.headers, "content-type": content_type})

    def with_json(self, value: Any, status: int | None = None) -> Exchange:
        """Return the exchange with another JSON body."""
        changed = self.with_body(json.dumps(value).encode(), "application/json")
        return replace(changed, status=status or self.status)


Fits = Callable[[Exchange], bool]
Row = dict[str, Any]


@dataclass(frozen=True)
class Change:
    """A change of the responses of an endpoint, or a refusal of requests to it.

    Attributes:
        endpoint: Method and path; a path that ends in `*` means everything below it.
        edit: Returns the changed exchange.
        statuses: Statuses of the responses that are changed; empty for any.
        fits: Returns whether an exchange is meant.
        refuses: Whether `edit` makes a response to the request, which then has no effect.
    """

    endpoint: str
    edit: Callable[[Exchange], Exchange]
    statuses: tuple[int, ...] = ()
    fits: Fits = lambda _: True
    refuses: bool = False

    def __call__(self, exchange: Exchange) -> Exchange:
        """Return the exchange, changed if it is meant."""
        return self.edit(exchange) if self.means(exchange) else exchange

    def means(self, exchange: Exchange) -> bool:
        """Return whether this exchange is meant."""
        method, _, path = self.endpoint.partition(" ")
        is_below = path.endswith("*") and exchange.path.startswith(path[:-1])
        return (
            method in ("*", exchange.method)
            and (is_below or path == exchange.path)
            and (not self.statuses or exchange.status in self.statuses)
            and self.fits(exchange)
        )


_CHAT: Final = "POST /v1/chat/completions"
_IMAGES: Final = "POST /v1/images/generations"
_SPEECH: Final = "POST /v1/audio/speech"
_LAUNCH: Final = "POST /api/v1/instances"
_BALANCE: Final = "GET /api/v1/billing/balance"


def _always(_: Exchange) -> bool:
    return True


def _refusal(endpoint: str, status: int, fits: Fits = _always) -> Change:
    return Change(endpoint, lambda it: it.with_json(_REFUSED, status), (), fits, refuses=True)


def _status(endpoint: str, old: int, new: int) -> Change:
    return Change(endpoint, lambda it: replace(it, status=new), (old,))


def _empty_list(endpoint: str, fits: Fits) -> Change:
    return Change(endpoint, lambda it: it.with_json({"data": []}, 200), (), fits)


def _json(endpoint: str, edit: Callable[[Any], Any], fits: Fits = _always) -> Change:
    """A change of the JSON of successes."""
    return Change(endpoint, lambda it: it.with_json(edit(it.json)), (200, 201), fits)


def _rows(
    endpoint: str, edit: Callable[[Row], Row], fits: Fits = _always, *, only_first: bool = False
) -> Change:
    """A change of the object in `data`, or of each in a list of them."""

    def changed(value: Any) -> Any:
        data = value["data"]
        if not isinstance(data, list):
            return {**value, "data": edit(data)}
        return {**value, "data": [r if only_first and at else edit(r) for at, r in enumerate(data)]}

    return _json(endpoint, changed, fits)


def _without(*names: str) -> Callable[[Row], Row]:
    return lambda row: {name: value for name, value in row.items() if name not in names}


def _renamed(old: str, new: str) -> Callable[[Row], Row]:
    return lambda row: {new if name == old else name: value for name, value in row.items()}


def _snake_case(row: Row) -> Row:
    return {re.sub("[A-Z]", lambda m: "_" + m[0].lower(), name): row[name] for name in row}


def _camel_case(row: Row) -> Row:
    return {re.sub("_([a-z])", lambda m: m[1].upper(), name): row[name] for name in row}


def _meta(edit: Callable[[Row], Row]) -> Change:
    return _json("GET /api/v1/jobs", lambda value: {**value, "meta": edit(value["meta"])})


_ERROR_FORMS: Final[Mapping[str, Callable[[str, str], Any]]] = {
    "error with type": lambda text, code: {
        "error": {"message": text, "type": "error", "code": code}
    },
    "error with code": lambda text, code: {"error": {"code": code, "message": text}},
    "error with message": lambda text, _: {"error": {"message": text}},
    "error text": lambda text, _: {"error": text},
    "detail": lambda text, _: {"detail": text},
}


def _error(exchange: Exchange) -> Row:
    value = exchange.json
    error = value.get("error") if isinstance(value, dict) else None
    return error if isinstance(error, dict) else {}


def _error_form(endpoints: str, form: str) -> Change:
    def edit(it: Exchange) -> Exchange:
        error = _error(it)
        return it.with_json(_ERROR_FORMS[form](error["message"], error.get("code") or "error"))

    return Change(endpoints, edit, (), lambda it: "message" in _error(it))


def _upper_codes(endpoints: str) -> Change:
    def edit(it: Exchange) -> Exchange:
        return it.with_json({"error": {**_error(it), "code": _error(it)["code"].upper()}})

    return Change(endpoints, edit, (), lambda it: isinstance(_error(it).get("code"), str))


def _headers(changes: Mapping[str, str]) -> Change:
    """A change of headers of every response; an empty value removes one."""

    def edit(it: Exchange) -> Exchange:
        merged = {**it.headers, **changes}
        return replace(it, headers={name: value for name, value in merged.items() if value})

    return Change("* /*", edit)


def _redirect(endpoint: str) -> Change:
    def edit(it: Exchange) -> Exchange:
        headers = {**it.headers, "location": "https://elsewhere.invalid/"}
        return replace(it, status=308, headers=headers, body=b"")

    return Change(endpoint, edit, (200,))


def _chat_refusal(fits: Fits) -> Change:
    return _refusal(_CHAT, 400, fits)


def _forces_tool(exchange: Exchange) -> bool:
    return isinstance(exchange.request.get("tool_choice"), dict)


def _chat(edit: Callable[[Row], Row]) -> Change:
    """A change of complete chat responses."""
    return _json(_CHAT, edit, lambda it: not it.streams)


def _choices(edit: Callable[[Row], Row]) -> Callable[[Row], Row]:
    return lambda value: {**value, "choices": list(map(edit, value["choices"]))}


def _messages(edit: Callable[[Row], Row]) -> Change:
    return _chat(_choices(lambda choice: {**choice, "message": edit(choice["message"])}))


def _finished(reason: str) -> Change:
    return _chat(
        _choices(
            lambda it: it | ({"finish_reason": reason} if it["finish_reason"] == "length" else {})
        )
    )


def _stream(edit: Callable[[Row], Row | None], *, marker: bool = True) -> Change:
    """A change of the chunks of a stream."""

    def changed(it: Exchange) -> Exchange:
        events = [line[6:] for line in it.body.decode().split("\n\n") if line]
        chunks = [edit(json.loads(event)) for event in events if event != "[DONE]"]
        lines = [json.dumps(chunk) for chunk in chunks if chunk is not None]
        lines += ["[DONE]"] if marker else []
        return replace(it, body="".join(f"data: {line}\n\n" for line in lines).encode())

    return Change(_CHAT, changed, (200,), lambda it: it.streams)


_without_calls_in_chunk: Final = _choices(
    lambda it: it | ({"delta": {"content": "."}} if it["delta"].get("tool_calls") else {})
)


def _vectors(asked: str | None, recode: Callable[[Any], Any]) -> Change:
    """A change of the form of vectors, for requests with this `encoding_format`."""
    return _rows(
        "POST /v1/embeddings",
        lambda row: {**row, "embedding": recode(row["embedding"])},
        lambda it: it.request.get("encoding_format") == asked,
    )


def _packed(vector: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


def _unpacked(text: str) -> list[float]:
    return [number for (number,) in struct.iter_unpack("<f", base64.b64decode(text))]


def _speech(content_type: str, body: bytes = b"") -> Change:
    return Change(_SPEECH, lambda it: it.with_body(body or it.body, content_type), (200,))


def _transcription(kind: str, form: str) -> Change:
    """A change of transcriptions with one `response_format`."""

    def edit(it: Exchange) -> Exchange:
        if form == "refused":
            return it.with_json(_REFUSED, 400)
        if form == "plain text":
            return it.with_body(it.json["text"].encode(), "text/plain; charset=utf-8")
        return it.with_json({"text": it.body.decode()})

    endpoint = "POST /v1/audio/transcriptions"
    return Change(endpoint, edit, (200,), lambda it: it.request.get("response_format") == kind)


def _silence() -> bytes:
    """A tenth of a second as a WAV file."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setparams((1, 2, 8000, 0, "NONE", ""))
        writer.writeframes(bytes(1600))
    return file.getvalue()


_NEW_STATUSES: Final = {"pending": "allocating", "running": "active"}
_RATE_LIMIT_HEADERS: Final = ("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset")

# Changes by row of the report and by the label that was observed.
CHANGES: Final[Mapping[Variant, Change]] = {
    ("infrastructure-host", "redirects"): _redirect(_BALANCE),
    ("inference-host", "redirects"): _redirect("GET /v1/models"),
    ("environment-parameter", "ignored"): _empty_list(
        "GET /api/v1/instances", lambda it: "environment" in it.query
    ),
    **{
        (f"{api}-error-envelope", form): _error_form(f"* {below}*", form)
        for api, below, own in (
            ("inference", "/v1/", "error with type"),
            ("infrastructure", "/api/v1/", "error with code"),
        )
        for form in _ERROR_FORMS
        if form != own
    },
    ("error-code-casing", "upper"): _upper_codes("* /*"),
    ("error-code-casing", "mixed"): _upper_codes("* /api/*"),
    ("infrastructure-validation-status", "422"): _status(_LAUNCH, 400, 422),
    ("inference-validation-status", "422"): _status(_CHAT, 400, 422),
    ("wrong-key-inference", "403"): _status(_CHAT, 401, 403),
    ("wrong-key-infrastructure", "403"): _status(_BALANCE, 401, 403),
    ("unknown-id", "400"): _status("GET /api/v1/instances/*", 404, 400),
    ("models-authentication", "key needed"): _refusal(
        "GET /v1/models", 401, lambda it: not it.has_known_key
    ),
    ("unknown-model", "400"): _status(_CHAT, 404, 400),
    ("unknown-model", "422"): _status(_CHAT, 404, 422),
    ("inference-endpoints", "missing"): _refusal("POST /v1/embeddings", 404),
    **{
        (row, label): _rows("GET /v1/models", edit, only_first=label == "mixed")
        for row, whole, edit in (
            ("model-ids", "name", lambda row: {**row, "id": row["id"].rpartition("/")[2]}),
            ("model-modalities", "missing", _without("input_modalities")),
        )
        for label in (whole, "mixed")
    },
    ("balance-case", "snake_case"): _rows(_BALANCE, _snake_case),
    ("transactions-case", "snake_case"): _rows("GET /api/v1/billing/transactions", _snake_case),
    ("instance-types-case", "camelCase"): _rows("GET /api/v1/instances/types", _camel_case),
    ("list-envelope", "data"): _json("GET /api/v1/jobs", _without("meta")),
    ("list-envelope", "bare list"): _json("GET /api/v1/jobs", lambda value: value["data"]),
    ("paging", "has_more"): _meta(_renamed("hasMore", "has_more")),
    ("paging", "neither"): _meta(_without("hasMore")),
    ("bad-page", "accepted"): _empty_list(
        "GET /api/v1/billing/transactions", lambda it: it.query.get("limit") == "0"
    ),
    **{
        ("auto-recharge-fields", name): _rows(
            "GET /api/v1/billing/auto-recharge", _renamed("target_usd", name)
        )
        for name in ("amount_usd", "amount")
    },
    **{
        ("usage-dates", label): _refusal("GET /api/v1/billing/usage", 400, fits)
        for label, fits in (
            ("days", lambda it: "T" in it.query.get("from", "")),
            ("times", lambda it: "T" not in it.query.get("from", "")),
            ("neither", _always),
        )
    },
    ("rate-limit-headers", "not sent"): _headers(dict.fromkeys(_RATE_LIMIT_HEADERS, "")),
    ("rate-limit-reset", "seconds"): _headers({"x-ratelimit-reset": "30"}),
    ("rate-limit-reset", "duration"): _headers({"x-ratelimit-reset": "30s"}),
    ("request-id", "sent"): _headers({"x-request-id": "req_emulated"}),
    ("chat-usage", "not sent"): _chat(_without("usage")),
    ("chat-token-limit", "stop"): _finished("stop"),
    ("chat-token-limit", "other"): _finished("max_tokens"),
    ("message-fields", "refused"): _chat_refusal(
        lambda it: any(one.get("content") is None for one in it.request.get("messages", ())),
    ),
    ("streaming-usage", "not sent"): _stream(
        lambda chunk: _without("usage")(chunk) if chunk["choices"] else None
    ),
    ("streaming-usage", "refused"): _chat_refusal(lambda it: "stream_options" in it.request),
    ("stream-end", "no marker"): _stream(lambda chunk: chunk, marker=False),
    ("tool-calls", "text"): _messages(
        lambda it: {"role": "assistant", "content": "."} if it.get("tool_calls") else it
    ),
    ("tool-calls", "refused"): _chat_refusal(lambda it: _forces_tool(it) and not it.streams),
    ("tool-calls-streamed", "text"): _stream(_without_calls_in_chunk),
    ("tool-calls-streamed", "refused"): _chat_refusal(lambda it: _forces_tool(it) and it.streams),
    ("reasoning-field", "none"): _messages(_without("reasoning_content")),
    **{
        ("reasoning-field", name): _messages(_renamed("reasoning_content", name))
        for name in ("reasoning", "thinking")
    },
    ("embedding-encoding", "base64"): _vectors(None, _packed),
    ("embedding-base64", "numbers"): _vectors("base64", _unpacked),
    ("image-delivery", "b64_json"): _rows(_IMAGES, lambda _: {"b64_json": _PIXEL}),
    ("image-delivery", "data URI"): _rows(
        _IMAGES, lambda _: {"url": f"data:image/gif;base64,{_PIXEL}"}
    ),
    ("image-created", "absent"): _json(_IMAGES, _without("created")),
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
    ("lifetime", "dropped"): _rows("* /api/v1/instances*", _without("max_runtime_minutes")),
    ("lookup-by-name", "not found"): _empty_list(
        "GET /api/v1/instances", lambda it: "search" in it.query
    ),
    ("instance-statuses", "new"): _rows(
        "* /api/v1/instances*",
        lambda row: row | {k: _NEW_STATUSES.get(row[k], row[k]) for k in ("status",) if k in row},
    ),
    ("update-limits", "refused"): Change(
        "PATCH /api/v1/instances/*", lambda it: it.with_json(_REFUSED, 409), (200,)
    ),
    ("delete-status", "200"): Change(
        "DELETE /api/v1/instances/*",
        lambda it: it.with_json({"data": {"message": "terminated"}}, 200),
        (204,),
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
        request = Request(scope, receive)
        body = self._with_full_model(await request.body())
        exchange = Exchange(
            method=request.method,
            path=request.url.path,
            query=dict(request.query_params),
            request=_fields(body),
            has_known_key=bearer_token(request.headers) in self._world.key_permissions,
        )
        changes = [CHANGES[variant] for variant in self.variants]
        for refusal in changes:
            if refusal.refuses and refusal.means(exchange):
                await _respond(refusal(exchange), send)
                return
        headers = [pair for pair in request.headers.raw if pair[0] != b"content-length"]
        inner = httpx.Request(request.method, str(request.url), headers=headers, content=body)
        response = await httpx.ASGITransport(self._app).handle_async_request(inner)
        exchange = replace(
            exchange,
            status=response.status_code,
            headers=dict(response.headers),
            body=await response.aread(),
        )
        for change in changes:
            if not change.refuses:
                exchange = change(exchange)
        await _respond(exchange, send)

    def _with_full_model(self, body: bytes) -> bytes:
        """Return a request that names a model by its short id with the full one."""
        value = _loads(body) if any(row == "model-ids" for row, _ in self.variants) else None
        if not isinstance(value, dict) or "/" in str(value.get("model", "/")):
            return body
        ids = (model.id for model in MODELS)
        full = next((name for name in ids if name.endswith(f"/{value['model']}")), None)
        return json.dumps({**value, "model": full}).encode() if full else body


async def _respond(exchange: Exchange, send: Send) -> None:
    headers = {**exchange.headers, "content-length": str(len(exchange.body))}
    pairs = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": exchange.status, "headers": pairs})
    await send({"type": "http.response.body", "body": exchange.body})


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
