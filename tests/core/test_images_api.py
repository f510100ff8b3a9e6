"""Images: what is sent, what comes back in its many forms, and what it can do."""

from __future__ import annotations

import base64
import copy
import io
import pickle
from typing import Any

import httpx
import pytest
from PIL import Image

import runcrate_core as rc
from runcrate_core.api.notebook import MAX_SHOWN_BYTES, image_bundle
from tests.servers import Reply, ScriptedServer, raw_reply

FLUX = "black-forest-labs/FLUX.1-schnell"


def encoded(kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 8), "teal").save(file, kind)
    return file.getvalue()


PNG = encoded()
PNG64 = base64.b64encode(PNG).decode()
DATA_URI = f"data:image/png;base64,{PNG64}"
BASE64_REPLY = Reply(json={"data": [{"b64_json": PNG64}]})


def test_an_image_is_made_and_saved(both, cloud, tmp_path):
    given = {"model": FLUX, "width": 512, "height": 256, "seed": 42}
    image = both("images.generate", "A futuristic cityscape at sunset", **given).image
    path = both.use(lambda _: (image.asave if both.is_async else image.save)(tmp_path / "city"))
    assert path == tmp_path / "city.webp"
    with Image.open(path) as made:
        assert (made.size, made.format) == ((512, 256), "WEBP")
    assert [file.name for file in tmp_path.iterdir()] == ["city.webp"]
    fetched = cloud.requests[-1]
    assert fetched.path.startswith("/files/")
    assert "authorization" not in {name.lower() for name in fetched.headers}


def test_given_arguments_are_sent_and_are_the_same_in_a_retry(scripted, tmp_path):
    path = tmp_path / "mask.png"
    path.write_bytes(PNG)
    server, both = scripted(Reply(503, {"error": "busy"}), BASE64_REPLY)
    numbers = {"width": 256, "height": 512, "num_inference_steps": 4, "guidance": 3.5, "seed": 0}
    texts = {"model": "m", "aspect_ratio": "1:2", "negative_prompt": "n", "response_format": "url"}
    plain = numbers | texts | {"image": "https://example.com/a.png", "prompt_strength": 0.5}
    files = {"start_image": PNG, "mask": path, "control_image": DATA_URI}
    files |= {"reference": io.BytesIO(PNG), "input_images": [path, "https://example.com/b", PNG]}
    both("images.generate", "p", **plain, **files, extra_headers={"x-trace": "1"})
    request, retry = server.received
    assert (request.method, request.path) == ("POST", "/v1/images/generations")
    assert request.headers["content-type"] == "application/json"
    assert request.headers["x-trace"] == "1"
    assert "transfer-encoding" not in request.headers
    listed = {"input_images": [DATA_URI, "https://example.com/b", DATA_URI]}
    assert request.json == {**plain, **dict.fromkeys(files, DATA_URI), "prompt": "p", **listed}
    assert retry.body == request.body


DIALECT = b"\x89PNG\r\n\x1a\n\xff\xfe\xfb\xef"


@pytest.mark.parametrize(
    ("item", "content"),
    [
        ({"b64_json": PNG64}, PNG),
        ({"b64_json": DATA_URI}, PNG),
        ({"url": DATA_URI, "b64_json": None}, PNG),
        ({"url": DATA_URI.replace("data:", "DATA:")}, PNG),
        *(
            ({"b64_json": encode(DIALECT).rstrip(b"=").decode()}, DIALECT)
            for encode in (base64.urlsafe_b64encode, base64.b64encode)
        ),
    ],
)
def test_bytes_in_the_response_need_no_request(scripted, item, content):
    server, both = scripted(Reply(json={"created": 1, "data": [item]}))
    result = both("images.generate", "p", model="m")
    assert (result.created, result.response.status) == (1, 200)
    assert (result.image.content_type, result.image.to_bytes()) == ("image/png", content)
    assert server.sent == 1


FILE = raw_reply(PNG, "image/png")


