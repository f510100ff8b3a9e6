"""Letting the world live up to now.

Nothing runs in the background: before every request the emulator lives through all that was due
since the last one (instances ready or stopped, jobs ended, schedules fired, weeks of storage paid,
credits used up), moment by moment and in order, each at the time it was due.
"""

from datetime import datetime

from runcrate_emulator.infrastructure import billing, credit, job_life, schedules, storage
from runcrate_emulator.workspace import Workspace

_MAX_EVENTS_AT_ONE_MOMENT = 10_000  # more than can be due; an event that stays due is a bug


# In the order in which things due at the same moment happen: money comes in before it goes out,
# instances stop before the jobs on them are judged.
_SUBJECTS = (
    (billing.next_topup_event, billing.live_through_topup_events),
    (credit.next_instance_event, credit.live_through_instance_events),
    (credit.next_credit_event, credit.live_through_credit_events),
    (job_life.next_job_event, job_life.live_through_job_events),
    (storage.next_volume_event, storage.live_through_volume_events),
    (schedules.next_schedule_event, schedules.live_through_schedule_events),
)


def settle(world: Workspace, now: datetime) -> None:
    """Live through everything that is due up to a moment."""
    repeats = 0
    while (due := next_event(world)) is not None and due <= now:
        repeats = repeats + 1 if due <= world.moment else 0
        if repeats > _MAX_EVENTS_AT_ONE_MOMENT:
            raise RuntimeError(f"The emulated world does not get past {due}.")
        world.moment = max(due, world.moment)
        for _, live_through in _SUBJECTS:
            live_through(world)
    world.moment = max(now, world.moment)


def next_event(world: Workspace) -> datetime | None:
    """When the next thing happens by itself; None when nothing will."""
    moments = (next_of_subject(world) for next_of_subject, _ in _SUBJECTS)
    return min((moment for moment in moments if moment is not None), default=None)
