"""Bodies of chat requests as frameworks send them, and a loop that runs tools as agents do."""

import inspect
import json
from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from runcrate_emulator import Emulator, Reply
from runcrate_emulator.chat.default_model import reply_of_default_model
from runcrate_emulator.chat.request_body import parse
from runcrate_emulator.inference.model_catalogue import find

MODEL = "google/gemini-2.5-flash"
Messages = Sequence[Mapping[str, Any]]


def ask(user: str | Messages, system: str = "", **fields: Any) -> Reply:
    """Reply of the default model to a request, without any server."""
    messages = [{"role": "user", "content": user}] if isinstance(user, str) else list(user)
    if system:
        messages = [{"role": "system", "content": system}, *messages]
    model = find(MODEL)
    assert model is not None
    request = parse({"model": MODEL, "messages": messages, **fields}, model)
    return reply_of_default_model(request, has_reasoning=True)


def calls(user: str | Messages, tools: Sequence[Any], **fields: Any) -> list[tuple[str, Any]]:
    """Names and arguments of the tools that a reply calls."""
    reply = ask(user, tools=list(tools), **fields)
    return [(call.name, json.loads(call.arguments)) for call in reply.calls]


def tool(
    name: str, description: str, required: Sequence[str] | None = None, /, **properties: Any
) -> dict[str, Any]:
    """A tool in OpenAI's form; a property is a type's name or a schema."""
    schemas = {
        key: {"type": value} if isinstance(value, str) else value
        for key, value in properties.items()
    }
    parameters = {
        "type": "object",
        "properties": schemas,
        "required": list(schemas if required is None else required),
    }
    function = {"name": name, "description": description, "parameters": parameters}
    return {"type": "function", "function": function}


def user(text: str) -> dict[str, Any]:
    """A user's message."""
    return {"role": "user", "content": text}


def called(call_id: str, name: str, /, **arguments: Any) -> dict[str, Any]:
    """An assistant's message that calls a tool."""
    function = {"name": name, "arguments": json.dumps(arguments)}
    call = {"id": call_id, "type": "function", "function": function}
    return {"role": "assistant", "content": "", "tool_calls": [call]}


def result(call_id: str, content: Any) -> dict[str, Any]:
    """A tool's message."""
    text = content if isinstance(content, str) else json.dumps(content)
    return {"role": "tool", "tool_call_id": call_id, "content": text}


def post_chat(
    emulator: Emulator, text: str = "Hello", *, timeout: float = 5, **body: Any
) -> httpx.Response:
    """Post a chat request; `model` and `messages` have defaults."""
    return httpx.post(
        f"{emulator.inference_url}/chat/completions",
        json={"model": "deepseek-ai/DeepSeek-V3.2", "messages": [user(text)], **body},
        headers={"Authorization": f"Bearer {emulator.api_key}"},
        timeout=timeout,
    )


def json_schema(name: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """A `response_format` with a schema."""
    return {"type": "json_schema", "json_schema": {"name": name, "schema": schema}}


async def settled(value: Any) -> Any:
    """The result of a blocking call, or of an awaited one."""
    return await value if inspect.isawaitable(value) else value


async def gathered(stream: Any) -> list[Any]:
    """All items of a blocking or an async stream."""
    stream = await settled(stream)
    if hasattr(stream, "__aiter__"):
        return [item async for item in stream]
    return list(stream)
