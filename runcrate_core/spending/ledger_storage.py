"""Storage of a ledger: in memory, or a SQLite file that outlives its process.

A storage has one method, a transaction that no other thread or process interrupts, so a database
server can be put in its place.
"""

from __future__ import annotations

import json
import os
import sqlite3
import sys
import threading
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from runcrate_core.errors import ConfigurationError, RuncrateError
from runcrate_core.spending.ledger_entry import LedgerEntry
from runcrate_core.spending.money import MAX_AMOUNT_USD
from runcrate_core.spending.network_disks import require_local_disk
from runcrate_core.spending.plans import LaunchPlan, RunningResource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager


T = TypeVar("T")
R = TypeVar("R")
# How long a write waits for the writes of other threads and processes.
BUSY_TIMEOUT_S: Final = 30.0
_SCHEMA_VERSION: Final = 1
_PRIVATE_MODE: Final = 0o600
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS entries (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    price_per_hour TEXT NOT NULL,
    max_runtime_minutes INTEGER NOT NULL,
    gpu_count INTEGER NOT NULL,
    id TEXT,
    state TEXT NOT NULL,
    cost_usd TEXT,
    attempts INTEGER NOT NULL,
    session TEXT,
    process INTEGER,
    is_confirmed INTEGER NOT NULL,
    approved_at TEXT,
    reserved_at TEXT,
    running_from TEXT,
    running_until TEXT
);
CREATE TABLE IF NOT EXISTS plans (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    token TEXT NOT NULL UNIQUE,
    plan TEXT NOT NULL,
    process INTEGER NOT NULL,
    claimed_by INTEGER,
    asked_at TEXT,
    approved_at TEXT
);
"""


@dataclass(frozen=True)
class StoredPlan:
    """A plan that was made and not launched yet.

    Attributes:
        plan: The plan.
        process: Identifier of the process that made it.
        claimed_by: Identifier of the process that is launching it.
        asked_at: When a person was first asked to approve it.
        approved_at: When it was approved.
    """

    plan: LaunchPlan
    process: int
    claimed_by: int | None = None
    asked_at: datetime | None = None
    approved_at: datetime | None = None


class Records(Protocol):
    """Entries and plans of a ledger within a transaction, oldest first."""

    def entries(self) -> list[LedgerEntry]:
        """Return all entries."""
        ...

    def save_entry(self, entry: LedgerEntry) -> None:
        """Add an entry, or replace the one of its name in its place."""
        ...

    def delete_entry(self, name: str) -> None:
        """Remove an entry, if there is one of this name."""
        ...

    def plans(self) -> list[StoredPlan]:
        """Return all plans."""
        ...

    def save_plan(self, plan: StoredPlan) -> None:
        """Add a plan, or replace the one of its token in its place."""
        ...

    def delete_plan(self, token: str) -> None:
        """Remove a plan, if there is one of this token."""
        ...


class LedgerStorage(Protocol):
    """The storage of a ledger.

    Attributes:
        blocks: A transaction may wait for other processes, so it is kept off an event loop.
    """

    blocks: bool

    def transaction(self, *, writes: bool) -> AbstractContextManager[Records]:
        """Return a transaction: all of its changes are kept, or none after an exception.

        Args:
            writes: It changes something, so that no other transaction may do so meanwhile.
        """
        ...


class MemoryStorage:
    """A ledger in the memory of one process."""

    blocks = False

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process = os.getpid()
        self._entries: dict[str, LedgerEntry] = {}
        self._plans: dict[str, StoredPlan] = {}

    @contextmanager
    def transaction(self, *, writes: bool) -> Iterator[Records]:
        """Return a transaction of the process that made the ledger.

        Raises:
            ConfigurationError: This is another process, after a fork: two copies of the ledger
                would each allow the complete budget.
        """
        if os.getpid() != self._process:
            raise ConfigurationError(
                f"This ledger is in the memory of process {self._process}, and this process was "
                "forked from it: both would spend the complete budget. Nothing was launched. Share "
                'one with `SpendLedger("budget.db")`, or make the ledger after the fork.'
            )
        del writes
        with self._lock:
            yield self

    def entries(self) -> list[LedgerEntry]:
        """Return all entries."""
        return list(self._entries.values())

    def save_entry(self, entry: LedgerEntry) -> None:
        """Add or replace an entry."""
        self._entries[entry.name] = entry

    def delete_entry(self, name: str) -> None:
        """Remove an entry."""
        self._entries.pop(name, None)

    def plans(self) -> list[StoredPlan]:
        """Return all plans."""
        return list(self._plans.values())

    def save_plan(self, plan: StoredPlan) -> None:
        """Add or replace a plan."""
        self._plans[plan.plan.token] = plan

    def delete_plan(self, token: str) -> None:
        """Remove a plan."""
        self._plans.pop(token, None)


class SqliteStorage:
    """A ledger in a SQLite file, shared by the threads, forks and processes of one computer.

    Args:
        path: The file; made when it is missing, readable by its owner alone.

    Raises:
        ConfigurationError: It is on a network disk, is not a ledger, or cannot be written; or it
            is a name that SQLite does not take for a path.
    """

    blocks = True

    def __init__(self, path: str | os.PathLike[str]) -> None:
        if str(path).startswith((":memory:", "file:")):
            raise ConfigurationError(
                f"`{path}` is not the path of a file. A ledger in memory is `SpendLedger()`; "
                f"`./{path}` would be a file of this name. Nothing was launched."
            )
        self.path = Path(path).absolute()
        require_local_disk(self.path)
        try:
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, _PRIVATE_MODE))
        except OSError as error:
            raise ConfigurationError(
                f"The ledger `{self.path}` cannot be written ({error.strerror}). Nothing was "
                "launched. Give the path of a file in a directory that can be written."
            ) from None
        with self._connection() as connection:
            mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
            if mode != "wal":
                raise self._unusable("its disk does not support SQLite's write-ahead log")
            connection.execute("BEGIN IMMEDIATE")
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if version not in (0, _SCHEMA_VERSION):
                raise self._unusable(f"it has version {version}, made by a newer release")
            if version == 0:
                tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
                if tables:
                    raise self._unusable("it is a database of something else")
                for statement in _SCHEMA.split(";"):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")
            connection.execute("COMMIT")

    @contextmanager
    def transaction(self, *, writes: bool) -> Iterator[Records]:
        """Return a transaction; one that writes waits for those of other processes.

        Raises:
            ConfigurationError: The file is gone or damaged.
            RuncrateError: Other processes kept it locked.
        """
        with self._connection() as connection:
            connection.execute("BEGIN IMMEDIATE" if writes else "BEGIN")
            try:
                yield _SqliteRecords(connection)
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        """Open the file. A connection for each transaction is safe across threads and forks."""
        connection = None
        try:
            connection = sqlite3.connect(
                f"{self.path.as_uri()}?mode=rw",
                timeout=BUSY_TIMEOUT_S,
                isolation_level=None,
                uri=True,
            )
            connection.row_factory = sqlite3.Row
            # What was reserved before a request is on disk even after a power failure.
            connection.execute("PRAGMA synchronous = FULL")
            yield connection
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                raise RuncrateError(
                    f"The ledger `{self.path}` was locked by another process for "
                    f"{BUSY_TIMEOUT_S:.0f} s, so nothing was recorded in it. Try again."
                ) from None
            raise self._unusable(str(error)) from None
        except sqlite3.DatabaseError as error:
            raise self._unusable(str(error)) from None
        finally:
            if connection is not None:
                connection.close()

    def _unusable(self, reason: str) -> ConfigurationError:
        return ConfigurationError(
            f"The ledger `{self.path}` cannot be used: {reason}. Nothing was launched. Give the "
            "path of a ledger, or of a new file on a local disk."
        )


class _SqliteRecords:
    """Entries and plans of an open transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def entries(self) -> list[LedgerEntry]:
        rows = self._connection.execute("SELECT * FROM entries ORDER BY position")
        return [_undamaged(_entry_of, row) for row in rows]

    def save_entry(self, entry: LedgerEntry) -> None:
        self._save("entries", "name", {name: _column(value) for name, value in _fields(entry)})

    def delete_entry(self, name: str) -> None:
        self._connection.execute("DELETE FROM entries WHERE name = ?", (name,))

    def plans(self) -> list[StoredPlan]:
        rows = self._connection.execute("SELECT * FROM plans ORDER BY position")
        return [
            StoredPlan(
                plan=_undamaged(_plan_of, row["plan"]),
                process=row["process"],
                claimed_by=row["claimed_by"],
                asked_at=_time_of(row["asked_at"]),
                approved_at=_time_of(row["approved_at"]),
            )
            for row in rows
        ]

    def save_plan(self, plan: StoredPlan) -> None:
        row = {name: _column(value) for name, value in _fields(plan) if name != "plan"}
        self._save(
            "plans", "token", {"token": plan.plan.token, "plan": _plan_text(plan.plan), **row}
        )

    def delete_plan(self, token: str) -> None:
        self._connection.execute("DELETE FROM plans WHERE token = ?", (token,))

    def _save(self, table: str, key: str, row: dict[str, Any]) -> None:
        columns = ", ".join(row)
        values = ", ".join("?" for _ in row)
        changes = ", ".join(f"{name} = excluded.{name}" for name in row if name != key)
        self._connection.execute(
            f"INSERT INTO {table} ({columns}) VALUES ({values}) "  # noqa: S608 - names of this module
            f"ON CONFLICT ({key}) DO UPDATE SET {changes}",
            tuple(row.values()),
        )


