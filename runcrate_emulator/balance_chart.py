"""The balance over time: its curve, from what was posted and what ran, as an inline SVG. Pure."""

import math
from bisect import bisect_right
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import accumulate

from runcrate_emulator.infrastructure import instance_life
from runcrate_emulator.world import World

_SAMPLES = 240  # as many as a chart has room for
_WIDTH, _HEIGHT = 960, 200
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 8, 12, 28
_DAY = timedelta(days=1)


def balance_curve(world: World) -> list[tuple[datetime, float]]:
    """Return the floating balance from the start up to now.

    Instances let it fall steadily, whenever their usage was posted; top-ups, storage, refunds and
    inference make it jump.
    """
    posted = [t for t in world.ledger.transactions if t.instance_id is None]
    moments = [transaction.created_at for transaction in posted]
    sums = [Decimal(0), *accumulate(transaction.amount for transaction in posted)]
    step = (world.moment - moments[0]) / _SAMPLES
    samples = {moments[0] + step * index for index in range(_SAMPLES)} | {world.moment}

    def balance(at: datetime) -> float:
        used = sum(
            (instance_life.cost_between(i, i.runs_from, at) for i in world.instances.values()),
            Decimal(0),
        )
        return float(sums[bisect_right(moments, at)] - used)

    return [(at, balance(at)) for at in sorted(samples)]


def balance_chart(points: list[tuple[datetime, float]]) -> str:
    """Draw a balance that changes linearly between its points, of which there is at least one."""
    start, end = points[0][0], points[-1][0]
    span = max((end - start).total_seconds(), 1.0)
    highest = max(1.0, *(balance for _, balance in points))
    digit = 10.0 ** math.floor(math.log10(highest))
    top = math.ceil(highest / digit) * digit
    bottom = min(0.0, *(balance for _, balance in points))

    def y(balance: float) -> float:
        return _TOP + (_HEIGHT - _TOP - _BOTTOM) * (top - balance) / (top - bottom)

    places = [
        (_LEFT + (_WIDTH - _LEFT - _RIGHT) * (at - start).total_seconds() / span, y(balance))
        for at, balance in points
    ]
    base = y(bottom)
    line = " ".join(f"{x:.1f},{down:.1f}" for x, down in places)
    last_x, last_y = places[-1]
    pattern = "%H:%M:%S" if end - start < _DAY else "%d %b %H:%M"
    grid = "".join(
        f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" '
        f'y1="{y(at):.1f}" y2="{y(at):.1f}"/>'
        f'<text x="{_LEFT - 8}" y="{y(at) + 4:.1f}" text-anchor="end">${_dollars(at)}</text>'
        for at in (bottom, (bottom + top) / 2, top)
    )
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="Balance over time">{grid}'
        f'<polygon class="area" points="{_LEFT},{base:.1f} {line} {last_x:.1f},{base:.1f}"/>'
        f'<polyline class="line" points="{line}"/>'
        f'<circle class="dot" cx="{last_x:.1f}" cy="{last_y:.1f}" r="4"/>'
        f'<text x="{_LEFT}" y="{_HEIGHT - 6}">{start.strftime(pattern)}</text>'
        f'<text x="{_WIDTH - _RIGHT}" y="{_HEIGHT - 6}" text-anchor="end">'
        f"{end.strftime(pattern)}</text></svg>"
    )


def _dollars(amount: float) -> str:
    return f"{amount:,.2f}".removesuffix(".00")
