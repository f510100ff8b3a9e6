"""LlamaIndex: questions answered from this repository's own documents, with their sources."""

from __future__ import annotations

from pathlib import Path

from llama_index.core import SimpleDirectoryReader, VectorStoreIndex
from llama_index.core.node_parser import MarkdownNodeParser

from examples.service import runcrate_service
from llamaindex_runcrate import RuncrateEmbedding, RuncrateLLM

ROOT = Path(__file__).resolve().parent.parent
QUESTIONS = (
    "Which environment variable holds the API key?",
    "How is the instance looked up if the response to a launch is lost?",
)


def main() -> None:
    with runcrate_service():
        llm = RuncrateLLM(model="deepseek-ai/DeepSeek-V3", temperature=0)
        embedding = RuncrateEmbedding(model_name="BAAI/bge-large-en-v1.5")

        files = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
        documents = SimpleDirectoryReader(input_files=files).load_data()
        index = VectorStoreIndex.from_documents(
            documents, transformations=[MarkdownNodeParser()], embed_model=embedding
        )
        print(f"Read {len(files)} documents, embedded with {embedding.model_name}.\n")

        engine = index.as_query_engine(llm=llm, similarity_top_k=3)
        for question in QUESTIONS:
            answer = engine.query(question)
            print(f"Question: {question}\nAnswer:   {answer}")
            for source in answer.source_nodes:
                heading = source.node.get_content().strip().splitlines()[0].lstrip("# ")
                name = source.node.metadata["file_name"]
                print(f"Source:   {name}, {heading[:60]!r} (similarity {source.score:.2f})")
            print()


if __name__ == "__main__":
    main()
