"""Methods that the infrastructure toolkits of all frameworks share."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from runcrate_core.spending.ledger import SpendLedger
from runcrate_core.spending.session import SpendSession

if TYPE_CHECKING:
    from runcrate_core.agent_tools.toolbox import AgentToolbox
    from runcrate_core.ssh.served_model import ServedModel, ServeOptions
    from runcrate_core.sync_async_clients import SyncAsyncClients

    Served = TypeVar("Served", bound=ServedModel)


class ToolkitMixin:
    """Holds a toolbox and the clients that it works with.

    The classes of the adapters are made of this: they set `_toolbox` and `_clients`.
    """

    _toolbox: AgentToolbox
    _clients: SyncAsyncClients

    @property
    def ledger(self) -> SpendLedger:
        """The ledger of started resources and their cost."""
        return self._toolbox.ledger

    def session(self, *, timeout: float | None = None) -> SpendSession:
        """Return a session for `with` or `async with`.

        However it is left (by an exception, a cancellation, Ctrl-C or SIGTERM too), everything
        that was started in it is ended on the way out, and what could not be ended is said:
        in its `report`, as a note on the exception or a warning, and in the log. Outside of a
        session, after the first, nothing can be started.

        Args:
            timeout: Most seconds that leaving takes; 90 when not given.
        """
        return self._toolbox.session(self._clients, timeout=timeout)

    def _serve(self, kind: type[Served], command: str, options: ServeOptions) -> Served:
        """Return the context manager of a served model; adapters declare its kind."""
        return self._toolbox.serve(self._clients, kind, command, options)

    def close(self) -> None:
        """Close the connections of this toolkit; a client that was passed in stays open."""
        self._toolbox.close()
        self._clients.close()

    async def aclose(self) -> None:
        """Close the connections of this toolkit, asynchronous ones too."""
        await asyncio.to_thread(self._toolbox.close)
        await self._clients.aclose()
