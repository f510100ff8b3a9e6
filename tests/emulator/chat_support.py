"""Chat requests as frameworks send them, and their responses as clients read them."""

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


def choice_of(answer: httpx.Response) -> dict[str, Any]:
    """The first choice of a complete response."""
    assert answer.status_code == 200, answer.text
    choice: dict[str, Any] = answer.json()["choices"][0]
    return choice


def events(answer: httpx.Response) -> list[Any]:
    """The events of a stream, its end mark checked and taken off."""
    assert answer.headers["content-type"].startswith("text/event-stream")
    lines = [line for line in answer.text.split("\n\n") if line]
    assert all(line.startswith("data: ") for line in lines)
    assert lines.pop() == "data: [DONE]"
    return [json.loads(line.removeprefix("data: ")) for line in lines]


def folded(chunks: Sequence[Any], index: int = 0) -> tuple[dict[str, Any], list[str]]:
    """The deltas of one choice of a stream as a message, and its finish reasons."""
    message: dict[str, Any] = {}
    finishes = []
    for chunk in chunks:
        for choice in (one for one in chunk["choices"] if one["index"] == index):
            for key, value in choice["delta"].items():
                if key != "tool_calls":
                    message[key] = message.get(key, "") + value
                    continue
                for part in value:
                    _add_part(message.setdefault("tool_calls", []), part)
            if choice["finish_reason"]:
                finishes.append(choice["finish_reason"])
    return message, finishes


def _add_part(calls: list[dict[str, Any]], part: dict[str, Any]) -> None:
    """Begin a call, with its id and name, or add to the arguments of one."""
    if "id" in part:
        assert (part["index"], part["type"]) == (len(calls), "function")
        calls.append(dict(part["function"]))
    else:
        assert part["function"].keys() == {"arguments"}
        calls[part["index"]]["arguments"] += part["function"]["arguments"]
