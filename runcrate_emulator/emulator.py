"""`Emulator`: a running emulator and the handle by which a test or a demo drives it."""

import inspect
import logging
import os
from collections.abc import Callable, Iterable
from decimal import Decimal
from types import TracebackType
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Self

from runcrate_emulator.app import create_app
from runcrate_emulator.chat.reply import Reply
from runcrate_emulator.chat.script import ChatScript, ScriptError
from runcrate_emulator.clock import Clock
from runcrate_emulator.faults import Fault
from runcrate_emulator.inference.upstream import KEY_VARIABLE, Upstream
from runcrate_emulator.infrastructure.job_program import JobProgram
from runcrate_emulator.infrastructure.webhooks import WebhookDelivery
from runcrate_emulator.journal import RecordedRequest
from runcrate_emulator.keys import API_KEY, is_well_formed
from runcrate_emulator.loopback import LOOPBACK
from runcrate_emulator.server import Server
from runcrate_emulator.variants import Variant, VariantApp, known_variants
from runcrate_emulator.world import Settings, World

if TYPE_CHECKING:
    from runcrate_emulator.ssh_servers import SshServers

_LOG = logging.getLogger("runcrate_emulator")
_WARNING = "Commands of %s really run on this computer, in temporary directories, with your rights."
P = ParamSpec("P")


def _planning(make: Callable[P, Fault]) -> "Callable[Concatenate[Emulator, P], Fault]":
    """A method that plans the fault that `make` returns for its arguments."""

    def fail(self: "Emulator", /, *args: P.args, **kwargs: P.kwargs) -> Fault:
        """Inject a fault into the next matching requests; see `Fault` for every argument.

        Faults planned for the same route strike one after the other.
        """
        fault = make(*args, **kwargs)
        self.world.faults.add(fault)
        return fault

    # `help` shows the arguments of a fault.
    shown = inspect.signature(make)
    itself = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    parameters = [itself, *shown.parameters.values()]
    fail.__signature__ = shown.replace(parameters=parameters)  # type: ignore[attr-defined]
    return fail


