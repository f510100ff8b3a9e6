"""Every component in a running event loop, in new event loops, and in threads.

Nothing of LlamaIndex stands between here, so nothing that is left open is put up with.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.llms import ChatMessage

import runcrate_core as rc
from llamaindex_runcrate import (
    RuncrateEmbedding,
    RuncrateInfrastructureToolSpec,
    RuncrateLLM,
    RuncrateMediaToolSpec,
    RuncrateTranscriptionReader,
)
from runcrate_emulator import Emulator
from tests.audio_files import GREETING, spoken

HELLO = [ChatMessage(role="user", content="Say hello.")]


@dataclass(frozen=True)
class Part:
    """One use of a part, in both kinds of code.

    Attributes:
        blocking: Uses it.
        asynchronous: Uses it without blocking the event loop.
        holds: What is true of what comes.
        aclose: Closes what the running event loop has open.
    """

    sync: Callable[[], Any]
    async_: Callable[[], Awaitable[Any]]
    holds: Callable[[Any], bool]
    aclose: Callable[[], Awaitable[Any]]


def whole(chunks: Any) -> str:
    *_, last = chunks
    return str(last.message.content)


async def awhole(chunks: Any) -> str:
    return str([chunk async for chunk in await chunks][-1].message.content)


def parts(emulator: Emulator, folder: Path, closing: ExitStack) -> dict[str, Part]:
    settings = {"api_key": emulator.api_key, "api_base": emulator.inference_url}
    llm = RuncrateLLM(model="deepseek-ai/DeepSeek-V3", **settings)
    embedding = RuncrateEmbedding(model_name="BAAI/bge-large-en-v1.5", **settings)
    reader = RuncrateTranscriptionReader(**settings)
    media = RuncrateMediaToolSpec(folder / "made", poll_interval=0.05, **settings)
    client = closing.enter_context(rc.Runcrate(emulator.api_key, base_url=emulator.base_url))
    cloud = RuncrateInfrastructureToolSpec(client)
    [balance] = cloud.to_tool_list(["runcrate_get_balance"])
    for part in (llm, embedding, reader, media, cloud):
        closing.callback(part.close)
    return {
        "chat": Part(
            lambda: llm.chat(HELLO),
            lambda: llm.achat(HELLO),
            lambda answer: bool(answer.message.content),
            llm.aclose,
        ),
        "stream": Part(
            lambda: whole(llm.stream_chat(HELLO)),
            lambda: awhole(llm.astream_chat(HELLO)),
            bool,
            llm.aclose,
        ),
        "embedding": Part(
            lambda: embedding.get_text_embedding_batch(["a", "b"]),
            lambda: embedding.aget_text_embedding_batch(["a", "b"]),
            lambda vectors: [len(vector) for vector in vectors] == [1024, 1024],
            embedding.aclose,
        ),
        "transcription": Part(
            lambda: reader.load_data(folder / "hello.mp3"),
            lambda: reader.aload_data(folder / "hello.mp3"),
            lambda documents: "good morning" in documents[0].text.lower(),
            reader.aclose,
        ),
        "video": Part(
            lambda: media.generate_video("Waves", duration=4),
            lambda: media.agenerate_video("Waves", duration=4),
            lambda blocks: [block.block_type for block in blocks] == ["text", "video"],
            media.aclose,
        ),
        "balance": Part(
            balance.call,
            balance.acall,
            lambda output: "balance_usd" in output.content,
            cloud.aclose,
        ),
    }


@pytest.fixture
def part(
    request: pytest.FixtureRequest, runcrate_emulator: Emulator, tmp_path: Path
) -> Iterator[Part]:
    runcrate_emulator.clock_speed = 600.0
    (tmp_path / "hello.mp3").write_bytes(spoken(GREETING))
    with ExitStack() as closing:
        yield parts(runcrate_emulator, tmp_path, closing)[request.param]
    gc.collect()  # an open socket is a warning, and a warning an error


EACH = pytest.mark.parametrize(
    "part", ["chat", "stream", "embedding", "transcription", "video", "balance"], indirect=True
)


@EACH
def test_in_event_loops_that_come_and_go(part: Part) -> None:
    async def use(*, closed: bool) -> None:
        assert part.holds(await part.async_())
        if closed:
            await part.aclose()

    for closed in (True, False, False):
        asyncio.run(use(closed=closed))


@EACH
async def test_both_inside_a_running_event_loop(part: Part) -> None:
    assert part.holds(part.sync())
    assert part.holds(await part.async_())
    both = await asyncio.gather(part.async_(), part.async_())
    assert all(part.holds(each) for each in both)
    await part.aclose()


@EACH
def test_in_threads_with_loops_of_their_own(part: Part) -> None:
    async def use() -> bool:
        return part.holds(await part.async_())

    with ThreadPoolExecutor(4) as threads:
        loops = [threads.submit(asyncio.run, use()) for _ in range(2)]
        sync = [threads.submit(part.sync) for _ in range(2)]
        assert all(each.result() for each in loops)
        assert all(part.holds(each.result()) for each in sync)
