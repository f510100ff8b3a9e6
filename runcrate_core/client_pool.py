"""Shared connections: one pool of clients for each account, used by any number of objects.

Opening connections for each model costs tens of milliseconds and leaks sockets. So objects with the
same key, URLs and HTTP clients share connections, one retry budget and one view of the key's rate
limit, however else their settings differ.
"""

from __future__ import annotations

import threading
import weakref
from dataclasses import dataclass, field
from typing import Any, Final

from runcrate_core.client import AsyncRuncrate, Runcrate
from runcrate_core.config import CHANGEABLE, Config
from runcrate_core.errors import ConfigurationError
from runcrate_core.protocol.fork_safety import start_again_after_fork
from runcrate_core.sync_async_clients import SyncAsyncClients, changed_client, changes_account


@dataclass(frozen=True, slots=True)
class _Account:
    """Settings that must be equal for two objects to share connections."""

    api_key: str | None = field(repr=False)
    inference_url: str
    base_url: str
    http_client: Any
    http_async_client: Any


class ClientPool:
    """The clients of one account, and their users: leases, and calls in flight.

    Blocking connections that are left when the last user is gone are closed then. Those of event
    loops are closed by `close_unused` or with their loop, as only it may do it.
    """

    def __init__(self, client: Runcrate | None, async_client: AsyncRuncrate | None) -> None:
        self.clients = SyncAsyncClients(client, async_client)
        self.users: weakref.WeakSet[object] = weakref.WeakSet()

    def close_unused(self) -> bool:
        """Close the sync connections if nobody uses the pool, and return True then."""
        with _registry.lock:
            if self.users:
                return False
            _registry.forget(self)
        self.clients.close(given=True)
        return True

    async def aclose_unused(self) -> None:
        """Close the connections of the running event loop too, if nobody uses the pool."""
        if self.close_unused():
            await self.clients.aclose(given=True)


class _Registry:
    """The pools in use by their accounts."""

    def __init__(self) -> None:
        self._pools: weakref.WeakValueDictionary[_Account, ClientPool] = (
            weakref.WeakValueDictionary()
        )
        self.start_again()
        start_again_after_fork(self)

    def start_again(self) -> None:
        self.lock = threading.Lock()

    def join(
        self, user: object, client: Runcrate | None, async_client: AsyncRuncrate | None
    ) -> ClientPool:
        """Return the pool of the clients' account, which they make if there is none."""
        account = _Account(
            *_account_of(client or async_client),
            client and client._driver.http.given,  # noqa: SLF001 - of this package
            async_client and async_client._driver.http.given,  # noqa: SLF001 - the same
        )
        with self.lock:
            pool = self._pools.get(account)
            if pool is None:
                pool = self._pools[account] = ClientPool(client, async_client)
            pool.users.add(user)
            return pool

    def forget(self, pool: ClientPool) -> None:
        for account, known in tuple(self._pools.items()):
            if known is pool:
                del self._pools[account]


_registry: Final = _Registry()


class _User:
    """The mark of a lease among the users of a pool."""


class ClientLease:
    """An object's use of the pool of its account, with settings of its own.

    A copy is another lease on the same pool. A pickle holds the settings, without key and headers.

    Args:
        client: A client with the object's settings, of either kind. The connections are its own
            only if the account has no pool yet.
        async_client: An asynchronous client next to it, where they have connections of the user's.
        settings: Anything by which the owner identifies the lease's settings.

    Attributes:
        pool: The pool.
        settings: As given.
    """

    def __init__(
        self,
        client: Runcrate | AsyncRuncrate | None,
        async_client: AsyncRuncrate | None = None,
        *,
        settings: Any = None,
    ) -> None:
        if isinstance(client, AsyncRuncrate):
            client, async_client = None, client
        self.settings = settings
        self._given = client, async_client
        self._sync: Runcrate | None = None
        self._async: AsyncRuncrate | None = None
        self._closed = self._async_closed = False
        self._user = _User()
        self.pool = _registry.join(self._user, client, async_client)

    @property
    def sync(self) -> Runcrate:
        """The sync client.

        Raises:
            ConfigurationError: The lease is closed, or there is only an asynchronous client, with
                connections of the user's.
        """
        _refuse_closed(self._closed)
        if self._sync is None:
            self._sync = self._derived(self.pool.clients.sync)
        return self._sync

    @property
    def async_(self) -> AsyncRuncrate:
        """The asynchronous client.

        Raises:
            ConfigurationError: The lease is closed by `aclose`, or there is only a sync client,
                with connections of the user's.
        """
        _refuse_closed(self._async_closed)
        if self._async is None:
            self._async = self._derived(self.pool.clients.async_)
        return self._async

    def _derived(self, client: Any) -> Any:
        config = _config_of(self._given[0] or self._given[1])
        options = {name: getattr(config, name) for name in CHANGEABLE}
        derived = client.with_options(**options | {"default_headers": dict(config.default_headers)})
        if not self._closed:
            self.pool.users.add(derived._driver)  # noqa: SLF001 - what a call in flight holds
        return derived

    def changed(self, **settings: Any) -> ClientLease:
        """Return a lease with other settings; see `SyncAsyncClients.changed`."""
        other = ClientLease(*(changed_client(client, settings) for client in self._given))
        if not changes_account(settings):
            other._closed, other._async_closed = self._closed, self._async_closed
        return other

    def close(self) -> None:
        """End this use, and close the sync connections if it was the last one."""
        self._closed = True
        for client in (self._sync, self._async):
            if client is not None:
                self.pool.users.discard(client._driver)  # noqa: SLF001 - of this package
        self.pool.users.discard(self._user)
        self.pool.close_unused()

    async def aclose(self) -> None:
        """End this use, and close the connections if it was the last one."""
        self._async_closed = True
        self.close()
        await self.pool.aclose_unused()

    def __eq__(self, other: object) -> bool:
        # Objects with equal fields are equal, whatever they are connected with at the moment.
        return other is None or isinstance(other, ClientLease)

    def __hash__(self) -> int:
        return hash(ClientLease)

    def __copy__(self) -> ClientLease:
        return self.changed()

    def __deepcopy__(self, memo: dict[int, Any]) -> ClientLease:
        return self.changed()

    def __reduce__(self) -> tuple[Any, ...]:
        return ClientLease, self._given


def _refuse_closed(closed: bool) -> None:  # noqa: FBT001 - private
    if closed:
        raise ConfigurationError(
            "The connections of this object are closed. Nothing was sent. Make a new object."
        )


def _config_of(client: Any) -> Config:
    config: Config = client._driver.config  # noqa: SLF001 - of this package
    return config


def _account_of(client: Any) -> tuple[str | None, str, str]:
    config = _config_of(client)
    return config.api_key, config.inference_url, config.base_url
