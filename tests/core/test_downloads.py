"""Fault table, rows 49 to 52: downloads that are cut, lied about, too large or wrong."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import runcrate_core as rc
from runcrate_core.protocol.downloads import MAX_REDIRECTS, download_flow, fetch_flow
from runcrate_core.protocol.request import ReadTimeout, RetrySafety, Surface, json_request
from runcrate_core.protocol.transfer import PROGRESS_BYTES
from tests.core.both_clients import KEY, active_connections, cancelled, new_client
from tests.core.cloud import Both, memory_below
from tests.servers import Reply, ScriptedServer, raw_reply

KIND: dict[str, Any] = {"retry": RetrySafety.SAFE, "read_timeout": ReadTimeout.TRANSFER}
REQUEST = json_request(Surface.INFERENCE, "GET", "/videos/v/download", **KIND)
DATA = bytes(range(256)) * 40
HALF = len(DATA) // 2
OLD = b"the old file"
MP4, PNG = b"\x00\x00\x00\x20ftypisom" + bytes(100), b"\x89PNG\r\n\x1a\n"


def whole(data: bytes = DATA, etag: str = '"one"', **headers: str) -> Reply:
    return raw_reply(data, etag=etag, **headers)


def cut(at: int = HALF, data: bytes = DATA, **headers: str) -> Reply:
    return replace(whole(data, **headers), body=[data[:at]], end="close")


def rest(start: int = HALF, data: bytes = DATA, **headers: str) -> Reply:
    reported = {"content_range": f"bytes {start}-{len(data) - 1}/{len(data)}"}
    return replace(whole(data[start:], **reported | headers), status=206)


@dataclass
class Download:
    """`download(*replies, **options)` over a file that is there already, with either client."""

    scripted: Any
    target: Path
    server: Any = None
    both: Any = None

    def start(self, *replies: Reply, **client: Any) -> None:
        self.server, self.both = self.scripted(*replies, **client)

    def __call__(self, *replies: Reply, client: Any = None, **options: Any) -> Any:
        if replies:
            self.start(*replies, **(client or {}))
        wish = {"source": REQUEST, "target": self.target} | options
        return self.both("run", download_flow(**wish))

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
    known = {"sha256": hashlib.sha256(DATA).hexdigest().upper(), "size": len(DATA)}
    path = download(whole(), on_progress=lambda *state: reported.append(state), **known)
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


@pytest.mark.parametrize(("is_budget_empty", "sent"), [(False, 3), (True, 2)])
def test_49_after_too_many_cuts_the_old_file_is_there(download, is_budget_empty, sent):
    download.start(cut(), replace(rest(), body=[b""], end="close"), max_retries=2)
    if is_budget_empty:
        download.both.spend_retry_budget()
    with pytest.raises(rc.APIConnectionError, match=f"after {HALF} of {len(DATA)} bytes") as caught:
        download()
    assert download.server.sent == caught.value.attempts == sent
    assert "unchanged" in str(caught.value)
    assert download.unchanged()


def test_49_progress_makes_the_next_cut_the_first_again(download):
    data, part = bytes(PROGRESS_BYTES) * 4, [bytes(PROGRESS_BYTES)]
    rests = [rest(start, data) for start in range(PROGRESS_BYTES, len(data), PROGRESS_BYTES)]
    replies = [cut(PROGRESS_BYTES, data), *(replace(it, body=part, end="close") for it in rests)]
    assert download(*replies, client={"max_retries": 1}).stat().st_size == len(data)
    assert download.server.sent == 4


def packed(body: bytes, encoding: str = "gzip") -> Reply:
    return whole(body, content_encoding=encoding)


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
    "51 not gzip": (packed(b"no gzip"), rc.ResponseFormatError, "cannot be decoded", {}),
    "51 brotli": (packed(DATA, "br"), rc.ResponseFormatError, "not asked for", {}),
    "52 checksum": (whole(), rc.ResponseFormatError, "checksum is not the one", WRONG),
    "52 checksum, unsized": (UNSIZED, rc.ResponseFormatError, "checksum is not the one", WRONG),
    "52 shorter": (whole(), rc.ResponseFormatError, "bytes instead of", LONGER),
    "52 shorter, unsized": (UNSIZED, rc.ResponseFormatError, "bytes instead of", LONGER),
    "52 longer": (UNSIZED, rc.ResponseFormatError, "more than 10 bytes", {"size": 10}),
    "a page": (raw_reply(b"<html>", "text/html"), rc.ResponseFormatError, "not video", VIDEO),
    "JSON": (raw_reply(b'{"a": 1}'), rc.ResponseFormatError, "not video", VIDEO),
    "a sound": (raw_reply(b"ID3\x04", "video/mp4"), rc.ResponseFormatError, "not video", VIDEO),
    "an image": (raw_reply(PNG, "video/mp4"), rc.ResponseFormatError, "not video", VIDEO),
    "an empty body": (raw_reply(b"", "video/mp4"), rc.ResponseFormatError, "it is empty", VIDEO),
}


@pytest.mark.parametrize("case", ERRORS)
def test_a_download_that_fails_leaves_the_old_file(download, case):
    reply, error, words, options = ERRORS[case]
    with pytest.raises(error, match=words):
        download(reply, client={"max_retries": 0, "timeout": 0.3}, **options)
    assert download.server.sent == 1
    assert download.unchanged()
    assert download.both.use(active_connections) == 0


OTHER = bytes(reversed(DATA))
OTHER_TOTAL = f"bytes {HALF}-{len(DATA) - 1}/{len(DATA) + 5}"
PACKED = packed(gzip.compress(DATA))
CUT_PACKED = replace(PACKED, body=[gzip.compress(DATA)[:50]], length=None)
UNTAGGED = [{"etag": 'W/"one"'}, {"etag": ""}, {"accept_ranges": "none"}]


@pytest.mark.parametrize(
    ("replies", "result"),
    [
        ([cut(), whole(OTHER, etag='"two"')], OTHER),
        ([cut(), whole()], DATA),
        ([cut(), rest(HALF + 1), whole()], DATA),
        ([cut(), rest(HALF - 1), whole()], DATA),
        ([cut(), rest(content_range="nonsense"), whole()], DATA),
        ([cut(), rest(content_range=OTHER_TOTAL), whole()], DATA),
        ([cut(), rest(etag='"two"', data=OTHER), whole(OTHER, etag='"two"')], OTHER),
        ([cut(), Reply(416), whole()], DATA),
        # And not twice.
        ([cut(), cut(etag='"two"'), whole(etag='"three"')], None),
        ([cut(), Reply(416), cut(), Reply(416), whole()], None),
        ([cut(), rest(HALF + 1), cut(), rest(HALF + 1), whole()], None),
        # Without a validator, and where a part of it could not be decoded.
        *(([cut(**tag), cut(**tag), whole(**tag)], DATA) for tag in UNTAGGED),
        ([CUT_PACKED, PACKED], DATA),
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
        assert download.server.sent == len(replies)
        assert download.alone()


def full(self: Any, data: bytes) -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize(
    ("name", "instead", "problem"),
    [
        ("shutil.disk_usage", lambda _: SimpleNamespace(free=5), "the disk has 5 left"),
        ("runcrate_core.io.files.PartFile.write", full, "No space left"),
    ],
)
def test_51_a_disk_that_is_full_before_or_while_reading_keeps_the_old_file(
    download, monkeypatch, name, instead, problem
):
    monkeypatch.setattr(name, instead)
    with pytest.raises(OSError, match=problem) as caught:
        download(whole())
    assert caught.value.errno == 28
    assert download.unchanged()


def test_memory_stays_flat(download):
    block, count = bytes(256 * 1024), 192  # 48 MiB
    with memory_below(8):
        path = download(Reply(body=[block] * count, length=len(block) * count))
    assert path.stat().st_size == len(block) * count


def test_51_a_compressed_body_is_bounded_by_its_decoded_size(download):
    bomb = packed(gzip.compress(bytes(64 * 1024 * 1024)))
    with memory_below(12), pytest.raises(rc.ResponseFormatError, match="more than the limit"):
        download(bomb, limit=32 * 1024 * 1024)
    assert download.unchanged()


def test_51_a_compressed_body_that_was_not_requested_is_decoded(download):
    members = gzip.compress(DATA[:HALF]) + gzip.compress(DATA[HALF:])
    reported: list[Any] = []
    options = {"on_progress": lambda *state: reported.append(state), "size": len(DATA)}
    assert download(packed(members, "x-gzip"), **options).read_bytes() == DATA
    assert reported[0] == (0, None)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"sha256": "abc"}, "`sha256` is not"),
        ({"sha256": "md5:" + "0" * 64}, "`sha256` is not"),
        ({"limit": 0}, "numbers of bytes"),
        ({"size": -1}, "numbers of bytes"),
        ({"target": Path("none/x")}, "does not exist"),
    ],
)
def test_wishes_that_make_no_sense_are_refused_before_sending(download, options, problem):
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


@pytest.mark.parametrize(
    ("locations", "words", "sent"),
    [
        (["http://169.254.169.254/meta"], "was not contacted", 1),
        (["https://10.0.0.8/x"], "was not contacted", 1),
        (["http://example.com/x"], "was not contacted", 1),
        ([""], "was not contacted", 1),
        (["https://["], "was not contacted", 1),
        (["/next", "http://192.168.1.1/"], r"192\.168\.1\.1 was not contacted", 2),
        (["/endless"], "redirects more than", MAX_REDIRECTS + 1),
    ],
)
def test_53_a_redirect_to_a_forbidden_address_is_not_followed(download, locations, words, sent):
    headers = [{"location": location} if location else {} for location in locations]
    with pytest.raises(rc.ResponseFormatError, match=words):
        download(*(Reply(302, headers=each) for each in headers))
    assert download.server.sent == sent
    assert download.unchanged()


def test_56_a_refusal_of_a_signed_url_shows_nothing_of_it(download):
    body = b"<Error><SignatureProvided>c2VjcmV0</SignatureProvided></Error>"
    download.start(raw_reply(body, status=403))
    url = f"{download.server.url}/a?X-Amz-Signature=c2VjcmV0"
    with pytest.raises(rc.PermissionDeniedError, match="Such URLs expire") as caught:
        download(source=url)
    shown = f"{caught.value} {caught.value!r} {caught.value.__dict__}"
    assert "c2VjcmV0" not in shown
    assert caught.value.__context__ is None or caught.value.__suppress_context__


def test_a_target_with_a_suffix_keeps_it(download):
    assert download(whole(MP4), media="video") == download.target


def test_a_file_is_fetched_into_memory(download):
    kind = {"kind": "Video/MP4; a=b"}
    download.start(cut(50, MP4, **kind), rest(50, MP4, **kind), whole())
    fetched = download.both("run", fetch_flow(REQUEST, limit=1000, media="video"))
    assert (fetched.content, fetched.content_type) == (MP4, "video/mp4")
    with pytest.raises(rc.ResponseFormatError, match="limit"):
        download.both("run", fetch_flow(REQUEST, limit=1000, media="video"))


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


async def test_a_cancelled_download_leaves_nothing(target):
    with ScriptedServer(STALLED) as server:
        async with new_client(server.url, is_async=True) as client:
            started = asyncio.Event()
            flow = download_flow(REQUEST, target, on_progress=lambda *_: started.set())
            task = asyncio.create_task(client.run(flow))
            await started.wait()
            assert len(list(target.parent.iterdir())) == 2
            await cancelled(task)
            assert active_connections(client) == 0
    assert target.read_bytes() == OLD
    assert list(target.parent.iterdir()) == [target]


def test_two_downloads_to_one_place_do_not_meet(is_async, target):
    """Each has a temporary file of its own, and the last to end wins."""
    barrier = threading.Barrier(2, timeout=5)

    def on_progress(done, total):
        if done == 0:
            barrier.wait()

    def one(data):
        flow = download_flow(REQUEST, target, on_progress=on_progress)
        with ScriptedServer(whole(data)) as server:
            with Both(server.url, KEY, is_async=is_async) as both:
                both("run", flow)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(one, (DATA, OTHER)))
    assert target.read_bytes() in {DATA, OTHER}
    assert list(target.parent.iterdir()) == [target]
