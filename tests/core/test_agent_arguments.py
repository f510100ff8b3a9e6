"""Arguments of agent tools, as models write them."""

import pytest
from pydantic import ValidationError

import runcrate_core.toolkit as rt
from runcrate_core.agent_tools.catalogue import TOOLS
from tests.core.agents import JOB, LIMITS


def test_empty_fields_are_not_given_where_they_may_be_left_out():
    """Models fill every field of a schema, with nothing where they mean nothing."""
    box = rt.AgentToolbox(limits=LIMITS)
    wanted = {"max_runtime_minutes": 30}
    filled = {"gpu_type": "A100", "region": "", "name": " ", "gpu_count": None, "storage_id": None}
    worded = {"gpu_type": "A100", "region": "null", "name": "None", "startup_commands": []}
    plan = "runcrate_plan_instance"
    meant = box.checked(plan, {**wanted, "gpu_type": "A100"})
    assert box.checked(plan, {**wanted, **filled}) == meant
    assert box.checked(plan, {**wanted, **worded}) == meant
    for wrong in ({"max_runtime_minutes": None}, {**wanted, "nonsense": ""}):
        with pytest.raises(ValidationError):
            box.checked(plan, wrong)


@pytest.mark.parametrize(
    ("tool", "written", "name", "meant"),
    [
        ("plan_instance", {"startup_commands": '["a", "b"]'}, "startup_commands", ["a", "b"]),
        ("plan_instance", {"startup_commands": "a [1]"}, "startup_commands", ["a [1]"]),
        ("plan_instance", {"gpu_count": "2"}, "gpu_count", 2),
        ("run_job", {"gpu_type": '["A100", "H100:2"]'}, "gpu_type", ["A100", "H100:2"]),
        ("run_job", {"gpu_type": "A100"}, "gpu_type", "A100"),
        ("run_job", {"gpu_type": "A100", "storage_id": 137}, "storage_id", "137"),
        ("run_job", {"gpu_type": "A100", "command": '["a"]'}, "command", '["a"]'),
        ("list_jobs", {"status": " Timed_Out"}, "status", "timed_out"),
        ("list_jobs", {"limit": "None"}, "limit", 20),
        ("list_files", {"instance_id": "i", "path": "none"}, "path", "none"),
        ("list_files", {"instance_id": "i", "path": ""}, "path", "."),
    ],
)
def test_values_are_read_as_they_are_meant(tool, written, name, meant):
    """Models write lists as text, numbers as text or for it, and choices in another case."""
    given = {"plan_instance": {"max_runtime_minutes": 30}, "run_job": JOB}.get(tool, {})
    [arguments] = [one.arguments for one in TOOLS if one.name == f"runcrate_{tool}"]
    assert getattr(arguments.model_validate({**given, **written}), name) == meant


def test_wrong_arguments_are_explained():
    box = rt.AgentToolbox(limits=LIMITS)
    wrong = {"max_runtime_minutes": 1, "secret": "rc_live_zzz"}
    with pytest.raises(ValueError, match="validation error") as caught:
        box.checked("runcrate_plan_instance", wrong)
    reported = rt.explain_failure(caught.value) or ""
    assert "`max_runtime_minutes`: Input should be greater than or equal to 5" in reported
    assert "`secret`: Extra inputs are not permitted" in reported
    assert "zzz" not in reported
