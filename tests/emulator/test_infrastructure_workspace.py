"""Storage, environments and their borders."""

from decimal import Decimal

import pytest

from tests.emulator.conftest import GOOD, INSTANCE, VOLUME, assert_refused


def test_a_volume_is_camel_case_and_paid_a_week_in_advance(emulator, infra, volume):
    assert volume.keys() == {
        *("id", "name", "sizeGb", "status", "region", "providerType", "deploymentId"),
        *("projectId", "createdAt", "updatedAt"),
    }
    assert (volume["status"], volume["createdAt"]) == ("available", "2026-11-18T12:00:00.000Z")
    for seconds, balance in ((0, "99.30"), (7 * 86400 - 1, "99.30"), (1, "98.60")):
        emulator.clock.advance(seconds)
        infra.read("/storage")
        assert emulator.world.ledger.balance == Decimal(balance)


def test_deleting_refunds_the_unused_days(emulator, infra, volume):
    emulator.clock.advance(2 * 86400 + 3600)
    answer = infra.delete(f"/storage/{volume['id']}")
    assert answer.status_code == 200
    assert answer.json()["data"] == {"message": "Volume data deleted", "refund_amount": 0.4}
    assert emulator.world.ledger.balance == Decimal("99.70")
    assert_refused(infra.delete(f"/storage/{volume['id']}"), 404, "not_found")


def test_resizing_costs_the_rest_of_the_week(emulator, infra, volume):
    emulator.clock.advance(4 * 86400 + 1)
    assert infra.change(f"/storage/{volume['id']}", size_gb=200)["sizeGb"] == 200
    assert emulator.world.ledger.balance == Decimal("99.00")


def test_a_volume_that_cannot_be_paid_is_kept_but_not_reachable(emulator, infra, launch, volume):
    emulator.world.ledger.post("adjustment", Decimal(-99), "Spent", emulator.clock.now())
    emulator.clock.advance(7 * 86400)
    assert infra.read(f"/storage/{volume['id']}")["status"] == "available"
    body = {**INSTANCE, "storage_id": volume["id"]}
    assert_refused(infra.post("/instances", json=body), 402, "insufficient_credits")
    assert_refused(infra.post("/storage", json=VOLUME), 402, "insufficient_credits")
    infra.make("/billing/topups", amount_usd=20, idempotency_key="k")
    launch(storage_id=volume["id"])
    assert emulator.world.ledger.balance == Decimal("19.60")


def test_another_environment_can_become_the_default(infra, launch):
    path = f"/environments/{infra.make('/environments', name='staging')['id']}"
    assert infra.change(path, is_default=True)["is_default"] is True
    assert [one["is_default"] for one in infra.read("/environments")] == [False, True]
    launch()
    assert infra.read("/instances?environment=main") == []
    assert_refused(infra.delete(path), 409, "conflict")
    off = infra.patch(path, json={"is_default": False})
    assert_refused(off, 422, "validation_error", "is_default")


def test_environment_refusals(infra):
    (main,) = infra.read("/environments")
    assert_refused(infra.get("/environments/none"), 404, "not_found")
    assert_refused(infra.post("/environments", json={"name": "main"}), 409, "conflict")
    path = f"/environments/{infra.make('/environments', name='staging')['id']}"
    assert_refused(infra.patch(path, json={"name": "main"}), 409, "conflict")
    assert_refused(infra.delete(f"/environments/{main['id']}"), 409, "conflict")
    infra.make("/instances?environment=staging", **INSTANCE)
    assert_refused(infra.delete(path), 409, "conflict")


@pytest.mark.parametrize("path", ["/instances", "/storage", "/jobs", "/schedules"])
def test_what_is_made_belongs_to_its_environment(infra, path):
    infra.make("/environments", name="staging")
    made = infra.make(f"{path}?environment=staging", **GOOD[path])
    assert infra.read(f"{path}?environment=main") == []
    assert [one["id"] for one in infra.read(f"{path}?environment=staging")] == [made["id"]]
    for method in ("GET", "DELETE"):
        assert_refused(infra.request(method, f"{path}/{made['id']}"), 404, "not_found")
    assert infra.read(f"{path}/{made['id']}?environment=staging")["id"] == made["id"]
    assert_refused(infra.get(f"{path}?environment=nowhere"), 404, "not_found")
