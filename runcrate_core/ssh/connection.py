"""The SSH connection to one instance: opened when needed, closed when idle, opened again.

A connection that stays open counts as a user for the idle stop of the server, so it is closed
after a time in which nothing used it. Each opening fetches a new certificate for a new key that
exists in memory only.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import asyncssh

from runcrate_core.errors import (
    ConfigurationError,
    HostKeyChangedError,
    ResponseFormatError,
    SSHAuthenticationError,
    SSHConnectionError,
    SSHError,
)
from runcrate_core.ssh.certificates import valid_until
from runcrate_core.ssh.host_keys import HostKey, HostKeyStore
from runcrate_core.ssh.login import Login

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


# Asked for each connection: takes a public key (`None` with an own key), returns the login.
LogIn = Callable[[str | None], Awaitable[Login]]

# OpenSSH allows 10 sessions on one connection unless it is configured otherwise. One is left for
# files and one to end a command.
MAX_COMMANDS: Final = 8
# How long a session is asked for again when the server has none left, in seconds.
SESSION_PATIENCE_S: Final = 30.0
_SESSION_WAIT_S: Final = 0.1
# The first pause before a refused connection is tried again; each next one is twice as long.
_FIRST_PAUSE_S: Final = 0.25
_MAX_PAUSE_S: Final = 4.0
# Seconds of silence after which the server is asked for a sign of life, and how often it may miss.
_KEEPALIVE_S: Final = 15.0
_MAX_MISSED: Final = 3
_CLOSE_TIMEOUT_S: Final = 5.0
_RSA_ALGORITHMS: Final = ("rsa-sha2-512", "rsa-sha2-256", "ssh-rsa")


@dataclass(frozen=True)
class ConnectionOptions:
    """Settings of the connection to an instance.

    Attributes:
        idle_timeout: Seconds without use after which it is closed.
        connect_timeout: Seconds in which opening it is tried.
        known_hosts: The file of pinned host keys; that of the user when not given.
    """

    idle_timeout: float = 60.0
    connect_timeout: float = 20.0
    known_hosts: Path | None = None


class Connection:
    """The connection to one instance, shared by everything that is done there.

    Args:
        instance_id: Identifier, under which the host key is pinned.
        log_in: Asked for each opening where to log in.
        private_key: An own key; without one each opening makes a key in memory.
        options: Settings.
    """

    def __init__(
        self,
        instance_id: str,
        log_in: LogIn,
        private_key: asyncssh.SSHKey | None,
        options: ConnectionOptions,
    ) -> None:
        self.instance_id = instance_id
        self._log_in = log_in
        self._private_key = private_key
        self._options = options
        self._host_keys = HostKeyStore(options.known_hosts)
        self._opened: asyncssh.SSHClientConnection | None = None
        self._sftp: asyncssh.SFTPClient | None = None
        self._opening = asyncio.Lock()
        self._starting_sftp = asyncio.Lock()
        self._commands = asyncio.Semaphore(MAX_COMMANDS)
        self._uses = 0
        self._idle: asyncio.TimerHandle | None = None
        self._is_closed = False

    @property
    def is_open(self) -> bool:
        """True if there is a connection now."""
        return self._opened is not None and not self._opened.is_closed()

    @contextlib.asynccontextmanager
    async def use(self) -> AsyncIterator[asyncssh.SSHClientConnection]:
        """Return an open connection, which is not closed for being idle meanwhile.

        Raises:
            SSHError: It cannot be opened.
        """
        self._uses += 1
        self._cancel_idle()
        try:
            yield await self.get()
        finally:
            self._uses -= 1
            if not self._uses and self.is_open:
                loop = asyncio.get_running_loop()
                self._idle = loop.call_later(self._options.idle_timeout, self._close_idle)

    @contextlib.asynccontextmanager
    async def use_session(self) -> AsyncIterator[asyncssh.SSHClientConnection]:
        """Do as `use`, when one of the sessions for commands is free."""
        async with self._commands, self.use() as connection:
            yield connection

    async def get(self) -> asyncssh.SSHClientConnection:
        """Return an open connection; opens one if there is none."""
        async with self._opening:
            if self._is_closed:
                raise closed_error(self.instance_id)
            if self._opened is None or self._opened.is_closed():
                self._sftp = None
                self._opened = await self._open()
            return self._opened

    async def sftp(self, connection: asyncssh.SSHClientConnection) -> asyncssh.SFTPClient:
        """Return the file client of a connection."""
        async with self._starting_sftp:
            if self._sftp is None or connection is not self._opened:
                # Names are bytes; those that are no UTF-8 are kept as the system keeps them.
                started = await connection.start_sftp_client(path_errors="surrogateescape")
                if connection is not self._opened:
                    return started
                self._sftp = started
            return self._sftp

    async def close(self) -> None:
        """Close it for good; may be called again."""
        self._is_closed = True
        self._cancel_idle()
        opened, self._opened = self._opened, None
        if opened is None:
            return
        opened.close()
        with contextlib.suppress(TimeoutError, asyncssh.Error, OSError):
            await asyncio.wait_for(opened.wait_closed(), _CLOSE_TIMEOUT_S)
        opened.abort()

    def drop(self) -> None:
        """Give the present connection up, as the other side does not respond."""
        opened, self._opened = self._opened, None
        if opened is not None:
            opened.abort()

    def _cancel_idle(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None

    def _close_idle(self) -> None:
        self._idle = None
        opened, self._opened = self._opened, None
        if opened is not None:
            opened.close()

    async def _open(self) -> asyncssh.SSHClientConnection:
        """Open a connection; one that is refused is tried again, as an instance may still boot."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._options.connect_timeout
        pause = _FIRST_PAUSE_S
        while True:
            try:
                return await self._open_once(max(deadline - loop.time(), 1.0))
            except _UnreachableError as error:
                if loop.time() + pause >= deadline:
                    raise SSHConnectionError(
                        f"The instance `{self.instance_id}` could not be reached at "
                        f"{error.address}: {error.reason}. Nothing was run. Check that it runs "
                        "and try again."
                    ) from error.__cause__
                await asyncio.sleep(pause)
                pause = min(pause * 2, _MAX_PAUSE_S)

    async def _open_once(self, timeout_s: float) -> asyncssh.SSHClientConnection:
        pinned = await asyncio.to_thread(self._host_keys.find, self.instance_id)
        key = self._private_key or asyncssh.generate_private_key("ssh-ed25519")
        public_key = None if self._private_key else key.export_public_key().decode().strip()
        login = await self._log_in(public_key)
        certificate = _certificate(login.certificate) if login.certificate else None
        checker = _HostKeyChecker(pinned)
        address = f"{login.host}:{login.port}"
        try:
            connection = await asyncssh.connect(
                login.host,
                login.port,
                username=login.user,
                client_keys=[key if certificate is None else (key, certificate)],
                client_factory=lambda: checker,
                # Nothing of the user's own SSH set-up is read or offered.
                config=None,
                agent_path=None,
                preferred_auth="publickey",
                known_hosts=([], [], []),
                server_host_key_algs="default" if pinned is None else _algorithms(pinned),
                connect_timeout=timeout_s,
                login_timeout=self._options.connect_timeout,
                keepalive_interval=_KEEPALIVE_S,
                keepalive_count_max=_MAX_MISSED,
            )
        except asyncssh.HostKeyNotVerifiable as error:
            raise self._changed_key(checker) from error
        except asyncssh.KeyExchangeFailed as error:
            if pinned is not None:  # the server has no key of the pinned type any more
                raise self._changed_key(checker) from error
            raise _UnreachableError(address, _reason(error)) from error
        except asyncssh.PermissionDenied as error:
            raise self._refused(login, address) from error
        except (asyncssh.Error, OSError) as error:
            raise _UnreachableError(address, _reason(error)) from error
        try:
            if pinned is None and checker.shown is not None:
                await self._pin(checker.shown)
        except BaseException:
            connection.abort()
            raise
        return connection

    async def _pin(self, shown: HostKey) -> None:
        now = await asyncio.to_thread(self._host_keys.pin, self.instance_id, shown)
        if now != shown:
            raise self._changed_key(None)

    def _changed_key(self, checker: _HostKeyChecker | None) -> HostKeyChangedError:
        shown = "" if checker is None or checker.fingerprint is None else checker.fingerprint
        return HostKeyChangedError(
            f"The instance `{self.instance_id}` shows another host key{shown and f' ({shown})'} "
            "than at the first connection. Someone may be intercepting the connection. It was "
            "closed before anything was sent. If the change is expected, remove the line of the "
            f"instance from `{self._host_keys.path}`."
        )

    def _refused(self, login: Login, address: str) -> SSHError:
        if login.certificate is None:
            return SSHAuthenticationError(
                f"The instance `{self.instance_id}` at {address} refused the key for the user "
                f"`{login.user}`. Nothing was run. Launch it with the `ssh_key_id` of this key."
            )
        expiry = valid_until(login.certificate)
        validity = "" if expiry is None else f" (valid until {expiry:%Y-%m-%d %H:%M:%S} UTC)"
        return SSHAuthenticationError(
            f"The instance `{self.instance_id}` at {address} refused the certificate{validity} for "
            f"the user `{login.user}`. Nothing was run. If it has expired, connect again; else "
            "connect with `private_key=Path(...)`."
        )


