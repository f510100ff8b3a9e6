"""Requests as people write them; each row stands for a rule, none for a prompt that is known."""

import json
from typing import Any

import pytest

from tests.emulator.chat_support import (
    assistant,
    called,
    calls,
    json_schema,
    result,
    say,
    tool,
    user,
)

WEATHER = tool("get_weather", "Get the current weather for a city.", city="string")
STOCK = tool("get_stock_price", "Get the price of a stock.", ticker="string")
SEARCH = tool("web_search", "Search the web.", query="string")
MAIL = tool("send_email", "Send an email.", to="string", subject="string", body="string")


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        ("Repeat after me: the quick brown fox", "the quick brown fox"),
        ("Convert to uppercase: hello world", "HELLO WORLD"),
        ("Write 'Hello World' in lowercase", "hello world"),
        ("Reverse the string 'hello'", "olleh"),
        ("Sort these numbers in ascending order: 5, 3, 10, 1", "1, 3, 5, 10"),
        ("Sort in descending order: 5, 3, 10, 1", "10, 5, 3, 1"),
        ("Sort alphabetically: pear, Apple, fig", "Apple, fig, pear"),
        ("How many letters are in the word 'strawberry'?", "10"),
        ("How many r's are in strawberry?", "3"),
        ("How many words are in the sentence 'to be or not to be'?", "6"),
        ("How many vowels are in 'banana'?", "3"),
        ("Which is larger, 9.11 or 9.9?", "9.9"),
        ("Which number is smaller: 3 or -2?", "-2"),
        ("Is 7 a prime number?", "Yes."),
        ("Is 10 divisible by 3?", "No."),
        ("Is 8 odd? Answer yes or no.", "no"),
        ("Is 91 a prime number? Answer yes or no.", "no"),
        ("Is 12 greater than 9.5? Reply YES or NO.", "YES"),
        ("True or false: 5 is less than 3.", "No."),
        ("Convert 5 km to miles", "5 km = 3.10686 miles"),
        ("How many minutes are in 3 hours?", "3 hours = 180 minutes"),
        ("What language is this: 'Bonjour tout le monde, je suis Marie'?", "French"),
        ("Extract the phone number: call me at +1 555-123-4567 tomorrow", "+1 555-123-4567"),
    ],
)
def test_work_on_letters_and_numbers_needs_no_knowledge(request_, answer):
    assert say(request_) == answer


def test_a_long_text_is_no_such_task():
    assert "olleh" not in say("Reverse the string 'hello'" + " and so on" * 300)


@pytest.mark.parametrize(
    ("context", "question", "answer"),
    [
        (
            "The Eiffel Tower was built in 1889 by Gustave Eiffel. It is 330 metres tall.",
            "How tall is the Eiffel Tower?",
            "330 metres",
        ),
        (
            "Marie Curie was a physicist. She won two Nobel prizes. Paris is a city.",
            "How many Nobel prizes did Marie Curie win?",
            "two Nobel prizes",
        ),
    ],
)
def test_what_it_means_is_taken_from_the_sentence_before(context, question, answer):
    assert answer in say(f"Context:\n{context}\n\nQuestion: {question}\nAnswer:")


def test_only_the_number_is_only_the_number():
    system = "Context: The tower is 330 m tall. Answer with only the number."
    assert say("What is the height of the tower?", system).startswith("330")


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        (
            (
                "Kontext: Der Turm wurde 1889 erbaut und ist 330 Meter hoch.\n\n"
                "Frage: Wie hoch ist der Turm?"
            ),
            "Der Turm wurde 1889 erbaut und ist 330 Meter hoch.",
        ),
        (
            (
                "Contexte : La tour date de 1889. Elle mesure 330 mètres.\n\n"
                "Question : De quelle année date la tour ?"
            ),
            "La tour date de 1889.",
        ),
        (
            "Contexto: La torre fue construida en 1889.\n\nPregunta: ¿Cuándo fue construida?",
            "La torre fue construida en 1889.",
        ),
        ("上下文：铁塔建于1889年，高330米。\n\n问题：铁塔有多高？", "铁塔建于1889年，高330米。"),  # noqa: RUF001 - Chinese
        ("Hallo, wie geht es dir?", "Hallo! Wie kann ich helfen?"),
        ("Bonjour !", "Bonjour ! Comment puis-je vous aider ?"),
        ("¡Hola!", "¡Hola! ¿En qué puedo ayudar?"),
    ],
)
def test_other_languages(request_, answer):
    assert say(request_) == answer


