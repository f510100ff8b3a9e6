"""One shell for each instance, shared by the tools of an agent."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from runcrate_core.protocol.fork_safety import start_again_after_fork
from runcrate_core.ssh.opening import open_shell
from runcrate_core.ssh.settings import ShellSettings

if TYPE_CHECKING:
    from runcrate_core.protocol.steps import Runner
    from runcrate_core.ssh.sync_shell import InstanceShell


class ShellPool:
    """Opens a shell for an instance at its first use. Safe for threads."""

    def __init__(self) -> None:
        self.start_again()
        start_again_after_fork(self)

    def start_again(self) -> None:
        """Forget the shells in a child process: their connections are the parent's."""
        self._shells: dict[str, InstanceShell] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()

    def get(self, runner: Runner, instance_id: str) -> InstanceShell:
        """Return the shell of an instance; blocks until it is connected.

        Raises:
            SSHError: It cannot be connected.
            ConfigurationError: The extra is not installed.
        """
        with self._lock:
            opening = self._locks.setdefault(instance_id, threading.Lock())
        with opening:
            shell = self._shells.get(instance_id)
            if shell is None:
                shell = self._shells[instance_id] = open_shell(runner, ShellSettings(instance_id))
            return shell

    def close(self) -> None:
        """Close all shells; a later use opens others."""
        with self._lock:
            shells, self._shells = self._shells, {}
        for shell in shells.values():
            shell.close()
