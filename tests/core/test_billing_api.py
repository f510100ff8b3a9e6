"""Money: balance, transactions, usage, and top-ups that are never charged twice."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

import runcrate_core as rc
from tests.core.cloud import respond, sent


def test_balance_auto_recharge_and_cards_are_read(both):
    balance = both("billing.get_balance")
    assert balance.credits_balance == Decimal(100)
    assert (balance.burn_usd_per_hour, balance.runway_hours) == (Decimal(0), None)
    assert not both("billing.get_auto_recharge").enabled
    both("billing.set_auto_recharge", enabled=True, threshold_usd=20, target_usd=Decimal(100))
    setting = both("billing.get_auto_recharge")
    assert (setting.enabled, setting.threshold_usd, setting.target_usd) == (True, 20, 100)
    [card] = both("billing.list_payment_methods")
    assert card.default
    assert len(card.last4) == 4


def test_transactions_go_on_from_page_to_page(cloud, both):
    for amount in (20, 21, 22):
        both("billing.top_up", amount_usd=amount)
    page = both("billing.list_transactions", limit=2, type="credit")
    assert (len(page), page.has_more) == (2, True)
    found = both.page_values(page)
    assert [transaction.amount for transaction in found][:3] == [22, 21, 20]
    assert {transaction.type for transaction in found} == {"credit"}
    assert all(transaction.project_id and transaction.created_at for transaction in found)
    assert page.total == len(found)
    offsets = [request.query["offset"] for request in sent(cloud, "GET /billing/transactions")]
    assert offsets == [("0",), ("2",)]


DAYS = {"from": ("2025-01-01",), "to": ("2025-01-31",)}


@pytest.mark.parametrize(
    ("start", "end", "query"),
    [
        ("2025-01-01", "2025-01-31", DAYS),
        (date(2025, 1, 1), date(2025, 1, 31), DAYS),
        (datetime(2025, 1, 1, 8, tzinfo=UTC), None, {"from": ("2025-01-01T08:00:00.000Z",)}),
    ],
)
def test_usage_is_asked_for_days_or_moments(cloud, both, start, end, query):
    usage = both("billing.usage", from_date=start, to_date=end)
    assert (usage.total_requests, usage.total_cost) == (0, Decimal(0))
    [request] = sent(cloud, "GET /billing/usage")
    assert request.query == query


def test_a_top_up_is_charged_once_for_its_key(cloud, both):
    top_up = both("billing.top_up", amount_usd=Decimal("25.50"))
    assert (top_up.status, top_up.amount_usd) == ("succeeded", Decimal("25.5"))
    assert top_up.balance_usd == Decimal("125.5")
    [request] = sent(cloud, "POST /billing/topups")
    assert request.headers["idempotency-key"] == top_up.idempotency_key
    assert request.json == {"amount_usd": 25.5, "idempotency_key": top_up.idempotency_key}
    for _ in range(2):
        both("billing.top_up", amount_usd=50, idempotency_key="order-17")
    assert both("billing.get_balance").credits_balance == Decimal("175.5")


def test_a_pending_top_up_is_waited_for(cloud, both):
    waiting = {"id": "t1", "amount_usd": 50, "idempotency_key": "order-18", "status": "processing"}
    top_up = {"amount_usd": 50, "idempotency_key": "order-18"}
    respond(cloud, "POST /billing/topups", waiting, times=2)
    pending = both("billing.top_up", **top_up)
    assert not pending.has_ended
    seen: list[str] = []
    waits = {"poll_interval": 0.05, "on_status": lambda state: seen.append(state.status)}
    done = both("billing.wait_for_top_up", pending, **waits)
    assert seen == ["processing", "succeeded"]
    assert len(sent(cloud, "POST /billing/topups")) == 3
    assert done.idempotency_key == pending.idempotency_key
    assert both("billing.get_balance").credits_balance == Decimal(150)
    action = {"status": "requires_action", "confirm_url": "https://example.com/confirm"}
    respond(cloud, "POST /billing/topups", waiting | action, times=None)  # nobody confirms it
    pending = both("billing.top_up", **top_up)
    assert pending.confirm_url == action["confirm_url"]
    with pytest.raises(rc.WaitTimeoutError, match="has not ended") as caught:
        both("billing.wait_for_top_up", pending, timeout=0.1, poll_interval=0.05)
    assert caught.value.details == {"last": "requires_action"}


def test_a_top_up_may_be_declined(cloud, both):
    cloud.world.card_behaviour = "card_declined"
    top_up = both("billing.top_up", amount_usd=50)
    assert (top_up.status, top_up.reason, top_up.has_ended) == ("declined", "card_declined", True)
    assert both("billing.get_balance").credits_balance == 100
