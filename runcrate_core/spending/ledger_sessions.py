"""Sessions of a ledger: what is started is counted to the session of the guard that starts it."""

from __future__ import annotations

import os
import threading
import weakref

from runcrate_core.errors import ConfigurationError, SpendRefusedError
from runcrate_core.protocol.fork_safety import start_again_after_fork


class LedgerSessions:
    """Open sessions of this process, by the guard that starts resources in them."""

    def __init__(self) -> None:
        self._open: dict[int, str] = {}
        self._closed: weakref.WeakKeyDictionary[object, str] = weakref.WeakKeyDictionary()
        self._last_reason: str | None = None
        self.start_again()
        start_again_after_fork(self)

    def start_again(self) -> None:
        """Make a new lock in a child process, which continues the sessions of its parent."""
        self._lock = threading.Lock()

    def open(self, owner: object) -> str:
        """Open the session of a guard, and return its name.

        Raises:
            ConfigurationError: The guard has an open session.
        """
        with self._lock:
            if id(owner) in self._open:
                raise ConfigurationError(
                    "A session of this toolkit is open on this ledger already. Give each agent "
                    "that runs at the same time a toolkit of its own; they may share the ledger."
                )
            name = f"{os.getpid()}-{os.urandom(4).hex()}"
            self._open[id(owner)] = name
            self._closed.pop(owner, None)
            return name

    def close(self, owner: object, because: str) -> None:
        """Refuse further starts of a guard, for a reason."""
        with self._lock:
            self._open.pop(id(owner), None)
            self._closed[owner] = because
            self._last_reason = because

    def open_session_of(self, owner: object) -> str | None:
        """Return the open session of a guard."""
        with self._lock:
            return self._open.get(id(owner))

    def session_of(self, owner: object) -> str | None:
        """Return the session to which a start is counted: the guard's own, or the last opened.

        Raises:
            SpendRefusedError: The guard's session, or the only one, is over.
        """
        with self._lock:
            own = self._open.get(id(owner))
            if own is not None:
                return own
            reason = self._closed.get(owner) if owner is not None else None
            if reason is None and self._open:
                return next(reversed(self._open.values()))
            reason = reason or self._last_reason
            if reason is not None:
                raise SpendRefusedError(f"{reason} Nothing was launched.")
            return None
