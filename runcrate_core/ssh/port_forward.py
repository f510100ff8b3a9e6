"""Ports of an instance on this computer: a loopback listener whose connections go over SSH.

The listener stays when the SSH connection is lost or closed for being idle; the next connection to
it opens the SSH connection again. Only connections through it count as use.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Final

import asyncssh

from runcrate_core.errors import RuncrateError
from runcrate_core.ssh.settings import check_port

if TYPE_CHECKING:
    from runcrate_core.ssh.connection import Connection

LOOPBACK: Final = "127.0.0.1"
_BLOCK: Final = 65_536


class PortForward:
    """One forwarded port.

    Args:
        connection: The connection to the instance.
        remote_port: The port on the loopback of the instance.
    """

    def __init__(self, connection: Connection, remote_port: int) -> None:
        check_port(remote_port)
        self._connection = connection
        self._remote_port = remote_port
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self.last_error: Exception | None = None

    async def listen(self, local_port: int = 0) -> str:
        """Listen on loopback; return the URL.

        Args:
            local_port: The port here; 0 takes a free one.

        Raises:
            OSError: The port is in use.
        """
        self._server = await asyncio.start_server(self._serve, LOOPBACK, local_port)
        port = self._server.sockets[0].getsockname()[1]
        return f"http://{LOOPBACK}:{port}"

    async def close(self) -> None:
        """Stop listening and close what is open."""
        if self._server is not None:
            self._server.close()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:  # pragma: no branch - a coroutine is run by a task
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        try:
            async with self._connection.use() as connection:
                remote_reader, remote_writer = await connection.open_connection(
                    LOOPBACK, self._remote_port, encoding=None
                )
                await _both_ways(reader, writer, remote_reader, remote_writer)
        except (RuncrateError, asyncssh.Error, OSError) as error:
            self.last_error = error  # who connected sees its connection closed
        except asyncio.CancelledError:
            pass  # by `close`; Python 3.11 would log an error of the cancelled task
        finally:
            with contextlib.suppress(OSError, RuntimeError):
                writer.close()


async def _both_ways(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    remote_reader: asyncssh.SSHReader[bytes],
    remote_writer: asyncssh.SSHWriter[bytes],
) -> None:
    """Copy in both directions until the instance has sent everything."""
    sending = asyncio.ensure_future(_copy(reader, remote_writer))
    try:
        await _copy(remote_reader, writer)
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        remote_writer.close()


async def _copy(reader: Any, writer: Any) -> None:
    while data := await reader.read(_BLOCK):
        writer.write(data)
        await writer.drain()
    with contextlib.suppress(OSError):
        writer.write_eof()
