"""Descriptors that turn one function into a blocking and an asynchronous method.

    def get(instance_id: str) -> Call[Instance]: ...

    class Instances(SyncResource):
        get = endpoint(get)          # (instance_id: str) -> Instance

    class AsyncInstances(AsyncResource):
        get = async_endpoint(get)    # (instance_id: str) -> Awaitable[Instance]

Signature, documentation and types come from the function, so they are written once.
"""

from __future__ import annotations

import functools
import inspect
import re
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, Self, TypeVar, overload

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from runcrate_core.io.driver import AsyncDriver, SyncDriver
    from runcrate_core.protocol.steps import Operation

P = ParamSpec("P")
T = TypeVar("T")

# What a function returns is shown as what the method gives.
_OPERATION_RETURN = re.compile(r"^(?:Call|Flow|Operation)\[(?:PageData\[(.*)\]|(.*))\]$", re.DOTALL)
# Options that several methods share are one `TypedDict`, shown as the arguments that they are.
_OPTIONS = re.compile(r"^Unpack\[(\w+)\]$")


class SyncResource:
    """A namespace of the blocking client."""

    def __init__(self, driver: SyncDriver) -> None:
        self._driver = driver


class AsyncResource:
    """A namespace of the asynchronous client."""

    def __init__(self, driver: AsyncDriver) -> None:
        self._driver = driver


class Method:
    """Base of the descriptors: the function, and the signature that methods show.

    Attributes:
        shows: What a method gives, with `{}` for what its function plans.
    """

    shows = "{}"

    def __init__(self, make: Callable[..., Any], result: str | None = None) -> None:
        self._make = make
        self._result = result
        self.__doc__ = make.__doc__
        self.__wrapped__ = make

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @functools.cached_property
    def _signature(self) -> inspect.Signature:
        signature = with_options(inspect.signature(self._make), self._make)
        result = self._result
        if result is None:
            planned = str(signature.return_annotation)
            result = self.shows.format(_OPERATION_RETURN.sub(lambda it: it[1] or it[2], planned))
        return signature.replace(return_annotation=result)

    def bound(
        self, resource: SyncResource | AsyncResource, run_tool: Callable[[Any, Any], Any]
    ) -> Any:
        """Return a method that hands the plan to `run_tool`, with the driver of the resource."""
        make, driver = self._make, resource._driver  # noqa: SLF001 - part of the resource

        def method(*args: Any, **kwargs: Any) -> Any:
            return run_tool(driver, make(*args, **kwargs))

        return self.dressed(method)

    def kept(self, resource: SyncResource | AsyncResource, method: Callable[..., Any]) -> Any:
        """Return what `dressed` does, kept by the resource: the next access finds it there."""
        resource.__dict__[self._name] = dressed = self.dressed(method)
        return dressed

    def dressed(self, method: Callable[..., Any]) -> Any:
        """Return a method that shows the name, documentation and signature of the function."""
        functools.update_wrapper(method, self._make)
        method.__signature__ = self._signature  # type: ignore[attr-defined] # read by inspect
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


class endpoint(Method, Generic[P, T]):  # noqa: N801 - used like `property`
    """A blocking method made of a function that returns a plan."""

    def __init__(self, make: Callable[P, Operation[T]], *, result: str | None = None) -> None:
        super().__init__(make, result)

    @overload
    def __get__(self, resource: None, owner: type) -> Self: ...
    @overload
    def __get__(self, resource: SyncResource, owner: type) -> Callable[P, T]: ...
    def __get__(self, resource: SyncResource | None, owner: type) -> Self | Callable[P, T]:
        if resource is None:
            return self
        make, run = self._make, resource._driver.run  # noqa: SLF001 - part of the resource

        def method(*args: P.args, **kwargs: P.kwargs) -> T:
            result: T = run(make(*args, **kwargs))
            return result

        return self.kept(resource, method)  # type: ignore[no-any-return] # the same callable


class async_endpoint(Method, Generic[P, T]):  # noqa: N801 - used like `property`
    """An asynchronous method made of a function that returns a plan."""

    def __init__(self, make: Callable[P, Operation[T]], *, result: str | None = None) -> None:
        super().__init__(make, result)

    @overload
    def __get__(self, resource: None, owner: type) -> Self: ...
    @overload
    def __get__(self, resource: AsyncResource, owner: type) -> Callable[P, Awaitable[T]]: ...
    def __get__(
        self, resource: AsyncResource | None, owner: type
    ) -> Self | Callable[P, Awaitable[T]]:
        if resource is None:
            return self
        make, run = self._make, resource._driver.run  # noqa: SLF001 - part of the resource

        async def method(*args: P.args, **kwargs: P.kwargs) -> T:
            result: T = await run(make(*args, **kwargs))
            return result

        return self.kept(resource, method)  # type: ignore[no-any-return] # the same callable
