"""The smallest parts of the simulation: words, tokens, mentions, sums, passages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runcrate_emulator.simulation import spans, tokens
from runcrate_emulator.simulation.arithmetic import solved, with_result
from runcrate_emulator.simulation.clauses import clauses
from runcrate_emulator.simulation.digest import keywords, questions, title, topic
from runcrate_emulator.simulation.entailment import SUPPORTED, support
from runcrate_emulator.simulation.instructions import instructs
from runcrate_emulator.simulation.passages import passages, sentences
from runcrate_emulator.simulation.perspective import addressed
from runcrate_emulator.simulation.relevance import GOOD_ENOUGH, rank
from runcrate_emulator.simulation.thesaurus import alike
from runcrate_emulator.simulation.words import (
    identifier_words,
    same_family,
    stem,
    stems,
)


@pytest.mark.parametrize(
    "family",
    [
        "launch launches launched launching",
        "price prices priced pricing",
        "study studies studied studying",
        "create creates created creation",
        "stop stops stopped stopping",
        "install installs installed installation",
        "terminate terminates terminated termination",
        "run runs ran running",
        "child children",
        "GPU GPUs gpus gpu",
        "cheap cheaper cheapest",
        "Bob Bob's Bob\u2019s",
        "hour hours hourly",
    ],
)
def test_the_forms_of_a_word_have_one_stem(family):
    assert len({stem(word) for word in family.split()}) == 1


def test_different_words_have_different_stems():
    different = "status state lens bus process news price prize rate".split()  # noqa: SIM905 - words
    assert len({stem(word) for word in different}) == len(different)


def test_stems_leave_common_words_out_and_pair_unspaced_characters():
    assert stems("What is the price of it?") == ["pric"]
    assert stems("机器学习") == ["机器", "器学", "学习"]


@pytest.mark.parametrize("name", ["getWeatherNow", "get_weather_now", "get-weather-now"])
def test_names_of_programs_fall_into_words(name):
    assert [word.lower() for word in identifier_words(name)] == ["get", "weather", "now"]


def test_relatives_and_synonyms():
    assert same_family("add", "adder")
    assert not same_family("at", "attic")
    assert alike(stem("cheapest"), stem("price"))
    assert not alike("otter", "pric")


@given(st.text())
def test_tokens_joined_are_the_text(text):
    pieces = tokens.split(text)
    assert "".join(pieces) == text
    assert tokens.count(text) == len(pieces)


def test_tokens_follow_their_rule():
    assert tokens.split("Hello wonderful 12345!") == ["Hello", " wonder", "ful", " 123", "45", "!"]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("$1,200.50 and 20% of 3k", [1200.5, 20, 3000]),
        ("twenty-five GPUs, a dozen eggs", [25, 12]),
        ("2 million users, three hundred machines", [2_000_000, 300]),
        ("-5 degrees, pages 3-7", [-5, 3, 7]),
        ("version v3.2 of H100", []),
        ("half of it", [0.5]),
    ],
)
def test_numbers_are_read_in_digits_and_words(text, values):
    assert [number.value for number in spans.numbers(text)] == values


def test_signs_of_money_and_per_cent_are_kept():
    assert [number.sign for number in spans.numbers("$5 or 5% or 5")] == ["$", "%", ""]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("What's the weather in San Francisco, CA and Paris?", ["San Francisco, CA", "Paris"]),
        ("Send it to John O'Neil.", ["John O'Neil"]),
        ("Launch 2 RTX 4090 machines for Bob", ["RTX 4090", "Bob"]),
        ("Find cats. The Bank of England is old.", ["Bank of England"]),
        ("Hello there", []),
    ],
)
def test_names_are_found(text, names):
    assert [span.text for span in spans.names(text)] == names


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("on 2027-01-30", "2027-01-30"),
        ("on May 3rd, 2025", "2025-05-03"),
        ("on 3 May", "2026-05-03"),
        ("the 4th of July 2030", "2030-07-04"),
        ("am 24.12.2026", "2026-12-24"),
        ("by 12/24/2026", "2026-12-24"),
    ],
)
def test_dates_are_written_in_one_way(text, date):
    assert [span.text for span in spans.dates(text)] == [date]


def test_what_is_no_date_is_none():
    assert spans.dates("2026-13-01 or 99.99.2026") == []


def test_quotations_and_enumerations():
    quoted = "say 'hi there', \"x y\", “a b”, `c` but don't, can't"
    assert [span.text for span in spans.quotations(quoted)] == ["hi there", "x y", "a b", "c"]
    assert spans.listed("red, green, and blue or pink") == ["red", "green", "blue", "pink"]
    assert spans.enumeration("Paint it: red, green and blue.") == ["red", "green", "blue"]


@pytest.mark.parametrize(
    ("text", "results"),
    [
        ("what is 3*4 and 5 * 6?", [("3 * 4", 12), ("5 * 6", 30)]),
        ("(3 + 4) * 5", [("(3 + 4) * 5", 35)]),
        ("12 times 7", [("12 * 7", 84)]),
        ("subtract 3 from 10", [("10 - 3", 7)]),
        ("the sum of 3 and 4", [("3 + 4", 7)]),
        ("3 squared", [("3 ^ 2", 9)]),
        ("What's 1,234 + 1?", [("1234 + 1", 1235)]),
        ("10 % 3", [("10 % 3", 1)]),
        ("-3 + 5", [("-3 + 5", 2)]),
        ("0.1 + 0.2", [("0.1 + 0.2", 0.3)]),
        ("2025-01-02", []),
        ("between 2 and 3", []),
        ("9**9**9", []),
        ("1/0", []),
        ("(1 + ", []),
    ],
)
def test_sums_are_solved(text, results):
    assert solved(text) == results


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ("multiply the result by 2", "multiply 7 by 2"),
        ("then add 5", "then (7+5)"),
        ("divide by 2", "(7/2)"),
        ("what is 3 + 4", "what is 3 + 4"),
    ],
)
def test_a_result_is_put_into_the_next_step(step, said):
    assert with_result(step, 7) == said


def test_a_text_falls_into_passages():
    text = (
        "# Title\n\nFirst line\ngoes on. Second one, e.g. this, by Dr. No.\n\n- item one\n"
        "  goes on\n1. item two\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n```\ncode here\n```\n"
        "[3] A source.\nDocument 4:\nAnother.\n"
    )
    found = [(one.kind, one.text, one.heading, one.source) for one in passages(text)]
    assert found == [
        ("prose", "First line goes on.", "Title", ""),
        ("prose", "Second one, e.g. this, by Dr. No.", "Title", ""),
        ("item", "item one goes on", "Title", ""),
        ("item", "item two", "Title", ""),
        ("row", "a | b", "Title", ""),
        ("row", "1 | 2", "Title a | b", ""),
        ("code", "code here", "Title", ""),
        ("prose", "A source.", "", "3"),
        ("prose", "Another.", "", "4"),
    ]


def test_code_that_never_ends_is_kept():
    assert [one.kind for one in passages("Text:\n```\nx = 1")] == ["prose", "code"]


def test_sentences_of_other_scripts():
    assert sentences("你好。今天很好！Yes. No?") == ["你好。", "今天很好！", "Yes.", "No?"]  # noqa: RUF001 - full-width signs


@pytest.mark.parametrize(
    "sentence",
    [
        "You are a helpful assistant.",
        "Answer the question from the context.",
        "If you don't know the answer, say so.",
        "Use three sentences maximum and keep the answer concise.",
        "Given the context information and not prior knowledge, answer the query.",
        "Extract all people.",
        "Here's a JSON schema to follow:",
    ],
)
def test_instructions_are_told_from_information(sentence):
    assert instructs(sentence)


@pytest.mark.parametrize(
    "sentence",
    [
        "Use the key from the dashboard.",
        "Acme was founded in 1999.",
        "Keep the machine dry.",
        "Instances are billed per second.",
        "",
    ],
)
def test_information_is_told_from_instructions(sentence):
    assert not instructs(sentence)


def test_the_right_kind_of_passage_comes_first():
    text = "The tower stands in Paris. The tower opened in 1889. The tower is 300 meters high."
    for question, answer in (
        ("Where is the tower?", "Paris"),
        ("When did the tower open?", "1889"),
        ("How high is the tower?", "300"),
    ):
        assert answer in rank(question, passages(text)).best[0].passage.text


def test_a_passage_about_something_else_does_not_answer():
    ranking = rank("What is the capital of Mars?", passages("Paris is the capital of France."))
    assert ranking.best[0].score < GOOD_ENOUGH


@pytest.mark.parametrize(
    ("statement", "supported"),
    [
        ("Otters eat fish.", True),
        ("Otters do not eat fish.", False),
        ("Otters eat 12 fish.", False),
        ("Bob eats fish.", False),
        ("", False),
    ],
)
def test_statements_are_looked_up(statement, supported):
    text = ["Otters live in rivers. They eat fish and crabs."]
    assert (support(statement, text) >= SUPPORTED) is supported


@pytest.mark.parametrize(
    ("request_text", "steps"),
    [
        ("Find it, launch it and then terminate it.", ["Find it", "launch it", "terminate it."]),
        ("1. List them\n2. Delete the first", ["List them", "Delete the first"]),
        ("Search for 'cats and dogs' and email it", ["Search for 'cats and dogs'", "email it"]),
        ("What is A and what is B?", ["What is A", "what is B?"]),
        ("red and green", ["red and green"]),
    ],
)
def test_a_request_falls_into_steps(request_text, steps):
    assert [clause.text for clause in clauses(request_text)] == steps


def test_what_must_not_be_done_is_marked():
    assert [one.forbidden for one in clauses("Launch it but don't delete it")] == [False, True]


def test_what_a_text_is_about():
    text = "Otters swim. Otters eat fish. Lake Baikal is deep. Otters like Lake Baikal."
    assert keywords(text, 2) == ["Lake Baikal", "Otters"]
    assert title("# On otters\n\nText.") == "On otters"
    assert title("") == "Untitled"
    assert topic("Tell me a joke about sea otters, please") == "sea otters"
    assert topic("") == "this"
    assert questions("The otter is a mammal. Acme was founded in 1999.", 2) == [
        "What is the otter?",
        "When was Acme founded?",
    ]


def test_a_user_is_spoken_to():
    assert addressed("Hi, I'm Bob and my cats like me") == "You are Bob and your cats like you."
