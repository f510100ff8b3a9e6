"""Numbers are given in the unit that a parameter's name or description states."""

import pytest

from runcrate_emulator.simulation.measures import converted, measure_of
from tests.emulator.chat_support import calls, json_schema, say, tool


def argument(request: str, name: str, schema: dict) -> object:
    ((_, arguments),) = calls(request, [tool("run_it", "Run a thing", **{name: schema})])
    return arguments.get(name)


WHOLE = {"type": "integer"}
ANY = {"type": "number"}


@pytest.mark.parametrize(
    ("request_", "name", "schema", "value"),
    [
        ("Run it with 70 billion parameters", "billion_parameters", ANY, 70),
        ("Run it with 70B parameters", "parameters_in_billions", WHOLE, 70),
        ("Run it with 70 billion parameters", "parameters", WHOLE, 70_000_000_000),
        ("Run it with 500 million parameters", "billion_parameters", ANY, 0.5),
        ("Run it with 70 parameters", "billion_parameters", ANY, 70),
        ("Run it with 2000000 users", "users", {**WHOLE, "description": "In thousands"}, 2000),
        ("Run it for 2 hours", "duration_minutes", WHOLE, 120),
        ("Run it for an hour", "timeout_seconds", WHOLE, 3600),
        ("Run it for half an hour", "minutes", WHOLE, 30),
        ("Run it for 90 minutes", "hours", ANY, 1.5),
        ("Run it for 90 minutes", "hours", WHOLE, 2),
        ("Run it for 5 minutes", "duration", {**WHOLE, "description": "Length in seconds"}, 300),
        ("Run it for 5 minutes", "duration", WHOLE, 5),
        ("Run it for 2 seconds", "timeout_ms", WHOLE, 2000),
        ("Run it for 2 weeks", "days", WHOLE, 14),
        ("Run it with 16 GB of memory", "memory_mb", WHOLE, 16_384),
        ("Run it with 2 TB of storage", "storage_gb", WHOLE, 2048),
        ("Run it over 3 km", "distance_meters", WHOLE, 3000),
        ("Run it with 25% noise", "noise", {**ANY, "maximum": 1}, 0.25),
        ("Run it with 25% noise", "noise_percent", WHOLE, 25),
    ],
)
def test_a_number_is_converted(request_, name, schema, value):
    assert argument(request_, name, schema) == value


def test_a_price_per_hour_is_no_time():
    offer = tool(
        "find_machine",
        "Find a machine",
        max_price_per_hour=ANY,
        max_runtime_minutes=WHOLE,
    )
    request = "Find a machine for at most $2 an hour for 3 hours"
    assert calls(request, [offer]) == [
        ("find_machine", {"max_price_per_hour": 2, "max_runtime_minutes": 180})
    ]


def test_the_unit_that_is_written_is_taken_first():
    offer = tool("set_timer", "Set a timer", [], hours=WHOLE, minutes=WHOLE)
    assert calls("Set a timer for 1 hour and 20 minutes", [offer]) == [
        ("set_timer", {"hours": 1, "minutes": 20})
    ]
    assert calls("Set a timer for 20 minutes", [offer]) == [("set_timer", {"minutes": 20})]


def test_one_number_is_not_given_twice_and_a_verb_is_no_name():
    offer = tool(
        "plan_instance",
        "Plan a machine",
        ["max_runtime_minutes"],
        max_runtime_minutes=WHOLE,
        idle_shutdown_minutes={"anyOf": [WHOLE, {"type": "null"}], "default": None},
        name={"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
    )
    request = "Plan an instance for 30 minutes."
    assert calls(request, [offer]) == [("plan_instance", {"max_runtime_minutes": 30})]


def test_structured_answers_convert_too():
    schema = {"type": "object", "properties": {"cook_time_minutes": WHOLE}}
    schema["required"] = ["cook_time_minutes"]
    text = say("Bake it for 2 hours.", response_format=json_schema("recipe", schema))
    assert text == '{"cook_time_minutes": 120}'


def test_measures():
    hour, minute = measure_of("hrs"), measure_of("Minutes")
    assert hour
    assert minute
    assert converted(0.1, hour, minute) == 6
    assert measure_of("bananas") is None
