"""Requests of our own connections are those that the HTTP library would build."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from runcrate_core.config import resolve_config
from runcrate_core.io.httpx_adapter import (
    build_request,
    new_async_client,
    new_client,
)
from runcrate_core.protocol.request import ReadTimeout, RetrySafety, Surface, json_request

ADDRESS = "http://127.0.0.1:9/v1"
CONFIG = resolve_config(
    api_key="rc_live_test",
    inference_url=ADDRESS,
    default_headers={"X-Team": "red", "Accept": "a/b"},
)


def request(**changes: Any) -> Any:
    return json_request(
        Surface.INFERENCE,
        "POST",
        "/chat/completions",
        retry=RetrySafety.SAFE,
        read_timeout=ReadTimeout.CHAT,
        body={"model": "m"},
        **changes,
    )


@pytest.mark.parametrize("headers", [None, {"User-Agent": "mine", "X-Team": "blue"}])
@pytest.mark.parametrize("cookies", [{}, {"session": "s"}])
@pytest.mark.parametrize("make", [new_client, new_async_client])
def test_a_request_is_the_one_that_a_plain_client_builds(make, cookies, headers):
    wanted = request(headers=headers)
    plain = httpx.Client(cookies=cookies)
    own = make(ADDRESS)
    own.cookies.update(cookies)
    expected, built = (
        build_request(client, wanted, CONFIG, wanted.content, lambda: None)
        for client in (plain, own)
    )
    assert built.headers.raw == expected.headers.raw
    assert (built.url, built.method) == (expected.url, expected.method)
    assert built.content == expected.content
    assert built.extensions["timeout"] == expected.extensions["timeout"]
    plain.close()