def closed_error(instance_id: str) -> ConfigurationError:
    """Return the error for the use of a shell that was closed."""
    return ConfigurationError(
        f"The shell of the instance `{instance_id}` was closed. Nothing was run. Connect again."
    )


class _UnreachableError(Exception):
    """A connection could not be opened this time."""

    def __init__(self, address: str, reason: str) -> None:
        super().__init__(reason)
        self.address = address
        self.reason = reason


class _HostKeyChecker(asyncssh.SSHClient):
    """Accepts the pinned host key alone, or the first one.

    Attributes:
        shown: The key that the server showed.
        fingerprint: Its fingerprint.
    """

    def __init__(self, pinned: HostKey | None) -> None:
        self._pinned = pinned
        self.shown: HostKey | None = None
        self.fingerprint: str | None = None

    def validate_host_public_key(
        self,
        host: str,  # noqa: ARG002 - of the interface
        addr: str,  # noqa: ARG002 - of the interface
        port: int,  # noqa: ARG002 - of the interface
        key: asyncssh.SSHKey,
    ) -> bool:
        """Decide on the server's key, before anything else is sent."""
        self.shown = HostKey.parse(key.export_public_key().decode())
        self.fingerprint = key.get_fingerprint()
        return self._pinned is None or self.shown == self._pinned


