"""Facts of models that are known without a request, and that a listing corrects."""

import dataclasses
from decimal import Decimal

import pytest

from runcrate_core import ModelInfo, get_model_info, parse_model_info
from runcrate_core.models_catalogue import MODELS


@pytest.mark.parametrize(
    ("name", "identifier"),
    [
        ("anthropic/claude-4-sonnet", "anthropic/claude-4-sonnet"),
        ("deepseek-ai/DeepSeek-V3.2", "deepseek-ai/DeepSeek-V3.2"),
        ("deepseek/deepseek-v3.2", "deepseek-ai/DeepSeek-V3.2"),
        ("DEEPSEEK-AI/deepseek-v3.2", "deepseek-ai/DeepSeek-V3.2"),
        ("somebody/new-model", None),
    ],
)
def test_documented_models_are_found_under_every_spelling(name, identifier):
    facts = get_model_info(name)
    assert (facts and facts.id) == identifier
    if identifier == "anthropic/claude-4-sonnet":
        assert facts is not None
        assert (facts.context_window, facts.input_usd_per_million) == (200_000, Decimal(3))
        assert "context_window" not in facts.general_knowledge
        assert "max_output_tokens" in facts.general_knowledge


def test_names_are_unique_and_general_knowledge_names_fields_that_are_set():
    names = [name.casefold() for facts in MODELS for name in (facts.id, *facts.aliases)]
    assert len(names) == len(set(names))
    fields = {field.name for field in dataclasses.fields(ModelInfo)}
    for facts in MODELS:
        assert facts.general_knowledge <= fields
        assert all(getattr(facts, name) for name in facts.general_knowledge), facts.id


def test_a_listing_wins_over_what_was_known():
    listed = {"input_modalities": ["text", "image"], "supported_features": ["tools"]}
    limits = {"context_length": 4096, "max_output_tokens": None}
    facts = parse_model_info({"id": "google/gemma-2-9b-it", **listed, **limits})
    assert facts.context_window == 4096
    assert (facts.has("tools"), facts.reads("image"), facts.is_reasoning) == (True, True, False)
    assert facts.general_knowledge == frozenset()


def test_a_listing_without_the_fields_leaves_what_was_known():
    odd = {"id": "Qwen/QwQ-32B", "context_length": True, "supported_features": 3}
    assert parse_model_info(odd) == get_model_info("Qwen/QwQ-32B")
    new = ModelInfo(id="x/y", context_window=10)
    assert parse_model_info({"id": "x/y", "context_length": 10}) == new
    with pytest.raises(ValueError, match="no `id`"):
        parse_model_info({"name": "x"})
