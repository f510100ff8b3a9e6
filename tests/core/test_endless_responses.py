"""Bodies, lists and waits that a server never lets end."""

from __future__ import annotations

import dataclasses
from itertools import count

import pytest

import runcrate_core as rc
from runcrate_core.protocol.downloads import download_flow
from runcrate_core.protocol.paging import MAX_EMPTY_PAGES, ListMeta, PagingError, next_cursor
from runcrate_core.protocol.request import ReadTimeout, RetrySafety, Surface, json_request
from runcrate_core.protocol.transfer import MIN_WINDOW_BYTES, WINDOW_S, Pace
from tests.core.both_clients import each
from tests.servers import Reply, ScriptedServer

REQUEST = json_request(
    Surface.INFERENCE,
    "GET",
    "/videos/v/download",
    retry=RetrySafety.SAFE,
    read_timeout=ReadTimeout.TRANSFER,
)


@pytest.mark.parametrize(
    ("reads", "slow"),
    [
        ([(1, 0.0), (1, WINDOW_S)], False),
        ([(1, 0.0), (1, WINDOW_S + 1)], True),
        ([(MIN_WINDOW_BYTES - 1, 0.0), (1, WINDOW_S + 1)], False),
        ([(MIN_WINDOW_BYTES, 50.0), (1, 100.0), (1, 111.0)], True),
    ],
)
def test_a_body_that_brings_a_byte_now_and_then_is_too_slow(reads, *, slow):
    pace = Pace()
    assert [pace.is_too_slow(*read) for read in reads][-1] is slow


def test_a_trickling_download_ends_in_an_error(run, tmp_path):
    """A byte every half minute never exceeds the limit of silence."""
    target = tmp_path / "output.bin"
    target.write_bytes(b"before")
    clock = count(step=30.0)

    def use(client):
        driver = client._driver
        policy = dataclasses.replace(driver.context.policy, clock=lambda: float(next(clock)))
        driver.context = dataclasses.replace(driver.context, policy=policy)
        return driver.run(download_flow(REQUEST, target))

    trickle = Reply(body=[b"x", 0.02] * 10, length=1000)
    with (
        ScriptedServer(trickle) as server,
        pytest.raises(rc.APIConnectionError, match=f"within {WINDOW_S:g} s"),
    ):
        run(use, server.url, max_retries=0)
    assert target.read_bytes() == b"before"


def test_a_list_of_empty_pages_ends_in_an_error(run):
    """Each page names a cursor that was never seen before."""
    pages = [
        Reply(json={"data": [], "meta": {"hasMore": True, "cursor": f"c{number}"}})
        for number in range(MAX_EMPTY_PAGES + 1)
    ]

    async def use(client):
        return [job async for job in each(client.jobs.list())]

    with ScriptedServer(*pages) as server:
        with pytest.raises(rc.ResponseFormatError, match="no values"):
            run(use, server.url)
        assert server.sent == MAX_EMPTY_PAGES


def test_a_value_makes_the_next_empty_page_the_first_again():
    meta = ListMeta(has_more=True, cursor="b")
    assert next_cursor(meta, (), empty_pages=MAX_EMPTY_PAGES - 1) == "b"
    with pytest.raises(PagingError):
        next_cursor(meta, (), empty_pages=MAX_EMPTY_PAGES)


def test_an_instance_that_was_stopped_is_not_waited_for(run):
    """Its status is a word that nobody knows, but there is a reason for its end."""
    status = {"id": "i-1", "status": "reclaimed", "ip": None, "stop_reason": "low_balance"}
    with ScriptedServer(Reply(json={"data": status})) as server:
        with pytest.raises(rc.RuncrateError, match=r"reclaimed.*low_balance"):
            run(lambda client: client.instances.wait_until_running("i-1"), server.url)
        assert server.sent == 1
