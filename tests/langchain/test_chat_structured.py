"""Structured output: three methods, the choice between them, and why there is no answer."""

from __future__ import annotations

import json
from datetime import date
from typing import Annotated, Any, NotRequired, Required

import pytest
from langchain_core.exceptions import ModelError, OutputParserException
from pydantic import BaseModel, ConfigDict, Field, RootModel, model_validator
from pydantic.v1 import BaseModel as BaseModelV1
from typing_extensions import TypedDict

from langchain_runcrate import ChatRuncrate, RuncrateRefusalError, errors
from langchain_runcrate.json_schemas import function_of, json_schema_of
from langchain_runcrate.structured_parsers import RawResponseParser, StructuredResponseParser
from tests.langchain.chat_service import Recorder, chat, streamed, structured, whole
from tests.schemas import FOLDER, HOME, Folder, Home, problems, sent_schema
from tests.servers import ScriptedServer

METHODS = ["json_schema", "function_calling", "json_mode"]


class Joke(BaseModel):
    """A joke."""

    setup: str = Field(description="The question")
    punchline: str | None = None


class JokeV1(BaseModelV1):
    """A joke."""

    setup: str


class Topic(TypedDict, total=False):
    """A topic."""

    name: Required[str]
    rank: int


class OptionalKeys(TypedDict):
    """Keys that may be left out."""

    topic: Topic
    others: NotRequired[list[Topic]]
    note: NotRequired[Annotated[str, ..., "A remark."]]


@pytest.mark.parametrize("method", METHODS)
def test_keys_of_a_dict_that_may_be_left_out(method):
    said = {"topic": {"name": "cats"}}
    call = {"id": "c", "function": {"name": "OptionalKeys", "arguments": json.dumps(said)}}
    reply = whole({"content": json.dumps(said), "tool_calls": [call]})
    topic = {
        "description": "A topic.",
        "type": "object",
        "properties": {"name": {"type": "string"}, "rank": {"type": "integer"}},
        "required": ["name"],
    }
    schema = json_schema_of(OptionalKeys)
    assert schema["required"] == ["topic"]
    assert schema["properties"]["others"]["items"] == schema["properties"]["topic"] == topic
    assert schema["properties"]["note"] == {"description": "A remark.", "type": "string"}
    formats = ({"name": "OptionalKeys", "schema": schema}, function_of(OptionalKeys))
    wrapped = {"type": "json_schema", "json_schema": formats[0]}
    for given in (OptionalKeys, *formats, wrapped, {"type": "function", "function": formats[1]}):
        with ScriptedServer(reply) as server:
            assert chat(server).with_structured_output(given, method=method).invoke("x") == said
        assert "topic" in str(server.received[0].json)


class JokeDict(TypedDict):
    """A joke."""

    setup: str


JSON_SCHEMA = Joke.model_json_schema()
FUNCTION = {"name": "Joke", "description": "A joke.", "parameters": JokeV1.schema()}
TEXT = '{"setup": "Why?"}'


SCHEMAS = [
    (Joke, Joke(setup="Why?"), "Joke"),
    (JokeV1, JokeV1(setup="Why?"), "JokeV1"),
    (JokeDict, {"setup": "Why?"}, "JokeDict"),
    (JSON_SCHEMA, {"setup": "Why?"}, "Joke"),
    (FUNCTION, {"setup": "Why?"}, "Joke"),
]


@pytest.mark.parametrize(("schema", "expected", "name"), SCHEMAS)
@pytest.mark.parametrize("strict", [None, True, False])
@pytest.mark.parametrize("method", METHODS)
def test_each_schema_by_each_method(method, strict, schema, expected, name):
    options = {} if method == "json_mode" else {"strict": strict}
    with ScriptedServer(structured(method, TEXT, name=name)) as server:
        chain = chat(server).with_structured_output(schema, method=method, **options)
        assert chain.invoke("Joke!") == expected
    body = server.received[0].json
    if method == "json_mode":
        assert body["response_format"] == {"type": "json_object"}
        return
    if method == "function_calling":
        sent = body["tools"][0]["function"]
        assert body["tool_choice"] == {"type": "function", "function": {"name": name}}
        assert body["parallel_tool_calls"] is False
    else:
        sent = body["response_format"]["json_schema"]
    assert (sent["name"], sent.get("strict")) == (name, strict)
    assert "setup" in sent_schema(body)["properties"]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("strict", [None, True])
