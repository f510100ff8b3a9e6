"""The connections behind the models: one client for equal settings, held by those who use it.

Making a pool of connections for each model costs tens of milliseconds and leaks sockets. Here all
models with the same address and key share one pool, one retry budget and one view of the key's
rate limit, however else they differ. Connections live as long as their last user, be it a model or
a call in flight. The clients themselves see to event loops, threads and forks.
"""

from __future__ import annotations

import threading
import weakref
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from pydantic import SecretStr

import runcrate_core

if TYPE_CHECKING:
    from collections.abc import Callable

    from runcrate_core import AsyncRuncrate, RequestEvent, Runcrate, Timeout


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """A model's client settings. `repr` shows neither key nor headers.

    Attributes:
        api_key: The key, or `None` for a server that wants none. A model gives a `SecretStr`, so
            that no frame of a failing call shows it.
        base_url: Address of the inference API.
        timeout: Seconds of silence while waiting for a whole answer; `None` for the default.
        max_retries: Repeats after the first attempt.
        stream_idle_timeout: Seconds a stream may stay without content; `None` for no limit.
        default_headers: Sent with every request.
        http_client: An HTTP client to use instead of one of ours.
        http_async_client: The same for asynchronous calls.
        on_request: Hook for tracing.
    """

    api_key: SecretStr | str | None = field(repr=False)
    base_url: str
    timeout: float | Timeout | None = None
    max_retries: int = 3
    stream_idle_timeout: float | None = 120.0
    default_headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    http_client: Any = None
    http_async_client: Any = None
    on_request: Callable[[RequestEvent], object] | None = None

    @property
    def pool(self) -> tuple[Any, ...]:
        """Settings that must be equal for two models to share connections."""
        return self.api_key, self.base_url, self.http_client, self.http_async_client

    @property
    def options(self) -> dict[str, Any]:
        """Settings that may differ between clients that share connections."""
        return {
            "timeout": self.timeout,
            "max_retries": self.max_retries,
            "stream_idle_timeout": self.stream_idle_timeout,
            "default_headers": dict(self.default_headers),
            "on_request": self.on_request,
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
        # The drivers of clients derived from these two: models hold them, and so does each call
        # in flight. Blocking connections that are left when the last is gone are closed then;
        # those of event loops are closed by `aclose` or with their loop, as only it may do it.
        self.users: weakref.WeakSet[object] = weakref.WeakSet()

    def lease(self, settings: ClientSettings) -> _Hold:
        """Return clients with these settings, which count as users while anyone has them."""
        sync = self.sync.with_options(**settings.options)
        async_ = self.async_.with_options(**settings.options)
        self.users.add(sync._driver)  # noqa: SLF001 - what a call in flight holds of its client
        self.users.add(async_._driver)  # noqa: SLF001 - the same
        return _Hold(settings, self, sync, async_)


@dataclass(frozen=True, slots=True, eq=False)
class _Hold:
    """Clients of a lease, replaced atomically for threads."""

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
        """Give the clients up; blocking connections are closed when nobody uses them.

        The model stays usable: the next call opens new ones.
        """
        pool = self._release()
        if pool is not None:
            pool.sync.close()

    async def aclose(self) -> None:
        """Give the clients up; connections of either kind are closed when nobody uses them."""
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
            self._hold = taken = pool.lease(settings)
            return taken

    def _release(self) -> _Pool | None:
        """Give the pool up; return it when nobody else uses it."""
        with _lock:
            hold, self._hold = self._hold, None
            if hold is None:
                return None
            pool, name = hold.pool, hold.settings.pool
            del hold
            if pool.users:
                return None
            if _pools.get(name) is pool:
                del _pools[name]
            return pool

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
