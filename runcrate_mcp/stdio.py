"""Serve one client over standard input and output."""

from __future__ import annotations

import asyncio
import logging
import os
from typing import TYPE_CHECKING, Any, Final

from mcp.server.stdio import stdio_server

from runcrate_mcp.server import build_server

if TYPE_CHECKING:
    from runcrate_core import AsyncRuncrate
    from runcrate_mcp.settings import ServerSettings

_INTERRUPTED: Final = 130


async def serve_stdio(settings: ServerSettings, client: AsyncRuncrate | None = None) -> None:
    """Serve until the client closes standard input, or the process is asked to stop.

    In both cases everything that was started is terminated first.

    Args:
        settings: Limits, directories and approval.
        client: The client that sends the requests; made from the environment by default.
    """
    server: Any = build_server(settings, client)
    async with stdio_server() as (read_stream, write_stream):
        try:
            await server.run(read_stream, write_stream, server.create_initialization_options())
        except (asyncio.CancelledError, SystemExit) as reason:
            # A thread is blocked in reading standard input, and nothing can interrupt it: an
            # orderly exit would wait for the client. The session has been left by now.
            logging.shutdown()
            code = reason.code if isinstance(reason, SystemExit) else None
            os._exit(int(code or _INTERRUPTED))
