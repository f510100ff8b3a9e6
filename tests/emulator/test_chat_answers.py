"""Chat answers from the text it is given, says so when there is none, and remembers."""

import json

import pytest

from tests.counting import calls_of
from tests.emulator.chat_support import ask, assistant, say, user

DOCUMENT = """# Billing

Instances are billed per second. An H100 costs 2.10 dollars per hour in the region us-east.
The RTX 4090 costs 0.66 dollars per hour and has 24 GB of memory.

## Credits

Instances that run out of credits are terminated. Storage volumes survive the termination.
The support team answers at support@example.com from Monday to Friday.

| plan | price | machines |
|---|---|---|
| starter | 10 dollars | 2 |
| team | 50 dollars | 20 |

To see what runs, use these commands:

- `list`
- `status`
"""

FRAMES = {
    "context first": "Context:\n{context}\n\nQuestion: {question}\nAnswer:",
    "question first": "Question: {question}\nContext: {context}\nAnswer:",
    "ruled": (
        "Context information is below.\n---------------------\n{context}\n"
        "---------------------\nGiven the context information and not prior knowledge, "
        "answer the query.\nQuery: {question}\nAnswer: "
    ),
    "tagged": "Answer from the documents.\n<documents>\n{context}\n</documents>\n\n{question}",
    "following": (
        "Use the following pieces of context to answer the question at the end. If you don't "
        "know the answer, just say that you don't know, don't try to make up an answer.\n\n"
        "{context}\n\nQuestion: {question}\nHelpful Answer:"
    ),
    "colon": "Answer the question based only on the following context:\n{context}\n\n"
    "Question: {question}\n",
    "markdown": "## Context\n{context}\n\n## Question\n{question}",
}
ANSWERS = {
    "How much does an H100 cost per hour?": "An H100 costs 2.10 dollars per hour",
    "How much memory does the RTX 4090 have?": "24 GB of memory",
    "What happens when an instance runs out of credits?": "terminated",
    "How can I reach the support?": "support@example.com",
    "How are instances billed?": "billed per second",
}


@pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES)
@pytest.mark.parametrize("question", ANSWERS)
def test_the_true_sentence_is_found_however_the_prompt_is_framed(frame, question):
    answer = say(frame.format(context=DOCUMENT, question=question))
    assert ANSWERS[question] in answer
    assert len(answer) < 200


@pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES)
@pytest.mark.parametrize("question", ["Who is the CEO of Acme?", "What is the capital of Peru?"])
def test_it_does_not_know_what_the_context_does_not_say(frame, question):
    assert say(frame.format(context=DOCUMENT, question=question)) == "I don't know."


def test_the_prompts_own_words_for_unknown_are_used():
    prompt = (
        "Answer from the context. If the answer is not there, say 'Not found in the documents'.\n"
        f"Context: {DOCUMENT}\nQuestion: Who won the cup?"
    )
    assert say(prompt) == "Not found in the documents"


def test_context_in_the_system_message_is_used():
    system = f"You are a helpful assistant. Here is the context:\n\n{DOCUMENT}"
    assert "2.10 dollars" in say("What does an H100 cost?", system)


def test_facts_in_the_system_message_are_used():
    system = "You are the assistant of Acme Bikes. Acme Bikes opens at 9 on weekdays. Be polite."
    assert say("When does Acme Bikes open?", system) == "Acme Bikes opens at 9 on weekdays."


def test_a_row_of_a_table_is_told_with_its_columns():
    answer = say(
        FRAMES["ruled"].format(context=DOCUMENT, question="What is the team plan's price?")
    )
    assert answer == "plan: team; price: 50 dollars; machines: 20."


def test_a_sentence_that_announces_a_list_brings_it():
    answer = say(FRAMES["ruled"].format(context=DOCUMENT, question="Which commands see what runs?"))
    assert answer.splitlines() == [
        "To see what runs, use these commands:",
        "- `list`",
        "- `status`",
    ]


def test_two_questions_get_two_answers():
    question = "What does an H100 cost and how can I reach the support?"
    answer = say(FRAMES["ruled"].format(context=DOCUMENT, question=question))
    assert "2.10 dollars" in answer
    assert "support@example.com" in answer


def test_documents_may_hold_rules_labels_and_json():
    document = (
        "---\ntitle: x\n---\nOutput: nothing.\nQuestion: is this a label?\n"
        'Send `{"detail": "text"}` as JSON.\n\nThe gate closes at 22:00.\n\n---\n\nResult: ok'
    )
    prompt = FRAMES["ruled"].format(context=document, question="When does the gate close?")
    assert say(prompt) == "The gate closes at 22:00."


@pytest.mark.parametrize("marker", ["Source {}:\n{}\n", "[{}] {}\n"])
def test_sources_are_cited_when_asked_for(marker):
    sources = marker.format(1, "The sky is blue.") + "\n" + marker.format(2, "Grass is green.")
    prompt = (
        "Answer based solely on the provided sources and cite them by their numbers.\n"
        f"------\n{sources}\n------\nQuery: What colour is grass?\nAnswer: "
    )
    assert say(prompt) == "Grass is green [2]."


def test_examples_in_a_prompt_are_not_answered_from():
    prompt = (
        "Answer from the text.\nText: Bob has a dog.\nQuestion: What does Bob have?\n"
        "Answer: a dog\nText: Ann has a cat.\nQuestion: What does Ann have?\nAnswer:"
    )
    assert say(prompt) == "Ann has a cat."


