"""Billing: balance, transactions, inference usage, top-ups, auto-recharge, cards.

Balance and transactions are camelCase on the wire, the rest is snake_case.
"""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Annotated, Any

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from runcrate_emulator.bodies import Body, Text, read_body, refuse
from runcrate_emulator.infrastructure import credit, topups
from runcrate_emulator.infrastructure.records import AutoRecharge, TopUp
from runcrate_emulator.infrastructure.wire import (
    fields,
    iso,
    many,
    one,
    parse_time,
    query_choice,
    query_integer,
    usd,
    world_of,
)
from runcrate_emulator.keys import PROJECT_ID, bearer_token

_MAX_TRANSACTIONS = 100
_DEFAULT_TRANSACTIONS = 50
_LAST_OFFSET = 10**9  # only bounds the parameter
_TRANSACTION_TYPES = ("credit", "usage", "refund", "adjustment")
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


async def get_balance(request: Request) -> Response:
    """GET /billing/balance."""
    world = world_of(request)
    now = world.moment
    floating = credit.floating_balance(world, now)
    burn = credit.burn_per_hour(world, now)
    return one(
        {
            "creditsBalance": usd(world.ledger.balance),
            "activeUsageCost": usd(credit.active_usage(world, now)),
            "floating_balance_usd": usd(floating),
            "burn_usd_per_hour": usd(burn),
            "runway_hours": float(round(max(floating, Decimal(0)) / burn, 4)) if burn else None,
        }
    )


async def list_transactions(request: Request) -> Response:
    """GET /billing/transactions, newest first, paged by `limit` and `offset`."""
    world = world_of(request)
    limit = query_integer(request, "limit", _DEFAULT_TRANSACTIONS, 1, _MAX_TRANSACTIONS)
    offset = query_integer(request, "offset", 0, 0, _LAST_OFFSET)
    kind = query_choice(request, "type", _TRANSACTION_TYPES)
    found = [t for t in reversed(world.ledger.transactions) if kind in (None, t.type)]
    return many(
        (
            {
                "id": transaction.id,
                "projectId": PROJECT_ID,
                "type": transaction.type,
                "amount": usd(transaction.amount),
                "description": transaction.description,
                "createdAt": iso(transaction.created_at),
            }
            for transaction in found[offset : offset + limit]
        ),
        total=len(found),
        has_more=offset + limit < len(found),
        request_id=world.new_id("req"),
    )


async def get_usage(request: Request) -> Response:
    """GET /billing/usage: inference only; machines show up in the transactions."""
    world = world_of(request)
    start = _day_or_time(request, "from", datetime.min.replace(tzinfo=UTC), is_end=False)
    end = _day_or_time(request, "to", datetime.max.replace(tzinfo=UTC), is_end=True)
    if start > end:
        refuse("from", "must not be after `to`")
    uses = [use for use in world.ledger.inference if start <= use.at < end]
    prompt_tokens = sum(use.prompt_tokens for use in uses)
    completion_tokens = sum(use.completion_tokens for use in uses)
    return one(
        {
            "total_requests": len(uses),
            "total_prompt_tokens": prompt_tokens,
            "total_completion_tokens": completion_tokens,
            "total_tokens": prompt_tokens + completion_tokens,
            "total_cost": usd(sum((use.cost_usd for use in uses), Decimal(0))),
        }
    )


def _day_or_time(request: Request, name: str, default: datetime, *, is_end: bool) -> datetime:
    """Read `YYYY-MM-DD` (seed 003; a last day counts whole) or RFC 3339 (the CLI)."""
    text = request.query_params.get(name)
    if text is None:
        return default
    try:
        day = date.fromisoformat(text) if len(text) == len("2026-01-31") else None
        if day is not None:
            midnight = datetime.combine(day, time(tzinfo=UTC))
            return midnight + timedelta(days=1) if is_end else midnight
    except (ValueError, OverflowError):
        refuse(name, "must be a date such as 2026-01-31")
    moment = parse_time(text)
    if moment is None:
        refuse(name, "must be a date such as 2026-01-31, or a time with an offset")
    return moment


async def top_up(request: Request) -> Response:
    """POST /billing/topups: never charges twice for one idempotency key."""
    world = world_of(request)
    body = await read_body(request, _TopUpBody)
    key = body.idempotency_key
    header = request.headers.get("idempotency-key")
    if header is not None and header != key:
        refuse("idempotency_key", "differs from the `Idempotency-Key` header", 422)
    cents = Decimal(str(body.amount_usd))
    if cents != cents.quantize(Decimal("0.01")):
        refuse("amount_usd", "must be whole cents", 422)

    async def charge() -> str:
        await world.take_launch_time()
        api_key = bearer_token(request.headers) or ""
        return topups.start_topup(world, api_key, cents, key).idempotency_key

    topups.require_permission(world, bearer_token(request.headers) or "")
    if key not in world.topups:
        await world.answers.once(f"topup {key}", world.moment, charge)
    return one(_topup_view(request, world.topups[key]))


def _topup_view(request: Request, topup: TopUp) -> dict[str, Any]:
    view = fields(topup, "id status amount_usd idempotency_key created_at")
    if topup.status == "succeeded":
        view |= {"invoice_number": topup.invoice_number, "balance_usd": usd(topup.balance_usd)}
    elif topup.status == "requires_action":
        page = f"{request.url.scheme}://{request.url.netloc}/topups/{topup.id}"
        view |= {"confirm_url": page, "expires_at": iso(topup.due_at)}
    elif topup.reason is not None:
        view |= {"reason": topup.reason, "message": _DECLINE_MESSAGES[topup.reason]}
    return view


async def get_auto_recharge(request: Request) -> Response:
    """GET /billing/auto-recharge."""
    world = world_of(request)
    return one(_auto_recharge_view(world.auto_recharge))


async def set_auto_recharge(request: Request) -> Response:
    """PUT /billing/auto-recharge: all three fields are required, also to switch it off."""
    world = world_of(request)
    body = await read_body(request, _AutoRechargeBody)
    threshold, target = Decimal(str(body.threshold_usd)), Decimal(str(body.target_usd))
    if target <= threshold:
        refuse("target_usd", "must be more than `threshold_usd`", 422)
    world.auto_recharge = AutoRecharge(body.enabled, threshold, target)
    world.settle()
    return one(_auto_recharge_view(world.auto_recharge))


def _auto_recharge_view(recharge: AutoRecharge) -> dict[str, Any]:
    return fields(recharge, "enabled threshold_usd target_usd last_failure_reason last_failure_at")


async def list_payment_methods(request: Request) -> Response:
    """GET /billing/payment-methods."""
    world = world_of(request)
    return many(
        {
            "type": "card",
            **fields(card, "brand last4 exp_month exp_year"),
            "default": card.is_default,
        }
        for card in world.cards
    )


routes = [
    Route("/billing/balance", get_balance, methods=["GET"]),
    Route("/billing/transactions", list_transactions, methods=["GET"]),
    Route("/billing/usage", get_usage, methods=["GET"]),
    Route("/billing/topups", top_up, methods=["POST"]),
    Route("/billing/auto-recharge", get_auto_recharge, methods=["GET"]),
    Route("/billing/auto-recharge", set_auto_recharge, methods=["PUT"]),
    Route("/billing/payment-methods", list_payment_methods, methods=["GET"]),
]
