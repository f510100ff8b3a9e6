"""`AsyncInstanceShell`: commands, files and ports of one instance, on the running event loop."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import asyncssh

from runcrate_core.errors import SSHConnectionError
from runcrate_core.ssh.commands import (
    DEFAULT_MAX_OUTPUT,
    DEFAULT_TIMEOUT_S,
    KILL_AFTER_S,
    CommandResult,
    Keep,
    OutputCollector,
    command_line,
    is_timeout,
    kill_line,
)
from runcrate_core.ssh.connection import Connection, ConnectionOptions, LogIn, open_session
from runcrate_core.ssh.file_transfer import FileTransfer, OnProgress
from runcrate_core.ssh.port_forward import PortForward
from runcrate_core.ssh.remote_paths import RemoteFile

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Generator
    from types import TracebackType


# Called with each piece of output; may return an awaitable.
OnOutput = Callable[[str], Any]

DEFAULT_MAX_READ: Final = 10_000_000  # bytes
# Beyond its timeout a command has so long to be ended and reported, in seconds.
_GRACE_S: Final = 30.0
_KILL_TIMEOUT_S: Final = 10.0
_CLOSE_TIMEOUT_S: Final = 5.0
# Output that waits for a slow `on_output`; beyond it the instance is made to wait (bytes).
_MAX_WAITING: Final = 1_048_576
# Attempts to open a session, when the connection turns out to be lost before the command is sent.
_ATTEMPTS: Final = 2
_ID_BYTES: Final = 8


class AsyncInstanceShell:
    """Commands and files on a running instance, for asynchronous code.

    Made by `client.instances.connect(...)`, which can be awaited or used with `async with`. It
    belongs to the event loop on which it is first used. One SSH connection is opened when it is
    needed, shared by everything, closed after some time without use, and opened again with a new
    certificate.

    Attributes:
        instance_id: Identifier of the instance.
    """

    def __init__(
        self,
        instance_id: str,
        log_in: LogIn,
        *,
        private_key: asyncssh.SSHKey | None = None,
        options: ConnectionOptions | None = None,
    ) -> None:
        self.instance_id = instance_id
        self._connection = Connection(
            instance_id, log_in, private_key, options or ConnectionOptions()
        )
        self._forwards: list[PortForward] = []
        self._clean_ups: set[asyncio.Task[None]] = set()

    def __repr__(self) -> str:
        state = "connected" if self._connection.is_open else "not connected"
        return f"<{type(self).__name__} {self.instance_id}: {state}>"

    def __await__(self) -> Generator[Any, Any, Self]:
        """Open the connection, and return this shell."""
        return self._open().__await__()

    async def __aenter__(self) -> Self:
        return await self._open()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    @property
    def is_connected(self) -> bool:
        """True if there is a connection now; the next call opens one if there is none."""
        return self._connection.is_open

    async def run(
        self,
        command: str,
        *,
        timeout: float = DEFAULT_TIMEOUT_S,  # noqa: ASYNC109 - the time that the command has there
        on_output: OnOutput | None = None,
        max_output: int = DEFAULT_MAX_OUTPUT,
        keep: Keep = "start",
    ) -> CommandResult:
        """Run a command with `bash` on the instance, in the home directory of the user there.

        It runs at most once. After its timeout, or when the call is cancelled, all its processes
        are ended on the instance, those in the background too. A command that ends on its own
        leaves what it started in the background running.

        Args:
            command: The command; its standard input is empty.
            timeout: Seconds until it is ended.
            on_output: Called with each piece of output as it comes, also beyond `max_output`.
            max_output: Bytes of output in the result.
            keep: Of a longer output, keep the `start`, or `both` ends.

        Returns:
            Output and exit code. The exit code is `None` when the connection was lost after the
            command was sent: it may have ended, or run on until its timeout.

        Raises:
            ValueError: The command or the timeout is not usable; nothing was run.
            SSHError: There is no connection; nothing was run.

        Example:
            ```python
            result = shell.run("nvidia-smi", timeout=30)
            print(result.exit_code, result.output)
            ```
        """
        if max_output < 0:
            raise ValueError("`max_output` must be 0 or more. Nothing was run.")
        identifier = secrets.token_hex(_ID_BYTES)
        line = command_line(command, timeout_s=timeout, command_id=identifier)
        for attempt in range(_ATTEMPTS):
            async with self._connection.use_session() as connection:
                session = _CommandSession(OutputCollector(identifier, max_output, keep))
                try:
                    channel = await open_session(
                        connection, session, line, is_started=session.is_started
                    )
                except (asyncssh.Error, OSError) as error:
                    if session.is_started():  # it may have been run
                        return session.collector.result(None)
                    self._connection.drop()
                    if attempt + 1 < _ATTEMPTS:
                        continue
                    raise SSHConnectionError(
                        f"The instance `{self.instance_id}` opened no session: {error}. Nothing "
                        "was run. Try again."
                    ) from error
                return await self._finish(
                    connection, channel, session, identifier, timeout, on_output
                )
        raise AssertionError  # pragma: no cover - the last attempt returns or raises

    async def upload(
        self,
        source: str | os.PathLike[str],
        target: str,
        *,
        on_progress: OnProgress | None = None,
    ) -> None:
        """Upload a file or a directory.

        A file, and a directory that is not there yet, appears complete or not at all; into a
        directory that exists, files are placed one by one, each complete. Missing directories
        above the target are made. Links in a directory are left out.

        Args:
            source: The file or directory here.
            target: The path on the instance, relative to the home directory or absolute. A file
                goes into a directory that is there.
            on_progress: Called with the bytes done and all bytes.

        Raises:
            OSError: The source cannot be read.
            RemoteFileError: The target cannot be written; it was not changed.
            SSHError: The connection failed; the target was not changed.

        Example:
            ```python
            shell.upload("train.py", "work/train.py")
            ```
        """
        async with self._files(on_progress) as files:
            await files.upload(Path(source), target)

    async def download(
        self,
        source: str,
        target: str | os.PathLike[str],
        *,
        on_progress: OnProgress | None = None,
    ) -> Path:
        """Download a file or a directory.

        Each file appears complete or not at all. Links in a directory are left out, and a name
        that leads out of the directory is refused.

        Args:
            source: The path on the instance.
            target: The file or directory here. A file goes into a directory that is there.
            on_progress: Called with the bytes done and all bytes.

        Returns:
            Where it is.

        Raises:
            OSError: The target cannot be written, or the disk here is full.
            RemoteFileError: The source cannot be read.
            SSHError: The connection failed.

        Example:
            ```python
            shell.download("work/model.bin", "model.bin")
            ```
        """
        async with self._files(on_progress) as files:
            return await files.download(source, Path(target))

    async def read_bytes(self, path: str, *, max_bytes: int = DEFAULT_MAX_READ) -> bytes:
        """Return the content of a file on the instance.

        Args:
            path: The path on the instance.
            max_bytes: A longer file is not read.

        Raises:
            RemoteFileError: It cannot be read, or is longer.
            SSHError: The connection failed.
        """
        async with self._files() as files:
            return await files.read_bytes(path, max_bytes)

    async def write_bytes(self, path: str, data: bytes) -> None:
        """Write a file on the instance, complete or not at all.

        Args:
            path: The path on the instance; missing directories above it are made.
            data: The content.

        Raises:
            RemoteFileError: It cannot be written; it was not changed.
            SSHError: The connection failed; it was not changed.
        """
        async with self._files() as files:
            await files.write_bytes(path, data)

    async def list_files(self, path: str = ".") -> list[RemoteFile]:
        """Return the entries of a directory on the instance.

        Args:
            path: The directory; the home directory when not given.

        Raises:
            RemoteFileError: It cannot be read.
            SSHError: The connection failed.
        """
        async with self._files() as files:
            return await files.list_files(path)

    async def forward(self, remote_port: int, *, local_port: int = 0) -> str:
        """Make a port of the instance's loopback reachable on this computer.

        It stays until the shell is closed, also when the SSH connection is lost: the next
        connection to it opens another. Only this computer can reach it.

        Args:
            remote_port: The port on the instance.
            local_port: The port here; 0 takes a free one.

        Returns:
            The URL here, such as `http://127.0.0.1:40123`.

        Raises:
            ValueError: It is not a valid port.
            OSError: The local port is in use.

        Example:
            ```python
            url = shell.forward(8000)
            ```
        """
        forward = PortForward(self._connection, remote_port)
        url = await forward.listen(local_port)
        self._forwards.append(forward)
        return url

    async def close(self) -> None:
        """Close forwarded ports and the connection; may be called again."""
        if self._clean_ups:
            await asyncio.wait(self._clean_ups, timeout=_KILL_TIMEOUT_S)
        forwards, self._forwards = self._forwards, []
        for forward in forwards:
            await forward.close()
        await self._connection.close()

    async def _open(self) -> Self:
        async with self._connection.use():
            return self

    @contextlib.asynccontextmanager
    async def _files(self, on_progress: OnProgress | None = None) -> AsyncIterator[FileTransfer]:
        async with self._connection.use() as connection:
            try:
                sftp = await self._connection.sftp(connection)
            except (asyncssh.Error, OSError) as error:
                raise SSHConnectionError(
                    f"The instance `{self.instance_id}` did not open a file transfer: {error}. "
                    "Nothing was transferred. Try again."
                ) from error
            yield FileTransfer(sftp, on_progress)

    async def _finish(
        self,
        connection: asyncssh.SSHClientConnection,
        channel: Any,
        session: _CommandSession,
        identifier: str,
        timeout_s: float,
        on_output: OnOutput | None,
    ) -> CommandResult:
        """Wait for the end of a command that was sent."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        try:
            async with asyncio.timeout(timeout_s + KILL_AFTER_S + _GRACE_S):
                await session.pump(on_output)
        except TimeoutError:
            if not session.is_late:  # raised by `on_output`
                await self._end_command(connection, identifier)
                raise
            self._connection.drop()  # the instance does not respond any more
            return session.collector.result(None)
        except BaseException:
            await self._end_command(connection, identifier)
            raise
        finally:
            channel.close()
        with contextlib.suppress(TimeoutError, asyncssh.Error, OSError):
            # The session counts on the server until it is closed there too.
            await asyncio.wait_for(channel.wait_closed(), _CLOSE_TIMEOUT_S)
        timed_out = is_timeout(session.collector.exit_code, loop.time() - started, timeout_s)
        return session.collector.result(session.exit_status, timed_out=timed_out)

    async def _end_command(self, connection: asyncssh.SSHClientConnection, identifier: str) -> None:
        """End a command on the instance; continues when this task is cancelled (again)."""
        task = asyncio.get_running_loop().create_task(_kill(connection, identifier))
        self._clean_ups.add(task)
        task.add_done_callback(self._clean_ups.discard)
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.shield(task)


