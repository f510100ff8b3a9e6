"""Instances: types, life cycle, limits, conflicts, lists."""

import base64

from tests.emulator.conftest import INSTANCE, PUBLIC_KEY, assert_refused


def test_an_instance_is_pending_then_running_with_an_address_then_terminated(
    emulator, infra, launch
):
    made = launch()
    assert (made["status"], made["ip"], made["cost_per_hour"]) == ("pending", None, 1.49)
    assert (made["deployed_at"], made["stop_reason"]) == (None, None)
    path = f"/instances/{made['id']}"
    emulator.clock.advance(19)
    assert infra.get(path + "/status").json()["data"]["status"] == "pending"
    emulator.clock.advance(1)
    status = infra.get(path + "/status").json()["data"]
    assert status == {"id": made["id"], "status": "running", "ip": status["ip"]}
    assert status["ip"].startswith("203.0.113.")
    running = infra.get(path).json()["data"]
    assert running["deployed_at"] == "2026-11-18T12:00:20.000Z"
    for _ in range(2):
        deleted = infra.delete(path)
        assert (deleted.status_code, deleted.content) == (204, b"")
    ended = infra.get(path).json()["data"]
    assert (ended["status"], ended["stop_reason"], ended["ip"]) == ("terminated", "user", None)


def test_types_are_the_whole_catalogue_and_can_be_filtered(infra):
    types = infra.get("/instances/types").json()
    assert types["meta"]["total"] == len(types["data"]) > 10
    prices = {(t["gpu_type"], t["gpu_count"]): t["hourly_rate"] for t in types["data"]}
    assert prices["RTX4090", 1] == 0.66
    assert prices["H100-SXM", 2] == 6.69
    assert prices["CPU", 0] == 0.39

    def kinds(**query: object) -> set[tuple[str, int, str]]:
        found = infra.get("/instances/types", params=query).json()["data"]
        return {(t["gpu_type"], t["gpu_count"], t["region"]) for t in found}

    assert {kind for kind, _, _ in kinds(gpu_type="h100")} == {"H100", "H100-SXM"}
    assert kinds(gpu_type="A10") == kinds(gpu_type=" ") == set()
    assert {region for _, _, region in kinds(region="us")} == {"us-east-1", "us-west-1"}
    assert {region for _, _, region in kinds(region="finland")} == {"eu-north-1"}
    assert {count for _, count, _ in kinds(gpu_count=2)} == {2}


def test_the_cheapest_fitting_type_in_stock_is_launched(emulator, launch):
    assert launch(gpu_type="H200")["cost_per_hour"] == 4.85
    assert launch(gpu_type="H200", region="eu-north-1")["cost_per_hour"] == 4.92
    assert launch(gpu_type="h100", memory=190)["gpu_type"] == "H100-SXM"
    assert launch(gpu_type="RTX4090", gpu_count=2)["cost_per_hour"] == 1.32
    assert launch(gpu_type="CPU")["gpu_count"] == 0
    emulator.world.sold_out.add("wise-orca-h200-e914")
    assert launch(gpu_type="H200")["cost_per_hour"] == 4.92
    by_id = launch(gpu_type=None, instance_type_id="silver-lynx-l40s-0f6a")
    assert by_id["gpu_type"] == "L40S"


def test_no_stock_is_a_503_that_created_nothing(infra):
    answer = infra.post("/instances", json={**INSTANCE, "gpu_type": "B200"})
    assert_refused(answer, 503, "no_capacity")
    assert infra.get("/instances").json()["data"] == []


