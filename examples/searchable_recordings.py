"""Make a folder of recordings searchable, with the time in the recording as the source."""

from __future__ import annotations

from pathlib import Path

from langchain_core.vectorstores import InMemoryVectorStore

from examples.service import runcrate_service
from langchain_runcrate import ChatRuncrate, RuncrateEmbeddings, RuncrateTranscriptionLoader
from runcrate_core import Runcrate

FOLDER = Path("demo-output") / "recordings"
MEETINGS = {
    "budget-meeting": (
        "Welcome to the budget meeting. We will spend forty thousand dollars on GPUs this year. "
        "Anna orders the machines in March. The travel budget stays as it is."
    ),
    "design-review": (
        "This is the design review. The index keeps one vector for each sentence. "
        "Tom proposed to cache the embeddings on disk. We decided to measure it first."
    ),
    "support-call": (
        "Thank you for calling. My training job stopped after two hours. "
        "The log says that the disk was full. A larger volume solved it."
    ),
}
QUESTIONS = (
    "How much money do we spend on GPUs?",
    "Who proposed to cache the embeddings?",
    "Why did the training job stop?",
)


def main() -> None:
    with runcrate_service():
        record_meetings()
        loader = RuncrateTranscriptionLoader(FOLDER, format="sentences", on_error="skip")
        sentences = loader.load()
        print(
            f"Transcribed {len(sentences)} sentences of {len(list(FOLDER.glob('*.mp3')))} files.\n"
        )

        embeddings = RuncrateEmbeddings(model="BAAI/bge-large-en-v1.5")
        index = InMemoryVectorStore.from_documents(sentences, embeddings)
        model = ChatRuncrate(model="deepseek-ai/DeepSeek-V3")
        for question in QUESTIONS:
            found = index.similarity_search(question, k=2)
            context = "\n".join(sentence.page_content for sentence in found)
            answer = model.invoke(f"Answer from this context.\n\n{context}\n\nQuestion: {question}")
            print(f"Question: {question}\nAnswer:   {answer.text}")
            for sentence in found:
                name = Path(sentence.metadata["source"]).name
                print(f"Source:   {name} at {clock(sentence.metadata['start'])}")
            print()


def record_meetings() -> None:
    """Speak the meetings into files, unless there are recordings already."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with Runcrate() as client:
        for name, text in MEETINGS.items():
            path = FOLDER / f"{name}.mp3"
            if not path.exists():
                client.audio.speech.create(text, model="hexgrad/Kokoro-82M").save(path)


def clock(seconds: float) -> str:
    """Return a time in a recording as minutes and seconds."""
    return f"{int(seconds // 60)}:{seconds % 60:04.1f}"


if __name__ == "__main__":
    main()
