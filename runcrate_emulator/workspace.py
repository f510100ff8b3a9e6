"""The state of the emulated workspace: everything that exists, and the simplest questions to it.

What is set on the service's dashboard (budgets, secrets, cards, keys, stock) is set here by plain
attributes and the `set_` methods.
"""

from __future__ import annotations

import random
import uuid
from collections import deque
from decimal import Decimal
from typing import TYPE_CHECKING

from runcrate_emulator.clock import Clock
from runcrate_emulator.errors import ApiError
from runcrate_emulator.files import FileStore, Signer
from runcrate_emulator.infrastructure.catalogue import FIRST_SOLD_OUT, InstanceType
from runcrate_emulator.infrastructure.idempotency import IdempotencyStore
from runcrate_emulator.infrastructure.instance_life import Instance
from runcrate_emulator.infrastructure.records import (
    AutoRecharge,
    Card,
    CardBehaviour,
    Environment,
    JobGroup,
    KeyPermissions,
    Schedule,
    Secret,
    SshKey,
    TopUp,
    Upload,
    Volume,
)
from runcrate_emulator.keys import API_KEY, TEST_KEY
from runcrate_emulator.ledger import Ledger

if TYPE_CHECKING:
    from runcrate_emulator.infrastructure.job_program import JobProgram
    from runcrate_emulator.infrastructure.job_record import Job
    from runcrate_emulator.infrastructure.webhooks import Announcement, WebhookDelivery


_DEFAULT_ENVIRONMENT = "main"  # seed 003
_ADDRESSES = 254


class Workspace:
    """All state, in memory.

    Attributes:
        moment: Emulated time up to which the world has been lived through.
        live_instances: Those of `instances` that start or run.
        live_jobs: Those of `jobs` that have not ended.
        sold_out: GPU types and instance type ids that have no stock.
        storage_provider: Provider of new volumes; None as long as none is configured.
        cards: Saved payment methods.
        card_behaviour: What happens when the default card is charged.
        payment_hold: Whether payments are on hold.
        key_permissions: Billing permission and caps per API key; other keys are refused.
        deactivated_keys: Keys that are refused.
        announcements: Webhook calls that are still to be made.
        webhooks: What became of every webhook that was due.
        on_job: Decides the outcome of jobs.
        run_commands: Whether commands of jobs really run on this computer.
        crashes: Exceptions that were answered with the emulator's own 500, or raised by `on_job`.
    """

    def __init__(self, clock: Clock, seed: int, balance_usd: Decimal) -> None:
        self.clock = clock
        self.seed = seed
        self._opening_balance = balance_usd
        self.live_jobs: dict[str, Job] = {}
        self.crashes: list[BaseException] = []
        self.on_job: JobProgram | None = None
        self.run_commands = False
        self.begin()

    def begin(self) -> None:
        """Return to an empty workspace with its opening balance."""
        self.stop_commands()
        self.moment = self.clock.now()
        self.random = random.Random(self.seed)  # noqa: S311 - reproducible, not secret
        self._id_source = random.Random(f"ids of {self.seed}")  # noqa: S311 - reproducible ids
        self._instances_made = 0
        self.signer = Signer(self.clock, f"links of {self.seed}".encode())
        self.media = FileStore(self.clock, self.new_id, self.signer)
        self.ledger = Ledger(self._opening_balance, self.moment, self.new_id)
        self.environments: dict[str, Environment] = {}
        self.ssh_keys: dict[str, SshKey] = {}
        self.secrets: dict[str, dict[str, Secret]] = {}
        self.instances: dict[str, Instance] = {}
        self.live_instances: dict[str, Instance] = {}
        self.volumes: dict[str, Volume] = {}
        self.jobs: dict[str, Job] = {}
        self.live_jobs = {}
        self.job_groups: dict[str, JobGroup] = {}
        self.uploads: dict[str, Upload] = {}
        self.schedules: dict[str, Schedule] = {}
        self.topups: dict[str, TopUp] = {}
        self.idempotency = IdempotencyStore()
        self.auto_recharge = AutoRecharge()
        self.sold_out: set[str] = set(FIRST_SOLD_OUT)
        self.storage_provider: str | None = "aws-s3"
        self.cards: list[Card] = [Card()]
        self.card_behaviour: CardBehaviour = "succeeds"
        self.payment_hold = False
        self.key_permissions = {
            API_KEY: KeyPermissions(billing=True),
            TEST_KEY: KeyPermissions(),
        }
        self.deactivated_keys: set[str] = set()
        self.announcements: deque[Announcement] = deque()
        self.webhooks: list[WebhookDelivery] = []
        self.add_environment(_DEFAULT_ENVIRONMENT, is_default=True)

    def stop_commands(self) -> None:
        """Kill the commands that still run."""
        for job in self.live_jobs.values():
            if job.attempt is not None:
                job.attempt.trace.stop()

    def new_id(self, prefix: str = "") -> str:
        """Make the next id: `prefix-<24 hex digits>`, or a UUID without a prefix."""
        bits = self._id_source.getrandbits(128)
        if not prefix:
            return str(uuid.UUID(int=bits, version=4))
        return f"{prefix}-{bits >> 32:024x}"

    def new_address(self) -> str:
        """The next instance's address, out of a range that is reserved for documentation."""
        self._instances_made += 1
        return f"203.0.113.{(self._instances_made - 1) % _ADDRESSES + 1}"

    def environment(self, name: str | None = None) -> Environment:
        """The environment of this name, or the default one.

        Raises:
            ApiError: 404 `not_found`.
        """
        for environment in self.environments.values():
            if environment.name == name or (name is None and environment.is_default):
                return environment
        raise ApiError(404, "not_found", f"There is no environment `{name}` in this workspace.")

    def add_environment(self, name: str, *, is_default: bool = False) -> Environment:
        """Create an environment."""
        environment = Environment(
            id=self.new_id(),
            name=name,
            is_default=is_default,
            created_at=self.moment,
            updated_at=self.moment,
        )
        self.environments[environment.id] = environment
        return environment

    def is_in_use(self, environment_id: str) -> bool:
        """True if an environment holds anything that lives."""
        holders = (self.live_instances, self.volumes, self.live_jobs, self.schedules)
        return any(
            thing.environment_id == environment_id
            for holder in holders
            for thing in holder.values()
        )

    def keep_instance(self, instance: Instance) -> Instance:
        """Store an instance, new or changed."""
        self.instances[instance.id] = instance
        if instance.is_live:
            self.live_instances[instance.id] = instance
        else:
            self.live_instances.pop(instance.id, None)
        return instance

    def keep_job(self, job: Job) -> Job:
        """Store a job, new or changed."""
        self.jobs[job.id] = job
        if job.is_live:
            self.live_jobs[job.id] = job
        else:
            self.live_jobs.pop(job.id, None)
        return job

    def instance_with_volume(self, volume_id: str) -> Instance | None:
        """The live instance that a volume is attached to."""
        return next((m for m in self.live_instances.values() if m.storage_id == volume_id), None)

    def has_stock(self, kind: InstanceType) -> bool:
        """True if an instance of this type can be launched now."""
        return kind.gpu_type not in self.sold_out and kind.id not in self.sold_out

    def permissions_of(self, api_key: str) -> KeyPermissions:
        """Dashboard permissions of a key."""
        return self.key_permissions.get(api_key, KeyPermissions())
