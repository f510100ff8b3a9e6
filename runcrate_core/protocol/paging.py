"""Paged lists and output: the values of a page, and its next cursor."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

if TYPE_CHECKING:
    from runcrate_core.protocol.steps import Operation

# A filtered list may have pages without a value; one that has so many in a row does not end.
MAX_EMPTY_PAGES: Final = 100

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PageData(Generic[T]):
    """Values of one page.

    Attributes:
        items: The values; there may be none although there is a next page.
        following: Makes the operation that gets the next page; `None` for the last page.
        total: Number of values in all pages, if reported.
        cursor: Cursor of the next page, for lists that are paged by a cursor.
    """

    items: Sequence[T]
    following: Callable[[], Operation[PageData[T]]] | None = None
    total: int | None = None
    cursor: str | None = None


class PagingError(Exception):
    """A page with a next page that cannot be requested."""


@dataclass(frozen=True, slots=True)
class ListMeta:
    """Metadata of a list response; any of it may be missing (official SDK 0.5.0).

    Attributes:
        total: How many values there are in all pages.
        has_more: Whether there are further pages.
        cursor: Cursor of the next page.
    """

    total: int | None = None
    has_more: bool | None = None
    cursor: str | None = None

    @classmethod
    def read(cls, meta: Any) -> ListMeta:
        """Read the `meta` of a response, in either field case; what is not usable is left out."""
        if not isinstance(meta, Mapping):
            return cls()
        total, cursor = meta.get("total"), meta.get("cursor")
        more = meta.get("hasMore", meta.get("has_more"))
        return cls(
            total=total if isinstance(total, int) and not isinstance(total, bool) else None,
            has_more=more if isinstance(more, bool) else None,
            cursor=_text(cursor) or None,
        )


def _text(cursor: object) -> str:
    if isinstance(cursor, int) and not isinstance(cursor, bool):
        return str(cursor)
    return cursor if isinstance(cursor, str) else ""


def next_cursor(meta: ListMeta, seen: Collection[str], *, empty_pages: int = 0) -> str | None:
    """Return the cursor of the next page, or `None` when this is the last.

    Args:
        meta: Metadata of the list.
        seen: Cursors of this page and those before it.
        empty_pages: How many pages in a row, with this one, had no value.

    Raises:
        PagingError: There is a next page and no way to it: its cursor is missing, or is one that
            was followed before, or pages without values follow one another, so that the list
            would never end.
    """
    if meta.has_more is False:
        return None
    if meta.cursor is None:
        if meta.has_more:
            raise PagingError("it reports more values but has no cursor to them")
        return None
    if meta.cursor in seen:
        raise PagingError("its cursor leads back to a page that was read before")
    if empty_pages >= MAX_EMPTY_PAGES:
        raise PagingError(f"{empty_pages} pages in a row have no values, and it names another")
    return meta.cursor


def next_offset(meta: ListMeta, *, offset: int, count: int, page_size: int | None) -> int | None:
    """Return the offset or number of the next page of a list.

    Args:
        meta: Metadata of the list.
        offset: How many values came before this page.
        count: How many values this page has.
        page_size: How many were asked for, when that is known.

    Returns:
        The number of values up to the next page, or `None` when this page is the last. When the
        response reports neither, a full page is taken for one that has a next.
    """
    end = offset + count
    if count == 0:
        return None
    if meta.has_more is not None:
        return end if meta.has_more else None
    if meta.total is not None:
        return end if end < meta.total else None
    return end if page_size is not None and count >= page_size else None
