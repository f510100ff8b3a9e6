"""`InstanceShell`: the asynchronous shell on an event loop in a thread of its own.

Written once: each method is that of `AsyncInstanceShell`, run on that loop. The forms with an `a`
in front can be awaited on any event loop, so that one connection serves sync and async
code at the same time.
"""

from __future__ import annotations

import asyncio
import functools
import threading
import weakref
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, Self, TypeVar, overload

from anyio.from_thread import BlockingPortal

from runcrate_core.protocol.fork_safety import start_again_after_fork
from runcrate_core.ssh.connection import closed_error
from runcrate_core.ssh.shell import AsyncInstanceShell

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from types import TracebackType

P = ParamSpec("P")
T = TypeVar("T")


class _Method(Generic[P, T]):
    """A method of `AsyncInstanceShell`, to be called in another way."""

    def __init__(
        self, method: Callable[Concatenate[AsyncInstanceShell, P], Coroutine[Any, Any, T]]
    ) -> None:
        self._method = method
        self.__doc__ = method.__doc__
        self.__wrapped__ = method

    def _start(self, shell: InstanceShell) -> Callable[P, Future[T]]:
        method = self._method

        @functools.wraps(method)
        def start(*args: P.args, **kwargs: P.kwargs) -> Future[T]:
            return shell.start(method, *args, **kwargs)

        return start


class _Starting(_Method[P, T]):
    """It is started, and the future of its result is returned."""

    @overload
    def __get__(self, shell: None, owner: type) -> Self: ...
    @overload
    def __get__(self, shell: InstanceShell, owner: type) -> Callable[P, Future[T]]: ...
    def __get__(self, shell: InstanceShell | None, owner: type) -> Self | Callable[P, Future[T]]:
        return self if shell is None else self._start(shell)


class _Sync(_Method[P, T]):
    """It blocks until it is done."""

    @overload
    def __get__(self, shell: None, owner: type) -> Self: ...
    @overload
    def __get__(self, shell: InstanceShell, owner: type) -> Callable[P, T]: ...
    def __get__(self, shell: InstanceShell | None, owner: type) -> Self | Callable[P, T]:
        if shell is None:
            return self
        start = self._start(shell)

        @functools.wraps(self._method)
        def call(*args: P.args, **kwargs: P.kwargs) -> T:
            future = start(*args, **kwargs)
            try:
                return future.result()
            except BaseException:
                future.cancel()  # Ctrl-C; does nothing to what has ended
                raise

        return call


class _Async(_Method[P, T]):
    """It can be awaited on any event loop."""

    @overload
    def __get__(self, shell: None, owner: type) -> Self: ...
    @overload
    def __get__(self, shell: InstanceShell, owner: type) -> Callable[P, Awaitable[T]]: ...
    def __get__(self, shell: InstanceShell | None, owner: type) -> Self | Callable[P, Awaitable[T]]:
        if shell is None:
            return self
        start = self._start(shell)

        @functools.wraps(self._method)
        async def call(*args: P.args, **kwargs: P.kwargs) -> T:
            return await asyncio.wrap_future(start(*args, **kwargs))

        return call