def test_what_was_told_in_another_language_is_not_half_translated():
    talk = [user("Me llamo Carlos."), assistant("Hola"), user("¿Cómo me llamo?")]
    assert say(talk) == "Me llamo Carlos."


@pytest.mark.parametrize(
    ("request_", "city"),
    [
        ("Wie ist das Wetter in Berlin?", "Berlin"),
        ("Quel temps fait-il à Lyon ?", "Lyon"),
        ("¿Qué tiempo hace en Madrid?", "Madrid"),
        ("北京的天气怎么样\uff1f", "北京"),
        ("Is it raining in Tokyo?", "Tokyo"),
    ],
)
def test_tools_in_other_languages_and_words(request_, city):
    assert calls(request_, [SEARCH, WEATHER]) == [("get_weather", {"city": city})]


def test_a_spelling_is_no_other_word():
    talk = [user("My favourite color is green."), user("What is my favorite colour?")]
    assert "green" in say(talk)


@pytest.mark.parametrize(
    ("request_", "system", "answer"),
    [
        ("Translate 'good morning' to French", "", "good morning"),
        ("Translate to German: The house is small.", "", "The house is small."),
        ("I love programming.", "You translate English to Italian.", "I love programming."),
    ],
)
def test_a_translation_is_not_pretended(request_, system, answer):
    said = say(request_, system)
    assert said.endswith(answer)
    assert "not translated by this simulation" in said


@pytest.mark.parametrize(
    ("request_", "system", "answer"),
    [
        (
            "I absolutely love this phone!",
            "You are a sentiment classifier. Respond with POSITIVE or NEGATIVE only.",
            "POSITIVE",
        ),
        (
            "My card was charged twice, what a terrible problem!",
            "You detect the mood of tickets. Answer with one of: 'angry', 'calm'.",
            "angry",
        ),
        (
            (
                "You are grading. Question: What is 2+2? Student answer: 4. Correct answer: 4. "
                "Reply CORRECT or INCORRECT."
            ),
            "",
            "CORRECT",
        ),
        (
            (
                "Grade it. Question: Who? Student answer: Bob. Correct answer: Ann. "
                "Reply CORRECT or INCORRECT."
            ),
            "",
            "INCORRECT",
        ),
        (
            (
                "Does the following answer address the question? Reply YES or NO.\n"
                "Question: What is the capital of France?\nAnswer: Paris is the capital of France."
            ),
            "",
            "YES",
        ),
        (
            (
                "Rate the relevance of the document to the query from 1 to 10. "
                "Document: Cats are mammals. Query: Are cats mammals? Output only the number."
            ),
            "",
            "10",
        ),
        (
            "Summarize in one sentence: Foo is a framework. It has parts. It was made by Ann.",
            "",
            "Foo is a framework.",
        ),
    ],
)
def test_instructions_around_the_text(request_, system, answer):
    assert say(request_, system) == answer


@pytest.mark.parametrize(
    ("request_", "system", "answer"),
    [
        (
            "Alice is 30 years old and works at Google.",
            "Answer in JSON with keys name, age, company.",
            {"name": "Alice", "age": 30, "company": "Google"},
        ),
        ("Say 'yes'.", "Always answer in JSON.", {"answer": "yes"}),
    ],
)
def test_json_that_is_asked_for_in_words(request_, system, answer):
    assert json.loads(say(request_, system)) == answer


def structured(text: str, **properties: Any) -> dict[str, Any]:
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    made: dict[str, Any] = json.loads(say(text, response_format=json_schema("made", schema)))
    return made


TEXT = {"type": "string"}
TEXTS = {"type": "array", "items": TEXT}
NUMBER = {"type": "number"}


def test_enumerations_fill_lists():
    text = "Extract: John Smith, 42, knows Python, Go and Rust."
    assert structured(text, name=TEXT, skills=TEXTS)["skills"] == ["Python", "Go", "Rust"]
    text = "I need to buy milk, call mom and finish the report."
    assert structured(text, tasks=TEXTS)["tasks"] == ["buy milk", "call mom", "finish the report"]


