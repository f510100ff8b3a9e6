"""Spending: an agent's limits, the plan of a launch, and the ledger of what was started."""

from __future__ import annotations

import secrets
import threading
from dataclasses import dataclass, field, replace
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any, Final

from runcrate_core.errors import SpendRefusedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

# After so long prices and what runs may have changed, and the plan is made anew (seconds).
PLAN_LIFETIME_S: Final = 600.0
# The server accepts lifetimes in this range (official SDK 0.5.0).
SHORTEST_RUNTIME_MINUTES: Final = 5
LONGEST_RUNTIME_MINUTES: Final = 10_080
_CENT: Final = Decimal("0.01")
_MINUTES_PER_HOUR: Final = 60
_NOT_SENT: Final = "Nothing was launched."


@dataclass(frozen=True)
class SpendLimits:
    """What an agent may spend. The defaults are small on purpose.

    Attributes:
        max_price_per_hour: Most USD an hour of one machine.
        max_gpus: Most GPUs at once, of all its machines together.
        max_runtime_minutes: Longest life of one machine, which the server enforces: 5 to 10080.
        max_instances: Most machines (instances and jobs) at once.
        max_total_usd: Most USD of everything started under these limits. Counted is what each
            machine costs if it lives as long as it may, until its true cost is known.
        gpu_types: GPUs that may be used, such as `("A100", "RTX 4090")`; any when not given.
        regions: Regions that may be used; any when not given.
        name_prefix: How the names of its machines begin. Others are not touched.

    Raises:
        ValueError: A limit is not a positive number, or out of the server's range.

    Example:
        ```python
        limits = SpendLimits(max_price_per_hour=2, max_runtime_minutes=30, max_total_usd=5)
        ```
    """

    max_price_per_hour: Decimal | float = Decimal(5)
    max_gpus: int = 1
    max_runtime_minutes: int = 60
    max_instances: int = 1
    max_total_usd: Decimal | float = Decimal(10)
    gpu_types: Iterable[str] | None = None
    regions: Iterable[str] | None = None
    name_prefix: str = "agent-"

    def __post_init__(self) -> None:
        for name in ("max_price_per_hour", "max_total_usd"):
            object.__setattr__(self, name, usd(getattr(self, name), name))
        for name in ("max_gpus", "max_instances"):
            _whole_number(getattr(self, name), name, 1, None)
        _whole_number(
            self.max_runtime_minutes,
            "max_runtime_minutes",
            SHORTEST_RUNTIME_MINUTES,
            LONGEST_RUNTIME_MINUTES,
        )
        for name in ("gpu_types", "regions"):
            value = getattr(self, name)
            if isinstance(value, str):
                value = (value,)
            object.__setattr__(self, name, None if value is None else tuple(value))
        if not self.name_prefix.strip():
            raise ValueError("`name_prefix` is empty: an agent could then end any machine.")

    def owns(self, name: str) -> bool:
        """Return whether a machine of this name counts as started under these limits."""
        return name.startswith(self.name_prefix)

    def check_request(
        self,
        *,
        gpu_type: str | None,
        region: str | None,
        gpu_count: int,
        runtime_minutes: int | None,
    ) -> None:
        """Refuse what can be refused without asking the API anything.

        Raises:
            SpendRefusedError: It names the limit, the value and what would be allowed.
        """
        if runtime_minutes is None:
            raise _refused(
                "a lifetime (`max_runtime_minutes`) is missing",
                f"Give {SHORTEST_RUNTIME_MINUTES} to {self.max_runtime_minutes} minutes",
            )
        if not SHORTEST_RUNTIME_MINUTES <= runtime_minutes <= self.max_runtime_minutes:
            raise _refused(
                f"a lifetime of {runtime_minutes} minutes is not allowed",
                f"Allowed are {SHORTEST_RUNTIME_MINUTES} to {self.max_runtime_minutes} minutes",
            )
        if not 1 <= gpu_count <= self.max_gpus:
            raise _refused(
                f"{gpu_count} GPUs are not allowed", f"Allowed are 1 to {self.max_gpus} in all"
            )
        if gpu_type is not None and not self.allows_gpu(gpu_type):
            raise _refused(
                f"the GPU type {gpu_type!r} is not allowed",
                f"Allowed are {_listed(self.gpu_types)}",
            )
        if region is not None and not self.allows_region(region):
            raise _refused(
                f"the region {region!r} is not allowed", f"Allowed are {_listed(self.regions)}"
            )

    def check_price(self, price_per_hour: Decimal | None, what: str) -> Decimal:
        """Return the price of a machine that may be launched.

        Raises:
            SpendRefusedError: It is unknown, or above the limit.
        """
        if price_per_hour is None:
            raise _refused(f"the price of {what} is not known", "Choose another machine")
        if price_per_hour > usd(self.max_price_per_hour, "max_price_per_hour"):
            raise _refused(
                f"{what} costs {price_per_hour} USD an hour",
                f"Allowed are at most {self.max_price_per_hour} USD an hour",
            )
        return price_per_hour

    def allows_gpu(self, gpu_type: str) -> bool:
        """Return whether a GPU type may be used; upper and lower case do not matter."""
        return self.gpu_types is None or _folded(gpu_type) in map(_folded, self.gpu_types)

    def allows_region(self, region: str | None) -> bool:
        """Return whether a region may be used; an unknown one only where any may be."""
        if self.regions is None:
            return True
        return region is not None and _folded(region) in map(_folded, self.regions)


