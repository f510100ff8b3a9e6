"""Token usage, in LangChain's form, from wherever providers put it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runcrate_core.toolkit import token_count, usage_details

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
        usage: The `usage` object of the API.
    """
    input_tokens = token_count(usage, "prompt_tokens", "input_tokens") or 0
    output_tokens = token_count(usage, "completion_tokens", "output_tokens") or 0
    total_tokens = token_count(usage, "total_tokens")
    result: UsageMetadata = {
        "input_tokens": input_tokens,
        "output_tokens": output_tokens,
        "total_tokens": input_tokens + output_tokens if total_tokens is None else total_tokens,
    }
    details = usage_details(usage)
    input_details: InputTokenDetails = {}
    if "input_audio" in details:
        input_details["audio"] = details["input_audio"]
    if "cache_creation" in details:
        input_details["cache_creation"] = details["cache_creation"]
    if "cached" in details:
        input_details["cache_read"] = details["cached"]
    if input_details:
        result["input_token_details"] = input_details
    output_details: OutputTokenDetails = {}
    if "output_audio" in details:
        output_details["audio"] = details["output_audio"]
    if "reasoning" in details:
        output_details["reasoning"] = details["reasoning"]
    if output_details:
        result["output_token_details"] = output_details
    return result