@pytest.mark.parametrize(("schema", "text"), [(Folder, FOLDER), (Home, HOME)])
def test_schemas_of_nested_and_recursive_classes_keep_their_meaning(method, strict, schema, text):
    reply = structured(method, text, name=schema.__name__)
    options = {} if method == "json_mode" else {"strict": strict}
    with ScriptedServer(reply) as server:
        chain = chat(server).with_structured_output(schema, method=method, **options)
        assert chain.invoke("x") == schema.model_validate_json(text)
    body = server.received[0].json
    if method == "json_mode":
        assert schema is Home or '"$defs"' in body["messages"][0]["content"]
        return
    sent = sent_schema(body)
    assert sent["properties"]
    assert "$defs" in sent
    assert problems(sent, strict=bool(strict)) == []


class Jokes(RootModel[list[Joke]]):
    """Some jokes."""


class Nested(RootModel[list["Nested"]]):
    """Lists of lists."""


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("schema", "value", "text"),
    [
        (Jokes, Jokes([Joke(setup="Why?")]), '{"root": [{"setup": "Why?"}]}'),
        (Nested, Nested([Nested([])]), '{"root": [[]]}'),
        (RootModel[Joke], RootModel[Joke](Joke(setup="Why?")), '{"setup": "Why?"}'),
    ],
)
def test_values_that_are_no_objects_are_asked_for_as_the_root_of_one(method, schema, value, text):
    with ScriptedServer(structured(method, text, name=schema.__name__)) as server:
        assert chat(server).with_structured_output(schema, method=method).invoke("x") == value
    sent = function_of(schema, strict=True)["parameters"]
    assert sent["type"] == "object"
    assert problems(sent, strict=True) == []
    if method == "json_schema":  # a model that answers with the value itself is understood too
        with ScriptedServer(whole({"content": value.model_dump_json()})) as server:
            assert chat(server).with_structured_output(schema, method=method).invoke("x") == value


FORCED = {"type": "function", "function": {"name": "Joke"}}
THINKER = {"tool_calling": True, "structured_output": False, "reasoning_output": True}


@pytest.mark.parametrize(
    ("options", "choice"),
    [
        ({"model": "deepseek-ai/DeepSeek-V3.2"}, None),
        ({"model": "deepseek-ai/DeepSeek-R1-0528"}, None),
        ({"model": "somebody/unknown"}, FORCED),
        ({"profile": THINKER}, "auto"),  # a thinking model is not forced
    ],
)
def test_the_method_follows_the_profile(options, choice):
    with ScriptedServer(whole({"content": TEXT})) as server:
        assert chat(server, **options).with_structured_output(Joke).invoke("J").setup == "Why?"
    body = server.received[0].json
    assert body.get("tool_choice") == choice
    assert ("response_format" in body) == (choice is None)


@pytest.mark.parametrize("prompt", ["Joke!", [("human", "Joke!")]])
def test_a_model_that_can_do_neither_is_asked_with_a_warning(prompt):
    with ScriptedServer(whole({"content": f"<think>Hm {{}}.</think>\n{TEXT}"})) as server:
        model = chat(server, model="deepseek-ai/DeepSeek-R1")
        with pytest.warns(UserWarning, match="neither structured outputs nor tools"):
            chain = model.with_structured_output(Joke)
        assert chain.invoke(prompt).setup == "Why?"
    system, user = server.received[0].json["messages"]
    assert system["role"] == "system"
    assert '"setup"' in system["content"]
    assert user == {"role": "user", "content": "Joke!"}


@pytest.mark.parametrize("method", METHODS)
def test_raw_parsed_and_error_side_by_side(method):
    with ScriptedServer(
        structured(method, TEXT, name="Joke"), whole({"content": "No JSON."})
    ) as server:
        chain = chat(server).with_structured_output(Joke, method=method, include_raw=True)
        fine, failed = chain.invoke("Joke!"), chain.invoke("Joke!")
    assert (fine["parsed"], fine["parsing_error"]) == (Joke(setup="Why?"), None)
    assert failed["raw"].content == "No JSON."
    assert failed["parsed"] is None
    assert isinstance(failed["parsing_error"], OutputParserException)


@pytest.mark.parametrize("schema", [Joke, JSON_SCHEMA])
def test_json_in_place_of_the_call_is_read_and_prose_is_refused(schema):
    with ScriptedServer(whole({"content": TEXT}), whole({"content": "Sorry."})) as server:
        chain = chat(server).with_structured_output(schema, method="function_calling")
        assert dict(chain.invoke("Joke!"))["setup"] == "Why?"
        with pytest.raises(OutputParserException, match="Sorry"):
            chain.invoke("Joke!")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("schema", [Joke, JSON_SCHEMA])
