"""Observations: the variant that recorded exchanges show, as a label from a closed vocabulary.

Labels hold no text of the service, so that a report has no key, identifier or personal data in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from runcrate_core.protocol.media_types import sniffed_type
from runcrate_core.protocol.response import Response, request_id_of
from runcrate_core.verification.exchanges import parse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from runcrate_core.verification.exchanges import Exchanges

_ERRORS: Final = range(400, 600)
_REDIRECTS: Final = range(300, 400)
_ABOUT_THE_ACCOUNT: Final = frozenset({402, 429})
_FIRST_SERVER_ERROR: Final = 500
_EPOCH_FLOOR: Final = 1_000_000_000
_INFERENCE_ERRORS: Final = ("chat_wrong_key", "chat_missing_field", "chat_unknown_model")
_INFRASTRUCTURE_ERRORS: Final = (
    "balance_wrong_key",
    "instance_missing_field",
    "instance_unknown_id",
    "transactions_bad_page",
)
_STATUS_WORDS: Final = frozenset(
    {"creating", "pending", "provisioning", "deploying", "running", "terminated", "failed"}
)


def status_of(name: str) -> Callable[[Exchanges], str | None]:
    """Return an observation of a probe's status."""

    def observe(exchanges: Exchanges) -> str | None:
        response = exchanges.response(name)
        return None if response is None or _says_nothing(response) else str(response.status)

    return observe


def host(name: str) -> Callable[[Exchanges], str | None]:
    """Return an observation of whether a host responds itself or redirects."""

    def observe(exchanges: Exchanges) -> str | None:
        response = exchanges.response(name)
        if response is None:
            return None
        return "redirects" if response.status in _REDIRECTS else "answers"

    return observe


def accepted(name: str) -> Callable[[Exchanges], str | None]:
    """Return an observation of whether a request is accepted or refused."""

    def observe(exchanges: Exchanges) -> str | None:
        response = exchanges.response(name)
        if response is None or _says_nothing(response):
            return None
        return "accepted" if response.ok else "refused"

    return observe


def offered(*names: str) -> Callable[[Exchanges], str | None]:
    """Return an observation of whether endpoints exist."""

    def observe(exchanges: Exchanges) -> str | None:
        if any(exchanges.response(name) is None for name in names):
            return None
        missing = any(exchanges.is_not_offered(name) for name in names)
        return "missing" if missing else "offered"

    return observe


def error_envelope(names: Iterable[str]) -> Callable[[Exchanges], str | None]:
    """Return an observation of the form of error bodies; `mixed` when they differ."""

    def observe(exchanges: Exchanges) -> str | None:
        return _only(_envelope(response) for response in _errors(exchanges, names))

    return observe


inference_envelope = error_envelope(_INFERENCE_ERRORS)
infrastructure_envelope = error_envelope(_INFRASTRUCTURE_ERRORS)


def _envelope(response: Response) -> str:
    body = _object(response)
    error = body.get("error")
    match error:
        case {"message": str(), "type": str()}:
            return "error with type"
        case {"code": str(), "message": str()}:
            return "error with code"
        case {"message": str()}:
            return "error with message"
        case str():
            return "error text"
    return next((name for name in ("detail", "message") if name in body), "no JSON error")


def code_casing(exchanges: Exchanges) -> str | None:
    """Return how error codes are written."""
    codes = [
        code
        for response in _errors(exchanges, (*_INFERENCE_ERRORS, *_INFRASTRUCTURE_ERRORS))
        if isinstance(error := _object(response).get("error"), dict)
        and isinstance(code := error.get("code"), str)
    ]
    return _only("upper" if code.isupper() else "lower" for code in codes)


def environment_parameter(exchanges: Exchanges) -> str | None:
    """Return whether the query parameter `environment` is read: an unknown one is refused."""
    response = exchanges.response("unknown_environment")
    if response is None:
        return None
    return "ignored" if response.ok else "read"


def models_authentication(exchanges: Exchanges) -> str | None:
    """Return whether listing models needs a valid key."""
    response = exchanges.response("models_wrong_key")
    return None if response is None else "open" if response.ok else "key needed"


def model_id_style(exchanges: Exchanges) -> str | None:
    """Return how model ids are written."""
    ids = [str(model.get("id", "")) for model in exchanges.rows("models")]
    return _only("owner/name" if "/" in name else "name" for name in ids)


def model_modalities(exchanges: Exchanges) -> str | None:
    """Return whether listed models carry their modalities."""
    models = exchanges.rows("models")
    return _only("listed" if "input_modalities" in model else "missing" for model in models)


