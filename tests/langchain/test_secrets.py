"""The key is in no frame of a failing call: tools for error reports show the locals of each."""

from __future__ import annotations

from typing import Any

import pytest

from langchain_runcrate import (
    ChatRuncrate,
    RuncrateEmbeddings,
    RuncrateImageTool,
    RuncrateSpeechTool,
    RuncrateTranscriptionLoader,
    RuncrateTranscriptionParser,
    RuncrateVideoTool,
)
from tests.key_in_frames import KEY, leaks
from tests.servers import Reply, ScriptedServer, sse, stream_reply, text_chunk

REFUSED = Reply(401, {"error": {"message": "no", "code": "unauthorized"}})
CUT = stream_reply([*sse(text_chunk("a"), done=False)])
WAYS: list[Any] = [
    ("invoke", REFUSED, lambda made: made(ChatRuncrate).invoke("x")),
    ("stream", CUT, lambda made: list(made(ChatRuncrate).stream("x"))),
    ("no JSON", Reply(body=[b"<html>"]), lambda made: made(ChatRuncrate).invoke("x")),
    ("embed", REFUSED, lambda made: made(RuncrateEmbeddings).embed_documents(["x"])),
    (
        "image",
        REFUSED,
        lambda made: made(RuncrateImageTool, handle_tool_error=False).invoke({"prompt": "x"}),
    ),
]


@pytest.mark.parametrize(("reply", "call"), [way[1:] for way in WAYS], ids=[w[0] for w in WAYS])
def test_blocking_calls(reply, call):
    with ScriptedServer(reply) as server:

        def made(kind: Any, **options: Any) -> Any:
            model = {} if kind is RuncrateImageTool else {"model": "m"}
            base_url = f"{server.url}/v1"
            return kind(api_key=KEY, base_url=base_url, max_retries=0, **model, **options)

        with pytest.raises(Exception) as caught:  # noqa: PT011 - of any kind
            call(made)
    assert leaks(caught.value, __file__) == []


async def test_asynchronous_calls():
    with ScriptedServer(REFUSED, CUT) as server:
        model = ChatRuncrate(model="m", api_key=KEY, base_url=f"{server.url}/v1", max_retries=0)
        with pytest.raises(Exception) as caught:  # noqa: PT011 - of any kind
            await model.ainvoke("x")
        with pytest.raises(Exception) as streamed:  # noqa: PT011 - of any kind
            [_ async for _ in model.astream("x")]
        await model.aclose()
    assert leaks(caught.value, __file__) == leaks(streamed.value, __file__) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"base_url": "http://runcrate.example.com/v1"},
        {"http_client": object()},
    ],
)
def test_a_wrong_set_up(wrong):
    with pytest.raises(Exception) as caught:  # noqa: PT011 - of any kind
        ChatRuncrate(**{"model": "m", "api_key": KEY, **wrong}).invoke("x")
    assert leaks(caught.value, __file__) == []


def test_a_loader(tmp_path):
    audio = tmp_path / "a.wav"
    audio.write_bytes(b"RIFF")
    with ScriptedServer(REFUSED) as server:
        loader = RuncrateTranscriptionLoader(
            audio, api_key=KEY, base_url=f"{server.url}/v1", max_retries=0
        )
        with pytest.raises(Exception) as caught:  # noqa: PT011 - of any kind
            loader.load()
    assert leaks(caught.value, __file__) == []


@pytest.mark.parametrize(
    "make",
    [
        lambda: ChatRuncrate(api_key=KEY),  # type: ignore[call-arg] # no model
        lambda: ChatRuncrate(model="m", api_key=KEY, max_retries=-1),
        lambda: RuncrateEmbeddings(model="m", api_key=KEY, chunk_size=0),
        lambda: RuncrateImageTool(api_key=KEY, max_images=0),
        lambda: RuncrateTranscriptionLoader("a.mp3", api_key=KEY, max_concurrency=0),
        # A misspelt argument is an error, not a setting that nobody notices.
        lambda: RuncrateEmbeddings(model="m", api_key=KEY, max_retrys=0),  # type: ignore[call-arg]
        lambda: RuncrateImageTool(api_key=KEY, max_retrys=0),
        lambda: RuncrateSpeechTool(api_key=KEY, max_retrys=0),
        lambda: RuncrateVideoTool(api_key=KEY, max_retrys=0),
        lambda: RuncrateTranscriptionLoader("a.mp3", api_key=KEY, max_retrys=0),
        lambda: RuncrateTranscriptionParser(api_key=KEY, max_retrys=0),
    ],
)
def test_a_failing_constructor(make):
    with pytest.raises(ValueError, match="validation error") as caught:
        make()
    assert leaks(caught.value, __file__) == []
