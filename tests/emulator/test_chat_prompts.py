"""Prompts of frameworks, read from the installed packages, get answers that their parsers take."""

import json
import re
from typing import ClassVar

import pytest
from llama_index.core import prompts
from llama_index.core.agent.react.formatter import ReActChatFormatter
from llama_index.core.agent.react.output_parser import ReActOutputParser
from llama_index.core.agent.react.types import ActionReasoningStep, ObservationReasoningStep
from llama_index.core.chat_engine import condense_plus_context, condense_question, context
from llama_index.core.evaluation import (
    answer_relevancy,
    context_relevancy,
    correctness,
    faithfulness,
    guideline,
    pairwise,
    relevancy,
)
from llama_index.core.evaluation.eval_utils import default_parser
from llama_index.core.extractors import metadata_extractors
from llama_index.core.indices.utils import default_parse_choice_select_answer_fn
from llama_index.core.llms import ChatMessage
from llama_index.core.output_parsers.pydantic import PydanticOutputParser
from llama_index.core.output_parsers.selection import SelectionOutputParser
from llama_index.core.prompts import chat_prompts, default_prompts
from llama_index.core.query_engine import citation_query_engine
from llama_index.core.question_gen.output_parser import SubQuestionOutputParser
from llama_index.core.question_gen.prompts import DEFAULT_SUB_QUESTION_PROMPT_TMPL
from llama_index.core.selectors import prompts as selector_prompts
from llama_index.core.tools import FunctionTool

from tests.emulator.chat_support import assistant, say, user

DOCUMENT = """Instances are billed per second. An H100 costs 2.10 dollars per hour.
The RTX 4090 costs 0.66 dollars per hour and has 24 GB of memory.

Instances that run out of credits are terminated.
The support team answers at support@example.com from Monday to Friday."""


def filled(template: str, **values: object) -> str:
    """A template with its fields set."""
    values = {"context_str": DOCUMENT, "context_msg": DOCUMENT, "text": DOCUMENT, **values}
    named = re.sub(r"\{(\w+)\}", lambda found: str(values.get(found[1], found[0])), template)
    return named.replace("{{", "{").replace("}}", "}")


ANSWERING = {
    "text_qa": default_prompts.DEFAULT_TEXT_QA_PROMPT_TMPL,
    "tree_summarize": default_prompts.DEFAULT_TREE_SUMMARIZE_TMPL,
    "refine": default_prompts.DEFAULT_REFINE_PROMPT_TMPL,
    "chat_refine": chat_prompts.CHAT_REFINE_PROMPT_TMPL_MSGS[0].content,
    "table": default_prompts.DEFAULT_TABLE_CONTEXT_TMPL,
}


@pytest.mark.parametrize("template", ANSWERING.values(), ids=ANSWERING)
def test_questions_are_answered_from_the_context(template):
    asked = {"query_str": "What does an H100 cost per hour?", "existing_answer": "I do not know."}
    assert "An H100 costs 2.10 dollars per hour." in say(filled(template, schema="", **asked))


@pytest.mark.parametrize("name", ["refine", "chat_refine"])
def test_a_good_answer_is_kept_when_the_context_adds_nothing(name):
    prompt = filled(
        ANSWERING[name],
        query_str="Who founded Acme?",
        existing_answer="Jane Doe founded Acme in 1999.",
    )
    assert say(prompt) == "Jane Doe founded Acme in 1999."


@pytest.mark.parametrize(
    "template",
    [
        condense_plus_context.DEFAULT_CONTEXT_PROMPT_TEMPLATE,
        context.DEFAULT_CONTEXT_TEMPLATE,
    ],
)
def test_chat_engines_put_the_context_into_the_system_message(template):
    assert "24 GB" in say("How much memory does the RTX 4090 have?", filled(template))


def test_the_condensing_chat_engine_says_what_its_prompt_says_for_unknown():
    template = condense_plus_context.DEFAULT_CONTEXT_PROMPT_TEMPLATE
    assert say("Who is the CEO?", filled(template)) == "Don't know"


def test_citations_are_those_of_the_sources():
    sources = "Source 1:\nAn H100 costs 2 dollars.\n\nSource 2:\nSupport answers on Mondays."
    prompt = filled(
        citation_query_engine.CITATION_QA_TEMPLATE.template,
        context_str=sources,
        query_str="When does the support answer?",
    )
    assert say(prompt) == "Support answers on Mondays [2]."


