"""The emulated world: the workspace, the passing of time, and what the inference side needs.

Endpoints reach it as `request.app.state.world`. All of it belongs to the server's event loop;
tests may read it, and set what on the real service is set on the dashboard, between requests.
"""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from runcrate_emulator.chat.prompt_cache import PromptCache
from runcrate_emulator.chat.script import ChatScript, ScriptedChat
from runcrate_emulator.clock import Clock
from runcrate_emulator.errors import ApiError
from runcrate_emulator.faults import FaultPlan
from runcrate_emulator.inference.upstream import Upstream
from runcrate_emulator.inference.video_jobs import VideoJobs
from runcrate_emulator.infrastructure import credit, instance_life
from runcrate_emulator.infrastructure.instance_life import Instance
from runcrate_emulator.infrastructure.job_program import JobProgram
from runcrate_emulator.infrastructure.records import Secret
from runcrate_emulator.infrastructure.settle import settle
from runcrate_emulator.journal import Journal
from runcrate_emulator.ledger import InferenceUse
from runcrate_emulator.media.speech import SpeechMemory
from runcrate_emulator.workspace import Workspace

if TYPE_CHECKING:
    from runcrate_emulator.rate_limit import Window
    from runcrate_emulator.ssh_servers import SshServers

DEFAULT_BALANCE_USD = Decimal(100)
DEFAULT_REQUESTS_PER_MINUTE = 600  # no figure is published; generous, so that tests never meet it


