"""Doing a thing once per `Idempotency-Key`, and saying so while the first request still runs."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from runcrate_emulator.errors import ApiError

KEPT_FOR = timedelta(hours=24)  # a repeat is recognised for 24 hours (official SDK 0.5.0)


class IdempotencyStore:
    """Keys of completed requests, and of those in progress."""

    def __init__(self) -> None:
        self._created: dict[str, tuple[str, datetime]] = {}  # id, and until when it is kept
        self._in_progress: set[str] = set()

    async def once(self, key: str | None, now: datetime, work: Callable[[], Awaitable[str]]) -> str:
        """Do the work, or return the id that the first request with this key created.

        Only a success is remembered: a refused request did nothing and may be sent again. While
        the first request still runs, another gets a 409 with reason `idempotency_in_progress`.

        Args:
            key: The key with everything that scopes it; None does the work without further ado.
            now: Emulated time.
            work: Creates something and returns its id.
        """
        if key is None:
            return await work()
        known_id, until = self._created.get(key, ("", now))
        if now < until:
            return known_id
        if key in self._in_progress:
            raise ApiError(
                409,
                "conflict",
                "The first request with this Idempotency-Key is still being handled. "
                "Send the same request again in a few seconds.",
                details={"reason": "idempotency_in_progress"},
            )
        self._in_progress.add(key)
        try:
            created = await work()
        finally:
            self._in_progress.discard(key)
        self._created[key] = (created, now + KEPT_FOR)
        return created