@pytest.mark.parametrize(
    "template",
    [condense_question.DEFAULT_TEMPLATE, condense_plus_context.DEFAULT_CONDENSE_PROMPT_TEMPLATE],
)
@pytest.mark.parametrize(
    ("history", "question", "standalone"),
    [
        (
            "user: What does the H100 cost?\nassistant: 2 dollars.",
            "And how much memory does it have?",
            "How much memory does H100 have?",
        ),
        (
            "user: What is the weather in Paris?\nassistant: Sunny.",
            "What about Rome?",
            "What is the weather in Rome?",
        ),
        (
            "user: Tell me about Acme\nassistant: Acme makes anvils.",
            "Who founded it?",
            "Who founded Acme?",
        ),
        ("user: hi\nassistant: hello", "What is an anvil?", "What is an anvil?"),
    ],
)
def test_follow_ups_stand_alone(template, history, question, standalone):
    assert say(filled(template, chat_history=history, question=question)) == standalone


class TestExtraction:
    def test_keywords_have_their_label(self):
        template = default_prompts.DEFAULT_KEYWORD_EXTRACT_TEMPLATE_TMPL
        answer = say(filled(template, max_keywords=4))
        assert answer.startswith("KEYWORDS: ")
        assert len(answer.split(", ")) == 4

    def test_keywords_of_a_question(self):
        template = default_prompts.DEFAULT_QUERY_KEYWORD_EXTRACT_TEMPLATE_TMPL
        answer = say(filled(template, max_keywords=5, question="What does an H100 cost?"))
        assert answer == "KEYWORDS: H100, cost"

    def test_keywords_for_metadata_are_separated_by_commas(self):
        template = metadata_extractors.DEFAULT_KEYWORD_EXTRACT_TEMPLATE
        assert len(say(filled(template, keywords=3)).split(", ")) == 3

    def test_questions_that_the_text_answers(self):
        template = metadata_extractors.DEFAULT_QUESTION_GEN_TMPL
        lines = say(filled(template, num_questions=2)).splitlines()
        assert [line[:3] for line in lines] == ["1. ", "2. "]
        assert all(line.endswith("?") for line in lines)

    def test_the_title_of_a_document_is_its_heading(self):
        template = metadata_extractors.DEFAULT_TITLE_NODE_TEMPLATE
        assert say(filled(template, context_str=f"# Prices\n\n{DOCUMENT}")) == "Prices"
        template = metadata_extractors.DEFAULT_TITLE_COMBINE_TEMPLATE
        assert say(filled(template, context_str="Prices of machines")) == "Prices of machines"

    @pytest.mark.parametrize(
        "template",
        [
            metadata_extractors.DEFAULT_SUMMARY_EXTRACT_TEMPLATE,
            default_prompts.DEFAULT_SUMMARY_PROMPT_TMPL,
        ],
    )
    def test_summaries_are_made_of_the_texts_sentences(self, template):
        summary = say(filled(template))
        assert "Instances" in summary
        assert len(summary) < len(DOCUMENT)

    def test_triplets_have_the_form_of_the_example(self):
        template = default_prompts.DEFAULT_KG_TRIPLET_EXTRACT_TMPL
        text = (
            "Acme was founded in 1999 by Jane Doe. It makes anvils. Tim Cook is the CEO of Apple."
        )
        lines = say(filled(template, text=text, max_knowledge_triplets=9)).splitlines()
        assert lines == [
            "(Acme, was founded in, 1999)",
            "(Acme, was founded by, Jane Doe)",
            "(Acme, makes, anvils)",
            "(Tim Cook, is, CEO of Apple)",
        ]

    def test_triplets_are_json_where_the_example_is(self):
        template = default_prompts.DEFAULT_DYNAMIC_EXTRACT_TMPL
        (record,) = json.loads(
            say(filled(template, text="Acme makes anvils.", max_knowledge_triplets=3))
        )
        assert list(record) == ["head", "head_type", "relation", "tail", "tail_type"]
        assert (record["head"], record["relation"], record["tail"]) == ("Acme", "MAKES", "anvils")


