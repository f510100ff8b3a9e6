"""Descriptors for methods that return a stream; the counterparts of `endpoint`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, ParamSpec, Self, overload

from runcrate_core.io.chat_stream import AsyncChatStream, ChatStream
from runcrate_core.io.endpoint import AsyncResource, Method, SyncResource

if TYPE_CHECKING:
    from collections.abc import Callable

    from runcrate_core.protocol.request import Request

P = ParamSpec("P")


class stream_endpoint(Method, Generic[P]):  # noqa: N801 - used like `property`
    """A blocking method that returns a stream; made of a function that returns its request."""

    def __init__(self, make: Callable[P, Request]) -> None:
        super().__init__(make, "ChatStream")

    @overload
    def __get__(self, resource: None, owner: type) -> Self: ...
    @overload
    def __get__(self, resource: SyncResource, owner: type) -> Callable[P, ChatStream]: ...
    def __get__(self, resource: SyncResource | None, owner: type) -> Self | Callable[P, ChatStream]:
        if resource is None:
            return self
        make, driver = self._make, resource._driver  # noqa: SLF001 - part of the resource

        def method(*args: P.args, **kwargs: P.kwargs) -> ChatStream:
            return ChatStream(driver, make(*args, **kwargs))

        return self.dressed(method)  # type: ignore[no-any-return] # the same callable


class async_stream_endpoint(Method, Generic[P]):  # noqa: N801 - used like `property`
    """An asynchronous method that returns a stream, to be entered with `async with`."""

    def __init__(self, make: Callable[P, Request]) -> None:
        super().__init__(make, "AsyncChatStream")

    @overload
    def __get__(self, resource: None, owner: type) -> Self: ...
    @overload
    def __get__(self, resource: AsyncResource, owner: type) -> Callable[P, AsyncChatStream]: ...
    def __get__(
        self, resource: AsyncResource | None, owner: type
    ) -> Self | Callable[P, AsyncChatStream]:
        if resource is None:
            return self
        make, driver = self._make, resource._driver  # noqa: SLF001 - part of the resource

        def method(*args: P.args, **kwargs: P.kwargs) -> AsyncChatStream:
            return AsyncChatStream(driver, make(*args, **kwargs))

        return self.dressed(method)  # type: ignore[no-any-return] # the same callable
