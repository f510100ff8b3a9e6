"""Lists that come in pages, and output that comes in pieces: what there is, and how to go on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from runcrate_core.protocol.steps import Operation

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PageData(Generic[T]):
    """Some values of a row.

    Attributes:
        items: The values; there may be none although the row goes on.
        following: Makes the plan that gets the next ones; `None` at the end of the row.
        total: How many values the whole row has, when the API tells.
        cursor: Where the next page begins, for lists that are paged by a cursor.
    """

    items: Sequence[T]
    following: Callable[[], Operation[PageData[T]]] | None = None
    total: int | None = None
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class ListMeta:
    """What a list answer says about itself; any of it may be missing (official SDK 0.5.0).

    Attributes:
        total: How many values there are in all pages.
        has_more: Whether there are further pages.
        cursor: Where the next page begins.
    """

    total: int | None = None
    has_more: bool | None = None
    cursor: str | None = None

    @classmethod
    def read(cls, meta: Any) -> ListMeta:
        """Read the `meta` of an answer, in either field case; what is not usable is left out."""
        if not isinstance(meta, Mapping):
            return cls()
        total, cursor = meta.get("total"), meta.get("cursor")
        more = meta.get("hasMore", meta.get("has_more"))
        return cls(
            total=total if isinstance(total, int) and not isinstance(total, bool) else None,
            has_more=more if isinstance(more, bool) else None,
            cursor=cursor if isinstance(cursor, str) and cursor else None,
        )


def next_cursor(meta: ListMeta, present: str | None) -> str | None:
    """Return the cursor of the next page, or `None` when this is the last.

    A cursor that leads to the page it came with would never end, so it counts as the last.
    """
    if meta.has_more is False or meta.cursor == present:
        return None
    return meta.cursor


def next_offset(meta: ListMeta, *, offset: int, count: int, page_size: int | None) -> int | None:
    """Return where the next page of a list begins that is paged by offset or page number.

    Args:
        meta: What the answer says about the list.
        offset: How many values came before this page.
        count: How many values this page has.
        page_size: How many were asked for, when that is known.

    Returns:
        The number of values up to the next page, or `None` when this page is the last. When the
        answer tells neither, a full page is taken for one that has a next.
    """
    end = offset + count
    if count == 0:
        return None
    if meta.has_more is not None:
        return end if meta.has_more else None
    if meta.total is not None:
        return end if end < meta.total else None
    return end if page_size is not None and count >= page_size else None
