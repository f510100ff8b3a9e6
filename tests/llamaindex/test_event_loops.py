"""Every component in a running event loop, in new event loops, and in threads.

Nothing of LlamaIndex stands between here, so nothing that is left open is put up with.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
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
from tests.llamaindex.calls import collected

HELLO = [ChatMessage(role="user", content="Say hello.")]


@dataclass(frozen=True)
class Part:
    """One use of a part, in both kinds of code.

    Attributes:
        sync: Uses it, blocking.
        async_: Uses it without blocking the event loop.
        holds: What is true of what comes.
        owner: Has the connections, which `aclose` closes for the running event loop.
    """

    sync: Callable[[], Any]
    async_: Callable[[], Awaitable[Any]]
    holds: Callable[[Any], bool]
    owner: Any


def parts(emulator: Emulator, client: rc.Runcrate, folder: Path) -> dict[str, Part]:
    settings = {"api_key": emulator.api_key, "api_base": emulator.inference_url}
    llm = RuncrateLLM(model="deepseek-ai/DeepSeek-V3", **settings)
    embedding = RuncrateEmbedding(model_name="BAAI/bge-large-en-v1.5", **settings)
    reader = RuncrateTranscriptionReader(**settings)
    media = RuncrateMediaToolSpec(folder / "made", poll_interval=0.05, **settings)
    cloud = RuncrateInfrastructureToolSpec(client)
    [balance] = cloud.to_tool_list(["runcrate_get_balance"])
    return {
        "stream": Part(
            lambda: list(llm.stream_chat(HELLO)),
            lambda: collected(llm.astream_chat(HELLO)),
            lambda chunks: bool(chunks[-1].message.content),
            llm,
        ),
        "embedding": Part(
            lambda: embedding.get_text_embedding_batch(["a", "b"]),
            lambda: embedding.aget_text_embedding_batch(["a", "b"]),
            lambda vectors: [len(vector) for vector in vectors] == [1024, 1024],
            embedding,
        ),
        "transcription": Part(
            lambda: reader.load_data(folder / "hello.mp3"),
            lambda: reader.aload_data(folder / "hello.mp3"),
            lambda documents: "good morning" in documents[0].text.lower(),
            reader,
        ),
        "speech": Part(
            lambda: media.text_to_speech("Hello."),
            lambda: media.atext_to_speech("Hello."),
            lambda blocks: [block.block_type for block in blocks] == ["text", "audio"],
            media,
        ),
        "balance": Part(
            balance.call,
            balance.acall,
            lambda output: "balance_usd" in output.content,
            cloud,
        ),
    }


@pytest.mark.parametrize("name", ["stream", "embedding", "transcription", "speech", "balance"])
def test_a_part_in_event_loops_that_come_and_go_and_in_threads(runcrate_emulator, tmp_path, name):
    (tmp_path / "hello.mp3").write_bytes(spoken(GREETING))
    client = rc.Runcrate(runcrate_emulator.api_key, base_url=runcrate_emulator.base_url)
    part = parts(runcrate_emulator, client, tmp_path)[name]

    async def use(*, closed: bool = False, sync: bool = False) -> None:
        if sync:
            assert part.holds(part.sync())
        for each in await asyncio.gather(part.async_(), part.async_()):
            assert part.holds(each)
        if closed:
            await part.owner.aclose()

    for sync in (False, True):
        asyncio.run(use(sync=sync))
    with ThreadPoolExecutor(4) as threads:
        loops = [threads.submit(asyncio.run, use()) for _ in range(2)]
        sync = [threads.submit(part.sync) for _ in range(2)]
        assert all(part.holds(each.result()) for each in sync)
        for loop in loops:
            loop.result()
    asyncio.run(use(closed=True))
    part.owner.close()
    client.close()
    gc.collect()  # an open socket is a warning, and a warning an error
