"""Steps that need one another: what is prepared, begun, waited for, used and ended."""

import itertools
from typing import Any

import pytest

from runcrate_emulator.simulation.condensing import completed
from tests.emulator.chat_support import calls, run_agent, say, tool

OPTIONAL_TEXT = {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None}
PRESS = {"anyOf": [{"type": "string", "description": "A press, such as KX20 or MR7."}]}


def yard(**answers: Any) -> dict[str, Any]:
    """A printing yard: presses are reserved by a slip, started, awaited and stopped."""
    slips, presses = itertools.count(1), itertools.count(1)
    return {
        "yard_list_models": (
            tool("yard_list_models", "List press models, the cheapest first.", [], model=PRESS),
            lambda **_: (
                '{"models": [{"model": "KX20", "price": 3}, {"model": "KX20", "price": 9}]}'
            ),
        ),
        "yard_quote_press": (
            tool(
                "yard_quote_press",
                "Quote a fitting press. Then call yard_start_press with its slip_token.",
                ["minutes"],
                minutes={"type": "integer"},
                model=PRESS,
                rollers={"type": "integer", "default": 1, "description": "Rollers of one press."},
                label=OPTIONAL_TEXT,
            ),
            lambda **_: f'{{"slip_token": "slip-{next(slips)}"}}',
        ),
        "yard_start_press": (
            tool(
                "yard_start_press",
                "Start the press of a slip. Then call yard_await_press.",
                slip_token={"type": "string", "description": "From yard_quote_press."},
            ),
            answers.get(
                "start", lambda **_: f'{{"id": "press-{next(presses)}", "state": "pending"}}'
            ),
        ),
        "yard_await_press": (
            tool("yard_await_press", "Wait until a press turns.", press_id="string"),
            lambda press_id: f'{{"id": "{press_id}", "state": "running"}}',
        ),
        "yard_stop_press": (
            tool("yard_stop_press", "Stop a press.", press_id="string"),
            lambda press_id: f'{{"id": "{press_id}", "state": "stopped"}}',
        ),
        "yard_print_sheet": (
            tool(
                "yard_print_sheet",
                "Run one command on a fresh press. Then call yard_await_sheet.",
                ["command", "model", "minutes"],
                command="string",
                model=PRESS,
                minutes={"type": "integer"},
                name=OPTIONAL_TEXT,
            ),
            lambda **_: '{"id": "sheet-5", "state": "queued"}',
        ),
        "yard_await_sheet": (
            tool("yard_await_sheet", "Wait until a sheet is over.", sheet_id="string"),
            lambda sheet_id: f'{{"id": "{sheet_id}", "state": "done"}}',
        ),
        "yard_read_sheet_log": (
            tool("yard_read_sheet_log", "Show the log of a sheet.", sheet_id="string"),
            lambda **_: '{"log": "ink low"}',
        ),
        "yard_cancel_sheet": (
            tool("yard_cancel_sheet", "End a sheet.", sheet_id="string"),
            lambda **_: '{"state": "cancelled"}',
        ),
    }


def names(made: list[tuple[str, dict[str, Any]]]) -> list[str]:
    return [name.removeprefix("yard_") for name, _ in made]


def test_a_named_model_is_started_though_its_kind_is_not_said():
    made, _ = run_agent("Start a KX20 for 25 minutes", yard())
    assert made == [
        ("yard_quote_press", {"minutes": 25, "model": "KX20"}),
        ("yard_start_press", {"slip_token": "slip-1"}),
    ]


def test_a_model_that_only_looks_like_the_examples_is_taken():
    made, _ = run_agent("Start a ZB44 for 25 minutes", yard())
    assert made[0][1]["model"] == "ZB44"


def test_what_runs_for_a_time_is_started_and_ended():
    made, _ = run_agent("Find the cheapest KX20, run it for 20 minutes, then end it", yard())
    assert names(made) == [
        "list_models",
        "quote_press",
        "start_press",
        "await_press",
        "stop_press",
    ]
    assert made[1][1]["minutes"] == 20
    assert made[-1][1] == {"press_id": "press-1"}


def test_when_it_is_ready_means_to_wait_first():
    request = "I need a KX20 for half an hour. Start it, and shut it down when it is ready."
    made, _ = run_agent(request, yard())
    assert names(made)[-3:] == ["start_press", "await_press", "stop_press"]
    assert ("yard_quote_press", 30) in [(name, a.get("minutes")) for name, a in made]


@pytest.mark.parametrize(
    "request_", ["Start 3 KX20 presses for 15 minutes each", "Start three KX20 presses, 15 minutes"]
)
def test_several_are_several_calls(request_):
    made, _ = run_agent(request_, yard())
    assert names(made) == ["quote_press"] * 3 + ["start_press"] * 3
    assert [a["slip_token"] for _, a in made[3:]] == ["slip-1", "slip-2", "slip-3"]
    assert all(a.get("rollers", 1) == 1 for _, a in made)


def test_several_that_fail_are_not_tried_for_ever():
    def broken(**_: Any) -> str:
        raise ValueError("jammed")

    made, told = run_agent("Start 3 KX20 presses for 15 minutes each", yard(start=broken))
    assert names(made).count("start_press") == 3
    assert "jammed" in told
    assert "what was not" in told


def test_code_goes_to_the_tool_that_runs_it_and_is_waited_for_before_its_log_is_read():
    request = "Run `proof --all` on a KX20 for at most 12 minutes and tell me the log."
    made, told = run_agent(request, yard())
    assert made[0] == (
        "yard_print_sheet",
        {"command": "proof --all", "model": "KX20", "minutes": 12},
    )
    assert names(made)[1:] == ["await_sheet", "read_sheet_log"]
    assert "ink low" in told


def test_a_model_written_with_a_space_is_no_name():
    [(name, arguments)] = calls(
        "Run `proof` on an MR 7 for 5 minutes", [schema for schema, _ in yard().values()]
    )
    assert name == "yard_print_sheet"
    assert arguments == {"command": "proof", "model": "MR7", "minutes": 5}


def test_nothing_is_deleted_that_is_not_named():
    told = say("Delete everything in the yard.", tools=[schema for schema, _ in yard().values()])
    assert "nothing was deleted" in told
    assert "press" in told
    assert "sheet" in told


def test_a_step_that_no_tool_does_is_said_not_to_be_done():
    weather = tool("get_weather", "Get the current weather for a city.", city="string")
    made, told = run_agent(
        "Get the weather in Oslo and cancel my subscription.",
        {"get_weather": (weather, lambda **_: "Sunny in Oslo.")},
    )
    assert made == [("get_weather", {"city": "Oslo"})]
    assert "Sunny" in told
    assert "Cancel my subscription: this was not done." in told


@pytest.mark.parametrize(
    ("asked", "question", "alone"),
    [
        (
            "How much bread does the oven bake a day?",
            "And how many logs does it need?",
            "How many logs does the oven need?",
        ),
        (
            "When does the night ferry leave?",
            "What does it carry?",
            "What does the night ferry carry?",
        ),
        ("Where is the salt mill located?", "What does it cost?", "What does the salt mill cost?"),
        ("What is the height of the grain tower?", "How is it lit?", "How is the grain tower lit?"),
        ("Is the radio mast tall?", "When was it built?", "When was the radio mast built?"),
    ],
)
def test_it_is_what_the_question_before_was_about(asked, question, alone):
    assert completed(question, [("user", asked), ("assistant", "That is in Section B.")]) == alone
