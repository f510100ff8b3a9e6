"""Structured answers: filled from the prompt, and valid against their schema."""

import json
from typing import Literal

import jsonschema
import pytest
from langchain_core.output_parsers.format_instructions import JSON_FORMAT_INSTRUCTIONS
from pydantic import BaseModel, Field

from tests.emulator.chat_support import called, calls, json_schema, result, say, tool, user


class Person(BaseModel):
    name: str
    age: int | None = None
    city: str | None = None
    occupation: str | None = None
    email: str | None = None


class People(BaseModel):
    people: list[Person]


class Film(BaseModel):
    title: str
    year: int
    genre: Literal["action", "comedy", "drama"]
    rating: float = Field(ge=0, le=10)


class Mood(BaseModel):
    sentiment: Literal["positive", "negative", "neutral"]
    summary: str


class Event(BaseModel):
    date: str = Field(json_schema_extra={"format": "date"})
    participants: list[str]


class Song(BaseModel):
    title: str
    seconds: int


class Album(BaseModel):
    artist: str
    songs: list[Song]


class Price(BaseModel):
    product: str
    price_usd: float
    quantity: int


class Grade(BaseModel):
    """Relevance of a retrieved document."""

    binary_score: str = Field(description="Is the document relevant, 'yes' or 'no'")


class Answered(BaseModel):
    """An answer to a query from the context."""

    query_satisfied: bool = Field(description="True if the context holds the answer.")
    answer: str


class Selection(BaseModel):
    index: int
    reason: str


class Selections(BaseModel):
    selections: list[Selection]


class Joke(BaseModel):
    setup: str = Field(description="question to set up a joke")
    punchline: str = Field(description="answer to resolve the joke")


FILLED = [
    (
        Person,
        "John Smith, 42, lives in Berlin and works as a baker. Mail: john@x.org",
        {
            "name": "John Smith",
            "age": 42,
            "city": "Berlin",
            "occupation": "baker",
            "email": "john@x.org",
        },
    ),
    (
        People,
        "Anna is 30 years old and lives in Oslo. Bob (25) is a plumber from Rome.",
        {
            "people": [
                {"name": "Anna", "age": 30, "city": "Oslo"},
                {"name": "Bob", "age": 25, "city": "Rome", "occupation": "plumber"},
            ]
        },
    ),
    (
        Film,
        "Review: 'Inception' (2010) is a brilliant action film, 9 out of 10.",
        {"title": "Inception", "year": 2010, "genre": "action", "rating": 9},
    ),
    (
        Album,
        "The album by Blue Band has 'Sunrise' of 180 seconds and 'Moon' of 200 seconds.",
        {
            "artist": "Blue Band",
            "songs": [{"title": "Sunrise", "seconds": 180}, {"title": "Moon", "seconds": 200}],
        },
    ),
    (
        Event,
        "Alice and Bob go to the fair on March 3rd, 2027.",
        {"date": "2027-03-03", "participants": ["Alice", "Bob"]},
    ),
    (
        Price,
        "I bought 3 'red pens' for $4.50.",
        {"product": "red pens", "price_usd": 4.5, "quantity": 3},
    ),
]


def structured(model, messages, system="", **fields):
    schema = model.model_json_schema()
    text = say(messages, system, response_format=json_schema(model.__name__, schema), **fields)
    value = json.loads(text)
    jsonschema.Draft202012Validator(schema).validate(value)
    return value


@pytest.mark.parametrize(
    ("model", "text", "value"), FILLED, ids=lambda one: getattr(one, "__name__", "")
)
@pytest.mark.parametrize("system", ["", "Extract the information from the text."])
def test_a_schema_is_filled_from_the_text(model, text, value, system):
    assert structured(model, text, system) == value


@pytest.mark.parametrize(
    ("text", "sentiment"),
    [
        ("The food was terrible and the staff rude.", "negative"),
        ("What a wonderful day, I love it!", "positive"),
        ("The train leaves at nine.", "neutral"),
    ],
)
def test_a_mood_is_judged(text, sentiment):
    assert structured(Mood, f"Review: {text}", "Classify the review.")["sentiment"] == sentiment


GRADING = (
    "You are a grader assessing relevance of a retrieved document to a user question. \n"
    "Here is the retrieved document: \n\n {context} \n\nHere is the user question: {question} \n"
    "If the document is related to the user question, grade it as relevant."
)


@pytest.mark.parametrize(
    ("context", "grade"),
    [("An H100 costs 2 dollars per hour.", "yes"), ("Bananas are yellow.", "no")],
)
def test_a_document_is_graded(context, grade):
    prompt = GRADING.format(context=context, question="What does an H100 cost?")
    assert structured(Grade, prompt) == {"binary_score": grade}


@pytest.mark.parametrize(
    ("question", "satisfied"), [("What does an H100 cost?", True), ("Who is the CEO?", False)]
)
def test_whether_the_context_answers_is_told(question, satisfied):
    prompt = f"Context: An H100 costs 2 dollars per hour.\nQuestion: {question}\nAnswer:"
    value = structured(Answered, prompt)
    assert value["query_satisfied"] is satisfied
    assert ("2 dollars" in value["answer"]) is satisfied


