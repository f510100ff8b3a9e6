"""Sessions: everything started in one is terminated on exit, whatever happens."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
import time
import warnings
from typing import TYPE_CHECKING, Any, Final, Self

from runcrate_core.client import AsyncRuncrate, Runcrate
from runcrate_core.spending.cleanup import CleanupReport, left_over
from runcrate_core.spending.guard import SpendGuard
from runcrate_core.spending.session_signals import HANDLERS, TERMINATED
from runcrate_core.sync_async_clients import SyncAsyncClients

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from runcrate_core.protocol.steps import Flow

# How long leaving a session may take (seconds): what has not ended then ends by its lifetime.
END_TIMEOUT_S: Final = 90.0
# Requests on exit: seconds of silence, and retries; termination is attempted again anyway.
_CLEANUP_OPTIONS: Final = {"timeout": 20.0, "max_retries": 1}
_OVER: Final = "The session in which instances and jobs could be started is over."
_SHOWN_TRACE: Final = 3

logger = logging.getLogger("runcrate_core")


class SpendSession:
    """Terminates on exit what was started in it: at its end, an exception or a cancellation.

    Ctrl-C and, in the main thread, SIGTERM leave it as exceptions do (SIGTERM as `SystemExit`),
    unless the program has handlers of its own, and tools stop waiting in other threads. Resources
    are terminated side by side, within `timeout` seconds in all. Neither further signals, however
    many, nor further cancellations interrupt that. After a hard kill, instances end by the
    lifetime that they were launched with.

    Nothing can be started between the end of a session and the beginning of the next. Several
    agents may share a ledger, each with a session of its own: each terminates what it started.

    Args:
        guard: The guard that starts resources; without one there is nothing to terminate.
        client: The client that terminates them; either kind serves `with` and `async with`.
        timeout: Maximum seconds that leaving takes.

    Attributes:
        report: After the session: what ended, and whose end was not seen. The latter is also a
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
        self._name: str | None = None
        self._process = 0
        self._signals: set[int] = set()
        self._act: Callable[[int], None] = self._interrupt

    def __enter__(self) -> Self:
        self._begin(self._clients.sync, self._interrupt)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        HANDLERS.begin_exit()
        interruption: BaseException | None = None
        try:
            interruption = self._end_in_thread()
            if self._owns_clients:
                self._clients.close()
            self._publish(error)
        finally:
            held = HANDLERS.end_exit(self._act)
        self._deliver(held, error)
        if interruption is not None and error is None:
            raise interruption

    async def __aenter__(self) -> Self:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()

        def cancel(number: int) -> None:
            self._signals.add(number)
            self._interrupt_waiting()
            if task is not None:  # pragma: no branch - a coroutine is run by a task
                loop.call_soon_threadsafe(task.cancel)

        self._begin(self._clients.async_, cancel)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        HANDLERS.begin_exit()
        interruption: BaseException | None = None
        try:
            interruption = await self._end_in_task()
            if self._owns_clients:
                await self._clients.aclose()
            self._publish(error)
        finally:
            held = HANDLERS.end_exit(self._act)
        if signal.SIGTERM in self._signals:
            raise SystemExit(TERMINATED) from error
        if signal.SIGINT in self._signals:
            raise KeyboardInterrupt from error
        self._deliver(held, error)
        if interruption is not None and error is None:
            raise interruption

    def _begin(self, _: Runcrate | AsyncRuncrate, act: Callable[[int], None]) -> None:
        """Open the session; fail now if a client cannot be created."""
        self.report = None
        self._process = os.getpid()
        self._signals.clear()
        if self._guard is not None:
            self._name = self._guard.ledger.open_session(self._guard)
        self._act = act
        try:
            HANDLERS.add(act)
        except BaseException:
            # Interrupted here, the session would never be left.
            HANDLERS.end_exit(act)
            if self._guard is not None:
                self._guard.ledger.close_session(self._guard, _OVER)
            raise

    def _interrupt(self, number: int) -> None:
        is_repeated = number in self._signals
        self._signals.add(number)
        self._interrupt_waiting()
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        if not is_repeated:
            raise SystemExit(TERMINATED)

    def _interrupt_waiting(self) -> None:
        """Let tools stop waiting in other threads, which a framework may join on its way out."""
        if self._guard is not None:
            self._guard.interrupt()

    def _deliver(self, held: list[int], error: BaseException | None) -> None:
        """Deliver the signals that were held while the session was left."""
        is_leaving = isinstance(error, KeyboardInterrupt | SystemExit | asyncio.CancelledError)
        for number in held:
            if not (is_leaving and number in self._signals):
                HANDLERS.deliver(number)

    def _cleanup(self) -> Flow[CleanupReport] | None:
        """Refuse further starts, and return how to terminate what was started, if anything was."""
        guard = self._guard
        if guard is None or os.getpid() != self._process:
            return None  # a fork leaves the session too, and must not end its parent's resources
        guard.interrupt()
        guard.ledger.close_session(guard, _OVER)
        names = [entry.name for entry in left_over(guard.ledger) if entry.session == self._name]
        if not names:
            return None
        logger.info("Terminating %s, for at most %.0f s.", ", ".join(names), self._timeout)
        return guard.terminate_all(session=self._name)

    def _end_in_thread(self) -> BaseException | None:
        """Terminate everything where no signal arrives; returns what interrupted the wait."""
        cleanup = self._cleanup()
        if cleanup is None:
            self.report = CleanupReport()
            return None
        client = self._clients.sync.with_options(**_CLEANUP_OPTIONS)
        done = threading.Event()

        def work() -> None:
            try:
                self.report = client.run(cleanup)
            except Exception:
                logger.exception("Terminating everything failed.")
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
        """Terminate everything in a task that is not cancelled; returns what was to cancel it."""
        cleanup = self._cleanup()
        if cleanup is None or self._guard is None:
            self.report = CleanupReport()
            return None
        client = self._clients.async_.with_options(**_CLEANUP_OPTIONS)
        interruption: BaseException | None = None
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._timeout
        task = loop.create_task(client.run(cleanup))
        while not task.done() and (left := deadline - loop.time()) > 0:
            try:
                await asyncio.wait({task}, timeout=left)
            except asyncio.CancelledError as error:
                interruption = interruption or error
            if task.done() and task.cancelled():  # an event loop that closes cancels every task
                task = loop.create_task(client.run(self._guard.terminate_all(session=self._name)))
        if not task.done():
            task.cancel()
        elif (failure := task.exception()) is not None:
            logger.error("Terminating everything failed.", exc_info=failure)
        else:
            self.report = task.result()
        return interruption

    def _publish(self, error: BaseException | None) -> None:
        """Log the report, and attach what could not be ended to the error, or warn of it."""
        report = self.report = self.report or self._partial_report()
        if not report.failed:
            logger.info("%s", report.describe())
            return
        logger.error("%s", report.describe())
        if error is not None:
            error.add_note(report.describe())
        else:
            warnings.warn(report.describe(), RuntimeWarning, stacklevel=_SHOWN_TRACE)

    def _partial_report(self) -> CleanupReport:
        """Return what the ledger knows of resources whose termination was not done in time."""
        entries: tuple[Any, ...] = () if self._guard is None else self._guard.ledger.entries
        own = [entry for entry in entries if entry.session == self._name]
        reason = f"it was not done within {self._timeout:.0f} s"
        return CleanupReport(
            tuple(entry.name for entry in own if not entry.is_live),
            tuple((entry.name, reason) for entry in own if entry.is_live),
        )


for _exit in (SpendSession.__exit__, SpendSession.__aexit__):
    HANDLERS.protect(_exit.__code__)
