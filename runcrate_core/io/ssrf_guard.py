"""SSRF guard: checks each connection to a URL that did not come from the program."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from runcrate_core.protocol.url_policy import UrlPolicy, forbidden

if TYPE_CHECKING:
    from runcrate_core.config import Config
    from runcrate_core.protocol.request import Request

_STARTED = "connection.connect_tcp.started"
_COMPLETE = "connection.connect_tcp.complete"


class SsrfGuard:
    """Checks each new connection of one request before anything is sent over it.

    `trace` and `atrace` follow the HTTP library's `trace` extension. A connection to a proxy is
    the program's own choice and is not checked; behind a proxy only the URL is checked, as text.
    """

    def __init__(self, request: Request, url_policy: UrlPolicy) -> None:
        self._request = request
        self._policy = url_policy
        self._host = (urlsplit(request.path).hostname or "").lower()
        self._is_direct = True

    def trace(self, name: str, info: dict[str, Any]) -> None:
        """Take note of an event of the HTTP library; close and refuse a forbidden connection."""
        violation = self._violation(name, info)
        if violation is not None:
            info["return_value"].close()
            raise forbidden(self._request, violation)

    async def atrace(self, name: str, info: dict[str, Any]) -> None:
        """Do what `trace` does, on an event loop."""
        violation = self._violation(name, info)
        if violation is not None:
            await info["return_value"].aclose()
            raise forbidden(self._request, violation)

    def _violation(self, name: str, info: dict[str, Any]) -> str | None:
        if name == _STARTED:
            self._is_direct = str(info["host"]).lower() == self._host
        if name != _COMPLETE or not self._is_direct:
            return None
        peer = info["return_value"].get_extra_info("server_addr")
        return self._policy.check_peer(str(peer[0]) if peer else "")


def guard_of(request: Request, config: Config) -> SsrfGuard | None:
    """Return the guard of a request to a URL that was named from outside; `None` for the APIs' own.

    Raises:
        ResponseFormatError: The URL must not be fetched whatever it resolves to.
    """
    url_policy = UrlPolicy.of(config.inference_url, config.base_url)
    violation = url_policy.check_url(request.path)
    if violation is not None:
        raise forbidden(request, violation)
    return None if url_policy.trusts(request.path) else SsrfGuard(request, url_policy)