@dataclass(frozen=True)
class RunningMachine:
    """A machine that runs already, as a plan shows it."""

    id: str
    name: str
    status: str
    gpu_type: str | None
    gpu_count: int
    price_per_hour: Decimal | None


@dataclass(frozen=True)
class LaunchPlan:
    """What a launch would do and cost, before anything is started.

    Attributes:
        token: Names the plan when it is carried out.
        name: The name the machine will have.
        instance_type_id: The machine that was chosen.
        gpu_type: Its GPU.
        gpu_count: How many of them.
        region: Where it stands.
        price_per_hour: USD, when the plan was made.
        max_runtime_minutes: Its lifetime, which the server enforces.
        running: What runs under the same limits already.
        made_at: Monotonic seconds, for its age.
        options: Further fields of the create request.
    """

    name: str
    instance_type_id: str
    gpu_type: str
    gpu_count: int
    region: str | None
    price_per_hour: Decimal
    max_runtime_minutes: int
    running: tuple[RunningMachine, ...] = ()
    made_at: float = 0.0
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    token: str = field(default_factory=lambda: f"plan-{secrets.token_hex(6)}")

    @property
    def worst_case_usd(self) -> Decimal:
        """USD it costs if it lives as long as it may, rounded to the cent."""
        return worst_case(self.price_per_hour, self.max_runtime_minutes).quantize(
            _CENT, ROUND_HALF_UP
        )

    def describe(self) -> str:
        """Return one line for a person who is asked to approve."""
        where = f" in {self.region}" if self.region else ""
        return (
            f"{self.name}: {self.gpu_count} x {self.gpu_type}{where} at {self.price_per_hour} USD "
            f"an hour for at most {self.max_runtime_minutes} minutes: at most "
            f"{self.worst_case_usd} USD"
        )

    def check_age(self, now: float) -> None:
        """Refuse a plan that is too old to be carried out.

        Raises:
            SpendRefusedError: It is older than ten minutes.
        """
        if now - self.made_at > PLAN_LIFETIME_S:
            raise _refused(
                f"the plan `{self.token}` is older than {PLAN_LIFETIME_S / 60:.0f} minutes",
                "Make a new plan",
            )

    def check_price(self, price_now: Decimal | None) -> None:
        """Refuse a plan whose machine has become dearer, or is no longer offered.

        Raises:
            SpendRefusedError: As said.
        """
        if price_now is None:
            raise _refused(
                f"the machine of the plan `{self.token}` is no longer offered", "Make a new plan"
            )
        if price_now > self.price_per_hour:
            raise _refused(
                f"the price rose from {self.price_per_hour} to {price_now} USD an hour since the "
                f"plan `{self.token}` was made",
                "Make a new plan",
            )


@dataclass(frozen=True)
class SpendEntry:
    """One machine in the ledger.

    Attributes:
        name: Its name.
        kind: `instance` or `job`.
        price_per_hour: USD.
        max_runtime_minutes: Its lifetime.
        gpu_count: Its GPUs.
        id: Its identifier, once known.
        state: `reserved` (not sent yet), `started`, `unknown` (the answer was lost) or `ended`.
        cost_usd: What it did cost, once it has ended and that is known.
        started_at: When the server says that it began to cost.
    """

    name: str
    kind: str
    price_per_hour: Decimal
    max_runtime_minutes: int
    gpu_count: int = 1
    id: str | None = None
    state: str = "reserved"
    cost_usd: Decimal | None = None
    started_at: datetime | None = None

    @property
    def is_live(self) -> bool:
        """Whether it costs money, or may."""
        return self.state != "ended"

    @property
    def at_most_usd(self) -> Decimal:
        """USD it has cost, or may cost in the worst case."""
        if self.cost_usd is not None:
            return self.cost_usd
        return worst_case(self.price_per_hour, self.max_runtime_minutes)


