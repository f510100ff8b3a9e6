"""The key is in no local variable of the frames of a failing call, in both clients."""

from __future__ import annotations

from typing import Any

import pytest

from runcrate_core import StreamTruncatedError
from tests.core import both_clients
from tests.key_in_frames import KEY, leaks
from tests.servers import Reply, ScriptedServer, sse, stream_reply, text_chunk

CHAT: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "x"}]}
CALLS: dict[str, Any] = {
    "chat": lambda client: client.chat.completions.create(**CHAT),
    "embeddings": lambda client: client.embeddings.create(model="m", input="x"),
    "speech": lambda client: client.audio.speech.create("x", model="m", voice="v"),
    "instance": lambda client: client.instances.get("i-1"),
    "launch": lambda client: client.instances.create(name="n", gpu_type="A100"),
    "job": lambda client: client.jobs.run(command="true", gpu_type="A100", max_runtime_minutes=5),
}
REPLIES = {
    "refused": Reply(401, {"error": {"message": f"no such key {KEY}", "code": "invalid_api_key"}}),
    "web page": Reply(body=[b"<html>"], headers={"content-type": "text/html"}),
    "other JSON": Reply(json={"data": [KEY]}),
    "lost": Reply(end="no answer"),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("reply", REPLIES)
def test_no_frame_of_a_failing_call_shows_the_key(
    run: Any, call: str, reply: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(both_clients, "KEY", KEY)
    with ScriptedServer(REPLIES[reply]) as server, pytest.raises(Exception) as caught:  # noqa: PT011 - of any kind
        run(CALLS[call], server.url, max_retries=0)
    assert leaks(caught.value, __file__, both_clients.__file__) == []


def test_no_frame_of_a_failing_stream_shows_the_key(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(both_clients, "KEY", KEY)
    with (
        ScriptedServer(stream_reply(sse(text_chunk("a"), done=False))) as server,
        pytest.raises(Exception) as caught,  # noqa: PT011 - of any kind
    ):
        run.chunks(server.url)
    assert isinstance(caught.value, StreamTruncatedError)
    assert leaks(caught.value, __file__, both_clients.__file__) == []
