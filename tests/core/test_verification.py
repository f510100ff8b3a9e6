"""Verification: every assumption holds on the emulator, and each variant turns its own row red."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

import runcrate_core as rc
from runcrate_core.protocol.response import Failure, Response, TransportFailure
from runcrate_core.verification.assumptions import ASSUMPTIONS, Level
from runcrate_core.verification.exchanges import Exchanges
from runcrate_core.verification.launch import cheapest_offer, launch_probes
from runcrate_core.verification.probes import choose_models, free_probes, inference_probes
from runcrate_core.verification.report import Verdict, evaluate
from runcrate_core.verification.verify import Limit, verify
from runcrate_emulator import Emulator
from runcrate_emulator.variants import CHANGES, observed_variants
from tests.core.both_clients import new_client
from tests.servers import Reply, ScriptedServer

BY_ID = {assumption.id: assumption for assumption in ASSUMPTIONS}
PROBED = [assumption for assumption in ASSUMPTIONS if assumption.observe is not None]
EMULATOR = {"requests_per_minute": 100_000}
ALWAYS = Limit(Decimal("0.50"), lambda _: True)


@pytest.fixture
def client(cloud: Emulator) -> Iterator[rc.Runcrate]:
    with new_client(cloud.base_url, key=cloud.api_key) as made:
        yield made


def test_the_emulator_is_what_is_assumed_at_every_level(client):
    report = verify(client, set(Level), ALWAYS)
    wrong = {
        row.assumption.id: (row.verdict.value, row.observed, row.note)
        for row in report.rows
        if row.verdict not in {Verdict.VERIFIED, Verdict.POLICY}
    }
    assert wrong == {}
    assert not report.differences
    assert report.cost_usd is not None
    assert report.cost_usd < 1
    assert [instance.status for instance in client.instances.list()] == ["terminated"]


@pytest.mark.parametrize(("row", "label"), CHANGES)
def test_a_variant_turns_its_own_row_red_and_no_other(cloud, client, row, label):
    cloud.variants = ((row, label),)
    exchanges = client.run(free_probes())  # the others build on them
    level = BY_ID[row].level
    if level is Level.INFERENCE:
        exchanges = exchanges.merged(client.run(inference_probes(choose_models(exchanges))))
    if level is Level.LAUNCH:
        offer = cheapest_offer(exchanges)
        guard = rc.SpendGuard(offer.limits())
        exchanges = exchanges.merged(client.run(launch_probes(guard, offer)))
    report = evaluate(exchanges, {Level.FREE, level})
    assert [(red.assumption.id, red.observed) for red in report.differences] == [(row, label)]


def test_rows_are_complete_and_each_variant_of_a_source_can_be_emulated():
    assert len(BY_ID) == len(ASSUMPTIONS)
    for assumption in ASSUMPTIONS:
        assert assumption.source
        assert set(assumption.expected) <= set(assumption.variants)
        assert bool(assumption.policy) == (assumption.observe is None)
        others = set(assumption.variants) - set(assumption.expected)
        named = {(assumption.id, label) for label in others if assumption.observe}
        assert named <= set(CHANGES)


HI = {"role": "user", "content": "Hi"}
CHAT: dict[str, Any] = {"model": "deepseek-ai/DeepSeek-R1", "messages": [HI]}
# Variants of different rows are read at once.
READ_IN_BOTH_FORMS = (
    {
        "balance-case": "snake_case",
        "transactions-case": "snake_case",
        "instance-types-case": "camelCase",
        "paging": "has_more",
        "image-delivery": "b64_json",
        "image-created": "absent",
        "embedding-encoding": "base64",
        "reasoning-field": "reasoning",
        "rate-limit-headers": "not sent",
        "stream-end": "no marker",
        "transcription-srt": "JSON",
        "delete-status": "200",
        "create-status": "200",
        "instance-statuses": "new",
    },
    {
        "image-delivery": "data URI",
        "streaming-usage": "not sent",
        "transcription-json": "plain text",
    },
)


@pytest.mark.parametrize("variants", READ_IN_BOTH_FORMS)
def test_the_client_reads_every_form_that_it_promises_to_read(cloud, client, variants, tmp_path):
    cloud.variants = tuple(variants.items())
    assert client.billing.get_balance().credits_balance > 0
    assert next(iter(client.billing.list_transactions())).created_at is not None
    cheapest = min(client.instances.list_types(), key=lambda kind: kind.hourly_rate or 99)
    assert cheapest.hourly_rate
    assert list(client.jobs.list()) == []
    image = client.images.generate("a square", model="black-forest-labs/FLUX.1-schnell")
    assert image.data[0].save(tmp_path / "image").stat().st_size > 0
    vectors = client.embeddings.create(model="BAAI/bge-base-en-v1.5", input="x")
    assert len(vectors.data[0].embedding) == 768
    assert client.chat.completions.create(**CHAT).choices[0].message.content
    with client.chat.completions.stream(**CHAT) as stream:
        assert list(stream)
    assert stream.completion.choices[0].finish_reason == "stop"
    kokoro = {"model": "hexgrad/Kokoro-82M", "voice": "af_heart"}
    speech = client.audio.speech.create("Hello there.", **kokoro)
    for kind in ("json", "srt"):
        transcribed = client.audio.transcriptions.create(
            speech.content, model="openai/whisper-1", response_format=kind
        )
        assert "hello there" in transcribed.text.lower()
    wish: Any = {"instance_type_id": cheapest.id, "max_runtime_minutes": 5}
    client.instances.terminate(client.instances.create(name="both-forms", **wish).id)


def test_nothing_is_spent_above_the_limit_or_without_a_yes(cloud, client):
    asked: list[str] = []

    def refuse(text):
        asked.append(text)
        return False

    with pytest.raises(rc.SpendRefusedError, match="not confirmed"):
        verify(client, {Level.INFERENCE}, Limit(Decimal("0.10"), refuse))
    assert len(asked) == 1
    assert "Kokoro" in asked[0]
    with pytest.raises(rc.SpendRefusedError, match=r"exceeds the limit of 0\.001 USD"):
        verify(client, {Level.LAUNCH}, Limit(Decimal("0.001"), lambda _: True))
    no_launch = Limit(Decimal("0.10"), lambda text: "--launch" not in text)
    with pytest.raises(rc.SpendRefusedError, match=r"--launch.*not confirmed"):
        verify(client, {Level.INFERENCE, Level.LAUNCH}, no_launch)
    sent = {(request.method, request.path) for request in cloud.requests}
    assert ("POST", "/v1/audio/speech") not in sent
    assert client.instances.list() == []


def test_an_interrupted_launch_leaves_nothing_running(cloud, client, monkeypatch):
    def interrupted(_):
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr("runcrate_core.verification.launch.send", interrupted)
    with pytest.raises(KeyboardInterrupt):
        verify(client, {Level.LAUNCH}, ALWAYS)
    assert [instance.status for instance in client.instances.list()] == ["terminated"]


def test_a_service_that_is_down_or_refuses_the_key_is_one_clear_line(cloud):
    for client, problem in (
        (new_client("http://127.0.0.1:9"), "does not respond"),
        (new_client(cloud.base_url, key="rc_live_unknown"), "does not accept this key"),
    ):
        with client, pytest.raises(rc.ConfigurationError, match=problem):
            verify(client, set(), ALWAYS)


def test_an_account_without_credits_is_named():
    with Emulator(balance_usd=0) as poor:
        with new_client(poor.base_url, key=poor.api_key) as client:
            report = verify(client, {Level.INFERENCE}, ALWAYS)
    notes = {row.note for row in report.rows if row.verdict is Verdict.NOT_SHOWN}
    assert "the account has no credits (402)" in notes
    assert not report.differences


def test_a_server_with_inference_alone_is_judged_by_what_it_has():
    """As of llama.cpp or vLLM: no infrastructure, one chat model, nothing else."""
    missing = Reply(404, {"error": {"message": "no such path", "type": "x", "code": "y"}})
    listed = Reply(json={"object": "list", "data": [{"id": "tiny.gguf", "object": "model"}]})
    with ScriptedServer(listed, missing) as server:
        with new_client(server.url, key="key") as client:
            report = verify(client, {Level.INFERENCE}, ALWAYS)
    verdicts = {row.assumption.id: row.verdict for row in report.rows}
    missing_parts = ["balance-case", "image-delivery", "transcription-srt"]
    assert {verdicts[name] for name in missing_parts} == {Verdict.NOT_OFFERED}
    assert verdicts["model-ids"] is Verdict.DIFFERS
    assert verdicts["create-status"] is Verdict.NOT_PROBED


def test_a_rate_limit_is_waited_for_once(scripted):
    limited = Reply(429, {}, headers={"retry-after": "0"})
    _, both = scripted(limited, Reply(json={"data": []}))
    exchanges = both("run", free_probes())
    assert exchanges.status("models") == "200"


def test_a_report_holds_labels_and_no_text_of_the_service(client, tmp_path, cloud):
    cloud.variants = (("balance-case", "snake_case"), ("paging", "has_more"))
    report = verify(client, {Level.INFERENCE, Level.LAUNCH}, ALWAYS)
    text = report.to_json()
    instance = client.instances.list()[0]
    for secret in (cloud.api_key, instance.id, instance.name, cloud.base_url):
        assert secret not in text
        assert secret not in report.to_text()
    path = tmp_path / "report.json"
    path.write_text(text)
    assert set(observed_variants(path)) == set(cloud.variants)
    assert "2 differs" in report.summary()
    assert report.to_text().splitlines()[-3].endswith("DIFFERS")


@pytest.mark.parametrize(
    "content", ["[]", "{}", "not json", json.dumps({"report": "runcrate verify", "rows": None})]
)
def test_something_else_is_no_report(tmp_path, content):
    path = tmp_path / "other.json"
    path.write_text(content)
    with pytest.raises(ValueError, match="is not a report"):
        observed_variants(path)


@pytest.mark.parametrize(
    "reply",
    [
        TransportFailure(Failure.CONNECT),
        Response(500, {}, b"<html>"),
        Response(200, {}, b"null"),
        Response(200, {}, b'{"data": [null, 1, {}], "choices": [{}], "error": 3}'),
        Response(200, {"x-ratelimit-reset": "soon"}, b"\xff\xfe"),
        Response(400, {}, b'{"error": {"code": 5}}'),
    ],
    ids=repr,
)
def test_no_odd_response_breaks_an_observation(reply):
    names = {one.probe for one in PROBED} | {"usage_days", "embedding_base64", "models_wrong_key"}
    exchanges = Exchanges(dict.fromkeys(names, reply))
    for assumption in PROBED:
        observed: Any = assumption.observe(exchanges)
        assert observed is None or isinstance(observed, str), assumption.id
    assert evaluate(exchanges, set(Level)).to_text()
