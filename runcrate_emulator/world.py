"""The emulated world: the resources of a workspace, its clock and its ledger.

Endpoints reach it as `request.app.state.world`. All of it belongs to the server's event loop; tests
may read it, and set between requests what on the real service is set on the dashboard (budgets,
secrets, cards, keys, stock): by plain attributes and the `set_` methods.
"""

from __future__ import annotations

import random
import uuid
from collections import deque
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from runcrate_emulator.chat.script import ScriptedChat
from runcrate_emulator.errors import ApiError
from runcrate_emulator.faults import FaultPlan
from runcrate_emulator.files import FileStore, Signer
from runcrate_emulator.infrastructure import instance_life
from runcrate_emulator.infrastructure.catalogue import FIRST_SOLD_OUT
from runcrate_emulator.infrastructure.records import (
    CardBehaviour,
    Environment,
    JobGroup,
    Schedule,
    SshKey,
    Upload,
    Volume,
)
from runcrate_emulator.journal import KEPT_REQUESTS, RecordedRequest
from runcrate_emulator.keys import API_KEY, TEST_KEY
from runcrate_emulator.ledger import InferenceUse, Ledger
from runcrate_emulator.loopback import LOOPBACK
from runcrate_emulator.media.speech import SpeechMemory

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from runcrate_emulator.chat.script import ChatScript
    from runcrate_emulator.clock import Clock
    from runcrate_emulator.inference.upstream import Upstream
    from runcrate_emulator.inference.videos import VideoJob
    from runcrate_emulator.infrastructure.instance_life import Instance
    from runcrate_emulator.infrastructure.job_program import JobProgram
    from runcrate_emulator.infrastructure.job_record import Job
    from runcrate_emulator.infrastructure.webhooks import WebhookDelivery
    from runcrate_emulator.ssh_servers import SshServers

