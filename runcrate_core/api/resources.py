"""Descriptors that turn one function into a sync and an async method.

    def get(instance_id: str) -> Call[Instance]: ...

    class Instances(SyncResource):
        get = endpoint(get)          # (instance_id: str) -> Instance

    class AsyncInstances(AsyncResource):
        get = async_endpoint(get)    # (instance_id: str) -> Awaitable[Instance]

Signature, documentation and types come from the function, so they are written once. A method is
made at its first access and kept by its resource.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, Self, TypeVar, overload

from runcrate_core.io.chat_stream import AsyncChatStream, ChatStream
from runcrate_core.io.concurrency import run_in_steps
from runcrate_core.io.paging import AsyncPages, Page, async_values, values
from runcrate_core.protocol.large_values import is_large
from runcrate_core.ssh.opening import make_shell, open_shell

if TYPE_CHECKING:
    from runcrate_core.io.driver import AsyncDriver, SyncDriver
    from runcrate_core.protocol.paging import PageData
    from runcrate_core.protocol.steps import Operation
    from runcrate_core.protocol.stream_start import StreamRequest
    from runcrate_core.ssh.settings import ShellSettings
    from runcrate_core.ssh.shell import AsyncInstanceShell
    from runcrate_core.ssh.sync_shell import InstanceShell

P = ParamSpec("P")
T = TypeVar("T")
R = TypeVar("R")
# Makes a method of a function and the driver that runs the operation the function returns.
Bind = Callable[[Callable[..., Any], Any], Callable[..., Any]]

# The result type of an operation is shown as the result of the method.
_OPERATION_RETURN = re.compile(r"^(?:Call|Flow|Operation)\[(?:PageData\[(.*)\]|(.*))\]$", re.DOTALL)
# Options that several methods share are one `TypedDict`, shown as the arguments that they are.
_OPTIONS = re.compile(r"^Unpack\[(\w+)\]$")


class SyncResource:
    """A namespace of the sync client."""

    def __init__(self, driver: SyncDriver) -> None:
        self._driver = driver


class AsyncResource:
    """A namespace of the asynchronous client."""

    def __init__(self, driver: AsyncDriver) -> None:
        self._driver = driver


class Method(Generic[P, R]):
    """A method of a namespace; the functions below make one of each kind.

    Args:
        make: The function: returns a call, a flow, a request or settings, and does no I/O.
        bind: Makes the method of the function and a driver.
        shows: Annotation of the result, with `{}` for the result type of the operation.
    """

    def __init__(self, make: Callable[P, Any], bind: Bind, shows: str = "{}") -> None:
        self._make = make
        self._bind = bind
        self._shows = shows
        self.__doc__ = make.__doc__
        self.__wrapped__ = make

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @functools.cached_property
    def _signature(self) -> inspect.Signature:
        signature = with_options(inspect.signature(self._make), self._make)
        operation = str(signature.return_annotation)
        result = self._shows.format(_OPERATION_RETURN.sub(lambda it: it[1] or it[2], operation))
        return signature.replace(return_annotation=result)

    @overload
    def __get__(self, resource: None, owner: type) -> Self: ...
    @overload
    def __get__(self, resource: SyncResource | AsyncResource, owner: type) -> Callable[P, R]: ...
    def __get__(
        self, resource: SyncResource | AsyncResource | None, owner: type
    ) -> Self | Callable[P, R]:
        if resource is None:
            return self
        method = self._bind(self._make, resource._driver)  # noqa: SLF001 - part of the resource
        functools.update_wrapper(method, self._make)
        method.__signature__ = self._signature  # type: ignore[attr-defined] # read by inspect
        resource.__dict__[self._name] = method  # the next access finds it there
        return method


def with_options(signature: inspect.Signature, function: Callable[..., Any]) -> inspect.Signature:
    """Return a signature with the options of its `**options: Unpack[...]` as arguments.

    An option that is not given is not sent, which `...` stands for.
    """
    *arguments, last = signature.parameters.values() or [None]
    found = _OPTIONS.match(str(last.annotation)) if last is not None else None
    if found is None:
        return signature
    options = inspect.unwrap(function).__globals__[found.group(1)].__annotations__
    shown = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=...,
            annotation=getattr(hint, "__forward_arg__", hint),
        )
        for name, hint in options.items()
    ]
    return signature.replace(parameters=[*arguments, *shown])


def _run(make: Callable[..., Any], driver: SyncDriver) -> Callable[..., Any]:
    run = driver.run

    def method(*args: Any, **kwargs: Any) -> Any:
        return run(make(*args, **kwargs))

    return method


def _run_async(make: Callable[..., Any], driver: AsyncDriver) -> Callable[..., Any]:
    run = driver.run

    async def method(*args: Any, **kwargs: Any) -> Any:
        if is_large((args, kwargs)):
            return await run(await run_in_steps(make, *args, **kwargs))
        return await run(make(*args, **kwargs))

    return method


def _stream_async(make: Callable[..., StreamRequest], driver: AsyncDriver) -> Callable[..., Any]:
    def method(*args: Any, **kwargs: Any) -> AsyncChatStream:
        if is_large((args, kwargs)):
            return AsyncChatStream(driver, prepare=functools.partial(make, *args, **kwargs))
        return AsyncChatStream(driver, make(*args, **kwargs))

    return method


def _pass_to(receive: Callable[[Any, Any], Any]) -> Bind:
    """Return a method's maker: driver and operation go to `receive`, whose result is returned."""

    def bind(make: Callable[..., Any], driver: Any) -> Callable[..., Any]:
        def method(*args: Any, **kwargs: Any) -> Any:
            return receive(driver, make(*args, **kwargs))

        return method

    return bind


