"""Advance the world to the present emulated time.

Nothing runs in the background: before every request the emulator lives through all that was due
since the last one (instances ready or stopped, jobs ended, schedules fired, weeks of storage paid,
credits used up), moment by moment and in order, each at the time it was due.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple

from runcrate_emulator.infrastructure import credit, job_life, schedules, storage
from runcrate_emulator.world import World


class _Subject(NamedTuple):
    """Things that act by themselves: all of them, when one acts next, and its act."""

    records: Callable[[World], dict[str, Any]]
    due: Callable[[World, Any], datetime | None]
    act: Callable[[World, Any], object]


# In the order in which things due at the same moment happen: instances stop before the jobs on
# them are judged.
_SUBJECTS = (
    _Subject(lambda world: world.live_instances, credit.instance_due, credit.settle_instance),
    _Subject(lambda world: {"": world}, credit.credit_due, credit.settle_credit),
    _Subject(lambda world: world.live_jobs, job_life.job_due, job_life.settle_job),
    _Subject(lambda world: world.volumes, lambda _, one: one.paid_until, storage.pay_week),
    _Subject(lambda world: world.schedules, lambda _, one: one.next_run_at, schedules.fire),
)


def settle(world: World, now: datetime) -> None:
    """Apply everything that is due up to a time."""
    while True:
        dues = [s.due(world, record) for s in _SUBJECTS for record in s.records(world).values()]
        due = min((moment for moment in dues if moment is not None), default=None)
        if due is None or due > now:
            break
        world.moment = max(due, world.moment)
        for subject in _SUBJECTS:
            for key in list(subject.records(world)):
                record = subject.records(world).get(key)
                due = None if record is None else subject.due(world, record)
                if due is not None and due <= world.moment:
                    subject.act(world, record)
    world.moment = max(now, world.moment)
