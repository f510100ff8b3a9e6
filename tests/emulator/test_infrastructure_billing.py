"""Money: per-second credits, budgets, top-ups, auto-recharge, usage, all to the cent."""

from decimal import Decimal

import httpx
import pytest

from tests.emulator.conftest import INSTANCE, JOB, Api, assert_refused


def balance(infra: Api) -> dict[str, float]:
    found: dict[str, float] = infra.read("/billing/balance")
    return found


def amounts(infra: Api, **query: object) -> list[float]:
    return [item["amount"] for item in infra.read("/billing/transactions", **query)]


def test_credits_run_down_by_the_second_from_the_moment_it_runs(emulator, infra, launch):
    nothing = {"activeUsageCost": 0.0, "burn_usd_per_hour": 0.0, "runway_hours": None}
    assert balance(infra) == {"creditsBalance": 100.0, "floating_balance_usd": 100.0, **nothing}
    launch(gpu_type="RTX4090")
    for seconds, cost in ((20, 0), (1, 0.66 / 3600)):
        emulator.clock.advance(seconds)
        assert balance(infra)["activeUsageCost"] == pytest.approx(cost, abs=1e-6)
    emulator.clock.advance(1799)
    assert balance(infra) == {
        "creditsBalance": 100.0,
        "activeUsageCost": 0.33,
        "floating_balance_usd": 99.67,
        "burn_usd_per_hour": 0.66,
        "runway_hours": pytest.approx(99.67 / 0.66, abs=1e-4),
    }


def test_usage_is_posted_every_hour_and_when_it_stops(emulator, infra, launch):
    made = launch(gpu_type="A100")
    emulator.clock.advance(20 + 2 * 3600 + 900)
    assert amounts(infra, type="usage") == [-1.49, -1.49]
    infra.delete(f"/instances/{made['id']}")
    assert amounts(infra, type="usage") == [-0.3725, -1.49, -1.49]
    emulator.clock.advance(10_000)
    assert balance(infra)["creditsBalance"] == pytest.approx(100 - 2.25 * 1.49)


def test_an_instance_that_never_ran_costs_nothing(emulator, infra, launch):
    path = f"/instances/{launch()['id']}"
    emulator.clock.advance(10)
    infra.delete(path)
    assert amounts(infra, type="usage") == []
    assert infra.read(path)["deployed_at"] is None


def test_an_empty_balance_terminates_everything_at_the_very_second(emulator, infra, launch):
    spent = Decimal("-98.51")
    emulator.world.ledger.post("adjustment", spent, "Spent elsewhere", emulator.clock.now())
    path = f"/instances/{launch(gpu_type='A100')['id']}"
    infra.delete(f"/instances/{launch(gpu_type='H200')['id']}")
    emulator.clock.advance(20 + 3599)
    assert infra.read(path)["status"] == "running"
    emulator.clock.advance(1)
    ended = infra.read(path)
    assert (ended["status"], ended["stop_reason"]) == ("terminated", "low_balance")
    assert ended["updated_at"] == "2026-11-18T13:00:20.000Z"
    assert balance(infra)["floating_balance_usd"] == 0
    for path, body in (("/instances", INSTANCE), ("/jobs", JOB)):
        assert_refused(infra.post(path, json=body), 402, "insufficient_credits")


def test_a_spent_budget_stops_its_environment_and_only_that(emulator, infra, launch):
    infra.make("/environments", name="staging")
    emulator.world.set_budget("main", "1.49")
    here = launch()
    there = infra.make("/instances?environment=staging", **INSTANCE)
    emulator.clock.advance(20 + 3600)
    stopped = infra.read(f"/instances/{here['id']}")
    assert (stopped["status"], stopped["stop_reason"]) == ("terminated", "budget")
    assert infra.read(f"/instances/{there['id']}?environment=staging")["status"] == "running"
    for path, body in (("/instances", INSTANCE), ("/jobs", JOB)):
        assert_refused(infra.post(path, json=body), 402, "BUDGET_REACHED")
    fields = ("monthly_budget_usd", "month_to_date_usd", "budget_remaining_usd")
    budgets = [[one[name] for name in fields] for one in infra.read("/environments")]
    assert budgets == [[1.49, 1.49, 0], [None, 1.49, None]]


def test_a_budget_starts_again_with_the_utc_month(emulator, infra, launch):
    emulator.world.set_budget("main", 30)
    emulator.world.ledger.post("credit", Decimal(900), "More", emulator.clock.now())
    emulator.clock.advance((12 * 24 + 11) * 3600)  # 30 November, 23:00
    made = launch()
    emulator.clock.advance(2 * 3600)
    assert infra.read("/environments")[0]["month_to_date_usd"] == pytest.approx(1.49)
    november = amounts(infra, type="usage")[-1]
    assert november == pytest.approx(-1.49 * 3580 / 3600, abs=1e-6)
    assert infra.read(f"/instances/{made['id']}")["status"] == "running"
    emulator.world.set_budget("main", "1e18")  # outlasts the calendar
    assert balance(infra)["burn_usd_per_hour"] == 1.49


def test_usage_covers_inference_between_two_days(emulator, infra):
    for cost, tokens in (("0.10", 10), ("0.20", 20)):
        emulator.world.charge_inference("m", Decimal(cost), "Chat", tokens, tokens // 10)
        emulator.clock.advance(86400)
    assert infra.read("/billing/usage") == {
        "total_requests": 2,
        "total_prompt_tokens": 30,
        "total_completion_tokens": 3,
        "total_tokens": 33,
        "total_cost": 0.3,
    }
    for query, requests in (
        ({"from": "2026-11-18", "to": "2026-11-18"}, 1),
        ({"from": "2026-11-19T00:00:00+00:00"}, 1),
        ({"to": "2026-11-18T13:00:00+01:00"}, 0),
        ({"from": "0001-01-01", "to": "9999-12-31"}, 2),
    ):
        assert infra.read("/billing/usage", **query)["total_requests"] == requests


def top_up(infra: Api, **headers: str) -> httpx.Response:
    body = {"amount_usd": 50, "idempotency_key": "k1"}
    return infra.post("/billing/topups", json=body, headers=headers)


def test_a_key_needs_the_billing_permission(emulator, infra):
    other = {"Authorization": "Bearer rc_live_other"}
    emulator.add_key("rc_live_other")
    assert_refused(top_up(infra, **other), 403, "forbidden")
    emulator.add_key("rc_live_other", may_top_up=True)
    assert top_up(infra, **other).status_code == 200


def test_a_missing_card(emulator, infra):
    (card,) = infra.read("/billing/payment-methods")
    assert (card["brand"], card["last4"], card["exp_year"]) == ("visa", "4242", 2030)
    emulator.world.cards.clear()
    assert_refused(top_up(infra), 402, "NO_PAYMENT_METHOD")
    assert infra.read("/billing/payment-methods") == []
    assert balance(infra)["creditsBalance"] == 100
