"""`POST /embeddings`: vectors of hashed stems, so that similar texts are close together."""

import base64
import math
import struct
import zlib
from collections import Counter, defaultdict
from functools import lru_cache
from typing import Annotated, Final, Literal

from pydantic import Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from runcrate_emulator.bodies import OUT_OF_RANGE, OpenBody, Texts, parse_body, read_object, refuse
from runcrate_emulator.chat import tokens
from runcrate_emulator.errors import ApiError, invalid
from runcrate_emulator.inference.model_catalogue import Model
from runcrate_emulator.inference.requests import require_credit, required_model
from runcrate_emulator.stems import stems
from runcrate_emulator.world import World

_MAX_BATCH: Final = 2048
"""Texts in one request: the emulator's own limit, no document names any."""

_LETTERS: Final = 0.25
_GRAM: Final = 4
_HASHES: Final = 2
"""Places of the vector that each feature touches, so that a chance meeting weighs less."""


class _EmbeddingBody(OpenBody):
    input: Annotated[Texts, Field(max_length=_MAX_BATCH)]
    dimensions: Annotated[int, Field(ge=1)] | None = None
    encoding_format: Literal["float", "base64"] = "float"


async def create(request: Request) -> Response:
    """Turn one text or many into vectors."""
    world: World = request.app.state.world
    values = await read_object(request)
    require_credit(world)
    model = required_model(values, "embedding")
    body = parse_body(_EmbeddingBody, values)
    texts = _texts(body, model)
    own = model.dimensions or 0
    dimensions = body.dimensions or own
    if dimensions > own:
        refuse("dimensions", f"must be from 1 to {own}", OUT_OF_RANGE)
    encoded = body.encoding_format == "base64"
    counted = sum(tokens.count(text) for text in texts)
    world.charge_inference(
        model.id, model.cost_usd(counted), f"Embeddings with {model.id}", counted
    )
    vectors: list[list[float] | str] = []
    for text in texts:
        vector = embed(text, dimensions)
        packed = struct.pack(f"<{dimensions}f", *vector)  # little-endian 32-bit floats
        vectors.append(base64.b64encode(packed).decode() if encoded else vector)
    return JSONResponse(
        {
            "object": "list",
            "data": [
                {"object": "embedding", "index": at, "embedding": vector}
                for at, vector in enumerate(vectors)
            ],
            "model": values["model"],
            "usage": {"prompt_tokens": counted, "total_tokens": counted},
        }
    )


def _texts(body: _EmbeddingBody, model: Model) -> list[str]:
    texts = body.input
    if not texts:
        raise invalid("input", "must be a text or a list of at least one text.")
    for at, text in enumerate(texts):
        field = f"input[{at}]" if len(texts) > 1 else "input"
        if not text.strip():
            raise invalid(field, "is empty.")
        counted = tokens.count(text)
        if model.context_length and counted > model.context_length:
            raise ApiError(
                400,
                "context_length_exceeded",
                f"`{field}` has {counted} tokens; the model {model.id} takes "
                f"{model.context_length} at most.",
                details={"field": field},
            )
    return texts


def embed(text: str, dimensions: int) -> list[float]:
    """A vector of length 1 for a text; the same text always gives the same."""
    vector = [0.0] * dimensions
    for feature, value in _features(text).items():
        for place, sign in _places(feature, dimensions):
            vector[place] += sign * value
    length = math.sqrt(sum(value * value for value in vector))
    if not length:
        vector[0] = length = 1.0
    return [value / length for value in vector]


def _features(text: str) -> dict[str, float]:
    """Features of a text with their weights; repetitions weigh less and less."""
    found = stems(text)
    features: defaultdict[str, float] = defaultdict(float)
    for one, count in Counter(found).items():
        features[f"w:{one}"] = 1 + math.log(count)
        padded = f"^{one}$"
        for at in range(max(1, len(padded) - _GRAM + 1)):
            features[f"g:{padded[at : at + _GRAM]}"] += _LETTERS
    if not features:
        features[f"t:{text}"] = 1
    return features


@lru_cache(maxsize=65_536)
def _places(feature: str, dimensions: int) -> tuple[tuple[int, int], ...]:
    raw = feature.encode(errors="surrogatepass")
    return tuple(
        (hashed % dimensions, 1 if hashed >> 31 else -1)
        for hashed in (zlib.crc32(raw, seed) for seed in range(1, _HASHES + 1))
    )


routes = [Route("/embeddings", create, methods=["POST"])]
