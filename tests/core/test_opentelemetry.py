"""Spans of requests and streams, and of instances with their cost."""

from __future__ import annotations

from decimal import Decimal
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

import runcrate_core as rc
from runcrate_core.hooks.opentelemetry import OpenTelemetryHook
from tests.chat_service import completion
from tests.servers import Reply, sse, stream_reply, text_chunk

USAGE = {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12, "cost": 0.00125}
CHAT = {"model": "m", "messages": [{"role": "user", "content": "the prompt"}]}
ANSWERED = Reply(json=completion("Hi", usage=USAGE), headers={"x-request-id": "r-1"})


@pytest.fixture
def spans() -> SimpleNamespace:
    """A tracer whose finished spans are kept."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    hook = partial(OpenTelemetryHook, provider)
    return SimpleNamespace(hook=hook, finished=exporter.get_finished_spans)


@pytest.fixture
def traced(scripted: Any, spans: SimpleNamespace) -> Any:
    """Either client on a server, with spans of its requests: `traced(*replies)`."""

    def start(*replies: Reply, **options: Any) -> Any:
        _, both = scripted(*replies, on_request=spans.hook(**options))
        return both

    return start


def test_each_attempt_has_a_span_and_a_completion_its_model_tokens_and_cost(traced, spans):
    traced(Reply(503, {}), ANSWERED)("chat.completions.create", **CHAT)
    first, second = spans.finished()
    statuses = [span.status.status_code for span in (first, second)]
    assert statuses == [StatusCode.ERROR, StatusCode.UNSET]
    assert first.attributes["error.type"] == "503"
    assert "http.request.resend_count" not in first.attributes
    assert second.name == "chat m"
    assert dict(second.attributes) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "runcrate",
        "gen_ai.request.model": "m",
        "gen_ai.usage.input_tokens": 5,
        "gen_ai.usage.output_tokens": 7,
        "gen_ai.response.finish_reasons": ("stop",),
        "http.request.method": "POST",
        "http.request.resend_count": 1,
        "http.response.status_code": 200,
        "url.template": "/chat/completions",
        "runcrate.surface": "inference",
        "runcrate.request_id": "r-1",
        "runcrate.cost_usd": 0.00125,
    }


def test_a_stream_has_a_span_to_its_end_with_its_tokens(traced, spans):
    last = {**text_chunk("", finish="stop"), "usage": USAGE}
    traced(stream_reply(sse(text_chunk("Hi"), last))).chunks()
    opened, ended = spans.finished()
    assert (opened.name, ended.name) == ("chat m", "chat m stream")
    assert ended.attributes["gen_ai.usage.output_tokens"] == 7
    assert ended.attributes["runcrate.cost_usd"] == 0.00125


def test_a_stream_that_fails_or_is_left_early_is_recorded_once(traced, spans):
    with pytest.raises(rc.StreamTruncatedError):
        traced(stream_reply(sse(text_chunk("a"), done=False))).chunks()
    assert [span.attributes["error.type"] for span in spans.finished()[1:]] == ["truncated"]
    traced(stream_reply(sse(text_chunk("a"), text_chunk("b")))).chunks(take=1)
    assert [span.name for span in spans.finished()[2:]] == ["chat m", "chat m stream"]


@pytest.mark.parametrize("wanted", [True, False])
def test_text_is_in_spans_only_when_it_is_asked_for(traced, spans, wanted):
    traced(ANSWERED, capture_content=wanted)("chat.completions.create", **CHAT)
    text = spans.finished()[0].to_json()
    assert ("the prompt" in text) is wanted
    assert ("Hi" in text) is wanted
    assert "rc_live" not in text


def test_a_request_without_a_response_names_its_failure(at, spans):
    both = at("http://127.0.0.1:9", on_request=spans.hook(), max_retries=0)
    with pytest.raises(rc.APIConnectionError):
        both("instances.get", "i-1")
    (span,) = spans.finished()
    assert span.name == "GET /instances/{instance_id}"
    assert "could not be opened" in str(span.attributes["error.type"])
    assert "i-1" not in span.to_json()


def test_responses_that_are_no_completion_have_spans_too(traced, spans):
    both = traced(
        Reply(json={"data": [{"index": 0, "embedding": [1.0]}], "model": "m"}),
        Reply(json={"data": {"creditsBalance": 1}}),
        Reply(body=[b"{"], length=1),
    )
    both("embeddings.create", model="m", input="x")
    both("billing.get_balance")
    with pytest.raises(rc.ResponseFormatError):
        both("audio.transcriptions.create", b"RIFF\x24\x00\x00\x00WAVEfmt ", model="m")
    assert [span.name for span in spans.finished()[:2]] == ["embeddings m", "GET /billing/balance"]
    assert len(spans.finished()) == 3


def test_ended_resources_of_a_ledger_are_spans_with_their_cost(spans):
    ended = rc.LedgerEntry("a-1", "instance", Decimal(2), 30, state="ended", cost_usd=Decimal(1))
    running = rc.LedgerEntry("a-2", "instance", Decimal(2), 30, state="started")
    refused = rc.LedgerEntry("a-3", "job", Decimal(2), 30, state="ended")
    spans.hook(clock=lambda: 10_000.0).record_ledger([ended, running, refused])
    first, second = spans.finished()
    assert (first.name, second.name) == ("runcrate.instance", "runcrate.job")
    assert first.attributes["runcrate.cost_usd"] == 1.0
    assert first.end_time - first.start_time == 1800 * 10**9
    assert "runcrate.cost_usd" not in second.attributes
