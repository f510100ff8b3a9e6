"""Reasoning of a model: read from messages of any origin, and sent back.

Providers differ: some refuse a conversation that contains the model's reasoning, some one that
lacks it while the model is calling tools. Hence a policy:

* `auto` sends it back within the current tool loop (after the last question), and only that of
  Runcrate's models or of unknown origin. DeepSeek, Kimi and GLM require this, and it is the
  minimum that works.
* `always` sends back all of it, from whichever model.
* `never` sends back none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from runcrate_core.toolkit import valid_text

if TYPE_CHECKING:
    from langchain_core.messages import AIMessage

ReasoningPolicy = Literal["auto", "always", "never"]

PROVIDER: Final = "runcrate"

# Where LangChain users and the official wrapper look for it.
REASONING_KEY: Final = "reasoning_content"
# What OpenRouter and others send next to the text: signatures and encrypted reasoning, which only
# count when they come back as they were.
DETAILS_KEY: Final = "reasoning_details"

# Blocks of content that hold reasoning: LangChain's, Anthropic's and Bedrock's names.
REASONING_BLOCKS: Final = frozenset(
    {"reasoning", "reasoning_content", "redacted_thinking", "thinking"}
)


def reasoning_text(message: AIMessage) -> str:
    """Return the reasoning in a message, in any provider's form; may be empty."""
    known = message.additional_kwargs.get(REASONING_KEY)
    if isinstance(known, str) and known:
        return known
    if isinstance(message.content, str):
        return ""
    return "".join(block_reasoning(block) for block in message.content)


def block_reasoning(block: Any) -> str:
    """Return the reasoning in a block of content; empty if none can be read."""
    match block:
        case {"type": "reasoning", "reasoning": str(text)}:
            return text
        case {"type": "reasoning", "summary": list(summaries)}:
            return "".join(item.get("text", "") for item in summaries if isinstance(item, dict))
        case {"type": "thinking", "thinking": str(text)}:
            return text
        case {"type": "thinking", "thinking": list(parts)}:
            return "".join(item.get("text", "") for item in parts if isinstance(item, dict))
        case {"type": "reasoning_content", "reasoning_content": {"text": str(text)}}:
            return text
        case _:
            return ""


def wire_reasoning(
    message: AIMessage, policy: ReasoningPolicy, *, in_tool_loop: bool
) -> dict[str, Any]:
    """Return the fields that send back a message's reasoning; empty if it is not sent.

    Args:
        message: A message of the model.
        policy: See above.
        in_tool_loop: Whether it stands behind the last question.
    """
    if policy == "never":
        return {}
    origin = message.response_metadata.get("model_provider", PROVIDER)
    if policy == "auto" and not (in_tool_loop and origin == PROVIDER):
        return {}
    fields: dict[str, Any] = {}
    if text := reasoning_text(message):
        fields[REASONING_KEY] = valid_text(text)
    if details := message.additional_kwargs.get(DETAILS_KEY):
        fields[DETAILS_KEY] = details
    return fields
