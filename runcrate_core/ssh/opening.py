"""The shell of an instance, made for either client; the libraries of the extra are loaded here."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from runcrate_core.errors import ConfigurationError
from runcrate_core.ssh.settings import private_key_text

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from runcrate_core.protocol.steps import Flow, Runner
    from runcrate_core.ssh.login import Login
    from runcrate_core.ssh.settings import ShellSettings
    from runcrate_core.ssh.shell import AsyncInstanceShell
    from runcrate_core.ssh.sync_shell import InstanceShell


def open_shell(runner: Runner, settings: ShellSettings) -> InstanceShell:
    """Connect, and return a shell whose event loop runs in a thread of its own."""
    require_extra()
    from runcrate_core.ssh.sync_shell import InstanceShell  # noqa: PLC0415 - an extra

    async def run(flow: Flow[Login]) -> Login:
        # Connections of an asynchronous client belong to its own event loop.
        return await asyncio.to_thread(runner.run_sync, flow)

    key = _private_key(settings)
    return InstanceShell(lambda: _shell(run, settings, key))


def make_shell(runner: Runner, settings: ShellSettings) -> AsyncInstanceShell:
    """Return a shell for the running event loop; it connects when it is awaited."""
    require_extra()
    return _shell(runner.run_async, settings, _private_key(settings))


def _shell(
    run: Callable[[Flow[Login]], Awaitable[Login]], settings: ShellSettings, key: Any
) -> AsyncInstanceShell:
    from runcrate_core.ssh.connection import ConnectionOptions  # noqa: PLC0415 - an extra
    from runcrate_core.ssh.login import (  # noqa: PLC0415 - which needs the instances itself
        log_in_with_certificate,
        log_in_with_key,
    )
    from runcrate_core.ssh.shell import AsyncInstanceShell  # noqa: PLC0415 - an extra

    async def log_in(public_key: str | None) -> Login:
        if public_key is None:
            return await run(log_in_with_key(settings.instance_id))
        return await run(log_in_with_certificate(settings.instance_id, public_key))

    options = ConnectionOptions(
        settings.idle_timeout, settings.connect_timeout, settings.known_hosts
    )
    return AsyncInstanceShell(settings.instance_id, log_in, private_key=key, options=options)


def _private_key(settings: ShellSettings) -> Any:
    """Return the user's own key, if one was given.

    Raises:
        ValueError: It is not a private key, or its passphrase is wrong.
    """
    if settings.private_key is None:
        return None
    import asyncssh  # noqa: PLC0415 - an extra

    text = private_key_text(settings.private_key)
    try:
        return asyncssh.import_private_key(text, settings.passphrase)
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError) as error:
        raise ValueError(
            "`private_key` cannot be read: it is not a private key, or `passphrase` is missing or "
            "wrong. Nothing was sent."
        ) from error


def require_extra() -> None:
    """Check that the libraries are there.

    Raises:
        ConfigurationError: They are not; the message names the package to install.
    """
    try:
        import anyio  # noqa: F401, PLC0415 - an extra
        import asyncssh  # noqa: F401, PLC0415 - an extra
    except ImportError:
        raise ConfigurationError(
            "Commands on instances need asyncssh. Nothing was sent. "
            'Run: pip install "runcrate-integrations[ssh]"'
        ) from None
