"""`POST /embeddings`."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from runcrate_emulator.bodies import read_object
from runcrate_emulator.chat import tokens
from runcrate_emulator.errors import ApiError, invalid
from runcrate_emulator.inference.catalogued import required_model
from runcrate_emulator.inference.embedding_vectors import as_base64, embed
from runcrate_emulator.inference.model_catalogue import Model

if TYPE_CHECKING:
    from runcrate_emulator.world import World

_MAX_BATCH: Final = 2048
"""Texts in one request: the emulator's own limit, no document names any."""


async def create(request: Request) -> Response:
    """Turn one text or many into vectors."""
    world: World = request.app.state.world
    body = await read_object(request)
    world.require_credit()
    model = required_model(body, "embedding")
    texts = _texts(body.get("input"), model)
    dimensions = _dimensions(body, model)
    encoded = _is_base64(body)
    counted = sum(tokens.count(text) for text in texts)
    world.charge_inference(
        model=model.id,
        cost_usd=model.cost_usd(counted),
        prompt_tokens=counted,
        completion_tokens=0,
        description=f"Embeddings with {model.id}",
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
            "model": body["model"],
            "usage": {"prompt_tokens": counted, "total_tokens": counted},
        }
    )


def _texts(value: Any, model: Model) -> list[str]:
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not texts or not all(isinstance(t, str) for t in texts):
        raise invalid("input", "must be a text or a list of at least one text.")
    if len(texts) > _MAX_BATCH:
        raise invalid("input", f"may hold {_MAX_BATCH} texts at most; got {len(texts)}.", 422)
    for at, text in enumerate(texts):
        field = "input" if isinstance(value, str) else f"input[{at}]"
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


def _dimensions(body: Mapping[str, Any], model: Model) -> int:
    own = model.dimensions or 0
    wanted = body.get("dimensions")
    if wanted is None:
        return own
    if isinstance(wanted, bool) or not isinstance(wanted, int):
        raise invalid("dimensions", "must be an integer.")
    if not 1 <= wanted <= own:
        raise invalid("dimensions", f"must be from 1 to {own}; got {wanted}.", 422)
    return wanted


def _is_base64(body: Mapping[str, Any]) -> bool:
    wanted = body.get("encoding_format") or "float"
    if wanted not in {"float", "base64"}:
        raise invalid("encoding_format", "must be `float` or `base64`.")
    return bool(wanted == "base64")


routes = [Route("/embeddings", create, methods=["POST"])]
