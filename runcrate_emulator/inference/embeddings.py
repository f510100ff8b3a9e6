"""`POST /embeddings`."""

from typing import Annotated, Final, Literal

from pydantic import Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from runcrate_emulator.bodies import OUT_OF_RANGE, OpenBody, Texts, parse_body, read_object, refuse
from runcrate_emulator.chat import tokens
from runcrate_emulator.errors import ApiError, invalid
from runcrate_emulator.inference.embedding_vectors import as_base64, embed
from runcrate_emulator.inference.model_catalogue import Model
from runcrate_emulator.inference.requests import require_credit, required_model
from runcrate_emulator.world import World

_MAX_BATCH: Final = 2048
"""Texts in one request: the emulator's own limit, no document names any."""


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
    vectors = [embed(text, dimensions) for text in texts]
    return JSONResponse(
        {
            "object": "list",
            "data": [
                {
                    "object": "embedding",
                    "index": at,
                    "embedding": as_base64(vector) if encoded else vector,
                }
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


routes = [Route("/embeddings", create, methods=["POST"])]