def process_is_alive(process: int) -> bool:
    """Return whether a process of this computer still runs."""
    if process == os.getpid():
        return True
    if sys.platform == "win32":
        return True  # a signal 0 would end it there; its plans grow old instead
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # another user's
    return True


def _fields(value: Any) -> list[tuple[str, Any]]:
    return [(item.name, getattr(value, item.name)) for item in fields(value)]


def _column(value: Any) -> Any:
    match value:
        case Decimal():
            return str(value)
        case datetime():
            return value.isoformat()
        case bool():
            return int(value)
        case _:
            return value


def _undamaged(make: Callable[[T], R], stored: T) -> R:
    """Return what was stored.

    Raises:
        DataError: It was changed by something else, so that it cannot be read.
    """
    try:
        return make(stored)
    except (ArithmeticError, KeyError, TypeError, ValueError) as error:
        raise sqlite3.DataError(f"one of its rows is damaged ({error!r})") from None


def _entry_of(row: sqlite3.Row) -> LedgerEntry:
    values = {name: row[name] for name in row.keys() if name != "position"}  # noqa: SIM118 - a row has no such iteration
    for name in ("price_per_hour", "cost_usd"):
        values[name] = None if values[name] is None else Decimal(values[name])
    for name in ("approved_at", "reserved_at", "running_from", "running_until"):
        values[name] = _time_of(values[name])
    entry = LedgerEntry(**values | {"is_confirmed": bool(values["is_confirmed"])})
    cost = entry.at_most_usd
    if not (cost.is_finite() and 0 <= cost < MAX_AMOUNT_USD and entry.attempts > 0):
        raise ValueError(f"a cost of {cost} USD")
    return entry


def _time_of(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _plan_text(plan: LaunchPlan) -> str:
    try:
        return json.dumps(asdict(plan), default=_json_value, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"An option of the plan is not JSON ({error}), so a ledger on disk cannot keep it. "
            "Nothing was planned."
        ) from None


def _json_value(value: Any) -> str:
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"a `{type(value).__name__}`")


def _plan_of(text: str) -> LaunchPlan:
    values = json.loads(text)
    running = tuple(
        RunningResource(**{**item, "price_per_hour": _decimal(item["price_per_hour"])})
        for item in values["running"]
    )
    plan = LaunchPlan(**{**values, "running": running})
    return replace(
        plan,
        price_per_hour=Decimal(values["price_per_hour"]),
        planned_at=datetime.fromisoformat(values["planned_at"]),
    )


def _decimal(value: str | None) -> Decimal | None:
    return None if value is None else Decimal(value)
