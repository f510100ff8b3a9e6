"""`GET /models`: answers without a key, as official software calls it."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from runcrate_emulator.inference.model_catalogue import MODELS


async def list_all(_: Request) -> Response:
    """List every model, with what it reads, makes and supports."""
    return JSONResponse({"object": "list", "data": [model.listed() for model in MODELS]})


routes = [Route("/models", list_all, methods=["GET"])]
