"""What a retrieval pipeline makes of its models: each kind of call that LlamaIndex makes.

A row names a part of LlamaIndex, runs it blocking and asynchronously, and says what must come out.
The documents are small and their facts unlikely, so that a right answer comes from them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from llama_index.core import (
    Document,
    DocumentSummaryIndex,
    KeywordTableIndex,
    PromptTemplate,
    PropertyGraphIndex,
    QueryBundle,
    SummaryIndex,
    VectorStoreIndex,
    get_response_synthesizer,
)
from llama_index.core.agent.workflow import AgentWorkflow, FunctionAgent, ReActAgent
from llama_index.core.evaluation import (
    AnswerRelevancyEvaluator,
    BatchEvalRunner,
    ContextRelevancyEvaluator,
    CorrectnessEvaluator,
    FaithfulnessEvaluator,
    GuidelineEvaluator,
    PairwiseComparisonEvaluator,
    RelevancyEvaluator,
    SemanticSimilarityEvaluator,
)
from llama_index.core.extractors import (
    DocumentContextExtractor,
    KeywordExtractor,
    PydanticProgramExtractor,
    QuestionsAnsweredExtractor,
    SummaryExtractor,
    TitleExtractor,
)
from llama_index.core.graph_stores import SimplePropertyGraphStore
from llama_index.core.graph_stores.types import EntityNode, Relation
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

from runcrate_emulator import ChatRequest, Reply
from tests.llamaindex.scripts import Script, as_object, with_tool

LIGHTHOUSE = (
    "The Meridian lighthouse was built in 1874 by Ada Colm. It stands 52 metres tall and its lamp "
    "burns whale oil."
)
PENGUINS = (
    "Penguins of the Kellan islands eat krill and small squid. They breed in September on the "
    "southern beaches."
)
GPU = "The Voltaic H100 machine has 80 GB of memory and costs 1.54 dollars an hour in Oslo."
TEXTS = {"lighthouse.md": LIGHTHOUSE, "penguins.md": PENGUINS, "gpu.md": GPU}
QUESTION = "Who built the Meridian lighthouse?"
ANSWER = "Ada Colm"


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
        return [
            Document(text=text, id_=name, metadata={"file": name}) for name, text in TEXTS.items()
        ]

    def nodes(self) -> list[TextNode]:
        return [
            TextNode(text=text, id_=name, metadata={"file": name}) for name, text in TEXTS.items()
        ]

    def scored(self) -> list[NodeWithScore]:
        return [NodeWithScore(node=node, score=0.5) for node in self.nodes()]

    def index(self) -> VectorStoreIndex:
        return VectorStoreIndex(self.nodes(), embed_model=self.embed_model)

    def engine(self, **options: Any) -> Any:
        return self.index().as_query_engine(llm=self.llm, similarity_top_k=2, **options)


Check = Callable[[Any], bool]

MERIDIAN = as_object({"name": "Meridian", "built": 1874})
SATISFIED = as_object({"answer": "Ada Colm built it.", "query_satisfied": True})
LOOKS_UP = with_tool("look_up", {"name": "Meridian lighthouse"}, "Ada Colm built it.")
SUPPORTED = "Please tell if a given piece of information"
RELEVANT = "Your task is to evaluate if the response for the query"


@dataclass(frozen=True)
class Row:
    """A kind of call.

    Attributes:
        name: Name in the test's report.
        blocking: Runs it; None where LlamaIndex offers it asynchronously only.
        asynchronous: Runs it asynchronously; None where there is no such form.
        holds: What is true of the result.
        in_running_loop: Whether LlamaIndex lets the blocking form be used inside a running loop.
        replies: Scripted replies, by a text of the prompt; without one the default model replies.
    """

    name: str
    sync: Callable[[Parts], Any] | None
    async_: Callable[[Parts], Awaitable[Any]] | None
    holds: Check
    in_running_loop: bool = True
    replies: Mapping[str, Reply | Script] = field(default_factory=dict)


def names(result: Any) -> bool:
    """Whether the answer is the true one."""
    return ANSWER in str(result)


def said(result: Any) -> bool:
    """Whether there is an answer at all."""
    return bool(str(result).strip())


# --- Indexing -----------------------------------------------------------------------------------


async def build_async(parts: Parts) -> Any:
    return VectorStoreIndex.from_documents(
        parts.documents(), embed_model=parts.embed_model, use_async=True
    )


def pipeline(parts: Parts, *more: Any) -> IngestionPipeline:
    return IngestionPipeline(
        transformations=[SentenceSplitter(chunk_size=64, chunk_overlap=0), *more],
        disable_cache=True,
    )


def embeds(nodes: Any) -> bool:
    return len(nodes) == len(TEXTS) and all(len(node.embedding) == 1024 for node in nodes)


INDEXING = [
    Row(
        "vector index",
        lambda parts: VectorStoreIndex.from_documents(
            parts.documents(), embed_model=parts.embed_model
        ),
        build_async,
        lambda index: len(index.docstore.docs) == len(TEXTS),
    ),
    Row(
        "ingestion",
        lambda parts: pipeline(parts, parts.embed_model).run(documents=parts.documents()),
        lambda parts: pipeline(parts, parts.embed_model).arun(documents=parts.documents()),
        embeds,
    ),
]


# --- Query engines ------------------------------------------------------------------------------


def query_row(mode: ResponseMode, holds: Check = names) -> Row:
    return Row(
        f"query {mode.value}",
        lambda parts: parts.engine(response_mode=mode).query(QUESTION),
        lambda parts: parts.engine(response_mode=mode).aquery(QUESTION),
        holds,
    )


def stream_row(mode: ResponseMode, holds: Check = names) -> Row:
    def sync(parts: Parts) -> str:
        response = parts.engine(response_mode=mode, streaming=True).query(QUESTION)
        return "".join(response.response_gen)

    async def async_(parts: Parts) -> str:
        response = await parts.engine(response_mode=mode, streaming=True).aquery(QUESTION)
        return "".join([token async for token in response.response_gen])

    return Row(f"streamed query {mode.value}", sync, async_, holds)


def is_lighthouse(result: Any) -> bool:
    value = getattr(result, "response", result)
    return isinstance(value, Lighthouse) and value.built == 1874 and "Meridian" in value.name


def router(parts: Parts, selector: Any) -> RouterQueryEngine:
    index = parts.index()
    tools = [
        QueryEngineTool.from_defaults(
            index.as_query_engine(llm=parts.llm, similarity_top_k=1),
            name="facts",
            description="Answers questions about lighthouses, penguins and machines.",
        ),
        QueryEngineTool.from_defaults(
            SummaryIndex([TextNode(text="Rain tomorrow.")]).as_query_engine(llm=parts.llm),
            name="weather",
            description="Tells the weather forecast.",
        ),
    ]
    return RouterQueryEngine.from_defaults(tools, llm=parts.llm, selector=selector)


def sub_questions(parts: Parts) -> SubQuestionQueryEngine:
    tool = QueryEngineTool.from_defaults(
        parts.engine(), name="facts", description="Facts about lighthouses, penguins and machines."
    )
    return SubQuestionQueryEngine.from_defaults(
        [tool],
        llm=parts.llm,
        question_gen=LLMQuestionGenerator.from_defaults(llm=parts.llm),
        verbose=False,
        use_async=False,
    )


def fusion(parts: Parts, *, use_async: bool) -> QueryFusionRetriever:
    return QueryFusionRetriever(
        [parts.index().as_retriever(similarity_top_k=2)],
        llm=parts.llm,
        num_queries=3,
        use_async=use_async,
    )


def finds(nodes: Any) -> bool:
    return any(ANSWER in node.get_content() for node in nodes)


QUERYING = [
    query_row(ResponseMode.COMPACT),
    query_row(ResponseMode.REFINE),
    query_row(ResponseMode.TREE_SUMMARIZE),
    query_row(ResponseMode.SIMPLE_SUMMARIZE),
    query_row(ResponseMode.ACCUMULATE),
    query_row(ResponseMode.COMPACT_ACCUMULATE),
    query_row(ResponseMode.GENERATION, said),
    stream_row(ResponseMode.COMPACT),
    stream_row(ResponseMode.REFINE),
    stream_row(ResponseMode.TREE_SUMMARIZE),
    stream_row(ResponseMode.SIMPLE_SUMMARIZE),
    stream_row(ResponseMode.GENERATION, said),
    Row(
        "query with output_cls",
        lambda parts: parts.engine(output_cls=Lighthouse).query(QUESTION),
        lambda parts: parts.engine(output_cls=Lighthouse).aquery(QUESTION),
        is_lighthouse,
        replies={QUESTION: MERIDIAN},
    ),
    Row(
        "query of a structured LLM",
        lambda parts: (
            Parts(parts.llm.as_structured_llm(Lighthouse), parts.embed_model)
            .engine()
            .query(QUESTION)
        ),
        lambda parts: (
            Parts(parts.llm.as_structured_llm(Lighthouse), parts.embed_model)
            .engine()
            .aquery(QUESTION)
        ),
        is_lighthouse,
        replies={QUESTION: MERIDIAN},
    ),
    Row(
        "structured output filtering",
        lambda parts: parts.engine(
            response_synthesizer=get_response_synthesizer(
                llm=parts.llm,
                response_mode=ResponseMode.REFINE,
                structured_answer_filtering=True,
            )
        ).query(QUESTION),
        lambda parts: parts.engine(
            response_synthesizer=get_response_synthesizer(
                llm=parts.llm,
                response_mode=ResponseMode.REFINE,
                structured_answer_filtering=True,
            )
        ).aquery(QUESTION),
        names,
        replies={QUESTION: SATISFIED},
    ),
    Row(
        "citations",
        lambda parts: CitationQueryEngine.from_args(parts.index(), llm=parts.llm).query(QUESTION),
        lambda parts: CitationQueryEngine.from_args(parts.index(), llm=parts.llm).aquery(QUESTION),
        names,
    ),
    Row(
        "router with tools",
        lambda parts: router(parts, PydanticSingleSelector.from_defaults(llm=parts.llm)).query(
            QUESTION
        ),
        lambda parts: router(parts, PydanticSingleSelector.from_defaults(llm=parts.llm)).aquery(
            QUESTION
        ),
        names,
    ),
    Row(
        "router by its own choice",
        lambda parts: router(parts, None).query(QUESTION),
        lambda parts: router(parts, None).aquery(QUESTION),
        names,
    ),
    Row(
        "router with words",
        lambda parts: router(parts, LLMSingleSelector.from_defaults(llm=parts.llm)).query(QUESTION),
        lambda parts: router(parts, LLMSingleSelector.from_defaults(llm=parts.llm)).aquery(
            QUESTION
        ),
        names,
        replies={
            "Some choices are given below": Reply.json([{"choice": 1, "reason": "Lighthouses."}])
        },
    ),
    Row(
        "sub-questions",
        lambda parts: sub_questions(parts).query(QUESTION),
        lambda parts: sub_questions(parts).aquery(QUESTION),
        names,
        replies={
            "relevant sub-questions": Reply.json(
                {"items": [{"sub_question": QUESTION, "tool_name": "facts"}]}
            )
        },
    ),
    Row(
        "fusion retriever",
        lambda parts: fusion(parts, use_async=False).retrieve(QUESTION),
        lambda parts: fusion(parts, use_async=True).aretrieve(QUESTION),
        finds,
    ),
    Row(
        "HyDE",
        lambda parts: TransformQueryEngine(
            parts.engine(), HyDEQueryTransform(llm=parts.llm, include_original=True)
        ).query(QUESTION),
        lambda parts: TransformQueryEngine(
            parts.engine(), HyDEQueryTransform(llm=parts.llm, include_original=True)
        ).aquery(QUESTION),
        names,
    ),
    Row(
        "LLM rerank",
        lambda parts: LLMRerank(llm=parts.llm, top_n=1).postprocess_nodes(
            parts.scored(), query_str=QUESTION
        ),
        lambda parts: LLMRerank(llm=parts.llm, top_n=1).apostprocess_nodes(
            parts.scored(), query_bundle=QueryBundle(QUESTION)
        ),
        finds,
        replies={"A list of documents is shown below": Reply.text("Doc: 1, Relevance: 9")},
    ),
    Row(
        "RankGPT",
        lambda parts: RankGPTRerank(llm=parts.llm, top_n=1).postprocess_nodes(
            parts.scored(), query_str=QUESTION
        ),
        lambda parts: RankGPTRerank(llm=parts.llm, top_n=1).apostprocess_nodes(
            parts.scored(), query_bundle=QueryBundle(QUESTION)
        ),
        finds,
    ),
    Row(
        "keyword table",
        lambda parts: (
            KeywordTableIndex(parts.nodes(), llm=parts.llm)
            .as_query_engine(llm=parts.llm)
            .query(QUESTION)
        ),
        lambda parts: (
            KeywordTableIndex(parts.nodes(), llm=parts.llm)
            .as_query_engine(llm=parts.llm)
            .aquery(QUESTION)
        ),
        names,
    ),
    Row(
        "document summaries",
        lambda parts: (
            DocumentSummaryIndex.from_documents(
                parts.documents(), llm=parts.llm, embed_model=parts.embed_model
            )
            .as_query_engine(llm=parts.llm)
            .query(QUESTION)
        ),
        lambda parts: (
            DocumentSummaryIndex.from_documents(
                parts.documents(), llm=parts.llm, embed_model=parts.embed_model
            )
            .as_query_engine(llm=parts.llm)
            .aquery(QUESTION)
        ),
        names,
    ),
]


# --- Chat engines -------------------------------------------------------------------------------

FIRST = "What do the penguins of the Kellan islands eat?"
SECOND = "And who built the Meridian lighthouse?"
CONDENSED = {"rewrite the message to be a standalone question": Reply.text(QUESTION)}


def chat_row(mode: str, holds: Check = names) -> Row:
    def engine(parts: Parts) -> Any:
        return parts.index().as_chat_engine(chat_mode=mode, llm=parts.llm)

    def sync(parts: Parts) -> str:
        chat = engine(parts)
        chat.chat(FIRST)
        return str(chat.chat(SECOND))

    async def async_(parts: Parts) -> str:
        chat = engine(parts)
        await chat.achat(FIRST)
        return str(await chat.achat(SECOND))

    return Row(f"chat {mode}", sync, async_, holds, replies=CONDENSED)


def chat_stream_row(mode: str, holds: Check = names) -> Row:
    def engine(parts: Parts) -> Any:
        return parts.index().as_chat_engine(chat_mode=mode, llm=parts.llm)

    def sync(parts: Parts) -> str:
        chat = engine(parts)
        for _ in chat.stream_chat(FIRST).response_gen:
            pass
        return "".join(chat.stream_chat(SECOND).response_gen)

    async def async_(parts: Parts) -> str:
        chat = engine(parts)
        async for _ in (await chat.astream_chat(FIRST)).async_response_gen():
            pass
        second = await chat.astream_chat(SECOND)
        return "".join([token async for token in second.async_response_gen()])

    return Row(f"streamed chat {mode}", sync, async_, holds, replies=CONDENSED)


MODES: list[tuple[str, Check]] = [
    ("simple", said),
    ("context", names),
    ("condense_question", names),
    ("condense_plus_context", names),
    ("best", names),
]
CHATTING = [make(*mode) for mode in MODES for make in (chat_row, chat_stream_row)]


# --- Evaluators ---------------------------------------------------------------------------------

GOOD = "The Meridian lighthouse was built by Ada Colm."


def eval_row(
    name: str, make: Callable[[Parts], Any], holds: Check, reply: Reply | Script, **given: Any
) -> Row:
    given = {"query": QUESTION, "response": GOOD, "contexts": [LIGHTHOUSE], **given}
    return Row(
        f"evaluator {name}",
        lambda parts: make(parts).evaluate(**given),
        lambda parts: make(parts).aevaluate(**given),
        holds,
        replies={"": reply},
    )


async def run_batch(parts: Parts) -> Any:
    runner = BatchEvalRunner(
        {
            "faithfulness": FaithfulnessEvaluator(llm=parts.llm),
            "relevancy": RelevancyEvaluator(llm=parts.llm),
        },
        workers=2,
    )
    return await runner.aevaluate_queries(
        parts.engine(), queries=[QUESTION, "What do the penguins of Kellan eat?"]
    )


def passes(result: Any) -> bool:
    return result.passing is True


EVALUATING = [
    eval_row(
        "faithfulness",
        lambda parts: FaithfulnessEvaluator(llm=parts.llm),
        passes,
        Reply.text("YES"),
    ),
    eval_row(
        "faithfulness, of a falsehood",
        lambda parts: FaithfulnessEvaluator(llm=parts.llm),
        lambda result: result.passing is False,
        Reply.text("NO"),
        response="The Meridian lighthouse was built in 1650 by Bruno Zandt.",
    ),
    eval_row(
        "relevancy", lambda parts: RelevancyEvaluator(llm=parts.llm), passes, Reply.text("YES")
    ),
    eval_row(
        "correctness",
        lambda parts: CorrectnessEvaluator(llm=parts.llm),
        lambda result: result.score >= 4,
        Reply.text("4.5\nIt names the builder, as the reference does."),
        reference="Ada Colm built the Meridian lighthouse in 1874.",
    ),
    eval_row(
        "guideline",
        lambda parts: GuidelineEvaluator(
            llm=parts.llm, guidelines="The answer names a person who built something."
        ),
        lambda result: result.passing is True and result.feedback == "It names Ada Colm.",
        as_object({"passing": True, "feedback": "It names Ada Colm."}),
    ),
    eval_row(
        "pairwise",
        lambda parts: PairwiseComparisonEvaluator(llm=parts.llm, enforce_consensus=False),
        lambda result: result.score == 1.0 and not result.invalid_result,
        Reply.text("A names the builder. [[A]]"),
        second_response="I do not know.",
        reference=LIGHTHOUSE,
    ),
    eval_row(
        "context relevancy",
        lambda parts: ContextRelevancyEvaluator(llm=parts.llm),
        lambda result: result.score == 1.0,
        Reply.text("The context names the builder.\n[RESULT] 4"),
    ),
    eval_row(
        "answer relevancy",
        lambda parts: AnswerRelevancyEvaluator(llm=parts.llm),
        lambda result: result.score == 1.0,
        Reply.text("It answers the question.\n[RESULT] 2"),
    ),
    eval_row(
        "semantic similarity",
        lambda parts: SemanticSimilarityEvaluator(
            embed_model=parts.embed_model, similarity_threshold=0.5
        ),
        passes,
        Reply.text("No chat is needed."),
        reference="Ada Colm built the Meridian lighthouse.",
    ),
    Row(
        "batch of evaluators",
        None,
        run_batch,
        lambda results: all(each.passing for kind in results.values() for each in kind),
        replies={SUPPORTED: Reply.text("YES"), RELEVANT: Reply.text("YES")},
    ),
]


# --- Extractors ---------------------------------------------------------------------------------


def extract_row(name: str, make: Callable[[Parts], Any], *keys: str) -> Row:
    def holds(nodes: Any) -> bool:
        return len(nodes) == len(TEXTS) and all(
            node.metadata.get(key) for node in nodes for key in keys
        )

    return Row(
        f"extractor {name}",
        lambda parts: pipeline(parts, make(parts)).run(documents=parts.documents()),
        lambda parts: pipeline(parts, make(parts)).arun(documents=parts.documents()),
        holds,
    )


class Facts(BaseModel):
    """What a text is about."""

    subject: str = Field(description="What the text is about")
    numbers: list[float] = Field(description="All numbers in the text")


def pydantic_extractor(parts: Parts) -> PydanticProgramExtractor:
    program = FunctionCallingProgram.from_defaults(
        Facts, prompt_template_str="Extract the facts of this text:\n{input}", llm=parts.llm
    )
    return PydanticProgramExtractor(program=program, input_key="input", show_progress=False)


def document_context(parts: Parts) -> DocumentContextExtractor:
    store = SimpleDocumentStore()
    store.add_documents(parts.documents())
    return DocumentContextExtractor(
        docstore=store, llm=parts.llm, max_context_length=4000, show_progress=False
    )


EXTRACTING = [
    extract_row(
        "title",
        lambda parts: TitleExtractor(llm=parts.llm, show_progress=False),
        "document_title",
    ),
    extract_row(
        "summary",
        lambda parts: SummaryExtractor(llm=parts.llm, show_progress=False),
        "section_summary",
    ),
    extract_row(
        "keywords",
        lambda parts: KeywordExtractor(llm=parts.llm, show_progress=False),
        "excerpt_keywords",
    ),
    extract_row(
        "questions",
        lambda parts: QuestionsAnsweredExtractor(llm=parts.llm, questions=2, show_progress=False),
        "questions_this_excerpt_can_answer",
    ),
    extract_row("program", pydantic_extractor, "subject"),
    extract_row("document context", document_context, "context"),
]


# --- Graphs -------------------------------------------------------------------------------------


def graph(parts: Parts, extractor: Any) -> PropertyGraphIndex:
    return PropertyGraphIndex.from_documents(
        parts.documents(),
        llm=parts.llm,
        embed_model=parts.embed_model,
        kg_extractors=[extractor],
        show_progress=False,
    )


def graph_row(name: str, make: Callable[[Parts], Any]) -> Row:
    return Row(
        f"property graph {name}",
        lambda parts: graph(parts, make(parts)),
        None,
        lambda index: bool(index.property_graph_store.graph.relations),
        in_running_loop=False,  # LlamaIndex calls `asyncio.run`
    )


GRAPHING = [
    graph_row("of paths", lambda parts: SimpleLLMPathExtractor(llm=parts.llm)),
    graph_row("dynamic", lambda parts: DynamicLLMPathExtractor(llm=parts.llm)),
    graph_row(
        "schema",
        lambda parts: SchemaLLMPathExtractor(
            llm=parts.llm,
            possible_entities=Literal["PERSON", "PLACE", "THING", "ANIMAL"],  # type: ignore[arg-type]
            possible_relations=Literal["BUILT", "EATS", "HAS", "COSTS"],  # type: ignore[arg-type]
            strict=False,
        ),
    ),
]


def graph_engine(parts: Parts) -> Any:
    """Return an engine over a graph that is there already; building it is a row of its own."""
    lighthouse, builder = (
        EntityNode(name=name, label="THING", embedding=parts.embed_model.get_text_embedding(name))
        for name in ("Meridian lighthouse", ANSWER)
    )
    store = SimplePropertyGraphStore()
    store.upsert_nodes([lighthouse, builder])
    relation = Relation(label="was built by", source_id=lighthouse.id, target_id=builder.id)
    store.upsert_relations([relation])
    index = PropertyGraphIndex.from_existing(store, llm=parts.llm, embed_model=parts.embed_model)
    return index.as_query_engine(llm=parts.llm, include_text=False)


GRAPHING.append(
    Row(
        "property graph query",
        lambda parts: graph_engine(parts).query(QUESTION),
        lambda parts: graph_engine(parts).aquery(QUESTION),
        names,
    )
)


# --- Objects and agents -------------------------------------------------------------------------

OBJECT_PROMPT = PromptTemplate("Describe the lighthouse in this text as an object:\n{text}")


def object_rows(way: str) -> list[Row]:
    """Return the rows of structured prediction in one way: whole, and streamed."""

    def llm(parts: Parts) -> Any:
        return parts.llm.model_copy(update={"structured_output": way})

    async def streamed(parts: Parts) -> Any:
        partials = await llm(parts).astream_structured_predict(
            Lighthouse, OBJECT_PROMPT, text=LIGHTHOUSE
        )
        return [partial async for partial in partials][-1]

    return [
        Row(
            f"object by {way}",
            lambda parts: llm(parts).structured_predict(Lighthouse, OBJECT_PROMPT, text=LIGHTHOUSE),
            lambda parts: llm(parts).astructured_predict(
                Lighthouse, OBJECT_PROMPT, text=LIGHTHOUSE
            ),
            is_lighthouse,
            replies={LIGHTHOUSE: MERIDIAN},
        ),
        Row(
            f"streamed object by {way}",
            lambda parts: list(
                llm(parts).stream_structured_predict(Lighthouse, OBJECT_PROMPT, text=LIGHTHOUSE)
            )[-1],
            streamed,
            is_lighthouse,
            replies={LIGHTHOUSE: MERIDIAN},
        ),
    ]


def look_up(name: str) -> str:
    """Look up who built a lighthouse.

    Args:
        name (str): Name of the lighthouse.
    """
    return f"{name} was built by {ANSWER} in 1874."


def agent_row(
    name: str,
    make: Callable[[Any], Any],
    holds: Check = names,
    replies: Mapping[str, Reply | Script] | None = None,
) -> Row:
    async def async_(parts: Parts) -> Any:
        return await make(parts.llm).run(QUESTION)

    return Row(f"agent {name}", None, async_, holds, replies=replies or {QUESTION: LOOKS_UP})


def looks_up_and_describes(request: ChatRequest) -> Reply | None:
    """Call the tool and answer; then, as a request of its own, give an object."""
    offered = [tool.name for tool in request.tools]
    return LOOKS_UP(request) if offered == ["look_up"] else MERIDIAN(request)


ACTING = [
    *(row for way in ("json_schema", "tool", "prompt") for row in object_rows(way)),
    agent_row("that calls functions", lambda llm: FunctionAgent(tools=[look_up], llm=llm)),
    agent_row(
        "that does not stream",
        lambda llm: FunctionAgent(tools=[look_up], llm=llm, streaming=False),
    ),
    agent_row("that reasons and acts", lambda llm: ReActAgent(tools=[look_up], llm=llm)),
    agent_row(
        "in a workflow",
        lambda llm: AgentWorkflow.from_tools_or_functions([look_up], llm=llm),
    ),
    agent_row(
        "with a structured output",
        lambda llm: FunctionAgent(tools=[look_up], llm=llm, output_cls=Lighthouse),
        lambda result: is_lighthouse(result.get_pydantic_model(Lighthouse)),
        {QUESTION: looks_up_and_describes},
    ),
]


# --- Programs and memory ------------------------------------------------------------------------

PROGRAM_PROMPT = "Describe the lighthouse in this text as an object:\n{text}"


def function_program(parts: Parts) -> Any:
    return FunctionCallingProgram.from_defaults(
        Lighthouse, prompt_template_str=PROGRAM_PROMPT, llm=parts.llm
    )


def text_program(parts: Parts) -> Any:
    return LLMTextCompletionProgram.from_defaults(
        output_cls=Lighthouse, prompt_template_str=PROGRAM_PROMPT, llm=parts.llm
    )


def remember(parts: Parts) -> str:
    memory = ChatSummaryMemoryBuffer.from_defaults(
        llm=parts.llm,
        token_limit=30,
        chat_history=[
            ChatMessage(role="user", content=LIGHTHOUSE),
            ChatMessage(role="assistant", content="Noted: " + PENGUINS),
            ChatMessage(role="user", content="Thank you."),
        ],
    )
    return "\n".join(message.content or "" for message in memory.get())


async def remember_async(parts: Parts) -> str:
    return remember(parts)


async def extract_facts(parts: Parts) -> list[str]:
    block = FactExtractionMemoryBlock(llm=parts.llm)
    await block.aput([ChatMessage(role="user", content="My name is Ada Colm. I live in Oslo.")])
    return block.facts


PROGRAMS = [
    Row(
        "function calling program",
        lambda parts: function_program(parts)(text=LIGHTHOUSE),
        lambda parts: function_program(parts).acall(text=LIGHTHOUSE),
        is_lighthouse,
        replies={LIGHTHOUSE: MERIDIAN},
    ),
    Row(
        "text program",
        lambda parts: text_program(parts)(text=LIGHTHOUSE),
        lambda parts: text_program(parts).acall(text=LIGHTHOUSE),
        is_lighthouse,
        replies={LIGHTHOUSE: MERIDIAN},
    ),
    Row("memory that sums up", remember, remember_async, said),
    Row(
        "memory that extracts facts",
        None,
        extract_facts,
        lambda facts: facts == ["Ada Colm lives in Oslo."],
        replies={"": Reply.text("<facts><fact>Ada Colm lives in Oslo.</fact></facts>")},
    ),
]

ROWS = [
    *INDEXING,
    *QUERYING,
    *CHATTING,
    *EVALUATING,
    *EXTRACTING,
    *GRAPHING,
    *ACTING,
    *PROGRAMS,
]