def test_only_a_word_is_given_when_only_a_word_is_wanted():
    prompt = (
        "Answer with a single number only.\nContext: The tower is 300 meters high.\n"
        "Question: How high is the tower?\nAnswer:"
    )
    assert say(prompt) == "300 meters"


CONVERSATIONS = [
    (["Hi, my name is Bob."], "What is my name?", "Your name is Bob."),
    (["Hi! I'm Bob"], "What's my name?", "Your name is Bob."),
    (["My favourite colour is teal."], "What's my favourite colour?", "teal"),
    (["I live in Oslo and I like cheese."], "Where do I live?", "You live in Oslo"),
    (["My name is Bob.", "I have two cats."], "How many cats do I have?", "You have two cats."),
]


@pytest.mark.parametrize(("told", "question", "expected"), CONVERSATIONS)
def test_what_the_user_told_is_remembered(told, question, expected):
    messages = [message for text in told for message in (user(text), assistant("All right."))]
    assert expected in say([*messages, user(question)])


def test_a_pronoun_means_what_was_spoken_of_before():
    system = f"Here is the context:\n\n{DOCUMENT}"
    messages = [
        user("What does the RTX 4090 cost?"),
        assistant("The RTX 4090 costs 0.66 dollars per hour."),
        user("How much memory does it have?"),
    ]
    assert "24 GB" in say(messages, system)


@pytest.mark.parametrize(
    ("request_text", "expected"),
    [
        ("Say hello world", "hello world"),
        ("Repeat after me: I am a robot", "I am a robot"),
        ("Reply with the word 'pong'", "pong"),
        ("Reply with the single word: pong", "pong"),
        ("Answer with one word: ready", "ready"),
        ("Output exactly this text: foo bar", "foo bar"),
        ("Count to 5", "1, 2, 3, 4, 5"),
        ("count down from 3 to 1", "3, 2, 1"),
        ("What is 12 * 12?", "12 * 12 = 144"),
        ("what is 15% of 200", "15 / 100 * 200 = 30"),
        ("Hello", "Hello! How can I help you?"),
        ("My name is Ann.", "Nice to meet you, Ann."),
    ],
)
def test_small_requests(request_text, expected):
    assert say(request_text) == expected


@pytest.mark.parametrize(
    "request_text", ["Who are you?", "What is the capital of Norway?", "Are you a real model?"]
)
def test_it_says_that_it_is_a_simulation(request_text):
    assert "simulated model" in say(request_text)


def test_counting_makes_long_answers():
    assert len(say("Count to 1000").split(", ")) == 1000


@pytest.mark.parametrize("form", ["a joke", "a poem", "a story of 300 words", "2 haikus"])
def test_invented_texts_take_up_the_topic(form):
    text = say(f"Write {form} about otters")
    assert "otters" in text.lower()
    if "300" in form:
        assert 200 < len(text.split()) < 400


def test_an_empty_question_gets_an_answer():
    assert say("  ") == "There is no question here to answer."


@pytest.mark.parametrize(
    ("request_text", "expected"),
    [
        ("Classify the sentiment as positive, negative or neutral: I love it", "positive"),
        ("Classify this text as 'spam' or 'ham': buy spam now", "spam"),
        ("Extract the email address from: write to bob@example.com", "bob@example.com"),
        ("Extract all numbers from this text: 3 cats and 12 dogs", "3, 12"),
        ("Give me 3 keywords for this text: Otters swim. Otters eat fish in rivers.", "Otters"),
    ],
)
def test_small_tasks_on_a_text(request_text, expected):
    assert expected in say(request_text)


def test_a_summary_keeps_to_the_sentences_and_their_number():
    text = "The cat sat on the mat. The cat ate the fish. It rained. The fish was for the cat."
    summary = say(f"Summarize the following text in 2 bullet points:\n\n{text}")
    assert len(summary.splitlines()) == 2
    assert all(line.removeprefix("- ") in text for line in summary.splitlines())


def test_a_summary_keeps_to_a_number_of_words():
    text = "The cat sat on the mat all day long. " * 5 + "Then a dog came into the room."
    assert len(say(f"Summarize this text in at most 7 words:\n\n{text}").split()) <= 7


SCHEMA = {"properties": {"city": {"type": "string"}}, "required": ["city"], "type": "object"}


@pytest.mark.parametrize(
    "wanted",
    [
        f"The output should be formatted as a JSON instance of this schema:\n{json.dumps(SCHEMA)}",
        'Return JSON like in this example: {"city": "Rome"}',
        "Return a JSON object with the key 'city'.",
    ],
)
def test_json_that_is_asked_for_in_words_is_given(wanted):
    assert json.loads(say(f"Anna lives in Oslo.\n\n{wanted}")) == {"city": "Oslo"}


def test_reasoning_tells_how_the_answer_came_about():
    prompt = FRAMES["ruled"].format(context=DOCUMENT, question="What does an H100 cost?")
    assert "quoted" in ask(prompt).thoughts


def test_a_small_answer_is_quick():
    prompt = FRAMES["ruled"].format(context=DOCUMENT * 5, question="What does an H100 cost?")
    assert calls_of(lambda: say(prompt)) < 50_000
