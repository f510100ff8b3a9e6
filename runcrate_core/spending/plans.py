"""Plans: launches with their worst-case cost, before anything is sent."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, Protocol

from runcrate_core.spending.limits import refused
from runcrate_core.spending.money import cents, known_price, worst_case

# After so long prices and capacity may have changed, and a new plan is needed (seconds). A plan
# that a person was asked to approve waits for the answer; its price is checked again.
PLAN_LIFETIME_S: Final = 600.0
# One word: with blanks, or full stops and blanks, a name could pass for a sentence of the prompt.
_PLAIN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}")
# Options that the sentence shows already, or that are shown after the others.
_SHOWN_ELSEWHERE: Final = frozenset(
    {
        "command",
        "gpu_count",
        "gpu_type",
        "max_retries",
        "max_runtime_minutes",
        "name",
        "region",
        "startup_commands",
    }
)
# Options whose values may be secrets: only the names of their fields are shown.
_SECRET_OPTIONS: Final = frozenset({"env", "env_vars", "image_registry_auth"})
# The longest command that a tool takes is shown completely.
MAX_SHOWN_TEXT: Final = 16_000
# A longer name would push the cost out of sight.
MAX_SHOWN_NAME: Final = 200


class Proposal(Protocol):
    """A plan that a person is asked to approve.

    Attributes:
        name: Name of the instance or job.
        price_per_hour: USD; of a job the highest that its instance may have.
        max_runtime_minutes: How long it may run, of a job each attempt.
    """

    @property
    def name(self) -> str: ...  # noqa: D102 - see the class
    @property
    def price_per_hour(self) -> Decimal: ...  # noqa: D102 - see the class
    @property
    def max_runtime_minutes(self) -> int: ...  # noqa: D102 - see the class
    @property
    def worst_case_usd(self) -> Decimal:
        """USD it costs if everything takes as long as it may, rounded to the cent."""
        ...

    def describe(self) -> str:
        """Return one line for the person who decides."""
        ...


# Answers `True` for yes; anything else is a refusal. Asynchronous ones need an asynchronous client.
ApproveCallback = Callable[[Proposal], bool | Awaitable[bool]]


@dataclass(frozen=True)
class RunningResource:
    """An instance or job that runs already, as a plan shows it."""

    id: str
    name: str
    status: str
    gpu_type: str | None
    gpu_count: int
    price_per_hour: Decimal | None


@dataclass(frozen=True)
class LaunchPlan:
    """A launch and its cost, before anything is started.

    Attributes:
        token: Identifies the plan for the launch.
        name: The name the instance will have.
        instance_type_id: The instance type that was chosen.
        gpu_type: Its GPU.
        gpu_count: How many of them.
        region: Where it stands.
        price_per_hour: USD, when the plan was made.
        max_runtime_minutes: Its lifetime, which the server enforces.
        running: What runs under the same limits already.
        made_at: Monotonic seconds, for its age in the process that made it.
        planned_at: When it was made, for its age in other processes.
        options: Further fields of the create request.
    """

    name: str
    instance_type_id: str
    gpu_type: str
    gpu_count: int
    region: str | None
    price_per_hour: Decimal
    max_runtime_minutes: int
    running: tuple[RunningResource, ...] = ()
    made_at: float = 0.0
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    planned_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    token: str = field(default_factory=lambda: f"plan-{secrets.token_hex(6)}")

    @property
    def worst_case_usd(self) -> Decimal:
        """USD it costs if it lives as long as it may, rounded to the cent."""
        return cents(worst_case(self.price_per_hour, self.max_runtime_minutes))

    def describe(self) -> str:
        """Return one line for a person who is asked to approve."""
        where = f" in {plain(self.region)}" if self.region else ""
        return (
            f"{self.name}: {self.gpu_count} x {plain(self.gpu_type)}{where} at "
            f"{self.price_per_hour} USD an hour for at most {self.max_runtime_minutes} minutes: at "
            f"most {self.worst_case_usd} USD{_extras(self.options)}"
        )

    def check_age(self, now: float, *, made_here: bool = True) -> None:
        """Refuse a plan that is too old to be launched.

        Args:
            now: Monotonic seconds.
            made_here: It was made in this process, whose monotonic clock `made_at` is of.

        Raises:
            SpendRefusedError: It is older than ten minutes.
        """
        age = now - self.made_at
        if not made_here:
            age = (datetime.now(UTC) - self.planned_at).total_seconds()
        if age > PLAN_LIFETIME_S:
            raise refused(
                f"the plan `{self.token}` is older than {PLAN_LIFETIME_S / 60:.0f} minutes",
                "Make a new plan",
            )

    def check_price(self, price_now: Decimal | None) -> None:
        """Refuse a plan whose instance type has become more expensive, or is no longer offered.

        Raises:
            SpendRefusedError: The price rose, or is not known.
        """
        price_now = known_price(price_now)
        if price_now is None:
            raise refused(
                f"the instance type of the plan `{self.token}` is no longer offered, or its price "
                "is not known",
                "Make a new plan",
            )
        if price_now > self.price_per_hour:
            raise refused(
                f"the price rose from {self.price_per_hour} to {price_now} USD an hour since the "
                f"plan `{self.token}` was made",
                "Make a new plan",
            )


@dataclass(frozen=True)
class JobPlan:
    """A job and its cost, before it is submitted.

    Attributes:
        name: The name the job will have.
        command: What it runs.
        gpu_types: The GPUs it may run on, in the order in which they are tried.
        gpu_count: Most GPUs of its instance.
        region: Where it must run; anywhere when not given.
        price_per_hour: USD of the most expensive instance type that it may get.
        max_runtime_minutes: Maximum runtime of each attempt, which the server enforces.
        attempts: How often it may be tried in all.
        options: Further fields of the submission.
    """

    name: str
    command: str
    gpu_types: tuple[str, ...]
    gpu_count: int
    region: str | None
    price_per_hour: Decimal
    max_runtime_minutes: int
    attempts: int = 1
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def worst_case_usd(self) -> Decimal:
        """USD it costs if each attempt takes as long as it may, rounded to the cent."""
        return cents(worst_case(self.price_per_hour, self.max_runtime_minutes, self.attempts))

    def describe(self) -> str:
        """Return one line for a person who is asked to approve."""
        where = f" in {plain(self.region)}" if self.region else ""
        tries = f", {self.attempts} times at most" if self.attempts > 1 else ""
        gpus = " or ".join(plain(gpu) for gpu in self.gpu_types)
        return (
            f"{plain(self.name)}: job on {gpus}{where} at up to {self.price_per_hour} USD an hour "
            f"for at most {self.max_runtime_minutes} minutes{tries}: at most "
            f"{self.worst_case_usd} USD, running {quoted(self.command)}{_extras(self.options)}"
        )


@dataclass(frozen=True)
class LifetimeExtension:
    """A longer lifetime of an instance, which may cost more.

    Attributes:
        name: Name of the instance.
        price_per_hour: USD.
        before_minutes: Its lifetime now.
        max_runtime_minutes: Its lifetime then.
    """

    name: str
    price_per_hour: Decimal
    before_minutes: int
    max_runtime_minutes: int

    @property
    def worst_case_usd(self) -> Decimal:
        """USD of its complete lifetime in the worst case, rounded to the cent."""
        return cents(worst_case(self.price_per_hour, self.max_runtime_minutes))

    def describe(self) -> str:
        """Return one line for a person who is asked to approve."""
        return (
            f"{plain(self.name)}: a lifetime of {self.max_runtime_minutes} instead of "
            f"{self.before_minutes} minutes at {self.price_per_hour} USD an hour: at most "
            f"{self.worst_case_usd} USD"
        )


def quoted(text: str, longest: int = MAX_SHOWN_TEXT) -> str:
    """Return untrusted text in quotes on one line, with control and other odd characters escaped.

    A text that is too long to read is cut, with its length.
    """
    if len(text) <= longest:
        return json.dumps(text)
    shown = json.dumps(text[:longest])
    return f"{shown} (CUT: the first {longest} of {len(text)} characters)"


def plain(text: str, longest: int = MAX_SHOWN_NAME) -> str:
    """Return a name as it is if it is one plain word, and in quotes otherwise."""
    return text if _PLAIN.fullmatch(text) else quoted(text, longest)


def _extras(options: Mapping[str, Any]) -> str:
    """Return the further options that are sent."""
    parts = [
        f"{name.replace('_', ' ')} {_option(name, value)}"
        for name, value in options.items()
        if value is not None and name not in _SHOWN_ELSEWHERE
    ]
    commands = options.get("startup_commands")
    if commands:
        parts.append(f"running {quoted(' && '.join(commands))} at its start")
    return f" ({'; '.join(parts)})" if parts else ""


def _option(name: str, value: Any) -> str:
    if name in _SECRET_OPTIONS and isinstance(value, Mapping):
        return "with " + (", ".join(plain(str(key)) for key in value) or "nothing")
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return plain(text, MAX_SHOWN_TEXT)
