"""Pictures, speech and films as LlamaIndex tools, on the emulator."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.agent.workflow import FunctionAgent, ReActAgent
from llama_index.core.base.llms.types import AudioBlock, ImageBlock, TextBlock, VideoBlock
from llama_index.core.tools import FunctionTool, ToolOutput
from llama_index.core.tools.calling import call_tool
from llama_index.core.workflow import Context

import runcrate_core as rc
from llamaindex_runcrate import RuncrateMediaToolSpec, ToolProgressEvent
from tests.llamaindex.calls import OwnWorkflow
from tests.llamaindex.conftest import settings_of
from tests.llamaindex.ignored_warnings import IGNORED_WARNINGS
from tests.llamaindex.scripts import with_tool

pytestmark = IGNORED_WARNINGS
WAYS = pytest.mark.parametrize("way", ["sync", "async"])
FOX = {"prompt": "A fox", "width": 256, "height": 256}
TOOLS: dict[str, tuple[str, dict[str, Any], type[Any]]] = {
    "runcrate_generate_image": ("POST /images/generations", FOX, ImageBlock),
    "runcrate_text_to_speech": ("POST /audio/speech", {"text": "Hello."}, AudioBlock),
    "runcrate_generate_video": ("POST /videos", {"prompt": "Waves", "duration": 4}, VideoBlock),
}
EACH = pytest.mark.parametrize("name", list(TOOLS))


@pytest.fixture
def settings(runcrate_emulator, tmp_path):
    runcrate_emulator.clock_speed = 600.0
    options = {"output_dir": tmp_path / "made", "poll_interval": 0.05}
    return settings_of(runcrate_emulator) | options


@pytest.fixture
async def spec(settings):
    spec = RuncrateMediaToolSpec(**settings)
    yield spec
    await spec.aclose()


def tool_of(spec: RuncrateMediaToolSpec, name: str) -> FunctionTool:
    return {str(tool.metadata.name): tool for tool in spec.to_tool_list()}[name]


async def called(tool: FunctionTool, way: str, **arguments: Any) -> ToolOutput:
    if way == "async":
        return await tool.acall(**arguments)
    return await asyncio.to_thread(tool.call, **arguments)


@WAYS
@EACH
async def test_a_tool_returns_text_and_the_files(spec, settings, name, way):
    _, arguments, kind = TOOLS[name]
    output = await called(tool_of(spec, name), way, **arguments)
    text, media = output.blocks
    assert isinstance(text, TextBlock)
    assert isinstance(media, kind)
    path = media.path
    assert isinstance(path, Path)
    assert path.parent == settings["output_dir"]
    assert path.name in output.content
    assert output.content == text.text
    spec = RuncrateMediaToolSpec(**settings, return_media=False)
    output = await called(tool_of(spec, name), way, **arguments)
    assert [type(block) for block in output.blocks] == [TextBlock]
    await spec.aclose()


def test_names_schemas_and_descriptions_are_the_same_as_in_langchain(spec):
    tools = spec.to_tool_list()
    assert [tool.metadata.name for tool in tools] == list(TOOLS)
    for tool in tools:
        schema = tool.metadata.get_parameters_dict()
        assert not {"args", "kwargs", "options", "self", "ctx"} & set(schema["properties"])
        assert "money" in tool.metadata.description
        assert tool.metadata.to_openai_tool()["function"]["name"] == tool.metadata.name
    (only,) = spec.to_tool_list(spec_functions=["agenerate_image"])
    assert only.metadata.name == "runcrate_generate_image"


@WAYS
async def test_wrong_arguments_are_explained(spec, way):
    tool = tool_of(spec, "runcrate_generate_video")
    with pytest.raises(ValueError, match="Nothing was done"):
        await called(tool, way)
    with pytest.raises(ValueError, match="`path`") as caught:
        await called(tool, way, prompt="x", path="/etc/passwd")
    assert "/etc/passwd" not in str(caught.value)


@WAYS
@EACH
async def test_failures_say_what_to_do_and_keep_their_class(spec, runcrate_emulator, name, way):
    route, arguments, _ = TOOLS[name]
    runcrate_emulator.fail(route, status=402, message="rc_live_secret has no credits", times=None)
    with pytest.raises(rc.InsufficientCreditsError, match="Only the user can add") as caught:
        await called(tool_of(spec, name), way, **arguments)
    assert "rc_live_secret" not in str(caught.value)


@WAYS
@pytest.mark.parametrize("given", ["client", "async_client"])
async def test_a_client_of_the_program_is_used(runcrate_emulator, tmp_path, given, way):
    kind = rc.Runcrate if given == "client" else rc.AsyncRuncrate
    client: Any = kind(runcrate_emulator.api_key, inference_url=runcrate_emulator.inference_url)
    spec = RuncrateMediaToolSpec(tmp_path, **{given: client})
    output = await called(tool_of(spec, "runcrate_text_to_speech"), way, text="Hello.")
    assert "Generated 1 audio file" in output.content
    await spec.aclose()
    client.close() if given == "client" else await client.aclose()


async def test_tools_work_without_a_workflow_but_not_without_a_key(spec, monkeypatch):
    tool = tool_of(spec, "runcrate_text_to_speech")
    assert isinstance(tool("Hello.").blocks[1], AudioBlock)
    assert not call_tool(tool, {"text": "Hello."}).is_error
    for name in ("text_to_speech", "atext_to_speech"):  # of one kind of code
        (tool,) = spec.to_tool_list([name])
        assert isinstance((await tool.acall(text="Hello.")).blocks[1], AudioBlock)
    monkeypatch.delenv("RUNCRATE_API_KEY")
    with pytest.raises(rc.ConfigurationError, match="RUNCRATE_API_KEY"):
        RuncrateMediaToolSpec()


# --- progress in a workflow ------------------------------------------------------------------


async def told_by(handler: Any) -> tuple[list[ToolProgressEvent], Any]:
    """Return what the stream of a run says of progress, and its result."""
    events = [event async for event in handler.stream_events()]
    return [event for event in events if isinstance(event, ToolProgressEvent)], await handler


def check_progress(progress: list[ToolProgressEvent]) -> None:
    """A video was followed from its beginning to its end."""
    assert {event.tool for event in progress} == {"runcrate_generate_video"}
    assert len({event.id for event in progress}) == 1
    fractions = [event.fraction or 0.0 for event in progress]
    assert fractions == sorted(fractions)
    assert len(set(fractions)) > 2
    assert (progress[-1].status, fractions[-1]) == ("completed", 1.0)


@pytest.mark.parametrize("kind", [FunctionAgent, ReActAgent])
async def test_an_agent_s_video_tells_of_its_progress(spec, emulated_llm, runcrate_emulator, kind):
    runcrate_emulator.clock_speed = 120.0  # a few looks until it is done
    arguments = {"prompt": "waves", "duration": 4}
    runcrate_emulator.on_chat = with_tool("runcrate_generate_video", arguments, "Done.")
    agent = kind(tools=list(spec.to_tool_list()), llm=emulated_llm)
    progress, result = await told_by(agent.run("Make a 4 second video with the prompt 'waves'."))
    assert "Generated 1 video" in result.tool_calls[0].tool_output.content
    check_progress(progress)


async def test_a_step_of_one_s_own_may_pass_its_context(spec, runcrate_emulator):
    runcrate_emulator.clock_speed = 120.0
    tool = tool_of(spec, "runcrate_generate_video")

    async def by_tool(ctx: Context) -> Any:
        return (await tool.acall(ctx=ctx, prompt="Waves", duration=4)).blocks

    def in_a_thread(ctx: Context) -> Any:
        return asyncio.to_thread(spec.generate_video, "Waves", duration=4, ctx=ctx)

    progress, blocks = await told_by(OwnWorkflow(by_tool).run())
    check_progress(progress)
    silence, others = await told_by(OwnWorkflow(in_a_thread).run())
    assert silence == []
    assert isinstance(blocks[1], VideoBlock)
    assert isinstance(others[1], VideoBlock)


@WAYS
async def test_a_context_that_hears_nothing_does_not_spoil_the_video(spec, way):
    """It is paid for: whatever the context does, it is fetched."""
    tool = tool_of(spec, "runcrate_generate_video")
    for ctx in (Context(OwnWorkflow(None)), "of no kind"):
        output = await called(tool, way, ctx=ctx, prompt="Waves", duration=4)
        assert isinstance(output.blocks[1], VideoBlock)
        assert "ctx" not in output.raw_input["kwargs"]
