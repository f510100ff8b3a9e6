"""A blocking and an asynchronous client for the same account, of which one may be given."""

from __future__ import annotations

import threading
from dataclasses import fields
from typing import Any, Self

from runcrate_core.client import AsyncRuncrate, Runcrate
from runcrate_core.errors import ConfigurationError
from runcrate_core.io.driver import AsyncDriver, SyncDriver
from runcrate_core.io.transport import AsyncHttp, SyncHttp


class SyncAsyncClients:
    """The two clients of a set of tools, which is used from blocking and asynchronous code.

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
        self._twin: Runcrate | None = None
        self._async_twin: AsyncRuncrate | None = None
        self._lock = threading.Lock()

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self  # connections are there to be shared

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the clients that were given; the others are made again."""
        given = self._client if self._default is None else None
        return type(self), (given, self._async_client)

    @property
    def sync(self) -> Runcrate:
        """The blocking client.

        Raises:
            ConfigurationError: It cannot be made of the asynchronous one.
        """
        if self._client is not None:
            return self._client
        with self._lock:
            if self._twin is None:
                driver = _driver(self._async_client, "client=Runcrate(...)")
                self._twin = object.__new__(Runcrate)
                self._twin._driver = SyncDriver(driver.config, SyncHttp(), driver.context)  # noqa: SLF001 - made as `with_options` does
            return self._twin

    @property
    def async_(self) -> AsyncRuncrate:
        """The asynchronous client.

        Raises:
            ConfigurationError: It cannot be made of the blocking one.
        """
        if self._async_client is not None:
            return self._async_client
        with self._lock:
            if self._async_twin is None:
                driver = _driver(self._client, "async_client=AsyncRuncrate(...)")
                self._async_twin = object.__new__(AsyncRuncrate)
                self._async_twin._driver = AsyncDriver(driver.config, AsyncHttp(), driver.context)  # noqa: SLF001 - made as `with_options` does
            return self._async_twin

    def changed(self, **settings: Any) -> SyncAsyncClients:
        """Return a pair with other settings.

        It shares the connections of this one, unless the key or the URL changes: then it has its
        own, and its own view of the key's rate limit. An `http_client` of the user's stays in use.

        Args:
            settings: `api_key`, `inference_url`, or options of `Runcrate.with_options`. A key or
                URL of `None` is read from the environment.

        Raises:
            ConfigurationError: A value is not usable. The pair is not changed.
        """
        return SyncAsyncClients(
            _changed(self._client, settings), _changed(self._async_client, settings)
        )

    def close(self) -> None:
        """Close the blocking client, if it was made here."""
        with self._lock:
            self._twin = None  # its connections are closed when no call uses them any more
        if self._default is not None:
            self._default.close()

    async def aclose(self) -> None:
        """Close the clients that were made here."""
        self.close()
        with self._lock:
            twin, self._async_twin = self._async_twin, None
        if twin is not None:
            await twin.aclose()


def _changed(client: Any, settings: dict[str, Any]) -> Any:
    if client is None:
        return None
    if settings.keys().isdisjoint({"api_key", "inference_url"}):
        return client.with_options(**settings)
    config, http = client._driver.config, client._driver.http  # noqa: SLF001 - of this package
    kept = {field.name: getattr(config, field.name) for field in fields(config)}
    kept["default_headers"] = dict(config.default_headers)
    return type(client)(**(kept | settings), http_client=http.given)


def _driver(client: Any, missing: str) -> Any:
    driver = client._driver  # noqa: SLF001 - of this package
    if driver.http.is_given:
        raise ConfigurationError(
            "The client has an `http_client` of yours, so its twin cannot be made: give "
            f"`{missing}` as well."
        )
    return driver
