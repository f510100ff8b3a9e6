"""Fault table, rows 49 to 52: downloads that are cut, lied about, too large or wrong."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import threading
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import runcrate_core as rc
from runcrate_core.protocol.attempts import CallContext
from runcrate_core.protocol.body_buffer import Inflater
from runcrate_core.protocol.downloads import (
    MAX_REDIRECTS,
    download_flow,
    external_request,
    fetch_flow,
    transfer_flow,
)
from runcrate_core.protocol.ranges import (
    ContentRange,
    content_range,
    validator,
)
from runcrate_core.protocol.request import ReadTimeout, RetrySafety, Surface, json_request
from runcrate_core.protocol.response import Failure, Response, TransportFailure
from runcrate_core.protocol.retry import RetryPolicy
from runcrate_core.protocol.steps import (
    CloseStream,
    GetRunner,
    InvokeCallback,
    Now,
    OpenStream,
    ReadBytes,
    RunInThread,
    Sleep,
    StreamedResponse,
)
from runcrate_core.protocol.transfer import PROGRESS_BYTES, Transfer, Wanted
from tests.core.both_clients import KEY, awaited
from tests.servers import Reply, ScriptedServer

REQUEST = json_request(
    Surface.INFERENCE,
    "GET",
    "/videos/v/download",
    retry=RetrySafety.SAFE,
    read_timeout=ReadTimeout.TRANSFER,
)
DATA = bytes(range(256)) * 40
HALF = len(DATA) // 2
TAG = {"etag": '"one"'}
OLD = b"the old file"
MP4 = b"\x00\x00\x00\x20ftypisom" + bytes(100)


def whole(data: bytes = DATA, **headers: str) -> Reply:
    return Reply(body=[data], length=len(data), headers={**TAG, **headers})


def cut(at: int = HALF, data: bytes = DATA, **headers: str) -> Reply:
    return Reply(body=[data[:at]], length=len(data), headers={**TAG, **headers}, end="close")


def rest(start: int = HALF, data: bytes = DATA, status: int = 206, **headers: str) -> Reply:
    reported = {"content-range": f"bytes {start}-{len(data) - 1}/{len(data)}"}
    return Reply(
        status,
        body=[data[start:]],
        length=len(data) - start,
        headers={**TAG, **reported, **headers},
    )


class Download:
    """`download(*replies, **options)` over a file that is there already, with either client."""

    def __init__(self, scripted: Any, target: Path) -> None:
        self.scripted = scripted
        self.target = target
        self.server: ScriptedServer
        self.both: Any

    def start(self, *replies: Reply, **client: Any) -> None:
        self.server, self.both = self.scripted(*replies, **client)

    def __call__(
        self,
        *replies: Reply,
        source: Any = REQUEST,
        target: Path | None = None,
        client: dict[str, Any] | None = None,
        **options: Any,
    ) -> Any:
        if replies:
            self.start(*replies, **(client or {}))
        return self.run(download_flow(source, target or self.target, **options))

    def run(self, flow: Any) -> Any:
        return self.both.result(lambda client: client._driver.run, flow)

    def unchanged(self) -> bool:
        return self.target.read_bytes() == OLD and self.alone()

    def alone(self) -> bool:
        return list(self.target.parent.iterdir()) == [self.target]


@pytest.fixture
def target(tmp_path: Path) -> Path:
    path = tmp_path / "output.mp4"
    path.write_bytes(OLD)
    return path


@pytest.fixture
def download(scripted: Any, target: Path) -> Download:
    return Download(scripted, target)


def test_a_file_is_downloaded_over_the_old_one(download):
    reported: list[Any] = []
    path = download(
        whole(),
        sha256=hashlib.sha256(DATA).hexdigest().upper(),
        size=len(DATA),
        on_progress=lambda *progress: reported.append(progress),
    )
    assert path == download.target
    assert path.read_bytes() == DATA
    assert download.alone()
    assert reported == [(0, len(DATA)), (len(DATA), len(DATA))]
    [request] = download.server.received
    assert request.headers["accept-encoding"] == "identity"
    assert "range" not in request.headers


def test_49_a_cut_download_goes_on_where_it_was_cut(download):
    digest = "sha256:" + hashlib.sha256(DATA).hexdigest()
    assert download(cut(), rest(), sha256=digest).read_bytes() == DATA
    first, second = download.server.received
    assert "range" not in first.headers
    assert second.headers["range"] == f"bytes={HALF}-"
    assert second.headers["if-range"] == '"one"'
    assert second.headers["authorization"] == f"Bearer {KEY}"
    assert download.alone()


def test_49_after_too_many_cuts_the_old_file_is_there(download):
    nothing = Reply(206, body=[b""], length=HALF, headers=rest().headers, end="close")
    with pytest.raises(rc.APIConnectionError, match=f"after {HALF} of {len(DATA)} bytes") as caught:
        download(cut(), nothing, client={"max_retries": 2})
    assert download.server.sent == caught.value.attempts == 3
    assert "unchanged" in str(caught.value)
    assert download.unchanged()


def test_49_progress_makes_the_next_cut_the_first_again(download):
    data = bytes(PROGRESS_BYTES) * 4
    replies = [cut(PROGRESS_BYTES, data)]
    for start in range(PROGRESS_BYTES, len(data), PROGRESS_BYTES):
        part = [data[:PROGRESS_BYTES]]
        left = len(data) - start
        headers = rest(start, data).headers
        replies.append(Reply(206, body=part, length=left, headers=headers, end="close"))
    assert download(*replies, client={"max_retries": 1}).stat().st_size == len(data)
    assert download.server.sent == 4


def test_49_an_empty_budget_ends_going_on(download):
    download.start(cut(), Reply(206, body=[b""], length=9, headers=rest().headers, end="close"))
    while download.both.client._driver.context.budget.take():
        pass
    with pytest.raises(rc.APIConnectionError):
        download()
    assert download.server.sent == 2
    assert download.unchanged()


def encoded(body: bytes, encoding: str = "gzip") -> Reply:
    return Reply(body=[body], length=len(body), headers={"content-encoding": encoding, **TAG})


def typed(body: bytes, kind: str) -> Reply:
    return Reply(body=[body], length=len(body), headers={"content-type": kind})


NOT_THERE = Reply(404, {"error": {"code": "not_found", "message": "not completed"}})
STALLED = Reply(body=[DATA[:HALF]], length=len(DATA), end="hold")
HUGE = Reply(body=[], length=10**15, end="hold")
UNSIZED = Reply(body=[DATA])
WRONG, LONGER, VIDEO = {"sha256": "0" * 64}, {"size": len(DATA) + 1}, {"media": "video"}
ERRORS: dict[str, tuple[Reply, type[Exception], str, dict[str, Any]]] = {
    "49 stalled": (STALLED, rc.APITimeoutError, "unchanged", {}),
    "49 refused": (NOT_THERE, rc.NotFoundError, "not completed", {}),
    "49 cut, without retries": (cut(), rc.APIConnectionError, f"after {HALF} of", {}),
    "50 an unrequested part": (rest(0), rc.ResponseFormatError, "which was not asked", {}),
    "51 too large": (HUGE, rc.ResponseFormatError, "limit of 2147483648", {}),
    "51 endless": (Reply(body=[DATA] * 9), rc.ResponseFormatError, "`limit`", {"limit": 20_000}),
    "51 not gzip": (encoded(b"no gzip"), rc.ResponseFormatError, "cannot be decoded", {}),
    "51 brotli": (encoded(DATA, "br"), rc.ResponseFormatError, "not asked for", {}),
    "52 checksum": (whole(), rc.ResponseFormatError, "checksum is not the one", WRONG),
    "52 checksum, unsized": (UNSIZED, rc.ResponseFormatError, "checksum is not the one", WRONG),
    "52 shorter": (whole(), rc.ResponseFormatError, "bytes instead of", LONGER),
    "52 shorter, unsized": (UNSIZED, rc.ResponseFormatError, "bytes instead of", LONGER),
    "52 longer": (UNSIZED, rc.ResponseFormatError, "more than 10 bytes", {"size": 10}),
    "a page": (typed(b"<html>", "text/html"), rc.ResponseFormatError, "not video", VIDEO),
    "JSON": (typed(b'{"a": 1}', "application/json"), rc.ResponseFormatError, "not video", VIDEO),
    "an image": (typed(b"\x89PNG\r\n\x1a\n", "video/mp4"), rc.ResponseFormatError, "not v", VIDEO),
    "an empty body": (typed(b"", "video/mp4"), rc.ResponseFormatError, "it is empty", VIDEO),
}


@pytest.mark.parametrize("case", ERRORS)
def test_a_download_that_fails_leaves_the_old_file(download, case):
    reply, error, words, options = ERRORS[case]
    with pytest.raises(error, match=words):
        download(reply, client={"max_retries": 0, "timeout": 0.3}, **options)
    assert download.server.sent == 1
    assert download.unchanged()


@pytest.mark.parametrize(
    "headers", [{"etag": 'W/"one"'}, {"etag": ""}, {"accept-ranges": "none"}], ids=str
)
def test_49_a_file_without_a_validator_is_started_again(download, headers):
    assert download(cut(**headers), cut(**headers), whole(**headers)).read_bytes() == DATA
    assert ["range" in request.headers for request in download.server.received] == [False] * 3


OTHER = bytes(reversed(DATA))
OTHER_TOTAL = f"bytes {HALF}-{len(DATA) - 1}/{len(DATA) + 5}"


@pytest.mark.parametrize(
    ("replies", "result"),
    [
        ([cut(), whole(OTHER, etag='"two"')], OTHER),
        ([cut(), whole()], DATA),
        ([cut(), rest(HALF + 1), whole()], DATA),
        ([cut(), rest(**{"content-range": "nonsense"}), whole()], DATA),
        ([cut(), rest(**{"content-range": OTHER_TOTAL}), whole()], DATA),
        ([cut(), rest(etag='"two"', data=OTHER), whole(OTHER, etag='"two"')], OTHER),
        ([cut(), Reply(416), whole()], DATA),
        ([cut(), whole(OTHER, etag='"two"'), whole()], OTHER),
        # And not twice.
        ([cut(), cut(etag='"two"'), whole(etag='"three"')], None),
        ([cut(), Reply(416), cut(), Reply(416), whole()], None),
        ([cut(), rest(HALF + 1), cut(), rest(HALF + 1), whole()], None),
    ],
)
def test_50_what_does_not_fit_is_started_again_once(download, replies, result):
    if result is None:
        with pytest.raises(rc.ResponseFormatError, match="changes while it is downloaded"):
            download(*replies)
        assert download.unchanged()
    else:
        digest = hashlib.sha256(result).hexdigest()
        assert download(*replies, sha256=digest).read_bytes() == result
        assert download.alone()


def connections(client: Any) -> list[Any]:
    pool: list[Any] = client._driver.http.client(client._driver.config)._transport._pool.connections
    return pool


def test_a_connection_that_is_given_up_is_closed(run, target):
    async def given_up(client):
        with pytest.raises(rc.ResponseFormatError):
            await awaited(client._driver.run(download_flow(REQUEST, target)))
        return connections(client)

    with ScriptedServer(Reply(body=[b"x"], length=10**15, end="hold")) as server:
        assert run(given_up, server.url) == []


def test_51_a_disk_that_is_too_small_is_reported_before_reading(download, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 5}))
    with pytest.raises(OSError, match="the disk has 5 left") as caught:
        download(whole())
    assert caught.value.errno == 28
    assert download.unchanged()


def test_51_a_disk_that_becomes_full_leaves_nothing(download, monkeypatch):
    def full(self, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("runcrate_core.io.files.PartFile.write", full)
    with pytest.raises(OSError, match="No space left"):
        download(whole())
    assert download.unchanged()


@contextmanager
def memory_below(megabytes: int) -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < megabytes * 1024 * 1024


def test_memory_stays_flat(download):
    block, count = bytes(256 * 1024), 192  # 48 MiB
    with memory_below(8):
        path = download(Reply(body=[block] * count, length=len(block) * count))
    assert path.stat().st_size == len(block) * count


def test_51_a_compressed_body_is_bounded_by_its_decoded_size(download):
    bomb = encoded(gzip.compress(bytes(64 * 1024 * 1024)))
    with memory_below(12), pytest.raises(rc.ResponseFormatError, match="more than the limit"):
        download(bomb, limit=32 * 1024 * 1024)
    assert download.unchanged()


def test_51_a_compressed_body_that_was_not_requested_is_decoded(download):
    packed = gzip.compress(DATA[:HALF]) + gzip.compress(DATA[HALF:])
    reported: list[Any] = []
    options = {"on_progress": lambda *state: reported.append(state), "size": len(DATA)}
    assert download(encoded(packed, "x-gzip"), **options).read_bytes() == DATA
    assert reported[0] == (0, None)


def test_51_a_cut_compressed_body_is_started_again(download):
    good = encoded(gzip.compress(DATA))
    short = Reply(body=[gzip.compress(DATA)[:50]], headers=good.headers)
    assert download(short, good).read_bytes() == DATA
    assert "range" not in download.server.received[1].headers


@pytest.mark.parametrize(
    "options",
    [
        {"sha256": "abc"},
        {"sha256": "md5:" + "0" * 64},
        {"limit": 0},
        {"size": -1},
        {"target": Path("none/x")},
    ],
)
def test_wishes_that_make_no_sense_are_refused_before_sending(download, options):
    problem = r"`sha256` is not|numbers of bytes|no such folder"
    with pytest.raises((ValueError, FileNotFoundError), match=problem):
        download(whole(), **options)
    assert download.server.sent == 0


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_53_a_redirect_is_followed_without_the_key(download, status):
    moved = Reply(status, headers={"location": "/files/1?signature=s"})
    assert download(moved, cut(), moved, rest()).read_bytes() == DATA
    requests = download.server.received
    paths = [request.path.partition("?")[0] for request in requests]
    assert paths == ["/v1/videos/v/download", "/files/1"] * 2
    assert ["authorization" in request.headers for request in requests] == [True, False] * 2
    ranges = [request.headers.get("range") for request in requests]
    assert ranges == [None, None, f"bytes={HALF}-", f"bytes={HALF}-"]


REDIRECTS = {
    **{
        location or "none": ([location], "was not contacted", 1)
        for location in (
            "http://169.254.169.254/meta",
            "https://10.0.0.8/x",
            "http://example.com/x",
            "",
            "https://[",
        )
    },
    "the second": (["/next", "http://192.168.1.1/"], r"192\.168\.1\.1 was not contacted", 2),
    "endless": (["/next"], "redirects more than", MAX_REDIRECTS + 1),
}


@pytest.mark.parametrize("case", REDIRECTS)
def test_53_a_redirect_to_a_forbidden_address_is_not_followed(download, case):
    locations, words, sent = REDIRECTS[case]
    headers = [{"location": location} if location else {} for location in locations]
    with pytest.raises(rc.ResponseFormatError, match=words):
        download(*(Reply(302, headers=each) for each in headers))
    assert download.server.sent == sent
    assert download.unchanged()


def test_56_a_refusal_of_a_signed_url_shows_nothing_of_it(download):
    body = b"<Error><SignatureProvided>c2VjcmV0</SignatureProvided></Error>"
    download.start(Reply(403, body=[body], length=len(body)))
    url = f"{download.server.url}/a?X-Amz-Signature=c2VjcmV0"
    with pytest.raises(rc.PermissionDeniedError, match="Such addresses expire") as caught:
        download(source=url)
    shown = f"{caught.value} {caught.value!r} {caught.value.__dict__}"
    assert "c2VjcmV0" not in shown
    assert caught.value.__context__ is None or caught.value.__suppress_context__


def test_a_target_without_a_suffix_gets_that_of_the_file(download, target):
    target.unlink()
    path = download(whole(MP4), target=target.with_suffix(""), media="video")
    assert path == target
    assert download.alone()
    other = target.with_suffix(".mov")
    assert download(target=other, media="video") == other


def test_a_file_is_fetched_into_memory(download):
    kind = {"content-type": "Video/MP4; a=b"}
    download.start(cut(50, MP4, **kind), rest(50, MP4, **kind), whole())
    fetched = download.run(fetch_flow(REQUEST, limit=1000, media="video"))
    assert (fetched.content, fetched.content_type) == (MP4, "video/mp4")
    with pytest.raises(rc.ResponseFormatError, match="limit"):
        download.run(fetch_flow(REQUEST, limit=1000, media="video"))


def test_progress_may_be_reported_to_a_coroutine_where_there_is_a_loop(download, is_async):
    reported: list[int] = []

    async def on_progress(done, total):
        reported.append(done)

    if is_async:
        download(whole(), on_progress=on_progress)
        assert reported == [0, len(DATA)]
    else:
        with pytest.raises(TypeError, match="`on_progress` is asynchronous"):
            download(whole(), on_progress=on_progress)
        assert download.unchanged()


def test_a_callback_that_raises_ends_the_download(download):
    class Stop(Exception):
        pass

    def on_progress(done, total):
        raise Stop

    with pytest.raises(Stop):
        download(whole(), on_progress=on_progress)
    assert download.unchanged()


async def test_a_cancelled_download_leaves_nothing(download, target):
    with ScriptedServer(STALLED) as server:
        url = f"{server.url}/v1"
        async with rc.AsyncRuncrate(KEY, base_url=server.url, inference_url=url) as client:
            started = asyncio.Event()
            flow = download_flow(REQUEST, target, on_progress=lambda *_: started.set())
            task = asyncio.create_task(client._driver.run(flow))
            await started.wait()
            assert not download.alone()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert connections(client) == []
    assert download.unchanged()


def test_two_downloads_to_one_place_do_not_meet(run, target):
    """Each has a temporary file of its own, and the last to end wins."""
    barrier = threading.Barrier(2, timeout=5)

    def on_progress(done, total):
        if done == 0:
            barrier.wait()

    def one(data):
        flow = download_flow(REQUEST, target, on_progress=on_progress)
        with ScriptedServer(whole(data)) as server:
            run(lambda client: client._driver.run(flow), server.url)

    threads = [threading.Thread(target=one, args=(data,)) for data in (DATA, OTHER)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert target.read_bytes() in {DATA, OTHER}
    assert list(target.parent.iterdir()) == [target]


# What follows is decided without I/O.


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bytes 0-4/5", ContentRange(0, 4, 5)),
        (" bytes 3-4/* ", ContentRange(3, 4, None)),
        ("bytes 4-3/5", None),
        ("bytes 0-5/5", None),
        ("bytes */5", None),
        ("bytes=0-4/5", None),
        ("bytes -1-4/5", None),
        ("bytes 0-4", None),
        ("bytes \u0660-4/5", None),
        ("bytes 0-99999999999999999999/*", None),
        ("", None),
    ],
)
def test_ranges_are_read(text, expected):
    assert content_range({"content-range": text}) == expected


@pytest.mark.parametrize(
    ("headers", "tag"),
    [
        ({"etag": '"a"'}, '"a"'),
        ({"etag": '"a"', "last-modified": "d"}, '"a"'),
        ({"etag": 'W/"a"', "last-modified": "d"}, "d"),
        ({"last-modified": "d"}, "d"),
        ({"etag": 'W/"a"'}, None),
        ({}, None),
        ({"etag": '"a"', "accept-ranges": "None"}, None),
        ({"etag": '"a"', "content-encoding": "gzip"}, None),
        ({"etag": '"a"', "content-encoding": "Identity"}, '"a"'),
    ],
)
def test_validators_are_strong_ones(headers, tag):
    assert validator(headers) == tag


@given(st.lists(st.binary(max_size=3000), min_size=1, max_size=3), st.integers(1, 500))
def test_gzip_is_decoded_whichever_way_it_is_cut(members, piece):
    packed = b"".join(gzip.compress(member) for member in members)
    gunzip = Inflater()
    out = b"".join(
        data
        for start in range(0, len(packed), piece)
        for data in gunzip.feed(packed[start : start + piece])
    )
    assert out == b"".join(members)
    assert gunzip.is_whole
    assert list(gunzip.feed(b"")) == []


@dataclass
class Sink:
    data: bytearray = field(default_factory=bytearray)

    def write(self, data: bytes) -> None:
        self.data += data

    def restart(self) -> None:
        self.data.clear()

    def reserve(self, size: int) -> None:
        pass


@dataclass
class StubRim:
    context: CallContext


@dataclass(frozen=True)
class Behaviour:
    """The behaviour of a server for one opening."""

    version: int = 0
    heeds_range: bool = True
    shift: int = 0
    tagged: bool = True
    cut_after: int | None = None
    status: int | None = None


class Server:
    """A server without sockets: one behaviour for each opening, the last one for all further."""

    def __init__(self, versions: list[bytes], behaviours: list[Behaviour]) -> None:
        self.versions = versions
        self.behaviours = behaviours
        self.openings = 0

    def open(self, request: Any) -> Any:
        behaviour = self.behaviours[min(self.openings, len(self.behaviours) - 1)]
        self.openings += 1
        if behaviour.status is not None:
            return Response(behaviour.status)
        data = self.versions[behaviour.version]
        headers = {"etag": f'"{behaviour.version}"'} if behaviour.tagged else {}
        asked = dict(request.headers)
        start = 0
        if behaviour.heeds_range and "range" in asked and asked["if-range"] == headers.get("etag"):
            start = int(asked["range"].removeprefix("bytes=").removesuffix("-"))
            if start >= len(data):
                return Response(416)
            start = min(start + behaviour.shift, len(data) - 1)
            headers["content-range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        headers["content-length"] = str(len(data) - start)
        body = self.pieces(data[start:], behaviour)
        return StreamedResponse(206 if "content-range" in headers else 200, headers, body)

    @staticmethod
    def pieces(data: bytes, behaviour: Behaviour) -> Iterator[bytes | TransportFailure | None]:
        end = len(data) if behaviour.cut_after is None else behaviour.cut_after
        for start in range(0, min(end, len(data)), 7):
            yield data[start : min(start + 7, end)]
        cut_off = behaviour.cut_after is not None and behaviour.cut_after < len(data)
        yield TransportFailure(Failure.BROKEN) if cut_off else None


def run_tool(flow: Any, server: Server, max_retries: int = 3) -> Any:
    """Drive a flow without I/O."""
    policy = RetryPolicy(max_retries=max_retries, random=lambda: 0.0)
    runner = StubRim(CallContext(policy=policy))
    reply: Any = None
    opened = 0
    try:
        step = next(flow)
        while True:
            match step:
                case GetRunner():
                    reply = runner
                case RunInThread(function):
                    reply = function()
                case OpenStream(request):
                    reply = server.open(request)
                    opened += isinstance(reply, StreamedResponse)
                case ReadBytes(source):
                    reply = next(source.body)
                case CloseStream():
                    opened -= 1
                    reply = None
                case Sleep() | InvokeCallback():
                    reply = None
                case Now():
                    reply = 0.0
                case _:
                    raise AssertionError(step)
            step = flow.send(reply)
    except StopIteration as end:
        return end.value
    finally:
        assert opened == 0 or server.openings == 0


BEHAVIOURS = st.builds(
    Behaviour,
    version=st.integers(0, 1),
    heeds_range=st.booleans(),
    shift=st.sampled_from([0, 0, 0, 1, -1]),
    tagged=st.booleans(),
    cut_after=st.one_of(st.none(), st.integers(0, 60)),
    status=st.sampled_from([None] * 6 + [416, 503]),
)


@given(st.binary(max_size=60), st.binary(max_size=60), st.lists(BEHAVIOURS, min_size=1, max_size=8))
def test_a_download_is_one_version_of_the_file_or_an_error(one, two, behaviours):
    """Whatever a server does with ranges and cuts, two versions are never mixed."""
    server = Server([one, two], behaviours)
    sink = Sink()
    transfer = Transfer(external_request("https://example.com/x"), Wanted())
    try:
        run_tool(transfer_flow(transfer, sink, None), server)
    except rc.RuncrateError:
        return
    assert bytes(sink.data) in {one, two}
    assert transfer.received == len(sink.data)


@given(st.binary(min_size=1, max_size=60), st.lists(st.integers(0, 59), max_size=3))
def test_a_good_server_that_cuts_is_always_survived(data, cuts):
    behaviours = [Behaviour(cut_after=at) for at in cuts] + [Behaviour()]
    sink = Sink()
    wanted = Wanted.of(limit=60, size=len(data), sha256=hashlib.sha256(data).hexdigest())
    transfer = Transfer(external_request("https://example.com/x"), wanted)
    run_tool(transfer_flow(transfer, sink, None), Server([data], behaviours))
    assert bytes(sink.data) == data


def test_more_than_was_announced_is_refused() -> None:
    transfer = Transfer(REQUEST, Wanted())
    transfer.begin(200, {"content-length": "2"})
    assert list(transfer.take(b"abc")) == [b"abc"]
    with pytest.raises(rc.ResponseFormatError, match="more than the 2 bytes"):
        transfer.is_whole()
