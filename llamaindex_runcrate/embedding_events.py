"""Events and callbacks of batches of texts that are embedded side by side."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Self

import llama_index.core.instrumentation as instrument
from llama_index.core.callbacks import CBEventType, EventPayload
from llama_index.core.instrumentation.events.embedding import (
    EmbeddingEndEvent,
    EmbeddingStartEvent,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from llama_index.core.base.embeddings.base import BaseEmbedding, Embedding

dispatcher = instrument.get_dispatcher(__name__)  # type: ignore[attr-defined] # re-exported


class BatchEvents:
    """Reports of batches as LlamaIndex makes them: a start and an end of each, in order.

    Batches that a failure leaves unfinished are reported as failed.
    """

    def __init__(self, model: BaseEmbedding) -> None:
        self._model = model
        self._payload = model.to_payload()
        self._under_way: deque[tuple[str, list[str]]] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        for event_id, _ in self._under_way:
            self._model.callback_manager.on_event_end(
                CBEventType.EMBEDDING, payload={EventPayload.EXCEPTION: error}, event_id=event_id
            )

    def started(self, batches: Iterable[list[str]]) -> Iterator[list[str]]:
        """Yield batches, and report the start of each as it is taken."""
        for batch in batches:
            dispatcher.event(EmbeddingStartEvent(model_dict=self._payload))
            event_id = self._model.callback_manager.on_event_start(
                CBEventType.EMBEDDING, payload={EventPayload.SERIALIZED: self._payload}
            )
            self._under_way.append((event_id, batch))
            yield batch

    def ended(self, vectors: list[Embedding]) -> list[Embedding]:
        """Report the end of the batch that was started first, and return its vectors."""
        event_id, batch = self._under_way.popleft()
        dispatcher.event(EmbeddingEndEvent(chunks=batch, embeddings=vectors))
        self._model.callback_manager.on_event_end(
            CBEventType.EMBEDDING,
            payload={EventPayload.CHUNKS: batch, EventPayload.EMBEDDINGS: vectors},
            event_id=event_id,
        )
        return vectors
