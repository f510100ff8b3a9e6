"""The balance over time as an inline SVG. Pure."""

from datetime import datetime, timedelta

_WIDTH, _HEIGHT = 960, 200
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 8, 12, 28
_GRID_LINES = 3
_SCALE_TOPS = (3, 6, 12, 15, 21)


def balance_chart(points: list[tuple[datetime, float]]) -> str:
    """Draw a balance that changes linearly between its points.

    Args:
        points: Moments in order, each with the balance after it; at least one.
    """
    start, end = points[0][0], points[-1][0]
    span = max((end - start).total_seconds(), 1.0)
    top = _round_up(max(balance for _, balance in points))
    bottom = min(0.0, *(balance for _, balance in points))

    def x(at: datetime) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * (at - start).total_seconds() / span

    def y(balance: float) -> float:
        return _TOP + (_HEIGHT - _TOP - _BOTTOM) * (top - balance) / (top - bottom)

    line = " ".join(f"{x(at):.1f},{y(balance):.1f}" for at, balance in points)
    base = y(bottom)
    grid = "".join(
        _grid_line(y(value), value)
        for value in (
            bottom + (top - bottom) * step / _GRID_LINES for step in range(_GRID_LINES + 1)
        )
    )
    last_x, last_y = x(end), y(points[-1][1])
    pattern = "%H:%M:%S" if span < timedelta(days=1).total_seconds() else "%d %b %H:%M"
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="Balance over time">{grid}'
        f'<polygon class="area" points="{_LEFT},{base:.1f} {line} {last_x:.1f},{base:.1f}"/>'
        f'<polyline class="line" points="{line}"/>'
        f'<circle class="dot" cx="{last_x:.1f}" cy="{last_y:.1f}" r="4"/>'
        f'<text x="{_LEFT}" y="{_HEIGHT - 6}">{start.strftime(pattern)}</text>'
        f'<text x="{_WIDTH - _RIGHT}" y="{_HEIGHT - 6}" text-anchor="end">'
        f"{end.strftime(pattern)}</text></svg>"
    )


def _grid_line(y: float, value: float) -> str:
    return (
        f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">${value:,.0f}</text>'
    )


def _round_up(value: float) -> float:
    """The next top of the scale whose thirds read well: 3, 6, 12, 15, 21, 30, 60, 120, ..."""
    power = 1
    while True:
        for digits in _SCALE_TOPS:
            if digits * power >= value:
                return float(digits * power)
        power *= 10
