"""Tool results: read as records, chosen by what a request says, and told."""

import pytest

from runcrate_emulator.simulation.conversation import Message, ToolCall
from runcrate_emulator.simulation.evidence import Evidence
from runcrate_emulator.simulation.outcomes import Outcome, Turn
from runcrate_emulator.simulation.plan import plan
from runcrate_emulator.simulation.records import parsed, rows, selected
from runcrate_emulator.simulation.sections import sections
from runcrate_emulator.simulation.seen_prompts import SeenPrompts
from runcrate_emulator.simulation.waiting import still_waiting
from tests.emulator.chat_support import called, result, say, tool, user


@pytest.mark.parametrize(
    ("text", "records"),
    [
        ('[{"a": 1}, {"a": 2}]', [{"a": 1}, {"a": 2}]),
        ('{"data": [{"a": 1}], "total": 1, "region": "eu"}', [{"region": "eu", "a": 1}]),
        ('{"data": {"a": {"b": 2}}}', [{"b": 2}]),
        ("{'a': 1, 'b': {'c': None}}", [{"a": 1, "b.c": None}]),
        ('```json\n{"a": 1}\n```', [{"a": 1}]),
        (
            "name: box, price: 0.5\nname: tub, price: 2",
            [{"name": "box", "price": 0.5}, {"name": "tub", "price": 2}],
        ),
        ("It is sunny.", []),
        ("[1, 2]", []),
        ("", []),
    ],
)
def test_results_are_read_as_records(text, records):
    assert rows(text) == records


def test_what_is_no_data_is_text():
    assert parsed("{broken") is None
    assert parsed("nothing to see") is None
    assert parsed("12") == 12


OFFERS = [
    {"type": "H100", "price": 2.1, "memory_gb": 80, "region": "us", "stock": True},
    {"type": "RTX 4090", "price": "$0.66", "memory_gb": 24, "region": "eu", "stock": True},
    {"type": "A10", "price": 0.5, "memory_gb": 24, "region": "us", "stock": False},
    {"type": "T4", "price": 0.2, "memory_gb": 16, "region": "eu", "stock": "yes"},
]


@pytest.mark.parametrize(
    ("wanted", "first"),
    [
        ("the cheapest GPU", "T4"),
        ("the most expensive one", "H100"),
        ("the cheapest with at least 24 GB", "RTX 4090"),
        ("the GPU with the most memory under $1", "RTX 4090"),
        ("the largest memory", "H100"),
        ("the H100", "H100"),
        ("an RTX 4090, please", "RTX 4090"),
        ("whatever", "H100"),
    ],
)
def test_records_are_chosen_by_what_is_asked(wanted, first):
    assert selected(OFFERS, wanted)[0]["type"] == first


def test_the_newest_is_chosen_by_its_time():
    records = [{"id": 1, "created_at": "2026-01-02"}, {"id": 2, "created_at": "2026-03-01"}]
    assert selected(records, "the newest")[0]["id"] == 2
    assert selected(records, "the oldest")[0]["id"] == 1


def outcome(text, **arguments):
    return Outcome(ToolCall("1", "look", arguments), text)


@pytest.mark.parametrize(
    ("text", "failed"),
    [
        ("Error: no such thing", True),
        ("ValueError: bad", True),
        ('{"error": "bad"}', True),
        ('{"success": false}', True),
        ('{"status": "failed"}', True),
        ("The error rate is low", False),
        ('{"error": null, "a": 1}', False),
    ],
)
def test_failures_are_recognised(text, failed):
    assert outcome(text).failed is failed


@pytest.mark.parametrize(
    ("text", "number"),
    [("12", 12), ("The result is 3.", 3), ('{"result": 2.5}', 2.5), ("1 of 2", None), ("x", None)],
)
def test_the_number_of_a_result(text, number):
    assert outcome(text).number == number


@pytest.mark.parametrize(
    ("clause", "text", "waits"),
    [
        ("wait until it runs", '{"status": "pending"}', True),
        ("wait until it runs", '{"status": "running"}', False),
        ("wait until it is ready", '{"data": {"state": "ready"}}', False),
        ("wait", '{"status": "starting"}', True),
        ("wait", '{"status": "failed"}', False),
        ("wait until it runs", "still provisioning", True),
        ("wait until it is done", '{"status": "terminated"}', False),
    ],
)
def test_waiting_goes_on_until_the_state_is_there(clause, text, waits):
    assert still_waiting(clause, outcome(text)) is waits


LIST = tool("list_boxes", "List the boxes.")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ([{"name": "box", "size": 1}], "name box, size 1"),
        ({"size": 3}, "The size is 3."),
        ("null", "list_boxes brought no result."),
        (["a", "b"], "a, b"),
        ({"count": 0, "boxes": []}, "Nothing was found."),
        ({"open": True, "lid": None}, "The open is yes."),
        ({"error": {"message": "it is locked"}}, "list_boxes did not work: it is locked"),
        ([{"name": f"box{n}"} for n in range(10)], "and 2 more"),
        ("7", "The result of list_boxes is 7."),
    ],
)
def test_results_are_told(content, told):
    messages = [user("List the boxes"), called("1", "list_boxes"), result("1", content)]
    assert told in say(messages, tools=[LIST])


def test_the_chosen_one_is_told():
    messages = [user("Which box is the cheapest?"), called("1", "list_boxes")]
    content = [{"name": "tub", "price": 3}, {"name": "tin", "price": 1}]
    answer = say([*messages, result("1", content)], tools=[LIST])
    assert answer == "name tin, price 1"


def test_a_finished_plan_calls_nothing():
    turn = Turn("List the boxes", (Outcome(ToolCall("1", "list_boxes", {}), "[]"),))
    assert plan(turn, (), Evidence("")).calls == []


def test_prompts_seen_long_ago_are_forgotten(monkeypatch):
    monkeypatch.setattr("runcrate_emulator.simulation.seen_prompts._MOST_REMEMBERED", 2)
    seen = SeenPrompts()
    first = [Message("user", "one")]
    assert seen.cached_tokens("m", first) == 0
    assert seen.cached_tokens("m", first) > 0
    seen.cached_tokens("m", [Message("user", "two")])
    seen.cached_tokens("m", [Message("user", "three")])
    assert seen.cached_tokens("m", first) == 0


@pytest.mark.parametrize(
    ("text", "roles"),
    [
        ("Question: a?\nAnswer:", ["question", "cue"]),
        ("<context>\nQuestion: x\n</context>\n\nWho?", ["context", "plain"]),
        (
            "[User Question]\na?\n\n[The Start of Reference]\nb\n[The End of Reference]",
            ["question", "reference"],
        ),
        ("Hello there", ["plain"]),
        ("", []),
    ],
)
def test_prompts_fall_into_sections(text, roles):
    assert [section.role for section in sections(text)] == roles