def test_all_documented_fields_are_accepted(infra, launch, volume):
    key = infra.post("/ssh-keys", json={"name": "k", "public_key": PUBLIC_KEY}).json()["data"]
    made = launch(
        ssh_key_id=key["id"],
        region="us-east-1",
        gpu_count=1,
        cpu_cores=8,
        memory=64,
        storage=100,
        template="ubuntu-cuda-devel",
        env_vars=[{"key": "A", "value": "1"}],
        startup_commands=["pip install torch"],
        storage_id=volume["id"],
        launch_script_base64=base64.b64encode(b"ls").decode(),
        max_runtime_minutes=10080,
        idle_shutdown_minutes=1440,
    )
    assert made["os_image"] == "ubuntu-cuda-devel"
    assert (made["max_runtime_minutes"], made["idle_shutdown_minutes"]) == (10080, 1440)
    launch(env_vars={"A": "1"})


def test_a_volume_elsewhere_is_a_refused_launch_and_an_attached_one_a_conflict(
    infra, launch, volume
):
    with_volume = {**INSTANCE, "storage_id": volume["id"]}
    elsewhere = infra.post("/instances", json={**with_volume, "region": "eu-west-1"})
    assert_refused(elsewhere, 502, "launch_refused")
    launch(storage_id=volume["id"])
    assert_refused(infra.post("/instances", json=with_volume), 409, "conflict")


def test_max_runtime_counts_from_running_and_stops(emulator, infra, launch):
    made = launch(max_runtime_minutes=5)
    path = f"/instances/{made['id']}"
    assert made["auto_stop_at"] is None
    emulator.clock.advance(20)
    assert infra.get(path).json()["data"]["auto_stop_at"] == "2026-11-18T12:05:20.000Z"
    emulator.clock.advance(299)
    assert infra.get(path).json()["data"]["status"] == "running"
    emulator.clock.advance(1)
    ended = infra.get(path).json()["data"]
    assert (ended["status"], ended["stop_reason"]) == ("terminated", "max_runtime")
    assert ended["auto_stop_at"] is None


def test_idle_stop_and_a_connection_that_postpones_it(emulator, infra, launch):
    path = f"/instances/{launch(idle_shutdown_minutes=5)['id']}"
    refused = infra.post(path + "/ssh-certificate", json={"public_key": PUBLIC_KEY})
    assert_refused(refused, 409, "conflict")
    emulator.clock.advance(20 + 240)
    certificate = infra.post(path + "/ssh-certificate", json={"public_key": PUBLIC_KEY}).json()
    assert certificate["data"]["user"] == "root"
    assert certificate["data"]["port"] == 22
    assert certificate["data"]["certificate"].startswith("ssh-ed25519-cert-v01@openssh.com ")
    emulator.clock.advance(299)
    assert infra.get(path).json()["data"]["status"] == "running"
    emulator.clock.advance(1)
    assert infra.get(path).json()["data"]["stop_reason"] == "idle"


def test_a_change_never_stops_sooner_than_in_two_minutes(emulator, infra, launch):
    path = f"/instances/{launch()['id']}"
    emulator.clock.advance(20 + 3600)
    changed = infra.patch(path, json={"max_runtime_minutes": 5}).json()["data"]
    assert changed["auto_stop_at"] == "2026-11-18T13:02:20.000Z"
    emulator.clock.advance(119)
    assert infra.get(path).json()["data"]["status"] == "running"
    emulator.clock.advance(1)
    assert infra.get(path).json()["data"]["stop_reason"] == "max_runtime"


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


def test_lists_are_newest_first_searched_and_whole(infra, launch):
    launch(name="alpha")
    launch(name="beta")
    answer = infra.get("/instances").json()
    assert [made["name"] for made in answer["data"]] == ["beta", "alpha"]
    assert answer["meta"] == {"cursor": None, "hasMore": False, "total": 2}
    found = infra.get("/instances?search=ALPH").json()["data"]
    assert [made["name"] for made in found] == ["alpha"]


def test_a_repeated_create_launches_again(infra):
    headers = {"Idempotency-Key": "same"}
    ids = {
        infra.post("/instances", json=INSTANCE, headers=headers).json()["data"]["id"] for _ in "ab"
    }
    assert len(ids) == 2
