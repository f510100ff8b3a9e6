"""The `openai` SDK, which this project did not write, walks its inference surface here."""

import base64
import io
import math

import openai
import pytest
from PIL import Image
from pydantic import BaseModel

from runcrate_emulator import Reply
from tests.emulator.chat_support import gathered, settled, tool, user

MODEL = "deepseek-ai/DeepSeek-V3.2"
IMAGES = "black-forest-labs/FLUX.1-schnell"
SPEECH = "openai/tts-1"
TRANSCRIPTION = "openai/whisper-1"
TEXT = "Hello from Runcrate! Grüße aus der Ferne."
WEATHER = tool("get_weather", "Get the weather of a city.", city="string")


class Person(BaseModel):
    name: str
    age: int


@pytest.fixture(params=["sync", "async"])
async def client(request, media_emulator):
    make = openai.OpenAI if request.param == "sync" else openai.AsyncOpenAI
    client = make(
        api_key=media_emulator.api_key, base_url=media_emulator.inference_url, max_retries=0
    )
    yield client
    await settled(client.close())


async def test_chat_complete_and_streamed_with_usage(client, media_emulator):
    text = ", ".join(map(str, range(1, 21)))
    media_emulator.reply_with(Reply.text(text), Reply.text(text))
    asked = {"model": MODEL, "messages": [user("count to 20")]}
    answer = await settled(client.chat.completions.create(**asked))
    assert answer.choices[0].message.content == text
    stream = client.chat.completions.create(
        **asked, stream=True, stream_options={"include_usage": True}
    )
    chunks = await gathered(stream)
    streamed = (choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert "".join(streamed) == text
    assert (chunks[-1].choices, chunks[-1].usage) == ([], answer.usage)
    assert answer.usage.completion_tokens > 20


async def test_tools_and_their_results(client, media_emulator):
    media_emulator.reply_with(
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


async def test_structured_output(client, media_emulator):
    media_emulator.reply_with(Reply.json({"name": "Anna", "age": 30}))
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


async def test_images_come_inline_and_as_links(client, media_emulator):
    asked = {"model": IMAGES, "prompt": "A red fox"}
    size = {"width": 320, "height": 256, "seed": 1}
    inline = await settled(
        client.images.generate(**asked, response_format="b64_json", extra_body=size)
    )
    (item,) = inline.data
    with Image.open(io.BytesIO(base64.b64decode(item.b64_json))) as image:
        assert (image.format, image.size) == ("WEBP", (320, 256))
    linked = await settled(client.images.generate(**asked))
    assert linked.data[0].url.startswith(media_emulator.base_url)


async def test_speech_is_transcribed_to_the_words_spoken(client):
    speech = await settled(
        client.audio.speech.create(model=SPEECH, voice="alloy", input=TEXT, speed=1.5)
    )
    asked = {"model": TRANSCRIPTION, "file": ("speech.mp3", speech.content)}
    answer = await settled(client.audio.transcriptions.create(**asked, language="de"))
    assert answer.text == TEXT
    for form, start in (("srt", "1\n00:"), ("vtt", "WEBVTT\n\n00:")):
        subtitles = await settled(client.audio.transcriptions.create(**asked, response_format=form))
        assert subtitles.startswith(start)
        assert "Grüße aus der Ferne." in subtitles


async def test_speech_can_be_streamed_to_a_file(client, tmp_path):
    path = tmp_path / "speech.pcm"
    arguments = {"model": SPEECH, "voice": "nova", "input": TEXT, "response_format": "pcm"}
    if isinstance(client, openai.OpenAI):
        with client.audio.speech.with_streaming_response.create(**arguments) as speech:
            speech.stream_to_file(path)
    else:
        async with client.audio.speech.with_streaming_response.create(**arguments) as speech:
            await speech.stream_to_file(path)
    assert path.stat().st_size / 2 / 24_000 == pytest.approx(len(TEXT) / 15, abs=0.1)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"model": "nobody/nothing"}, openai.NotFoundError),
        ({"temperature": 3}, openai.UnprocessableEntityError),
        ({"messages": []}, openai.BadRequestError),
    ],
    ids=["model", "temperature", "messages"],
)
async def test_refusals_arrive_as_the_sdks_own_errors(client, body, error):
    asked = {"model": MODEL, "messages": [user("Hello")], **body}
    with pytest.raises(error) as raised:
        await settled(client.chat.completions.create(**asked))
    assert raised.value.code
    assert [raised.value.body["details"]["field"]] == list(body)
    assert raised.value.type == "invalid_request_error"
