"""What a retrieval pipeline makes of its models: each kind of call that LlamaIndex makes.

A row names a part of LlamaIndex, calls it blocking or asynchronously, and says what must come out.
The documents are small and their facts unlikely, so that a right answer comes from them. Parts that
make the same calls of a model as one that is here are left out; agents, structured prediction and
programs of functions are in the conformance suite.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import pytest
from llama_index.core import (
    Document,
    DocumentSummaryIndex,
    KeywordTableIndex,
    PropertyGraphIndex,
    QueryBundle,
    SummaryIndex,
    VectorStoreIndex,
    evaluation,
    extractors,
    get_response_synthesizer,
)
from llama_index.core.indices.property_graph import (
    DynamicLLMPathExtractor,
    SchemaLLMPathExtractor,
    SimpleLLMPathExtractor,
)
from llama_index.core.indices.query.query_transform import HyDEQueryTransform
from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.llms import ChatMessage
from llama_index.core.memory import ChatSummaryMemoryBuffer, FactExtractionMemoryBlock
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.postprocessor import LLMRerank
from llama_index.core.postprocessor.rankGPT_rerank import RankGPTRerank
from llama_index.core.program.function_program import FunctionCallingProgram
from llama_index.core.program.llm_program import LLMTextCompletionProgram
from llama_index.core.query_engine import (
    CitationQueryEngine,
    RouterQueryEngine,
    SubQuestionQueryEngine,
    TransformQueryEngine,
)
from llama_index.core.question_gen import LLMQuestionGenerator
from llama_index.core.response_synthesizers import ResponseMode
from llama_index.core.retrievers import QueryFusionRetriever
from llama_index.core.schema import NodeWithScore, TextNode
from llama_index.core.selectors import LLMSingleSelector, PydanticSingleSelector
from llama_index.core.storage.docstore import SimpleDocumentStore
from llama_index.core.tools import QueryEngineTool
from pydantic import BaseModel, Field

from runcrate_emulator import Reply
from tests.llamaindex.calls import collected
from tests.llamaindex.ignored_warnings import IGNORED_WARNINGS
from tests.llamaindex.scripts import Script, as_object, by_prompt

pytestmark = IGNORED_WARNINGS

LIGHTHOUSE = (
    "The Meridian lighthouse was built in 1874 by Ada Colm. It stands 52 metres tall and its lamp "
    "burns whale oil."
)
PENGUINS = "Penguins of the Kellan islands eat krill and small squid."
GPU = "The Voltaic H100 machine has 80 GB of memory and costs 1.54 dollars an hour in Oslo."
TEXTS = {"lighthouse.md": LIGHTHOUSE, "penguins.md": PENGUINS, "gpu.md": GPU}
QUESTION = "Who built the Meridian lighthouse?"
ANSWER = "Ada Colm"
GOOD = "The Meridian lighthouse was built by Ada Colm."


class Lighthouse(BaseModel):
    """A lighthouse."""

    name: str = Field(description="Name of the lighthouse")
    built: int = Field(description="Year in which it was built")


@dataclass
class Parts:
    """What a row works with."""

    llm: Any
    embed_model: Any

    def documents(self) -> list[Document]:
        return [Document(text=text, id_=name) for name, text in TEXTS.items()]

    def nodes(self) -> list[TextNode]:
        return [TextNode(text=text, id_=name) for name, text in TEXTS.items()]

    @cached_property
    def index(self) -> VectorStoreIndex:
        return VectorStoreIndex(self.nodes(), embed_model=self.embed_model)

    def engine(self, **options: Any) -> Any:
        return self.index.as_query_engine(llm=self.llm, similarity_top_k=2, **options)


Replies = Mapping[str, Reply | Script]
Check = Callable[[Any], bool]
Make = Callable[[Parts], Any]


def has_answer(result: Any) -> bool:
    return ANSWER in str(result)


def has_text(result: Any) -> bool:
    return bool(str(result).strip())


def finds(nodes: Any) -> bool:
    return any(ANSWER in node.get_content() for node in nodes)


def is_lighthouse(result: Any) -> bool:
    value = getattr(result, "response", result)
    return isinstance(value, Lighthouse) and value.built == 1874 and "Meridian" in value.name


@dataclass(frozen=True)
class Row:
    """A kind of call.

    Attributes:
        name: Name in the test's report.
        run: Runs it; its second argument is `a` for the asynchronous method, whose result is
            awaited, and empty for the blocking one.
        holds: What is true of the result.
        replies: Scripted replies, by a text of the prompt; without one the default model replies.
        ways: The ways that LlamaIndex offers.
    """

    name: str
    run: Callable[[Parts, str], Any]
    holds: Check = has_answer
    replies: Replies = field(default_factory=dict)
    ways: tuple[str, ...] = ("blocking", "asynchronous", "in a running loop")


def method(make: Make, name: str, *arguments: Any, **named: Any) -> Callable[[Parts, str], Any]:
    """Call a method of what is made, or its asynchronous twin."""
    return lambda parts, a: getattr(make(parts), a + name)(*arguments, **named)


def query(name: str, make: Make, holds: Check = has_answer, replies: Replies | None = None) -> Row:
    return Row(name, method(make, "query", QUESTION), holds, replies or {})


# --- Indexing and extracting --------------------------------------------------------------------


def index_documents(parts: Parts, a: str) -> Any:
    async def build() -> Any:
        return VectorStoreIndex.from_documents(
            parts.documents(), embed_model=parts.embed_model, use_async=True
        )

    if a:
        return build()
    return VectorStoreIndex.from_documents(parts.documents(), embed_model=parts.embed_model)


def ingest(name: str, make: Make, holds: Check) -> Row:
    def run(parts: Parts, a: str) -> Any:
        splitter = SentenceSplitter(chunk_size=64, chunk_overlap=0)
        pipeline = IngestionPipeline(transformations=[splitter, make(parts)], disable_cache=True)
        return getattr(pipeline, f"{a}run")(documents=parts.documents())

    return Row(name, run, lambda nodes: len(nodes) == len(TEXTS) and all(map(holds, nodes)))


def extract(key: str, kind: Any, **options: Any) -> Row:
    def make(parts: Parts) -> Any:
        if kind is extractors.PydanticProgramExtractor:
            program = FunctionCallingProgram.from_defaults(
                Lighthouse, prompt_template_str="Describe as an object:\n{input}", llm=parts.llm
            )
            return kind(program=program, input_key="input", show_progress=False)
        if kind is extractors.DocumentContextExtractor:
            options["docstore"] = SimpleDocumentStore()
            options["docstore"].add_documents(parts.documents())
        return kind(llm=parts.llm, show_progress=False, **options)

    return ingest(f"extractor of {key}", make, lambda node: bool(node.metadata.get(key)))


INDEXING = [
    Row("vector index", index_documents, lambda index: len(index.docstore.docs) == len(TEXTS)),
    ingest("ingestion", lambda parts: parts.embed_model, lambda node: len(node.embedding) == 1024),
    extract("document_title", extractors.TitleExtractor),
    extract("section_summary", extractors.SummaryExtractor),
    extract("excerpt_keywords", extractors.KeywordExtractor),
    extract("questions_this_excerpt_can_answer", extractors.QuestionsAnsweredExtractor),
    extract("name", extractors.PydanticProgramExtractor),
    extract("context", extractors.DocumentContextExtractor, max_context_length=4000),
]


# --- Query engines ------------------------------------------------------------------------------


def query_in_mode(mode: ResponseMode) -> Row:
    holds = has_text if mode is ResponseMode.GENERATION else has_answer
    return query(f"query {mode.value}", lambda p: p.engine(response_mode=mode), holds)


def streamed_query(mode: ResponseMode) -> Row:
    def run(parts: Parts, a: str) -> Any:
        engine = parts.engine(response_mode=mode, streaming=True)
        return joined(getattr(engine, f"{a}query")(QUESTION), "response_gen")

    return Row(f"streamed query {mode.value}", run)


def joined(response: Any, generator: str) -> Any:
    """Return the text of a streamed response, or a coroutine of it."""
    if not inspect.isawaitable(response):
        return "".join(getattr(response, generator))

    async def join() -> str:
        tokens = getattr(await response, generator)
        return "".join(await collected(tokens() if callable(tokens) else tokens))

    return join()


def structured_engine(parts: Parts) -> Any:
    return Parts(parts.llm.as_structured_llm(Lighthouse), parts.embed_model).engine()


def filtering_engine(parts: Parts) -> Any:
    synthesizer = get_response_synthesizer(
        llm=parts.llm, response_mode=ResponseMode.REFINE, structured_answer_filtering=True
    )
    return parts.engine(response_synthesizer=synthesizer)


def keyword_table(parts: Parts) -> Any:
    return KeywordTableIndex(parts.nodes(), llm=parts.llm).as_query_engine(llm=parts.llm)


def document_summaries(parts: Parts) -> Any:
    index = DocumentSummaryIndex.from_documents(
        parts.documents(), llm=parts.llm, embed_model=parts.embed_model
    )
    return index.as_query_engine(llm=parts.llm)


def facts(parts: Parts) -> QueryEngineTool:
    about = "Answers questions about lighthouses, penguins and machines."
    return QueryEngineTool.from_defaults(parts.engine(), name="facts", description=about)


def router(selector: Any) -> Make:
    def make(parts: Parts) -> RouterQueryEngine:
        weather = SummaryIndex([TextNode(text="Rain.")]).as_query_engine(llm=parts.llm)
        forecast = QueryEngineTool.from_defaults(weather, name="w", description="Forecasts.")
        return RouterQueryEngine.from_defaults(
            [facts(parts), forecast], llm=parts.llm, selector=selector.from_defaults(llm=parts.llm)
        )

    return make


def sub_questions(parts: Parts) -> SubQuestionQueryEngine:
    generator = LLMQuestionGenerator.from_defaults(llm=parts.llm)
    return SubQuestionQueryEngine.from_defaults(
        [facts(parts)], llm=parts.llm, question_gen=generator, verbose=False, use_async=False
    )


def fusion(parts: Parts, a: str) -> Any:
    retriever = QueryFusionRetriever(
        [parts.index.as_retriever()], llm=parts.llm, num_queries=3, use_async=bool(a)
    )
    return getattr(retriever, f"{a}retrieve")(QUESTION)


def hyde(parts: Parts) -> TransformQueryEngine:
    return TransformQueryEngine(parts.engine(), HyDEQueryTransform(llm=parts.llm))


def rerank(name: str, kind: Any, replies: Replies) -> Row:
    def run(parts: Parts, a: str) -> Any:
        nodes = [NodeWithScore(node=node, score=0.5) for node in parts.nodes()]
        postprocess = getattr(kind(llm=parts.llm, top_n=1), f"{a}postprocess_nodes")
        return postprocess(nodes, query_bundle=QueryBundle(QUESTION))

    return Row(name, run, finds, replies)


SATISFIED = {QUESTION: as_object({"answer": GOOD, "query_satisfied": True})}
MERIDIAN = {QUESTION: as_object({"name": "Meridian", "built": 1874})}
CHOICE = Reply.json([{"choice": 1, "reason": "Lighthouses."}])
SUB_QUESTION = Reply.json({"items": [{"sub_question": QUESTION, "tool_name": "facts"}]})
STREAMED = [
    ResponseMode.COMPACT,
    ResponseMode.REFINE,
    ResponseMode.TREE_SUMMARIZE,
    ResponseMode.SIMPLE_SUMMARIZE,
]
QUERYING = [
    *map(query_in_mode, [*STREAMED, ResponseMode.ACCUMULATE, ResponseMode.GENERATION]),
    *map(streamed_query, STREAMED),
    query("output_cls", lambda p: p.engine(output_cls=Lighthouse), is_lighthouse, MERIDIAN),
    query("structured LLM", structured_engine, is_lighthouse, MERIDIAN),
    query("structured filtering", filtering_engine, replies=SATISFIED),
    query("keyword table", keyword_table),
    query("document summaries", document_summaries, replies={QUESTION: Reply.text(GOOD)}),
    query("citations", lambda p: CitationQueryEngine.from_args(p.index, llm=p.llm)),
    query("router with tools", router(PydanticSingleSelector)),
    query("router with words", router(LLMSingleSelector), replies={"Some choices are": CHOICE}),
    query("sub-questions", sub_questions, replies={"relevant sub-questions": SUB_QUESTION}),
    query("HyDE", hyde),
    Row("fusion retriever", fusion, finds),
    rerank("LLM rerank", LLMRerank, {"A list of documents": Reply.text("Doc: 1, Relevance: 9")}),
    rerank("RankGPT", RankGPTRerank, {}),
]


# --- Chat engines, programs, memory -------------------------------------------------------------

FIRST = "What do the penguins of the Kellan islands eat?"
SECOND = "And who built the Meridian lighthouse?"
CONDENSED = {"rewrite the message to be a standalone question": Reply.text(QUESTION)}


def chat(mode: str, *, stream: bool) -> Row:
    prefix = "stream_" if stream else ""

    def run(parts: Parts, a: str) -> Any:
        engine = parts.index.as_chat_engine(chat_mode=mode, llm=parts.llm)

        def turn(text: str) -> Any:
            response = getattr(engine, f"{a}{prefix}chat")(text)
            return joined(response, f"{'async_' if a else ''}response_gen") if stream else response

        async def conversation() -> str:
            await turn(FIRST)
            return str(await turn(SECOND))

        return conversation() if a else [str(turn(text)) for text in (FIRST, SECOND)][-1]

    return Row(f"{prefix}chat {mode}", run, has_text if mode == "simple" else has_answer, CONDENSED)


def text_program(parts: Parts, a: str) -> Any:
    program = LLMTextCompletionProgram.from_defaults(
        output_cls=Lighthouse, prompt_template_str="As an object:\n{text}", llm=parts.llm
    )
    return program.acall(text=LIGHTHOUSE) if a else program(text=LIGHTHOUSE)


def summarize(parts: Parts, _: str) -> str:
    said = [("user", LIGHTHOUSE), ("assistant", PENGUINS), ("user", "Thank you.")]
    history = [ChatMessage(role=role, content=text) for role, text in said]
    memory = ChatSummaryMemoryBuffer.from_defaults(
        llm=parts.llm, token_limit=30, chat_history=history
    )
    return "\n".join(message.content or "" for message in memory.get())


async def extract_facts(parts: Parts, _: str) -> list[str]:
    block = FactExtractionMemoryBlock(llm=parts.llm)
    await block.aput([ChatMessage(role="user", content="My name is Ada Colm. I live in Oslo.")])
    return block.facts


FENCED = Reply.text('Sure:\n```json\n{"name": "Meridian", "built": 1874}\n```')
FACT = "Ada Colm lives in Oslo."
CHATTING = [
    *(
        chat(mode, stream=stream)
        for mode in ("simple", "context", "condense_question", "condense_plus_context", "best")
        for stream in (False, True)
    ),
    Row("text program", text_program, is_lighthouse, {LIGHTHOUSE: FENCED}),
    Row("memory that sums up", summarize, has_text, ways=("blocking", "in a running loop")),
    Row(
        "memory that extracts facts",
        extract_facts,
        lambda facts: facts == [FACT],
        {"": Reply.text(f"<facts><fact>{FACT}</fact></facts>")},
        ("asynchronous",),
    ),
]


# --- Evaluators and graphs ----------------------------------------------------------------------


def evaluate(kind: Any, reply: Reply | Script, score: float | None = None, **options: Any) -> Row:
    """Return the row of an evaluator that gives a score, or else passes."""
    given = {"query": QUESTION, "response": GOOD, "contexts": [LIGHTHOUSE], "reference": LIGHTHOUSE}
    if kind is evaluation.PairwiseComparisonEvaluator:
        given["second_response"] = "I do not know."
    return Row(
        kind.__name__,
        method(lambda parts: kind(llm=parts.llm, **options), "evaluate", **given),
        lambda result: result.score == score if score else result.passing is True,
        {"": reply},
    )


def evaluate_batch(parts: Parts, _: str) -> Any:
    kinds = (evaluation.FaithfulnessEvaluator, evaluation.RelevancyEvaluator)
    named = {kind.__name__: kind(llm=parts.llm) for kind in kinds}
    runner = evaluation.BatchEvalRunner(named, workers=2)
    return runner.aevaluate_queries(parts.engine(), queries=[QUESTION, FIRST])


def graph(kind: Any, replies: Replies | None = None, **options: Any) -> Row:
    def run(parts: Parts, _: str) -> Any:
        return PropertyGraphIndex.from_documents(
            parts.documents(),
            llm=parts.llm,
            embed_model=parts.embed_model,
            kg_extractors=[kind(llm=parts.llm, **options)],
            show_progress=False,
        ).property_graph_store

    # LlamaIndex calls `asyncio.run`: there is neither another form nor a running event loop.
    holds: Check = lambda store: bool(store.graph.relations)  # noqa: E731 - one line of a row
    return Row(kind.__name__, run, holds, replies or {}, ("blocking",))


YES = Reply.text("YES")
PEOPLE: dict[str, Any] = {
    "possible_entities": Literal["PERSON", "PLACE", "THING", "ANIMAL"],
    "possible_relations": Literal["BUILT", "EATS", "HAS", "COSTS"],
    "strict": False,
}
BUILT_BY = {
    "head": ANSWER,
    "head_type": "PERSON",
    "relation": "BUILT",
    "tail": "Meridian lighthouse",
    "tail_type": "THING",
}
CORRECT = Reply.text("4.5\nIt names the builder.")
PASSES = as_object({"passing": True, "feedback": "It names Ada Colm."})
FIRST_IS_BETTER = Reply.text("A is better. [[A]]")
EVALUATING = [
    evaluate(evaluation.FaithfulnessEvaluator, YES),
    evaluate(evaluation.RelevancyEvaluator, YES),
    evaluate(evaluation.CorrectnessEvaluator, CORRECT, 4.5),
    evaluate(evaluation.GuidelineEvaluator, PASSES, guidelines="The answer names a person."),
    evaluate(evaluation.PairwiseComparisonEvaluator, FIRST_IS_BETTER, 1.0, enforce_consensus=False),
    evaluate(evaluation.ContextRelevancyEvaluator, Reply.text("Good.\n[RESULT] 4"), 1.0),
    evaluate(evaluation.AnswerRelevancyEvaluator, Reply.text("It answers.\n[RESULT] 2"), 1.0),
    Row(
        "SemanticSimilarityEvaluator",
        method(
            lambda p: evaluation.SemanticSimilarityEvaluator(embed_model=p.embed_model),
            "evaluate",
            response=GOOD,
            reference=GOOD,
        ),
        lambda result: result.passing is True,
    ),
    Row(
        "BatchEvalRunner",
        evaluate_batch,
        lambda results: all(each.passing for kind in results.values() for each in kind),
        {"Please tell if a given piece": YES, "Your task is to evaluate if the response": YES},
        ("asynchronous",),
    ),
    graph(SimpleLLMPathExtractor),
    graph(DynamicLLMPathExtractor, {"": Reply.json([BUILT_BY])}),
    graph(SchemaLLMPathExtractor, **PEOPLE),
]


# --- The test -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "row", [*INDEXING, *QUERYING, *CHATTING, *EVALUATING], ids=lambda row: row.name
)
def test_a_part_of_llamaindex(runcrate_emulator, emulated_llm, emulated_embedding, row):
    """Blocking, and in two event loops, the second of which has the first one's connections."""
    runcrate_emulator.on_chat = by_prompt(row.replies)
    parts = Parts(emulated_llm, emulated_embedding)

    def blocking() -> None:
        result = row.run(parts, "")
        assert row.holds(result), result

    async def in_a_loop() -> None:
        if "in a running loop" in row.ways:
            blocking()
        if "asynchronous" in row.ways:
            result = await row.run(parts, "a")
            assert row.holds(result), result

    if "blocking" in row.ways:
        blocking()
    for _ in range(2):
        asyncio.run(in_a_loop())
