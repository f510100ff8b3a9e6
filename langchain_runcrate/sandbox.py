"""`RuncrateSandbox`: a GPU instance as the sandbox of a Deep Agents agent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Final, Unpack

from deepagents.backends.protocol import (
    ExecuteResponse,
    FileDownloadResponse,
    FileUploadResponse,
)
from deepagents.backends.sandbox import BaseSandbox

from runcrate_core import (
    APIConnectionError,
    APIStatusError,
    ApproveCallback,
    AsyncRuncrate,
    CleanupReport,
    CommandResult,
    Instance,
    InstanceShell,
    RemoteFileError,
    Runcrate,
    SpendLedger,
    SpendLimits,
    SSHConnectionError,
    SSHError,
)
from runcrate_core.toolkit import (
    ConnectOptions,
    LaunchedInstance,
    LaunchOptions,
    LaunchSettings,
    SyncAsyncClients,
)

DEFAULT_TIMEOUT_S: Final = 1800
DEFAULT_MAX_OUTPUT: Final = 1_000_000  # bytes
# A command that may run for ever ends with its instance, whose longest lifetime this is.
_NO_TIMEOUT_S: Final = 604_800
_MAX_DOWNLOAD: Final = 1024**3
_NOT_RUN: Final = 126  # as a shell reports a command that it cannot run
_CODES: Final = frozenset({"file_not_found", "permission_denied", "is_directory", "invalid_path"})
_UNREACHABLE: Final = (SSHConnectionError, APIConnectionError, APIStatusError)


class RuncrateSandbox(BaseSandbox):
    """A running GPU instance as a sandbox: commands, and files by the tools of Deep Agents.

    `RuncrateSandbox(client, instance_id)` takes an instance that runs already, which lives on.
    `RuncrateSandbox.launch(...)` launches one within limits and terminates it at the end of the
    `with` block. One connection serves sync and async calls; it is closed after some
    time without use, and opened again. A command is never run twice: when the connection is lost
    in the middle, the exit code is `None` and the output reports it. An instance that has ended is
    never replaced by another.

    An instance is a computer that is rented for the agent, and no protection against it: its
    environment variables, secrets of the Runcrate environment among them, are visible to every
    command, and it has access to the internet.

    Setup:
        ```bash
        pip install "runcrate-integrations[deepagents]"
        export RUNCRATE_API_KEY="rc_live_..."
        ```

    Instantiate:
        ```python
        from langchain_runcrate import RuncrateSandbox
        from runcrate_core import SpendLimits

        limits = SpendLimits(max_price_per_hour=2, max_runtime_minutes=30)
        with RuncrateSandbox.launch(limits=limits, gpu_type="A100") as sandbox:
            print(sandbox.execute("nvidia-smi").output)
        ```

    Use in an agent:
        ```python
        from deepagents import create_deep_agent

        agent = create_deep_agent("runcrate:deepseek-ai/DeepSeek-V3.2", backend=sandbox)
        ```

    Args:
        client: The client to use, of either kind; made from the environment when not given.
        instance_id: Identifier of a running instance.
        timeout: Seconds for a command that is given no timeout.
        max_output: Bytes of output of one command that are returned.
        shell: A connection of `client.instances.connect` to use instead of one of its own.
        connect_options: Further options of `client.instances.connect`, such as `private_key`.

    Raises:
        ConfigurationError: There is no key, or `asyncssh` is not installed.
        SSHError: The instance cannot be connected.
    """

    def __init__(
        self,
        client: Runcrate | AsyncRuncrate | None,
        instance_id: str,
        *,
        timeout: int = DEFAULT_TIMEOUT_S,
        max_output: int = DEFAULT_MAX_OUTPUT,
        shell: InstanceShell | None = None,
        **connect_options: Unpack[ConnectOptions],
    ) -> None:
        self._timeout = timeout
        self._max_output = max_output
        if shell is not None and connect_options:
            raise TypeError(f"`{min(connect_options)}` is for a connection, and `shell` is one.")
        if shell is None:
            clients = SyncAsyncClients(client)
            shell = clients.sync.instances.connect(instance_id, **connect_options)
        self._shell = shell

    @classmethod
    def launch(
        cls,
        client: Runcrate | AsyncRuncrate | None = None,
        *,
        limits: SpendLimits,
        gpu_type: str | None = None,
        max_runtime_minutes: int | None = None,
        setup: Sequence[str] = (),
        approve: ApproveCallback | None = None,
        ledger: SpendLedger | None = None,
        on_status: Callable[[str], Any] | None = None,
        timeout: int = DEFAULT_TIMEOUT_S,
        max_output: int = DEFAULT_MAX_OUTPUT,
        **options: Unpack[LaunchOptions],
    ) -> LaunchedSandbox:
        """Return a context manager, for `with` or `async with`, that gives a new sandbox.

        On the way in it plans, asks, launches, waits until the instance runs, and sets it up; on
        the way out, also by an exception, a cancellation, Ctrl-C or SIGTERM, it terminates it.
        After a hard kill the instance ends by its lifetime.

        Args:
            client: The client to use, of either kind; made from the environment when not given.
            limits: Spending limits, which are checked before anything is sent.
            gpu_type: GPU; the cheapest allowed one when not given.
            max_runtime_minutes: Lifetime; that of the limits when not given.
            setup: Commands that are run first, in order. One that fails ends the instance.
            approve: Called with the plan; any result but `True` refuses it.
            ledger: The ledger to keep, such as that of a toolkit; a new one when not given.
            on_status: Called with a line for each step.
            timeout: Seconds for a command that is given no timeout.
            max_output: Bytes of output of one command that are returned.
            options: See `LaunchOptions`: `setup_timeout`, `wait_timeout`, `poll_interval`, and
                fields of the instance: `gpu_count`, `region`, `name`, `template`, `env_vars`, ...

        Raises:
            SpendRefusedError: On entering: the limits forbid it, or it was not approved. Nothing
                was launched.
            InstanceSetupError: On entering: a set-up command failed; the instance was terminated.

        Example:
            ```python
            with RuncrateSandbox.launch(
                limits=SpendLimits(max_total_usd=5),
                gpu_type="A100",
                max_runtime_minutes=30,
                setup=["pip install torch"],
            ) as sandbox:
                print(sandbox.execute("python3 train.py").output)
            ```
        """
        launched = LaunchedInstance(
            SyncAsyncClients(client),
            limits,
            LaunchSettings.of(
                gpu_type=gpu_type,
                max_runtime_minutes=max_runtime_minutes,
                setup=setup,
                on_status=on_status,
                **options,
            ),
            ledger=ledger,
            approve=approve,
        )
        return LaunchedSandbox(cls, launched, timeout=timeout, max_output=max_output)

    @property
    def id(self) -> str:
        """Identifier of the instance."""
        return self._shell.instance_id

    @property
    def shell(self) -> InstanceShell:
        """The connection, for transfers of large files, forwarded ports and progress."""
        return self._shell

    def execute(self, command: str, *, timeout: int | None = None) -> ExecuteResponse:
        """Run a command with `bash`.

        Args:
            command: The command.
            timeout: Seconds until it is ended, with all that it started; 0 for no limit but the
                lifetime of the instance.

        Returns:
            Output and exit code: 124 after a timeout, `None` when the connection was lost.
        """
        seconds = self._seconds(timeout)
        try:
            result = self._shell.run(command, timeout=seconds, max_output=self._max_output)
        except (*_UNREACHABLE, ValueError) as error:
            return _not_run(error)
        return _response(result, seconds)

    async def aexecute(
        self,
        command: str,
        *,
        timeout: int | None = None,  # noqa: ASYNC109 - of the interface
    ) -> ExecuteResponse:
        """Run a command as `execute` does. When it is cancelled, the command is ended."""
        seconds = self._seconds(timeout)
        try:
            result = await self._shell.arun(command, timeout=seconds, max_output=self._max_output)
        except (*_UNREACHABLE, ValueError) as error:
            return _not_run(error)
        return _response(result, seconds)

    def upload_files(self, files: list[tuple[str, bytes]]) -> list[FileUploadResponse]:
        """Write files, each complete or not at all.

        Args:
            files: Absolute paths and contents.
        """
        responses = []
        for path, content in files:
            error = _path_error(path)
            if error is None:
                try:
                    self._shell.write_bytes(path, content)
                except (*_UNREACHABLE, SSHError) as problem:
                    error = _code(problem)
            responses.append(FileUploadResponse(path=path, error=error))
        return responses

    async def aupload_files(self, files: list[tuple[str, bytes]]) -> list[FileUploadResponse]:
        """Write files as `upload_files` does."""
        responses = []
        for path, content in files:
            error = _path_error(path)
            if error is None:
                try:
                    await self._shell.awrite_bytes(path, content)
                except (*_UNREACHABLE, SSHError) as problem:
                    error = _code(problem)
            responses.append(FileUploadResponse(path=path, error=error))
        return responses

    def download_files(self, paths: list[str]) -> list[FileDownloadResponse]:
        """Read files.

        Args:
            paths: Absolute paths.
        """
        responses = []
        for path in paths:
            content, error = None, _path_error(path)
            if error is None:
                try:
                    content = self._shell.read_bytes(path, max_bytes=_MAX_DOWNLOAD)
                except (*_UNREACHABLE, SSHError) as problem:
                    error = _code(problem)
            responses.append(FileDownloadResponse(path=path, content=content, error=error))
        return responses

    async def adownload_files(self, paths: list[str]) -> list[FileDownloadResponse]:
        """Read files as `download_files` does."""
        responses = []
        for path in paths:
            content, error = None, _path_error(path)
            if error is None:
                try:
                    content = await self._shell.aread_bytes(path, max_bytes=_MAX_DOWNLOAD)
                except (*_UNREACHABLE, SSHError) as problem:
                    error = _code(problem)
            responses.append(FileDownloadResponse(path=path, content=content, error=error))
        return responses

    def close(self) -> None:
        """Close the connection; the instance lives on."""
        self._shell.close()

    async def aclose(self) -> None:
        """Close the connection; the instance lives on."""
        await self._shell.aclose()

    def _seconds(self, timeout: int | None) -> int:
        return self._timeout if timeout is None else timeout or _NO_TIMEOUT_S


class LaunchedSandbox:
    """A context manager that gives a sandbox on an instance of its own; see `launch`."""

    def __init__(
        self,
        kind: type[RuncrateSandbox],
        launched: LaunchedInstance,
        *,
        timeout: int,
        max_output: int,
    ) -> None:
        self._kind = kind
        self._launched = launched
        self._timeout = timeout
        self._max_output = max_output

    @property
    def instance(self) -> Instance:
        """The instance, once it runs."""
        return self._launched.instance

    @property
    def ledger(self) -> SpendLedger:
        """The ledger of started resources and their cost."""
        return self._launched.guard.ledger

    @property
    def report(self) -> CleanupReport | None:
        """After the block: what was terminated, and what could not be."""
        return self._launched.report

    def __enter__(self) -> RuncrateSandbox:
        self._launched.__enter__()
        return self._sandbox()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._launched.__exit__(kind, error, trace)

    async def __aenter__(self) -> RuncrateSandbox:
        await self._launched.__aenter__()
        return self._sandbox()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._launched.__aexit__(kind, error, trace)

    def _sandbox(self) -> RuncrateSandbox:
        shell = self._launched.shell
        return self._kind(
            None,
            shell.instance_id,
            timeout=self._timeout,
            max_output=self._max_output,
            shell=shell,
        )


def _response(result: CommandResult, timeout_s: int) -> ExecuteResponse:
    output = result.output
    if result.timed_out:
        output += f"\n[The command was ended after {timeout_s} seconds.]"
    elif result.exit_code is None:
        output += (
            "\n[The connection was lost. The command may have ended, or run on until its timeout; "
            "it was not run again. Check before running it again.]"
        )
    return ExecuteResponse(output=output, exit_code=result.exit_code, truncated=result.truncated)


def _not_run(error: Exception) -> ExecuteResponse:
    """Return the text for an agent when nothing was run; any other error is raised."""
    return ExecuteResponse(output=f"[{error}]", exit_code=_NOT_RUN)


def _path_error(path: str) -> Any:
    return None if path.startswith("/") else "invalid_path"


def _code(error: Exception) -> Any:
    """Return the code of an error of a file, or its text where there is no code.

    Raises:
        SSHError: It is for the program: a changed host key, a refused login.
    """
    if isinstance(error, RemoteFileError):
        return error.reason if error.reason in _CODES else error.message
    if isinstance(error, _UNREACHABLE):
        return str(error)
    raise error
