"""A flow that is abandoned half-way, as with a lost event loop, does nothing more but clean up."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from runcrate_core.io.files import PartFile
from runcrate_core.protocol.attempts import CallContext, attempts
from runcrate_core.protocol.chat_accumulator import CompletionContext
from runcrate_core.protocol.downloads import download_flow
from runcrate_core.protocol.request import RetrySafety, Surface, json_request
from runcrate_core.protocol.retry import RetryPolicy
from runcrate_core.protocol.steps import (
    GetRunner,
    InvokeCallback,
    MakeTempFile,
    OpenStream,
    ReadBytes,
    RunInThread,
    Send,
    StreamedResponse,
)
from runcrate_core.protocol.stream_start import StreamRequest, open_stream

REQUEST = json_request(Surface.INFERENCE, "GET", "/x", retry=RetrySafety.SAFE)
CONTEXT = CallContext(RetryPolicy(max_retries=0), on_request=lambda _: None)


def send_once(request):
    yield Send(request)
    return StreamedResponse(200, {}, None)


@pytest.mark.parametrize(
    ("make", "last"),
    [
        (lambda folder: download_flow(REQUEST, folder / "file"), ReadBytes),
        (
            lambda _: open_stream(StreamRequest(REQUEST, CompletionContext()), CONTEXT, idle_s=10),
            ReadBytes,
        ),
        (lambda _: attempts(REQUEST, CONTEXT, send_once), InvokeCallback),
    ],
    ids=["download", "stream", "observer"],
)
def test_an_abandoned_flow_asks_for_nothing_more_and_leaves_no_file(tmp_path, make, last):
    flow = make(tmp_path)
    step = next(flow)
    while not isinstance(step, last):
        match step:
            case GetRunner():
                reply = SimpleNamespace(context=CONTEXT)
            case MakeTempFile():
                reply = PartFile(tmp_path / "file")
            case RunInThread(function):
                reply = function()
            case OpenStream():
                reply = StreamedResponse(200, {}, None)
            case Send() | InvokeCallback():
                reply = None
            case _:
                raise AssertionError(step)
        step = flow.send(reply)
    flow.close()  # which raises if the flow goes on
    assert list(tmp_path.iterdir()) == []
