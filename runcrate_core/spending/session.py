"""Sessions: whatever happens in one, what was started in it is ended on the way out."""

from __future__ import annotations

import asyncio
import functools
import logging
import signal
import threading
import time
import warnings
from typing import TYPE_CHECKING, Any, Final, Self

from runcrate_core.client import AsyncRuncrate, Runcrate
from runcrate_core.spending.cleanup import CleanupReport
from runcrate_core.spending.guard import SpendGuard
from runcrate_core.sync_async_clients import SyncAsyncClients

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import FrameType, TracebackType

    from runcrate_core.protocol.steps import Flow

# How long leaving a session may take, in seconds: what has not ended then ends by its lifetime.
END_TIMEOUT_S: Final = 90.0
# Of each request on the way out: seconds of silence, and repeats, as it is asked again anyway.
_CLEANUP_OPTIONS: Final = {"timeout": 20.0, "max_retries": 1}
_TERMINATED: Final = 128 + signal.SIGTERM
_OVER: Final = "The session in which machines could be started is over."
_SHOWN_TRACE: Final = 3

logger = logging.getLogger("runcrate_core")


class SpendSession:
    """Ends what was started in it when it is left: by its end, an exception or a cancellation.

    Ctrl-C and, in the main thread, SIGTERM leave it as exceptions do (SIGTERM as `SystemExit`),
    unless the program has handlers of its own, and tools stop waiting in other threads. Ending
    takes at most `timeout` seconds, in which neither a further signal nor a further cancellation
    breaks it off. After a hard kill, machines end by the lifetime that they were launched with.

    Nothing can be started between the end of a session and the beginning of the next.

    Args:
        guard: What may be started; without one there is nothing to end.
        client: Who ends it; either kind serves `with` and `async with`.
        timeout: Most seconds that leaving takes.

    Attributes:
        report: After the session: what was ended and what could not be. The latter is also a
            note on the exception that left the session, or a warning, and logged as an error.

    Example:
        ```python
        with SpendSession(guard, client):
            plan = client.run(guard.plan(gpu_type="A100", max_runtime_minutes=30))
            client.run(guard.launch(plan.token))
        ```
    """

    def __init__(
        self,
        guard: SpendGuard | None,
        client: Runcrate | AsyncRuncrate | SyncAsyncClients,
        *,
        timeout: float = END_TIMEOUT_S,
    ) -> None:
        self.report: CleanupReport | None = None
        self._guard = guard
        self._owns_clients = not isinstance(client, SyncAsyncClients)
        self._clients = client if isinstance(client, SyncAsyncClients) else SyncAsyncClients(client)
        self._timeout = timeout
        self._spared: frozenset[str] = frozenset()
        self._signals = _Signals()

    def __enter__(self) -> Self:
        self._begin(self._clients.sync)
        self._signals.install({signal.SIGTERM: self._exit, signal.SIGINT: self._interrupt})
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            interruption = self._end_in_thread()
        finally:
            self._signals.restore()
            if self._owns_clients:
                self._clients.close()
        self._tell(error or interruption)
        if interruption is not None and error is None:
            raise interruption

    async def __aenter__(self) -> Self:
        self._begin(self._clients.async_)
        task = asyncio.current_task()
        if task is not None:  # pragma: no branch - a coroutine is run by a task
            loop = asyncio.get_running_loop()
            cancel = functools.partial(loop.call_soon_threadsafe, task.cancel)
            self._signals.install({signal.SIGTERM: cancel})
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            interruption = await self._end_in_task()
        finally:
            self._signals.restore()
            if self._owns_clients:
                await self._clients.aclose()
        self._tell(error or interruption)
        if signal.SIGTERM in self._signals.seen:
            raise SystemExit(_TERMINATED) from error
        if interruption is not None and error is None:
            raise interruption

    def _exit(self) -> None:
        self._interrupt_waiting()
        raise SystemExit(_TERMINATED)

    def _interrupt(self) -> None:
        self._interrupt_waiting()
        raise KeyboardInterrupt

    def _interrupt_waiting(self) -> None:
        """Let tools stop waiting in other threads, which a framework may join on its way out."""
        if self._guard is not None:
            self._guard.ledger.interrupt()

    def _begin(self, _: Runcrate | AsyncRuncrate) -> None:
        """Note what runs already; a client that cannot be made is better known now."""
        self.report = None
        if self._guard is not None:
            self._guard.ledger.begin_session()
            self._spared = frozenset(entry.name for entry in self._guard.ledger.live)

    def _ending(self) -> Flow[CleanupReport] | None:
        """Refuse further starts, and return how to end what was started, if anything was."""
        guard = self._guard
        if guard is None:
            return None
        guard.ledger.end_session(_OVER)
        names = [entry.name for entry in guard.ledger.live if entry.name not in self._spared]
        if not names:
            return None
        logger.info("Ending %s, for at most %.0f s.", ", ".join(names), self._timeout)
        return guard.terminate_all(exclude=self._spared)

    def _end_in_thread(self) -> BaseException | None:
        """End everything where no signal arrives; returns what interrupted the waiting for it."""
        ending = self._ending()
        if ending is None:
            self.report = CleanupReport()
            return None
        client = self._clients.sync.with_options(**_CLEANUP_OPTIONS)
        done = threading.Event()

        def work() -> None:
            try:
                self.report = client.run(ending)
            except Exception:
                logger.exception("Ending everything failed.")
            finally:
                done.set()

        threading.Thread(target=work, daemon=True).start()
        interruption: BaseException | None = None
        deadline = time.monotonic() + self._timeout
        # Not `join`: interrupted, it takes the thread for ended (seen in Python 3.11).
        while not done.is_set() and (left := deadline - time.monotonic()) > 0:
            try:
                done.wait(left)
            except (KeyboardInterrupt, SystemExit) as error:
                interruption = interruption or error
        return interruption

    async def _end_in_task(self) -> BaseException | None:
        """End everything in a task that is not cancelled; returns what was to cancel it."""
        ending = self._ending()
        if ending is None or self._guard is None:
            self.report = CleanupReport()
            return None
        client = self._clients.async_.with_options(**_CLEANUP_OPTIONS)
        interruption: BaseException | None = None
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._timeout
        task = loop.create_task(client.run(ending))
        while not task.done() and (left := deadline - loop.time()) > 0:
            try:
                await asyncio.wait({task}, timeout=left)
            except asyncio.CancelledError as error:
                interruption = interruption or error
            if task.done() and task.cancelled():  # an event loop that closes cancels every task
                task = loop.create_task(client.run(self._guard.terminate_all(exclude=self._spared)))
        if not task.done():
            task.cancel()
        elif (failure := task.exception()) is not None:
            logger.error("Ending everything failed.", exc_info=failure)
        else:
            self.report = task.result()
        return interruption

    def _tell(self, error: BaseException | None) -> None:
        """Say what was ended, and what could not be."""
        report = self.report
        if report is None:
            live = () if self._guard is None else self._guard.ledger.live
            why = f"it was not done within {self._timeout:.0f} s"
            left = tuple((entry.name, why) for entry in live if entry.name not in self._spared)
            report = self.report = CleanupReport((), left)
        if not report.failed:
            logger.info("%s", report.describe())
            return
        logger.error("%s", report.describe())
        if error is not None:
            error.add_note(report.describe())
        else:
            warnings.warn(report.describe(), RuntimeWarning, stacklevel=_SHOWN_TRACE)


class _Signals:
    """Signals while a session is open, as far as the program has no handlers of its own.

    Attributes:
        seen: Those that came.
    """

    def __init__(self) -> None:
        self.seen: set[int] = set()
        self._actions: Mapping[int, Callable[[], Any]] = {}
        self._before: dict[int, Any] = {}

    def install(self, actions: Mapping[int, Callable[[], Any]]) -> None:
        """Act on signals, if this is the main thread."""
        self.seen.clear()
        self._actions = actions
        if threading.current_thread() is not threading.main_thread():
            return
        for number in actions:
            before = signal.getsignal(number)
            if before in {signal.SIG_DFL, signal.default_int_handler}:
                self._before[number] = before
                signal.signal(number, self._handle)

    def restore(self) -> None:
        """Put the handlers back that were there before."""
        while self._before:
            signal.signal(*self._before.popitem())

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        repeated = number in self.seen
        self.seen.add(number)
        if number == signal.SIGINT or not repeated:
            self._actions[number]()
