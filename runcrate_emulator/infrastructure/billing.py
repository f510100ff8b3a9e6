"""Billing: balance, transactions, inference usage, top-ups, auto-recharge, cards.

Balance and transactions are camelCase on the wire, the rest is snake_case. A top-up succeeds or is
declined at once; a planned fault shows one that waits. Auto-recharge is only a setting.
"""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, get_args

from pydantic import Field

from runcrate_emulator.bodies import Body, Text, refuse
from runcrate_emulator.errors import ApiError
from runcrate_emulator.infrastructure import credit
from runcrate_emulator.infrastructure.endpoints import Call, Endpoints
from runcrate_emulator.infrastructure.wire import Page, Result, fields, parse_time
from runcrate_emulator.keys import PROJECT_ID
from runcrate_emulator.ledger import TransactionType

_MAX_TRANSACTIONS = 100
_DEFAULT_TRANSACTIONS = 50
_DECLINE_MESSAGES = {
    "card_declined": "The card was declined.",
    "payment_blocked": "The payment was blocked.",
    "authentication_required": "The card's owner did not confirm the payment.",
}


class _TopUpBody(Body):
    amount_usd: float = Field(ge=20, le=10_000)  # official SDK 0.5.0
    idempotency_key: Annotated[Text, Field(max_length=255)]


_Limit = Annotated[float, Field(ge=0, le=10_000)]  # the emulator's own


class _AutoRechargeBody(Body):
    enabled: bool
    threshold_usd: _Limit
    target_usd: _Limit


routes = Endpoints()


@routes.add("GET /billing/balance")
async def _get_balance(call: Call) -> Result:
    world = call.world
    floating = credit.floating_balance(world)
    burn = credit.burn_per_hour(world)
    return {
        "creditsBalance": world.ledger.balance,
        "activeUsageCost": credit.active_usage(world),
        "floating_balance_usd": floating,
        "burn_usd_per_hour": burn,
        "runway_hours": float(round(max(floating, Decimal(0)) / burn, 4)) if burn else None,
    }


@routes.add("GET /billing/transactions")
async def _list_transactions(call: Call) -> Result:
    """Newest first, paged by `limit` and `offset`."""
    limit = call.integer("limit", _DEFAULT_TRANSACTIONS, 1, _MAX_TRANSACTIONS)
    offset = call.integer("offset", 0, 0)
    kind = call.choice("type", get_args(TransactionType))
    found = [t for t in reversed(call.world.ledger.transactions) if kind in (None, t.type)]
    return Page(
        (
            fields(transaction, "id type amount description createdAt") | {"projectId": PROJECT_ID}
            for transaction in found[offset : offset + limit]
        ),
        total=len(found),
        has_more=offset + limit < len(found),
        request_id=call.world.new_id("req"),
    )


@routes.add("GET /billing/usage")
async def _get_usage(call: Call) -> Result:
    """Inference only; instances show up in the transactions."""
    start = _day_or_time(call, "from", "0001-01-01", "T00:00Z")
    end = _day_or_time(call, "to", "9999-12-31", "T23:59:59.999999Z")
    if start > end:
        refuse("from", "must not be after `to`")
    uses = [use for use in call.world.ledger.inference if start <= use.at < end]
    prompt_tokens = sum(use.prompt_tokens for use in uses)
    completion_tokens = sum(use.completion_tokens for use in uses)
    return {
        "total_requests": len(uses),
        "total_prompt_tokens": prompt_tokens,
        "total_completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
        "total_cost": sum((use.cost_usd for use in uses), Decimal(0)),
    }


def _day_or_time(call: Call, name: str, default: str, time_of_day: str) -> datetime:
    """Read `YYYY-MM-DD` (seed 003; a last day counts whole) or RFC 3339 (the CLI)."""
    text = call.query.get(name, default)
    moment = parse_time(text + time_of_day if len(text) == len(default) else text)
    if moment is None:
        refuse(name, "must be a date such as 2026-01-31, or a time with an offset")
    return moment


@routes.add("POST /billing/topups")
async def _top_up(call: Call) -> Result:
    """Never charges twice for one idempotency key."""
    world = call.world
    body = await call.read(_TopUpBody)
    key = body.idempotency_key
    header = call.request.headers.get("idempotency-key")
    if header is not None and header != key:
        refuse("idempotency_key", "differs from the `Idempotency-Key` header", 422)
    amount = Decimal(str(body.amount_usd))
    if amount != amount.quantize(Decimal("0.01")):
        refuse("amount_usd", "must be whole cents", 422)
    if not world.keys[call.api_key]:
        raise ApiError(
            403,
            "forbidden",
            "This key may not top up; nothing was charged. An owner or manager can switch "
            "the billing permission on.",
        )
    if key in world.topups:
        return world.topups[key]
    if not world.cards:
        problem = "The workspace has no saved card; nothing was charged."
        raise ApiError(402, "NO_PAYMENT_METHOD", problem)
    topup = {
        "id": world.new_id("topup"),
        "amount_usd": amount,
        "idempotency_key": key,
        "created_at": world.moment,
    }
    reason = world.card_behaviour
    if reason == "succeeds":
        world.ledger.post("credit", amount, "Top-up", world.moment)
        invoice = f"INV-{len(world.ledger.transactions):05d}"
        balance = world.ledger.balance
        topup |= {"status": "succeeded", "invoice_number": invoice, "balance_usd": balance}
    else:
        message = _DECLINE_MESSAGES[reason]
        topup |= {"status": "declined", "reason": reason, "message": message}
    world.topups[key] = topup
    return topup


routes.read("/billing/auto-recharge", lambda call: call.world.auto_recharge)


@routes.add("PUT /billing/auto-recharge")
async def _set_auto_recharge(call: Call) -> Result:
    """All three fields are required, also to switch it off."""
    body = await call.read(_AutoRechargeBody)
    if body.target_usd <= body.threshold_usd:
        refuse("target_usd", "must be more than `threshold_usd`", 422)
    call.world.auto_recharge |= body.model_dump()
    return call.world.auto_recharge


routes.read("/billing/payment-methods", lambda call: call.world.cards)
