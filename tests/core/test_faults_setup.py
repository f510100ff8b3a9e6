"""Odd set-ups: proxies, certificates, variables and arguments, with both clients."""

from __future__ import annotations

import math
from typing import Any

import httpx
import pydantic
import pytest

import runcrate_core as rc
from runcrate_core.config import resolve_config
from runcrate_core.io import httpx_adapter
from tests.servers import Reply, ScriptedServer

OK = Reply(json={"data": []})
FAR = "https://api.example.test"


def test_a_proxy_that_refuses_credentials_is_named(at, monkeypatch):
    with ScriptedServer(Reply(407, headers={"proxy-authenticate": "Basic"})) as proxy:
        for name in ("HTTPS_PROXY", "HTTP_PROXY"):
            monkeypatch.setenv(name, proxy.url.replace("//", "//user:secret@"))
        with pytest.raises(rc.ConfigurationError, match="407") as caught:
            at(FAR)("instances.list")
        assert proxy.sent == 1
        with pytest.raises(rc.ConfigurationError, match="407"):  # as from a client of the program
            at(proxy.url)("instances.list")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("ALL_PROXY", "socks://127.0.0.1:7890/", "unknown kind"),
        ("HTTPS_PROXY", "ftp://proxy.example", "unknown kind"),
        ("HTTPS_PROXY", "http://proxy:port", "not the URL"),
        ("HTTPS_PROXY", "http://a..b:3128", "not the URL"),
        ("HTTPS_PROXY", "http://[::1", "not the URL"),
        ("HTTP_PROXY", '"http://proxy:3128"', "HTTP_PROXY"),
        ("ALL_PROXY", "socks5://user:secret@127.0.0.1:1", r"httpx\[socks\]"),
        ("NO_PROXY", "fd00::/64/3", "'fd00::/64/3'"),
        ("NO_PROXY", "host:port", "'host:port'"),
    ],
)
def test_a_proxy_variable_that_is_not_usable_is_named(at, name, value, says, monkeypatch):
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv(name, value)
    with pytest.raises(rc.ConfigurationError, match=says) as caught:
        at(FAR)("instances.list")
    assert name in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("entry", "host", "is_direct"),
    [
        ("::1", "[::1]", True),
        ("[::1]", "[::1]", True),
        ("[::1]:443", "[::1]", True),
        ("fd07:b51a:cc66:f0::/64", "[fd07:b51a:cc66:f0::5]", True),
        ("fd07:b51a:cc66:f0::/64", "[fd08::5]", False),
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "11.1.2.3", False),
        ("example.com", "api.example.com", True),
        ("example.com", "example.com", True),
        ("example.com", "badexample.com", False),
        (".example.com", "example.com", False),
        ("*.example.com", "api.example.com", True),
        ("https://api.example.com:8443", "api.example.com", False),
        ("*", "anything.example", True),
        (" , ", "anything.example", False),
    ],
)
def test_exceptions_from_proxies(entry, host, is_direct, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", entry)
    url = f"https://{host}/api/v1"
    with httpx_adapter.new_client(url) as client:
        transport = client._transport_for_url(httpx.URL(url))
        assert (transport is client._transport) is is_direct


@pytest.mark.parametrize("name", ["HTTP_PROXY", "ALL_PROXY"])
def test_a_key_for_this_computer_does_not_go_through_a_proxy(scripted, name, monkeypatch):
    with ScriptedServer(OK) as proxy:
        monkeypatch.setenv(name, proxy.url)
        server, both = scripted(OK)
        assert both("instances.list") == []
        assert (proxy.sent, server.sent) == (0, 1)


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_certificates_that_are_not_usable_are_named(at, name, content, tmp_path, monkeypatch):
    path = tmp_path / "certificates"
    if content is not None:
        path.write_bytes(content)
    for other in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(other, raising=False)
    monkeypatch.setenv(name, str(path))
    monkeypatch.setattr(httpx_adapter, "shared_tls", httpx_adapter.shared_tls.__wrapped__)
    with pytest.raises(rc.ConfigurationError, match=name):
        at(FAR)("instances.list")


def test_certificates_are_read_once():
    assert httpx_adapter.shared_tls() is httpx_adapter.shared_tls()


@pytest.mark.parametrize("name", ["RUNCRATE_API_KEY", "RUNCRATE_API_URL", "RUNCRATE_ENVIRONMENT"])
def test_a_variable_in_quotation_marks_or_of_two_lines_is_named(name):
    good = {
        "RUNCRATE_API_KEY": "rc_live_test",
        "RUNCRATE_API_URL": "https://x.example",
        "RUNCRATE_ENVIRONMENT": "staging",
    }
    spaced = {key: f" {value}\r\n" for key, value in good.items()}
    assert resolve_config(variables=spaced) == resolve_config(variables=good)
    for value in (f'"{good[name]}"', f"'{good[name]}'", f"{good[name]}\n#", "\u202e" + good[name]):
        with pytest.raises(rc.ConfigurationError, match=name) as caught:
            resolve_config(variables=good | {name: value})
        assert "rc_live_test" not in str(caught.value)
    resolve_config(variables=good | {"RUNCRATE_API_BASE": "  ", "RUNCRATE_ENVIRONMENT": " "})


@pytest.mark.parametrize(
    "arguments",
    [
        {"api_key": pydantic.SecretStr("rc_live_test")},
        {"base_url": httpx.URL("https://x.example")},
        {"base_url": pydantic.AnyHttpUrl("https://x.example")},
        {"inference_url": httpx.URL("https://x.example/v1")},
        {"timeout": httpx.Timeout(5)},
        {"timeout": rc.Timeout(connect=1)},
        {"default_headers": [("x-a", "b")]},
    ],
)
@pytest.mark.parametrize("kind", [rc.Runcrate, rc.AsyncRuncrate])
def test_arguments_of_related_types_are_taken(kind, arguments):
    shown = repr(kind(**{"api_key": "rc_live_test"} | arguments))
    assert ("x.example" in shown) is (not {"base_url", "inference_url"}.isdisjoint(arguments))


WRONG: dict[str, list[Any]] = {
    "api_key": [b"rc_live_test", 5],
    "base_url": [b"https://x.example", 5],
    "inference_url": [object()],
    "default_headers": [
        *({"x": 5}, {"x": None}, {"x": b"y"}, {5: "y"}, "x: y", 5),
        *({"x": "a\r\nrc_live_test: c"}, {"a b": "c"}, {"": "c"}, {"x": "rc_live_test ä"}),
    ],
    "environment": [5, "a\nb"],
    "timeout": ["5", object(), -1, 0, math.nan, True],
    "stream_idle_timeout": ["5", 0],
    "max_retries": [None, -1, 1.5, True],
    "on_request": ["x"],
    "wait_for_rate_limit": ["no"],
    "http_client": [object()],
}


@pytest.mark.parametrize("argument", WRONG)
@pytest.mark.parametrize("kind", [rc.Runcrate, rc.AsyncRuncrate])
def test_arguments_of_other_types_are_named(kind, argument):
    shown = "header" if argument == "default_headers" else argument
    for value in WRONG[argument]:
        with pytest.raises(rc.ConfigurationError, match=shown) as caught:
            kind(**{"api_key": "rc_live_test", argument: value})
        assert "rc_live_test" not in str(caught.value)


def limits_of(**arguments: Any) -> dict[str, float | None]:
    """Return the limits that a request is sent with."""
    seen: list[Any] = []

    def response(request: httpx.Request) -> httpx.Response:
        seen.append(request.extensions["timeout"])
        return httpx.Response(200, json={"data": []})

    given = arguments.pop("given", {})
    http = httpx.Client(transport=httpx.MockTransport(response), **given)
    rc.Runcrate("rc_live_test", http_client=http, **arguments).instances.list()
    return dict(seen[0])


OWN, PATIENT = {"timeout": httpx.Timeout(120, connect=30)}, httpx.Timeout(9, connect=None)
OWNS = {"connect": 30, "read": 120, "write": 120, "pool": 120}
DEFAULT = {"connect": 5.0, "read": 60.0, "write": 60.0, "pool": 600.0}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, DEFAULT),
        ({"timeout": 300}, DEFAULT | {"read": 300.0, "write": 300.0}),
        ({"timeout": 0.5}, dict.fromkeys(DEFAULT, 0.5) | {"pool": 600.0}),
        ({"timeout": math.inf}, DEFAULT | {"read": None, "write": None}),
        ({"timeout": PATIENT}, dict.fromkeys(DEFAULT, 9) | {"connect": None}),
        ({"timeout": rc.Timeout(connect=30, pool=90)}, DEFAULT | {"connect": 30, "pool": 90}),
        ({"given": OWN}, OWNS),
        ({"given": OWN, "timeout": rc.Timeout(read=7)}, OWNS | {"read": 7}),
    ],
)
def test_the_limits_that_are_used_are_those_that_were_given(arguments, expected):
    assert limits_of(**arguments) == expected


@pytest.mark.parametrize("wrong", [0, -1, float("nan"), "5", True])
def test_a_limit_that_is_not_a_number_of_seconds_is_refused(wrong):
    with pytest.raises(ValueError, match="connect"):
        rc.Timeout(connect=wrong)
    client = rc.Runcrate("rc_live_test", base_url="https://x.example")
    with pytest.raises(ValueError, match="timeout"):
        client.embeddings.create(model="m", input="x", timeout=wrong)
