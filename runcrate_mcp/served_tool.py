"""Tools as the server serves them: infrastructure tools of the toolbox, and media tools."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from mcp.types import Tool
from mcp.types import ToolAnnotations as Hints

from runcrate_core.toolkit import (
    IMAGE_TOOL,
    SPEECH_TOOL,
    TRANSCRIPTION_TOOL,
    VIDEO_TOOL,
    explain_failure,
    explain_media_failure,
)
from runcrate_mcp.content import media_result, tool_result
from runcrate_mcp.schemas import simple_schema

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping

    from mcp.types import CallToolResult
    from pydantic import BaseModel

    from runcrate_core.toolkit import (
        AgentToolbox,
        MediaGenerator,
        MediaTool,
        ToolAnnotations,
    )
    from runcrate_mcp.media_budget import MediaBudget

MEDIA_TOOLS: Final = (IMAGE_TOOL, SPEECH_TOOL, VIDEO_TOOL, TRANSCRIPTION_TOOL)
_PREFIX: Final = "runcrate_"


@dataclass(frozen=True)
class ServedTool:
    """A tool of the server.

    Attributes:
        name: Its name.
        description: Written for the model.
        arguments: Model of its arguments.
        annotations: Its effect.
        output_schema: Schema of its structured result.
        run: Returns the flow of a call; takes the arguments and a progress callback.
        result: Returns the result of a call as content blocks and structured content.
        prompt: Returns the question for the person who approves a call.
        explain: Returns the text of a failure for the model, or `None`.
        starts_resources: It starts an instance or a job, or prolongs one.
    """

    name: str
    description: str
    arguments: type[BaseModel]
    annotations: ToolAnnotations
    output_schema: Mapping[str, Any]
    run: Callable[[Mapping[str, Any], Callable[[dict[str, Any]], Any]], Any]
    result: Callable[[Any], CallToolResult]
    prompt: Callable[[Mapping[str, Any]], str]
    explain: Callable[[Exception], str | None]
    starts_resources: bool = False

    def listed(self) -> Tool:
        """Return the tool as clients list it."""
        title = self.name.removeprefix(_PREFIX).replace("_", " ").capitalize()
        return Tool(
            name=self.name,
            title=title,
            description=self.description,
            input_schema={
                "type": "object",
                "properties": {},
                **simple_schema(self.arguments.model_json_schema()),
            },
            output_schema=dict(self.output_schema),
            annotations=Hints(
                title=title,
                read_only_hint=self.annotations.read_only,
                destructive_hint=self.annotations.destructive,
                idempotent_hint=self.annotations.idempotent,
                # An instance or a job reaches the internet; everything else stays in the account.
                open_world_hint=self.annotations.costs_money,
            ),
        )


def infrastructure_tools(toolbox: AgentToolbox) -> Iterator[ServedTool]:
    """Yield the tools of a toolbox."""
    for tool in toolbox.tools:
        yield ServedTool(
            name=tool.name,
            description=tool.description,
            arguments=tool.arguments,
            annotations=tool.annotations,
            output_schema=simple_schema(tool.result.model_json_schema(mode="serialization")),
            run=partial(toolbox.run_tool, tool.name),
            result=tool_result,
            prompt=partial(toolbox.describe_call, tool.name),
            explain=explain_failure,
            starts_resources=tool.annotations.costs_money,
        )


def media_tools(generator: MediaGenerator, budget: MediaBudget) -> Iterator[ServedTool]:
    """Yield the media tools, which keep to a budget."""
    for tool in MEDIA_TOOLS:
        yield ServedTool(
            name=tool.name,
            description=tool.description,
            arguments=tool.arguments,
            annotations=tool.annotations,
            output_schema=_MEDIA_SCHEMA,
            run=partial(_run_media, tool, generator, budget),
            result=media_result,
            prompt=partial(_media_prompt, tool, generator),
            explain=explain_media_failure,
        )


_MEDIA_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "files": {
            "type": "array",
            "description": "The files that were written.",
            "items": {
                "type": "object",
                "properties": {
                    "path": {"type": "string"},
                    "content_type": {"type": "string"},
                    "bytes": {"type": "integer"},
                },
                "required": ["path", "content_type", "bytes"],
            },
        },
        "model": {"type": "string"},
        "cost_usd": {"type": "number", "description": "Missing when it is not known."},
        "video_id": {"type": "string"},
        "status": {"type": "string", "description": "Of a video that is not finished."},
        "untrusted_text": {"type": "string", "description": "The transcript."},
    },
    "required": ["files", "model"],
}


def _run_media(
    tool: MediaTool,
    generator: MediaGenerator,
    budget: MediaBudget,
    arguments: Mapping[str, Any],
    on_progress: Callable[[dict[str, Any]], Any],
) -> Generator[Any, Any, Any]:
    def report(job: Any) -> Any:
        return on_progress({"tool": tool.name, "id": job.id, "status": job.status})

    args = tool.arguments.model_validate(dict(arguments))
    yield from budget.reserve(tool.price(generator, args))
    return (yield from tool.run(generator, args, report))


def _media_prompt(tool: MediaTool, generator: MediaGenerator, arguments: Mapping[str, Any]) -> str:
    args = tool.arguments.model_validate(dict(arguments))
    price = tool.price(generator, args)
    cost = "Its price is not published." if price is None else f"It costs about {price} USD."
    fields = args.model_dump(exclude_defaults=True)
    shown = ", ".join(f"{name}={str(value)[:_SHOWN]!r}" for name, value in fields.items())
    return f"Call {tool.name} with {shown}. {cost}"


# Characters of an argument that a person reads before approving it.
_SHOWN: Final = 300
