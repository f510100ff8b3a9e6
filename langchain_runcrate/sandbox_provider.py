"""Runcrate as a sandbox provider of Deep Agents Code: `dcode --sandbox runcrate`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from langchain_runcrate.sandbox import RuncrateSandbox
from runcrate_core import ConfigurationError, SpendLimits

if TYPE_CHECKING:
    from langchain_runcrate.sandbox import LaunchedSandbox

_WORKING_DIRECTORY: Final = "/root"
_LIMITS: Final = (
    "max_price_per_hour",
    "max_gpus",
    "max_runtime_minutes",
    "max_total_usd",
    "gpu_types",
    "regions",
    "name_prefix",
)


class RuncrateSandboxProvider:
    """Launches and terminates sandboxes for `dcode`; its entry point names it `runcrate`.

    Limits and options are in the configuration of `dcode`, under
    `[sandboxes.providers.runcrate.params]`: those of `SpendLimits` (`max_price_per_hour`,
    `max_runtime_minutes`, `max_total_usd`, ...) and of `RuncrateSandbox.launch` (`gpu_type`,
    `setup`, `template`, ...). Without them the defaults of `SpendLimits` hold, which are small.
    """

    def __init__(self) -> None:
        self._launched: dict[str, LaunchedSandbox] = {}

    @property
    def metadata(self) -> Any:
        """The provider as `dcode` shows it; `None` if it is not installed."""
        try:
            from deepagents_code.integrations.sandbox_provider import (  # noqa: PLC0415 - which need not be installed
                SandboxProviderMetadata,
            )
        except ImportError:
            return None
        return SandboxProviderMetadata(
            name="runcrate",
            working_dir=_WORKING_DIRECTORY,
            backend_module="langchain_runcrate.sandbox",
        )

    def get_or_create(self, *, sandbox_id: str | None = None, **params: Any) -> RuncrateSandbox:
        """Return the sandbox of a running instance, or launch one.

        Args:
            sandbox_id: Identifier of an instance that runs.
            params: Limits and options of the launch.

        Raises:
            SpendRefusedError: The limits forbid it; nothing was launched.
        """
        if sandbox_id is not None:
            return RuncrateSandbox(None, sandbox_id)
        limits = SpendLimits(**{name: params.pop(name) for name in _LIMITS if name in params})
        launched = RuncrateSandbox.launch(limits=limits, **params)
        sandbox = launched.__enter__()
        self._launched[sandbox.id] = launched
        return sandbox

    def delete(self, *, sandbox_id: str, **_: Any) -> None:
        """Terminate an instance that was launched here.

        Raises:
            ConfigurationError: It was not launched here, so it was not terminated.
        """
        launched = self._launched.pop(sandbox_id, None)
        if launched is None:
            raise ConfigurationError(
                f"The instance `{sandbox_id}` was not launched by this program, so it was not "
                "terminated. Terminate it with `client.instances.terminate(...)`."
            )
        launched.__exit__(None, None, None)

    async def aget_or_create(
        self, *, sandbox_id: str | None = None, **params: Any
    ) -> RuncrateSandbox:
        """Return the sandbox of a running instance, or launch one; see `get_or_create`."""
        return await asyncio.to_thread(self.get_or_create, sandbox_id=sandbox_id, **params)

    async def adelete(self, *, sandbox_id: str, **_: Any) -> None:
        """Terminate an instance that was launched here; see `delete`."""
        await asyncio.to_thread(self.delete, sandbox_id=sandbox_id)