async def _kill(connection: asyncssh.SSHClientConnection, identifier: str) -> None:
    with contextlib.suppress(asyncssh.Error, OSError, TimeoutError):
        async with asyncio.timeout(_KILL_TIMEOUT_S):
            await connection.run(kill_line(identifier), encoding=None)


class _CommandSession(asyncssh.SSHClientSession[bytes]):
    """Receives the output of one command.

    Attributes:
        collector: Where it goes.
        exit_status: As the server reports it, when there is no marker.
        is_late: The time for the command is over, and its end was not reported.
    """

    def __init__(self, collector: OutputCollector) -> None:
        self.collector = collector
        self.exit_status: int | None = None
        self.is_late = True
        self._channel: Any = None
        self._pieces: list[str] = []
        self._waiting = 0
        self._errors = bytearray()
        self._is_over = False
        self._news = asyncio.Event()

    def is_started(self) -> bool:
        """True if the session was opened, so that the command may have been sent."""
        return self._channel is not None

    def connection_made(self, chan: Any) -> None:
        """Note the channel; the command is sent next."""
        self._channel = chan

    def data_received(self, data: bytes, datatype: Any) -> None:
        """Take output."""
        if datatype is not None:  # of the login shell, before the command
            self._errors += data[: _MAX_WAITING - len(self._errors)]
            return
        self._add(self.collector.feed(data))
        if self.collector.exit_code is not None:
            self._end()

    def exit_status_received(self, status: int) -> None:
        """Note the status, which counts when there is no marker."""
        self.exit_status = status

    def connection_lost(self, exc: Exception | None) -> None:
        """Take it that nothing follows."""
        if self.collector.exit_code is None:
            self._add(self.collector.finish())
            if self._errors and exc is None:
                self._add(self.collector.feed(bytes(self._errors)))
        self._end()

    async def pump(self, on_output: OnOutput | None) -> None:
        """Pass the output on until the end of the command."""
        while True:
            await self._news.wait()
            self._news.clear()
            pieces, self._pieces, self._waiting = self._pieces, [], 0
            if self._channel is not None:
                self._channel.resume_reading()
            if on_output is not None:
                self.is_late = False
                text = "".join(pieces)
                if text:
                    result = on_output(text)
                    if inspect.isawaitable(result):
                        await result
                self.is_late = True
            if self._is_over and not self._pieces:
                return

    def _add(self, text: str) -> None:
        if text:
            self._pieces.append(text)
            self._waiting += len(text)
            if self._waiting > _MAX_WAITING:
                self._channel.pause_reading()
            self._news.set()

    def _end(self) -> None:
        self._is_over = True
        self._news.set()