def test_a_number_in_a_date_or_an_id_is_no_amount():
    text = "Invoice INV-2031, due 2026-03-01. Total: $33.50"
    assert structured(text, invoice_number=TEXT, total=NUMBER) == {
        "invoice_number": "INV-2031",
        "total": 33.5,
    }


def test_titles_and_languages():
    text = "Inception (2010), directed by Christopher Nolan."
    assert structured(text, title=TEXT, director=TEXT) == {
        "title": "Inception",
        "director": "Christopher Nolan",
    }
    assert structured("Estoy muy contento con todo.", language=TEXT) == {"language": "Spanish"}
    assert structured("Это хорошо.", language=TEXT) == {"language": "Russian"}


@pytest.mark.parametrize(
    ("request_", "offer", "arguments"),
    [
        (
            "Email bob@example.com that the meeting is moved to 3pm tomorrow.",
            MAIL,
            {"to": "bob@example.com"},
        ),
        (
            "Change the email of user u_123 to new@mail.com",
            tool("update_user", "Update a user's email", user_id="string", email="string"),
            {"user_id": "u_123", "email": "new@mail.com"},
        ),
        (
            "Run SELECT count(*) FROM users",
            tool("run_sql", "Run a SQL query", query="string"),
            {"query": "SELECT count(*) FROM users"},
        ),
        (
            "Turn off the light in the kitchen",
            tool("set_light", "Turn a light on or off", room="string", on="boolean"),
            {"room": "kitchen", "on": False},
        ),
        (
            "Find hotels in Rome under 150 euros a night for 2 people",
            tool(
                "search_hotels",
                "Search hotels",
                ["city"],
                city="string",
                max_price="number",
                guests="integer",
            ),
            {"city": "Rome", "max_price": 150, "guests": 2},
        ),
        (
            "Order two large pizzas to 12 Main Street",
            tool("order_pizza", "Order pizzas", quantity="integer", address="string"),
            {"quantity": 2, "address": "12 Main Street"},
        ),
    ],
)
def test_arguments(request_, offer, arguments):
    ((_, given),) = calls(request_, [offer, WEATHER])
    assert {name: given[name] for name in arguments} == arguments


def test_two_questions_call_two_tools():
    request = "What's the price of NVDA and is it raining in Tokyo?"
    assert calls(request, [STOCK, WEATHER]) == [
        ("get_stock_price", {"ticker": "NVDA"}),
        ("get_weather", {"city": "Tokyo"}),
    ]


def test_a_follow_up_calls_the_tool_again():
    talk = [
        user("What's the weather in Paris and London?"),
        called("a", "get_weather", city="Paris"),
        result("a", "Sunny, 22C"),
        called("b", "get_weather", city="London"),
        result("b", "Rain, 15C"),
        assistant("Paris: Sunny, 22C. London: Rain, 15C."),
        user("And in Rome?"),
    ]
    assert calls(talk, [WEATHER]) == [("get_weather", {"city": "Rome"})]
    told = [*talk, called("c", "get_weather", city="Rome"), result("c", "Fog, 9C")]
    assert say(told, tools=[WEATHER]) == "Fog, 9C"


HISTORY = (
    "Paul Graham grew up writing stories. Before college he worked on an IBM 1401. It used punch "
    "cards. In 1995 he founded Viaweb with Robert Morris. They sold it to Yahoo in 1998."
)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("What did the author do growing up?", "writing stories"),
        ("What did Paul Graham found?", "Viaweb"),
        ("Who bought Viaweb?", "Yahoo"),
        ("What did the IBM 1401 use?", "punch cards"),
        ("Who is the president of Mars?", "I don't know."),
        ("Summarize the documents", "Paul Graham"),
    ],
)
def test_a_story_with_pronouns_answers(question, answer):
    prompt = f"Context information:\n---\n{HISTORY}\n---\nQuery: {question}\nAnswer: "
    assert answer in say(prompt)


def test_things_to_list_are_stand_ins_of_the_right_number_and_form():
    said = say("List five ice cream flavors.\nYour response should be comma separated values.")
    assert said.split(", ") == [f"simulated ice cream flavor {n}" for n in range(1, 6)]
    assert len(say("Name three cities in Spain").splitlines()) == 3