CHOICES = (
    "Some choices are given below. It is provided in a numbered list (1 to 2).\n"
    "---------------------\n(1) prices of machines\n\n(2) how to contact the support\n"
    "---------------------\nUsing only the choices above, generate the selection object that is "
    "most relevant to the question: 'How can I contact the support?'\n"
)


def test_a_numbered_option_is_selected():
    assert structured(Selection, CHOICES)["index"] == 2
    assert [one["index"] for one in structured(Selections, CHOICES)["selections"]] == [2]


def test_what_nobody_told_is_made_up_and_says_so():
    value = structured(Joke, "Tell me a joke about cats.")
    assert "cats" in value["setup"]
    assert "simulated" in value["punchline"]


def test_tool_results_fill_a_schema():
    weather = tool("get_weather", "Get the weather.", city="string")
    schema = {
        "type": "object",
        "properties": {
            "city": {"type": "string"},
            "temperature": {"type": "number"},
            "sky": {"type": "string"},
        },
        "required": ["city", "temperature", "sky"],
        "additionalProperties": False,
    }
    messages = [
        user("weather in Paris?"),
        called("1", "get_weather", city="Paris"),
        result("1", {"temp_c": 21, "sky": "clear"}),
    ]
    text = say(messages, tools=[weather], response_format=json_schema("Weather", schema))
    assert json.loads(text) == {"city": "Paris", "temperature": 21, "sky": "clear"}


def test_json_mode_gives_the_keys_that_are_named():
    text = say(
        "Tell me a joke about cats as JSON with 'setup' and 'punchline' keys.",
        response_format={"type": "json_object"},
    )
    assert list(json.loads(text)) == ["setup", "punchline"]


@pytest.mark.parametrize(
    "prompt",
    [
        "Extract the name and age as JSON: Anna is 31 years old.",
        "Extract the person as JSON with keys name and age: Anna is 31 years old.",
        "Return a JSON object with keys name and age. Anna is 31 years old.",
        "Return JSON with 'name' and 'age' for: Anna is 31 years old.",
        "Anna is 31 years old and lives in Berlin. Respond in JSON with keys `name` and `age`.",
        "My name is Anna and I am 31 years old. Return the result as a JSON blob.",
    ],
)
def test_words_about_the_form_are_no_material(prompt):
    wanted = {"name": "Anna", "age": 31}
    schema = {
        "type": "object",
        "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
        "required": ["name", "age"],
    }
    offered = [{"type": "function", "function": {"name": "Person", "parameters": schema}}]
    forced = {"type": "function", "function": {"name": "Person"}}
    assert json.loads(say(prompt, response_format=json_schema("person", schema))) == wanted
    assert calls(prompt, offered, tool_choice=forced)[0] == ("Person", wanted)


def test_json_mode_without_keys_gives_an_answer():
    text = say("What is 2 + 2?", response_format={"type": "json_object"})
    assert json.loads(text) == {"answer": "2 + 2 = 4"}


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "array", "items": {"type": "string"}, "minItems": 2},
        {"type": "string", "enum": ["a", "b"]},
        {"anyOf": [{"type": "integer"}, {"type": "string"}]},
        {},
    ],
)
def test_a_schema_need_not_be_an_object(schema):
    value = json.loads(say("Hello", response_format=json_schema("x", schema)))
    jsonschema.Draft202012Validator(schema).validate(value)


FORMATS = {
    "llama_index": lambda schema: (
        f"\n\nHere's a JSON schema to follow:\n{schema}\n\n"
        "Output a valid JSON object but do not repeat the schema.\n"
    ),
    "doubled braces": lambda schema: (
        "\n\nHere's a JSON schema to follow:\n"
        + schema.replace("{", "{{").replace("}", "}}")
        + "\n\nOutput a valid JSON object but do not repeat the schema.\n"
    ),
    "langchain": lambda schema: "\n" + JSON_FORMAT_INSTRUCTIONS.format(schema=schema),
}


@pytest.mark.parametrize("written", FORMATS.values(), ids=FORMATS)
@pytest.mark.parametrize(("model", "text", "value"), FILLED[:4])
def test_a_schema_written_into_the_prompt_is_filled(written, model, text, value):
    prompt = text + written(json.dumps(model.model_json_schema()))
    assert json.loads(say(prompt)) == value


class Entity(BaseModel):
    type: str = Field(description="Only types that are valid: Literal['PERSON', 'THING']")
    name: str


class Relation(BaseModel):
    type: str = Field(description="Only types that are valid: Literal['BUILT', 'EATS']")


class Fact(BaseModel):
    subject: Entity
    relation: Relation
    object: Entity


class Facts(BaseModel):
    triplets: list[Fact]


def test_facts_are_drawn_from_a_text():
    value = structured(Facts, "Extract the facts from the text.\n\nText: Ada Colm built the mill.")
    assert value["triplets"] == [
        {
            "subject": {"type": "PERSON", "name": "Ada Colm"},
            "relation": {"type": "BUILT"},
            "object": {"type": "THING", "name": "mill"},
        }
    ]
