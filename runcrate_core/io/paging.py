"""Pages that go on by themselves, and descriptors for methods that return or iterate over them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, ParamSpec, Self, TypeVar, overload

from runcrate_core.io.driver import AsyncDriver, SyncDriver
from runcrate_core.io.endpoint import AsyncResource, Method, SyncResource
from runcrate_core.protocol.paging import PageData
from runcrate_core.protocol.steps import Operation

if TYPE_CHECKING:
    from collections.abc import (
        AsyncGenerator,
        AsyncIterator,
        Callable,
        Generator,
        Iterator,
        Sequence,
    )


P = ParamSpec("P")
T = TypeVar("T")


class _PageOf(Generic[T]):
    """Values and metadata that both kinds of page share."""

    def __init__(self, batch: PageData[T]) -> None:
        self._batch = batch

    @property
    def data(self) -> list[T]:
        """The values of this page."""
        return list(self._batch.items)

    @property
    def total(self) -> int | None:
        """Number of values in all pages, if the API reports it."""
        return self._batch.total

    @property
    def has_more(self) -> bool:
        """True if there is a next page."""
        return self._batch.following is not None

    @property
    def cursor(self) -> str | None:
        """Where the next page begins, for lists that are paged by a cursor."""
        return self._batch.cursor

    def __len__(self) -> int:
        return len(self._batch.items)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[T]: ...
    def __getitem__(self, index: int | slice) -> T | Sequence[T]:
        return self._batch.items[index]

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

    def __init__(self, driver: SyncDriver, batch: PageData[T]) -> None:
        super().__init__(batch)
        self._driver = driver

    @classmethod
    def first(cls, driver: SyncDriver, plan: Operation[PageData[T]]) -> Page[T]:
        """Return the page that a plan gets."""
        return cls(driver, driver.run(plan))

    def __iter__(self) -> Iterator[T]:
        return values(self._driver, self._batch)

    def next_page(self) -> Page[T] | None:
        """Return the next page, or `None` when this is the last."""
        following = self._batch.following
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

    def __init__(self, driver: AsyncDriver, batch: PageData[T]) -> None:
        super().__init__(batch)
        self._driver = driver

    @classmethod
    async def first(cls, driver: AsyncDriver, plan: Operation[PageData[T]]) -> AsyncPage[T]:
        """Return the page that a plan gets."""
        return cls(driver, await driver.run(plan))

    def __aiter__(self) -> AsyncIterator[T]:
        return async_values(self._driver, self._batch)

    async def next_page(self) -> AsyncPage[T] | None:
        """Return the next page, or `None` when this is the last."""
        following = self._batch.following
        return None if following is None else await AsyncPage.first(self._driver, following())


class AsyncPages(Generic[T]):
    """A list that was asked for: `await` gives its first page, `async for` all its values."""

    def __init__(self, driver: AsyncDriver, plan: Operation[PageData[T]]) -> None:
        self._driver = driver
        self._plan = plan

    def __await__(self) -> Generator[Any, Any, AsyncPage[T]]:
        return AsyncPage.first(self._driver, self._plan).__await__()

    def __aiter__(self) -> AsyncIterator[T]:
        return async_values(self._driver, self._plan)


def values(driver: SyncDriver, start: PageData[T] | Operation[PageData[T]]) -> Generator[T]:
    """Iterate over the values of a row, from a batch or from the plan of the first."""
    batch = start if isinstance(start, PageData) else driver.run(start)
    while True:
        yield from batch.items
        if batch.following is None:
            return
        batch = driver.run(batch.following())


async def async_values(
    driver: AsyncDriver, start: PageData[T] | Operation[PageData[T]]
) -> AsyncGenerator[T]:
    """Iterate over the values of a row; see `values`."""
    batch = start if isinstance(start, PageData) else await driver.run(start)
    while True:
        for item in batch.items:
            yield item
        if batch.following is None:
            return
        batch = await driver.run(batch.following())


class paged_endpoint(Method, Generic[P, T]):  # noqa: N801 - used like `property`
    """A blocking method that returns the first page of a list."""

    shows = "Page[{}]"

    def __init__(self, make: Callable[P, Operation[PageData[T]]]) -> None:
        super().__init__(make)

    @overload
    def __get__(self, resource: None, owner: type) -> Self: ...
    @overload
    def __get__(self, resource: SyncResource, owner: type) -> Callable[P, Page[T]]: ...
    def __get__(self, resource: SyncResource | None, owner: type) -> Self | Callable[P, Page[T]]:
        return self if resource is None else self.bound(resource, Page.first)


class async_paged_endpoint(Method, Generic[P, T]):  # noqa: N801 - used like `property`
    """A method that returns a list to be awaited (its first page) or iterated over."""

    shows = "AsyncPages[{}]"

    def __init__(self, make: Callable[P, Operation[PageData[T]]]) -> None:
        super().__init__(make)

    @overload
    def __get__(self, resource: None, owner: type) -> Self: ...
    @overload
    def __get__(self, resource: AsyncResource, owner: type) -> Callable[P, AsyncPages[T]]: ...
    def __get__(
        self, resource: AsyncResource | None, owner: type
    ) -> Self | Callable[P, AsyncPages[T]]:
        return self if resource is None else self.bound(resource, AsyncPages)


class iterator_endpoint(Method, Generic[P, T]):  # noqa: N801 - used like `property`
    """A blocking method that iterates over a row of values."""

    shows = "Iterator[{}]"

    def __init__(self, make: Callable[P, Operation[PageData[T]]]) -> None:
        super().__init__(make)

    @overload
    def __get__(self, resource: None, owner: type) -> Self: ...
    @overload
    def __get__(self, resource: SyncResource, owner: type) -> Callable[P, Iterator[T]]: ...
    def __get__(
        self, resource: SyncResource | None, owner: type
    ) -> Self | Callable[P, Iterator[T]]:
        return self if resource is None else self.bound(resource, values)


class async_iterator_endpoint(Method, Generic[P, T]):  # noqa: N801 - used like `property`
    """An asynchronous method that iterates over a row of values."""

    shows = "AsyncIterator[{}]"

    def __init__(self, make: Callable[P, Operation[PageData[T]]]) -> None:
        super().__init__(make)

    @overload
    def __get__(self, resource: None, owner: type) -> Self: ...
    @overload
    def __get__(self, resource: AsyncResource, owner: type) -> Callable[P, AsyncIterator[T]]: ...
    def __get__(
        self, resource: AsyncResource | None, owner: type
    ) -> Self | Callable[P, AsyncIterator[T]]:
        return self if resource is None else self.bound(resource, async_values)