class TestChoosing:
    CHOICES = "(1) Useful for questions about prices\n\n(2) Useful for questions about support"
    ASKED: ClassVar = {"query_str": "How can I contact support?", "num_choices": 2, "num_chunks": 2}

    @pytest.mark.parametrize(
        "template",
        [
            selector_prompts.DEFAULT_SINGLE_SELECT_PROMPT_TMPL,
            selector_prompts.DEFAULT_MULTI_SELECT_PROMPT_TMPL,
        ],
    )
    def test_a_choice_is_taken_by_the_selection_parser(self, template):
        parser = SelectionOutputParser()
        prompt = parser.format(
            filled(template, context_list=self.CHOICES, max_outputs=2, **self.ASKED)
        )
        (selection,) = parser.parse(say(prompt)).parsed_output
        assert selection.choice == 2

    def test_a_choice_is_given_in_the_words_of_the_prompt(self):
        template = default_prompts.DEFAULT_QUERY_PROMPT_TMPL
        answer = say(filled(template, context_list=self.CHOICES, **self.ASKED))
        assert answer.startswith("ANSWER: 2")

    @pytest.mark.parametrize("query", ["How can I contact support?", "Which prices are there?"])
    def test_documents_are_ranked_with_scores(self, query):
        documents = "Document 1:\nAll prices\n\nDocument 2:\nHow to contact the support"
        template = default_prompts.DEFAULT_CHOICE_SELECT_PROMPT_TMPL
        answer = say(filled(template, context_str=documents, query_str=query))
        numbers, scores = default_parse_choice_select_answer_fn(answer, 2)
        assert numbers == [2 if "support" in query else 1]
        assert 1 <= scores[0] <= 10

    def test_passages_are_put_in_order(self):
        last = default_prompts.RANKGPT_RERANK_PROMPT_TMPL.format(query="contact support", num=2)
        messages = [
            user("I will provide you with 2 passages, each indicated by number identifier []."),
            assistant("Okay, please provide the passages."),
            user("[1] all about prices"),
            assistant("Received passage [1]."),
            user("[2] how to contact the support"),
            assistant("Received passage [2]."),
            user(last),
        ]
        assert say(messages) == "[2] > [1]"

    def test_sub_questions_go_to_the_tools_that_fit(self):
        tools = {
            "prices": "Provides information about the prices of GPUs",
            "support": "Provides information on how to contact the support",
        }
        asked = "What do GPUs cost and how do I contact the support?"
        prompt = DEFAULT_SUB_QUESTION_PROMPT_TMPL.replace("{query_str}", asked)
        prompt = prompt.replace("{tools_str}", json.dumps(tools, indent=4))
        questions = SubQuestionOutputParser().parse(say(prompt)).parsed_output
        assert [one.tool_name for one in questions] == ["prices", "support"]


class TestJudging:
    @pytest.mark.parametrize(
        ("statement", "verdict"),
        [
            ("An H100 costs 2.10 dollars per hour.", "YES"),
            ("Instances without credits are terminated.", "YES"),
            ("An H100 costs 5 dollars per hour.", "NO"),
            ("Runcrate was founded in Norway.", "NO"),
            ("Instances are not billed per second.", "NO"),
        ],
    )
    def test_support_by_the_context(self, statement, verdict):
        template = faithfulness.DEFAULT_EVAL_TEMPLATE.template
        assert say(filled(template, query_str=statement)) == verdict

    @pytest.mark.parametrize(
        ("response", "verdict"),
        [("An H100 costs 2.10 dollars per hour.", "YES"), ("Bananas are yellow.", "NO")],
    )
    def test_an_answer_in_line_with_the_context(self, response, verdict):
        asked = f"Question: What does an H100 cost?\nResponse: {response}"
        assert say(filled(relevancy.DEFAULT_EVAL_TEMPLATE.template, query_str=asked)) == verdict
        refine = relevancy.DEFAULT_REFINE_TEMPLATE.template
        assert say(filled(refine, query_str=asked, existing_answer="NO")) == verdict
        assert say(filled(refine, query_str=asked, existing_answer="YES")) == "YES"

    @pytest.mark.parametrize(
        ("generated", "low", "high"),
        [("The H100 price is 2.10 dollars per hour", 4, 5), ("No idea", 1, 2)],
    )
    def test_a_score_stands_in_the_first_line(self, generated, low, high):
        asked = correctness.DEFAULT_USER_TEMPLATE.format(
            query="What does an H100 cost?",
            reference_answer="2.10 dollars per hour",
            generated_answer=generated,
        )
        score, reason = default_parser(say(asked, correctness.DEFAULT_SYSTEM_TEMPLATE))
        assert low <= score <= high
        assert reason

    def test_a_score_stands_behind_its_mark(self):
        template = answer_relevancy.DEFAULT_EVAL_TEMPLATE.template
        asked = {"query": "What does an H100 cost?", "response": "An H100 costs 2 dollars."}
        score, _ = answer_relevancy._default_parser_function(say(filled(template, **asked)))
        assert score == 2
        template = context_relevancy.DEFAULT_EVAL_TEMPLATE.template
        answer = say(filled(template, query_str="What does an H100 cost?"))
        score, _ = context_relevancy._default_parser_function(answer)
        assert score == 4

    def test_the_better_of_two_answers_is_named(self):
        asked = pairwise.DEFAULT_USER_TEMPLATE.format(
            query="What does an H100 cost?",
            reference="",
            answer_1="Bananas are yellow.",
            answer_2="An H100 costs 2 dollars.",
        )
        assert "[[B]]" in say(asked, pairwise.DEFAULT_SYSTEM_TEMPLATE)

    def test_guidelines_get_their_object(self):
        parser = PydanticOutputParser(output_cls=guideline.EvaluationData)
        template = guideline.DEFAULT_EVAL_TEMPLATE.template
        prompt = filled(
            template, query="What is an H100?", response="A GPU.", guidelines="Be brief."
        )
        made = parser.parse(say(parser.format(prompt)))
        assert isinstance(made.passing, bool)


