"""Structured prediction: three ways to ask, the fall-back between them, and streamed partials."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from typing import Any

import pytest
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.llms import TextBlock
from llama_index.core.program.utils import FlexibleModel
from llama_index.core.prompts import ChatPromptTemplate
from llama_index.core.types import PydanticProgramMode
from pydantic import BaseModel, ConfigDict, Field

from llamaindex_runcrate.schemas import response_format
from runcrate_core import AuthenticationError, BadRequestError, UnprocessableEntityError
from tests.chat_service import completion, refusal
from tests.llamaindex.calls import PREDICTIONS as WAYS
from tests.llamaindex.calls import PROMPT, collected, predict
from tests.schemas import ALBUM, Album, Report, Song

OBJECT = Album.model_validate_json(ALBUM)
STREAMS = WAYS[2:]


def schema_answer(body: dict[str, Any]) -> Any:
    """A service that follows schemas only."""
    return completion(ALBUM) if "response_format" in body else refusal()


def tool_answer(body: dict[str, Any]) -> Any:
    """A service that calls tools only."""
    return completion(calls=[("c", "Album", ALBUM)]) if "tools" in body else refusal(422)


def prompt_answer(body: dict[str, Any]) -> Any:
    """A service that knows neither."""
    if "tools" in body or "response_format" in body:
        return refusal()
    return completion(f"Sure!\n```json\n{ALBUM}\n```\nEnjoy.")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("model", "answer", "asked"),
    [
        ("some/model", schema_answer, ["response_format"]),
        ("some/model", tool_answer, ["response_format", "tools"]),
        ("some/model", prompt_answer, ["response_format", "tools", None]),
        ("google/gemma-2-9b-it", prompt_answer, [None]),  # it cannot do the others
    ],
)
async def test_the_next_way_is_tried_until_one_works(made_llm, service, way, model, answer, asked):
    service.decides(answer)
    llm = made_llm(model=model)
    assert (await predict(llm, way, Album))[-1] == OBJECT
    kinds = [
        next((kind for kind in ("response_format", "tools") if kind in body), None)
        for body in service.requests
    ]
    assert kinds == asked
    (message,) = service.last["messages"]
    assert "About the sea." in message["content"]
    assert ('"seconds"' in message["content"]) == (answer is prompt_answer)
    # What was refused once is not tried again.
    assert (await predict(llm, way, Album))[-1] == OBJECT
    assert len(service.requests) == len(asked) + 1


@pytest.mark.parametrize("way", WAYS)
async def test_an_answer_that_is_no_object_leads_to_the_next_way(made_llm, service, way):
    service.will_say(completion("I would rather talk."), completion(calls=[("c", "Album", ALBUM)]))
    assert (await predict(made_llm(), way, Album))[-1] == OBJECT
    assert len(service.requests) == 2
    service.will_say(completion('{"title": "Sea", "songs": [{"name": "One"}]}'))
    missing = r"no `Album`: `songs\.0\.seconds`: Field required"
    with pytest.raises(ValueError, match=missing) as caught:
        await predict(made_llm(), way, Album)
    assert "json_schema, tool, prompt" in str(caught.value)
    assert "Sea" not in str(caught.value)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("status", "kind"), [(400, BadRequestError), (422, UnprocessableEntityError)]
)
async def test_where_all_is_refused_the_first_refusal_is_raised(
    made_llm, service, way, status, kind
):
    service.will_say(refusal(status, "the first"), refusal(400, "another"))
    llm = made_llm()
    with pytest.raises(kind, match="the first"):
        await predict(llm, way, Album)
    service.decides(schema_answer)  # nothing was learned: the request itself was at fault
    assert (await predict(llm, way, Album))[-1] == OBJECT
    assert len(service.requests) == 4


@pytest.mark.parametrize("way", WAYS)
async def test_other_errors_are_not_worked_around(made_llm, service, way):
    service.will_say(refusal(401))
    with pytest.raises(AuthenticationError):
        await predict(made_llm(), way, Album)
    assert len(service.requests) == 1
    enforcer = made_llm(pydantic_program_mode=PydanticProgramMode.LM_FORMAT_ENFORCER)
    with pytest.raises(ImportError, match="lmformatenforcer"):
        await predict(enforcer, way, Album)


@pytest.mark.parametrize("way", [WAYS[0], WAYS[3]])
@pytest.mark.parametrize("method", ["json_schema", "prompt"])
@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"```json\n{ALBUM}\n```", ALBUM),
        (f"<think>Is {{this}} it? {{}}</think>\n{ALBUM}", ALBUM),
        (f"no opening tag</think>{ALBUM}", ALBUM),
        (f"As in [1], {{braces}}: {ALBUM} Done {{}}.", ALBUM),
        (f"Schema: {json.dumps(Report.model_json_schema())}\n\n```json\n{ALBUM}\n```", ALBUM),
        (f'Input was {{"text": "alpha"}}. Result: {ALBUM}', ALBUM),
        (f"Twice the same: {ALBUM} {ALBUM}", ALBUM),
        ('Example: {"title": "x"}. Answer: {"title": "y"}', None),
        ('{"Report": {"title": "x"}}', None),
        ("Nothing to report: {}", None),
        ('<think>maybe {"title": "x"}', None),
        ('{"title": "x"} and {"title": "y', None),
        ("I would rather talk.", None),
    ],
)
async def test_the_object_is_found_where_the_answer_has_one_only(
    made_llm, service, way, method, text, found
):
    service.will_say(completion(text))
    llm = made_llm(structured_output=method)
    if found is None:
        with pytest.raises(ValueError, match="holds no `Report`"):
            await predict(llm, way, Report)
    else:
        assert (await predict(llm, way, Report))[-1] == Report.model_validate_json(found)


@pytest.mark.parametrize("way", WAYS)
async def test_thoughts_hold_the_object_only_where_nothing_else_was_said(made_llm, service, way):
    service.will_say(completion(None, reasoning_content=f"So: {ALBUM}"))
    assert (await predict(made_llm(), way, Album))[-1] == OBJECT
    service.will_say(completion('<think>{"title": "Wrong"}</think>{"title": "Sea", "songs": []}'))
    partials = await predict(made_llm(structured_output="json_schema"), way, Album)
    assert all((getattr(p, "title", None) or "") in "Sea" for p in partials)


@pytest.mark.parametrize("way", STREAMS)
@pytest.mark.parametrize("answer", [schema_answer, tool_answer, prompt_answer])
async def test_partials_grow_and_never_show_half_a_number(made_llm, service, way, answer):
    service.decides(answer)
    partials = await predict(made_llm(), way, Album)
    assert len(partials) > 8
    titles = [getattr(partial, "title", None) for partial in partials]
    assert titles[0] in {"S", "Se"}
    assert titles[-1] == "Sea"
    seconds = {
        song["seconds"]
        for partial in partials
        for song in partial.model_dump().get("songs") or []
        if song["seconds"] is not None
    }
    assert seconds == {61, 62}
    assert all(isinstance(partial, FlexibleModel) for partial in partials[:-1])
    assert isinstance(partials[-1], Album)


def test_the_ways_can_be_chosen(made_llm, service):
    service.decides(tool_answer)
    assert made_llm(structured_output="tool").structured_predict(Album, PROMPT, topic="x") == OBJECT
    by_mode = made_llm(pydantic_program_mode=PydanticProgramMode.FUNCTION)
    assert by_mode.structured_predict(Album, PROMPT, topic="x") == OBJECT
    assert len(service.requests) == 2
    service.decides(prompt_answer)
    by_mode = made_llm(pydantic_program_mode=PydanticProgramMode.LLM)
    assert by_mode.structured_predict(Album, PROMPT, topic="x") == OBJECT
    with pytest.raises(BadRequestError):
        made_llm(structured_output="json_schema").structured_predict(Album, PROMPT, topic="x")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("method", ["json_schema", "tool", "prompt"])
async def test_the_callers_arguments_and_the_system_prompt_go_along(made_llm, service, way, method):
    call = completion(calls=[("c", "Album", ALBUM)])
    service.will_say(call if method == "tool" else completion(ALBUM))
    llm = made_llm(system_prompt="Be exact.", structured_output=method)
    arguments = {"temperature": 0.2, "tool_required": True, "tool_choice": "required"}
    assert (await predict(llm, way, Album, **arguments))[-1] == OBJECT
    assert service.last["temperature"] == 0.2
    assert "tool_required" not in service.last
    assert service.last.get("tool_choice") == ("required" if method == "tool" else None)
    assert service.last.get("parallel_tool_calls") == (False if method == "tool" else None)
    assert service.last["messages"][0] == {"role": "system", "content": "Be exact."}


def test_strict_schemas_of_fields_that_are_called_like_parts_of_a_schema():
    class Named(BaseModel):
        model_config = ConfigDict(title="Named: thing")
        properties: dict[str, int] = Field(default_factory=dict)
        song: Song | None = None

    wire = response_format(Named, strict=True)["json_schema"]
    assert (wire["name"], wire["strict"]) == ("Named__thing", True)
    assert wire["schema"]["properties"]["properties"]["type"] == "object"
    assert wire["schema"]["required"] == ["properties", "song"]


def test_strict_classes_are_read_as_json(made_llm, service):
    class Day(BaseModel):
        model_config = ConfigDict(strict=True)
        day: dt.date
        pair: tuple[int, int]

    service.will_say(completion('{"day": "2026-11-21", "pair": [1, 2]}'))
    day = made_llm().structured_predict(Day, PROMPT, topic="x")
    assert day == Day(day=dt.date(2026, 11, 21), pair=(1, 2))


def test_the_last_message_is_not_changed_by_the_schema_in_words(made_llm, service):
    service.decides(prompt_answer)
    message = ChatMessage(role="user", blocks=[TextBlock(text="About the sea.")])
    prompt = ChatPromptTemplate(message_templates=[message])
    assert made_llm().structured_predict(Album, prompt) == OBJECT
    assert message.blocks == [TextBlock(text="About the sea.")]
    history = [*prompt.message_templates, ChatMessage(role="assistant", content="Hm.")]
    assert made_llm().structured_predict(Album, ChatPromptTemplate(history)) == OBJECT
    assert [m["role"] for m in service.last["messages"]] == ["user", "assistant", "user"]


async def test_a_stream_that_is_left_early_is_closed_at_once(made_llm, service):
    service.decides(schema_answer)
    llm = made_llm()
    partials = llm.stream_structured_predict(Album, PROMPT, topic="x")
    next(partials)
    partials.close()
    apartials = await llm.astream_structured_predict(Album, PROMPT, topic="x")
    await anext(apartials)
    await apartials.aclose()
    await asyncio.sleep(0.01)  # the event loop closes what LlamaIndex's wrapper has left
    assert [body.closed for body in service.bodies] == [True, True]
    assert all(body.read < len(body.pieces) for body in service.bodies)


async def test_a_structured_llm_without_tools_sends_no_tool_choice(made_llm, service):
    service.decides(prompt_answer)
    llm = made_llm(is_function_calling_model=False).as_structured_llm(Album)
    for way in ("complete", "acomplete"):
        assert (await collected(getattr(llm, way)("x")))[-1].raw == OBJECT
    assert not any("tool_choice" in request for request in service.requests)
