"""Token usage, in LangChain's form, from wherever providers put it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runcrate_core.toolkit import token_count

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_core.messages.ai import (
        InputTokenDetails,
        OutputTokenDetails,
        UsageMetadata,
    )


def usage_metadata(usage: Mapping[str, Any]) -> UsageMetadata:
    """Return the usage of a response.

    Every value is an `int`: LangChain cannot add usages that hold anything else.

    Args:
        usage: The `usage` object of the API. Cache hits are read where OpenAI, DeepSeek and
            Moonshot put them.
    """
    prompt = _object(usage, "prompt_tokens_details")
    completion = _object(usage, "completion_tokens_details")
    input_tokens = token_count(usage, "prompt_tokens", "input_tokens") or 0
    output_tokens = token_count(usage, "completion_tokens", "output_tokens") or 0
    total_tokens = token_count(usage, "total_tokens")
    made: UsageMetadata = {
        "input_tokens": input_tokens,
        "output_tokens": output_tokens,
        "total_tokens": input_tokens + output_tokens if total_tokens is None else total_tokens,
    }
    cached = token_count(prompt, "cached_tokens")
    if cached is None:
        cached = token_count(usage, "prompt_cache_hit_tokens", "cached_tokens")
    input_details: InputTokenDetails = {}
    if (audio := token_count(prompt, "audio_tokens")) is not None:
        input_details["audio"] = audio
    if (created := token_count(prompt, "cache_write_tokens", "cache_creation_tokens")) is not None:
        input_details["cache_creation"] = created
    if cached is not None:
        input_details["cache_read"] = cached
    if input_details:
        made["input_token_details"] = input_details
    output_details: OutputTokenDetails = {}
    if (audio := token_count(completion, "audio_tokens")) is not None:
        output_details["audio"] = audio
    reasoning = token_count(completion, "reasoning_tokens")
    if reasoning is None:
        reasoning = token_count(usage, "reasoning_tokens")
    if reasoning is not None:
        output_details["reasoning"] = reasoning
    if output_details:
        made["output_token_details"] = output_details
    return made


def _object(usage: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = usage.get(name)
    return value if isinstance(value, dict) else {}