def _algorithms(key: HostKey) -> list[str]:
    """Return the signature algorithms of a key, so that the server shows that one."""
    return list(_RSA_ALGORITHMS) if key.type == "ssh-rsa" else [key.type]


def _certificate(text: str) -> asyncssh.SSHCertificate:
    try:
        return asyncssh.import_certificate(text)
    except (asyncssh.KeyImportError, ValueError) as error:
        raise ResponseFormatError(
            "The API issued an SSH certificate that cannot be read. Nothing was run. Try again, or "
            "connect with `private_key=Path(...)`."
        ) from error


def _reason(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "no response in time"
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)
    return str(error) or type(error).__name__


async def open_session(
    connection: asyncssh.SSHClientConnection,
    session: Any,
    line: str,
    *,
    is_started: Callable[[], bool],
) -> Any:
    """Open a session for a command; one that the server refuses is asked for again for a while.

    Args:
        connection: The connection.
        session: An `SSHClientSession`.
        line: The command.
        is_started: Whether the command may have been sent. Then nothing is sent again.

    Returns:
        Its channel.

    Raises:
        asyncssh.Error: It cannot be opened.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + SESSION_PATIENCE_S
    while True:
        try:
            channel, _ = await connection.create_session(lambda: session, line, encoding=None)
        except asyncssh.ChannelOpenError:
            if is_started() or connection.is_closed() or loop.time() >= deadline:
                raise
            await asyncio.sleep(_SESSION_WAIT_S)
        else:
            return channel
