"""Settings: keys and addresses, rows 45 and 46 of the fault table."""

import math

import pytest

import runcrate_core as rc
from runcrate_core.config import DEFAULT_BASE_URL, is_own_host, normal_url, resolve_config
from runcrate_core.protocol.request import Surface

KEY = {"RUNCRATE_API_KEY": "rc_live_test"}


@pytest.mark.parametrize(
    ("given", "inference", "base"),
    [
        ("https://x.example", "https://x.example/v1", "https://x.example/api/v1"),
        ("https://x.example/", "https://x.example/v1", "https://x.example/api/v1"),
        ("https://x.example/v1/", "https://x.example/v1", "https://x.example/v1/api/v1"),
        ("https://x.example/api/v1", "https://x.example/api/v1", "https://x.example/api/v1"),
        ("http://127.0.0.1:8787", "http://127.0.0.1:8787/v1", "http://127.0.0.1:8787/api/v1"),
        ("http://[::1]:80/", "http://[::1]:80/v1", "http://[::1]:80/api/v1"),
        (" https://x.example ", "https://x.example/v1", "https://x.example/api/v1"),
        ("https://Bücher.at", "https://xn--bcher-kva.at/v1", "https://xn--bcher-kva.at/api/v1"),
    ],
)
def test_addresses_with_and_without_version_part_are_sent_in_ascii(given, inference, base):
    assert normal_url(given, Surface.INFERENCE) == inference
    assert normal_url(given, Surface.INFRASTRUCTURE) == base


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ("http://api.example/v1", "plain http"),
        ("https://user:pass@api.example", "credentials"),
        ("https://api.example/v1?key=1", "query"),
        ("https://api.example/v1#part", "fragment"),
        ("file:///etc/passwd", "https://"),
        ("api.runcrate.ai/v1", "https://"),
        ("https://", "https://"),
        ("https://[::1", "not a URL"),
        ("https://x.example:port", "not a URL"),
        *(
            (f"https://{host}", "is not usable")
            for host in ("a..b", "a" * 64 + ".b", ".b", "a%z.b", "xn--ü.b", "\uff11.b")
        ),
    ],
)
@pytest.mark.parametrize("argument", ["base_url", "inference_url"])
def test_46_an_unusable_address_is_refused(argument, given, problem):
    with pytest.raises(rc.ConfigurationError, match=f"{argument}.*{problem}") as caught:
        resolve_config(**{argument: given}, variables=KEY)
    assert "pass@" not in str(caught.value)


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ((None, "", "   ", "\n"), "RUNCRATE_API_KEY.*dashboard/api-keys"),
        (("sk-proj-abcdef", "rc_test_abc", "rc_live_", "RC_LIVE_abc"), "does not start with"),
        (("rc_live_a b", "“rc_live_ab”", "rc_live_a\nb", "rc_live_ä"), "characters"),
    ],
)
def test_45_a_key_that_cannot_be_one_is_refused_without_showing_it(keys, says):
    for key in keys:
        with pytest.raises(rc.ConfigurationError, match=f"(?s){says}") as caught:
            resolve_config(api_key=key, variables={})
        shown = str(caught.value).replace("`rc_live_`", "")
        assert not (key or "").strip() or key not in shown


@pytest.mark.parametrize("key", ["anything", None])
def test_any_key_or_none_goes_to_another_host(key):
    local = "http://127.0.0.1:8000/v1"
    config = resolve_config(api_key=key, inference_url=local, variables={})
    assert config.key_for(Surface.INFERENCE) == key
    with pytest.raises(rc.ConfigurationError):
        config.key_for(Surface.INFRASTRUCTURE)


def test_which_hosts_are_runcrates_own():
    for own in ("api.runcrate.ai/v1", "www.runcrate.ai", "RUNCRATE.AI", "runcrate.ai."):
        assert is_own_host(f"https://{own}"), own
    for other in ("runcrate.ai.evil.example", "evilruncrate.ai"):
        assert not is_own_host(f"https://{other}"), other


def test_arguments_come_before_variables_and_variables_before_defaults():
    urls = {"RUNCRATE_API_BASE": "https://i.example/v1", "RUNCRATE_API_URL": "https://b.example"}
    variables = {**KEY, **urls, "RUNCRATE_ENVIRONMENT": "staging"}
    config = resolve_config(variables=variables)
    assert config.inference_url == "https://i.example/v1"
    assert config.base_url == "https://b.example/api/v1"
    assert (config.api_key, config.environment) == ("rc_live_test", "staging")
    given = {"api_key": "rc_live_x", "base_url": DEFAULT_BASE_URL, "environment": "main"}
    config = resolve_config(**given, variables=variables)
    assert (config.api_key, config.environment) == ("rc_live_x", "main")
    assert config.base_url == "https://www.runcrate.ai/api/v1"


def test_a_representation_shows_neither_key_nor_headers():
    headers = {"x-token": "hidden"}
    config = resolve_config(variables=KEY, default_headers=headers, stream_idle_timeout=None)
    assert config.stream_idle_timeout == math.inf
    assert "rc_live" not in repr(config)
    assert "hidden" not in repr(config)
