"""Model profiles in LangChain's form (`model.profile`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_core.language_models import ModelProfile

from runcrate_core import get_model_info, parse_model_info

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runcrate_core import Model, ModelInfo


def profile_of(facts: ModelInfo) -> ModelProfile:
    """Return the metadata of a model as a new profile.

    A model that takes images is assumed to take image URLs as well, and to read none in
    tool messages: few of those who serve open models allow it, and the alternative always works.
    """
    tools = facts.has("tools")
    profile: ModelProfile = {
        "name": facts.id,
        "text_inputs": facts.reads("text"),
        "image_inputs": facts.reads("image"),
        "image_url_inputs": facts.reads("image"),
        "audio_inputs": facts.reads("audio"),
        "video_inputs": facts.reads("video"),
        "pdf_inputs": facts.reads("file"),
        "image_tool_message": False,
        "pdf_tool_message": False,
        "text_outputs": "text" in facts.output_modalities,
        "image_outputs": "image" in facts.output_modalities,
        "audio_outputs": "audio" in facts.output_modalities,
        "video_outputs": "video" in facts.output_modalities,
        "reasoning_output": facts.is_reasoning,
        "tool_calling": tools,
        "tool_choice": tools,
        "structured_output": facts.has("structured_outputs"),
    }
    media = ("image", "audio", "video", "file")
    newer: dict[str, Any] = {
        "attachment": any(facts.reads(kind) for kind in media),
        "temperature": True,
        "tool_call_streaming": tools,
    }
    # LangChain warns of fields that its version does not know.
    profile.update({k: v for k, v in newer.items() if k in ModelProfile.__annotations__})  # type: ignore[typeddict-item] # as filtered
    if facts.context_window is not None:
        profile["max_input_tokens"] = facts.context_window
    if facts.max_output_tokens is not None:
        profile["max_output_tokens"] = facts.max_output_tokens
    return profile


def known_profile(model: str) -> ModelProfile | None:
    """Return the profile of a model as far as it is known offline; `None` for unknown ones."""
    facts = get_model_info(model)
    return None if facts is None else profile_of(facts)


def listed_model_info(models: Iterable[Model], model: str) -> ModelInfo:
    """Return the metadata of a model in the service's list.

    Raises:
        LookupError: The list does not have it; similar names are given.
    """
    known: dict[str, Any] = {listed.id: listed for listed in models}
    if model in known:
        return parse_model_info(known[model].to_dict())
    wanted = model.rpartition("/")[2].casefold()
    alike = sorted(name for name in known if wanted in name.casefold())[:5]
    hint = f" Similar names: {', '.join(alike)}." if alike else ""
    raise LookupError(f"The service does not list the model `{model}`.{hint}")
