"""What would be done and what it may cost, before anything is sent: what a person approves."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, Protocol

from runcrate_core.spending.limits import refused
from runcrate_core.spending.money import cents, worst_case

# After so long prices and what runs may have changed, and the plan is made anew (seconds).
PLAN_LIFETIME_S: Final = 600.0
_PLAIN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._:/-]*")
_EXTRAS: Final = {
    "template": "template",
    "image": "image",
    "storage_id": "with the volume",
    "ssh_key_id": "login with the SSH key",
}
# As much of a command as a person reads before approving it.
_SHOWN_COMMAND: Final = 400


class Proposal(Protocol):
    """What somebody is asked to approve.

    Attributes:
        name: Name of the machine or job.
        price_per_hour: USD; of a job the highest that its machine may have.
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
    running: tuple[RunningResource, ...] = ()
    made_at: float = 0.0
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    token: str = field(default_factory=lambda: f"plan-{secrets.token_hex(6)}")

    @property
    def worst_case_usd(self) -> Decimal:
        """USD it costs if it lives as long as it may, rounded to the cent."""
        return cents(worst_case(self.price_per_hour, self.max_runtime_minutes))

    def describe(self) -> str:
        """Return one line for a person who is asked to approve."""
        where = f" in {self.region}" if self.region else ""
        return (
            f"{self.name}: {self.gpu_count} x {self.gpu_type}{where} at {self.price_per_hour} USD "
            f"an hour for at most {self.max_runtime_minutes} minutes: at most "
            f"{self.worst_case_usd} USD{_extras(self.options)}"
        )

    def check_age(self, now: float) -> None:
        """Refuse a plan that is too old to be carried out.

        Raises:
            SpendRefusedError: It is older than ten minutes.
        """
        if now - self.made_at > PLAN_LIFETIME_S:
            raise refused(
                f"the plan `{self.token}` is older than {PLAN_LIFETIME_S / 60:.0f} minutes",
                "Make a new plan",
            )

    def check_price(self, price_now: Decimal | None) -> None:
        """Refuse a plan whose machine has become dearer, or is no longer offered.

        Raises:
            SpendRefusedError: As said.
        """
        if price_now is None:
            raise refused(
                f"the machine of the plan `{self.token}` is no longer offered", "Make a new plan"
            )
        if price_now > self.price_per_hour:
            raise refused(
                f"the price rose from {self.price_per_hour} to {price_now} USD an hour since the "
                f"plan `{self.token}` was made",
                "Make a new plan",
            )


@dataclass(frozen=True)
class JobPlan:
    """What a job would do and cost, before it is submitted.

    Attributes:
        name: The name the job will have.
        command: What it runs.
        gpu_types: The GPUs it may run on, in the order in which they are tried.
        gpu_count: Most GPUs of its machine.
        region: Where it must run; anywhere when not given.
        price_per_hour: USD of the dearest machine that it may get.
        max_runtime_minutes: Longest life of each attempt, which the server enforces.
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
            f"{self.name}: job on {gpus}{where} at up to {self.price_per_hour} USD an hour for at "
            f"most {self.max_runtime_minutes} minutes{tries}: at most {self.worst_case_usd} USD, "
            f"running {quoted(self.command)}{_extras(self.options)}"
        )


@dataclass(frozen=True)
class LifetimeExtension:
    """A machine that would live longer, and so may cost more.

    Attributes:
        name: Name of the machine.
        price_per_hour: USD.
        before_minutes: How long it may live now.
        max_runtime_minutes: How long it may live then.
    """

    name: str
    price_per_hour: Decimal
    before_minutes: int
    max_runtime_minutes: int

    @property
    def worst_case_usd(self) -> Decimal:
        """USD of its whole life if it lives as long as it may then, rounded to the cent."""
        return cents(worst_case(self.price_per_hour, self.max_runtime_minutes))

    def describe(self) -> str:
        """Return one line for a person who is asked to approve."""
        return (
            f"{self.name}: live for {self.max_runtime_minutes} instead of {self.before_minutes} "
            f"minutes at {self.price_per_hour} USD an hour: at most {self.worst_case_usd} USD"
        )


def quoted(text: str) -> str:
    """Return somebody's text in quotes on one line, cut where nobody reads on."""
    shown = text if len(text) <= _SHOWN_COMMAND else f"{text[:_SHOWN_COMMAND]}…"
    return json.dumps(shown)


def plain(text: str) -> str:
    """Return a short name as it is, and in quotes if it is more than a name."""
    return text if _PLAIN.fullmatch(text) else quoted(text)


def _extras(options: Mapping[str, Any]) -> str:
    """Return what else is asked for and a person wants to know."""
    parts = [
        f"{what} {plain(str(options[name]))}"
        for name, what in _EXTRAS.items()
        if options.get(name) is not None
    ]
    commands = options.get("startup_commands")
    if commands:
        parts.append(f"running {quoted(' && '.join(commands))} at its start")
    return f" ({'; '.join(parts)})" if parts else ""
