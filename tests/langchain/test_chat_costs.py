"""Usage and costs: from wherever providers put them, added up without losing a cent."""

import concurrent.futures
from decimal import Decimal

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import UsageMetadataCallbackHandler
from langchain_core.messages import AIMessage
from langchain_core.messages.ai import add_usage
from langchain_core.outputs import ChatGeneration, Generation, LLMResult

from langchain_runcrate import RuncrateCostCallbackHandler
from langchain_runcrate.prices import cost_metadata, prices_of, tokens_cost
from langchain_runcrate.usage import usage_metadata
from runcrate_core import ModelInfo
from tests.chat_service import MODEL, USAGE
from tests.langchain.chat_service import EVERY, chat, completion, is_streamed, reply_of, whole
from tests.servers import ScriptedServer

COUNTS = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
PLAIN = {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}


@pytest.mark.parametrize(
    ("more", "details"),
    [
        ({}, {}),
        ({"prompt_tokens_details": None, "completion_tokens_details": "?"}, {}),
        ({"total_tokens": None}, {}),
        ({"total_tokens": 15.0, "prompt_tokens": 10.0, "cost": 0.1, "queue_time": 0.2}, {}),
        ({"total_tokens": float("nan")}, {}),
        (
            {
                "prompt_tokens_details": {
                    "cached_tokens": 0,
                    "cache_write_tokens": 2,
                    "audio_tokens": 1,
                },
                "completion_tokens_details": {"reasoning_tokens": 3, "audio_tokens": 1},
            },
            {
                "input_token_details": {"audio": 1, "cache_creation": 2, "cache_read": 0},
                "output_token_details": {"audio": 1, "reasoning": 3},
            },
        ),
    ],
)
def test_usage_has_the_names_of_langchain_and_can_be_added(more, details):
    """The core's tests read it from each place where a provider puts it."""
    made = usage_metadata({**COUNTS, **more})
    assert made == PLAIN | details
    assert add_usage(made, made)["total_tokens"] == 30


PRICES = {"input": 0.30, "output": 1.20, "cached_input": 0.03}


def test_tokens_cost_what_they_cost_at_published_prices():
    usage = {**PLAIN, "input_token_details": {"cache_read": 4}}
    assert tokens_cost(usage, PRICES) == Decimal("0.00000792")
    assert tokens_cost(PLAIN, {"input": 0.30, "output": 1.20}) == Decimal("0.000009")
    assert tokens_cost(PLAIN, {"input": 0.30}) is None
    assert prices_of(None) is None
    assert prices_of(ModelInfo(id="m")) is None
    facts = ModelInfo(
        id="m", input_usd_per_million=Decimal("0.3"), output_usd_per_million=Decimal("1.2")
    )
    assert prices_of(facts) == {"input": 0.3, "output": 1.2}


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({**COUNTS, "cost": 0.002}, {"cost": 0.002, "cost_source": "server"}),
        ({**COUNTS, "estimated_cost": 0}, {"cost": 0.0, "cost_source": "server"}),
        (COUNTS, {"cost": 9e-06, "cost_source": "catalogue"}),
    ],
)
def test_the_servers_own_figure_counts_first(usage, expected):
    made = cost_metadata(usage, PLAIN, {"input": 0.30, "output": 1.20})
    assert made == expected
    assert cost_metadata(COUNTS, PLAIN, None) == {}


def test_prices_may_be_given_for_models_without_published_ones():
    with ScriptedServer(whole()) as server:
        unknown = chat(server, model="somebody/new")
        assert "cost" not in unknown.invoke("Hi").response_metadata
        priced = chat(server, model="somebody/new", token_prices={"input": 1.0, "output": 2.0})
        assert priced.invoke("Hi").response_metadata["cost"] == pytest.approx(2.6e-05)
        assert "cost" not in priced.invoke("Hi", model="other").response_metadata


@pytest.mark.parametrize("ask", EVERY)
def test_a_cost_is_in_the_metadata_once_and_a_handler_adds_up(ask):
    reply = reply_of(completion(usage={**USAGE, "cost": 0.1}), stream=is_streamed(ask))
    costs, usage = RuncrateCostCallbackHandler(), UsageMetadataCallbackHandler()
    with ScriptedServer(reply) as server:
        for _ in range(3):
            message = ask(chat(server), config={"callbacks": [costs, usage]})
    metadata = message.response_metadata
    assert (metadata["cost"], metadata["cost_source"]) == (0.1, "server")
    assert metadata["token_usage"]["cost"] == 0.1
    assert set(message.usage_metadata) == {"input_tokens", "output_tokens", "total_tokens"}
    assert costs.total_cost_usd == Decimal("0.3")
    assert (costs.calls, costs.unpriced_calls) == (3, 0)
    assert costs.by_model[MODEL].input_tokens == 36
    assert costs.by_model[MODEL].output_tokens == 21
    assert usage.usage_metadata[MODEL]["total_tokens"] == 57
    assert repr(costs) == "RuncrateCostCallbackHandler(0.3 USD, 3 calls)"


def test_a_handler_counts_from_many_threads():
    costs = RuncrateCostCallbackHandler()
    message = AIMessage("x", response_metadata={"cost": 0.1, "model_name": "m"})
    result = LLMResult(generations=[[ChatGeneration(message=message)]])
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(costs.on_llm_end, [result] * 400))
    assert costs.total_cost_usd == Decimal(40)


def test_a_handler_takes_prices_for_answers_that_tell_no_cost():
    message = AIMessage("x", usage_metadata=PLAIN, response_metadata={"model_name": "new"})
    result = LLMResult(generations=[[ChatGeneration(message=message)]])
    plain, priced = RuncrateCostCallbackHandler(), RuncrateCostCallbackHandler({"new": PRICES})
    for handler in (plain, priced):
        handler.on_llm_end(result)
    assert (plain.calls, plain.unpriced_calls, plain.total_cost_usd) == (1, 1, Decimal(0))
    assert (priced.unpriced_calls, priced.total_cost_usd) == (0, Decimal("0.000009"))


def test_a_handler_counts_answers_of_the_cache_as_free_and_leaves_others_alone():
    costs = RuncrateCostCallbackHandler()
    costs.on_llm_end(LLMResult(generations=[[], [Generation(text="x")]]))
    assert costs.calls == 0
    with ScriptedServer(whole(usage={**USAGE, "cost": 0.1})) as server:
        model = chat(server, cache=InMemoryCache(), callbacks=[costs])
        assert model.invoke("Hi").text == model.invoke("Hi").text
        assert server.sent == 1
    assert (costs.calls, costs.total_cost_usd) == (2, Decimal("0.1"))
