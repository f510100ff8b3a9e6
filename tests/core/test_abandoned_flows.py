"""A flow that is abandoned half-way, as with a lost event loop, does nothing more but clean up."""

from __future__ import annotations

import pytest

from runcrate_core.protocol.attempts import CallContext, attempts
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
from runcrate_core.protocol.stream_start import open_stream

REQUEST = json_request(Surface.INFERENCE, "GET", "/x", retry=RetrySafety.SAFE)
CONTEXT = CallContext(RetryPolicy(max_retries=0), on_request=lambda _: None)


class Part:
    """The temporary file of a download, and the runner that gives the context."""

    context = CallContext()
    discarded = 0

    def create(self):
        pass

    def restart(self):
        pass

    def reserve(self, size):
        pass

    def discard(self):
        self.discarded += 1


def send_once(request):
    yield Send(request)
    return StreamedResponse(200, {}, None)


def abandoned(flow, last):
    """Drive a flow up to a step, and close it there; return its temporary file."""
    part = Part()
    step = next(flow)
    while not isinstance(step, last):
        match step:
            case MakeTempFile() | GetRunner():
                step = flow.send(part)
            case RunInThread(function):
                step = flow.send(function())
            case OpenStream():
                step = flow.send(StreamedResponse(200, {}, None))
            case Send() | InvokeCallback():
                step = flow.send(None)
            case _:
                raise AssertionError(step)
    flow.close()  # which raises if the flow goes on
    return part


def test_a_download_discards_its_file(tmp_path):
    flow = download_flow(REQUEST, tmp_path / "file")
    assert abandoned(flow, ReadBytes).discarded == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("flow", "last"),
    [
        (open_stream(REQUEST, CONTEXT, idle_s=10), ReadBytes),
        (attempts(REQUEST, CONTEXT, send_once), InvokeCallback),
    ],
    ids=["stream", "observer"],
)
def test_a_request_asks_for_nothing_more(flow, last):
    abandoned(flow, last)