def endpoint(make: Callable[P, Operation[T]], *, result: str = "{}") -> Method[P, T]:
    """Return a sync method that runs the operation of a function."""
    return Method(make, _run, result)


def async_endpoint(
    make: Callable[P, Operation[T]], *, result: str = "{}"
) -> Method[P, Awaitable[T]]:
    """Return an asynchronous method that runs the operation of a function."""
    return Method(make, _run_async, result)


def paged_endpoint(make: Callable[P, Operation[PageData[T]]]) -> Method[P, Page[T]]:
    """Return a sync method that returns the first page of a list."""
    return Method(make, _pass_to(Page.first), "Page[{}]")


def async_paged_endpoint(make: Callable[P, Operation[PageData[T]]]) -> Method[P, AsyncPages[T]]:
    """Return a method whose list is awaited (its first page) or iterated over (all pages)."""
    return Method(make, _pass_to(AsyncPages), "AsyncPages[{}]")


def iterator_endpoint(make: Callable[P, Operation[PageData[T]]]) -> Method[P, Iterator[T]]:
    """Return a sync method that iterates over all values of a list."""
    return Method(make, _pass_to(values), "Iterator[{}]")


def async_iterator_endpoint(
    make: Callable[P, Operation[PageData[T]]],
) -> Method[P, AsyncIterator[T]]:
    """Return an asynchronous method that iterates over all values of a list."""
    return Method(make, _pass_to(async_values), "AsyncIterator[{}]")


def stream_endpoint(make: Callable[P, StreamRequest]) -> Method[P, ChatStream]:
    """Return a sync method that returns a stream, to be entered with `with`."""
    return Method(make, _pass_to(ChatStream), "ChatStream")


def async_stream_endpoint(make: Callable[P, StreamRequest]) -> Method[P, AsyncChatStream]:
    """Return a method that returns a stream, to be entered with `async with`."""
    return Method(make, _stream_async, "AsyncChatStream")


def shell_endpoint(make: Callable[P, ShellSettings]) -> Method[P, InstanceShell]:
    """Return a sync method that connects and returns a shell."""
    return Method(make, _pass_to(open_shell), "InstanceShell")


def async_shell_endpoint(make: Callable[P, ShellSettings]) -> Method[P, AsyncInstanceShell]:
    """Return a method that returns a shell, which connects when it is awaited."""
    return Method(make, _pass_to(make_shell), "AsyncInstanceShell")
