"""Parts of the time of a streamed chunk on our side: each step alone, without network."""

from __future__ import annotations

import functools
import json
import time
from typing import TYPE_CHECKING, Any

from benchmarks.server import stream_events
from langchain_runcrate.responses import ResponseContext as LangChainContext
from langchain_runcrate.streaming import StreamReader
from llamaindex_runcrate.responses import ChunkReader
from llamaindex_runcrate.responses import ResponseContext as LlamaIndexContext
from runcrate_core.protocol.chat_accumulator import ChatAccumulator
from runcrate_core.protocol.chat_stream import ChatStreamReader
from runcrate_core.protocol.sse import SSEDecoder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

CHUNKS = 500
ROUNDS = 50


def measure_parts() -> list[dict[str, Any]]:
    """Return the least processor time of each step, in microseconds a chunk."""
    results = []
    for kind in ("text", "reasoning", "tool"):
        for name, step in steps(kind).items():
            spent = min(_timed(step) for _ in range(ROUNDS)) / CHUNKS * 1e6
            results.append(
                {
                    "title": f"part of a chunk, {kind}",
                    "candidate": name,
                    "family": "parts",
                    "microseconds": spent,
                }
            )
            print(f"{results[-1]['title']:45} {name:34} {spent:.2f}")
    return results


def steps(kind: str) -> dict[str, Callable[[], object]]:
    """Return the steps by name; each processes a complete stream."""
    events = stream_events(kind, CHUNKS)
    texts = [event[len(b"data: ") :].decode() for event in events[:-1]]
    objects = [json.loads(text) for text in texts]
    reader = ChatStreamReader(idle_s=60, now=0.0)
    chunks = [chunk for event in events for chunk in reader.feed(event, 0.0)]
    decode = json.JSONDecoder().raw_decode
    return {
        "cutting events from bytes": lambda: each(SSEDecoder().feed, events),
        "parsing JSON": lambda: each(decode, texts),
        "folding into the complete response": lambda: each(ChatAccumulator().add, objects),
        "these three and the checks": lambda: each(
            functools.partial(ChatStreamReader(idle_s=60, now=0.0).feed, now=0.0), events
        ),
        "LangChain's message of it": lambda: each(
            StreamReader(LangChainContext(model="m")).read, chunks
        ),
        "LlamaIndex's response of it": lambda: each(ChunkReader(LlamaIndexContext()).read, chunks),
    }


def each(function: Callable[[Any], object], items: Iterable[Any]) -> None:
    """Call a function with each item."""
    for item in items:
        function(item)


def _timed(step: Callable[[], object]) -> float:
    started = time.process_time()
    step()
    return time.process_time() - started
