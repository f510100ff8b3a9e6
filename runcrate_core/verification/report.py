"""Verification reports: the verdict for each assumption, as a table and as JSON."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from runcrate_core.verification.assumptions import ASSUMPTIONS, Assumption, Level
from runcrate_core.version import __version__

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from decimal import Decimal

    from runcrate_core.verification.exchanges import Exchanges


class Verdict(Enum):
    """Outcome for one assumption."""

    VERIFIED = "verified"
    DIFFERS = "DIFFERS"
    NOT_OFFERED = "not offered"
    NOT_SHOWN = "not shown"
    NOT_PROBED = "not probed"
    POLICY = "policy"


@dataclass(frozen=True, slots=True)
class Row:
    """The verdict for one assumption.

    Attributes:
        assumption: The assumption.
        verdict: The outcome.
        observed: Label of the variant that was observed.
        note: Reason when nothing was observed.
    """

    assumption: Assumption
    verdict: Verdict
    observed: str | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """Verdicts for all assumptions.

    Attributes:
        rows: One for each assumption.
        levels: Levels that were probed.
        cost_usd: Real cost, where it is known.
    """

    rows: tuple[Row, ...]
    levels: frozenset[Level]
    cost_usd: Decimal | None = None

    @property
    def differences(self) -> tuple[Row, ...]:
        """Rows whose observation contradicts the assumption."""
        return tuple(row for row in self.rows if row.verdict is Verdict.DIFFERS)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON values, without any text of the service."""
        return {
            "report": "runcrate verify",
            "version": __version__,
            "levels": sorted(level.value for level in self.levels),
            "cost_usd": None if self.cost_usd is None else str(self.cost_usd),
            "rows": [
                {
                    "id": row.assumption.id,
                    "topic": row.assumption.topic,
                    "source": row.assumption.source,
                    "expected": list(row.assumption.expected),
                    "observed": row.observed,
                    "verdict": row.verdict.value,
                    "note": row.note,
                    "affects": row.assumption.affects,
                }
                for row in self.rows
            ],
        }

    def to_json(self) -> str:
        """Return the report as JSON text."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False) + "\n"

    def to_text(self) -> str:
        """Return the report as a table, differences last so that they are on the screen."""
        order = sorted(self.rows, key=lambda row: _ORDER.index(row.verdict))
        cells = [_HEADER, *(_cells(row) for row in order)]
        widths = [max(len(line[column]) for line in cells) for column in range(len(_HEADER))]
        lines = ["  ".join(map(str.ljust, line, widths)).rstrip() for line in cells]
        return "\n".join([*lines, "", self.summary()])

    def summary(self) -> str:
        """Return the counts of the verdicts in a sentence."""
        counts = Counter(row.verdict for row in self.rows)
        parts = [f"{counts[verdict]} {verdict.value.lower()}" for verdict in Verdict]
        return f"{len(self.rows)} assumptions: {', '.join(parts)}."


_HEADER: Final = ("Assumption", "Expected", "Observed", "Verdict")
_ORDER: Final = (
    Verdict.POLICY,
    Verdict.NOT_PROBED,
    Verdict.NOT_OFFERED,
    Verdict.NOT_SHOWN,
    Verdict.VERIFIED,
    Verdict.DIFFERS,
)


def _cells(row: Row) -> tuple[str, ...]:
    expected = " or ".join(row.assumption.expected) or "any"
    return row.assumption.topic, expected, row.observed or row.note or "-", row.verdict.value


def evaluate(
    exchanges: Exchanges,
    levels: Collection[Level],
    *,
    assumptions: Iterable[Assumption] = ASSUMPTIONS,
    cost_usd: Decimal | None = None,
) -> Report:
    """Return the verdict for each assumption.

    Args:
        exchanges: Responses to the probes.
        levels: Levels that were probed.
        assumptions: The assumptions to evaluate.
        cost_usd: Real cost of the probes, where it is known.
    """
    rows = tuple(_row(assumption, exchanges, levels) for assumption in assumptions)
    return Report(rows, frozenset(levels), cost_usd)


def _row(assumption: Assumption, exchanges: Exchanges, levels: Collection[Level]) -> Row:
    if assumption.observe is None or assumption.probe is None or assumption.level is None:
        return Row(assumption, Verdict.POLICY, note=assumption.policy)
    if assumption.level not in levels:
        return Row(assumption, Verdict.NOT_PROBED, note=f"needs --{assumption.level.value}")
    base = assumption.requires
    if base != assumption.probe and exchanges.is_redirected(base):
        return Row(assumption, Verdict.NOT_SHOWN, note="the host redirects")
    if base == "balance" and exchanges.is_not_offered(base):
        return Row(assumption, Verdict.NOT_OFFERED, note="the infrastructure API is not there")
    observed = assumption.observe(exchanges)
    if observed in assumption.expected:
        return Row(assumption, Verdict.VERIFIED, observed)
    if exchanges.is_not_offered(assumption.probe) and observed not in assumption.variants:
        return Row(assumption, Verdict.NOT_OFFERED, note="the endpoint is not there")
    if observed is None:
        reason = exchanges.reason_without(assumption.probe)
        offered = assumption.probe not in exchanges.skipped
        return Row(assumption, Verdict.NOT_SHOWN if offered else Verdict.NOT_OFFERED, note=reason)
    return Row(assumption, Verdict.DIFFERS, observed)
