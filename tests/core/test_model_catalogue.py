"""Facts of models that are known without a request, and that a listing corrects."""

import dataclasses
from decimal import Decimal

import pytest

from runcrate_core import ModelInfo, get_model_info, parse_model_info
from runcrate_core.models_catalogue import MODELS


def test_documented_windows_and_prices():
    sonnet = get_model_info("anthropic/claude-4-sonnet")
    assert sonnet is not None
    assert sonnet.context_window == 200_000
    assert sonnet.input_usd_per_million == Decimal(3)
    assert "context_window" not in sonnet.general_knowledge
    assert "max_output_tokens" in sonnet.general_knowledge


@pytest.mark.parametrize(
    "name", ["deepseek-ai/DeepSeek-V3.2", "deepseek/deepseek-v3.2", "DEEPSEEK-AI/deepseek-v3.2"]
)
def test_is_found_under_every_spelling(name):
    facts = get_model_info(name)
    assert facts is not None
    assert facts.id == "deepseek-ai/DeepSeek-V3.2"


def test_unknown_model_has_no_facts():
    assert get_model_info("somebody/new-model") is None


def test_names_are_unique_and_general_knowledge_names_fields_that_are_set():
    names = [name.casefold() for facts in MODELS for name in (facts.id, *facts.aliases)]
    assert len(names) == len(set(names))
    fields = {field.name for field in dataclasses.fields(ModelInfo)}
    for facts in MODELS:
        assert facts.general_knowledge <= fields
        assert all(getattr(facts, name) for name in facts.general_knowledge), facts.id


def test_a_listing_wins_over_what_was_known():
    facts = parse_model_info(
        {
            "id": "google/gemma-2-9b-it",
            "input_modalities": ["text", "image"],
            "supported_features": ["tools"],
            "context_length": 4096,
            "max_output_tokens": None,
        }
    )
    assert facts.context_window == 4096
    assert facts.has("tools")
    assert facts.reads("image")
    assert not facts.is_reasoning
    assert facts.general_knowledge == frozenset()


def test_a_listing_without_the_fields_leaves_what_was_known():
    known = get_model_info("Qwen/QwQ-32B")
    assert (
        parse_model_info({"id": "Qwen/QwQ-32B", "context_length": True, "supported_features": 3})
        == known
    )


def test_a_listing_of_a_new_model():
    assert parse_model_info({"id": "x/y", "context_length": 10}) == ModelInfo(
        id="x/y", context_window=10
    )


def test_an_entry_without_id_is_refused():
    with pytest.raises(ValueError, match="no `id`"):
        parse_model_info({"name": "x"})
