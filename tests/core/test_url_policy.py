"""Fault table, row 53: which addresses are fetched, and what is sent to them."""

from __future__ import annotations

import ipaddress
import socket
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

import runcrate_core as rc
from runcrate_core.protocol.downloads import download_flow
from runcrate_core.protocol.url_policy import UrlPolicy, carried_address, is_loopback, is_public
from tests.core.both_clients import KEY
from tests.servers import Reply, ScriptedServer

REAL = UrlPolicy.of("https://api.runcrate.ai/v1", "https://www.runcrate.ai/api/v1")
LOCAL = UrlPolicy.of("http://127.0.0.1:8787/v1", "http://localhost:8787/api/v1")
PRIVATE = UrlPolicy.of("https://10.1.2.3/v1", "https://gpu.internal:444/api/v1")
FILE = Reply(body=[b"file"], length=4)


REFUSED = {
    "not an https": """
        http://example.com/ ftp://example.com/ file:///etc/passwd gopher://example.com
        //example.com/x /relative https:// http://169.254.169.254/latest/meta-data/
    """,
    "credentials": "https://user:pass@example.com/ https://user@example.com/",
    "not a valid": r"""
        https://[::1 https://example.com\.evil.com/ https://example.com/a\b https://bücher.example/
        https://exa%20mple.com/ https://a..b.example/ https://example.com:99999/
    """,
    "this computer": """
        https://localhost/ https://LOCALHOST./ https://a.localhost/ http://127.0.0.1:8787/
        https://127.0.0.1/ https://127.9.9.9/ https://[::1]/ https://[::ffff:127.0.0.1]/
    """,
    "private network": """
        https://169.254.169.254/latest/meta-data/ https://[::ffff:169.254.169.254]/
        https://[64:ff9b::a9fe:a9fe]/ https://[2002:a9fe:a9fe::1]/ https://[::a9fe:a9fe]/
        https://[fd00:ec2::254]/ https://[fe80::1]/ https://168.63.129.16/
        https://100.100.100.200/ https://10.0.0.1/ https://172.16.0.1/ https://192.168.1.1/
        https://0.0.0.0/ https://[::]/ https://224.0.0.1/ https://255.255.255.255/
    """,
    "name is one of a private network": """
        https://metadata.google.internal/ https://metadata/ https://nas.local/
    """,
}


@pytest.mark.parametrize(
    ("url", "why"),
    [
        *((url, why) for why, urls in REFUSED.items() for url in urls.split()),
        ("", "not an https"),
        ("https://exa mple.com/", "not a valid"),
        ("https://exa\tmple.com/", "not a valid"),
        (f"https://{'a' * 64}.example/", "not a valid"),
    ],
)
def test_other_addresses_may_not(url, why):
    objection = REAL.check_url(url)
    assert objection is not None
    assert why in objection


FETCHED = {
    REAL: """
        https://assets.runcrate.ai/generations/a.webp?sig=x https://bucket.s3.amazonaws.com/key
        https://93.184.216.34/ https://[2606:4700::1111]:8443/ HTTPS://EXAMPLE.com./x
    """,
    LOCAL: "http://127.0.0.1:8787/a http://localhost:8787/a http://[::1]:8787/a",
    PRIVATE: "https://10.1.2.3/a https://10.1.2.3:443/a https://GPU.internal.:444/a",
}
NOT_FETCHED = {
    LOCAL: """
        http://127.0.0.1:9999/a http://localhost/a https://127.0.0.1:8787/a
        http://127.0.0.2:8787/a https://[::1]:5/x http://10.0.0.1/ https://10.0.0.1/
    """,
    PRIVATE: """
        https://10.1.2.3:8443/a https://10.1.2.4/a https://gpu.internal/a https://127.0.0.1/
        https://me@10.1.2.3/
    """,
}


@pytest.mark.parametrize(
    ("url_policy", "url", "allowed"),
    [
        *((policy, url, True) for policy, urls in FETCHED.items() for url in urls.split()),
        *((policy, url, False) for policy, urls in NOT_FETCHED.items() for url in urls.split()),
    ],
)
def test_where_the_program_itself_sends_requests_files_are_fetched_too(url_policy, url, allowed):
    assert (url_policy.check_url(url) is None) is allowed


INNER_PEERS = """
    127.0.0.1 ::1 192.168.0.1 ::ffff:10.0.0.1 fe80::1%eth0 /run/socket 3fff::1 5f00::1
    192.88.99.1 2001:2::1 64:ff9b::a00:1 64:ff9b:1::808:808
"""