class SpendLedger:
    """What was started under some limits, and what it costs. Safe for threads and tasks.

    Money is reserved before anything is sent, so calls at the same time cannot exceed a limit
    together.
    """

    def __init__(self) -> None:
        self._entries: dict[str, SpendEntry] = {}
        self._lock = threading.Lock()

    @property
    def entries(self) -> tuple[SpendEntry, ...]:
        """Everything started or reserved, oldest first."""
        with self._lock:
            return tuple(self._entries.values())

    @property
    def live(self) -> tuple[SpendEntry, ...]:
        """What costs money, or may."""
        return tuple(entry for entry in self.entries if entry.is_live)

    @property
    def total_usd(self) -> Decimal:
        """USD of everything: true costs where known, else the worst case."""
        return sum((entry.at_most_usd for entry in self.entries), Decimal())

    def describe(self) -> str:
        """Return what was started and what it may cost, a line each."""
        lines = [
            f"{entry.kind} {entry.name}: {entry.state}, "
            f"{'cost' if entry.cost_usd is not None else 'at most'} "
            f"{entry.at_most_usd.quantize(_CENT, ROUND_HALF_UP)} USD"
            for entry in self.entries
        ]
        total = self.total_usd.quantize(_CENT, ROUND_HALF_UP)
        return "\n".join([*lines, f"in all at most {total} USD"])

    def reserve(
        self, entry: SpendEntry, limits: SpendLimits, running: Iterable[RunningMachine] = ()
    ) -> None:
        """Set money and a place aside, before anything is sent.

        Args:
            entry: What is to be started.
            limits: The limits.
            running: What the API says runs under the same limits, for what an earlier program
                left behind.

        Raises:
            SpendRefusedError: It would exceed a limit together with what runs or is reserved.
        """
        with self._lock:
            live = [known for known in self._entries.values() if known.is_live]
            names = {known.name for known in live}
            others = [machine for machine in running if machine.name not in names]
            count = len(live) + len(others)
            if count >= limits.max_instances:
                raise _refused(
                    f"{count} machines run or are being started already",
                    f"Allowed are {limits.max_instances} at once; end one first",
                )
            gpus = sum(known.gpu_count for known in live) + sum(
                machine.gpu_count for machine in others
            )
            if gpus + entry.gpu_count > limits.max_gpus:
                raise _refused(
                    f"{gpus} GPUs are in use and {entry.gpu_count} more were asked for",
                    f"Allowed are {limits.max_gpus} at once",
                )
            spent = sum((known.at_most_usd for known in self._entries.values()), Decimal())
            budget = usd(limits.max_total_usd, "max_total_usd")
            if spent + entry.at_most_usd > budget:
                left = max(Decimal(), budget - spent).quantize(_CENT, ROUND_HALF_UP)
                raise _refused(
                    f"it may cost {entry.at_most_usd.quantize(_CENT, ROUND_HALF_UP)} USD",
                    f"{left} USD of {budget} USD are left; choose a cheaper machine or a shorter "
                    "life",
                )
            self._entries[entry.name] = entry

    def extend(self, name: str, max_runtime_minutes: int, limits: SpendLimits) -> None:
        """Count another lifetime of an entry, before it is asked for.

        Raises:
            SpendRefusedError: It would exceed the total.
        """
        with self._lock:
            entry = self._entries.get(name)
            if entry is None:
                return
            longer = replace(entry, max_runtime_minutes=max_runtime_minutes)
            others = sum(
                (known.at_most_usd for known in self._entries.values() if known.name != name),
                Decimal(),
            )
            if others + longer.at_most_usd > usd(limits.max_total_usd, "max_total_usd"):
                raise _refused(
                    f"a life of {max_runtime_minutes} minutes may cost "
                    f"{longer.at_most_usd.quantize(_CENT, ROUND_HALF_UP)} USD, more than is left",
                    "Choose a shorter life",
                )
            self._entries[name] = longer

    def release(self, name: str) -> None:
        """Forget a reservation: it is certain that nothing was started."""
        with self._lock:
            self._entries.pop(name, None)

    def note(self, name: str, **changes: Any) -> None:
        """Record what became of an entry (`id`, `state`, `cost_usd`, ...)."""
        with self._lock:
            if name in self._entries:
                self._entries[name] = replace(self._entries[name], **changes)

    def find(self, identifier: str) -> SpendEntry | None:
        """Return the entry with this identifier or name."""
        return next((entry for entry in self.entries if identifier in {entry.id, entry.name}), None)


def worst_case(price_per_hour: Decimal, minutes: int) -> Decimal:
    """Return the USD of so many minutes."""
    return price_per_hour * minutes / _MINUTES_PER_HOUR


def usd(value: Decimal | float | str, name: str) -> Decimal:
    """Return an amount.

    Raises:
        ValueError: It is not a positive, finite amount.
    """
    try:
        amount = Decimal(str(value))
    except ArithmeticError:
        amount = Decimal("NaN")
    if not amount.is_finite() or amount <= 0:
        raise ValueError(f"`{name}` must be an amount above 0, not {value!r}.")
    return amount


def _whole_number(value: object, name: str, least: int, most: int | None) -> None:
    whole = isinstance(value, int) and not isinstance(value, bool)
    if not whole or value < least or (most is not None and value > most):  # type: ignore[operator] # whole
        bounds = f"from {least}" if most is None else f"from {least} to {most}"
        raise ValueError(f"`{name}` must be a whole number {bounds}, not {value!r}.")


def _refused(why: str, instead: str) -> SpendRefusedError:
    return SpendRefusedError(f"The spending limits forbid this: {why}. {_NOT_SENT} {instead}.")


def _folded(text: str) -> str:
    return "".join(character for character in text.casefold() if character.isalnum())


def _listed(values: Iterable[str] | None) -> str:
    return ", ".join(values or ()) or "none"
