"""Real answers of OpenAI-compatible providers: the message says what the core read.

What the core reads of each is in its own `test_provider_responses`.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from langchain_core import exceptions as langchain

from langchain_runcrate import RuncrateResponseError, RuncrateStreamError
from runcrate_core import Runcrate
from runcrate_core.protocol.chat_types import extract_reasoning
from tests.langchain.chat_service import EVERY, KEY, STREAMED, chat, is_streamed
from tests.servers import Reply, ScriptedServer

FOLDER = Path(__file__).parents[3] / "shared" / "data" / "recorded"
pytestmark = pytest.mark.skipif(
    not FOLDER.exists(), reason="the folder with the recorded answers is absent"
)
REFUSALS = {
    "groq__tool_use_failed_error__0": (400, langchain.ModelInvalidRequestError),
    "groq__tool_regular_error__0": (404, langchain.ModelNotFoundError),
    "openrouter__openrouter_errors_raised__0": (429, langchain.ModelRateLimitError),
    "vercel_ai__moonshotai-error-live-message-only": (404, langchain.ModelNotFoundError),
    "groq__tool_use_failed_error_streaming__0": (200, RuncrateStreamError),
    "vercel_ai__groq-transcription-text": (200, RuncrateResponseError),
}
NAMES = sorted({path.name.partition(".response.")[0] for path in FOLDER.glob("*.response.*")})


def reply_of(name: str, status: int = 200) -> Reply:
    path = FOLDER / f"{name}.response.sse"
    if path.exists():
        return Reply(headers={"content-type": "text/event-stream"}, body=[path.read_bytes()])
    return Reply(status, json=json.loads((FOLDER / f"{name}.response.json").read_text()))


ANSWERS = [
    (name, ask)
    for name in NAMES
    for ask in EVERY
    if name not in REFUSALS and is_streamed(ask) == (FOLDER / f"{name}.response.sse").exists()
]


@pytest.mark.parametrize(("name", "ask"), ANSWERS)
@pytest.mark.parametrize("output_version", [None, "v1"])
def test_answers(name, ask, output_version):
    with ScriptedServer(reply_of(name)) as server:
        message = ask(chat(server, output_version=output_version))
        with Runcrate(KEY, inference_url=f"{server.url}/v1") as client:
            if is_streamed(ask):
                with client.chat.completions.stream(model="m", messages=[]) as stream:
                    list(stream)
                    core = stream.completion
            else:
                core = client.chat.completions.create(model="m", messages=[])
    [choice] = core.model_dump()["choices"]
    said = choice["message"]
    thoughts = extract_reasoning(said) or ""
    functions = [call["function"] for call in said.get("tool_calls") or ()]
    assert message.text == (said["content"] or "")
    assert [(call["name"], call["args"]) for call in message.tool_calls] == [
        (function["name"], json.loads(function["arguments"])) for function in functions
    ]
    assert all(call["id"] for call in message.tool_calls)
    blocks = message.content_blocks
    assert [block["type"] for block in blocks] == [
        *(["reasoning"] if thoughts else []),
        *(["text"] if said["content"] else []),
        *(["tool_call"] * len(functions)),
    ]
    assert not thoughts or blocks[0]["reasoning"] == thoughts
    assert message.usage_metadata["total_tokens"] == core.usage.total_tokens
    assert message.response_metadata["finish_reason"] == choice["finish_reason"]
    assert message.response_metadata["model_name"] == core.model


@pytest.mark.parametrize("name", REFUSALS)
def test_refusals_and_what_is_no_answer(name):
    status, kind = REFUSALS[name]
    with ScriptedServer(reply_of(name, status)) as server, pytest.raises(kind):
        STREAMED[0](chat(server)) if "streaming" in name else chat(server).invoke("Hi")
