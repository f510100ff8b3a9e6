"""Storage, environments and their borders, SSH keys, secrets, idempotency keys in progress."""

from decimal import Decimal

import pytest

from tests.emulator.conftest import GOOD, INSTANCE, PUBLIC_KEY, VOLUME, assert_refused


def test_a_volume_is_camel_case_and_paid_a_week_in_advance(emulator, infra, volume):
    assert volume == {
        "id": volume["id"],
        "name": "data",
        "sizeGb": 100,
        "status": "available",
        "region": "us-east-1",
        "providerType": "aws-s3",
        "deploymentId": None,
        "projectId": "workspace-emulator",
        "createdAt": "2026-11-18T12:00:00.000Z",
        "updatedAt": "2026-11-18T12:00:00.000Z",
    }
    assert emulator.world.ledger.balance == Decimal("99.30")
    emulator.clock.advance(7 * 86400 - 1)
    infra.get("/storage")
    assert emulator.world.ledger.balance == Decimal("99.30")
    emulator.clock.advance(1)
    infra.get("/storage")
    assert emulator.world.ledger.balance == Decimal("98.60")
    assert infra.get(f"/storage/{volume['id']}").json()["data"]["sizeGb"] == 100


def test_deleting_refunds_the_unused_days(emulator, infra, volume):
    emulator.clock.advance(2 * 86400 + 3600)
    answer = infra.delete(f"/storage/{volume['id']}")
    assert answer.status_code == 200
    assert answer.json()["data"] == {"message": "Volume data deleted", "refund_amount": 0.4}
    assert emulator.world.ledger.balance == Decimal("99.70")
    assert_refused(infra.delete(f"/storage/{volume['id']}"), 404, "not_found")


def test_resizing_goes_only_upwards_and_costs_the_rest_of_the_week(emulator, infra, volume):
    emulator.clock.advance(4 * 86400 + 1)
    path = f"/storage/{volume['id']}"
    assert infra.patch(path, json={"size_gb": 200}).json()["data"]["sizeGb"] == 200
    assert emulator.world.ledger.balance == Decimal("99.00")


def test_a_volume_that_cannot_be_paid_is_kept_but_not_reachable(emulator, infra, volume):
    emulator.world.ledger.post("adjustment", Decimal(-99), "Spent", emulator.clock.now())
    emulator.clock.advance(7 * 86400)
    assert infra.get(f"/storage/{volume['id']}").json()["data"]["status"] == "available"
    body = {**INSTANCE, "storage_id": volume["id"]}
    assert_refused(infra.post("/instances", json=body), 402, "insufficient_credits")
    assert_refused(infra.post("/storage", json=VOLUME), 402, "insufficient_credits")
    infra.post("/billing/topups", json={"amount_usd": 20, "idempotency_key": "k"})
    assert infra.post("/instances", json=body).status_code == 201
    assert emulator.world.ledger.balance == Decimal("19.60")


def test_an_attached_volume_is_not_deleted(infra, launch, volume):
    instance = launch(storage_id=volume["id"])
    shown = infra.get("/storage?search=DAT").json()["data"][0]
    assert (shown["status"], shown["deploymentId"]) == ("attached", instance["id"])
    assert_refused(infra.delete(f"/storage/{volume['id']}"), 409, "conflict")
    infra.delete(f"/instances/{instance['id']}")
    assert infra.delete(f"/storage/{volume['id']}").status_code == 200


def test_another_environment_can_become_the_default(infra, launch):
    made = infra.post("/environments", json={"name": "staging"}).json()["data"]
    changed = infra.patch(f"/environments/{made['id']}", json={"is_default": True}).json()["data"]
    assert changed["is_default"] is True
    assert [e["is_default"] for e in infra.get("/environments").json()["data"]] == [False, True]
    launch()
    assert infra.get("/instances?environment=main").json()["data"] == []
    assert_refused(infra.delete(f"/environments/{made['id']}"), 409, "conflict")
    off = infra.patch(f"/environments/{made['id']}", json={"is_default": False})
    assert_refused(off, 422, "validation_error", "is_default")


def test_environment_refusals(infra, launch):
    (main,) = infra.get("/environments").json()["data"]
    assert_refused(infra.get("/environments/none"), 404, "not_found")
    assert_refused(infra.post("/environments", json={"name": "main"}), 409, "conflict")
    made = infra.post("/environments", json={"name": "staging"}).json()["data"]
    path = f"/environments/{made['id']}"
    assert_refused(infra.patch(path, json={"name": "main"}), 409, "conflict")
    assert_refused(infra.delete(f"/environments/{main['id']}"), 409, "conflict")
    infra.post("/instances?environment=staging", json=INSTANCE)
    assert_refused(infra.delete(path), 409, "conflict")


def test_ssh_keys_are_camel_case_and_unique(infra, launch):
    made = infra.post("/ssh-keys", json=GOOD["/ssh-keys"]).json()["data"]
    assert made.keys() == {
        "id", "name", "fingerprint", "type", "createdAt", "lastUsed", "projectId",
    }  # fmt: skip
    assert made["fingerprint"].startswith("SHA256:")
    assert (made["type"], made["lastUsed"]) == ("ssh-ed25519", None)
    readme = {"name": "my-key", "public_key": "ssh-ed25519 AAAA...", "type": "rsa"}
    assert infra.post("/ssh-keys", json=readme).json()["data"]["type"] == "rsa"
    for body in (
        {"name": "other", "public_key": PUBLIC_KEY + " and a comment"},
        {"name": "laptop", "public_key": "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQ"},
    ):
        assert_refused(infra.post("/ssh-keys", json=body), 409, "conflict")
    launch(ssh_key_id=made["id"])
    assert infra.get("/ssh-keys").json()["data"][1]["lastUsed"] == "2026-11-18T12:00:00.000Z"
    assert infra.delete(f"/ssh-keys/{made['id']}").status_code == 204


def test_secrets_are_names_only_and_sorted(emulator, infra):
    infra.post("/environments", json={"name": "staging"})
    emulator.world.set_secret("main", "WANDB_KEY", sensitive=True)
    emulator.world.set_secret("main", "HF_TOKEN")
    assert infra.get("/secrets").json()["data"] == [
        {"key": "HF_TOKEN", "sensitive": False, "updated_at": "2026-11-18T12:00:00.000Z"},
        {"key": "WANDB_KEY", "sensitive": True, "updated_at": "2026-11-18T12:00:00.000Z"},
    ]
    assert infra.get("/secrets?environment=staging").json()["data"] == []


@pytest.mark.parametrize("path", ["/instances", "/storage", "/jobs", "/schedules"])
def test_what_is_made_belongs_to_its_environment(infra, path):
    infra.post("/environments", json={"name": "staging"})
    made = infra.post(f"{path}?environment=staging", json=GOOD[path]).json()["data"]
    listed = [len(infra.get(f"{path}?environment={e}").json()["data"]) for e in ("main", "staging")]
    assert listed == [0, 1]
    for method in ("GET", "DELETE"):
        assert_refused(infra.request(method, f"{path}/{made['id']}"), 404, "not_found")
    assert infra.get(f"{path}/{made['id']}?environment=staging").json()["data"]["id"] == made["id"]
    assert_refused(infra.get(f"{path}?environment=nowhere"), 404, "not_found")
