"""Known values of open text fields, for editors and type checkers.

The service may send others, which are read as they are. Facts: seeds 001 and 002, the official
SDK 0.5.0 and the reference pages of the endpoints.
"""

# ruff: noqa: PYI051 - the text after the values says that there are others

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic_core import CoreSchema, core_schema


class _OpenText:
    """Lets a field take any text, without checking it against the known values."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> CoreSchema:
        return core_schema.str_schema()


_OPEN = _OpenText()


class _TextOr:
    """Lets a field take text alone: anything else is its default, and no error."""

    def __init__(self, default: str | None) -> None:
        self._default = default

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> CoreSchema:
        text: CoreSchema = core_schema.str_schema()
        if self._default is None:
            text = core_schema.nullable_schema(text)
        return core_schema.with_default_schema(text, default=self._default, on_error="default")


# Texts beside a response that may have been paid for, and that are not worth losing it.
OptionalText: TypeAlias = Annotated[str | None, _TextOr(None)]
AssistantRole: TypeAlias = Annotated[str, _TextOr("assistant")]
ToolCallType: TypeAlias = Annotated[str, _TextOr("function")]

KnownJobStatus: TypeAlias = Literal[
    "queued", "starting", "running", "succeeded", "failed", "cancelled", "timed_out"
]

FinishReason: TypeAlias = Annotated[
    Literal["stop", "length", "tool_calls", "content_filter"] | str | None, _TextOr(None)
]
VideoStatus: TypeAlias = Annotated[
    Literal["queued", "processing", "completed", "failed"] | str, _OPEN
]
InstanceState: TypeAlias = Annotated[
    Literal["creating", "pending", "provisioning", "deploying", "running", "terminated", "failed"]
    | str,
    _OPEN,
]
StopReason: TypeAlias = Annotated[
    Literal["user", "max_runtime", "idle", "budget", "low_balance", "failed", "system"] | str, _OPEN
]
VolumeStatus: TypeAlias = Annotated[Literal["available", "attached", "active"] | str, _OPEN]
TopUpStatus: TypeAlias = Annotated[
    Literal["succeeded", "processing", "requires_action", "declined"] | str, _OPEN
]
DeclineReason: TypeAlias = Annotated[
    Literal["card_declined", "payment_blocked", "authentication_required"] | str, _OPEN
]
JobStatus: TypeAlias = Annotated[KnownJobStatus | str, _OPEN]
QueueReason: TypeAlias = Annotated[
    Literal["no_capacity", "budget", "max_parallel", "volume_busy"] | str, _OPEN
]
ScheduleKind: TypeAlias = Annotated[Literal["instance", "job"] | str, _OPEN]
Overlap: TypeAlias = Annotated[Literal["skip", "allow"] | str, _OPEN]
Credential: TypeAlias = Annotated[Literal["user", "api_key", "agent"] | str, _OPEN]
ScheduleStatus: TypeAlias = Annotated[
    Literal[
        "launched",
        "failed",
        "skipped_budget",
        "skipped_overlap",
        "no_access",
        "credential_revoked",
    ]
    | str,
    _OPEN,
]
