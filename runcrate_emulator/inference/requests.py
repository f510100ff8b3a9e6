"""Common parts of inference requests: the model that they name, fields of drawings, heavy work."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Annotated, Any, ParamSpec, TypeVar

from pydantic import Field
from starlette.requests import Request

from runcrate_emulator.bodies import OUT_OF_RANGE, OpenBody, Text
from runcrate_emulator.errors import ApiError, invalid
from runcrate_emulator.inference.model_catalogue import Kind, Model, find
from runcrate_emulator.infrastructure import credit
from runcrate_emulator.world import World

P = ParamSpec("P")
T = TypeVar("T")

MIN_SIDE_PX = 256
MAX_SIDE_PX = 2048
_RANDOM_SEED_BITS = 32

Side = Annotated[int, Field(ge=MIN_SIDE_PX, le=MAX_SIDE_PX)]


def required_model(body: Mapping[str, Any], kind: Kind) -> Model:
    """The catalogue's model of a body; 404 for an unknown one, 422 for one of another kind."""
    model_id = body.get("model")
    if not isinstance(model_id, str) or not model_id:
        raise invalid("model", "must name a model of `GET /v1/models`.")
    model = find(model_id)
    if model is None:
        raise ApiError(
            404,
            "model_not_found",
            f"There is no model {model_id!r} in the catalogue.",
            details={"field": "model"},
        )
    if model.kind != kind:
        problem = f"names {model_id!r}, a model for {model.kind}, not for {kind}."
        raise invalid("model", problem, OUT_OF_RANGE)
    return model


def require_credit(world: World) -> None:
    """Refuse a request that the balance or the default environment's budget does not cover."""
    credit.require_credit(world, world.environment(), "run")


def too_large(field: str, problem: str) -> ApiError:
    """The 413 for a file; `problem` follows the name of the field."""
    return ApiError(413, "payload_too_large", f"`{field}` {problem}", details={"field": field})


class DrawingBody(OpenBody):
    """Fields that requests for images and for videos share."""

    prompt: Text
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    width: Side | None = None
    height: Side | None = None


def seed_of(request: Request, body: DrawingBody) -> int:
    """Return the seed of a request, or draw one."""
    if body.seed is not None:
        return body.seed
    return int(request.app.state.world.random.getrandbits(_RANDOM_SEED_BITS))


async def in_thread(request: Request, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Do heavy work in a thread, a little of it at a time, so that other requests stay quick."""
    async with request.app.state.media_work:
        return await asyncio.to_thread(work, *args, **kwargs)
