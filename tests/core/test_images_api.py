"""Images: what is sent, what comes back in its many forms, and what it can do."""

from __future__ import annotations

import base64
import copy
import inspect
import io
import pickle
from typing import Any

import httpx
import pytest
from PIL import Image

import runcrate_core as rc
from runcrate_core.api.client_binding import ClientBinding
from runcrate_core.api.notebook import MAX_SHOWN_BYTES, image_bundle
from tests.core.both_clients import awaited
from tests.servers import Reply, ScriptedServer

FLUX = "black-forest-labs/FLUX.1-schnell"


def encoded(kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 8), "teal").save(file, kind)
    return file.getvalue()


PNG = encoded()
PNG64 = base64.b64encode(PNG).decode()
DATA_URI = f"data:image/png;base64,{PNG64}"
BASE64_REPLY = Reply(json={"data": [{"b64_json": PNG64}]})


async def saved(result: Any, path: Any) -> Any:
    """Save the first image of a result."""
    if inspect.isawaitable(result):
        return await (await result).image.asave(path)
    return result.image.save(path)


def test_an_image_is_made_and_saved(run, cloud, tmp_path):
    def use(client):
        result = client.images.generate(
            "A futuristic cityscape at sunset", model=FLUX, width=512, height=256, seed=42
        )
        return saved(result, tmp_path / "city")

    path = run(use, cloud.base_url)
    assert path == tmp_path / "city.webp"
    with Image.open(path) as made:
        assert (made.size, made.format) == ((512, 256), "WEBP")
    assert [file.name for file in tmp_path.iterdir()] == ["city.webp"]
    fetched = cloud.requests[-1]
    assert fetched.path.startswith("/files/")
    assert "authorization" not in {name.lower() for name in fetched.headers}


def test_given_arguments_are_sent(scripted, tmp_path):
    path = tmp_path / "mask.png"
    path.write_bytes(PNG)
    server, both = scripted(BASE64_REPLY)
    both(
        "images.generate",
        "p",
        model="m",
        width=256,
        height=512,
        aspect_ratio="1:2",
        num_inference_steps=4,
        guidance=3.5,
        seed=0,
        negative_prompt="n",
        response_format="url",
        image="https://example.com/a.png",
        start_image=PNG,
        mask=path,
        control_image=DATA_URI,
        input_images=[path, "https://example.com/b.png", PNG],
        reference=path,
        prompt_strength=0.5,
        extra_headers={"x-trace": "1"},
    )
    (request,) = server.received
    assert (request.method, request.path) == ("POST", "/v1/images/generations")
    assert request.headers["content-type"] == "application/json"
    assert request.headers["x-trace"] == "1"
    assert "transfer-encoding" not in request.headers
    assert request.json == {
        "model": "m",
        "prompt": "p",
        "width": 256,
        "height": 512,
        "aspect_ratio": "1:2",
        "num_inference_steps": 4,
        "guidance": 3.5,
        "seed": 0,
        "negative_prompt": "n",
        "response_format": "url",
        "image": "https://example.com/a.png",
        "start_image": DATA_URI,
        "mask": DATA_URI,
        "control_image": DATA_URI,
        "input_images": [DATA_URI, "https://example.com/b.png", DATA_URI],
        "reference": DATA_URI,
        "prompt_strength": 0.5,
    }


def test_a_repeat_sends_the_whole_image_again(scripted):
    busy = Reply(503, {"error": {"code": "busy", "message": "later"}})
    server, both = scripted(busy, BASE64_REPLY)
    both("images.generate", "p", model="m", image=io.BytesIO(PNG))
    first, second = server.received
    assert first.body == second.body
    assert second.json["image"] == DATA_URI


@pytest.mark.parametrize(
    "item",
    [
        {"b64_json": PNG64},
        {"b64_json": DATA_URI},
        {"url": DATA_URI, "b64_json": None},
        {"url": DATA_URI.replace("data:", "DATA:")},
    ],
)
def test_bytes_in_the_response_need_no_request(scripted, item):
    server, both = scripted(Reply(json={"created": 1, "data": [item]}))
    result = both("images.generate", "p", model="m")
    assert result.image.content_type == "image/png"
    assert result.image.to_bytes() == PNG
    assert server.sent == 1
    assert result.created == 1
    assert result.response.status == 200


def file_reply(data: bytes = PNG, status: int = 200, kind: str = "image/png") -> Reply:
    return Reply(status, body=[data], length=len(data), headers={"content-type": kind})


def url_reply(server: ScriptedServer) -> Reply:
    return Reply(json={"data": [{"url": f"{server.url}/files/a?signature=secret"}]})


def test_a_url_is_fetched_once_and_without_the_key(run, tmp_path):
    async def use(client):
        made = await awaited(client.images.generate("p", model="m"))
        image = made.image
        if run.is_async:
            return await image.ato_bytes(), await image.asave(tmp_path / "a"), made
        return image.to_bytes(), image.save(tmp_path / "a"), made

    with ScriptedServer(BASE64_REPLY) as server:
        server.replies = [url_reply(server), file_reply()]
        data, path, made = run(use, server.url)
        assert server.sent == 2
        fetched = server.received[1]
    assert data == PNG == path.read_bytes()
    assert path.name == "a.png"
    assert made.image.content_type == "image/png"
    assert "authorization" not in fetched.headers


