"""Requests of our own connections are those that the HTTP library would build."""

import httpx
import pytest

from runcrate_core.config import resolve_config
from runcrate_core.io.httpx_adapter import build_request, new_async_client, new_client
from runcrate_core.protocol.request import ReadTimeout, RetrySafety, Surface, json_request
from tests.servers import Reply

ADDRESS = "http://127.0.0.1:9/v1"
HEADERS = {"X-Team": "red", "Accept": "a/b"}
CONFIG = resolve_config(api_key="rc_live_test", inference_url=ADDRESS, default_headers=HEADERS)


@pytest.mark.parametrize("headers", [None, {"User-Agent": "mine", "X-Team": "blue"}])
@pytest.mark.parametrize("make", [new_client, new_async_client])
def test_a_request_is_the_one_that_a_plain_client_builds(make, headers):
    options = {"retry": RetrySafety.SAFE, "read_timeout": ReadTimeout.CHAT, "headers": headers}
    body = {"model": "m"}
    wanted = json_request(Surface.INFERENCE, "POST", "/chat/completions", body=body, **options)
    plain = httpx.Client()
    own = make(ADDRESS)
    expected, built = (
        build_request(client, wanted, CONFIG, wanted.content, lambda: None)
        for client in (plain, own)
    )
    assert built.headers.raw == expected.headers.raw
    assert (built.url, built.method) == (expected.url, expected.method)
    assert built.content == expected.content
    assert built.extensions["timeout"] == expected.extensions["timeout"]
    plain.close()


def test_tools_that_replace_send_see_every_request(scripted, is_async, monkeypatch):
    kind = httpx.AsyncClient if is_async else httpx.Client
    seen = []
    original = kind.send

    def send(client, request, **options):
        seen.append(request.url.path)
        return original(client, request, **options)

    monkeypatch.setattr(kind, "send", send)
    _, both = scripted(Reply(json={"data": []}))
    both("models.list")
    assert seen == ["/v1/models"]


def test_cookies_of_a_response_are_not_sent_back(scripted):
    cookie = {"set-cookie": "session=s; Path=/"}
    server, both = scripted(Reply(json={"data": []}, headers=cookie), Reply(json={"data": []}))
    both("instances.list")
    both("instances.list")
    assert "cookie" not in server.received[1].headers
