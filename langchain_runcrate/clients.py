"""The connections behind the models: one client for equal settings, held by those who use it.

Making a pool of connections for each model costs tens of milliseconds and leaks sockets. Here all
models with the same address and key share one pool, one retry budget and one view of the key's
rate limit, however else they differ. A pool is closed when its last user is closed or collected.
The clients themselves see to event loops, threads and forks.
"""

from __future__ import annotations

import threading
import weakref
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import runcrate_core

if TYPE_CHECKING:
    from runcrate_core import AsyncRuncrate, Runcrate, Timeout


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """What a model asks of its client. Neither key nor headers are shown by `repr`.

    Attributes:
        api_key: The key, or `None` for a server that wants none.
        base_url: Address of the inference API.
        timeout: Seconds of silence while waiting for a whole answer; `None` for the default.
        max_retries: Repeats after the first attempt.
        stream_idle_timeout: Seconds a stream may stay without content; `None` for no limit.
        default_headers: Sent with every request.
        http_client: An HTTP client to use instead of one of ours.
        http_async_client: The same for asynchronous calls.
    """

    api_key: str | None = field(repr=False)
    base_url: str
    timeout: float | Timeout | None = None
    max_retries: int = 3
    stream_idle_timeout: float | None = 120.0
    default_headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    http_client: Any = None
    http_async_client: Any = None

    @property
    def pool(self) -> tuple[Any, ...]:
        """What must be equal for two models to share connections."""
        return self.api_key, self.base_url, self.http_client, self.http_async_client

    @property
    def options(self) -> dict[str, Any]:
        """What may differ between clients that share connections."""
        return {
            "timeout": self.timeout,
            "max_retries": self.max_retries,
            "stream_idle_timeout": self.stream_idle_timeout,
            "default_headers": dict(self.default_headers),
        }


class _Pool:
    """The two clients of one address and key, and who holds them."""

    def __init__(self, settings: ClientSettings) -> None:
        key, address = settings.api_key, settings.base_url
        # Looked up here, as importing the client takes as long as importing all of this package.
        self.sync = runcrate_core.Runcrate(
            key, inference_url=address, http_client=settings.http_client
        )
        self.async_ = runcrate_core.AsyncRuncrate(
            key, inference_url=address, http_client=settings.http_async_client
        )
        self.holds: weakref.WeakSet[_Hold] = weakref.WeakSet()
        # Sockets are closed as soon as nobody can use them any more; those of event loops are
        # closed by `aclose`, as only their loop may do it.
        weakref.finalize(self, self.sync.close)


@dataclass(frozen=True, slots=True, weakref_slot=True, eq=False)
class _Hold:
    """What a lease has taken, replaced as a whole so that threads see no half of it."""

    settings: ClientSettings
    pool: _Pool
    sync: Runcrate
    async_: AsyncRuncrate


_pools: weakref.WeakValueDictionary[tuple[Any, ...], _Pool] = weakref.WeakValueDictionary()
_lock = threading.Lock()


class ClientLease:
    """A model's hold on its clients; taken when it is first used.

    Copying or pickling a lease gives a new one, so that models can be copied and pickled.
    """

    def __init__(self) -> None:
        self._hold: _Hold | None = None

    def sync(self, settings: ClientSettings) -> Runcrate:
        """Return the blocking client for these settings.

        Raises:
            ConfigurationError: The settings are not usable; nothing was sent.
        """
        return self._holding(settings).sync

    def async_(self, settings: ClientSettings) -> AsyncRuncrate:
        """Return the asynchronous client for these settings.

        Raises:
            ConfigurationError: The settings are not usable; nothing was sent.
        """
        return self._holding(settings).async_

    def close(self) -> None:
        """Give the clients up; the last user's blocking connections are closed.

        The model stays usable: the next call takes them up again.
        """
        pool = self._release()
        if pool is not None:
            pool.sync.close()

    async def aclose(self) -> None:
        """Give the clients up; the last user's connections of either kind are closed."""
        pool = self._release()
        if pool is not None:
            pool.sync.close()
            await pool.async_.aclose()

    def _holding(self, settings: ClientSettings) -> _Hold:
        hold = self._hold
        if hold is not None and hold.settings == settings:
            return hold
        with _lock:
            pool = _pools.get(settings.pool)
            if pool is None:
                pool = _pools[settings.pool] = _Pool(settings)
            taken = _Hold(
                settings,
                pool,
                pool.sync.with_options(**settings.options),
                pool.async_.with_options(**settings.options),
            )
            pool.holds.add(taken)
            if hold is not None:
                hold.pool.holds.discard(hold)
            self._hold = taken
            return taken

    def _release(self) -> _Pool | None:
        """Give the pool up; return it when nobody else uses it."""
        with _lock:
            hold, self._hold = self._hold, None
            if hold is None:
                return None
            hold.pool.holds.discard(hold)
            if hold.pool.holds:
                return None
            if _pools.get(hold.settings.pool) is hold.pool:
                del _pools[hold.settings.pool]
            return hold.pool

    def __eq__(self, other: object) -> bool:
        # Models with equal fields are equal, whatever they are connected with at the moment.
        return isinstance(other, ClientLease)

    def __hash__(self) -> int:
        return hash(ClientLease)

    def __copy__(self) -> Self:
        return type(self)()

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return type(self)()

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), ()
