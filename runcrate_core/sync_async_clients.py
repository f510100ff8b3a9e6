"""A sync and an async client for the same account, of which one may be given."""

from __future__ import annotations

import threading
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Self

from runcrate_core.client import AsyncRuncrate, Runcrate
from runcrate_core.errors import ConfigurationError
from runcrate_core.io.driver import AsyncDriver, SyncDriver
from runcrate_core.io.transport import AsyncHttp, SyncHttp
from runcrate_core.protocol.fork_safety import start_again_after_fork

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runcrate_core.client_pool import ClientLease


class SyncAsyncClients:
    """The two clients of a set of tools, which is used from sync and async code.

    Args:
        client: A client of either kind; made from the environment when none is given.
        async_client: An asynchronous client. What is missing is made with the settings of the
            other, and shares its retry budget and its view of the rate limit.

    Raises:
        ConfigurationError: No client can be made: there is no key.
    """

    def __init__(
        self,
        client: Runcrate | AsyncRuncrate | None = None,
        async_client: AsyncRuncrate | None = None,
    ) -> None:
        if isinstance(client, AsyncRuncrate):
            client, async_client = None, client
        self._default = Runcrate() if client is None and async_client is None else None
        self._client = client or self._default
        self._async_client = async_client
        self._own_client: Runcrate | None = None
        self._own_async_client: AsyncRuncrate | None = None
        self.start_again()
        start_again_after_fork(self)

    def start_again(self) -> None:
        """Make a new lock, as in a child process, where the parent's may stay locked for good."""
        self._lock = threading.Lock()

    def __copy__(self) -> Self:
        return self  # connections are there to be shared

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the clients that were given; the others are made again."""
        given = self._client if self._default is None else None
        return type(self), (given, self._async_client)

    @property
    def sync(self) -> Runcrate:
        """The sync client.

        Raises:
            ConfigurationError: It cannot be made of the asynchronous one.
        """
        if self._client is not None:
            return self._client
        with self._lock:
            if self._own_client is None:
                driver = _driver(self._async_client, "client=Runcrate(...)")
                self._own_client = object.__new__(Runcrate)
                self._own_client._driver = SyncDriver(driver.config, SyncHttp(), driver.context)  # noqa: SLF001 - made as `with_options` does
            return self._own_client

    @property
    def async_(self) -> AsyncRuncrate:
        """The asynchronous client.

        Raises:
            ConfigurationError: It cannot be made of the sync one.
        """
        if self._async_client is not None:
            return self._async_client
        with self._lock:
            if self._own_async_client is None:
                driver = _driver(self._client, "async_client=AsyncRuncrate(...)")
                self._own_async_client = object.__new__(AsyncRuncrate)
                new_driver = AsyncDriver(driver.config, AsyncHttp(), driver.context)
                self._own_async_client._driver = new_driver  # noqa: SLF001 - as `with_options` does
            return self._own_async_client

    def changed(self, **settings: Any) -> SyncAsyncClients | ClientLease:
        """Return clients with other settings.

        They share the connections of these, unless the key or the URL changes: then they are of
        the pool of that account. An `http_client` of the user's stays in use.

        Args:
            settings: `api_key`, `inference_url`, or options of `Runcrate.with_options`. A key or
                URL of `None` is read from the environment.

        Raises:
            ConfigurationError: A value is not usable. The clients are not changed.
        """
        changed = (changed_client(it, settings) for it in (self._client, self._async_client))
        if not changes_account(settings):
            return SyncAsyncClients(*changed)
        from runcrate_core.client_pool import ClientLease  # noqa: PLC0415 - it holds such pairs

        return ClientLease(*changed)

    def close(self, *, given: bool = False) -> None:
        """Close the sync client, if it was made here.

        Args:
            given: A client that was given is closed too.
        """
        with self._lock:
            self._own_client = None  # its connections are closed when no call uses them any more
        client = self._client if given else self._default
        if client is not None:
            client.close()

    async def aclose(self, *, given: bool = False) -> None:
        """Close the clients that were made here; see `close`."""
        self.close(given=given)
        with self._lock:
            own, self._own_async_client = self._own_async_client, None
        client = self._async_client if given else None
        for one in (client, own):
            if one is not None:
                await one.aclose()


def changes_account(settings: Mapping[str, Any]) -> bool:
    """Return whether settings are of another account, which has connections of its own."""
    return not settings.keys().isdisjoint({"api_key", "inference_url"})


def changed_client(client: Any, settings: Mapping[str, Any]) -> Any:
    """Return a client of the same kind with other settings; see `SyncAsyncClients.changed`."""
    if client is None:
        return None
    if not changes_account(settings):
        return client.with_options(**settings)
    config, http = client._driver.config, client._driver.http  # noqa: SLF001 - of this package
    kept = {field.name: getattr(config, field.name) for field in fields(config)}
    kept["default_headers"] = dict(config.default_headers)
    return type(client)(**{**kept, **settings}, http_client=http.given)


def _driver(client: Any, missing: str) -> Any:
    driver = client._driver  # noqa: SLF001 - of this package
    if driver.http.is_given:
        raise ConfigurationError(
            "A custom `http_client` was passed, so no client of the other kind can be created. "
            f"Nothing was sent. Pass `{missing}` too."
        )
    return driver
