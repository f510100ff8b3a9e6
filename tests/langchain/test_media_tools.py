"""Pictures, speech and films as LangChain tools, on the emulator."""

from __future__ import annotations

import asyncio
import base64
import json
import pickle
import sys
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.tools import BaseTool, ToolException
from langchain_core.tools.base import TOOL_MESSAGE_BLOCK_TYPES
from langgraph.graph import MessagesState, StateGraph
from langgraph.prebuilt import ToolNode

import runcrate_core as rc
from langchain_runcrate import RuncrateImageTool, RuncrateSpeechTool, RuncrateVideoTool
from tests.core.both_clients import awaited
from tests.langchain.chat_service import KEY, Recorder

FOX = {"prompt": "A fox", "width": 256, "height": 256}
TOOLS: dict[type[BaseTool], tuple[str, dict[str, Any]]] = {
    RuncrateImageTool: ("POST /images/generations", FOX),
    RuncrateSpeechTool: ("POST /audio/speech", {"text": "Hello from Runcrate."}),
    RuncrateVideoTool: ("POST /videos", {"prompt": "Waves at night", "duration": 4}),
}
CLASSES = list(TOOLS)


@pytest.fixture
def settings(runcrate_emulator, tmp_path):
    runcrate_emulator.clock_speed = 600.0
    return {
        "api_key": runcrate_emulator.api_key,
        "base_url": runcrate_emulator.inference_url,
        "output_dir": tmp_path / "made",
    }


def made(cls: type[BaseTool], settings: dict[str, Any], **more: Any) -> Any:
    quick = {"poll_interval": 0.05} if cls is RuncrateVideoTool else {}
    return cls(**settings, **quick, **more)


def asked(tool: BaseTool, arguments: dict[str, Any]) -> dict[str, Any]:
    return {"name": tool.name, "args": arguments, "id": "call-1", "type": "tool_call"}


def called(tool: BaseTool, **arguments: Any) -> ToolMessage:
    message = tool.invoke(asked(tool, arguments))
    assert isinstance(message, ToolMessage)
    return message


async def ways(tool: BaseTool, arguments: dict[str, Any]) -> list[ToolMessage]:
    """Return the messages of a blocking and of an asynchronous call."""
    called_async = await tool.ainvoke(asked(tool, arguments))
    return [await asyncio.to_thread(called, tool, **arguments), called_async]


@pytest.mark.parametrize("cls", CLASSES)
async def test_the_message_is_short_text_and_the_artifact_is_json(cls, settings):
    tool = made(cls, settings)
    for message in await ways(tool, TOOLS[cls][1]):
        assert isinstance(message.content, str)
        assert len(message.content) < 200
        artifact = json.loads(json.dumps(message.artifact))
        assert artifact == message.artifact
        (file,) = artifact["files"]
        sizes = {str(path): path.stat().st_size for path in settings["output_dir"].iterdir()}
        assert sizes[file["path"]] == file["bytes"]
        assert Path(file["path"]).name in message.content
        assert artifact["model"] in message.content
    await tool.aclose()


def test_names_are_those_of_the_contract_and_models_see_costs_but_no_runtime():
    names = [cls().name.removeprefix("runcrate_") for cls in CLASSES]
    assert names == ["generate_image", "text_to_speech", "generate_video"]
    assert RuncrateImageTool().output_dir == Path("runcrate-media")
    for cls in CLASSES:
        schema: Any = cls().tool_call_schema
        assert "runtime" not in schema.model_json_schema()["properties"]
        assert "money" in schema.__doc__ or "costs" in schema.__doc__


def test_the_images_are_shown_on_request_only(settings):
    tool = made(RuncrateImageTool, settings, return_image=True)
    message: Any = called(tool, prompt="A fox", width=256, height=256, count=2, seed=7)
    _, *images = message.content
    assert [block["type"] for block in message.content] == ["text", "image", "image"]
    assert {block["type"] for block in message.content} <= set(TOOL_MESSAGE_BLOCK_TYPES)
    for image, file in zip(images, message.artifact["files"], strict=True):
        assert base64.b64decode(image["base64"]) == Path(file["path"]).read_bytes()
        assert image["mime_type"] == file["content_type"]
    assert [file["seed"] for file in message.artifact["files"]] == [7, 8]
    assert "base64" not in json.dumps(message.artifact)
    tool.close()


def test_settings_of_the_program_travel(settings):
    tool = made(RuncrateSpeechTool, settings, voice="af_bella", response_format="pcm")
    assert tool.response_format == "content_and_artifact"
    message = called(tool, text="Hello.", speed=1.5)
    assert message.artifact["files"][0]["content_type"] == "audio/pcm"
    assert message.artifact["voice"] == "af_bella"
    assert RuncrateSpeechTool(audio_format="pcm").audio_format == "pcm"
    assert "Generated 1 audio file" in tool.invoke("Hello there.")  # the first argument
    tool.close()


def test_arguments_that_do_not_fit_are_explained(settings):
    tool = made(RuncrateVideoTool, settings)
    message = called(tool)
    assert message.status == "error"
    assert "either `prompt` for a new video or `video_id`" in str(message.content)
    unknown = called(tool, prompt="Waves", path="/etc/passwd")
    assert "`path`" in str(unknown.content)
    assert "/etc/passwd" not in str(unknown.content)