class World(Workspace):
    """One workspace on a clock, with its journal and its planned faults.

    Args:
        clock: The clock on which everything happens.
        seed: Seed of all ids and of all randomness; the same seed and requests give the same ids.
        balance_usd: Opening balance.
        requests_per_minute: Rate limit per API key.
        chat_upstream: OpenAI-compatible server that replies to chat where no script does.
        on_chat: Script that replies to chat.
        on_job: Decides the outcome of jobs.
        run_commands: Whether the commands of jobs really run on this computer.

    Attributes:
        launch_seconds: Emulated seconds that a launch, job submit or top-up takes to answer. 0 by
            default; a test of `idempotency_in_progress` sets more.
        videos: The video jobs of the inference side.
        prompt_cache: Prefixes of conversations, for the count of cached tokens.
        chat_script: Scripted replies.
        speech: The texts of the speech that was made.
        chat_tokens_per_second: Pace of streamed chat on the emulated clock. None, the default:
            as fast as it goes.
    """

    def __init__(
        self,
        clock: Clock,
        seed: int = 0,
        *,
        balance_usd: Decimal | float | str = DEFAULT_BALANCE_USD,
        requests_per_minute: int = DEFAULT_REQUESTS_PER_MINUTE,
        chat_upstream: Upstream | None = None,
        on_chat: ChatScript | None = None,
        on_job: JobProgram | None = None,
        run_commands: bool = False,
    ) -> None:
        self.ssh: SshServers | None = None
        super().__init__(clock, seed, Decimal(str(balance_usd)))
        self._first_upstream = chat_upstream
        self._first_on_chat = on_chat
        self._first_on_job = on_job
        self._first_requests_per_minute = requests_per_minute
        self.run_commands = run_commands
        self.journal = Journal()
        self.speech = SpeechMemory()  # survives a reset, as the files that were saved do
        self.reset()

    def reset(self) -> None:
        """Return to the state of the start."""
        if self.ssh is not None:
            self.ssh.clear()
        self.begin()
        self.chat_upstream = self._first_upstream
        self.chat_script = ScriptedChat(self._first_on_chat)
        self.on_job = self._first_on_job
        self.requests_per_minute = self._first_requests_per_minute
        self.rate_windows: dict[str, Window] = {}
        self.faults = FaultPlan()
        self.videos = VideoJobs()
        self.prompt_cache = PromptCache()
        self.chat_tokens_per_second: float | None = None
        self.launch_seconds = 0.0
        self.crashes.clear()
        self.journal.clear()

    def now(self) -> datetime:
        """The emulated time, aware and in UTC."""
        return self.clock.now()

    def settle(self) -> None:
        """Let everything happen that was due up to now.

        Called before every request. A test that changes a plain attribute (`sold_out`, `cards`)
        after some time calls it first, so that the change does not count for the time before.
        """
        self._note_connections()
        settle(self, self.now())

    def keep_instance(self, instance: Instance) -> Instance:
        """Store an instance, new or changed; an instance has an SSH server as long as it lives."""
        if self.ssh is not None and instance.job_id is None:
            if not instance.is_live:
                self.ssh.remove(instance.id)
            elif instance.ssh_port is None:
                key = self.ssh_keys.get(instance.ssh_key_id or "")
                port = self.ssh.add(instance.id, () if key is None else (key.public_key,))
                instance = replace(instance, ip="127.0.0.1", ssh_port=port)
        return super().keep_instance(instance)

    def is_instance_running(self, instance_id: str) -> bool:
        """True if an instance runs now, also when nothing has asked since; for any thread."""
        instance = self.instances.get(instance_id)
        if instance is None or instance_life.status_at(instance, self.now()) != "running":
            return False
        stop = instance_life.planned_stop(instance)
        return stop is None or stop[1] == "idle" or self.now() < stop[0]

    def _note_connections(self) -> None:
        """Let open SSH connections count for the idle stop."""
        if self.ssh is None:
            return
        for instance in list(self.live_instances.values()):
            active_at = self.ssh.active_at(instance.id)
            if active_at is not None and active_at > instance.active_at:
                self.keep_instance(replace(instance, active_at=active_at))

    async def take_launch_time(self) -> None:
        """Let the time pass that a launch takes to answer."""
        if self.launch_seconds:
            await self.clock.sleep(self.launch_seconds)
            self.settle()

    def require_credit(self, environment_name: str | None = None) -> None:
        """Refuse an inference request that nobody can pay for.

        Args:
            environment_name: The environment whose budget counts; default: the default one.

        Raises:
            ApiError: 402 `insufficient_credits`, or 402 `budget_exceeded` when the environment's
                monthly budget is spent.
        """
        environment = self.environment(environment_name)
        if credit.floating_balance(self) <= 0:
            raise ApiError(
                402, "insufficient_credits", "The balance is used up; nothing was run. Top it up."
            )
        if credit.is_budget_spent(self, environment):
            raise ApiError(
                402,
                "budget_exceeded",
                f"The monthly budget of environment `{environment.name}` is spent; nothing was "
                "run. Raise it on the dashboard or wait for the next month.",
            )

    def charge_inference(
        self,
        *,
        model: str,
        cost_usd: Decimal,
        prompt_tokens: int = 0,
        completion_tokens: int = 0,
        description: str,
    ) -> None:
        """Pay for one inference request, which counts towards the default environment's budget.

        Args:
            model: Model id, for the usage summary.
            cost_usd: What it costs; amounts below a millionth of a dollar are rounded.
            prompt_tokens: Tokens read.
            completion_tokens: Tokens written.
            description: Shown in the transactions.
        """
        now = self.now()
        use = InferenceUse(now, model, cost_usd, prompt_tokens, completion_tokens)
        self.ledger.inference.append(use)
        self.ledger.charge(self.environment().id, cost_usd, description, now)

    def set_budget(self, environment_name: str, monthly_usd: Decimal | float | str | None) -> None:
        """Set an environment's monthly budget, as on the dashboard; None takes it away."""
        self.settle()
        environment = self.environment(environment_name)
        budget = None if monthly_usd is None else Decimal(str(monthly_usd))
        self.environments[environment.id] = replace(environment, monthly_budget_usd=budget)

    def set_secret(self, environment_name: str, key: str, *, sensitive: bool = False) -> None:
        """Set a secret, as on the dashboard; only its name, as the emulator has no use for more."""
        secrets = self.secrets.setdefault(self.environment(environment_name).id, {})
        secrets[key] = Secret(key, sensitive, self.now())
