"""`POST /chat/completions`: answered by the simulation, or by a server that the user names."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from runcrate_emulator.bodies import read_object
from runcrate_emulator.errors import ApiError
from runcrate_emulator.inference.catalogued import required_model
from runcrate_emulator.inference.upstream import forwarded
from runcrate_emulator.simulation.catalogue import Model
from runcrate_emulator.simulation.chat_body import parse
from runcrate_emulator.simulation.completion import Usage, choice_of, prompt_tokens
from runcrate_emulator.simulation.conversation import ChatRequest, ToolCall
from runcrate_emulator.simulation.reply import Reply, reply
from runcrate_emulator.simulation.wire import END, Completion, event
from runcrate_emulator.world import World

_LONG: Final = 20_000
"""Characters from which a conversation takes noticeable time."""


async def create(request: Request) -> Response:
    """Answer a conversation, whole or as a stream of server-sent events."""
    world: World = request.app.state.world
    body = await read_object(request)
    world.require_credit()
    if world.chat_upstream is not None:
        return await forwarded(world.chat_upstream, body)
    model = required_model(body, "chat")
    chat = parse(body, model)
    counted = _counted(chat, model)
    made = await _replied(chat)
    completion = _completion(world, chat, model, made, counted)
    world.charge_inference(
        model=model.id,
        cost_usd=model.cost_usd(completion.usage.prompt, completion.usage.completion),
        prompt_tokens=completion.usage.prompt,
        completion_tokens=completion.usage.completion,
        description=f"Chat with {model.id}",
    )
    if chat.stream:
        return StreamingResponse(_events(world, completion), media_type="text/event-stream")
    return JSONResponse(completion.whole())


def _counted(chat: ChatRequest, model: Model) -> int:
    """The tokens of the prompt, which must leave room for an answer."""
    counted = prompt_tokens(chat)
    room = (model.context_length or 0) - counted
    if room < (chat.max_tokens or 1):
        raise ApiError(
            400,
            "context_length_exceeded",
            f"The model {model.id} holds {model.context_length} "
            f"tokens; the messages have {counted} "
            f"and the answer may have {chat.max_tokens or 1}. Send fewer, or ask for less.",
            details={"field": "messages"},
        )
    return counted


async def _replied(chat: ChatRequest) -> Reply:
    """The reply; long texts and files are worked on in a thread, so that others stay quick."""
    length = sum(len(message.text) for message in chat.messages)
    if length > _LONG or any(message.attachments for message in chat.messages):
        return await asyncio.to_thread(reply, chat)
    return reply(chat)


def _completion(
    world: World, chat: ChatRequest, model: Model, made: Reply, counted: int
) -> Completion:
    choices = tuple(
        choice_of(
            made,
            [ToolCall(world.new_id("call"), one.name, one.arguments) for one in made.calls],
            chat,
            model,
        )
        for _ in range(chat.n)
    )
    usage = Usage(
        prompt=counted,
        cached=world.seen_prompts.cached_tokens(model.id, chat.messages),
        completion=sum(choice.size for choice in choices),
        reasoning=sum(len(choice.thoughts) for choice in choices),
    )
    return Completion(
        id=world.new_id("chatcmpl"),
        created=int(world.now().timestamp()),
        model=chat.model,
        choices=choices,
        usage=usage,
        top_logprobs=chat.top_logprobs if chat.logprobs else None,
        include_usage=chat.include_usage,
    )


async def _events(world: World, completion: Completion) -> AsyncIterator[bytes]:
    """The events of a stream, at the pace of `World.chat_tokens_per_second`."""
    for chunk, size in completion.chunks():
        if size and world.chat_tokens_per_second:
            await world.clock.sleep(size / world.chat_tokens_per_second)
        yield event(chunk)
    yield END


routes = [Route("/chat/completions", create, methods=["POST"])]
