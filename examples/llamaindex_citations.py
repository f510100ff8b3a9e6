"""LlamaIndex: questions to a directory of PDF and Markdown files, with citations of the pages.

Without arguments it asks about the handbook of an invented research station, talks about it in a
chat with memory, and has the answers evaluated.
"""

from __future__ import annotations

import argparse
import asyncio
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llama_index.core import Document, SimpleDirectoryReader, VectorStoreIndex
from llama_index.core.base.response.schema import Response
from llama_index.core.evaluation import FaithfulnessEvaluator, RelevancyEvaluator
from llama_index.core.memory import Memory
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.query_engine import CitationQueryEngine
from llama_index.core.readers.base import BaseReader
from pypdf import PdfReader

from examples.service import runcrate_service
from llamaindex_runcrate import RuncrateEmbedding, RuncrateLLM

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from llama_index.core.evaluation import EvaluationResult

HANDBOOK = Path(__file__).resolve().parent / "handbook"
QUESTIONS = (
    "How many kilowatt hours does the battery hold?",
    "When is a party searched for?",
    "How many litres of diesel are burned an hour?",
)
GENERAL_QUESTIONS = ("What are these documents about?",)
CHAT = (
    "Where is the satellite telephone?",
    "And where is its number?",
    "Which channel is for aircraft?",
)
MADE_UP = "The battery holds 900 kilowatt hours, and an hour of sun fills it."

# What the model of the emulator says; a real model is asked with LIVE=1.
ANSWERS = {
    QUESTIONS[0]: "The battery holds 320 kilowatt hours [1].",
    QUESTIONS[1]: "A party that is 90 minutes late is searched for [1].",
    QUESTIONS[2]: "The generator burns 11 litres of diesel an hour [1].",
    CHAT[0]: "The satellite telephone is in the leader's office.",
    CHAT[1]: "The number of the satellite telephone is on the case.",
    CHAT[2]: "Channel 3 is for the hangar and for aircraft.",
}


class PdfPages(BaseReader):
    """Reads each page of a PDF as a document of its own, so that a citation can name the page."""

    def lazy_load_data(
        self, file: Path, extra_info: dict[str, Any] | None = None
    ) -> Iterator[Document]:
        """Yield the pages of a file."""
        for page in PdfReader(file).pages:
            metadata = {**(extra_info or {}), "page": page.page_number + 1}
            yield Document(text=page.extract_text(), metadata=metadata)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m examples.llamaindex_citations")
    parser.description = "Ask questions about the PDF and Markdown files of a directory."
    parser.add_argument("folder", nargs="?", type=Path, default=HANDBOOK, help="the directory")
    parser.add_argument(
        "--ask", action="append", metavar="QUESTION", help="a question; may be given several times"
    )
    arguments = parser.parse_args()
    if not files_in(arguments.folder):
        parser.error(f"{arguments.folder} has no PDF or Markdown file")
    with runcrate_service(on_chat=simulated):
        asyncio.run(consult(arguments.folder.resolve(), arguments.ask))


async def consult(folder: Path, questions: Sequence[str] | None) -> None:
    """Read a directory and ask about it; without questions of its own, also talk and check."""
    llm = RuncrateLLM(model="deepseek-ai/DeepSeek-V3", temperature=0)
    embedding = RuncrateEmbedding(model_name="BAAI/bge-large-en-v1.5")
    index = await read(folder, embedding)
    if questions or folder != HANDBOOK:
        await ask(index, llm, questions or GENERAL_QUESTIONS)
    else:
        answers = await ask(index, llm, QUESTIONS)
        await chat(index, llm)
        await check(answers, llm)
    await llm.aclose()
    await embedding.aclose()


def files_in(folder: Path) -> list[Path]:
    """Return the files of a directory that can be read, in order of their names."""
    return sorted(path for path in folder.glob("*") if path.suffix.lower() in (".pdf", ".md"))


