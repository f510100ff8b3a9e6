"""The `openai` SDK, which this project did not write, chats, embeds and lists models here."""

import inspect
import math

import openai
import pytest
from pydantic import BaseModel

from runcrate_emulator import Emulator, Reply
from tests.emulator.chat_support import tool, user

MODEL = "deepseek-ai/DeepSeek-V3.2"
WEATHER = tool("get_weather", "Get the weather of a city.", city="string")


class Person(BaseModel):
    name: str
    age: int


async def settled(value):
    """Give the result of a blocking call, or of an awaited one."""
    return await value if inspect.isawaitable(value) else value


async def collected(stream):
    """All items of a blocking or an async stream."""
    if hasattr(stream, "__aiter__"):
        return [item async for item in stream]
    return list(stream)


@pytest.fixture(scope="module")
def emulator():
    with Emulator(requests_per_minute=100_000) as running:
        yield running
        assert running.crashes == []


@pytest.fixture(params=["sync", "async"])
async def client(request, emulator):
    make = openai.OpenAI if request.param == "sync" else openai.AsyncOpenAI
    client = make(api_key=emulator.api_key, base_url=emulator.inference_url, max_retries=0)
    yield client
    await settled(client.close())


async def test_chat(client, emulator):
    emulator.reply_with(Reply.text("hello world"))
    answer = await settled(
        client.chat.completions.create(model=MODEL, messages=[user("Say hello world")])
    )
    assert answer.choices[0].message.content == "hello world"
    assert answer.usage.total_tokens > 0


async def test_streamed_chat_with_usage(client, emulator):
    emulator.reply_with(Reply.text(", ".join(map(str, range(1, 21)))))
    stream = await settled(
        client.chat.completions.create(
            model=MODEL,
            messages=[user("count to 20")],
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    chunks = await collected(stream)
    text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert text == ", ".join(map(str, range(1, 21)))
    assert chunks[-1].usage.completion_tokens > 20


async def test_tools_and_their_results(client, emulator):
    emulator.reply_with(
        Reply.tool_calls(("get_weather", {"city": "Paris"}), ("get_weather", {"city": "Rome"})),
        Reply.text("Sunny in Paris and in Rome."),
    )
    messages = [user("What is the weather in Paris and Rome?")]
    asked = {"model": MODEL, "tools": [WEATHER]}
    first = await settled(client.chat.completions.create(messages=messages, **asked))
    assert first.choices[0].finish_reason == "tool_calls"
    messages.append(first.choices[0].message.model_dump(exclude_none=True))
    messages += [
        {"role": "tool", "tool_call_id": call.id, "content": f"sunny for {call.function.arguments}"}
        for call in first.choices[0].message.tool_calls
    ]
    last = await settled(client.chat.completions.create(messages=messages, **asked))
    assert last.choices[0].finish_reason == "stop"
    assert "Rome" in last.choices[0].message.content


async def test_streamed_tools(client):
    stream = client.chat.completions.stream(
        model=MODEL, messages=[user("weather in Paris?")], tools=[WEATHER]
    )
    if hasattr(stream, "__aenter__"):
        async with stream as events:
            async for _ in events:
                pass
            final = await events.get_final_completion()
    else:
        with stream as events:
            final = events.until_done().get_final_completion()
    (call,) = final.choices[0].message.tool_calls
    assert (call.function.name, call.function.arguments) == ("get_weather", '{"city": "Paris"}')


async def test_structured_output(client, emulator):
    emulator.reply_with(Reply.json({"name": "Anna", "age": 30}))
    answer = await settled(
        client.chat.completions.parse(
            model=MODEL, messages=[user("Anna is 30 years old.")], response_format=Person
        )
    )
    assert answer.choices[0].message.parsed == Person(name="Anna", age=30)


async def test_reasoning(client):
    answer = await settled(
        client.chat.completions.create(
            model="deepseek-ai/DeepSeek-R1", messages=[user("What is 2 + 2?")]
        )
    )
    assert answer.choices[0].message.reasoning_content
    assert answer.usage.completion_tokens_details.reasoning_tokens > 0


async def test_embeddings(client):
    answer = await settled(
        client.embeddings.create(
            model="BAAI/bge-large-en-v1.5", input=["launch an instance", "launching", "fish"]
        )
    )
    vectors = [item.embedding for item in answer.data]
    assert len(vectors[0]) == 1024
    assert math.dist(vectors[0], vectors[1]) < math.dist(vectors[0], vectors[2])


async def test_models(client):
    pages = await settled(client.models.list())
    assert MODEL in [model.id for model in pages.data]


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"model": "nobody/nothing"}, openai.NotFoundError),
        ({"temperature": 3}, openai.UnprocessableEntityError),
        ({"messages": []}, openai.BadRequestError),
    ],
)
async def test_errors_are_typed(client, fields, error):
    body = {"model": MODEL, "messages": [user("Hello")], **fields}
    with pytest.raises(error) as raised:
        await settled(client.chat.completions.create(**body))
    assert raised.value.code
    assert raised.value.body["details"]["field"] in fields


async def test_a_wrong_key_is_refused(client):
    with pytest.raises(openai.AuthenticationError):
        await settled(
            client.with_options(api_key="sk-wrong").embeddings.create(model="x", input="x")
        )
