"""Embeddings for LangChain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_core.embeddings import Embeddings
from pydantic import Field, field_validator

from langchain_runcrate.arguments import refuse_misplaced
from langchain_runcrate.connection import RuncrateConnection
from langchain_runcrate.errors import translating_errors
from runcrate_core.toolkit import aembed_batches, batches_of, embed_batches, embeddable_texts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runcrate_core import Embeddings as EmbeddingsResponse


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
            self._embed, self._batches(texts), max_concurrency=self.max_concurrency
        )
        return [vector for vectors in done for vector in vectors]

    def embed_query(self, text: str) -> list[float]:
        """Return the vector of a query."""
        return self._embed(self._sendable([text], self.query_prefix))[0]

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        """Return the vector of each text, in order; see `embed_documents`."""
        done = aembed_batches(
            self._aembed, self._batches(texts), max_concurrency=self.max_concurrency
        )
        return [vector async for vectors in done for vector in vectors]

    async def aembed_query(self, text: str) -> list[float]:
        """Return the vector of a query."""
        return (await self._aembed(self._sendable([text], self.query_prefix)))[0]

    def _embed(self, texts: list[str]) -> list[list[float]]:
        with translating_errors():
            client = self._sync_client()
            return _vectors(client.embeddings.create(**self._request(texts)))

    async def _aembed(self, texts: list[str]) -> list[list[float]]:
        with translating_errors():
            client = self._async_client()
            return _vectors(await client.embeddings.create(**self._request(texts)))

    def _batches(self, texts: list[str]) -> Iterator[list[str]]:
        if isinstance(texts, str):
            raise TypeError("`texts` must be a list of texts, not one text. Nothing was sent.")
        return batches_of(self._sendable(texts, self.document_prefix), self.chunk_size)

    def _sendable(self, texts: list[str], prefix: str) -> list[str]:
        return [
            prefix + (text if text.strip() else self.empty_text) for text in embeddable_texts(texts)
        ]

    def _request(self, texts: list[str]) -> dict[str, Any]:
        dimensions = {} if self.dimensions is None else {"dimensions": self.dimensions}
        return {"model": self.model, "input": texts, **dimensions, **self.model_kwargs}


def _vectors(response: EmbeddingsResponse) -> list[list[float]]:
    return [item.embedding for item in response.data]