class Emulator:
    """A local Runcrate on a loopback port.

    ```python
    with Emulator(clock_speed=60) as emulator:
        client = Runcrate(
            api_key=emulator.api_key,
            base_url=emulator.base_url,
            inference_url=emulator.inference_url,
        )
    ```

    Args:
        port: TCP port; 0 takes a free one.
        seed: Seed of ids, images and everything else that varies.
        clock_speed: Emulated seconds per real second; 0 stands still until `clock.advance`.
        on_chat: Called with the `ChatRequest` of each chat request for which no reply is queued;
            returns a `Reply`, or None to leave it to the upstream or the default model. It may be
            a coroutine function. It runs in the server's thread, one request at a time: it must
            not call the emulator itself.
        chat_upstream: Base URL, with `/v1`, of an OpenAI-compatible server that replies to chat
            instead of the default model.
        chat_upstream_key: Its API key; default: the environment variable
            `RUNCRATE_EMULATOR_UPSTREAM_KEY`. It is never shown.
        on_job: Called with a `JobRun` before each attempt of a job; returns the `JobOutcome` that
            the job is to have, or None: then its command is logged, and succeeds.
        run_commands: Really run the commands of jobs that `on_job` does not decide, as processes
            on this computer in temporary directories, with the job's time limit. No sandbox.
        balance_usd: Opening balance.
        requests_per_minute: Rate limit per API key; no figure of the service is published.
        clock: A clock of your own, instead of one with `clock_speed`.
        ssh: Whether instances have real SSH servers on loopback. Commands that are sent there
            really run on this computer, as you, in temporary directories: there is no isolation.
            Needs the extra `ssh`.
        variants: Wire variants that the service may show instead of the documented forms: pairs
            of a row and a label of a `runcrate verify` report; see `observed_variants`.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        seed: int = 0,
        clock_speed: float = 1.0,
        on_chat: ChatScript | None = None,
        chat_upstream: str | None = None,
        chat_upstream_key: str | None = None,
        on_job: JobProgram | None = None,
        run_commands: bool = False,
        balance_usd: Decimal | float | str = 100,
        requests_per_minute: int = 600,
        clock: Clock | None = None,
        ssh: bool = False,
        variants: Iterable[Variant] = (),
    ) -> None:
        self.clock = clock or Clock(clock_speed)
        upstream = None
        if chat_upstream is not None:
            upstream = Upstream(chat_upstream, chat_upstream_key or os.environ.get(KEY_VARIABLE))
        settings = Settings(
            seed=seed,
            balance_usd=Decimal(str(balance_usd)),
            requests_per_minute=requests_per_minute,
            chat_upstream=upstream,
            on_chat=on_chat,
            on_job=on_job,
            run_commands=run_commands,
        )
        self.world = World(self.clock, settings)
        self._wants_ssh = ssh
        self._app = VariantApp(create_app(self.world), self.world, variants)
        self._first_variants = self.variants
        self._wanted_port = port
        self._server: Server | None = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
        if error is None or isinstance(error, Exception):
            self.raise_script_error()

    def start(self) -> Self:
        """Start serving; returns when requests are served.

        Raises:
            OSError: The port is in use.
            RuntimeError: It runs already.
        """
        if self._server is not None:
            raise RuntimeError("This emulator is running; stop it before starting it again.")
        if self._wants_ssh:
            try:
                from runcrate_emulator.ssh_servers import SshServers  # noqa: PLC0415 - an extra
            except ModuleNotFoundError as error:
                if (error.name or "").partition(".")[0] not in {"asyncssh", "cryptography"}:
                    raise
                advice = 'Run: pip install "runcrate-integrations[emulator,ssh]"'
                raise ModuleNotFoundError(
                    f"SSH servers need asyncssh. {advice}", name=error.name
                ) from None
            self.world.ssh = SshServers(self.world.is_instance_running, self.world.now)
            _LOG.warning(_WARNING, "instances, sent over SSH,")
        try:
            server = Server(self._app, self._wanted_port)
            server.start()
        except BaseException:
            self.stop()
            raise
        self._server = server
        if self.world.settings.run_commands:
            _LOG.warning(_WARNING, "jobs")
        return self

    def stop(self) -> None:
        """Stop serving; the world stays readable. Harmless when it does not run."""
        self.world.stop_commands()
        server, self._server = self._server, None
        if server is not None:
            server.stop()
        if self.world.ssh is not None:
            self.world.ssh.close()
            self.world.ssh = None

    @property
    def port(self) -> int:
        """The TCP port it listens on."""
        if self._server is None:
            raise RuntimeError("This emulator is not running; use `with Emulator() as emulator:`.")
        return self._server.port

    @property
    def ssh(self) -> "SshServers":
        """The SSH servers of the instances, for tests that inspect them or let them fail.

        Raises:
            RuntimeError: There are none.
        """
        if self.world.ssh is None:
            raise RuntimeError("This emulator has no SSH servers; use `Emulator(ssh=True)`.")
        return self.world.ssh

    @property
    def base_url(self) -> str:
        """Host of the infrastructure API, without `/api/v1`: the value of RUNCRATE_API_URL."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def inference_url(self) -> str:
        """Base of the inference API with `/v1`: the value of RUNCRATE_API_BASE."""
        return f"{self.base_url}/v1"

    @property
    def api_key(self) -> str:
        """The key that the emulator accepts, with the permission to top up."""
        return API_KEY

    def add_key(self, key: str, *, may_top_up: bool = False) -> None:
        """Accept another key until `reset`, as of a second user or program.

        Args:
            key: Any text after `rc_live_`.
            may_top_up: Whether it has the billing permission.

        Raises:
            ValueError: It does not look like a key of the service.
        """
        if not is_well_formed(key):
            raise ValueError("A key starts with `rc_live_` and has something after it.")
        self.world.keys[key] = may_top_up

    @property
    def variants(self) -> tuple[Variant, ...]:
        """The wire variants in force; may be set at any moment."""
        return self._app.variants

    @variants.setter
    def variants(self, variants: Iterable[Variant]) -> None:
        self._app.variants = known_variants(variants)

    @property
    def clock_speed(self) -> float:
        """Emulated seconds per real second; may be set at any moment."""
        return self.clock.speed

    @clock_speed.setter
    def clock_speed(self, speed: float) -> None:
        self.clock.speed = speed

    @property
    def requests(self) -> list[RecordedRequest]:
        """The last requests, oldest first."""
        return list(self.world.journal)

    @property
    def webhooks(self) -> list[WebhookDelivery]:
        """Outcome of every webhook that was due, including those that are never called."""
        return list(self.world.webhooks)

    @property
    def crashes(self) -> list[BaseException]:
        """Exceptions that became the emulator's own 500, or came out of `on_job`.

        An empty list in a good test.
        """
        return list(self.world.crashes)

    @property
    def on_chat(self) -> ChatScript | None:
        """The function that replies to chat requests; may be set at any moment, until `reset`."""
        return self.world.chat_script.on_chat

    @on_chat.setter
    def on_chat(self, script: ChatScript | None) -> None:
        self.world.chat_script.on_chat = script

    @property
    def on_job(self) -> JobProgram | None:
        """The function that decides how jobs go; may be set at any moment, until `reset`."""
        return self.world.on_job

    @on_job.setter
    def on_job(self, program: JobProgram | None) -> None:
        self.world.on_job = program

    def reply_with(self, *replies: Reply) -> None:
        """Queue replies: each is used for one chat request, in order, before `on_chat` is called.

        Args:
            replies: `Reply.text(...)`, `Reply.tool_calls(...)`, ...

        Raises:
            TypeError: One of them is not a `Reply`; nothing was queued.
        """
        for reply in replies:
            if not isinstance(reply, Reply):
                raise TypeError(
                    f"`reply_with` takes replies such as `Reply.text(...)`, not {reply!r:.100}."
                )
        self.world.chat_script.queue.extend(replies)

    @property
    def unused_replies(self) -> int:
        """Number of queued replies that no request has used; 0 at the end of a good test."""
        return len(self.world.chat_script.queue)

    @property
    def script_errors(self) -> list[ScriptError]:
        """Errors of chat scripts: one raised, returned something else, or named an unknown tool."""
        return list(self.world.chat_script.errors)

    def raise_script_error(self) -> None:
        """Raise the first error of a chat script, if there was any.

        The end of `with Emulator(...)` and the teardown of the pytest fixture do it.

        Raises:
            ScriptError: There was one.
        """
        if self.world.chat_script.errors:
            raise self.world.chat_script.errors[0]

    def reset(self) -> None:
        """Return to the state, the time, the clock speed and the variants of the start."""
        self.clock.reset()
        self.variants = self._first_variants
        self.world.reset()

    fail = _planning(Fault)

    def fail_next_video(self, reason: str = "The video could not be generated.") -> None:
        """Let the next submitted video job end as `failed`, with this reason in its `error`.

        The job is queued and processed as usual before it fails, and it is not charged.
        """
        self.world.next_video_failure = reason

    def environment_variables(self) -> dict[str, Any]:
        """The variables to export so that a client of this project talks to this emulator."""
        return {
            "RUNCRATE_API_KEY": self.api_key,
            "RUNCRATE_API_BASE": self.inference_url,
            "RUNCRATE_API_URL": self.base_url,
        }
