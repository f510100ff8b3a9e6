"""Fields that requests for images, videos and audio share."""

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from starlette.requests import Request

from runcrate_emulator.bodies import Fields

__all__ = [
    "MAX_SIDE_PX",
    "MIN_SIDE_PX",
    "absolute_url",
    "in_thread",
    "seed_of",
]

P = ParamSpec("P")
T = TypeVar("T")

MIN_SIDE_PX = 256
MAX_SIDE_PX = 2048
_SEED_BITS = 63
_RANDOM_SEED_BITS = 32
_AT_ONCE = 2  # more threads of Python code would only keep the event loop waiting for its turn


def seed_of(request: Request, fields: Fields) -> int:
    """Read `seed`, or draw one."""
    seed = fields.integer("seed", -(2**_SEED_BITS), 2**_SEED_BITS - 1)
    if seed is not None:
        return seed
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
