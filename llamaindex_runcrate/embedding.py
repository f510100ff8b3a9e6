"""`RuncrateEmbedding`: Runcrate's embedding models for LlamaIndex."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from llama_index.core.base.embeddings.base import BaseEmbedding, Embedding
from llama_index.core.bridge.pydantic import Field
from llama_index.core.utils import get_tokenizer, get_tqdm_iterable
from pydantic import AliasChoices

from llamaindex_runcrate.clients import Connected
from llamaindex_runcrate.embedding_events import BatchEvents
from runcrate_core import get_model_info
from runcrate_core.toolkit import (
    LongText,
    aembed_batches,
    batches_of,
    embed_batches,
    embeddable_texts,
    split_texts,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runcrate_core import Embeddings
    from runcrate_core.toolkit import Pieces


class RuncrateEmbedding(Connected, BaseEmbedding):
    """An embedding model of Runcrate.

    Vectors come in the order of the texts. A text longer than the model reads is embedded in
    pieces whose vectors are averaged (`long_text`), and an empty text is replaced (`empty_text`):
    neither lets a batch of others fail.

    LlamaIndex's `embeddings_cache` knows texts only: give each model a cache of its own.

    Example:
        ```python
        from llamaindex_runcrate import RuncrateEmbedding

        embed_model = RuncrateEmbedding(model_name="BAAI/bge-large-en-v1.5")
        vector = embed_model.get_query_embedding("Which GPU has 80 GB?")
        print(len(vector))  # 1024
        ```
    """

    model_name: str = Field(
        default="BAAI/bge-large-en-v1.5",
        validation_alias=AliasChoices("model_name", "model"),
        description="Identifier of the model; any is accepted.",
    )
    if TYPE_CHECKING:
        model: str = ""
        """Another name of `model_name`."""
    else:

        @property
        def model(self) -> str:
            """Another name of `model_name`."""
            return self.model_name

    embed_batch_size: int = Field(
        default=64, gt=0, le=2048, description="Maximum number of texts in a request."
    )
    num_workers: int | None = Field(
        default=4,
        ge=1,
        description="Maximum number of requests at the same time, sync and async; None: 4.",
    )
    dimensions: int | None = Field(
        default=None, ge=1, description="Length of the vectors, where the model can shorten them."
    )
    encoding_format: Literal["float", "base64"] | None = Field(
        default=None,
        description="Encoding of vectors in responses; base64 takes less than half the bytes.",
    )
    query_instruction: str | None = Field(
        default=None, description="Put before queries; some models are trained with one."
    )
    text_instruction: str | None = Field(default=None, description="Put before texts.")
    long_text: LongText = Field(
        default="average",
        description="Treatment of a text longer than the model reads: `average` of its pieces' "
        "vectors, `truncate` to the first piece, or `send` it as it is.",
    )
    max_tokens: int | None = Field(
        default=None, ge=1, description="Tokens that the model reads, instead of the catalogue's."
    )
    empty_text: str = Field(
        default="(empty)", min_length=1, description="Sent for a text without any characters."
    )
    additional_kwargs: dict[str, Any] = Field(
        default_factory=dict, description="Further fields of every request."
    )

    @classmethod
    def class_name(cls) -> str:
        """Name of the class in serialised form."""
        return "runcrate_embedding"

    def _get_query_embedding(self, query: str) -> Embedding:
        return self._embed(self._pieces([query], self.query_instruction))[0]

    async def _aget_query_embedding(self, query: str) -> Embedding:
        return (await self._aembed(self._pieces([query], self.query_instruction)))[0]

    def _get_text_embedding(self, text: str) -> Embedding:
        return self._get_text_embeddings([text])[0]

    async def _aget_text_embedding(self, text: str) -> Embedding:
        return (await self._aget_text_embeddings([text]))[0]

    def _get_text_embeddings(self, texts: list[str]) -> list[Embedding]:
        return self._embed(self._pieces(texts, self.text_instruction))

    async def _aget_text_embeddings(self, texts: list[str]) -> list[Embedding]:
        return await self._aembed(self._pieces(texts, self.text_instruction))

    def get_text_embedding_batch(
        self,
        texts: list[str],
        show_progress: bool = False,  # noqa: FBT001, FBT002 - LlamaIndex's signature
        **_: Any,
    ) -> list[Embedding]:
        """Return the vectors of many texts, in order, with several requests at a time.

        After a failure no further request is sent, and a note of the error states how many texts
        were embedded before it.
        """
        cached = self.embeddings_cache is not None
        embed = self._get_text_embeddings_cached if cached else self._get_text_embeddings

        def in_turn(batch: list[str]) -> list[Embedding]:
            if self.rate_limiter is not None:
                self.rate_limiter.acquire()
            return embed(batch)

        with BatchEvents(self) as events:
            batches = events.started(self._batches(texts, show_progress=show_progress))
            done = embed_batches(in_turn, batches, max_concurrency=self.num_workers or 4)
            return [vector for vectors in done for vector in events.ended(vectors)]

    async def aget_text_embedding_batch(
        self,
        texts: list[str],
        show_progress: bool = False,  # noqa: FBT001, FBT002 - LlamaIndex's signature
        **_: Any,
    ) -> list[Embedding]:
        """Return the vectors of many texts; see `get_text_embedding_batch`."""
        cached = self.embeddings_cache is not None
        embed = self._aget_text_embeddings_cached if cached else self._aget_text_embeddings

        async def in_turn(batch: list[str]) -> list[Embedding]:
            if self.rate_limiter is not None:
                await self.rate_limiter.async_acquire()
            return await embed(batch)

        with BatchEvents(self) as events:
            batches = events.started(self._batches(texts, show_progress=show_progress))
            done = aembed_batches(in_turn, batches, max_concurrency=self.num_workers or 4)
            return [vector async for vectors in done for vector in events.ended(vectors)]

    def _batches(self, texts: Sequence[str], *, show_progress: bool) -> Iterator[list[str]]:
        # All texts are checked before anything is sent.
        shown = get_tqdm_iterable(embeddable_texts(texts), show_progress, "Generating embeddings")
        return batches_of(shown, self.embed_batch_size)

    def _embed(self, pieces: Pieces) -> list[Embedding]:
        responses = [
            self._sync_client.embeddings.create(**request) for request in self._requests(pieces)
        ]
        return pieces.joined(_vectors(responses))

    async def _aembed(self, pieces: Pieces) -> list[Embedding]:
        responses = [
            await self._async_client.embeddings.create(**request)
            for request in self._requests(pieces)
        ]
        return pieces.joined(_vectors(responses))

    def _pieces(self, texts: Sequence[str], instruction: str | None) -> Pieces:
        info = get_model_info(self.model_name)
        max_tokens = self.max_tokens or (info.context_window if info else None)
        filled = [text if text.strip() else self.empty_text for text in embeddable_texts(texts)]
        return split_texts(
            filled, max_tokens, _tokens, long_text=self.long_text, instruction=instruction or ""
        )

    def _requests(self, pieces: Pieces) -> Iterator[dict[str, Any]]:
        for start in range(0, len(pieces.texts), self.embed_batch_size):
            yield {
                "model": self.model_name,
                "input": pieces.texts[start : start + self.embed_batch_size],
                "dimensions": self.dimensions,
                "encoding_format": self.encoding_format,
                "timeout": self.timeout,
                **self.additional_kwargs,
            }


def _tokens(text: str) -> int:
    return len(get_tokenizer()(text))  # loaded when a text has to be counted


def _vectors(responses: Sequence[Embeddings]) -> list[Embedding]:
    return [item.embedding for response in responses for item in response.data]
