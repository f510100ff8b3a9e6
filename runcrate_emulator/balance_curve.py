"""The balance at every moment since the start, from what was posted and what ran. Pure."""

from bisect import bisect_left, bisect_right
from datetime import datetime
from decimal import Decimal
from itertools import accumulate

from runcrate_emulator.infrastructure import instance_life
from runcrate_emulator.workspace import Workspace

_SAMPLES = 120  # as many as a chart has room for
_MAX_JUMPS = 120


def balance_curve(world: Workspace) -> list[tuple[datetime, float]]:
    """The floating balance from the start up to now.

    Instances let it fall steadily, whenever their usage was posted; top-ups, storage, refunds and
    inference make it jump, which gives two points at one moment.
    """
    posted = [t for t in world.ledger.transactions if t.instance_id is None]
    moments = [transaction.created_at for transaction in posted]
    sums = [Decimal(0), *accumulate(transaction.amount for transaction in posted)]
    start, end = moments[0], world.moment

    def at(moment: datetime, count: int) -> tuple[datetime, float]:
        used = sum(
            (instance_life.cost_between(m, m.runs_from, moment) for m in world.instances.values()),
            Decimal(0),
        )
        return moment, float(sums[count] - used)

    step = (end - start) / _SAMPLES
    jumps = set(sorted(set(moments[1:]))[-_MAX_JUMPS:])
    samples = {start + step * index for index in range(_SAMPLES)} | {end}
    curve = [at(moment, bisect_right(moments, moment)) for moment in samples - jumps]
    for moment in jumps:
        curve.append(at(moment, bisect_left(moments, moment)))
        curve.append(at(moment, bisect_right(moments, moment)))
    return sorted(curve, key=lambda point: point[0])
