"""Bodies, lists and waits that a server never lets end."""

import dataclasses
from itertools import count
from typing import Any

import pytest

import runcrate_core as rc
from runcrate_core.protocol.paging import MAX_EMPTY_PAGES
from runcrate_core.protocol.transfer import MIN_WINDOW_BYTES, WINDOW_S, Pace
from tests.servers import Reply


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


def test_a_trickling_download_ends_in_an_error(scripted, tmp_path):
    """A byte every half minute never exceeds the limit of silence."""
    target = tmp_path / "output.mp4"
    target.write_bytes(b"before")
    video = {"content-type": "video/mp4"}
    _, both = scripted(Reply(body=[b"x", 0.02] * 10, length=1000, headers=video), max_retries=0)
    driver, clock = both.client._driver, count(step=30.0)
    policy = dataclasses.replace(driver.context.policy, clock=lambda: float(next(clock)))
    driver.context = dataclasses.replace(driver.context, policy=policy)
    with pytest.raises(rc.APIConnectionError, match=f"within {WINDOW_S:g} s"):
        both("videos.download", "v", target)
    assert target.read_bytes() == b"before"


def test_a_list_of_empty_pages_ends_in_an_error(failure):
    """Each page names a cursor that was never seen before; after a value the count starts again."""
    data: list[Any] = [[] for _ in range(2 * MAX_EMPTY_PAGES + 1)]
    data[MAX_EMPTY_PAGES - 1] = [{"id": "j"}]
    metas = [{"hasMore": True, "cursor": f"c{number}"} for number in range(len(data))]
    pages = [Reply(json={"data": one, "meta": meta}) for one, meta in zip(data, metas, strict=True)]
    read = {"call": lambda both: both.values("jobs.list"), "sent": 2 * MAX_EMPTY_PAGES}
    failure(rc.ResponseFormatError, *pages, match="no values", **read)


@pytest.mark.parametrize(("status", "reason"), [("failed", None), ("reclaimed", "low_balance")])
def test_an_instance_that_was_stopped_is_not_waited_for(failure, status, reason):
    """A status may be a word that nobody knows, with a reason for the end."""
    reply = Reply(json={"data": {"id": "i-1", "status": status, "stop_reason": reason}})
    wait = {"call": "instances.wait_until_running", "arguments": {"instance_id": "i-1"}}
    failure(rc.RuncrateError, reply, match=f"{status}.*{reason or ''}", **wait)
