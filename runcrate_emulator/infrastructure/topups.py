"""Top-ups from the saved card: one charge per idempotency key, whatever happens on the way."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from runcrate_emulator.errors import ApiError
from runcrate_emulator.infrastructure import storage
from runcrate_emulator.infrastructure.records import DeclineReason, TopUp
from runcrate_emulator.workspace import Workspace

_PROCESSING_TIME = timedelta(seconds=30)  # the emulator's own
_CONFIRMATION_TIME = timedelta(hours=24)  # the emulator's own


def require_permission(world: Workspace, api_key: str) -> None:
    """Refuse a key without the billing permission, which is off by default.

    Raises:
        ApiError: 403 `forbidden`.
    """
    if not world.permissions_of(api_key).billing:
        raise ApiError(
            403,
            "forbidden",
            "This key may not top up; nothing was charged. An owner or manager can switch "
            "the billing permission on.",
        )


def start_topup(world: Workspace, api_key: str, amount: Decimal, idempotency_key: str) -> TopUp:
    """Charge the card.

    Raises:
        ApiError: 402 `TOPUP_CAP_REACHED`, `NO_PAYMENT_METHOD` or `PAYMENT_HOLD`; nothing was
            charged.
    """
    _check_caps(world, api_key, amount)
    if world.payment_hold:
        raise _refused("PAYMENT_HOLD", "Payments of this workspace are on hold")
    if not any(card.is_default for card in world.cards):
        raise _refused("NO_PAYMENT_METHOD", "The workspace has no saved card")
    topup = TopUp(
        id=world.new_id("topup"),
        status="processing",
        amount_usd=amount,
        idempotency_key=idempotency_key,
        api_key=api_key,
        created_at=world.moment,
    )
    return _keep(world, _charged(world, topup))


def confirm_topup(world: Workspace, topup_id: str) -> TopUp:
    """Confirm a top-up that requires action, as an owner does behind `confirm_url`.

    Raises:
        KeyError: There is none that waits for a confirmation under this id.
    """
    for topup in world.topups.values():
        if topup.id == topup_id and topup.status == "requires_action":
            return _keep(world, _succeeded(world, topup, world.moment))
    raise KeyError(topup_id)


def next_topup_event(world: Workspace) -> datetime | None:
    """When a top-up ends that is processing, or a confirmation expires."""
    return min((t.due_at for t in world.topups.values() if t.due_at is not None), default=None)


def live_through_topup_events(world: Workspace, at: datetime) -> None:
    """End what is due: processed money arrives, an unconfirmed charge is declined."""
    for topup in list(world.topups.values()):
        if topup.due_at is None or topup.due_at > at:
            continue
        if topup.status == "processing":
            _keep(world, _succeeded(world, topup, at))
        else:
            _keep(world, _declined(topup, "authentication_required"))


def _charged(world: Workspace, topup: TopUp) -> TopUp:
    behaviour = world.card_behaviour
    if behaviour == "succeeds":
        return _succeeded(world, topup, world.moment)
    if behaviour == "processing":
        return replace(topup, due_at=world.moment + _PROCESSING_TIME)
    if behaviour == "requires_action":
        due_at = world.moment + _CONFIRMATION_TIME
        return replace(topup, status="requires_action", due_at=due_at)
    return _declined(topup, behaviour)


def _succeeded(world: Workspace, topup: TopUp, at: datetime) -> TopUp:
    world.ledger.post("credit", topup.amount_usd, "Top-up", at)
    storage.revive_volumes(world, at)
    return replace(
        topup,
        status="succeeded",
        due_at=None,
        invoice_number=f"INV-{len(world.ledger.transactions):05d}",
        balance_usd=world.ledger.balance,
    )


def _declined(topup: TopUp, reason: DeclineReason) -> TopUp:
    return replace(topup, status="declined", due_at=None, reason=reason)


def _keep(world: Workspace, topup: TopUp) -> TopUp:
    world.topups[topup.idempotency_key] = topup
    return topup


def _check_caps(world: Workspace, api_key: str, amount: Decimal) -> None:
    permissions = world.permissions_of(api_key)
    now = world.moment
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    for cap, since, period in (
        (permissions.daily_cap_usd, today, "day"),
        (permissions.monthly_cap_usd, today.replace(day=1), "month"),
    ):
        used = sum(
            (
                topup.amount_usd
                for topup in world.topups.values()
                if topup.api_key == api_key
                and topup.status != "declined"
                and topup.created_at >= since
            ),
            Decimal(0),
        )
        if cap is not None and used + amount > cap:
            raise _refused("TOPUP_CAP_REACHED", f"This key may top up {cap} USD a {period}")


def _refused(code: str, reason: str) -> ApiError:
    return ApiError(402, code, f"{reason}; nothing was charged.")
