"""Parts that can be handed the program's own clients."""

from __future__ import annotations

from typing import Any

from pydantic import Field, PrivateAttr

from langchain_runcrate.connection import RuncrateConnection
from runcrate_core.toolkit import SyncAsyncClients


class GivenClients(RuncrateConnection, extra="forbid"):
    """A connection made from the settings, or clients that the program has already.

    Of `client` and `async_client` one is enough: the other is made with the same settings.
    """

    client: Any = Field(default=None, exclude=True, repr=False)
    """A `runcrate_core.Runcrate` to use instead of one made from the settings. Not closed."""

    async_client: Any = Field(default=None, exclude=True, repr=False)
    """A `runcrate_core.AsyncRuncrate` to use for asynchronous calls. Not closed."""

    _given: SyncAsyncClients | None = PrivateAttr(default=None)

    def model_post_init(self, context: Any, /) -> None:
        """Pair the clients, when one was given."""
        super().model_post_init(context)
        if self.client is not None or self.async_client is not None:
            self._given = SyncAsyncClients(self.client, self.async_client)

    def close(self) -> None:
        """Close the connections that were made here; see `RuncrateConnection.close`."""
        super().close()
        if self._given is not None:
            self._given.close()

    async def aclose(self) -> None:
        """Close the connections that were made here, of the running event loop as well."""
        await super().aclose()
        if self._given is not None:
            await self._given.aclose()

    def _clients(self) -> Any:
        return super()._clients() if self._given is None else self._given
