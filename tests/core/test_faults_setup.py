"""Odd set-ups: proxies, certificates, variables and arguments, with both clients."""

from __future__ import annotations

from typing import Any

import pytest

import runcrate_core as rc
from tests.core.scripted_server import Reply, ScriptedServer

REFUSED = Reply(407, headers={"proxy-authenticate": "Basic"})


@pytest.mark.parametrize("url", ["https://api.example.test"])
def test_a_proxy_that_refuses_credentials_is_named(
    run: Any, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ScriptedServer(REFUSED) as proxy:
        for name in ("HTTPS_PROXY", "HTTP_PROXY"):
            monkeypatch.setenv(name, proxy.url.replace("//", "//user:secret@"))
        with pytest.raises(rc.ConfigurationError, match="407") as caught:
            run(lambda client: client.instances.list(), url)
        assert proxy.sent == 1
    assert "secret" not in str(caught.value)
