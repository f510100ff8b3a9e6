"""Generates the reference of the agent tools: each tool with its arguments."""

from __future__ import annotations

import inspect
import tempfile
from typing import TYPE_CHECKING, Any

from mkdocs.structure.files import File

from langchain_runcrate import (
    RuncrateImageTool,
    RuncrateSpeechTool,
    RuncrateToolkit,
    RuncrateVideoTool,
)
from runcrate_core import Runcrate, SpendLimits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_core.tools import BaseTool
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

PAGE = "reference/agent_tools.md"
KEY = "rc_live_test"
# Arguments that say enough to a model by their names and values.
UNDESCRIBED = {"aspect_ratio": "Width to height of the video."}
INTRODUCTION = """# Agent tools

Each tool as a model sees it: name, description and arguments. They are the same in
[LangChain](langchain.md) (`RuncrateToolkit` and the media tools) and
[LlamaIndex](llamaindex.md) (`RuncrateInfrastructureToolSpec` and
`RuncrateMediaToolSpec`). The annotations are those of the Model Context Protocol, and
`costsMoney`; tools that cost money or are destructive are subject to approval.
"""


def on_files(files: Files, config: MkDocsConfig, **_kwargs: Any) -> Files:
    """Add the page."""
    files.append(File.generated(config, PAGE, content=page()))
    return files


def tools() -> tuple[list[BaseTool], list[BaseTool]]:
    """Return all infrastructure tools and all media tools."""
    options = inspect.signature(RuncrateToolkit).parameters
    everything = {"allow_commands": True} if "allow_commands" in options else {}
    with Runcrate(KEY) as client, tempfile.TemporaryDirectory() as directory:
        toolkit = RuncrateToolkit(
            client, limits=SpendLimits(), files_dir=directory, **everything
        )
        infrastructure = toolkit.get_tools()
    media = [
        tool(api_key=KEY)
        for tool in (RuncrateImageTool, RuncrateSpeechTool, RuncrateVideoTool)
    ]
    return infrastructure, media


def page() -> str:
    """Return the page as Markdown."""
    infrastructure, media = tools()
    parts = [INTRODUCTION, "## Instances and jobs"]
    parts += [section(tool) for tool in infrastructure]
    parts += ["## Media", *(section(tool) for tool in media)]
    return "\n\n".join(parts) + "\n"


def section(tool: BaseTool) -> str:
    """Return a tool's description and the table of its arguments."""
    hints = (tool.metadata or {}).get("runcrate", {})
    annotations = ", ".join(
        f"`{name}`" for name, value in hints.items() if value is True
    )
    schema = tool.tool_call_schema.model_json_schema()
    definitions = schema.get("$defs", {})
    rows = [
        f"| `{name}` | {cell(type_text(field, definitions))} "
        f"| {default_text(name, field, schema)} "
        f"| {cell(meaning(name, field))} |"
        for name, field in schema.get("properties", {}).items()
    ]
    table = ["| Argument | Type | Default | Meaning |", "|---|---|---|---|", *rows]
    return "\n\n".join(
        [
            f"### {tool.name}",
            tool.description,
            *([f"Annotations: {annotations}."] if annotations else []),
            "\n".join(table) if rows else "No arguments.",
        ]
    )


def meaning(name: str, field: dict[str, Any]) -> str:
    """Return the description of an argument, which may be that of one of its types."""
    for part in (field, *field.get("anyOf", ())):
        if "description" in part:
            return part["description"]
    return UNDESCRIBED[name]


def default_text(name: str, field: dict[str, Any], schema: dict[str, Any]) -> str:
    """Return how a default is shown."""
    if name in schema.get("required", []):
        return "required"
    return f"`{field.get('default')!r}`"


def type_text(field: dict[str, Any], definitions: dict[str, Any]) -> str:
    """Return a type of JSON Schema with its bounds."""
    if "$ref" in field:
        return type_text(definitions[field["$ref"].rpartition("/")[2]], definitions)
    if "anyOf" in field:
        return " or ".join(type_text(part, definitions) for part in field["anyOf"])
    if "enum" in field or "const" in field:
        values = field.get("enum", [field.get("const")])
        return " or ".join(f"`{value!r}`" for value in values)
    if field.get("type") == "array":
        return f"array of {type_text(field.get('items', {}), definitions)}"
    return " ".join([field.get("type", "any"), *bounds(field)])


def bounds(field: dict[str, Any]) -> Iterator[str]:
    """Yield the bounds of a number or a text."""
    for key, sign in (
        ("minimum", "≥"),
        ("exclusiveMinimum", ">"),
        ("maximum", "≤"),
        ("exclusiveMaximum", "<"),
    ):
        if key in field:
            yield f"{sign} {field[key]}"
    if "maxLength" in field:
        yield f"up to {field['maxLength']} characters"


def cell(text: str) -> str:
    """Return a text that stays in its cell."""
    return " ".join(text.split()).replace("|", "\\|")