def test_a_refusal_is_an_error_of_its_own(method, schema):
    withheld = [whole({"content": text}, "content_filter") for text in ("The joke is", "")]
    said = whole({"content": None, "refusal": "I will not."})
    pieces = streamed({"refusal": "I will "}, {"refusal": "not."})
    with ScriptedServer(*withheld, said, pieces) as server:
        chain = chat(server).with_structured_output(schema, method=method)
        for match in ("The joke is", "content filter", r"I will not\."):
            with pytest.raises(RuncrateRefusalError, match=match) as caught:
                chain.invoke("Joke!")
        with pytest.raises(RuncrateRefusalError, match=r"I will not\."):
            list(chain.stream("Joke!"))
    assert isinstance(caught.value, ModelError)
    assert isinstance(caught.value, errors.ModelRefusalError)
    assert not caught.value.is_retryable
    assert caught.value.raw_message.additional_kwargs["refusal"] == "I will not."


def test_json_mode_needs_no_schema_and_its_instructions_join_a_system_message():
    with ScriptedServer(whole({"content": TEXT})) as server:
        model = chat(server)
        chain = model.with_structured_output(Joke, method="json_mode")
        chain.invoke([("system", "Be funny."), ("human", "Joke!")])
        bare = model.with_structured_output(method="json_mode")
        assert bare.invoke("J") == {"setup": "Why?"}
    system, user = server.received[0].json["messages"]
    assert system["content"].startswith("Be funny.\n\nAnswer with one JSON object")
    assert user["content"] == "Joke!"


def test_other_tools_may_be_called_first():
    search = {"name": "search", "parameters": {"type": "object", "properties": {}}}
    with ScriptedServer(
        structured("function_calling", "{}", name="search"), whole({"content": TEXT})
    ) as server:
        chain = chat(server).with_structured_output(
            Joke, method="json_schema", tools=[search], include_raw=True, temperature=0.5
        )
        first, second = chain.invoke("Joke!"), chain.invoke("Joke!")
    assert (first["parsed"], first["parsing_error"]) == (None, None)
    assert first["raw"].tool_calls[0]["name"] == "search"
    assert second["parsed"] == Joke(setup="Why?")
    body = server.received[0].json
    assert body["tools"][0]["function"]["name"] == "search"
    assert body["temperature"] == 0.5


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"schema": Joke, "method": "magic"}, "one of function_calling, json_mode, json_schema"),
        ({"method": "json_schema"}, "schema is needed"),
        ({"schema": {"properties": {}}}, "must have a top-level 'title'"),
        ({"schema": {"title": "Jokes", "type": "array"}}, "cannot be of type 'array'"),
        *(
            ({"schema": odd}, r"use Pydantic's `RootModel")
            for odd in (list[Joke], int, Joke | None)
        ),
    ],
)
def test_mistakes_are_told(given, match):
    with pytest.raises(ValueError, match=match):
        ChatRuncrate(model="m").with_structured_output(**given)


@pytest.mark.parametrize("method", METHODS)
def test_traces_hold_the_schema(method):
    recorder = Recorder()
    with ScriptedServer(structured(method, TEXT, name="Joke")) as server:
        chain = chat(server).with_structured_output(Joke, method=method)
        chain.invoke("Joke!", config={"callbacks": [recorder]})
        assert "ls_structured_output_format" not in server.received[0].json
    traced = recorder.started[0]["options"]["ls_structured_output_format"]
    assert traced["kwargs"]["method"] == method
    assert traced["schema"]["title"] == "Joke"


class Defaults(BaseModel):
    """Everything may be left out."""

    model_config = ConfigDict(strict=True)

    day: date | None = None
    pair: tuple[int, str] = (0, "")


class DefaultsV1(BaseModelV1):
    """Everything may be left out."""

    day: str = ""


@pytest.mark.parametrize("target", [Defaults, DefaultsV1])
@pytest.mark.parametrize("around", ["Defaults", "arguments"])
def test_an_object_around_the_value_does_not_become_an_object_of_defaults(target, around):
    parser = StructuredResponseParser(target=target)
    with pytest.raises(OutputParserException, match="none of the fields"):
        parser.parse(json.dumps({around: {"day": "2026-01-01"}}))
    assert parser.parse("{}") == target()


def test_what_is_read_is_json_and_neither_the_schema_nor_what_a_validator_fails_on():
    class Failing(BaseModel):
        """Its validator expects what is not there."""

        @model_validator(mode="before")
        @classmethod
        def _look(cls, value: Any) -> Any:
            return value["missing"]

    with pytest.raises(OutputParserException, match="KeyError"):
        StructuredResponseParser(target=Failing).parse('{"name": "a"}')
    parser = StructuredResponseParser(target=Defaults)
    with pytest.raises(OutputParserException, match="the schema itself"):
        parser.parse(json.dumps(json_schema_of(Defaults)))
    assert RawResponseParser(parser=parser).parse("{}")["parsed"] == Defaults()
    with pytest.raises(OutputParserException, match="The model wrote: nothing"):
        parser.parse("")
    read = parser.parse('{"day": "2026-01-01", "pair": [1, "a"]}')
    assert read == Defaults(day=date(2026, 1, 1), pair=(1, "a"))
