"""A blocking and an asynchronous client for the same account, of which one may be given."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from runcrate_core.client import AsyncRuncrate, Runcrate
from runcrate_core.errors import ConfigurationError
from runcrate_core.io.driver import AsyncDriver, BlockingDriver
from runcrate_core.io.http import AsyncHttp, BlockingHttp


class ClientPair:
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
        self._made_blocking: Runcrate | None = None
        self._made_asynchronous: AsyncRuncrate | None = None
        if client is None and async_client is None:
            client = self._made_blocking = Runcrate()
        self._client = client
        self._async_client = async_client

    @cached_property
    def blocking(self) -> Runcrate:
        """The blocking client.

        Raises:
            ConfigurationError: It cannot be made of the asynchronous one.
        """
        if self._client is not None:
            return self._client
        driver = _driver(self._async_client)
        _require_own_connections(driver, "client=Runcrate(...)")
        twin = self._made_blocking = object.__new__(Runcrate)
        twin._driver = BlockingDriver(driver.config, BlockingHttp(), driver.around)
        return twin

    @cached_property
    def asynchronous(self) -> AsyncRuncrate:
        """The asynchronous client.

        Raises:
            ConfigurationError: It cannot be made of the blocking one.
        """
        if self._async_client is not None:
            return self._async_client
        driver = _driver(self._client)
        _require_own_connections(driver, "async_client=AsyncRuncrate(...)")
        twin = self._made_asynchronous = object.__new__(AsyncRuncrate)
        twin._driver = AsyncDriver(driver.config, AsyncHttp(), driver.around)
        return twin

    def close(self) -> None:
        """Close the blocking client, if it was made here."""
        if self._made_blocking is not None:
            self._made_blocking.close()

    async def aclose(self) -> None:
        """Close the clients that were made here."""
        self.close()
        if self._made_asynchronous is not None:
            await self._made_asynchronous.aclose()


def _driver(client: Any) -> Any:
    return client._driver  # noqa: SLF001 - of this package


def _require_own_connections(driver: Any, missing: str) -> None:
    if driver.http.is_given:
        raise ConfigurationError(
            f"The client has an `http_client` of yours, so its twin cannot be made: give "
            f"`{missing}` as well."
        )
