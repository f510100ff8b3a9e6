"""Pictures, sound, films and documents in a conversation, told as far as their bytes tell."""

import base64
import io
import wave
import zlib

import httpx
import pytest
from PIL import Image

from runcrate_emulator.media.films import render_film
from runcrate_emulator.media.pictures import Commission
from runcrate_emulator.simulation.documents import is_pdf, pdf_text
from runcrate_emulator.simulation.sights import look
from tests.emulator.chat_support import called, say, tool, user


def picture(colour, size=(64, 48), file_format="PNG"):
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, file_format)
    return file.getvalue()


def image_part(data, media_type="image/png"):
    encoded = base64.b64encode(data).decode()
    return {"type": "image_url", "image_url": {"url": f"data:{media_type};base64,{encoded}"}}


def with_parts(text, *parts):
    return [{"role": "user", "content": [{"type": "text", "text": text}, *parts]}]


def pdf(text, *, compressed=True, pages=1):
    """A small PDF with one line of text on its first page."""
    shown = f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET".encode()
    stream = zlib.compress(shown) if compressed else shown
    filtered = b"/Filter /FlateDecode " if compressed else b""
    body = b"%PDF-1.4\n"
    body += b"1 0 obj <</Type /Catalog /Pages 2 0 R>> endobj\n"
    body += b"".join(b"3 0 obj <</Type /Page /Contents 4 0 R>> endobj\n" for _ in range(pages))
    head = b"4 0 obj <<" + filtered + b"/Length " + str(len(stream)).encode() + b">>\nstream\n"
    return body + head + stream + b"\nendstream endobj\n%%EOF"


def file_part(data, name="a.pdf"):
    encoded = base64.b64encode(data).decode()
    holder = {"filename": name, "file_data": f"data:application/pdf;base64,{encoded}"}
    return {"type": "file", "file": holder}


@pytest.mark.parametrize(
    ("colour", "name"), [((220, 30, 30), "red"), ((0, 0, 0), "black"), ((40, 80, 210), "blue")]
)
@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP", "GIF"])
def test_a_picture_is_described(colour, name, file_format):
    data = picture(colour, file_format=file_format)
    text = say(with_parts("What is in this image?", image_part(data)))
    assert file_format in text
    assert "64x48" in text
    assert name in text


def test_the_words_in_a_picture_of_the_emulator_are_read(emulator):
    answer = httpx.post(
        f"{emulator.inference_url}/images/generations",
        json={
            "model": "black-forest-labs/FLUX.1-schnell",
            "prompt": "a lighthouse at dusk",
            "width": 256,
            "height": 256,
            "response_format": "b64_json",
        },
        headers={"Authorization": f"Bearer {emulator.api_key}"},
    )
    data = base64.b64decode(answer.json()["data"][0]["b64_json"])
    assert "a lighthouse at dusk" in say(
        with_parts("Describe this.", image_part(data, "image/webp"))
    )


def test_two_pictures_are_both_described():
    parts = [image_part(picture((220, 30, 30))), image_part(picture((0, 0, 0)))]
    text = say(with_parts("Describe both images.", *parts))
    assert "red" in text
    assert "black" in text


def test_what_cannot_be_read_is_said():
    assert "no format that can be read" in say(with_parts("Describe.", image_part(b"nonsense")))
    assert look(b"") is None


def test_a_picture_at_an_address_is_not_fetched():
    link = {"type": "image_url", "image_url": {"url": "https://example.com/a.png?signature=abc"}}
    text = say(with_parts("What is in this image?", link))
    assert "https://example.com/a.png" in text
    assert "signature" not in text


def test_a_picture_in_a_tool_result_is_described():
    messages = [
        user("Get a diagram and describe it"),
        called("1", "random_image"),
        {"role": "tool", "tool_call_id": "1", "content": [image_part(picture((0, 0, 0)))]},
    ]
    assert "black" in say(messages, tools=[tool("random_image", "Give a random image.")])


@pytest.mark.parametrize("compressed", [True, False])
def test_a_pdf_is_read(compressed):
    data = pdf(r"Otters \(Lutrinae\) hold hands.", compressed=compressed)
    text = say(with_parts("What do otters hold?", file_part(data)))
    assert text == "Otters (Lutrinae) hold hands."
    assert "Otters" in say(with_parts("Summarize this document:", file_part(data)))


def test_a_pdf_without_text_tells_its_pages():
    text = say(with_parts("What is in it?", file_part(pdf("", pages=3))))
    assert "3 pages" in text


def test_pdf_text_in_hex_with_a_character_map():
    table = (
        b"1 beginbfchar <0041> <00480069> endbfchar 1 beginbfrange <0061> <0063> <0078> endbfrange"
    )
    data = (
        b"%PDF-1.7\n<<>>\nstream\nbegincmap " + table + b" endcmap\nendstream\n"
        b"<<>>\nstream\nBT [<0041> -300 <006100620063>] TJ T* (\\101\\n) Tj ET\nendstream\n"
    )
    assert is_pdf(data)
    assert pdf_text(data) == ("Hi xyz\nA", 1)


@pytest.mark.parametrize("data", [b"%PDF-1.4", b"%PDF-1.4 stream\nx", b"%PDF" + bytes(range(256))])
def test_a_broken_pdf_gives_no_text(data):
    assert pdf_text(data) == ("", 1)


def test_a_text_file_is_read():
    text = say(with_parts("Who holds hands?", file_part(b"Otters hold hands.", "a.txt")))
    assert text == "Otters hold hands."
    assert "cannot be read" in say(with_parts("What is it?", file_part(b"\xff\xfe\x00", "a.bin")))


def test_speech_of_the_emulator_is_understood(emulator):
    answer = httpx.post(
        f"{emulator.inference_url}/audio/speech",
        json={"model": "openai/tts-1", "input": "The gate closes at ten."},
        headers={"Authorization": f"Bearer {emulator.api_key}"},
    )
    sound = {"data": base64.b64encode(answer.content).decode(), "format": "mp3"}
    part = {"type": "input_audio", "input_audio": sound}
    assert "The gate closes at ten." in say(with_parts("When does the gate close?", part))


def test_other_sound_is_described():
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(2 * 8000))
    holder = {"data": base64.b64encode(file.getvalue()).decode(), "format": "wav"}
    text = say(with_parts("Describe this audio:", {"type": "input_audio", "input_audio": holder}))
    assert "1.0 seconds" in text
    broken = {"data": base64.b64encode(b"nothing").decode(), "format": "wav"}
    part = {"type": "input_audio", "input_audio": broken}
    assert "could not be heard" in say(with_parts("Describe this audio:", part))


def test_a_film_is_described():
    commission = Commission("otters at play", "google/veo-3.0", 1, 128, 128)
    encoded = base64.b64encode(render_film(commission, 1)).decode()
    part = {"type": "video_url", "video_url": {"url": f"data:video/mp4;base64,{encoded}"}}
    text = say(with_parts("Describe this video.", part))
    assert "1.0 seconds" in text
    assert "otters at play" in text
    part = {"type": "video_url", "video_url": {"url": "data:video/mp4;base64,eA=="}}
    assert "no format that can be read" in say(with_parts("Describe this video.", part))


def test_a_playlist_in_place_of_a_film_is_never_opened():
    playlist = base64.b64encode(b"ffconcat version 1.0\nfile /etc/hostname\n").decode()
    part = {"type": "video_url", "video_url": {"url": f"data:video/mp4;base64,{playlist}"}}
    assert "no format that can be read" in say(with_parts("Describe this video.", part))
