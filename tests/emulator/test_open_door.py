"""The emulator serves programs on this computer, not web pages elsewhere."""

import re

import httpx
import pytest

from runcrate_emulator import Emulator
from tests.emulator.conftest import INSTANCE


@pytest.fixture(scope="module")
def emulator():
    with Emulator() as running:
        yield running


@pytest.mark.parametrize("path", ["/", "/v1/models", "/api/v1/instances", "/files/x"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "127.0.0.1.evil.example"},
        {"Host": "localhost.evil.example:80"},
        {"Host": "192.168.0.1"},
        {"Host": ""},
        {"Host": "user@evil.example"},
        {"Host": '"><script>'},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:1"},
        {"Origin": "https://127.0.0.1"},
    ],
    ids=str,
)
def test_a_host_or_origin_elsewhere_is_refused(emulator, headers, path):
    key = {"Authorization": f"Bearer {emulator.api_key}"}
    answer = httpx.get(emulator.base_url + path, headers={**key, **headers})
    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "forbidden"
    url = f"{emulator.base_url}/api/v1/instances"
    assert httpx.post(url, json=INSTANCE, headers={**key, **headers}).status_code == 403
    assert emulator.world.instances == {}


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST", "[::1]", "127.1.2.3"])
def test_loopback_names_are_served(emulator, host):
    name = f"{host}:{emulator.port}"
    headers = {"Host": name, "Origin": f"http://{name}"}
    assert httpx.get(f"{emulator.base_url}/v1/models", headers=headers).status_code == 200


def test_the_files_that_the_page_shows_do_not_fill_its_list(emulator):
    emulator.reset()
    body = {"model": "openai/tts-1", "input": "Hello."}
    key = {"Authorization": f"Bearer {emulator.api_key}"}
    httpx.post(f"{emulator.inference_url}/audio/speech", json=body, headers=key)
    page = httpx.get(emulator.base_url).text
    link = re.search(r'src="(/files/[^"]+)"', page)
    assert link is not None
    shown = httpx.get(emulator.base_url + link[1].replace("&amp;", "&"))
    assert shown.status_code == 200
    assert [request.route for request in emulator.requests] == ["/audio/speech"]
    httpx.get(emulator.base_url + link[1].replace("&amp;from=page", "").replace("&amp;", "&"))
    assert len(emulator.requests) == 2