WAYS = pytest.mark.parametrize("way", ["sync", "async"])


@WAYS
async def test_progress_is_told_to_callbacks_and_to_the_streams_of_a_graph(settings, way):
    tool = made(RuncrateVideoTool, settings)
    listener = Recorder()
    config: Any = {"callbacks": [listener]}
    asking: Any = {"messages": [AIMessage("", tool_calls=[asked(tool, {"prompt": "Waves"})])]}
    builder = StateGraph(MessagesState)
    builder.add_node("tools", ToolNode([tool]))
    builder.set_entry_point("tools")
    builder.add_node("alone", lambda _: {"messages": [called(tool, prompt="Waves")]})
    builder.add_edge("tools", "alone")
    graph: Any = builder.compile()
    modes = ["custom", "tools", "values"]
    if way == "sync":
        await asyncio.to_thread(tool.invoke, {"prompt": "Waves"}, config)
        read = lambda: list(graph.stream(asking, stream_mode=modes))  # noqa: E731 - one of a pair
        events = await asyncio.to_thread(read)
    else:
        await tool.ainvoke({"prompt": "Waves"}, config)
        events = [event async for event in graph.astream(asking, stream_mode=modes)]
    custom = [data["runcrate_progress"] for mode, data in events if mode == "custom"]
    deltas = [data["delta"] for _, data in events if data.get("event") == "tool-output-delta"]
    assert deltas
    assert custom[: len(deltas)] == deltas
    assert len(custom) > len(deltas)  # a tool that a node calls itself reports as well
    assert {name for name, _ in listener.events} == {"runcrate_progress"}
    for told in (listener.events[-1][1], custom[-1]):
        assert (told["tool"], told["status"]) == (tool.name, "completed")
    assert "Generated 1 video" in events[-1][1]["messages"][-1].content
    await tool.aclose()


async def test_called_as_a_function_or_without_langgraph_there_is_nobody_to_tell(
    settings, monkeypatch
):
    tool = made(RuncrateVideoTool, settings)
    assert "Generated 1 video" in (await asyncio.to_thread(tool._run, prompt="Waves"))[0]
    assert "Generated 1 video" in (await tool._arun(prompt="Waves"))[0]
    monkeypatch.delitem(sys.modules, "langgraph.config")
    listener = Recorder()
    assert "Generated 1 video" in await tool.ainvoke({"prompt": "W"}, {"callbacks": [listener]})
    assert listener.events
    assert "langgraph.config" not in sys.modules
    await tool.aclose()


@pytest.mark.parametrize("cls", CLASSES)
async def test_failures_reach_the_model_as_text_without_secrets(cls, settings, runcrate_emulator):
    echo = f"the key {KEY}-abc is not accepted"
    runcrate_emulator.fail(TOOLS[cls][0], status=401, message=echo, times=None)
    tool = made(cls, settings | {"api_key": f"{KEY}-abc"})
    for message in await ways(tool, TOOLS[cls][1]):
        assert message.status == "error"
        assert "tell the user" in str(message.content)
        assert KEY not in str(message)
    tool.handle_tool_error = False
    with pytest.raises(ToolException):
        await tool.ainvoke(TOOLS[cls][1])
    await tool.aclose()


async def test_a_missing_key_is_the_program_s_to_handle(monkeypatch):
    monkeypatch.delenv("RUNCRATE_API_KEY")
    tool = RuncrateSpeechTool()
    with pytest.raises(rc.ConfigurationError, match="RUNCRATE_API_KEY"):
        await tool.ainvoke({"text": "Hello."})
    with pytest.raises(rc.ConfigurationError, match="RUNCRATE_API_KEY"):
        await asyncio.to_thread(tool.invoke, {"text": "Hello."})


@pytest.mark.parametrize(
    ("given", "kind"), [("client", rc.Runcrate), ("async_client", rc.AsyncRuncrate)]
)
async def test_a_client_of_the_program_is_used_and_stays_open(
    settings, runcrate_emulator, given, kind
):
    client = kind(runcrate_emulator.api_key, inference_url=runcrate_emulator.inference_url)
    tool = RuncrateSpeechTool(output_dir=settings["output_dir"], **{given: client})
    assert "client" not in tool.model_dump()
    for message in await ways(tool, {"text": "One."}):
        assert "Generated" in message.content
    await tool.aclose()
    tool.close()
    assert await awaited(client.models.list())
    await awaited(client.aclose() if given == "async_client" else client.close())


@pytest.mark.parametrize("cls", CLASSES)
def test_the_key_is_in_no_repr_dump_or_pickle(cls, tmp_path):
    tool = cls(api_key="rc_live_secret", output_dir=tmp_path)
    assert "rc_live_secret" not in repr(tool) + str(tool) + str(tool.model_dump())
    stored = pickle.dumps(tool)
    assert b"rc_live_secret" not in stored
    copy = pickle.loads(stored)  # noqa: S301 - made a line above
    assert copy.output_dir == tmp_path
    assert copy.api_key.get_secret_value() == KEY
