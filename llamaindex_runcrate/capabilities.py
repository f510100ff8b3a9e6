"""Model capabilities that LlamaIndex needs: from the catalogue, or set by the user."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from runcrate_core import get_model_info

if TYPE_CHECKING:
    from runcrate_core import ModelInfo

# For models that the catalogue does not know; nearly all that are served today take this much.
# It is also what the official LlamaIndex wrapper assumes.
UNKNOWN_CONTEXT_WINDOW: Final = 32_768
# How LlamaIndex writes "not known"; it then keeps 256 tokens free for the response.
UNKNOWN_OUTPUT: Final = -1
# A prompt is packed into what the response leaves of the window. Models that may write as much as
# they may read would leave nothing.
_MAX_SHARE_OF_OUTPUT: Final = 4


@dataclass(frozen=True, slots=True)
class Capabilities:
    """Capabilities of a model.

    Attributes:
        context_window: Tokens of a prompt and its response.
        num_output: Tokens to keep free for the response; -1 when unknown.
        tools: The model calls tools.
        json_schema: Its responses can be held to a JSON schema.
        modalities: The modalities that it reads; None when unknown.
    """

    context_window: int
    num_output: int
    tools: bool
    json_schema: bool
    modalities: frozenset[str] | None

    def reads(self, modality: str) -> bool:
        """Return True if the model reads a modality, or if the service has to decide."""
        return self.modalities is None or modality in self.modalities


def capabilities_of(
    model: str,
    *,
    facts: ModelInfo | None = None,
    max_tokens: int | None = None,
    context_window: int | None = None,
    tools: bool | None = None,
) -> Capabilities:
    """Return the capabilities of a model.

    Args:
        model: Identifier.
        facts: Metadata from the service; the catalogue's entry otherwise.
        max_tokens: Tokens that the response is limited to by the user.
        context_window: The user's value instead of the catalogue's.
        tools: The user's value instead of the catalogue's.
    """
    known = facts or get_model_info(model)
    window = context_window or (known and known.context_window) or UNKNOWN_CONTEXT_WINDOW
    max_output = known.max_output_tokens if known else None
    output = max_tokens or (min(max_output, window // _MAX_SHARE_OF_OUTPUT) if max_output else None)
    # A model without known features may support anything. Structured prediction falls back on
    # another method where it does not, and a refused tool is a clear error.
    features = known.features if known else frozenset[str]()
    return Capabilities(
        context_window=window,
        num_output=output or UNKNOWN_OUTPUT,
        tools=tools if tools is not None else not features or "tools" in features,
        json_schema=not features or "structured_outputs" in features,
        modalities=frozenset(known.input_modalities) if known else None,
    )
