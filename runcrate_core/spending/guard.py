"""The guard between an agent and the GPU cloud: plan, launch, change and terminate within limits.

It is written once for both clients and all frameworks: its methods return flows, which
`client.run(...)` (or `await client.run(...)`) runs.

    guard = SpendGuard(SpendLimits(max_price_per_hour=2, max_runtime_minutes=30))
    plan = client.run(guard.plan(gpu_type="A100", max_runtime_minutes=30))
    instance = client.run(guard.launch(plan.token))
    job = client.run(guard.run_job(command="...", gpu_type="A100", max_runtime_minutes=10))
    client.run(guard.terminate_all())
"""

from __future__ import annotations

from collections.abc import Collection

from runcrate_core.errors import ConfigurationError
from runcrate_core.protocol.steps import Flow
from runcrate_core.spending import cleanup
from runcrate_core.spending.approval import Approval
from runcrate_core.spending.cleanup import CleanupReport
from runcrate_core.spending.instances import GuardedInstances
from runcrate_core.spending.jobs import GuardedJobs
from runcrate_core.spending.ledger import SpendLedger
from runcrate_core.spending.limits import SpendLimits
from runcrate_core.spending.ownership import Ownership
from runcrate_core.spending.plans import ApproveCallback
from runcrate_core.spending.reservations import Reservations


class SpendGuard:
    """Plans, launches and terminates instances and jobs within limits, and keeps the ledger.

    Args:
        limits: Spending limits.
        ledger: The ledger to keep; a new one when not given.
        approve: Called before each launch, job and longer lifetime; any result but `True`
            refuses it.
        may_terminate_prefix: Resources with the prefix of the limits may be terminated.
            Otherwise only what the ledger holds: a name does not prove who started something.
        may_terminate_others: Everything may be terminated.

    Attributes:
        limits: Spending limits.
        ledger: The resources that were started, and their cost.
        phase: Replaced when a session is left: tools that wait then stop.
        require_approval: See `spending.approval.Approval.require`.
        plan, plan_of, launch, update, terminate: See `spending.instances.GuardedInstances`.
        run_job, cancel_job: See `spending.jobs.GuardedJobs`.

    Raises:
        ConfigurationError: `limits` is something else.
    """

    def __init__(
        self,
        limits: SpendLimits,
        *,
        ledger: SpendLedger | None = None,
        approve: ApproveCallback | None = None,
        may_terminate_prefix: bool = False,
        may_terminate_others: bool = False,
    ) -> None:
        if not isinstance(limits, SpendLimits):
            raise ConfigurationError(
                f"`limits` must be `SpendLimits(...)`, not a `{type(limits).__name__}`. Nothing "
                "can be started with it."
            )
        self.limits = limits
        self.ledger = ledger if ledger is not None else SpendLedger()
        approval = Approval(approve)
        reservations = Reservations(limits, self.ledger, self)
        ownership = Ownership(self.ledger, limits, may_terminate_prefix, may_terminate_others)
        parts = (limits, self.ledger, approval, reservations, ownership)
        instances, jobs = GuardedInstances(*parts), GuardedJobs(*parts)
        self.phase: object = object()
        self.require_approval = approval.require
        self.running = reservations.running
        self.plan = instances.plan
        self.plan_of = instances.plan_of
        self.launch = instances.launch
        self.update = instances.update
        self.terminate = instances.terminate
        self.run_job = jobs.run
        self.cancel_job = jobs.cancel

    def settle(self) -> Flow[SpendLedger]:
        """Look up everything in the ledger whose end or cost is not known, and return it."""
        yield from cleanup.settle(self.ledger)
        return self.ledger

    def terminate_all(
        self, *, exclude: Collection[str] = (), session: str | None = None
    ) -> Flow[CleanupReport]:
        """Terminate every live instance and job in the ledger, side by side.

        Args:
            exclude: Names of those to leave alone.
            session: Only those that were started in this session.
        """
        return (yield from cleanup.terminate_all(self.ledger, exclude, session=session))

    def interrupt(self) -> None:
        """Let tools stop waiting. Takes no lock, so that a signal handler may call it."""
        self.phase = object()
