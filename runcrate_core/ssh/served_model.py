"""A model server on an instance of its own, reached through a tunnel."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypedDict

from runcrate_core.api.models import Model
from runcrate_core.client import Runcrate
from runcrate_core.errors import RuncrateError
from runcrate_core.protocol.polling import check_waiting
from runcrate_core.protocol.steps import Flow, Now, RunInThread, Sleep
from runcrate_core.spending.ledger import SpendLedger
from runcrate_core.spending.limits import SpendLimits
from runcrate_core.spending.plans import ApproveCallback
from runcrate_core.ssh.commands import command_line
from runcrate_core.ssh.launched_instance import LaunchedInstance, LaunchSettings, setup_error
from runcrate_core.ssh.settings import check_port
from runcrate_core.ssh.shell_flows import finish
from runcrate_core.sync_async_clients import SyncAsyncClients

DEFAULT_PORT: Final = 8000
DEFAULT_START_TIMEOUT_S: Final = 900.0
# A server without a key of its own takes any.
SERVED_KEY: Final = "served"
_LOG: Final = ".runcrate-serve.log"
_POLL_S: Final = 2.0
_PROBE_TIMEOUT_S: Final = 10.0
_COMMAND_TIMEOUT_S: Final = 60.0
_LOG_BYTES: Final = 8000


class ServeOptions(TypedDict, total=False):
    """Options of `serve`.

    Attributes:
        image_or_setup: Id of a template, or commands that are run first, such as
            `["pip install vllm"]`.
        port: The port on which the server listens on the instance; 8000 when not given.
        limits: Spending limits; those of the toolkit when not given.
        gpu_type: GPU; the cheapest allowed one when not given.
        gpu_count: GPUs of the instance.
        region: Region; any allowed one when not given.
        name: The end of the instance's name.
        max_runtime_minutes: Lifetime; that of the limits when not given.
        env_vars: Environment variables of the instance.
        storage_id: A volume to mount at `/workspace`.
        start_timeout: Seconds in which `GET /v1/models` must succeed; 900 when not given.
        setup_timeout: Seconds for each command of the set-up.
        wait_timeout: Seconds in which the instance must run.
        poll_interval: Seconds between two polls meanwhile.
        on_status: Called with a line for each step.
    """

    image_or_setup: str | Sequence[str]
    port: int
    limits: SpendLimits
    gpu_type: str
    gpu_count: int
    region: str
    name: str
    max_runtime_minutes: int
    env_vars: Mapping[str, str]
    storage_id: str
    start_timeout: float
    setup_timeout: float
    wait_timeout: float
    poll_interval: float
    on_status: Callable[[str], Any]


@dataclass(frozen=True)
class ServerSettings:
    """The server.

    Attributes:
        command: The command that serves, such as `vllm serve ...`; it runs until the end.
        port: The port on which it listens on the instance.
        start_timeout: Seconds in which `GET /v1/models` must succeed.
    """

    command: str
    port: int = DEFAULT_PORT
    start_timeout: float = DEFAULT_START_TIMEOUT_S


class ServedModel(LaunchedInstance):
    """A server with the OpenAI API on an instance that lives as long as the `with` block.

    The tunnel opens again when its connection was lost. While nothing uses it, no connection is
    open.

    Args:
        clients: The clients that launch and terminate the instance.
        limits: Spending limits.
        settings: The instance.
        server: The server.
        ledger: The ledger to keep; a new one when not given.
        approve: Called with the plan before anything is launched; any result but `True` refuses.

    Attributes:
        base_url: URL of the API here, with `/v1`.
        models: The models that it serves.
    """

    def __init__(
        self,
        clients: SyncAsyncClients,
        limits: SpendLimits,
        settings: LaunchSettings,
        server: ServerSettings,
        *,
        ledger: SpendLedger | None = None,
        approve: ApproveCallback | None = None,
    ) -> None:
        super().__init__(clients, limits, settings, ledger=ledger, approve=approve)
        self.base_url = ""
        self.models: tuple[str, ...] = ()
        self._server = server

    @property
    def model(self) -> str:
        """The first model that it serves."""
        return self.models[0] if self.models else ""

    def _check(self) -> None:
        super()._check()
        server = self._server
        command_line(server.command, timeout_s=_COMMAND_TIMEOUT_S, command_id="check")
        check_port(server.port)
        check_waiting(server.start_timeout, _POLL_S)

    def _start(self) -> Flow[None]:
        """Launch, start the server, forward its port and wait until it responds."""
        yield from super()._start()
        server = self._server
        yield from self._report(f"Starting: {server.command}")
        # In a session of its own, so that it outlives the command that starts it.
        start = f"setsid nohup bash -c {shlex.quote(server.command)} > {_LOG} 2>&1 & echo $!"
        process = (yield from self._run(start)).output.strip()
        url = yield from finish(self.shell.start_forward(server.port))
        self.base_url = f"{url}/v1"
        deadline = (yield from Now()) + server.start_timeout
        while True:
            listed = yield from RunInThread(self._list_models)
            if listed is not None:
                self.models = tuple(model.id for model in listed)
                yield from self._report(f"Serving {', '.join(self.models)} at {self.base_url}")
                return
            state = yield from self._run(f"kill -0 {process} 2>/dev/null; echo $?")
            if state.exit_code == 0 and state.output.strip() != "0":
                yield from self._give_up("The server ended before it served")
            if (yield from Now()) >= deadline:
                yield from self._give_up(
                    f"The server did not respond within {server.start_timeout:g} seconds"
                )
            yield Sleep(_POLL_S)

    def _run(self, command: str) -> Flow[Any]:
        return (yield from finish(self.shell.start_run(command, timeout=_COMMAND_TIMEOUT_S)))

    def _give_up(self, outcome: str) -> Flow[None]:
        log = yield from self._run(f"tail -c {_LOG_BYTES} {_LOG}")
        raise setup_error(outcome, self._server.command, None, log.output)

    def _list_models(self) -> list[Model] | None:
        """Return what the server serves; `None` while it does not respond."""
        with Runcrate(
            SERVED_KEY, inference_url=self.base_url, timeout=_PROBE_TIMEOUT_S, max_retries=0
        ) as client:
            try:
                return client.models.list()
            except RuncrateError:
                return None
