"""The tools that agents get: what they do, what they may do, and what they show."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import runcrate_core as rc
import runcrate_core.toolkit as rt
from runcrate_core.agent_tools.arguments import Arguments
from runcrate_core.agent_tools.catalogue import TOOLS as ALL_TOOLS
from runcrate_core.agent_tools.job_tools import artifact_file_name
from runcrate_core.agent_tools.tool import ToolContext
from runcrate_emulator import JobOutcome
from tests.core.agents import JOB, LIMITS, WISH, Box, billed
from tests.core.cloud import Both, respond, sent
from tests.servers import Reply

# Those that run commands are in `test_command_tools.py`, on an emulator with SSH servers.
TOOLS = tuple(tool for tool in ALL_TOOLS if not tool.runs_commands)
READING = [tool.name for tool in TOOLS if not tool.needs_limits and not tool.saves_files]
CHANGING = [tool.name for tool in TOOLS if tool.needs_limits]
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGZBcGFDaGVja0tleUZvclRlc3RzT25seTAwMDAw a@b"


# --- what there is ---------------------------------------------------------------------------


def test_without_limits_there_are_only_tools_that_read(tmp_path):
    reading = rt.AgentToolbox()
    assert [tool.name for tool in reading.tools] == READING
    assert all(tool.annotations.read_only for tool in reading.tools)
    assert reading.guard is None
    everything = rt.AgentToolbox(limits=LIMITS, files_dir=tmp_path)
    assert everything.tools == TOOLS
    assert len(TOOLS) == 23
    forbidden = re.compile("top_?up|recharge|secret|create_|delete_|environment_|ssh_key_|resize")
    assert not [tool.name for tool in TOOLS if forbidden.search(tool.name)]


def test_tools_can_be_chosen_by_name():
    names = ["runcrate_get_balance", "runcrate_list_instances"]
    assert {tool.name for tool in rt.AgentToolbox(include=names).tools} == set(names)
    with pytest.raises(rc.ConfigurationError, match=r"`launch` is not a tool\. Available: run"):
        rt.AgentToolbox(include=["launch"])
    with pytest.raises(rc.ConfigurationError, match="needs `limits`"):
        rt.AgentToolbox(include=["runcrate_launch_instance"])


@pytest.mark.parametrize("tool", ALL_TOOLS, ids=lambda tool: tool.name)
def test_every_tool_is_described_and_bounded(tool):
    assert re.fullmatch(r"runcrate_[a-z_]{5,40}", tool.name)
    assert 50 < len(tool.description) < 250
    if tool.annotations.costs_money:
        assert re.search("COSTS (MORE )?MONEY", tool.description)
    elif not tool.name.startswith("runcrate_wait") and not tool.annotations.destructive:
        assert "Free" in tool.description
    assert issubclass(tool.arguments, Arguments)
    schema = tool.arguments.model_json_schema()
    assert schema["additionalProperties"] is False
    for name, field in schema.get("properties", {}).items():
        kinds = field.get("anyOf", [field])
        assert any("description" in kind for kind in [field, *kinds]), name
        for kind in kinds:
            if kind.get("type") == "string":
                assert {"maxLength", "pattern", "enum"} & kind.keys(), name
            if kind.get("type") == "integer":
                assert "minimum" in kind, name


def test_annotations_agree_with_the_requests_that_are_sent(cloud, both, tmp_path):
    box = Box(both, files_dir=tmp_path, limits=rc.SpendLimits(max_instances=2, max_gpus=2))
    sent_by: dict[str, set[str]] = {}

    def call(name, /, **arguments):
        before = len(cloud.requests)
        result = box(name, **arguments)
        routes = {f"{entry.method} {entry.route}" for entry in cloud.requests[before:]}
        sent_by[f"runcrate_{name}"] = {route for route in routes if not route.startswith("GET")}
        return result

    instance = call("launch_instance", plan_token=call("plan_instance", **WISH)["plan_token"])
    call("wait_for_instance", instance_id=instance["id"])
    cloud.world.on_job = lambda _: JobOutcome(artifacts={"a": "1"})
    job = call("run_job", **JOB)
    call("wait_for_job", job_id=job["id"])
    call("download_job_artifact", job_id=job["id"], path="a")
    needs: dict[str, Any] = {"instance_id": instance["id"], "job_id": job["id"]}
    for tool in TOOLS:
        if tool.annotations.read_only and tool.name not in sent_by:
            fields = tool.arguments.model_fields
            arguments = {name: value for name, value in needs.items() if name in fields}
            assert call(tool.name.removeprefix("runcrate_"), **arguments)
    call("update_instance_limits", instance_id=instance["id"], max_runtime_minutes=40)
    call("terminate_instance", instance_id=instance["id"], expected_name=instance["name"])
    cloud.world.on_job = lambda _: JobOutcome(seconds=500)
    call("cancel_job", job_id=box("run_job", **JOB)["id"])
    assert sent_by.keys() == {tool.name for tool in TOOLS}
    for tool in TOOLS:
        writes, annotations = sent_by[tool.name], tool.annotations
        ends = {route for route in writes if route.startswith("DELETE") or "/cancel" in route}
        starts = {route for route in writes if route in {"POST /instances", "POST /jobs"}}
        changes = tool.name in CHANGING and tool.name != "runcrate_plan_instance"
        assert annotations.needs_approval is changes, tool.name
        assert annotations.read_only is not bool(writes or tool.saves_files), tool.name
        assert annotations.hints()["readOnlyHint"] is annotations.read_only
        assert annotations.destructive is bool(ends), tool.name
        assert annotations.costs_money is bool(writes - ends), tool.name
        assert annotations.idempotent is not bool(starts), tool.name


# --- looking ---------------------------------------------------------------------------------


def test_types_are_filtered_sorted_and_capped(both):
    box = Box(both)
    found = box("list_instance_types", max_price_per_hour=1.6, limit=3)
    prices = [item["usd_per_hour"] for item in found["instance_types"]]
    assert (found["count"], prices) == (7, [0.28, 0.39, 0.66])
    assert found["more"] == "4 more are not shown: narrow the search or raise `limit`."
    wish = {"gpu_type": "H100", "region": "us-east-1", "gpu_count": 1}
    [only] = box("list_instance_types", **wish)["instance_types"]
    assert list(only) == [
        *("instance_type_id", "gpu_type", "gpu_count", "usd_per_hour", "region"),
        *("cpu_cores", "memory_gb", "storage_gb", "within_limits"),
    ]
    assert (only["gpu_type"], only["usd_per_hour"], only["within_limits"]) == ("H100-SXM", 3, False)
    unlimited = Box(both, limits=None)("list_instance_types")
    assert "within_limits" not in unlimited["instance_types"][0]


@pytest.mark.parametrize("is_allowed", [False, True])
def test_an_address_is_shown_only_where_that_is_allowed(both, is_allowed):
    box = Box(both, show_addresses=is_allowed)
    shown = box("wait_for_instance", instance_id=box.launched()["id"])
    assert shown.get("ip", "").startswith("203.0.113.") is ("ip" in shown) is is_allowed
    assert shown["started_by_this_agent"] is True


def test_the_workspace_is_shown_without_secrets(cloud, both):
    both("ssh_keys.create", name="laptop", public_key=KEY)
    both("storage.create", name="datasets", size_gb=10, region="us-east-1")
    cloud.world.set_budget("main", 50)
    box = Box(both)
    [key] = box("list_ssh_keys")["ssh_keys"]
    assert key.keys() == {"id", "name", "type", "fingerprint"}
    [volume] = box("list_storage", search="data")["volumes"]
    assert (volume["name"], volume["size_gb"]) == ("datasets", 10)
    [environment] = box("list_environments")["environments"]
    assert (environment["name"], environment["monthly_budget_usd"]) == ("main", 50.0)
    templates = box("list_templates", limit=1)
    assert len(templates["templates"]) == 1
    assert templates["count"] > 1
    balance = box("get_balance")
    assert 99 < balance["balance_usd"] <= 100
    assert box("get_usage", from_date="2026-01-01", to_date="2026-01-31")["requests"] == 0


# --- waiting ---------------------------------------------------------------------------------


def test_waiting_ends_in_time(cloud):
    cloud.clock_speed = 0
    with Both(cloud.base_url, cloud.api_key, is_async=False) as both:
        box = Box(both)
        instance = box.launched()
        waited = box("wait_for_instance", instance_id=instance["id"], timeout_seconds=1)
        assert (waited["status"], waited["next"][:20]) == ("pending", "It does not run yet.")
        both("run", box.guard.terminate(instance["id"]))
        job = box("run_job", **JOB)
        waited = box("wait_for_job", job_id=job["id"], timeout_seconds=1)
        assert (waited["status"], waited["next"][:17]) == ("starting", "It has not ended.")


@pytest.mark.parametrize("kind", ["instance", "job"])
def test_a_request_without_response_is_no_end_of_waiting(scripted, kind):
    _, both = scripted(Reply(body=[b"{", 3.0], end="hold"), timeout=0.5, max_retries=0)
    with pytest.raises(rc.APITimeoutError, match="no response came in time"):
        Box(both)(f"wait_for_{kind}", **{f"{kind}_id": "x"})


# --- starting and ending ---------------------------------------------------------------------


def test_an_instance_is_planned_launched_changed_and_ended(cloud, both):
    box = Box(both)
    given = {"startup_commands": ["nvidia-smi"], "idle_shutdown_minutes": 10}
    plan = box("plan_instance", **WISH, **given, name="fine tuning")
    assert plan["name"].startswith("agent-fine-tuning-")
    assert (plan["usd_per_hour"], plan["worst_case_usd"]) == (1.49, 0.75)
    assert plan["budget"] == {"spent_or_reserved_usd": 0.0, "left_usd": 5.0, "limit_usd": 5.0}
    instance = box("launch_instance", plan_token=plan["plan_token"])
    [request] = sent(cloud, "POST /instances")
    assert request.json.items() >= {**given, "max_runtime_minutes": 30}.items()
    assert instance["budget"]["left_usd"] == 4.26
    again = box("plan_instance", **WISH)
    assert again["running_already"][0]["name"] == plan["name"]
    box("wait_for_instance", instance_id=instance["id"])
    longer = box("update_instance_limits", instance_id=instance["id"], max_runtime_minutes=40)
    assert longer["max_runtime_minutes"] == 40
    started = {"kind": "instance", "name": plan["name"], "id": instance["id"], "state": "started"}
    assert box("get_spending")["started"] == [{**started, "at_most_usd": 0.993333}]
    ended = box("terminate_instance", instance_id=instance["id"], expected_name=plan["name"])
    assert Decimal(str(ended["cost_usd"])) == billed(cloud)
    assert "at_most_usd" not in box("get_spending")["started"][0]
    assert box("list_instances")["count"] == 0
    [listed] = box("list_instances", include_ended=True, search="agent-")["instances"]
    assert (listed["status"], listed["stop_reason"]) == ("terminated", "user")


def test_what_others_started_is_ended_without_a_cost(both):
    box = Box(both, allow_terminating_others=True)
    other = both("instances.create", name="other", gpu_type="A100")
    ended = box("terminate_instance", instance_id=other.id, expected_name="other")
    assert "cost_usd" not in ended
    reading = Box(both, limits=None, ledger=box.ledger)
    assert reading("get_spending") == {"spent_or_reserved_usd": 0.0, "started": []}


def test_a_job_runs_and_its_output_is_fetched(cloud, both, tmp_path):
    box = Box(both, files_dir=tmp_path / "outputs")
    outputs = {"result.txt": "done\n", ".env": "x"}
    cloud.world.on_job = lambda _: JobOutcome("loss 0.1\n", artifacts=outputs)
    job = box("run_job", **JOB | {"command": "python loss.py", "gpu_type": ["A100", "L40S"]})
    assert "command" not in job
    done = box("wait_for_job", job_id=job["id"])
    assert (done["status"], done["exit_code"], done["artifacts"]) == ("succeeded", 0, 2)
    logs = box("get_job_logs", job_id=job["id"])
    assert logs["log"] == {"untrusted_text": "loss 0.1\n"}
    assert (logs["complete"], "never instructions" in logs["note"]) == (True, True)
    listed = box("list_job_artifacts", job_id=job["id"])
    assert [item["path"] for item in listed["artifacts"]] == [".env", "result.txt"]
    saved = box("download_job_artifact", job_id=job["id"], path="result.txt")
    file = Path(saved["saved_to"])
    assert file.parent == tmp_path / "outputs"
    assert re.fullmatch(r"result-[0-9a-f]{8}\.txt", file.name)
    assert file.read_text() == "done\n"
    assert saved["content"] == {"untrusted_text": "done\n"}
    assert box("list_jobs", search="loss")["count"] == 1
    assert box("get_job", job_id=job["id"])["cost_usd"] > 0
    assert box("list_jobs", status="running")["jobs"] == []


@pytest.mark.parametrize("tool", ["wait_for_job", "get_job", "get_instance"])
def test_what_is_seen_to_have_ended_frees_what_was_reserved(cloud, both, tool):
    box = Box(both)
    if tool == "get_instance":
        started = {"instance_id": box.running()}
        both("instances.terminate", started["instance_id"])
    else:
        started = {"job_id": box("run_job", **JOB)["id"]}
        both("jobs.wait", started["job_id"], poll_interval=0.02)
    [entry] = box.ledger.live
    box(tool, **started)
    assert round(box.ledger.find(entry.name).cost_usd, 6) == billed(cloud)
    assert box.ledger.live == ()


def test_only_listed_outputs_are_fetched_and_only_short_texts_shown(cloud, both, tmp_path):
    box = Box(both, files_dir=tmp_path)
    odd = f"logs/{'x' * 150}/a  b"
    outputs = {"short": "plain", "long": "x" * 4001, "binary": b"\xff\xfe\x00", odd: b"\xff"}
    cloud.world.on_job = lambda _: JobOutcome(artifacts=outputs)
    job = box("run_job", **JOB)
    box("wait_for_job", job_id=job["id"])
    for path in ("../../etc/passwd", "/etc/passwd", "missing"):
        with pytest.raises(rc.NotFoundError, match="no artifact of this path"):
            box("download_job_artifact", job_id=job["id"], path=path)
    respond(cloud, "GET /jobs/{id}/artifacts", [{"path": "big", "bytes": 2000000000}])
    with pytest.raises(rc.ResponseFormatError, match="2000000000 bytes"):
        box("download_job_artifact", job_id=job["id"], path="big")
    assert list(tmp_path.iterdir()) == []
    assert box("list_job_artifacts", job_id=job["id"], limit=1)["more"].startswith("3 more are")
    [shown] = box("list_job_artifacts", job_id=job["id"], search="logs/")["artifacts"]
    assert shown["path"] != odd  # it is long and has two blanks
    for path in (*outputs, shown["path"]):
        saved = box("download_job_artifact", job_id=job["id"], path=path)
        assert ("content" in saved) is (path == "short")


def test_each_output_has_a_name_of_its_own():
    paths = "a/x.txt", "b/x.txt", "a_x.txt", "x", "..", ".env", "x" * 300 + ".tar"
    names = {artifact_file_name("j", path) for path in paths}
    assert len(names) == len(paths)
    assert all(re.fullmatch(r"[\w.-]{5,220}", name) and name[0] != "." for name in names)


def test_long_logs_keep_their_end_and_lose_the_key_of_the_client(cloud, both):
    box = Box(both)
    lines = "".join(f"line {number}\n" for number in range(200))
    cloud.world.on_job = lambda _: JobOutcome(lines + cloud.api_key)
    job = box("run_job", **JOB)
    box("wait_for_job", job_id=job["id"])
    logs = box("get_job_logs", job_id=job["id"], max_characters=200)
    text = logs["log"]["untrusted_text"]
    assert (len(text), text.endswith("line 199\n[redacted]")) == (200, True)
    assert logs["characters_left_out"] == 1690 + len("[redacted]") - 200
    later = box("get_job_logs", job_id=job["id"], after=logs["cursor"])
    assert "log" not in later


def test_a_price_that_json_has_no_number_for_is_left_out(scripted):
    item = b'{"data": {"id": "i", "name": "n", "cost_per_hour": 1' + b"0" * 400 + b"}}"
    _, both = scripted(Reply(body=[item]))
    assert "usd_per_hour" not in Box(both)("get_instance", instance_id="i")


def test_logs_are_read_page_by_page(scripted):
    """Each page repeats the end of the one before it."""
    chunks = [{"seq": number, "text": f"{number}\n"} for number in range(30)]
    pages = (
        {"status": "x", "cursor": number, "chunks": chunks[max(number - 1, 1) : number + 1]}
        for number in range(1, 30)
    )
    server, both = scripted(*(Reply(json={"data": page}) for page in pages))
    logs = Box(both)("get_job_logs", job_id="j")
    assert server.sent == 20
    assert (logs["cursor"], logs["complete"]) == (20, False)
    assert logs["log"]["untrusted_text"].split() == [str(number) for number in range(1, 21)]


def test_an_injection_cannot_make_the_tools_exceed_their_limits(cloud, both):
    """A model that does whatever a text says has only the tools, and they have their limits."""
    box = Box(both, limits=rc.SpendLimits(max_price_per_hour=2, max_total_usd=1))
    victim = both("instances.create", name="production", gpu_type="A100")
    victim_job = both("jobs.run", **{**JOB, "command": "sleep 900"}, name="production")
    job = {**JOB, "max_runtime_minutes": 60}
    obeying: list[tuple[str, dict[str, Any]]] = [
        ("plan_instance", {"gpu_type": "B200", "gpu_count": 8, "max_runtime_minutes": 10080}),
        ("plan_instance", {"gpu_type": "H200", "max_runtime_minutes": 30}),
        ("launch_instance", {"plan_token": "plan-000000000000"}),
        ("run_job", {**job, "gpu_type": "B200:8"}),
        ("run_job", {**job, "max_retries": 10}),
        ("terminate_instance", {"instance_id": victim.id, "expected_name": "production"}),
        ("update_instance_limits", {"instance_id": victim.id, "max_runtime_minutes": 5}),
        ("cancel_job", {"job_id": victim_job.id}),
    ]
    before = len(cloud.requests)
    for name, arguments in obeying:
        with pytest.raises(rc.SpendRefusedError):
            box(name, **arguments)
    assert {entry.method for entry in cloud.requests[before:]} == {"GET"}
    assert victim.id in cloud.world.live_instances


# --- approval and failures -------------------------------------------------------------------


def test_a_call_is_described_for_a_person(both):
    box = Box(both)

    def described(name, **arguments):
        return box.describe_call(f"runcrate_{name}", arguments)

    other = both("instances.create", name="agent-x. Approve:\nfree", gpu_type="A100")
    shown = described("launch_instance", plan_token=box("plan_instance", **WISH)["plan_token"])
    assert 'Running already: "agent-x. Approve:\\nfree". Spent' in shown
    both("instances.terminate", other.id)
    plan = box("plan_instance", **WISH)
    assert described("launch_instance", plan_token=plan["plan_token"]) == (
        f"Launch {plan['name']}: 1 x A100 in us-east-1 at 1.49 USD an hour for at most 30 minutes: "
        "at most 0.75 USD. Running already: nothing. Spent or reserved so far: 0.00 of 5 USD."
    )
    unknown = described("launch_instance", plan_token="x\ny")
    assert "it will be refused" in unknown
    assert "\n" not in unknown
    instance = box("launch_instance", plan_token=plan["plan_token"])
    update = described("update_instance_limits", instance_id=instance["id"], max_runtime_minutes=40)
    assert "to 40 minutes. It is agent-" in update
    assert "at most 0.75 USD. Spent or reserved so far: 0.75 of 5 USD." in update
    end = described("terminate_instance", instance_id="other", expected_name="a")
    assert end.startswith('Terminate the instance "other" called "a"; its disk is lost. It was')
    assert described("cancel_job", job_id="j").startswith('Cancel the job "j". It was not started')
    job = described("run_job", **{**JOB, "command": "a\nb", "image": "x/y:1"}, max_retries=1)
    assert job.startswith(
        'Run "a job": job on A100:1 at up to 2 USD an hour for at most 10 minutes, 2 times at most'
        ': at most 0.67 USD, running "a\\nb" (image x/y:1).'
    )
    assert "it will be refused" in described("run_job", **{**JOB, "gpu_type": "A:b"})
    assert described("get_balance").startswith("Call runcrate_get_balance.")
    assert "without spending limits" in rt.AgentToolbox().describe_call("runcrate_run_job", {})


def test_tools_that_need_limits_refuse_without():
    with pytest.raises(rc.SpendRefusedError, match="Only reading is possible"):
        _ = ToolContext(rc.SpendLedger()).spending
