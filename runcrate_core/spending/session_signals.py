"""Signals during sessions: Ctrl-C and SIGTERM leave a session, and never interrupt its end."""

from __future__ import annotations

import asyncio
import functools
import signal
import threading
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, FrameType

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
TERMINATED: Final = 128 + signal.SIGTERM


class SignalHandlers:
    """Handlers of SIGINT and SIGTERM while sessions are open in the main thread.

    Sessions may be nested, and several may be open on one event loop. A signal in the body of a
    session is passed to it, unless the program has a handler of its own. A signal that arrives
    while a session is being left is held, also for a handler of the program, and delivered
    afterwards.
    """

    def __init__(self) -> None:
        self._sessions: list[Callable[[int], None]] = []
        self._before: dict[int, Any] = {}
        self._before_exit: dict[int, Any] = {}
        self._leaving = 0
        self._held: list[int] = []
        self._exits: set[CodeType] = set()

    def protect(self, code: CodeType) -> None:
        """Hold signals in functions with this code, from their first instruction on."""
        self._exits.add(code)

    def add(self, act: Callable[[int], None]) -> None:
        """Pass signals to a session, if this is the main thread."""
        if threading.current_thread() is not threading.main_thread():
            return
        self._sessions.append(act)
        for number in SIGNALS:
            before = signal.getsignal(number)
            if number not in self._before and _is_default(before):
                self._before[number] = before
                signal.signal(number, self._handle)

    def begin_exit(self) -> None:
        """Hold signals from now on: a session is being left."""
        if threading.current_thread() is not threading.main_thread():
            return
        self._leaving += 1
        for number in SIGNALS:
            before = signal.getsignal(number)
            if before != self._handle and callable(before):
                self._before_exit[number] = before
                signal.signal(number, self._handle)

    def end_exit(self, act: Callable[[int], None]) -> list[int]:
        """Put the handlers back when the last session has been left.

        Returns:
            Signals that were held meanwhile, each once.
        """
        if threading.current_thread() is not threading.main_thread():
            return []
        if act in self._sessions:
            self._sessions.remove(act)
        self._leaving = max(0, self._leaving - 1)
        if self._leaving:
            return []
        while self._before_exit:
            signal.signal(*self._before_exit.popitem())
        if not self._sessions:
            while self._before:
                signal.signal(*self._before.popitem())
        held, self._held = list(dict.fromkeys(self._held)), []
        return held

    def deliver(self, number: int) -> None:
        """Deliver a signal that was held, as it would have been delivered at once.

        Raises:
            KeyboardInterrupt: The program has no handler of its own.
            SystemExit: The same, for SIGTERM.
        """
        handler = signal.getsignal(number)
        if callable(handler):
            handler(number, None)
        elif handler is not signal.SIG_IGN:
            raise SystemExit(TERMINATED)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._leaving or self._is_in_exit(frame):
            self._held.append(number)
            return
        # The innermost is the last: it may raise, and leaving it leads to the others.
        for act in tuple(self._sessions):
            act(number)

    def _is_in_exit(self, frame: FrameType | None) -> bool:
        while frame is not None:
            if frame.f_code in self._exits:
                return True
            frame = frame.f_back
        return False


def _is_default(handler: Any) -> bool:
    """True if a handler is Python's, or that with which asyncio cancels the main task."""
    if handler in (signal.SIG_DFL, signal.default_int_handler):
        return True
    function = handler.func if isinstance(handler, functools.partial) else None
    return getattr(function, "__func__", None) is getattr(asyncio.Runner, "_on_sigint", object())


HANDLERS: Final = SignalHandlers()
