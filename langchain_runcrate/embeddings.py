"""Embeddings for LangChain."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from langchain_core.embeddings import Embeddings
from pydantic import Field, field_validator

from langchain_runcrate.arguments import refuse_misplaced
from langchain_runcrate.connection import RuncrateConnection
from langchain_runcrate.errors import translating_errors
from langchain_runcrate.token_counting import estimated_tokens
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

    from runcrate_core import Embeddings as EmbeddingsResponse
    from runcrate_core.toolkit import Pieces


class RuncrateEmbeddings(RuncrateConnection, Embeddings, extra="forbid"):
    """Vectors of texts, from the embedding models that Runcrate serves.

    Setup:
        ```bash
        pip install "runcrate-integrations[langchain]"
        export RUNCRATE_API_KEY="rc_live_..."
        ```

    Key init args:
        model: Identifier of an embedding model, e.g. `"BAAI/bge-large-en-v1.5"`.
        dimensions: Length of the vectors, where the model can shorten them.
        query_prefix: Put before each query, for models that were trained so.
        long_text: Treatment of a text longer than the model reads.

    Key init args (client):
        api_key: Runcrate API key. Read from `RUNCRATE_API_KEY` if not given.
        base_url: Address of the API. Read from `RUNCRATE_API_BASE` if not given.
        timeout: Seconds of silence after which a request is given up.
        max_retries: Retries after the first attempt.
        chunk_size: Most texts in one request.
        max_concurrency: Most requests at the same time.

    Instantiate:
        ```python
        from langchain_runcrate import RuncrateEmbeddings

        embeddings = RuncrateEmbeddings(model="BAAI/bge-large-en-v1.5")
        ```

    Embed one text:
        ```python
        vector = embeddings.embed_query("Which GPU has the most memory?")
        print(len(vector))
        ```

    Embed several:
        ```python
        vectors = embeddings.embed_documents(["An H100 has 80 GB.", "An H200 has 141 GB."])
        ```

    Async:
        ```python
        vector = await embeddings.aembed_query("Which GPU has the most memory?")
        ```

    Texts are sent as text, never as tokens, so any OpenAI-compatible server understands them.
    Vectors come in the order of the texts, however many requests they took.
    """

    model: str
    """Identifier of an embedding model."""

    dimensions: int | None = Field(default=None, gt=0)
    """Length of the vectors, where the model can shorten them."""

    chunk_size: int = Field(default=64, gt=0)
    """Maximum texts in one request. Runcrate documents no limit; this is far below others'."""

    max_concurrency: int = Field(default=4, gt=0)
    """Maximum number of requests at the same time, when there are more texts than `chunk_size`."""

    query_prefix: str = ""
    """Put before each query; the BGE models were trained with one."""

    document_prefix: str = ""
    """Put before each document."""

    empty_text: str = Field(default="(empty)", min_length=1)
    """Sent for a text without any characters, for which servers refuse the complete request."""

    long_text: LongText = "average"
    """Treatment of a text longer than the model reads: `average` of its pieces' vectors,
    `truncate` to the first piece, or `send` it as it is."""

    max_tokens: int | None = Field(default=None, gt=0)
    """Tokens that the model reads, instead of the catalogue's. Texts are cut to fit an estimate."""

    model_kwargs: dict[str, Any] = Field(default_factory=dict)
    """Further fields of the request."""

    @field_validator("model_kwargs")
    @classmethod
    def _without_headers(cls, value: dict[str, Any]) -> dict[str, Any]:
        refuse_misplaced(value)
        return value

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Return the vector of each text, in order.

        After a failure no further request is sent, and a note of the error states how many texts
        were embedded before it.

        A lone surrogate in a text is sent as U+FFFD, and the position of the text is logged.

        Raises:
            TypeError: An item is not text; it is named, and nothing was sent.
            ModelError: As `ChatRuncrate` raises them.
        """
        done = embed_batches(
            partial(self._embed, prefix=self.document_prefix),
            self._batches(texts),
            max_concurrency=self.max_concurrency,
        )
        return [vector for vectors in done for vector in vectors]

    def embed_query(self, text: str) -> list[float]:
        """Return the vector of a query."""
        return self._embed(embeddable_texts([text]), self.query_prefix)[0]

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        """Return the vector of each text, in order; see `embed_documents`."""
        done = aembed_batches(
            partial(self._aembed, prefix=self.document_prefix),
            self._batches(texts),
            max_concurrency=self.max_concurrency,
        )
        return [vector async for vectors in done for vector in vectors]

    async def aembed_query(self, text: str) -> list[float]:
        """Return the vector of a query."""
        return (await self._aembed(embeddable_texts([text]), self.query_prefix))[0]

    def _embed(self, texts: list[str], prefix: str) -> list[list[float]]:
        pieces = self._pieces(texts, prefix)
        with translating_errors():
            create = self._sync_client().embeddings.create
            return pieces.joined(_vectors([create(**it) for it in self._requests(pieces)]))

    async def _aembed(self, texts: list[str], prefix: str) -> list[list[float]]:
        pieces = self._pieces(texts, prefix)
        with translating_errors():
            create = self._async_client().embeddings.create
            return pieces.joined(_vectors([await create(**it) for it in self._requests(pieces)]))

    def _batches(self, texts: list[str]) -> Iterator[list[str]]:
        return batches_of(embeddable_texts(texts), self.chunk_size)

    def _pieces(self, texts: list[str], prefix: str) -> Pieces:
        info = get_model_info(self.model)
        max_tokens = self.max_tokens or (info.context_window if info else None)
        filled = [text if text.strip() else self.empty_text for text in texts]
        return split_texts(
            filled, max_tokens, estimated_tokens, long_text=self.long_text, instruction=prefix
        )

    def _requests(self, pieces: Pieces) -> Iterator[dict[str, Any]]:
        dimensions = {} if self.dimensions is None else {"dimensions": self.dimensions}
        for texts in batches_of(pieces.texts, self.chunk_size):
            yield {"model": self.model, "input": texts, **dimensions, **self.model_kwargs}


def _vectors(responses: Sequence[EmbeddingsResponse]) -> list[list[float]]:
    return [item.embedding for response in responses for item in response.data]
