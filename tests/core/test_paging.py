"""Lists that come in pages: what is next, and what pages are to their users."""

from __future__ import annotations

import asyncio
from operator import attrgetter

import pytest

import runcrate_core as rc
from runcrate_core import AsyncPage, Page
from runcrate_core.protocol.paging import ListMeta, next_cursor, next_offset
from tests.core.both_clients import each, new_client
from tests.core.cloud import listed
from tests.servers import Reply, ScriptedServer


@pytest.mark.parametrize(
    ("meta", "following"),
    [
        ({"hasMore": True, "cursor": "b"}, "b"),
        ({"hasMore": None, "cursor": 5}, "5"),
        ({"has_more": False, "cursor": "b"}, None),
        ({"hasMore": False, "cursor": "a"}, None),
        *(({"hasMore": "yes", "cursor": cursor}, None) for cursor in ("", None, 5.5, True)),
        *((meta, None) for meta in ({}, None, ["cursor"])),
    ],
)
def test_a_cursor_leads_on_as_far_as_it_is_one(meta, following):
    assert next_cursor(ListMeta.read(meta), {"a"}) == following


@pytest.mark.parametrize(
    ("cursors", "pages"), [(["A", "B", "A"], 3), (["A", "A"], 2), ([None], 1), ([7, 8, 7], 3)]
)
def test_a_list_that_goes_in_circles_ends_in_an_error(scripted, cursors, pages):
    replies = [
        Reply(json={"data": [{"id": f"j{n}"}], "meta": {"cursor": cursor, "hasMore": True}})
        for n, cursor in enumerate(cursors)
    ]
    seen: list[str] = []

    async def use(client):
        async for job in each(client.jobs.list()):
            seen.append(job.id)  # noqa: PERF401 - also those before an error

    server, both = scripted(*replies)
    with pytest.raises(rc.ResponseFormatError, match="GET /jobs"):
        both.use(use)
    assert len(seen) == server.sent == pages


@pytest.mark.parametrize(
    ("meta", "offset", "count", "page_size", "following"),
    [
        (ListMeta(has_more=True, total=5), 0, 2, 2, 2),
        (ListMeta(has_more=False, total=5), 0, 2, 2, None),
        (ListMeta(has_more=True), 4, 0, 2, None),
        (ListMeta(total=5), 2, 2, 2, 4),
        (ListMeta(total=4), 2, 2, 2, None),
        (ListMeta(), 0, 2, 2, 2),
        (ListMeta(), 0, 1, 2, None),
        (ListMeta(), 0, 2, None, None),
    ],
)
def test_an_offset_leads_on_while_there_is_more(meta, offset, count, page_size, following):
    assert next_offset(meta, offset=offset, count=count, page_size=page_size) == following


def jobs(*ids: str, cursor: str | None = None) -> Reply:
    data = [{"id": job_id} for job_id in ids]
    meta = {"cursor": cursor, "hasMore": cursor is not None, "total": 3}
    return Reply(json={"data": data, "meta": meta})


PAGES = jobs("a", "b", cursor="next"), jobs("c")


def test_a_page_is_its_own_length_and_goes_on_by_itself(scripted, is_async):
    server, both = scripted(*PAGES)
    page = both("jobs.list")
    assert isinstance(page, AsyncPage if is_async else Page)
    assert [job.id for job in page.data] == ["a", "b"]
    assert server.sent == 1
    assert [job.id for job in both.page_values(page)] == ["a", "b", "c"]
    further = both.use(lambda _: page.next_page())
    assert [job.id for job in further.data] == ["c"]
    assert both.use(lambda _: further.next_page()) is None
    assert (page.total, page.has_more, page.cursor) == (3, True, "next")
    assert (len(page), page[0].id, page[-1].id) == (2, "a", "b")
    assert [job.id for job in page[:1]] == ["a"]
    assert repr(further).startswith(f"{type(page).__name__}([Job(id='c'")
    assert repr(further).endswith("total=3, has_more=False)")
    server.replies = [Reply(json={"data": [{"id": "a"}], "meta": {"total": True}})]
    page = both("jobs.list")
    assert (len(both.page_values(page)), page.total, page.has_more) == (1, None, False)


@pytest.mark.parametrize("method", ["jobs.list", "jobs.list_all"])
def test_pages_are_asked_for_when_they_are_needed(scripted, method):
    async def use(client):
        return [(job.id, server.sent) async for job in each(attrgetter(method)(client)())]

    server, both = scripted(*PAGES)
    assert both.use(use) == [("a", 1), ("b", 1), ("c", 2)]


async def test_tasks_may_share_a_page():
    with ScriptedServer(*PAGES) as server:
        async with new_client(server.url, is_async=True) as client:
            page = await client.jobs.list()
            found = await asyncio.gather(listed(page), listed(page))
    assert [len(jobs) for jobs in found] == [3, 3]
