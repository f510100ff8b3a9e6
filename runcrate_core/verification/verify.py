"""Verification of a service: send the probes of the chosen levels, within a limit on spending."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_UP, Decimal
from typing import TYPE_CHECKING, Final

from runcrate_core.errors import ConfigurationError, SpendRefusedError
from runcrate_core.protocol.response import TransportFailure
from runcrate_core.spending.guard import SpendGuard
from runcrate_core.spending.session import SpendSession
from runcrate_core.sync_async_clients import SyncAsyncClients
from runcrate_core.verification.assumptions import Level
from runcrate_core.verification.launch import Offer, cheapest_offer, launch_probes
from runcrate_core.verification.probes import choose_models, free_probes, inference_probes
from runcrate_core.verification.report import evaluate

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from runcrate_core.client import Runcrate
    from runcrate_core.verification.exchanges import Exchanges
    from runcrate_core.verification.report import Report

DEFAULT_MAX_USD: Final = Decimal("0.10")
# The estimates are of cents.
_SHOWN_DIGITS: Final = Decimal("0.0001")
_UNAUTHORIZED: Final = 401


@dataclass(frozen=True, slots=True)
class Limit:
    """Limit on the cost of a verification.

    Attributes:
        max_usd: Estimates above it are refused before anything is sent.
        confirm: Called with the estimate in words before a level that costs money; only `True`
            lets it start.
    """

    max_usd: Decimal
    confirm: Callable[[str], bool]

    def check(self, level: Level, text: str, estimate_usd: Decimal) -> None:
        """Check an estimate and have it confirmed.

        Raises:
            SpendRefusedError: It exceeds the limit or was not confirmed. Nothing was sent.
        """
        shown = estimate_usd.quantize(_SHOWN_DIGITS, ROUND_UP)
        words = f"--{level.value}: {text}, at most {shown} USD"
        if estimate_usd > self.max_usd:
            raise SpendRefusedError(
                f"{words}, which exceeds the limit of {self.max_usd} USD. Nothing that costs money "
                "was sent. Raise --max-usd."
            )
        if self.confirm(words) is not True:
            raise SpendRefusedError(f"{words}: not confirmed. Nothing that costs money was sent.")


def verify(
    client: Runcrate,
    levels: Collection[Level],
    limit: Limit,
    *,
    models: Mapping[str, str] | None = None,
) -> Report:
    """Verify the assumptions of the chosen levels; the free probes are always sent.

    Args:
        client: The client; its key is sent to its two URLs alone.
        levels: Levels of probes.
        limit: Limit on the cost.
        models: Model ids by kind (`chat`, `embedding`, ...), instead of the cheapest known ones.

    Raises:
        ConfigurationError: The service does not respond, or does not accept the key.
        SpendRefusedError: An estimate exceeds the limit or was not confirmed.
        AmbiguousLaunchError: The response to the launch was lost; the message names the instance.
    """
    levels = {Level.FREE, *levels}
    exchanges = client.run(free_probes(models))
    _check_reachable(exchanges)
    chosen = choose_models(exchanges, models) if Level.INFERENCE in levels else None
    offer = cheapest_offer(exchanges) if Level.LAUNCH in levels else None
    spent, cost = Decimal(0), None
    # All is checked before anything is paid for: a refusal must not lose what was.
    if chosen is not None:
        names = ", ".join(dict.fromkeys(model for model in chosen.by_kind.values() if model))
        spent = chosen.estimate_usd()
        limit.check(Level.INFERENCE, f"a few tokens of {names}", spent)
    if offer is not None:
        text = f"one {offer.gpu_type} at {offer.price_per_hour} USD an hour for a few minutes"
        limit.check(Level.LAUNCH, text, spent + offer.estimate_usd())
    elif Level.LAUNCH in levels:
        raise ConfigurationError("No instance type with a price is listed. Nothing was launched.")
    if chosen is not None:
        exchanges = exchanges.merged(client.run(inference_probes(chosen)))
    if offer is not None:
        launched, cost = _launch(client, offer)
        exchanges = exchanges.merged(launched)
    return evaluate(exchanges, levels, cost_usd=cost)


def _launch(client: Runcrate, offer: Offer) -> tuple[Exchanges, Decimal | None]:
    guard = SpendGuard(offer.limits())
    with SpendSession(guard, SyncAsyncClients(client)):
        launched = client.run(launch_probes(guard, offer))
        client.run(guard.settle())
    costs = [entry.cost_usd for entry in guard.ledger.entries]
    known = [cost for cost in costs if cost is not None]
    return launched, sum(known, Decimal(0)) if len(known) == len(costs) else None


def _check_reachable(exchanges: Exchanges) -> None:
    replies = [exchanges.replies["models"], exchanges.replies["balance"]]
    failures = [reply for reply in replies if isinstance(reply, TransportFailure)]
    if len(failures) == len(replies):
        raise ConfigurationError(
            f"The service does not respond: {failures[0].failure.value}. Nothing was verified. "
            "Check the URLs with `runcrate doctor`."
        )
    statuses = {reply.status for reply in replies if not isinstance(reply, TransportFailure)}
    if statuses == {_UNAUTHORIZED} or (
        exchanges.response("balance") is not None
        and exchanges.status("balance") == str(_UNAUTHORIZED)
    ):
        raise ConfigurationError(
            "The service does not accept this key (401). Nothing was verified. Check it with "
            "`runcrate doctor`."
        )
