"""Errors: of the client's kind and of LangChain's, with the answer, without the key, at once."""

from __future__ import annotations

import pickle

import pytest
from langchain_core import exceptions as langchain

import runcrate_core
from langchain_runcrate import ChatRuncrate, errors
from langchain_runcrate.errors import translated
from tests.chat_service import chunk
from tests.langchain.chat_service import (
    EVERY,
    STREAMED,
    WHOLE,
    Recorder,
    chat,
    invoke,
    stream,
    whole,
)
from tests.servers import Reply, ScriptedServer, sse, stream_reply

# Of each status our error, the client's and LangChain's.
TWINS = [
    (400, "RuncrateInvalidRequest", "BadRequest", "ModelInvalidRequest"),
    (401, "RuncrateAuthentication", "Authentication", "ModelAuthentication"),
    (402, "RuncrateInsufficientCredits", "InsufficientCredits", "ModelPermissionDenied"),
    (403, "RuncratePermissionDenied", "PermissionDenied", "ModelPermissionDenied"),
    (404, "RuncrateModelNotFound", "NotFound", "ModelNotFound"),
    (418, "RuncrateStatus", "APIStatus", "Model"),
    (422, "RuncrateUnprocessable", "UnprocessableEntity", "ModelInvalidRequest"),
    (429, "RuncrateRateLimit", "RateLimit", "ModelRateLimit"),
    (500, "RuncrateServer", "InternalServer", "ModelAPI"),
    (503, "RuncrateServer", "InternalServer", "ModelAPI"),
]


def refusal(status: int, code: str = "some_code", message: str = "Why.", **headers: str) -> Reply:
    body = {"error": {"message": message, "code": code, "details": {"field": "x"}}}
    return Reply(status, json=body, headers={"x-request-id": "req_1", **headers})


@pytest.mark.parametrize(("status", "ours", "core", "standard"), TWINS)
@pytest.mark.parametrize("ask", EVERY)
def test_each_status_is_both_kinds_of_error(ask, status, ours, core, standard):
    kind, core = getattr(errors, f"{ours}Error"), getattr(runcrate_core, f"{core}Error")
    with ScriptedServer(refusal(status)) as server, pytest.raises(kind) as caught:
        ask(chat(server))
    error = caught.value
    assert isinstance(error, core)
    assert isinstance(error, getattr(langchain, f"{standard}Error"))
    assert error.is_retryable is (status in {429, 500, 503})
    assert (error.status_code, error.code, error.request_id) == (status, "some_code", "req_1")
    assert error.response.status_code == status
    assert error.response.headers["x-request-id"] == "req_1"
    assert error.response.json()["error"]["code"] == "some_code"
    assert '"some_code"' in error.response.text
    assert isinstance(error.__cause__, core)
    assert server.sent == 1
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - its own
    assert (type(again), again.args, again.status_code) == (kind, error.args, status)


@pytest.mark.parametrize(
    ("code", "retryable"),
    [("rate_limited", True), ("insufficient_quota", False), ("BUDGET_REACHED", False)],
)
def test_a_spent_quota_is_not_worth_repeating(code, retryable):
    reply = refusal(429, code, **{"retry-after": "7"})
    with ScriptedServer(reply) as server, pytest.raises(errors.RuncrateRateLimitError) as caught:
        chat(server).invoke("Hi")
    assert caught.value.is_retryable is retryable
    assert caught.value.retry_after == 7


HALF = chunk({"content": "Half"})
OVERFLOWS = [
    "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens.",
    "the request exceeds the available context size",
    "prompt is too long: 210000 tokens > 200000 maximum",
    "Input is too long for requested model.",
    "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
    "Please reduce the length of the messages or completion.",
    "litellm.ContextWindowExceededError: too much",
]


LATE = stream_reply(sse(HALF, {"error": {"message": OVERFLOWS[0], "code": 400}}))


@pytest.mark.parametrize(
    ("reply", "is_overflow"),
    [
        *((refusal(400, message=text), True) for text in OVERFLOWS),
        (refusal(422, message=OVERFLOWS[0]), True),
        (refusal(400, "context_length_exceeded"), True),
        (LATE, True),
        (refusal(400, message="`temperature` must be at most 2."), False),
        (refusal(500, message=OVERFLOWS[0]), False),
    ],
)
def test_a_prompt_that_is_too_long_is_recognised(reply, is_overflow):
    with ScriptedServer(reply) as server, pytest.raises(langchain.ModelError) as caught:
        list(chat(server).stream("Hi"))
    assert isinstance(caught.value, langchain.ContextOverflowError) is is_overflow
    assert isinstance(caught.value, errors.RuncrateContextOverflowError) is is_overflow


