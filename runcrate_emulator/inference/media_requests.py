"""Fields that requests for images, videos and audio share."""

import asyncio
from collections.abc import Callable
from typing import Annotated, ParamSpec, TypeVar

from pydantic import Field
from starlette.requests import Request

from runcrate_emulator.bodies import OpenBody, Text

P = ParamSpec("P")
T = TypeVar("T")

MIN_SIDE_PX = 256
MAX_SIDE_PX = 2048
_RANDOM_SEED_BITS = 32
_AT_ONCE = 2  # more threads of Python code would only keep the event loop waiting for its turn


Side = Annotated[int, Field(ge=MIN_SIDE_PX, le=MAX_SIDE_PX)]


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
    drawn: int = request.app.state.world.random.getrandbits(_RANDOM_SEED_BITS)
    return drawn


def absolute_url(request: Request, path: str) -> str:
    """Turn a path on the emulator into a URL as the client knows the emulator."""
    return str(request.base_url).rstrip("/") + path


async def in_thread(request: Request, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Do heavy work in a thread, a little of it at a time, so that other requests stay quick."""
    state = request.app.state
    if not hasattr(state, "media_work"):
        state.media_work = asyncio.Semaphore(_AT_ONCE)
    async with state.media_work:
        return await asyncio.to_thread(work, *args, **kwargs)