def multiply(a: int, b: int) -> int:
    """Multiply two numbers."""
    return a * b


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def get_weather(city: str) -> str:
    """Get the weather of a city."""
    return f"Sunny in {city}"


class TestReAct:
    TOOLS = tuple(map(FunctionTool.from_defaults, (multiply, add, get_weather)))

    def run(self, question: str) -> tuple[list[tuple[str, dict]], str]:
        formatter, parser, steps = ReActChatFormatter(), ReActOutputParser(), []
        done = []
        for _ in range(8):
            chat = formatter.format(self.TOOLS, [ChatMessage(question, role="user")], steps)
            step = parser.parse(
                say([{"role": one.role.value, "content": one.content} for one in chat])
            )
            steps.append(step)
            if not isinstance(step, ActionReasoningStep):
                return done, step.response
            tool = next(one for one in self.TOOLS if one.metadata.name == step.action)
            done.append((step.action, step.action_input))
            steps.append(ObservationReasoningStep(observation=str(tool(**step.action_input))))
        raise AssertionError("The loop did not end.")

    def test_tools_are_used_in_turn(self):
        done, answer = self.run("What is (121 * 2) + 42?")
        assert [name for name, _ in done] == ["multiply", "add"]
        assert "284" in answer

    def test_the_observation_is_the_answer(self):
        done, answer = self.run("What's the weather in Paris?")
        assert done == [("get_weather", {"city": "Paris"})]
        assert answer == "Sunny in Paris"

    def test_no_tool_is_needed_for_a_greeting(self):
        assert self.run("Hello") == ([], "Hello! How can I help you?")

    PLAIN = """Answer the following questions as best you can. You have access to these tools:

search: Search the web for current information.
calculator(expression: str) - Useful for math.

Use the following format:

Question: the input question you must answer
Thought: you should always think about what to do
Action: the action to take, should be one of [search, calculator]
Action Input: the input to the action
Observation: the result of the action
... (this Thought/Action/Action Input/Observation can repeat N times)
Thought: I now know the final answer
Final Answer: the final answer to the original input question

Begin!

Question: {question}
Thought:{scratchpad}"""

    @pytest.mark.parametrize(
        ("question", "action", "given", "observation"),
        [
            ("What is 6*7?", "calculator", "6 * 7", "42"),
            ("Where is Oslo?", "search", "Where is Oslo?", "Oslo is in Norway."),
        ],
    )
    def test_one_prompt_may_hold_it_all(self, question, action, given, observation):
        first = say(self.PLAIN.format(question=question, scratchpad=""))
        assert f"Action: {action}\nAction Input: {given}" in first
        scratchpad = f"{first}\nObservation: {observation}\nThought:"
        last = say(self.PLAIN.format(question=question, scratchpad=scratchpad))
        assert observation in last.partition("Final Answer: ")[2]


def test_every_default_prompt_of_llama_index_gets_an_answer():
    values = {
        "query_str": "What does an H100 cost?",
        "existing_answer": "I do not know.",
        "max_keywords": 3,
        "max_knowledge_triplets": 3,
        "num_chunks": 2,
        "context_list": "(1) prices\n(2) support",
        "question": "What does an H100 cost?",
        "schema": "price: number",
    }
    templates = [
        getattr(default_prompts, name) for name in dir(default_prompts) if name.endswith("_TMPL")
    ]
    assert len(templates) > 15
    assert prompts.PromptTemplate
    for template in templates:
        assert say(filled(template, **values)).strip()
