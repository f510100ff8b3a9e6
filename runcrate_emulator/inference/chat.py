"""`POST /chat/completions`: a script, an upstream server or the default model replies."""

import json
from collections.abc import AsyncIterator
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from runcrate_emulator.bodies import read_object
from runcrate_emulator.chat.completion import Completion, choice_of, prompt_tokens
from runcrate_emulator.chat.default_model import reply_of_default_model
from runcrate_emulator.chat.request import ChatRequest
from runcrate_emulator.chat.request_body import parse
from runcrate_emulator.errors import ApiError
from runcrate_emulator.inference.model_catalogue import Model, find
from runcrate_emulator.inference.requests import require_credit, required_model
from runcrate_emulator.inference.upstream import forward
from runcrate_emulator.world import World

_UPSTREAM_CONTEXT: Final = 10_000_000
"""Tokens that a model of an upstream is taken to hold: the upstream knows better."""
_MODEL_OF_UPSTREAM: Final = Model(
    id="",
    kind="chat",
    input_modalities=("text", "image", "audio", "video", "file"),
    context_length=_UPSTREAM_CONTEXT,
    max_output_tokens=_UPSTREAM_CONTEXT,
)


async def create(request: Request) -> Response:
    """Reply to a conversation, complete or as a stream of server-sent events."""
    world: World = request.app.state.world
    body = await read_object(request)
    require_credit(world)
    upstream = world.chat_upstream
    if upstream is not None and not world.chat_script:
        return await forward(upstream, body)
    model_id = body.get("model")
    if upstream is not None and isinstance(model_id, str) and find(model_id) is None:
        model = _MODEL_OF_UPSTREAM.model_copy(update={"id": model_id})
    else:
        model = required_model(body, "chat")
    chat = parse(body, model)
    counted = _prompt_tokens(chat, model)
    reply = await world.chat_script.reply_to(chat)
    if reply is None and upstream is not None:
        return await forward(upstream, body)
    if reply is None:
        reply = reply_of_default_model(chat, has_reasoning="reasoning" in model.supported_features)
    completion = Completion(
        id=world.new_id("chatcmpl"),
        created=int(world.now().timestamp()),
        request=chat,
        prompt_tokens=counted,
        choices=[
            choice_of(reply, chat, model, index, lambda: world.new_id("call"))
            for index in range(chat.n)
        ],
    )
    world.charge_inference(
        model.id,
        model.cost_usd(counted, completion.completion_tokens),
        f"Chat with {model.id}",
        counted,
        completion.completion_tokens,
    )
    if chat.stream:
        return StreamingResponse(_events(completion), media_type="text/event-stream")
    return JSONResponse(completion.complete())


def _prompt_tokens(chat: ChatRequest, model: Model) -> int:
    """The tokens of the prompt, which must leave room for a reply."""
    counted = prompt_tokens(chat)
    room = (model.context_length or 0) - counted
    if room < (chat.max_tokens or 1):
        raise ApiError(
            400,
            "context_length_exceeded",
            f"The context of {model.id} has {model.context_length} tokens; the messages take "
            f"{counted} and the reply may take {chat.max_tokens or 1}. Send fewer, or ask for "
            "less.",
            details={"field": "messages"},
        )
    return counted


async def _events(completion: Completion) -> AsyncIterator[str]:
    for chunk in completion.chunks():
        yield f"data: {json.dumps(chunk, ensure_ascii=False)}\n\n"
    yield "data: [DONE]\n\n"


routes = [Route("/chat/completions", create, methods=["POST"])]
