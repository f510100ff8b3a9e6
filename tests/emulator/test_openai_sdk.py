"""A referee: the `openai` SDK, which this project did not write, walks its inference surface here.

The blocking client alone: the asynchronous one sends the same requests.
"""

import base64
import io
import math

import openai
import pytest
from PIL import Image
from pydantic import BaseModel

from runcrate_emulator import Reply
from tests.emulator.chat_support import tool, user

MODEL = "deepseek-ai/DeepSeek-V3.2"
TEXT = "Hello from Runcrate! Grüße aus der Ferne."
WEATHER = tool("get_weather", "Get the weather of a city.", city="string")


class Person(BaseModel):
    name: str
    age: int


@pytest.fixture
def client(emulator):
    with openai.OpenAI(
        api_key=emulator.api_key, base_url=emulator.inference_url, max_retries=0
    ) as client:
        yield client


def test_chat_complete_and_streamed_with_usage(client, emulator):
    text = ", ".join(map(str, range(1, 21)))
    emulator.reply_with(Reply.text(text), Reply.text(text))
    asked = {"model": MODEL, "messages": [user("count to 20")]}
    answer = client.chat.completions.create(**asked)
    assert answer.choices[0].message.content == text
    usage = {"include_usage": True}
    chunks = list(client.chat.completions.create(**asked, stream=True, stream_options=usage))
    streamed = (choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert "".join(streamed) == text
    assert (chunks[-1].choices, chunks[-1].usage) == ([], answer.usage)
    assert answer.usage.completion_tokens > 20


def test_tools_and_their_results(client, emulator):
    emulator.reply_with(
        Reply.tool_calls(("get_weather", {"city": "Paris"}), ("get_weather", {"city": "Rome"})),
        Reply.text("Sunny in Paris and in Rome."),
    )
    messages = [user("What is the weather in Paris and Rome?")]
    asked = {"model": MODEL, "tools": [WEATHER], "messages": messages}
    (first,) = client.chat.completions.create(**asked).choices
    assert first.finish_reason == "tool_calls"
    messages.append(first.message.model_dump(exclude_none=True))
    messages += [
        {"role": "tool", "tool_call_id": call.id, "content": f"sunny for {call.function.arguments}"}
        for call in first.message.tool_calls
    ]
    (last,) = client.chat.completions.create(**asked).choices
    assert (last.finish_reason, last.message.content) == ("stop", "Sunny in Paris and in Rome.")


def test_streamed_tools_come_in_parts(client):
    with client.chat.completions.stream(
        model=MODEL, messages=[user("weather in Buenos Aires?")], tools=[WEATHER]
    ) as stream:
        kinds = [event.type for event in stream]
        (call,) = stream.get_final_completion().choices[0].message.tool_calls
    assert call.function.name == "get_weather"
    assert call.function.arguments == '{"city": "Buenos Aires"}'
    assert kinds.count("tool_calls.function.arguments.delta") > 2


def test_structured_output(client, emulator):
    emulator.reply_with(Reply.json({"name": "Anna", "age": 30}))
    answer = client.chat.completions.parse(
        model=MODEL, messages=[user("Anna is 30 years old.")], response_format=Person
    )
    assert answer.choices[0].message.parsed == Person(name="Anna", age=30)


def test_embeddings_as_numbers_and_packed(client):
    texts = ["launch an instance", "launching", "fish"]
    asked = {"model": "BAAI/bge-large-en-v1.5", "input": texts, "dimensions": 512}
    packed = [item.embedding for item in client.embeddings.create(**asked).data]
    plain = client.embeddings.create(**asked, encoding_format="float").data
    assert [len(vector) for vector in packed] == [512] * 3
    for vector, item in zip(packed, plain, strict=True):
        assert vector == pytest.approx(item.embedding, abs=1e-6)
    assert math.dist(packed[0], packed[1]) < math.dist(packed[0], packed[2])


def test_models(client):
    assert MODEL in [model.id for model in client.models.list()]


def test_images_come_inline_and_as_links(client, emulator):
    asked = {"model": "black-forest-labs/FLUX.1-schnell", "prompt": "A red fox"}
    size = {"width": 320, "height": 256, "seed": 1}
    (item,) = client.images.generate(**asked, response_format="b64_json", extra_body=size).data
    with Image.open(io.BytesIO(base64.b64decode(item.b64_json))) as image:
        assert (image.format, image.size) == ("WEBP", (320, 256))
    (item,) = client.images.generate(**asked).data
    assert item.url.startswith(emulator.base_url)


def test_speech_is_transcribed_to_the_words_spoken(client):
    speech = client.audio.speech.create(
        model="openai/tts-1", voice="alloy", input=TEXT, speed=1.5
    ).content
    asked = {"model": "openai/whisper-1", "file": ("speech.mp3", speech)}
    assert client.audio.transcriptions.create(**asked, language="de").text == TEXT
    for form, start in (("srt", "1\n00:"), ("vtt", "WEBVTT\n\n00:")):
        subtitles = client.audio.transcriptions.create(**asked, response_format=form)
        assert subtitles.startswith(start)
        assert "Grüße aus der Ferne." in subtitles


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"model": "nobody/nothing"}, openai.NotFoundError),
        ({"temperature": 3}, openai.UnprocessableEntityError),
        ({"messages": []}, openai.BadRequestError),
    ],
    ids=["model", "temperature", "messages"],
)
def test_refusals_arrive_as_the_sdks_own_errors(client, body, error):
    asked = {"model": MODEL, "messages": [user("Hello")], **body}
    with pytest.raises(error) as raised:
        client.chat.completions.create(**asked)
    assert raised.value.code
    assert [raised.value.body["details"]["field"]] == list(body)
    assert raised.value.type == "invalid_request_error"
