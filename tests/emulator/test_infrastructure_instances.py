"""Instances: life cycle, types, limits, conflicts."""

import pytest

from tests.emulator.conftest import INSTANCE, PUBLIC_KEY, assert_refused


def test_an_instance_is_pending_then_running_with_an_address_then_terminated(
    emulator, infra, launch
):
    made = launch()
    assert (made["status"], made["cost_per_hour"]) == ("pending", 1.49)
    assert (made["deployed_at"], made["stop_reason"]) == (None, None)
    path = f"/instances/{made['id']}"
    emulator.clock.advance(19)
    assert infra.read(f"{path}/status") == {"id": made["id"], "status": "pending", "ip": None}
    emulator.clock.advance(1)
    status = infra.read(f"{path}/status")
    assert status == {"id": made["id"], "status": "running", "ip": status["ip"]}
    assert status["ip"].startswith("203.0.113.")
    assert infra.read(path)["deployed_at"] == "2026-11-18T12:00:20.000Z"
    for _ in range(2):
        deleted = infra.delete(path)
        assert (deleted.status_code, deleted.content) == (204, b"")
    ended = infra.read(path)
    assert (ended["status"], ended["stop_reason"], ended["ip"]) == ("terminated", "user", None)


def test_the_cheapest_fitting_type_in_stock_is_launched(emulator, infra, launch):
    assert launch(gpu_type="H200")["cost_per_hour"] == 4.85
    assert launch(gpu_type="H200", region="eu-north-1")["cost_per_hour"] == 4.92
    assert launch(gpu_type="h100", memory=190)["gpu_type"] == "H100-SXM"
    assert launch(gpu_type="RTX4090", gpu_count=2)["cost_per_hour"] == 1.32
    assert launch(gpu_type="CPU")["gpu_count"] == 0
    emulator.world.sold_out.add("wise-orca-h200-e914")
    assert launch(gpu_type="H200")["cost_per_hour"] == 4.92
    by_id = launch(gpu_type=None, instance_type_id="silver-lynx-l40s-0f6a")
    assert by_id["gpu_type"] == "L40S"
    before = infra.read("/instances")
    sold_out = infra.post("/instances", json={**INSTANCE, "gpu_type": "B200"})
    assert_refused(sold_out, 503, "no_capacity")
    assert infra.read("/instances") == before


def test_all_documented_fields_are_accepted(infra, launch, volume):
    key = infra.make("/ssh-keys", name="k", public_key=PUBLIC_KEY)
    size = {"gpu_count": 1, "cpu_cores": 8, "memory": 64, "storage": 100, "region": "us-east-1"}
    limits = {"max_runtime_minutes": 10080, "idle_shutdown_minutes": 1440}
    made = launch(
        **size,
        **limits,
        ssh_key_id=key["id"],
        template="ubuntu-cuda-devel",
        env_vars=[{"key": "A", "value": "1"}],
        startup_commands=["pip install torch"],
        storage_id=volume["id"],
        launch_script_base64="bHM=",
    )
    assert infra.read("/ssh-keys")[0]["lastUsed"] == "2026-11-18T12:00:00.000Z"
    assert made["os_image"] == "ubuntu-cuda-devel"
    assert {name: made[name] for name in limits} == limits


def test_a_volume_is_reached_in_its_region_and_by_one_instance(infra, launch, volume):
    with_volume = {**INSTANCE, "storage_id": volume["id"]}
    elsewhere = infra.post("/instances", json={**with_volume, "region": "eu-west-1"})
    assert_refused(elsewhere, 502, "launch_refused")
    instance = launch(storage_id=volume["id"])
    assert_refused(infra.post("/instances", json=with_volume), 409, "conflict")
    (shown,) = infra.read("/storage?search=DAT")
    assert (shown["status"], shown["deploymentId"]) == ("attached", instance["id"])
    assert_refused(infra.delete(f"/storage/{volume['id']}"), 409, "conflict")
    infra.delete(f"/instances/{instance['id']}")
    assert infra.delete(f"/storage/{volume['id']}").status_code == 200


@pytest.fixture
def stops(emulator, infra):
    """Check that an instance stops after so many seconds and no second sooner, for a reason."""

    def stops(path: str, seconds: int, reason: str) -> None:
        emulator.clock.advance(seconds - 1)
        assert infra.read(path)["status"] == "running"
        emulator.clock.advance(1)
        ended = infra.read(path)
        assert (ended["status"], ended["stop_reason"]) == ("terminated", reason)
        assert ended["auto_stop_at"] is None

    return stops


def test_max_runtime_counts_from_running_and_stops(emulator, infra, launch, stops):
    made = launch(max_runtime_minutes=5)
    path = f"/instances/{made['id']}"
    assert made["auto_stop_at"] is None
    emulator.clock.advance(20)
    assert infra.read(path)["auto_stop_at"] == "2026-11-18T12:05:20.000Z"
    stops(path, 300, "max_runtime")


def test_idle_stop_and_a_connection_that_postpones_it(emulator, infra, launch, stops):
    path = f"/instances/{launch(idle_shutdown_minutes=5)['id']}"
    refused = infra.post(f"{path}/ssh-certificate", json={"public_key": PUBLIC_KEY})
    assert_refused(refused, 409, "conflict")
    emulator.clock.advance(20 + 240)
    issued = infra.make(f"{path}/ssh-certificate", public_key=PUBLIC_KEY)
    assert (issued["user"], issued["port"]) == ("root", 22)
    assert issued["certificate"].startswith("ssh-ed25519-cert-v01@openssh.com ")
    stops(path, 300, "idle")


def test_a_change_never_stops_sooner_than_in_two_minutes(emulator, infra, launch, stops):
    path = f"/instances/{launch()['id']}"
    emulator.clock.advance(20 + 3600)
    changed = infra.change(path, max_runtime_minutes=5)
    assert changed["auto_stop_at"] == "2026-11-18T13:02:20.000Z"
    stops(path, 120, "max_runtime")


def test_changes_that_conflict(infra, launch):
    more, idle = {"max_runtime_minutes": 30}, {"idle_shutdown_minutes": 30}
    cpu_id = launch(gpu_type="CPU", name="cpu")["id"]
    assert_refused(infra.patch("/instances/cpu", json=idle), 409, "conflict")
    assert infra.patch("/instances/cpu", json={"idle_shutdown_minutes": None}).status_code == 200
    infra.delete(f"/instances/{cpu_id}")
    assert_refused(infra.patch(f"/instances/{cpu_id}", json=more), 409, "conflict")
    assert_refused(infra.patch("/instances/cpu", json=more), 404, "not_found")
    launch(name="twin")
    launch(name="twin")
    assert_refused(infra.patch("/instances/twin", json=more), 409, "conflict")


def test_a_repeated_create_launches_again(infra):
    for _ in range(2):
        infra.post("/instances", json=INSTANCE, headers={"Idempotency-Key": "same"})
    assert len(infra.read("/instances")) == 2