def field_case(name: str, camel: str, snake: str) -> Callable[[Exchanges], str | None]:
    """Return an observation of the case of a field, in an object or the first row of a list."""

    def observe(exchanges: Exchanges) -> str | None:
        data = exchanges.data(name)
        rows: list[Any] = data if isinstance(data, list) else [data]
        row = next((item for item in rows if isinstance(item, dict)), {})
        return "camelCase" if camel in row else "snake_case" if snake in row else None

    return observe


def list_envelope(exchanges: Exchanges) -> str | None:
    """Return whether infrastructure lists are in `data` next to `meta`."""
    value = exchanges.value("jobs")
    if value is None:
        return None
    if isinstance(value, dict) and isinstance(value.get("data"), list):
        return "data and meta" if isinstance(value.get("meta"), dict) else "data"
    return "bare list" if isinstance(value, list) else "other"


def cursor_meta(exchanges: Exchanges) -> str | None:
    """Return how a list reports further pages."""
    value = exchanges.value("jobs")
    meta = value.get("meta") if isinstance(value, dict) else None
    if not isinstance(meta, dict):
        return None
    return next((name for name in ("hasMore", "has_more") if name in meta), "neither")


def auto_recharge_fields(exchanges: Exchanges) -> str | None:
    """Return the name of the field that holds the amount of an automatic recharge."""
    data = exchanges.data("auto_recharge")
    if not isinstance(data, dict):
        return None
    return next((name for name in ("target_usd", "amount_usd", "amount") if name in data), None)


def usage_dates(exchanges: Exchanges) -> str | None:
    """Return which forms of dates a usage query takes."""
    days, times = exchanges.response("usage_days"), exchanges.response("usage_times")
    if days is None or times is None:
        return None
    forms = [name for name, one in (("days", days), ("times", times)) if one.ok]
    return " and ".join(forms) or "neither"


def rate_limit_headers(exchanges: Exchanges) -> str | None:
    """Return whether inference responses carry the state of the rate limit."""
    response = exchanges.response("models")
    if response is None:
        return None
    return "sent" if "x-ratelimit-limit" in response.headers else "not sent"


def rate_limit_reset(exchanges: Exchanges) -> str | None:
    """Return the unit of `X-RateLimit-Reset`."""
    response = exchanges.response("models")
    text = "" if response is None else response.headers.get("x-ratelimit-reset", "")
    if not text:
        return None
    try:
        return "unix time" if float(text) > _EPOCH_FLOOR else "seconds"
    except ValueError:
        return "duration"


def request_id(exchanges: Exchanges) -> str | None:
    """Return whether responses carry an identifier of the request in a header."""
    response = exchanges.response("models")
    if response is None:
        return None
    return "sent" if request_id_of(response.headers) else "not sent"


# --- inference -----------------------------------------------------------------------------------


def chat_usage(exchanges: Exchanges) -> str | None:
    """Return whether a complete chat response reports its tokens."""
    value = exchanges.value("chat")
    return None if value is None else "sent" if _dict(value, "usage") else "not sent"


def chat_cut(exchanges: Exchanges) -> str | None:
    """Return the finish reason of a response that was cut at the token limit."""
    choice = _choice(exchanges.value("chat"))
    reason = choice.get("finish_reason")
    if not choice:
        return None
    return reason if reason in {"length", "stop"} else "other"


def streaming_usage(exchanges: Exchanges) -> str | None:
    """Return whether a stream that asks for its usage gets it."""
    response = exchanges.response("chat_stream")
    if response is None or _says_nothing(response):
        return None
    if not response.ok:
        return "refused"
    return (
        "sent"
        if any(_dict(chunk, "usage") for chunk in exchanges.chunks("chat_stream"))
        else ("not sent")
    )


def stream_end(exchanges: Exchanges) -> str | None:
    """Return how a stream ends."""
    events = exchanges.events("chat_stream")
    return ("[DONE]" if events[-1] == "[DONE]" else "no marker") if events else None


def tool_call(exchanges: Exchanges) -> str | None:
    """Return the form of the response to a forced tool call."""
    response = exchanges.response("chat_tools")
    if response is None or _says_nothing(response):
        return None
    if not response.ok:
        return "refused"
    message = _dict(_choice(exchanges.value("chat_tools")), "message")
    return "tool_calls" if message.get("tool_calls") else "text"


def streamed_tool_call(exchanges: Exchanges) -> str | None:
    """Return how a forced tool call is streamed."""
    response = exchanges.response("chat_tools_stream")
    if response is None or _says_nothing(response):
        return None
    if not response.ok:
        return "refused"
    chunks = exchanges.chunks("chat_tools_stream")
    found = any(_dict(_choice(chunk), "delta").get("tool_calls") for chunk in chunks)
    return "tool_calls" if found else "text"


