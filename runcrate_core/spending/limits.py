"""Spending limits of an agent."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from runcrate_core.errors import SpendRefusedError
from runcrate_core.spending.money import known_price, usd

# The server accepts lifetimes in this range (official SDK 0.5.0).
MIN_RUNTIME_MINUTES: Final = 5
MAX_RUNTIME_MINUTES: Final = 10_080
# Of a job's attempt (official SDK 0.5.0).
MIN_JOB_MINUTES: Final = 1
# Of a job (official SDK 0.5.0).
MAX_JOB_RETRIES: Final = 10
# Of the 64 characters that a name may have. A name whose prefix is cut off would be nobody's.
MAX_PREFIX_LENGTH: Final = 40
_NOT_SENT: Final = "Nothing was launched."


@dataclass(frozen=True)
class SpendLimits:
    """Spending limits of an agent. The defaults are small on purpose.

    Attributes:
        max_price_per_hour: Maximum USD an hour of one instance.
        max_gpus: Maximum GPUs at once, of all instances and jobs together.
        max_runtime_minutes: Maximum lifetime of one instance, and of each attempt of a job, which
            the server enforces: 5 to 10080.
        max_instances: Maximum number of instances and jobs at once.
        max_total_usd: Maximum USD of everything started under these limits. Each instance counts
            with the cost of its complete lifetime until its true cost is known.
        gpu_types: GPUs that may be used, such as `("A100", "RTX 4090")`; any when not given.
        regions: Regions that may be used; any when not given.
        name_prefix: Prefix of the names of its instances and jobs, at most 40 characters. What
            has it counts as running under these limits.

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
            MIN_RUNTIME_MINUTES,
            MAX_RUNTIME_MINUTES,
        )
        for name in ("gpu_types", "regions"):
            value = getattr(self, name)
            if isinstance(value, str):
                value = (value,)
            names = None if value is None else tuple(value)
            if not all(isinstance(item, str) for item in names or ()):
                raise ValueError(f"`{name}` must be names, not {value!r}.")
            object.__setattr__(self, name, names)
        prefix: object = self.name_prefix
        if not isinstance(prefix, str) or prefix != prefix.lstrip() or not prefix.isprintable():
            raise ValueError(
                f"`name_prefix` must be a text on one line that begins without a blank, not "
                f"{prefix!r}."
            )
        if not prefix:
            raise ValueError("`name_prefix` is empty: every instance would count as started here.")
        if len(self.name_prefix) > MAX_PREFIX_LENGTH:
            raise ValueError(f"`name_prefix` must have at most {MAX_PREFIX_LENGTH} characters.")

    @property
    def budget_usd(self) -> Decimal:
        """`max_total_usd` as an exact amount."""
        return usd(self.max_total_usd, "max_total_usd")

    @property
    def price_limit_usd(self) -> Decimal:
        """`max_price_per_hour` as an exact amount."""
        return usd(self.max_price_per_hour, "max_price_per_hour")

    def owns(self, name: str) -> bool:
        """Return whether a resource of this name counts as started under these limits."""
        return name.startswith(self.name_prefix)

    def check_request(
        self,
        *,
        gpu_type: str | None,
        region: str | None,
        gpu_count: int,
        runtime_minutes: int | None,
        shortest_minutes: int = MIN_RUNTIME_MINUTES,
    ) -> None:
        """Refuse what can be refused without asking the API anything.

        Raises:
            SpendRefusedError: It names the limit, the value and what would be allowed.
            ValueError: A number is not an integer.
        """
        for name, number in (("max_runtime_minutes", runtime_minutes), ("gpu_count", gpu_count)):
            if number is not None and type(number) is not int:
                raise ValueError(f"`{name}` must be a whole number, not {number!r}. {_NOT_SENT}")
        if runtime_minutes is None:
            raise refused(
                "a lifetime (`max_runtime_minutes`) is missing",
                f"Give {shortest_minutes} to {self.max_runtime_minutes} minutes",
            )
        if not shortest_minutes <= runtime_minutes <= self.max_runtime_minutes:
            raise refused(
                f"a lifetime of {runtime_minutes} minutes is not allowed",
                f"Allowed are {shortest_minutes} to {self.max_runtime_minutes} minutes",
            )
        if not 1 <= gpu_count <= self.max_gpus:
            raise refused(
                f"{gpu_count} GPUs are not allowed", f"Allowed are 1 to {self.max_gpus} in all"
            )
        if gpu_type is not None and not self.allows_gpu(gpu_type):
            raise refused(
                f"the GPU type {gpu_type!r} is not allowed",
                f"Allowed are {_listed(self.gpu_types)}",
            )
        if region is not None and not self.allows_region(region):
            raise refused(
                f"the region {region!r} is not allowed", f"Allowed are {_listed(self.regions)}"
            )

    def check_price(self, price_per_hour: Decimal | None, label: str) -> Decimal:
        """Return the price of an instance that may be launched.

        Raises:
            SpendRefusedError: It is unknown (missing, zero, absurd), or above the limit.
        """
        price = known_price(price_per_hour)
        if price is None:
            shown = "" if price_per_hour is None else f" (the API reports {price_per_hour})"
            raise refused(f"the price of {label} is not known{shown}", "Choose another")
        if price > self.price_limit_usd:
            raise refused(
                f"{label} costs {price} USD an hour",
                f"Allowed are at most {self.max_price_per_hour} USD an hour",
            )
        return price

    def allows_gpu(self, gpu_type: str) -> bool:
        """Return whether a GPU type may be used; upper and lower case do not matter."""
        return self.gpu_types is None or folded(gpu_type) in map(folded, self.gpu_types)

    def allows_region(self, region: str | None) -> bool:
        """Return whether a region may be used; an unknown one only where any may be."""
        if self.regions is None:
            return True
        return region is not None and folded(region) in map(folded, self.regions)


def refused(why: str, instead: str, not_done: str = _NOT_SENT) -> SpendRefusedError:
    """Return the error for what the limits forbid: why, what was not done, what to do instead."""
    return SpendRefusedError(f"The spending limits forbid this: {why}. {not_done} {instead}.")


def folded(text: str) -> str:
    """Return what of a GPU's or a region's name counts: `RTX 4090` and `rtx-4090` are the same."""
    return "".join(character for character in text.casefold() if character.isalnum())


def _whole_number(value: object, name: str, least: int, maximum: int | None) -> None:
    is_integer = isinstance(value, int) and not isinstance(value, bool)
    if not is_integer or value < least or (maximum is not None and value > maximum):  # type: ignore[operator] # is an int
        bounds = f"from {least}" if maximum is None else f"from {least} to {maximum}"
        raise ValueError(f"`{name}` must be a whole number {bounds}, not {value!r}.")


def _listed(values: Iterable[str] | None) -> str:
    return ", ".join(values or ()) or "none"