SILENT = Reply(body=[5.0])
CUT = stream_reply(sse(HALF, done=False), end="close")
STALLED = stream_reply([*sse(HALF, done=False), 5.0])
FAILED = stream_reply(sse(HALF, {"error": {"message": "no GPU", "code": 503}}))
REFUSED = stream_reply(sse({"error": {"message": "slow down", "code": "rate_limited"}}))
PAGE = Reply(body=[b"<html>oops</html>"])
NO_CHOICES = Reply(json={"id": "x", "model": "m", "choices": []})


@pytest.mark.parametrize(
    ("ask", "reply", "kind", "standard"),
    [
        *((ask, None, "RuncrateConnectionError", "ModelConnectionError") for ask in EVERY),
        *((ask, SILENT, "RuncrateTimeoutError", "ModelTimeoutError") for ask in WHOLE),
        *((ask, PAGE, "RuncrateResponseError", "ModelAPIError") for ask in WHOLE),
        *((ask, NO_CHOICES, "RuncrateResponseError", "ModelAPIError") for ask in WHOLE),
        *((ask, CUT, "RuncrateStreamTruncatedError", "ModelConnectionError") for ask in STREAMED),
        *((ask, STALLED, "RuncrateStreamStalledError", "ModelTimeoutError") for ask in STREAMED),
        *((ask, FAILED, "RuncrateStreamError", "ModelAPIError") for ask in STREAMED),
        *((ask, REFUSED, "RuncrateRateLimitError", "ModelRateLimitError") for ask in STREAMED),
    ],
)
def test_each_failure_is_both_kinds_of_error_and_keeps_what_came(ask, reply, kind, standard):
    with ScriptedServer(reply or whole()) as server:
        url = f"{server.url}/v1" if reply else "http://127.0.0.1:9/v1"
        options = {"timeout": 0.1} if reply is SILENT else {"stream_idle_timeout": 0.2}
        with pytest.raises(getattr(errors, kind)) as caught:
            ask(chat(server, base_url=url, **options))
    error = caught.value
    assert isinstance(error, getattr(langchain, standard))
    if reply is None:
        assert error.is_retryable
        assert isinstance(error, ConnectionError)
    if reply is SILENT:
        assert isinstance(error, TimeoutError)
    if reply in (CUT, STALLED, FAILED):
        assert error.partial["choices"][0]["message"]["content"] == "Half"
    if reply is NO_CHOICES:
        assert "`m` returned no choices" in str(error)


def test_the_trace_of_a_failed_call_holds_the_answer():
    recorder = Recorder()
    with ScriptedServer(refusal(404, "model_not_found")) as server:
        for ask in (invoke, stream):
            with pytest.raises(errors.RuncrateModelNotFoundError):
                ask(chat(server, callbacks=[recorder]))
    whole_one, streamed_one = (failed.generations[0][0].message for failed in recorder.failed)
    metadata = whole_one.response_metadata
    assert metadata == streamed_one.response_metadata
    assert (metadata["status_code"], metadata["request_id"]) == (404, "req_1")
    assert metadata["body"]["error"]["code"] == "model_not_found"
    assert "authorization" not in metadata["headers"]


def test_a_missing_or_foreign_key_is_refused_before_anything_is_sent(monkeypatch):
    with pytest.raises(runcrate_core.ConfigurationError, match="does not start with") as caught:
        ChatRuncrate(model="m", api_key="sk-proj-secret").invoke("Hi")
    assert "secret" not in str(caught.value)
    monkeypatch.delenv("RUNCRATE_API_KEY")
    for variable in ("OPENAI_API_KEY", "OPENAI_API_BASE", "OPENAI_BASE_URL"):
        monkeypatch.setenv(variable, "https://wrong.example/v1")
    for key in ({}, {"api_key": ""}):
        with pytest.raises(runcrate_core.ConfigurationError, match="RUNCRATE_API_KEY"):
            ChatRuncrate(model="m", **key)
        ChatRuncrate(model="m", base_url="http://127.0.0.1:9/v1", **key)


def test_errors_that_are_not_about_a_model_stay_as_they_are():
    error = runcrate_core.ConfigurationError("x")
    assert translated(error) is error
    twin = translated(runcrate_core.RateLimitError("x"))
    assert translated(twin) is twin


def test_a_refused_request_is_retried_where_that_may_help():
    slow = Reply(429, json={"error": {"code": "rate_limited"}}, headers={"retry-after": "0"})
    with ScriptedServer(slow, whole(), Reply(402, json={"error": {}})) as server:
        model = chat(server, max_retries=2)
        assert model.invoke("Hi").text == "Hello!"
        with pytest.raises(langchain.ModelError) as caught:
            model.invoke("Hi")
        assert server.sent == 3
    assert not caught.value.is_retryable
