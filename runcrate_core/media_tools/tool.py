"""The definition of a media tool, and the base of its arguments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, model_validator

from runcrate_core.agent_tools.annotations import STARTS, ToolAnnotations
from runcrate_core.agent_tools.arguments import as_meant

if TYPE_CHECKING:
    from runcrate_core.media_tools.generator import MediaGenerator
    from runcrate_core.media_tools.result import MediaResult
    from runcrate_core.protocol.steps import Flow

# Longer prompts are refused before they are paid for; no documented model reads more.
MAX_PROMPT_LENGTH: Final = 10_000

Prompt = Annotated[str, Field(min_length=1, max_length=MAX_PROMPT_LENGTH)]


class MediaArguments(BaseModel):
    """Base of the arguments: unknown arguments are refused, not dropped."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True, coerce_numbers_to_str=True)

    @model_validator(mode="before")
    @classmethod
    def _as_meant(cls, values: Any) -> Any:
        return as_meant(cls, values)


# Called with the job while a video is generated. May return an awaitable.
StatusCallback = Callable[[Any], Any]
Run = Callable[["MediaGenerator", Any, "StatusCallback | None"], "Flow[MediaResult]"]
# Returns the published price of a call in USD, or `None` when it is not known.
Price = Callable[["MediaGenerator", Any], Decimal | None]


def unknown_price(_settings: MediaGenerator, _args: MediaArguments) -> Decimal | None:
    """Return `None`: no document prints the price."""
    return None


@dataclass(frozen=True, slots=True)
class MediaTool:
    """A media tool as a model sees it.

    Attributes:
        name: Stable: approvals and policies are configured by it.
        description: Its effect, its usual duration, and that it costs money.
        arguments: Model of its arguments.
        run: Runs it with the program's settings and the validated arguments.
        label: Name of one result, such as `image`.
        price: Published price of a call, before it is sent.
        annotations: Its effects, for approvals and policies.
    """

    name: str
    description: str
    arguments: type[MediaArguments]
    run: Run
    label: str
    price: Price = unknown_price
    annotations: ToolAnnotations = STARTS
