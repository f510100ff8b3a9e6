"""Embeddings: vectors of texts.

Facts: the reference page of the endpoint (tag "Embeddings" of seed 001).
"""

from __future__ import annotations

import array
import base64
import binascii
import math
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from runcrate_core.api.envelope import ApiModel, validated
from runcrate_core.api.resources import AsyncResource, SyncResource, async_endpoint, endpoint
from runcrate_core.protocol.embeddable_texts import embeddable_texts
from runcrate_core.protocol.json_body import without_none
from runcrate_core.protocol.request import Request, RetrySafety, Surface, json_request
from runcrate_core.protocol.response import Response, ResponseInfo, json_object, malformed
from runcrate_core.protocol.steps import Call
from runcrate_core.protocol.timeouts import TimeoutLike


class Embedding(ApiModel):
    """One vector.

    Attributes:
        index: Position of its text in the input.
        embedding: The numbers, whichever encoding they were sent in.
    """

    index: int = 0
    embedding: list[float]


class EmbeddingUsage(ApiModel):
    """Tokens of the input."""

    prompt_tokens: int | None = None
    total_tokens: int | None = None


class Embeddings(ApiModel):
    """The vectors, in the order of the texts."""

    data: list[Embedding]
    model: str = ""
    usage: EmbeddingUsage | None = None


def create(
    *,
    model: str,
    input: str | Sequence[str],  # noqa: A002 - the API's name
    encoding_format: Literal["float", "base64"] | None = None,
    dimensions: int | None = None,
    user: str | None = None,
    extra_headers: Mapping[str, str] | None = None,
    timeout: float | TimeoutLike | None = None,
    **extra: Any,
) -> Call[Embeddings]:
    """Embed texts.

    Args:
        model: Identifier of an embedding model.
        input: A text, or several.
        encoding_format: How the numbers travel; base64 is a third of the size. They are returned
            as numbers either way.
        dimensions: Length of the vectors, where the model can shorten them.
        user: Your own user's identifier, passed on.
        extra_headers: Headers of this call.
        timeout: Seconds of silence while waiting for the response.
        extra: Any other field, passed on to the model's provider.

    Raises:
        ValueError: `input` is empty; nothing was sent.
        TypeError: An item is not text; it is named and nothing was sent.
        ResponseFormatError: There is not one vector for each text, or they are of different
            lengths, empty or not finite.

    Example:
        ```python
        vectors = client.embeddings.create(
            model="BAAI/bge-large-en-v1.5", input=["a GPU", "a graphics card"]
        )
        print(len(vectors.data[0].embedding))
        ```
    """
    if isinstance(input, str):
        texts: str | list[str] = embeddable_texts([input])[0]
    else:
        texts = embeddable_texts(input)
    if not texts:
        raise ValueError("`input` is empty. Nothing was sent.")
    request = json_request(
        Surface.INFERENCE,
        "POST",
        "/embeddings",
        retry=RetrySafety.SAFE,
        body=without_none(
            model=model,
            input=texts,
            encoding_format=encoding_format,
            dimensions=dimensions,
            user=user,
            **extra,
        ),
        headers=extra_headers,
        timeout=timeout,
    )
    expected = 1 if isinstance(texts, str) else len(texts)
    return Call(request, lambda response: _read(response, request, expected))


def _read(response: Response, request: Request, expected: int) -> Embeddings:
    value = json_object(response, request)
    items = value.get("data")
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise malformed(response, request, "`data` is not a list of objects")
    if len(items) != expected:
        raise malformed(response, request, f"it holds {len(items)} vectors for {expected} texts")
    try:
        for item in items:
            item["embedding"] = _numbers(item.get("embedding"))
    except (binascii.Error, ValueError):
        raise malformed(response, request, "a vector is not valid base64") from None
    for position, item in enumerate(items):
        if item.get("index") is None:
            item["index"] = position
        if not item["embedding"]:
            raise malformed(response, request, f"the vector of text {item['index']} is empty")
    result = validated(Embeddings, value, response, request)
    lengths = {len(item.embedding) for item in result.data}
    if len(lengths) > 1:
        listed = ", ".join(map(str, sorted(lengths)))
        raise malformed(response, request, f"its vectors have different lengths ({listed})")
    for item in result.data:
        if not math.isfinite(sum(item.embedding)):
            raise malformed(
                response, request, f"the vector of text {item.index} holds NaN or an infinity"
            )
    result.data.sort(key=lambda item: item.index)
    return result.with_response(ResponseInfo(response.status, response.headers))


def _numbers(embedding: Any) -> Any:
    if not isinstance(embedding, str):
        return embedding
    numbers = array.array("f", base64.b64decode(embedding, validate=True))
    if sys.byteorder == "big":  # pragma: no cover - the wire is little-endian
        numbers.byteswap()
    return numbers.tolist()


class EmbeddingsResource(SyncResource):
    """`client.embeddings`."""

    create = endpoint(create)


class AsyncEmbeddingsResource(AsyncResource):
    """`client.embeddings` of the asynchronous client."""

    create = async_endpoint(create)
