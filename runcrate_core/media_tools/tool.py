"""The definition of a media tool, and the base of its arguments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, model_validator

from runcrate_core.agent_tools.annotations import STARTS, ToolAnnotations
from runcrate_core.agent_tools.arguments import drop_empty_optionals

# Longer prompts are refused before they are paid for; no documented model reads more.
MAX_PROMPT_LENGTH: Final = 10_000

Prompt = Annotated[str, Field(min_length=1, max_length=MAX_PROMPT_LENGTH)]


class MediaArguments(BaseModel):
    """Base of the arguments: unknown arguments are refused, not dropped."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    @model_validator(mode="before")
    @classmethod
    def _drop_empty_optionals(cls, values: Any) -> Any:
        return drop_empty_optionals(cls, values)


@dataclass(frozen=True, slots=True)
class MediaTool:
    """A media tool as a model sees it.

    Attributes:
        name: Stable: approvals and policies are configured by it.
        description: Its effect, its usual duration, and that it costs money.
        arguments: Model of its arguments.
        annotations: Its effects, for approvals and policies.
    """

    name: str
    description: str
    arguments: type[MediaArguments]
    annotations: ToolAnnotations = STARTS