class InstanceShell:
    """Commands and files on a running instance.

    Made by `client.instances.connect(...)`. One SSH connection is shared by everything, closed
    after some time without use, and opened again with a new certificate. Its methods may be called
    from several threads at once. Callbacks are called in the thread of the connection.

    Attributes:
        instance_id: Identifier of the instance.

    Example:
        ```python
        with client.instances.connect(instance.id) as shell:
            shell.upload("train.py", "train.py")
            result = shell.run("python3 train.py", timeout=600, on_output=print)
            shell.download("model.bin", "model.bin")
        ```
    """

    def __init__(self, make: Callable[[], AsyncInstanceShell]) -> None:
        portal, self._thread = _start_portal()
        self._portal: BlockingPortal | None = portal
        # A shell that is dropped without `close` does not keep its thread.
        self._finalizer = weakref.finalize(self, _stop, portal)
        start_again_after_fork(self)
        try:
            # The portal awaits what it is given, which opens the connection.
            self._shell: AsyncInstanceShell = portal.call(make)
        except BaseException:
            self._leave()
            raise
        self.instance_id = self._shell.instance_id

    run = _Sync(AsyncInstanceShell.run)
    upload = _Sync(AsyncInstanceShell.upload)
    download = _Sync(AsyncInstanceShell.download)
    read_bytes = _Sync(AsyncInstanceShell.read_bytes)
    write_bytes = _Sync(AsyncInstanceShell.write_bytes)
    list_files = _Sync(AsyncInstanceShell.list_files)
    forward = _Sync(AsyncInstanceShell.forward)
    arun = _Async(AsyncInstanceShell.run)
    aupload = _Async(AsyncInstanceShell.upload)
    adownload = _Async(AsyncInstanceShell.download)
    aread_bytes = _Async(AsyncInstanceShell.read_bytes)
    awrite_bytes = _Async(AsyncInstanceShell.write_bytes)
    alist_files = _Async(AsyncInstanceShell.list_files)
    aforward = _Async(AsyncInstanceShell.forward)
    start_run = _Starting(AsyncInstanceShell.run)
    start_read_bytes = _Starting(AsyncInstanceShell.read_bytes)
    start_write_bytes = _Starting(AsyncInstanceShell.write_bytes)
    start_list_files = _Starting(AsyncInstanceShell.list_files)
    start_forward = _Starting(AsyncInstanceShell.forward)

    def __repr__(self) -> str:
        return repr(self._shell).replace("AsyncInstanceShell", type(self).__name__, 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def start_again(self) -> None:
        """Be closed in a child process, which has no thread of the connection to wait for."""
        self._portal = None
        self._finalizer.detach()

    @property
    def is_connected(self) -> bool:
        """True if there is a connection now; the next call opens one if there is none."""
        return self._portal is not None and self._shell.is_connected

    def close(self) -> None:
        """Close forwarded ports, the connection and its thread; may be called again."""
        if self._portal is None:
            return
        try:
            self._portal.call(self._shell.close)
        finally:
            self._leave()

    async def aclose(self) -> None:
        """Close as `close` does, without blocking the event loop."""
        await asyncio.to_thread(self.close)

    def start(
        self,
        method: Callable[Concatenate[AsyncInstanceShell, P], Coroutine[Any, Any, T]],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Future[T]:
        """Start a method of `AsyncInstanceShell` on the loop of the connection.

        Raises:
            ConfigurationError: The shell was closed.
        """
        if self._portal is None:
            raise closed_error(self.instance_id)
        return self._portal.start_task_soon(functools.partial(method, self._shell, *args, **kwargs))

    def _leave(self) -> None:
        portal, self._portal = self._portal, None
        if portal is not None and self._finalizer.detach() is not None:
            portal.call(portal.stop)
            self._thread.join()


def _start_portal() -> tuple[BlockingPortal, threading.Thread]:
    """Run an event loop in a daemon thread, so that an open shell keeps no program from ending."""
    started: Future[BlockingPortal] = Future()
    served: Future[None] = Future()

    async def serve() -> None:
        async with BlockingPortal() as portal:
            started.set_result(portal)
            await portal.sleep_until_stopped()
        served.set_result(None)

    def run() -> None:
        try:
            asyncio.run(serve())
        except BaseException as error:
            if not started.done():
                started.set_exception(error)  # no event loop can be made: the caller raises it
            elif not served.done():
                raise
            # Since Python 3.12 a loop cannot end its threads when the interpreter is shutting down.

    thread = threading.Thread(target=run, name="runcrate-ssh", daemon=True)
    thread.start()
    return started.result(), thread


def _stop(portal: BlockingPortal) -> None:
    try:
        portal.start_task_soon(portal.stop, True)  # noqa: FBT003 - anyio's signature
    except RuntimeError:
        return  # it has stopped
