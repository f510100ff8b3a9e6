"""The catalogue of models, and the endpoint that lists it."""

from decimal import Decimal

import httpx
import pytest

from runcrate_emulator.inference.model_catalogue import MODELS, find

DOCUMENTED = [
    ("deepseek-ai/DeepSeek-V3.2", Decimal("0.30"), None),
    ("Qwen/Qwen3-Coder-480B-A35B-Instruct-Turbo", Decimal("0.20"), None),
    ("anthropic/claude-4-sonnet", Decimal(3), 200_000),
    ("google/gemini-2.5-flash", None, 1_000_000),
    ("Qwen/Qwen3-235B-A22B-Instruct-2507", None, 131_072),
]


def test_models_are_listed_without_a_key_and_with_what_official_software_reads(emulator):
    listed = httpx.get(f"{emulator.inference_url}/models").json()["data"]
    assert [model["id"] for model in listed] == [model.id for model in MODELS]
    for model in listed:
        assert model["object"] == "model"
        for name in ("input_modalities", "output_modalities", "supported_features"):
            assert all(isinstance(one, str) for one in model[name])
        assert "emulator_values" in model["emulator"]


@pytest.mark.parametrize(("model_id", "price", "context"), DOCUMENTED)
def test_documented_facts_are_kept_and_the_others_marked(model_id, price, context):
    model = find(model_id)
    assert model.kind == "chat"
    for name, value in {"input_usd_per_million": price, "context_length": context}.items():
        assert (name in model.emulator_values) is (value is None)
        assert value in (None, getattr(model, name))
