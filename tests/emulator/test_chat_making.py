"""Requests to make something: each row stands for a rule, on tools of any name."""

from typing import Any

import pytest

from tests.emulator.chat_support import calls, run_agent, tool

OPTIONAL_TEXT = {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None}
OPTIONAL_NUMBER = {"anyOf": [{"type": "integer"}, {"type": "null"}], "default": None}
FILE = {**OPTIONAL_TEXT, "description": "File name of a drawing made before."}

DRAW = tool(
    "studio_sketch_illustration",
    "Draw an illustration, or change one. Returns its file name.",
    [],
    prompt={**OPTIONAL_TEXT, "description": "What it shows."},
    source=FILE,
    width=OPTIONAL_NUMBER,
    height=OPTIONAL_NUMBER,
    copies={"type": "integer", "default": 1, "description": "How many."},
    negative_prompt={**OPTIONAL_TEXT, "description": "What to avoid."},
)
CLIP = tool(
    "studio_make_movie",
    "Produce a short movie, or fetch one by its movie_id.",
    [],
    description={**OPTIONAL_TEXT, "description": "What the movie shows."},
    movie_id=OPTIONAL_TEXT,
    seconds=OPTIONAL_NUMBER,
    aspect_ratio={"anyOf": [{"enum": ["16:9", "9:16"], "type": "string"}, {"type": "null"}]},
    source=FILE,
)
VOICE = tool("studio_voice_over", "Speak a text with a voice.", text="string")
STUDIO = [DRAW, CLIP, VOICE]


@pytest.mark.parametrize(
    ("request_", "made"),
    [
        (
            "Make a movie of bees in a meadow",
            [("studio_make_movie", {"description": "bees in a meadow"})],
        ),
        (
            "Create a 6 second clip of a paper boat in landscape format",
            [
                (
                    "studio_make_movie",
                    {"description": "a paper boat", "seconds": 6, "aspect_ratio": "16:9"},
                )
            ],
        ),
        (
            "Make a movie: rain on a roof. It lasts 9 seconds.",
            [("studio_make_movie", {"description": "rain on a roof", "seconds": 9})],
        ),
        ("Sketch me a windmill", [("studio_sketch_illustration", {"prompt": "a windmill"})]),
        ("Say 'Mind the step' out loud.", [("studio_voice_over", {"text": "Mind the step"})]),
        ("Read this aloud: Doors close", [("studio_voice_over", {"text": "Doors close"})]),
        (
            "Say 'Land ahoy' aloud and show me a drawing of an island.",
            [
                ("studio_voice_over", {"text": "Land ahoy"}),
                ("studio_sketch_illustration", {"prompt": "an island"}),
            ],
        ),
        (
            "I need a drawing of a bridge, 640x480, and a narration saying 'Go on'.",
            [
                (
                    "studio_sketch_illustration",
                    {"prompt": "a bridge", "width": 640, "height": 480},
                ),
                ("studio_voice_over", {"text": "Go on"}),
            ],
        ),
        (
            "I want a drawing (300x400) of an owl, no text in it",
            [
                (
                    "studio_sketch_illustration",
                    {"prompt": "an owl", "width": 300, "height": 400, "negative_prompt": "text"},
                )
            ],
        ),
        (
            "Draw three pictures of a kite",
            [("studio_sketch_illustration", {"prompt": "a kite", "copies": 3})],
        ),
        (
            "Draw a picture of a frog and a picture of a newt",
            [
                ("studio_sketch_illustration", {"prompt": "a frog"}),
                ("studio_sketch_illustration", {"prompt": "a newt"}),
            ],
        ),
    ],
)
def test_what_is_to_be_made_and_how(request_, made):
    found = calls(request_, STUDIO)
    for _, arguments in found:
        if arguments.get("copies") == 1:
            del arguments["copies"]
    assert found == made


def test_one_that_was_begun_needs_no_description():
    [(name, arguments)] = calls("Fetch the movie with movie_id mov-7712", STUDIO) or [("", {})]
    assert name in {"", "studio_make_movie"}
    assert "description" not in arguments


def test_a_list_is_narrowed_down_only_when_it_is_asked_for():
    listing = tool("list_movies", "List movies.", [], query=OPTIONAL_TEXT, page="integer")
    assert calls("List the movies", [listing, CLIP]) == [("list_movies", {})]


def test_a_search_gets_its_query_though_it_is_optional():
    search = tool(
        "search_recipes", "Search recipes.", [], query=OPTIONAL_TEXT, page=OPTIONAL_NUMBER
    )
    [(_, arguments)] = calls("Search recipes for plum cake", [search])
    assert "plum cake" in arguments["query"]


def test_what_was_made_is_changed_by_the_name_of_its_file():
    made, _ = run_agent(
        "Draw a green door, then make it red.",
        {"studio_sketch_illustration": (DRAW, lambda **_: "Saved as drawing-77.png (12 bytes).")},
    )
    assert made[1][1]["source"] == "drawing-77.png"
    assert made[1][1]["prompt"] == "make it red"


def test_a_file_is_turned_into_something_else_by_the_tool_that_makes_that():
    [(name, arguments)] = calls("Turn the drawing owl-33.png into a movie of 5 seconds", STUDIO)
    assert name == "studio_make_movie"
    assert arguments["source"] == "owl-33.png"
    assert arguments["seconds"] == 5
    assert "movie_id" not in arguments


def test_a_poem_about_what_was_made_is_spoken():
    tools: dict[str, Any] = {
        "studio_sketch_illustration": (DRAW, lambda **_: "Saved as drawing-78.png."),
        "studio_voice_over": (VOICE, lambda **_: "Saved as voice-1.mp3."),
    }
    made, _ = run_agent("Draw a picture of a heron and read a poem about it aloud", tools)
    assert [name for name, _ in made] == ["studio_sketch_illustration", "studio_voice_over"]
    assert "heron" in made[1][1]["text"].lower()
    assert "\n" in made[1][1]["text"]
