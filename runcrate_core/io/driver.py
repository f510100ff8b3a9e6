"""Drivers: the two loops that perform the steps of flows."""

from __future__ import annotations

import asyncio
import inspect
import time
from typing import TYPE_CHECKING, Any, TypeVar

from runcrate_core.errors import ConfigurationError
from runcrate_core.io.concurrency import run_in_tasks, run_in_threads
from runcrate_core.io.files import PartFile
from runcrate_core.io.transport import SyncHttp
from runcrate_core.protocol.attempts import attempt_call
from runcrate_core.protocol.steps import (
    Call,
    CloseStream,
    GetRunner,
    InvokeCallback,
    MakeTempFile,
    Now,
    OpenStream,
    ReadBytes,
    RunConcurrently,
    RunInThread,
    Send,
    Sleep,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from runcrate_core.config import Config
    from runcrate_core.io.transport import AsyncHttp
    from runcrate_core.protocol.attempts import CallContext
    from runcrate_core.protocol.steps import Operation, Step

T = TypeVar("T")


class SyncDriver:
    """Runs operations and blocks until they are done.

    Attributes:
        config: Settings of the client.
        http: Its connections.
        context: What its calls share.
    """

    def __init__(self, config: Config, http: SyncHttp, context: CallContext) -> None:
        self.config = config
        self.http = http
        self.context = context

    def run(self, operation: Operation[T]) -> T:
        """Run an operation and return its result."""
        flow = (
            attempt_call(operation, self.context)
            if isinstance(operation, Call)
            else iter(operation)
        )
        try:
            step = next(flow)
            while True:
                try:
                    reply = self._do(step)
                except BaseException as error:  # noqa: BLE001 - a flow sees every failure of its step
                    step = flow.throw(error)
                else:
                    step = flow.send(reply)
        except StopIteration as end:
            result: T = end.value
            return result
        except BaseException as error:
            _forget_hidden_context(error)
            raise

    def run_sync(self, operation: Operation[T]) -> T:
        """Do what `run` does; as part of `Runner`."""
        return self.run(operation)

    async def run_async(self, operation: Operation[T]) -> T:
        """Run an operation in a thread of its own."""
        return await asyncio.to_thread(self.run, operation)

    def _do(self, step: Step) -> Any:  # noqa: C901 - one arm for each step
        match step:
            case Call():
                return self.run(step)
            case Send(request):
                return self.http.send(request, self.config)
            case Sleep(seconds):
                return time.sleep(seconds)
            case OpenStream(request, raw):
                return self.http.open(request, self.config, raw=raw)
            case ReadBytes(opened):
                return opened.body.receive()
            case CloseStream(opened):
                return opened.body.close()
            case Now():
                return self.context.policy.clock()
            case RunInThread(function):
                return function()
            case MakeTempFile(target):
                return PartFile(target)
            case GetRunner():
                return self
            case InvokeCallback(callback, value):
                return _call_back(callback, value)
            case RunConcurrently(operations):
                return run_in_threads(self.run, operations)


class AsyncDriver:
    """Runs operations on the running event loop.

    Attributes:
        config: Settings of the client.
        http: Its connections.
        context: What its calls share.
    """

    def __init__(self, config: Config, http: AsyncHttp, context: CallContext) -> None:
        self.config = config
        self.http = http
        self.context = context

    async def run(self, operation: Operation[T]) -> T:
        """Run an operation and return its result."""
        flow = (
            attempt_call(operation, self.context)
            if isinstance(operation, Call)
            else iter(operation)
        )
        try:
            step = next(flow)
            while True:
                try:
                    reply = await self._do(step)
                except BaseException as error:  # noqa: BLE001 - a flow sees every failure of its step
                    step = flow.throw(error)
                else:
                    step = flow.send(reply)
        except StopIteration as end:
            result: T = end.value
            return result
        except BaseException as error:
            _forget_hidden_context(error)
            raise

    def run_sync(self, operation: Operation[T]) -> T:
        """Run an operation on connections of its own, and block the event loop meanwhile.

        Raises:
            ConfigurationError: The connections are the user's own and cannot be made again.
        """
        if self.http.is_given:
            raise ConfigurationError(
                "This needs a request, and the asynchronous client has a custom `http_client`, "
                "which cannot block. Await the asynchronous form of the method. Nothing was sent."
            )
        http = SyncHttp()
        try:
            return SyncDriver(self.config, http, self.context).run(operation)
        finally:
            http.close()

    async def run_async(self, operation: Operation[T]) -> T:
        """Do what `run` does; as part of `Runner`."""
        return await self.run(operation)

    async def _do(self, step: Step) -> Any:  # noqa: C901 - one arm for each step
        match step:
            case Call():
                return await self.run(step)
            case Send(request):
                return await self.http.send(request, self.config)
            case Sleep(seconds):
                return await asyncio.sleep(seconds)
            case OpenStream(request, raw):
                return await self.http.open(request, self.config, raw=raw)
            case ReadBytes(opened):
                return await opened.body.receive()
            case CloseStream(opened):
                return await opened.body.close()
            case Now():
                return self.context.policy.clock()
            case RunInThread(function):
                return await asyncio.to_thread(function)
            case MakeTempFile(target):
                return PartFile(target)
            case GetRunner():
                return self
            case InvokeCallback(callback, value):
                result = callback(value)
                return await result if inspect.isawaitable(result) else result
            case RunConcurrently(operations):
                return await run_in_tasks(self.run, operations)


def _forget_hidden_context(error: BaseException) -> None:
    """Cut off what an error was raised `from None` over, such as a parser's error with the body.

    No traceback shows it, but some picklers (tblib's, which Dask installs) would carry it along.
    """
    if error.__suppress_context__ and error.__cause__ is None:
        error.__context__ = None


def _call_back(callback: Callable[[Any], Any], value: Any) -> Any:
    result = callback(value)
    if inspect.iscoroutine(result):
        result.close()
        raise TypeError(
            f"The callback `{getattr(callback, '__name__', callback)}` is asynchronous, which the "
            "sync client cannot await. Use AsyncRuncrate, or an ordinary function."
        )
    return result
