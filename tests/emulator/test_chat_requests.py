"""Chat requests that are taken, refused as a whole, and paid for."""

from functools import partial

import pytest

from tests.emulator.chat_support import post_chat, user


@pytest.fixture
def post(emulator):
    return partial(post_chat, emulator)


def test_a_conversation_longer_than_the_model_holds_is_refused(post):
    answer = post(messages=[user("word " * 140_000)])
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "context_length_exceeded"
    assert post(max_tokens=131_071).json()["error"]["code"] == "context_length_exceeded"


def test_an_empty_balance_runs_nothing(emulator, post):
    emulator.world.ledger.balance = 0
    answer = post()
    assert (answer.status_code, answer.json()["error"]["code"]) == (402, "insufficient_credits")


NULLS = dict.fromkeys(
    ["temperature", "stop", "tools", "tool_choice", "response_format", "max_tokens", "n"]
)


@pytest.mark.parametrize(
    "body",
    [
        {"user": "me", "seed": 3, "top_k": 5, "metadata": {"a": 1}},
        NULLS,
        {"model": "deepseek/deepseek-v3.2"},
    ],
    ids=["undocumented fields", "nulls", "alias"],
)
def test_what_the_service_takes_is_taken(post, body):
    answer = post(**body)
    assert answer.status_code == 200
    assert answer.json()["model"] == body.get("model", "deepseek-ai/DeepSeek-V3.2")


def test_a_chat_is_paid_for(emulator, post):
    before = emulator.world.ledger.balance
    usage = post().json()["usage"]
    (use,) = emulator.world.ledger.inference
    assert (use.prompt_tokens, use.completion_tokens) == (
        usage["prompt_tokens"],
        usage["completion_tokens"],
    )
    paid = before - emulator.world.ledger.balance
    assert paid > 0
    assert float(paid) == pytest.approx(float(use.cost_usd), abs=1e-6)  # a balance has 6 digits
