"""Pages of a list, and iteration over all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from runcrate_core.io.driver import AsyncDriver, SyncDriver
from runcrate_core.protocol.paging import PageData
from runcrate_core.protocol.steps import Operation

if TYPE_CHECKING:
    from collections.abc import (
        AsyncGenerator,
        AsyncIterator,
        Generator,
        Iterator,
        Sequence,
    )


T = TypeVar("T")


class _PageOf(Generic[T]):
    """Values and metadata that both kinds of page share."""

    def __init__(self, page: PageData[T]) -> None:
        self._page = page

    @property
    def data(self) -> list[T]:
        """The values of this page."""
        return list(self._page.items)

    @property
    def total(self) -> int | None:
        """Number of values in all pages, if the API reports it."""
        return self._page.total

    @property
    def has_more(self) -> bool:
        """True if there is a next page."""
        return self._page.following is not None

    @property
    def cursor(self) -> str | None:
        """Cursor of the next page, for lists that are paged by a cursor."""
        return self._page.cursor

    def __len__(self) -> int:
        return len(self._page.items)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[T]: ...
    def __getitem__(self, index: int | slice) -> T | Sequence[T]:
        return self._page.items[index]

    def __repr__(self) -> str:
        name = type(self).__name__
        return f"{name}({self.data!r}, total={self.total}, has_more={self.has_more})"


class Page(_PageOf[T]):
    """One page of a list. Its length and index are its own; iterating goes through all pages.

    Example:
        ```python
        page = client.jobs.list(limit=20)
        print(len(page), page.has_more)
        for job in page:  # of this page and of those behind it
            print(job.name)
        ```
    """

    def __init__(self, driver: SyncDriver, page: PageData[T]) -> None:
        super().__init__(page)
        self._driver = driver

    @classmethod
    def first(cls, driver: SyncDriver, operation: Operation[PageData[T]]) -> Page[T]:
        """Return the page that an operation gets."""
        return cls(driver, driver.run(operation))

    def __iter__(self) -> Iterator[T]:
        return values(self._driver, self._page)

    def next_page(self) -> Page[T] | None:
        """Return the next page, or `None` when this is the last."""
        following = self._page.following
        return None if following is None else Page.first(self._driver, following())


class AsyncPage(_PageOf[T]):
    """One page of a list; `async for` goes through all pages, `.data` is this one's.

    Example:
        ```python
        page = await client.jobs.list(limit=20)
        async for job in page:  # of this page and of those behind it
            print(job.name)
        ```
    """

    # An ordinary `for` would otherwise fall back to the index and silently end with this page.
    __iter__ = None

    def __init__(self, driver: AsyncDriver, page: PageData[T]) -> None:
        super().__init__(page)
        self._driver = driver

    @classmethod
    async def first(cls, driver: AsyncDriver, operation: Operation[PageData[T]]) -> AsyncPage[T]:
        """Return the page that an operation gets."""
        return cls(driver, await driver.run(operation))

    def __aiter__(self) -> AsyncIterator[T]:
        return async_values(self._driver, self._page)

    async def next_page(self) -> AsyncPage[T] | None:
        """Return the next page, or `None` when this is the last."""
        following = self._page.following
        return None if following is None else await AsyncPage.first(self._driver, following())


class AsyncPages(Generic[T]):
    """A requested list: `await` gives its first page, `async for` all its values."""

    def __init__(self, driver: AsyncDriver, operation: Operation[PageData[T]]) -> None:
        self._driver = driver
        self._operation = operation

    def __await__(self) -> Generator[Any, Any, AsyncPage[T]]:
        return AsyncPage.first(self._driver, self._operation).__await__()

    def __aiter__(self) -> AsyncIterator[T]:
        return async_values(self._driver, self._operation)


def values(driver: SyncDriver, start: PageData[T] | Operation[PageData[T]]) -> Generator[T]:
    """Iterate over the values of all pages, from a page or the operation that gets one."""
    batch = start if isinstance(start, PageData) else driver.run(start)
    while True:
        yield from batch.items
        if batch.following is None:
            return
        batch = driver.run(batch.following())


async def async_values(
    driver: AsyncDriver, start: PageData[T] | Operation[PageData[T]]
) -> AsyncGenerator[T]:
    """Iterate over the values of all pages; see `values`."""
    batch = start if isinstance(start, PageData) else await driver.run(start)
    while True:
        for item in batch.items:
            yield item
        if batch.following is None:
            return
        batch = await driver.run(batch.following())