async def read(folder: Path, embedding: RuncrateEmbedding) -> VectorStoreIndex:
    """Embed the PDF and Markdown files of a directory."""
    documents = SimpleDirectoryReader(
        input_files=files_in(folder), file_extractor={".pdf": PdfPages()}
    ).load_data()
    passages = SentenceSplitter(chunk_size=256, chunk_overlap=32)(documents)
    index = VectorStoreIndex(embed_model=embedding, nodes=[])
    await index.ainsert_nodes(passages)
    files = sorted({document.metadata["file_name"] for document in documents})
    print(f"Read {', '.join(files)}: {len(passages)} passages.\n")
    return index


async def ask(
    index: VectorStoreIndex, llm: RuncrateLLM, questions: Sequence[str]
) -> dict[str, Response]:
    """Answer each question, with numbers that point to the passages it was answered from."""
    engine = CitationQueryEngine.from_args(
        index, llm=llm, similarity_top_k=2, citation_chunk_size=128, citation_chunk_overlap=0
    )
    answers: dict[str, Response] = {}
    for question in questions:
        answer = answers[question] = await engine.aquery(question)
        print(f"Question: {question}\nAnswer:   {answer}")
        for number, source in enumerate(answer.source_nodes, start=1):
            if f"[{number}]" in str(answer):
                print(f"Source:   [{number}] {place(source.node.metadata)}")
        print()
    return answers


async def chat(index: VectorStoreIndex, llm: RuncrateLLM) -> None:
    """Talk about the handbook; what "its" means is known from what was said before."""
    memory = Memory.from_defaults(session_id="handbook", token_limit=4000)
    engine = index.as_chat_engine(
        chat_mode="condense_plus_context", llm=llm, memory=memory, similarity_top_k=2
    )
    for question in CHAT:
        print(f"You:   {question}\nModel: ", end="")
        answer = await engine.astream_chat(question)
        async for piece in answer.async_response_gen():
            print(piece, end="", flush=True)
        print()
    print(f"The memory holds {len(await memory.aget_all())} messages.\n")


async def check(answers: dict[str, Response], llm: RuncrateLLM) -> None:
    """Have a model judge whether answers keep to their sources and to the questions."""
    faithful, relevant = FaithfulnessEvaluator(llm=llm), RelevancyEvaluator(llm=llm)
    question, first = next(iter(answers.items()))
    made_up = Response(MADE_UP, source_nodes=first.source_nodes)
    for asked, answer in [*answers.items(), (question, made_up)]:
        keeps, fits = await asyncio.gather(
            faithful.aevaluate_response(response=answer),
            relevant.aevaluate_response(query=asked, response=answer),
        )
        verdict = f"faithful: {yes(keeps)}, relevant: {yes(fits)}"
        print(f"Checked: {textwrap.shorten(str(answer), 70)}\n         {verdict}")


def yes(result: EvaluationResult) -> str:
    """Return a verdict as a word."""
    return "yes" if result.passing else "no"


def simulated(request: Any) -> Any:
    """Reply in place of a model, on the emulator."""
    from runcrate_emulator import Reply  # noqa: PLC0415 - the real service needs no emulator

    text = "\n".join(message.text for message in request.messages)
    if "either YES or NO" in text or "Either YES/ NO" in text:  # the evaluators
        return Reply.text("NO" if MADE_UP in text else "YES")
    question = next((one for one in reversed(ANSWERS) if one in text), None)
    if question is not None:
        return Reply.text(question if "Standalone question:" in text else ANSWERS[question])
    first_source = text.rpartition("Source 1:\n")[2].partition("\n")[0]
    return Reply.text(f"{first_source} [1]")


def place(metadata: dict[str, Any]) -> str:
    """Return where a passage stands."""
    page = f", page {metadata['page']}" if "page" in metadata else ""
    return f"{metadata['file_name']}{page}"


if __name__ == "__main__":
    main()