_DEFAULT_ENVIRONMENT = "main"  # seed 003


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The state to which a world returns; each field is an argument of `Emulator`."""

    seed: int = 0
    balance_usd: Decimal = Decimal(100)
    requests_per_minute: int = 600
    chat_upstream: Upstream | None = None
    on_chat: ChatScript | None = None
    on_job: JobProgram | None = None
    run_commands: bool = False


class World:
    """One workspace on a clock, with its journal and its planned faults.

    Args:
        clock: The clock on which everything happens.
        settings: The first state; the same seed and requests give the same ids.

    Attributes:
        moment: Emulated time up to which the world has been lived through.
        live_instances: Those of `instances` that start or run.
        live_jobs: Those of `jobs` that have not ended.
        sold_out: GPU types and instance type ids that have no stock.
        cards: Saved payment methods.
        card_behaviour: Outcome of charging the default card.
        keys: Whether each API key may top up; other keys are refused.
        deactivated_keys: Keys that are refused.
        announcements: Webhook calls that are still to be made.
        webhooks: Outcome of every webhook that was due.
        journal: The last requests, oldest first.
        on_request: Called with each request when it has been recorded.
        crashes: Exceptions that became the emulator's own 500, or came out of `on_job`.
    """

    def __init__(self, clock: Clock, settings: Settings = Settings()) -> None:
        self.clock = clock
        self.settings = settings
        self.ssh: SshServers | None = None
        self.journal: deque[RecordedRequest] = deque(maxlen=KEPT_REQUESTS)
        self.on_request: Callable[[RecordedRequest], object] = lambda _: None
        self.speech = SpeechMemory()  # survives a reset, as the files that were saved do
        self.live_jobs: dict[str, Job] = {}
        self.crashes: list[BaseException] = []
        self.reset()

    def reset(self) -> None:
        """Return to the state of the start: an empty workspace with its opening balance."""
        if self.ssh is not None:
            self.ssh.clear()
        self.stop_commands()
        settings, self.moment = self.settings, self.now()
        self.chat_upstream = settings.chat_upstream
        self.chat_script = ScriptedChat(settings.on_chat)
        self.on_job = settings.on_job
        self.requests_per_minute = settings.requests_per_minute
        self.rate_windows: dict[str, tuple[datetime, int]] = {}  # start, and requests since
        self.faults = FaultPlan()
        self.videos: dict[str, VideoJob] = {}
        self.next_video_failure: str | None = None
        self.crashes.clear()
        self.journal.clear()
        self.random = random.Random(settings.seed)  # noqa: S311 - reproducible, not secret
        self._id_source = random.Random(f"ids of {settings.seed}")  # noqa: S311 - reproducible ids
        self.signer = Signer(self.clock, f"links of {settings.seed}".encode())
        self.media = FileStore(self.new_id, self.signer)
        self.ledger = Ledger(settings.balance_usd, self.moment, self.new_id)
        self.environments: dict[str, Environment] = {}
        self.ssh_keys: dict[str, SshKey] = {}
        self.secrets: dict[str, dict[str, dict[str, Any]]] = {}
        self.instances: dict[str, Instance] = {}
        self.live_instances: dict[str, Instance] = {}
        self.volumes: dict[str, Volume] = {}
        self.jobs: dict[str, Job] = {}
        self.live_jobs = {}
        self.job_groups: dict[str, JobGroup] = {}
        self.uploads: dict[str, Upload] = {}
        self.schedules: dict[str, Schedule] = {}
        self.topups: dict[str, dict[str, Any]] = {}  # by idempotency key, as shown
        self.idempotency: dict[str, tuple[str, datetime]] = {}  # what a key made, kept until
        recharge = ("threshold_usd", "target_usd", "last_failure_reason", "last_failure_at")
        self.auto_recharge: dict[str, Any] = {"enabled": False, **dict.fromkeys(recharge)}
        self.sold_out: set[str] = set(FIRST_SOLD_OUT)
        visa = {"type": "card", "brand": "visa", "last4": "4242", "exp_month": 12, "exp_year": 2030}
        self.cards: list[dict[str, Any]] = [{**visa, "default": True}]
        self.card_behaviour: CardBehaviour = "succeeds"
        self.keys = {API_KEY: True, TEST_KEY: False}
        self.deactivated_keys: set[str] = set()
        self.announcements: deque[WebhookDelivery] = deque()
        self.webhooks: list[WebhookDelivery] = []
        self.add_environment(_DEFAULT_ENVIRONMENT, is_default=True)

    def stop_commands(self) -> None:
        """Kill the commands that still run."""
        for job in self.live_jobs.values():
            if job.attempt is not None:
                job.attempt.trace.stop()

    def now(self) -> datetime:
        """The emulated time, aware and in UTC."""
        return self.clock.now()

    def settle(self) -> None:
        """Apply everything that is due up to now.

        Called before every request. A test that changes a plain attribute (such as `sold_out`)
        after some time calls it first, so that the change does not count for the time before.
        """
        from runcrate_emulator.infrastructure.settle import settle  # noqa: PLC0415 - imports this

        if self.ssh is not None:
            for instance in self.live_instances.values():  # a connection delays the idle stop
                active_at = self.ssh.active_at(instance.id) or instance.active_at
                instance.active_at = max(instance.active_at, active_at)
        settle(self, self.now())

    def new_id(self, prefix: str = "") -> str:
        """Make the next id: `prefix-<24 hex digits>`, or a UUID without a prefix."""
        bits = self._id_source.getrandbits(128)
        if not prefix:
            return str(uuid.UUID(int=bits, version=4))
        return f"{prefix}-{bits >> 32:024x}"

    def environment(self, name: str | None = None) -> Environment:
        """The environment of this name, or the default one."""
        for environment in self.environments.values():
            if environment.name == name or (name is None and environment.is_default):
                return environment
        raise ApiError(404, "not_found", f"There is no environment `{name}` in this workspace.")

    def add_environment(self, name: str, *, is_default: bool = False) -> Environment:
        """Create an environment."""
        now = self.moment
        environment = Environment(self.new_id(), name, is_default, created_at=now, updated_at=now)
        self.environments[environment.id] = environment
        return environment

    def add_instance(self, instance: Instance) -> None:
        """Store a new instance; without a job it has an SSH server as long as it lives."""
        self.instances[instance.id] = self.live_instances[instance.id] = instance
        if self.ssh is not None and instance.job_id is None:
            key = self.ssh_keys.get(instance.ssh_key_id or "")
            keys = () if key is None else (key.public_key,)
            instance.ip, instance.ssh_port = LOOPBACK, self.ssh.add(instance.id, keys)

    def is_instance_running(self, instance_id: str) -> bool:
        """True if an instance runs now, also when nothing has asked since; for any thread."""
        instance = self.instances.get(instance_id)
        if instance is None or instance_life.status_at(instance, self.now()) != "running":
            return False
        stop = instance_life.planned_stop(instance)
        return stop is None or stop[1] == "idle" or self.now() < stop[0]

    def instance_with_volume(self, volume_id: str) -> Instance | None:
        """The live instance that a volume is attached to."""
        return next((m for m in self.live_instances.values() if m.storage_id == volume_id), None)

    def charge_inference(
        self,
        model: str,
        cost_usd: Decimal,
        description: str,
        prompt_tokens: int = 0,
        completion_tokens: int = 0,
    ) -> None:
        """Pay for one inference request, which counts towards the default environment's budget.

        Amounts below a millionth of a dollar are rounded.
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
        environment.monthly_budget_usd = budget

    def set_secret(self, environment_name: str, key: str, *, sensitive: bool = False) -> None:
        """Set a secret, as on the dashboard; only its name, as the emulator has no use for more."""
        secrets = self.secrets.setdefault(self.environment(environment_name).id, {})
        secrets[key] = {"key": key, "sensitive": sensitive, "updated_at": self.now()}