@pytest.mark.parametrize(
    ("peer", "allowed"),
    [
        *((peer, True) for peer in ("93.184.216.34", "64:ff9b::5db8:d822")),
        *((peer, False) for peer in ("", *INNER_PEERS.split())),
    ],
)
def test_connections_are_judged_by_their_other_end(peer, allowed):
    for url_policy in (REAL, LOCAL):
        assert (url_policy.check_peer(peer) is None) is allowed


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_is_judged_the_same_inside_ipv6(address):
    number = int(address)
    for carrier in (
        ipaddress.IPv6Address((0xFFFF << 32) + number),
        ipaddress.IPv6Address((0x0064FF9B << 96) + number),
        ipaddress.IPv6Address((0x2002 << 112) + (number << 80)),
        ipaddress.IPv6Address((0x20010000 << 96) + (number ^ 0xFFFFFFFF)),
    ):
        assert carried_address(carrier) == address
        expected = REAL.check_peer(str(address))
        assert REAL.check_peer(str(carrier)) == expected
    assert carried_address(address) is address


@given(st.ip_addresses())
def test_no_inner_address_is_public(address):
    inner = address.is_private or address.is_loopback or address.is_link_local
    assert not (is_public(address) and (inner or address.is_multicast or address.is_unspecified))


OURS = "http://[::1]:1 http://127.0.0.2:1 http://localhost:1 http://emulator.localhost:1"
OTHERS = """
    http://0.0.0.0 http://169.254.169.254 http://localhost.evil.example http://[::ffff:127.0.0.1]
    http://[64:ff9b::7f00:1] http://[2002:7f00:1::] http://[2001:0:7f00:1::80ff:fffe] http://[::1
"""


@pytest.mark.parametrize("url", [*OURS.split(), *OTHERS.split()])
def test_plain_http_is_for_loopback_addresses_that_no_gateway_takes(url):
    assert is_loopback(url) is (url in OURS.split())


@pytest.fixture
def fetch(at: Any, tmp_path: Path) -> Any:
    """Download a URL to `a` with either client: `fetch(url, "https://api.example")`."""

    def run(url: str, base_url: str, **options: Any) -> Any:
        return at(base_url, **options)("run", download_flow(url, tmp_path / "a"))

    return run


def test_53_a_name_that_leads_inside_is_cut_before_anything_is_sent(fetch, tmp_path, monkeypatch):
    resolve = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda _, *args, **_of: resolve("127.0.0.1", *args))
    with ScriptedServer(FILE) as server:
        url = f"https://files.example:{server.port}/a?signature=secret"
        with pytest.raises(rc.ResponseFormatError, match="leads into a private network") as caught:
            fetch(url, "https://api.example")
        while server.connections == 0:
            time.sleep(0.01)  # the server takes note of it in a thread of its own
        assert server.connections == 1
        assert server.received == []
    assert "secret" not in str(caught.value)
    assert "https://files.example" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_53_a_connection_to_a_proxy_is_the_programs_own_choice(fetch, monkeypatch):
    with ScriptedServer(Reply(403)) as server:
        monkeypatch.setenv("HTTPS_PROXY", server.url)
        with pytest.raises(rc.APIConnectionError):
            fetch("https://files.example/a", "https://api.example", max_retries=0)
        [request] = server.received
    assert (request.method, request.path) == ("CONNECT", "files.example:443")


@pytest.mark.parametrize(
    "url",
    ["http://169.254.169.254/meta", "https://me:password@example.com/a", "no URL", "https://["],
)
def test_53_a_forbidden_address_is_not_even_connected_to(fetch, tmp_path, url):
    with pytest.raises(rc.ResponseFormatError, match="was not contacted") as caught:
        fetch(url, "https://api.example")
    assert "password" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_53_another_host_gets_nothing_of_the_client(scripted, is_async, tmp_path):
    kind = httpx.AsyncClient if is_async else httpx.Client
    mine = kind(headers={"x-mine": "secret"}, auth=("me", "secret"), cookies={"c": "secret"})
    server, both = scripted(FILE, http_client=mine, default_headers={"x-token": "secret"})
    both("run", download_flow(f"http://localhost:{server.port}/a?signature=x", tmp_path / "a"))
    both.use(lambda _: mine.aclose() if is_async else mine.close())
    (request,) = server.received
    shown = str(request.headers)
    assert "secret" not in shown
    assert KEY not in shown
    assert request.path == "/a?signature=x"
    assert set(request.headers) == {"host", "user-agent", "accept-encoding"}


def test_53_the_rate_limit_of_another_host_does_not_stop_ours(scripted, tmp_path):
    reset = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(time.time()) + 4)}
    reply = Reply(body=[b"x"], length=1, headers={"x-ratelimit-limit": "1", **reset})
    server, both = scripted(reply)
    began = time.monotonic()
    for _ in range(2):
        both("run", download_flow(f"http://localhost:{server.port}/", tmp_path / "a"))
    assert time.monotonic() - began < 2
    assert server.sent == 2