def test_either_kind_of_method_works_with_either_client(run):
    async def use(client):
        image = (await awaited(client.images.generate("p", model="m"))).image
        return image.to_bytes() if run.is_async else await image.ato_bytes()

    with ScriptedServer(BASE64_REPLY) as server:
        server.replies = [url_reply(server), file_reply()]
        assert run(use, server.url) == PNG


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (file_reply(b"<html>not found</html>", 404, "text/html"), rc.NotFoundError),
        (file_reply(b"<html>sign in</html>", kind="text/html"), rc.ResponseFormatError),
        (file_reply(b"{}", kind="application/json"), rc.ResponseFormatError),
        (file_reply(b""), rc.ResponseFormatError),
        (Reply(body=[], length=2**40, end="close"), rc.ResponseFormatError),
        (Reply(302, headers={"location": "http://169.254.169.254/"}), rc.ResponseFormatError),
    ],
)
def test_a_fetched_file_is_checked(run, reply, kind, tmp_path):
    with ScriptedServer(BASE64_REPLY) as server:
        server.replies = [url_reply(server), reply]
        with pytest.raises(kind) as caught:
            run(
                lambda client: saved(client.images.generate("p", model="m"), tmp_path / "a"),
                server.url,
            )
    assert "secret" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_bytes_that_do_not_decode_are_an_error(scripted):
    _, both = scripted(Reply(json={"data": [{"b64_json": "!!!"}]}))
    result = both("images.generate", "p", model="m")
    with pytest.raises(rc.ResponseFormatError, match="not valid base64"):
        result.image.to_bytes()


def test_an_image_is_shown_without_a_secret(run, cloud):
    async def use(client):
        made = await awaited(client.images.generate("a cat", model=FLUX))
        return made, made._repr_mimebundle_(include=None, exclude=None)

    made, bundle = run(use, cloud.base_url)
    assert bundle["text/html"].startswith('<img src="data:image/webp;base64,UklGR')
    for text in (repr(made), str(made), bundle["text/plain"]):
        assert "signature" not in text
        assert len(text) < 200
    assert "GeneratedImage(url='http://127.0.0.1" in repr(made)


@pytest.mark.parametrize(("kind", "media"), [("PNG", "image/png"), ("JPEG", "image/jpeg")])
def test_common_formats_are_shown_as_they_are(kind, media):
    content = encoded(kind)
    bundle = rc.GeneratedImage(b64_json=base64.b64encode(content).decode())._repr_mimebundle_()
    assert base64.b64decode(bundle[media]) == content
    assert "text/html" not in bundle


def test_an_image_that_cannot_be_shown_is_named():
    assert image_bundle(b"no image", "plain") == {"text/plain": "plain"}
    assert image_bundle(PNG + bytes(MAX_SHOWN_BYTES), "plain") == {"text/plain": "plain"}
    lost = rc.GeneratedImage(url="https://example.com/a?sig=x", revised_prompt="r")
    bundle = lost._repr_mimebundle_()
    assert "not connected to a client" in bundle["text/plain"]
    assert "sig" not in bundle["text/plain"]
    assert repr(rc.GeneratedImage(url=DATA_URI)).startswith("GeneratedImage(url='<")


async def test_connections_of_the_users_own_are_not_made_again():
    with ScriptedServer(BASE64_REPLY) as server:
        server.replies = [url_reply(server), file_reply()]
        async with (
            httpx.AsyncClient() as mine,
            rc.AsyncRuncrate(
                "rc_live_test", base_url=server.url, inference_url=server.url, http_client=mine
            ) as client,
        ):
            made = await client.images.generate("p", model="m")
            with pytest.raises(rc.ConfigurationError, match="Await the asynchronous form"):
                made.image.to_bytes()
            assert await made.image.ato_bytes() == PNG


def test_an_image_may_be_copied_and_pickled(scripted):
    server, both = scripted(BASE64_REPLY)
    server.replies = [url_reply(server), file_reply()]
    made = both("images.generate", "p", model="m")
    again = pickle.loads(pickle.dumps(made))  # noqa: S301 - our own bytes
    assert again.data == made.data
    assert copy.deepcopy(made).image._link is made.image._link
    assert copy.copy(made.image._link) is made.image._link
    with pytest.raises(rc.ConfigurationError, match="Get it from a client again"):
        again.image.to_bytes()


def test_an_image_without_url_and_data_is_an_error():
    class Never:
        def run_sync(self, plan):
            return next(iter(plan))

    made = rc.GeneratedImage()
    made._link = ClientBinding(Never())
    with pytest.raises(rc.ResponseFormatError, match="neither URL nor data"):
        made.to_bytes()


def test_a_target_that_cannot_be_written_is_named(scripted, tmp_path):
    _, both = scripted(BASE64_REPLY)
    result = both("images.generate", "p", model="m")
    with pytest.raises(FileNotFoundError, match="no such folder"):
        result.image.save(tmp_path / "missing" / "a.png")
    assert result.image.save(str(tmp_path / "a.webp")) == tmp_path / "a.webp"


@pytest.mark.parametrize("encode", [base64.urlsafe_b64encode, base64.b64encode])
def test_base64_of_any_dialect_is_read(scripted, encode):
    content = b"\x89PNG\r\n\x1a\n\xff\xfe\xfb\xef"
    text = encode(content).rstrip(b"=").decode()
    _, both = scripted(Reply(json={"data": [{"b64_json": text}]}))
    assert both("images.generate", "p", model="m").image.to_bytes() == content


def test_a_directory_is_not_a_file_to_save_to(scripted, tmp_path):
    _, both = scripted(BASE64_REPLY)
    with pytest.raises(IsADirectoryError):
        both("images.generate", "p", model="m").image.save(tmp_path)
    assert not tmp_path.with_name(f"{tmp_path.name}.png").exists()