def test_a_name_is_remembered_however_it_was_written():
    talk = [user("hi! I'm bob"), assistant("Understood. You are bob."), user("what's my name?")]
    assert say(talk) == "Your name is bob."
    assert say("hi! I'm bob") == "Understood. You are bob."
    assert "name is" not in say([user("hi! I'm fine"), assistant("Ok."), user("what's my name?")])


def test_a_sum_beside_another_question_is_a_step_of_its_own():
    multiply = tool("multiply", "Multiply two numbers.", a="integer", b="integer")
    assert calls("weather in Tokyo, and 7*8?", [WEATHER, multiply]) == [
        ("get_weather", {"city": "Tokyo"}),
        ("multiply", {"a": 7, "b": 8}),
    ]


def test_a_sum_goes_on_from_the_last_reply():
    talk = [user("What is 2+2?"), assistant("4"), user("Multiply that by 3")]
    assert say(talk) == "4 * 3 = 12"


@pytest.mark.parametrize(
    ("request_", "category"),
    [
        (
            (
                "Decide whether the user is asking about billing, technical support, or sales."
                "\n\nUser: My invoice is wrong."
            ),
            "billing",
        ),
        (
            (
                "Classify this ticket into one of: billing, bug, feature request.\n"
                "Ticket: The app crashes when I click save."
            ),
            "bug",
        ),
    ],
)
def test_a_class_is_found_by_words_that_mean_the_same(request_, category):
    assert say(request_) == category


def test_a_text_behind_its_question():
    request = "Based on this text, who is the CEO? Text: Acme is old. Jane Doe is its CEO."
    assert say(request) == "Jane Doe is its CEO."


def test_the_same_for_another_topic():
    talk = [user("Write a short poem about cats"), assistant("…"), user("now the same for dogs")]
    assert say(talk) == say("Write a short poem about dogs")


@pytest.mark.parametrize("added", ["And my dog is called Rex.", "And send it to Bob?"])
def test_a_new_statement_is_no_topic_of_the_one_before(added):
    talk = [user("My cat is called Tom."), assistant("Nice."), user(added)]
    assert "Tom" not in say(talk)
    mail = tool("send_email", "Send an email.", to="string")
    sent = calls(
        [user("Find a gift for Ann."), assistant("A book."), user("And send it to Bob.")], [mail]
    )
    assert sent == [("send_email", {"to": "Bob"})]


def test_an_address_is_for_the_tool_that_takes_one():
    fetch = tool("fetch_url", "Fetch a web page", url="string")
    assert calls("Summarize https://example.com/a.html", [fetch, WEATHER]) == [
        ("fetch_url", {"url": "https://example.com/a.html"})
    ]


def test_one_passage_is_not_quoted_twice():
    context = "The Eiffel Tower is in Paris. It is 330 metres tall and a tower of iron."
    said = say(f"Context:\n{context}\n\nQuestion: How tall is the Eiffel Tower?")
    assert said.count("is in Paris") == 1


def test_two_places_of_one_call_are_no_two_calls():
    offer = tool("get_distance", "Get the distance of two cities", origin=TEXT, destination=TEXT)
    assert calls("What's the distance between Berlin and Munich?", [offer]) == [
        ("get_distance", {"origin": "Berlin", "destination": "Munich"})
    ]


def test_names_options_and_addresses_are_told_apart():
    offer = tool(
        "create_user",
        "Create a user",
        name=TEXT,
        email=TEXT,
        role={"type": "string", "enum": ["user", "admin"]},
    )
    assert calls("Create a user Bob with email bob@x.io and role admin", [offer]) == [
        ("create_user", {"name": "Bob", "email": "bob@x.io", "role": "admin"})
    ]


def test_optional_lengths_and_shapes_are_taken_from_the_request():
    offer = tool(
        "generate_video",
        "Generate a video",
        ["prompt"],
        prompt=TEXT,
        duration={"type": "integer"},
        aspect_ratio=TEXT,
    )
    ((_, given),) = calls("Make a 6 second video of waves, in 16:9", [offer])
    assert (given["duration"], given["aspect_ratio"]) == (6, "16:9")