def reasoning_field(exchanges: Exchanges) -> str | None:
    """Return the field that contains a model's reasoning."""
    message = _dict(_choice(exchanges.value("chat_reasoning")), "message")
    names = ("reasoning_content", "reasoning", "thinking")
    return next((name for name in names if message.get(name)), "none") if message else None


def embedding_encoding(name: str) -> Callable[[Exchanges], str | None]:
    """Return an observation of the form of a vector."""

    def observe(exchanges: Exchanges) -> str | None:
        rows = exchanges.rows(name)
        if not rows:
            return None
        vector = rows[0].get("embedding")
        return "numbers" if isinstance(vector, list) else "base64"

    return observe


def image_delivery(exchanges: Exchanges) -> str | None:
    """Return how an image is delivered when no form is asked for."""
    rows = exchanges.rows("image")
    if not rows:
        return None
    url = rows[0].get("url")
    if isinstance(url, str) and url:
        return "data URI" if url.startswith("data:") else "url"
    return "b64_json" if rows[0].get("b64_json") else "neither"


def image_created(exchanges: Exchanges) -> str | None:
    """Return whether an image response has the time of its making."""
    value = exchanges.value("image")
    return None if value is None else "present" if _dict_or(value).get("created") else "absent"


def speech_format(exchanges: Exchanges) -> str | None:
    """Return the media type that speech really has."""
    response = exchanges.ok("speech")
    return None if response is None else sniffed_type(response.body) or "unknown bytes"


def speech_header(exchanges: Exchanges) -> str | None:
    """Return whether the header of a speech response names audio."""
    response = exchanges.ok("speech")
    if response is None:
        return None
    return "audio" if response.content_type.startswith("audio/") else "other"


def transcript(name: str) -> Callable[[Exchanges], str | None]:
    """Return an observation of the form of a transcription: JSON or plain text."""

    def observe(exchanges: Exchanges) -> str | None:
        response = exchanges.response(name)
        if response is None or _says_nothing(response) or exchanges.is_not_offered(name):
            return None
        if not response.ok:
            return "refused"
        value = exchanges.value(name)
        return "JSON" if isinstance(value, dict) and "text" in value else "plain text"

    return observe


# --- instances -----------------------------------------------------------------------------------


def environment_variables(exchanges: Exchanges) -> str | None:
    """Return whether environment variables are accepted as an object."""
    if exchanges.ok("instance_created") is None:
        return None
    return "accepted" if exchanges.ok("instance_with_variables") else "refused"


def launch_status(exchanges: Exchanges) -> str | None:
    """Return the status of a successful launch."""
    return exchanges.status("instance_created") if exchanges.ok("instance_created") else None


def instance_status_words(exchanges: Exchanges) -> str | None:
    """Return whether the words for an instance's status are those that are known."""
    words = [
        str(status)
        for name in ("instance_created", "instance_status", "instance_seen", "instance_ended")
        if isinstance(data := exchanges.data(name), dict)
        and (status := data.get("status")) is not None
    ]
    if not words:
        return None
    return "known" if _STATUS_WORDS.issuperset(words) else "new"


def found_by_name(exchanges: Exchanges) -> str | None:
    """Return whether an instance is in the list under the name that it was created with."""
    created = exchanges.data("instance_created")
    if not isinstance(created, dict) or exchanges.ok("instances_by_name") is None:
        return None
    rows = exchanges.rows("instances_by_name")
    return "found" if any(row.get("id") == created.get("id") for row in rows) else "not found"


def lifetime_kept(exchanges: Exchanges) -> str | None:
    """Return whether an instance carries the lifetime that was asked for."""
    data = exchanges.data("instance_created")
    if not isinstance(data, dict):
        return None
    return "kept" if data.get("max_runtime_minutes") else "dropped"


def _says_nothing(response: Response) -> bool:
    """Return whether a response is about the account or the server, not about the request."""
    return response.status in _ABOUT_THE_ACCOUNT or response.status >= _FIRST_SERVER_ERROR


def _errors(exchanges: Exchanges, names: Iterable[str]) -> list[Response]:
    return [
        response
        for name in names
        if (response := exchanges.response(name)) is not None and response.status in _ERRORS
    ]


def _object(response: Response) -> Mapping[str, Any]:
    return _dict_or(parse(response))


def _dict_or(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _dict(value: Any, name: str) -> Mapping[str, Any]:
    return _dict_or(_dict_or(value).get(name))


def _choice(value: Any) -> Mapping[str, Any]:
    choices = _dict_or(value).get("choices")
    return _dict_or(choices[0]) if isinstance(choices, list) and choices else {}


def _only(labels: Iterable[str]) -> str | None:
    found = set(labels)
    return None if not found else found.pop() if len(found) == 1 else "mixed"
