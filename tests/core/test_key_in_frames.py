"""The key is in no local variable of the frames of a failing call, in both clients."""

from __future__ import annotations

from typing import Any

import pytest

import runcrate_core.toolkit as rt
from runcrate_core import AsyncRuncrate, Runcrate, SpendLimits, StreamTruncatedError
from tests.core import both_clients, cloud
from tests.key_in_frames import KEY, leaks
from tests.servers import Reply, sse, stream_reply, text_chunk

CHAT: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "x"}]}
JOB: dict[str, Any] = {"command": "true", "gpu_type": "A100", "max_runtime_minutes": 5}
IMAGE, SPEECH = rt.ImageArguments(prompt="x"), rt.SpeechArguments(text="x")
VIDEO = rt.VideoArguments(prompt="x")
# A call of a client, with a folder.
CALLS: dict[str, Any] = {
    "chat": lambda client, _: client.chat.completions.create(**CHAT),
    "embeddings": lambda client, _: client.embeddings.create(model="m", input="x"),
    "speech": lambda client, _: client.audio.speech.create("x", model="m", voice="v"),
    "instance": lambda client, _: client.instances.get("i-1"),
    "launch": lambda client, _: client.instances.create(name="n", gpu_type="A100"),
    "job": lambda client, _: client.jobs.run(**JOB),
    "made image": lambda client, at: client.run(rt.MediaGenerator(at).generate_images(IMAGE)),
    "made speech": lambda client, at: client.run(rt.MediaGenerator(at).generate_speech(SPEECH)),
    "made video": lambda client, at: client.run(rt.MediaGenerator(at).generate_video(VIDEO)),
    "transcription": lambda client, at: client.run(rt.Transcriber().transcribe(at / "a.mp3")),
}
REPLIES = {
    "refused": Reply(401, {"error": {"message": f"no such key {KEY}", "code": "invalid_api_key"}}),
    "web page": Reply(body=[b"<html>"], headers={"content-type": "text/html"}),
    "other JSON": Reply(json={"data": [KEY]}),
    "lost": Reply(end="no response"),
}


@pytest.fixture
def with_key(scripted: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Either client with the key that is looked for, on a server: `with_key(*replies)`."""
    monkeypatch.setattr(cloud, "KEY", KEY)
    return lambda *replies: scripted(*replies, max_retries=0)[1]


OWN = (__file__, cloud.__file__, both_clients.__file__)


@pytest.mark.parametrize("call", CALLS)
def test_no_frame_of_a_failing_call_shows_the_key(with_key, call, tmp_path):
    (tmp_path / "a.mp3").write_bytes(b"ID3" + bytes(100))
    for reply in REPLIES.values():
        with pytest.raises(Exception) as caught:  # noqa: PT011 - of any kind
            with_key(reply).use(lambda client: CALLS[call](client, tmp_path))
        assert leaks(caught.value, *OWN) == []


def test_no_frame_of_a_failing_stream_shows_the_key(with_key):
    with pytest.raises(StreamTruncatedError) as caught:
        with_key(stream_reply(sse(text_chunk("a"), done=False))).chunks()
    assert leaks(caught.value, *OWN) == []


TOOL_ARGUMENTS = {"instance_id": "i-1", "job_id": "j-1", "name": "n", "gpu_count": 1, "minutes": 5}


@pytest.mark.parametrize(
    "name", [tool.name for tool in rt.AgentToolbox(limits=SpendLimits()).tools]
)
def test_no_frame_and_no_result_of_a_tool_shows_the_key(with_key, name):
    """A tool tells the model about a failure, or raises."""
    toolbox = rt.AgentToolbox(limits=SpendLimits(), poll_interval=0.01)
    tool = next(tool for tool in toolbox.tools if tool.name == name)
    fields = tool.arguments.model_fields
    arguments = {key: value for key, value in (TOOL_ARGUMENTS | JOB).items() if key in fields}
    for reply in REPLIES.values():
        try:
            result = with_key(reply)("run", toolbox.run_tool(name, arguments))
        except Exception as error:  # noqa: BLE001 - of any kind
            shown = leaks(error, *OWN)
        else:
            shown = [text for text in (repr(result), result.text) if KEY in text]
        assert shown == []


@pytest.mark.parametrize("kind", [Runcrate, AsyncRuncrate])
@pytest.mark.parametrize(
    "options",
    [
        {"timeout": -1},
        {"base_url": "ftp://runcrate.example.com"},
        {"default_headers": {"a": 1}},
        {"max_retries": "many"},
        {"http_client": object()},
        *({"api_key": key} for key in (f"{KEY}\nx", f"{KEY} x", f"sk_{KEY}")),
    ],
)
def test_no_frame_of_a_failing_constructor_shows_the_key(kind, options, monkeypatch):
    """The key comes as an argument, and from the environment."""
    options = {"api_key": KEY, **options}
    monkeypatch.setenv("RUNCRATE_API_KEY", options["api_key"])
    for left_out in ((), ("api_key",)):
        with pytest.raises(Exception) as caught:  # noqa: PT011 - of any kind
            kind(**{name: value for name, value in options.items() if name not in left_out})
        assert leaks(caught.value, __file__) == []
