"""An instance for the length of a `with` block: planned, approved, launched, set up, terminated."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, TypedDict

from runcrate_core.api import instances
from runcrate_core.api.instances import Instance
from runcrate_core.errors import InstanceSetupError
from runcrate_core.protocol.polling import check_waiting
from runcrate_core.protocol.steps import Flow, GetRunner, InvokeCallback, RunInThread
from runcrate_core.spending.cleanup import CleanupReport
from runcrate_core.spending.guard import SpendGuard
from runcrate_core.spending.ledger import SpendLedger
from runcrate_core.spending.limits import SpendLimits
from runcrate_core.spending.plans import ApproveCallback
from runcrate_core.spending.session import SpendSession
from runcrate_core.ssh.commands import command_line
from runcrate_core.ssh.opening import open_shell, require_extra
from runcrate_core.ssh.settings import ShellSettings
from runcrate_core.ssh.shell_flows import finish
from runcrate_core.sync_async_clients import SyncAsyncClients

if TYPE_CHECKING:  # of an extra
    from runcrate_core.ssh.sync_shell import InstanceShell

DEFAULT_SETUP_TIMEOUT_S: Final = 1800.0
DEFAULT_WAIT_TIMEOUT_S: Final = 900.0
# As much of a failed command's output as its error shows.
MAX_SHOWN_OUTPUT: Final = 4000
_MAX_OUTPUT: Final = 100_000
_OWN_FIELDS: Final = (
    "gpu_type",
    "max_runtime_minutes",
    "setup_timeout",
    "wait_timeout",
    "poll_interval",
    "on_status",
)


class LaunchOptions(TypedDict, total=False):
    """Further options of a launch; for those of the instance see `client.instances.create`.

    Attributes:
        setup_timeout: Seconds for each command of the set-up; 1800 when not given.
        wait_timeout: Seconds in which the instance must run; 900 when not given.
        poll_interval: Seconds between two polls meanwhile; 5 when not given.
    """

    setup_timeout: float
    wait_timeout: float
    poll_interval: float
    instance_type_id: str
    name: str
    region: str
    gpu_count: int
    cpu_cores: int
    memory: int
    storage: int
    template: str
    ssh_key_id: str
    storage_id: str
    env_vars: Mapping[str, str]
    startup_commands: Sequence[str]
    launch_script: str
    launch_script_base64: str
    idle_shutdown_minutes: int


@dataclass(frozen=True)
class LaunchSettings:
    """The instance to launch, and how it is set up.

    Attributes:
        gpu_type: GPU; any allowed one when not given.
        max_runtime_minutes: Its lifetime, which the server enforces; that of the limits when not
            given.
        setup: Commands that are run in order when it runs; the first that fails ends it.
        setup_timeout: Seconds for each of them.
        wait_timeout: Seconds in which it must run.
        poll_interval: Seconds between two polls meanwhile.
        on_status: Called with a line for each step.
        options: Further options of the plan (`region`, `gpu_count`, `name`, `template`, ...).
    """

    gpu_type: str | None = None
    max_runtime_minutes: int | None = None
    setup: tuple[str, ...] = ()
    setup_timeout: float = DEFAULT_SETUP_TIMEOUT_S
    wait_timeout: float = DEFAULT_WAIT_TIMEOUT_S
    poll_interval: float = 5.0
    on_status: Callable[[str], Any] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, *, setup: Sequence[str] | str | None = (), **options: Any) -> Self:
        """Return settings; what is none of these fields is an option of the plan.

        Raises:
            TypeError: It is neither. Nothing was launched.
        """
        own = {name: options.pop(name) for name in _OWN_FIELDS if name in options}
        if unknown := sorted(options.keys() - instances.LAUNCH_FIELDS):
            known = ", ".join(sorted(instances.LAUNCH_FIELDS.union(_OWN_FIELDS)))
            raise TypeError(
                f"`{unknown[0]}` is not an option of a launch, which are: {known}. Nothing was "
                "launched."
            )
        commands = (setup,) if isinstance(setup, str) else tuple(setup or ())
        return cls(setup=commands, options=options, **own)


class LaunchedInstance:
    """A context manager, for `with` and `async with`, with an instance of its own.

    However the block is left, the instance is terminated on the way out, as by `SpendSession`;
    after a hard kill it ends by its lifetime.

    Args:
        clients: The clients that launch and terminate it.
        limits: Spending limits.
        settings: The instance.
        ledger: The ledger to keep; a new one when not given.
        approve: Called with the plan before anything is launched; any result but `True` refuses.

    Attributes:
        instance: The instance, once it runs.
        shell: The shell of it, once it is set up.
        guard: The guard that keeps the limits.
    """

    def __init__(
        self,
        clients: SyncAsyncClients,
        limits: SpendLimits,
        settings: LaunchSettings,
        *,
        ledger: SpendLedger | None = None,
        approve: ApproveCallback | None = None,
    ) -> None:
        self.guard = SpendGuard(limits, ledger=ledger, approve=approve)
        self.instance: Instance
        self.shell: InstanceShell
        self._clients = clients
        self._settings = settings
        self._session = SpendSession(self.guard, clients)
        self._stack: contextlib.ExitStack | None = None
        self._async_stack: contextlib.AsyncExitStack | None = None

    @property
    def report(self) -> CleanupReport | None:
        """After the block: what was terminated, and what could not be."""
        return self._session.report

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            self._check()
            stack.enter_context(self._session)
            stack.callback(self._close_shell)
            self._clients.sync.run(self._start())
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        stack, self._stack = self._stack, None
        if stack is not None:
            stack.__exit__(kind, error, trace)

    async def __aenter__(self) -> Self:
        async with contextlib.AsyncExitStack() as stack:
            self._check()
            await stack.enter_async_context(self._session)
            stack.push_async_callback(asyncio.to_thread, self._close_shell)
            await self._clients.async_.run(self._start())
            self._async_stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        stack, self._async_stack = self._async_stack, None
        if stack is not None:
            await stack.__aexit__(kind, error, trace)

    def _check(self) -> None:
        """Refuse before anything is paid for what could not be done later."""
        require_extra()
        check_waiting(self._settings.wait_timeout, self._settings.poll_interval)
        for command in self._settings.setup:
            command_line(command, timeout_s=self._settings.setup_timeout, command_id="check")

    def _start(self) -> Flow[None]:
        """Plan, launch, wait, connect and set up."""
        settings = self._settings
        lifetime = settings.max_runtime_minutes or self.guard.limits.max_runtime_minutes
        plan = yield from self.guard.plan(
            gpu_type=settings.gpu_type, max_runtime_minutes=lifetime, **settings.options
        )
        yield from self._report(f"Launching {plan.describe()}")
        launched = yield from self.guard.launch(plan.token)
        self.instance = yield from instances.wait_until_running(
            launched.id, timeout=settings.wait_timeout, poll_interval=settings.poll_interval
        )
        yield from self._report(f"{self.instance.name} runs")
        runner = yield from GetRunner()
        self.shell = yield from RunInThread(
            lambda: open_shell(runner, ShellSettings(self.instance.id))
        )
        for command in settings.setup:
            yield from self._report(f"Setting up: {command}")
            yield from self._set_up(command)

    def _set_up(self, command: str) -> Flow[None]:
        future = self.shell.start_run(
            command,
            timeout=self._settings.setup_timeout,
            max_output=_MAX_OUTPUT,
            keep="both",
        )
        result = yield from finish(future)
        if result.exit_code == 0:
            return
        if result.timed_out:
            outcome = f"took longer than {self._settings.setup_timeout:g} seconds"
        elif result.exit_code is None:
            outcome = "was cut off by a lost connection"
        else:
            outcome = f"ended with exit code {result.exit_code}"
        raise setup_error(f"The set-up command {outcome}", command, result.exit_code, result.output)

    def _report(self, line: str) -> Flow[None]:
        if self._settings.on_status is not None:
            yield InvokeCallback(self._settings.on_status, line)

    def _close_shell(self) -> None:
        shell = self.__dict__.get("shell")
        if shell is not None:
            shell.close()


def setup_error(
    outcome: str, command: str, exit_code: int | None, output: str
) -> InstanceSetupError:
    """Return the error for an instance that could not be set up, with the end of the output."""
    tail = output[-MAX_SHOWN_OUTPUT:].strip()
    return InstanceSetupError(
        f"{outcome}: {command}\nThe instance is terminated. The end of its output:\n"
        f"{tail or '(nothing)'}",
        command=command,
        exit_code=exit_code,
        output=tail,
    )