@pytest.fixture
def by_url(scripted: Any) -> Any:
    """A server that gives the URL of an image, and then a reply to it; with either client."""

    def start(reply: Reply = FILE) -> Any:
        server, both = scripted(reply)
        url = f"{server.url}/files/a?signature=secret"
        server.replies = [Reply(json={"data": [{"url": url}]}), reply]
        return server, both

    return start


@pytest.mark.parametrize("is_method_async", [False, True])
def test_a_url_is_fetched_once_and_without_the_key(by_url, tmp_path, is_method_async):
    """Either kind of method works with either client."""
    server, both = by_url()
    made = both("images.generate", "p", model="m")

    async def use(_):
        if is_method_async:
            return await made.image.ato_bytes(), await made.image.asave(tmp_path / "a")
        return made.image.to_bytes(), made.image.save(tmp_path / "a")

    data, path = both.use(use)
    assert server.sent == 2
    assert data == PNG == path.read_bytes()
    assert (path.name, made.image.content_type) == ("a.png", "image/png")
    assert "authorization" not in server.received[1].headers


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (raw_reply(b"<html>not found</html>", "text/html", 404), rc.NotFoundError),
        (raw_reply(b"<html>sign in</html>", "text/html"), rc.ResponseFormatError),
        (Reply(body=[], length=2**40, end="close"), rc.ResponseFormatError),
        (Reply(302, headers={"location": "http://169.254.169.254/"}), rc.ResponseFormatError),
    ],
)
def test_a_fetched_file_is_checked(by_url, reply, kind, tmp_path):
    _, both = by_url(reply)
    made = both("images.generate", "p", model="m")
    with pytest.raises(kind) as caught:
        made.image.save(tmp_path / "a")
    assert "secret" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_bytes_that_do_not_decode_are_an_error(scripted):
    _, both = scripted(Reply(json={"data": [{"b64_json": "!!!"}]}))
    with pytest.raises(rc.ResponseFormatError, match="not valid base64"):
        both("images.generate", "p", model="m").image.to_bytes()


def test_an_image_that_was_withheld_does_not_take_the_others_with_it(scripted):
    withheld = {"error": "blocked"}
    _, both = scripted(Reply(json={"data": [withheld, *BASE64_REPLY.json["data"]]}))
    made = both("images.generate", "p", model="m", n=2)
    assert made.image.to_bytes() == PNG
    assert made.data[0].to_dict() == withheld
    with pytest.raises(rc.ResponseFormatError, match="neither URL nor data"):
        made.data[0].to_bytes()


def test_an_image_is_shown_without_a_secret(both):
    made = both("images.generate", "a cat", model=FLUX)
    bundle = both.use(lambda _: made._repr_mimebundle_(include=None, exclude=None))
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
        url = {"url": f"{server.url}/files/a"}
        server.replies = [Reply(json={"data": [url]}), FILE]
        async with httpx.AsyncClient() as mine:
            client = rc.AsyncRuncrate("rc_live_test", inference_url=server.url, http_client=mine)
            made = await client.images.generate("p", model="m")
            with pytest.raises(rc.ConfigurationError, match="Await the asynchronous form"):
                made.image.to_bytes()
            assert await made.image.ato_bytes() == PNG


def test_an_image_may_be_copied_and_pickled(by_url):
    _, both = by_url()
    made = both("images.generate", "p", model="m")
    again = pickle.loads(pickle.dumps(made))  # noqa: S301 - our own bytes
    assert again.data == made.data
    assert copy.deepcopy(made).image._link is made.image._link
    assert copy.copy(made.image._link) is made.image._link
    with pytest.raises(rc.ConfigurationError, match="Get it from a client again"):
        again.image.to_bytes()


def test_a_target_that_cannot_be_written_is_named(scripted, tmp_path):
    _, both = scripted(BASE64_REPLY)
    image = both("images.generate", "p", model="m").image
    with pytest.raises(FileNotFoundError, match="does not exist"):
        image.save(tmp_path / "missing" / "a.png")
    with pytest.raises(IsADirectoryError):
        image.save(tmp_path)
    assert not tmp_path.with_name(f"{tmp_path.name}.png").exists()
    assert image.save(str(tmp_path / "a.webp")) == tmp_path / "a.webp"
