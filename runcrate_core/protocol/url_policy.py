"""Which addresses may be fetched, when an answer or somebody else's text names them.

A file's address comes from outside: an answer, a redirect, a model. Fetching any address would
let its author reach what only this machine reaches (a cloud's metadata service, a router, a
database). So an address is judged twice: its text before anything is sent, and the IP address
of each new connection before anything is sent over it. The second leaves no gap between looking a
name up and connecting to it.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from runcrate_core.errors import ResponseFormatError
from runcrate_core.protocol.redaction import origin_of

if TYPE_CHECKING:
    from runcrate_core.protocol.request import Request

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
# Two parsers may read an address with these differently, and what is judged must be what is sent.
_AMBIGUOUS: Final = re.compile(r"[\x00-\x20\\\x7f]")
_HOST: Final = re.compile(r"[a-z0-9._-]+")
# Names that mean this machine, its network or a cloud's metadata service wherever they resolve to.
_INNER_NAMES: Final = frozenset({"localhost", "metadata", "instance-data", "ip6-localhost"})
_INNER_SUFFIXES: Final = (".localhost", ".local", ".internal", ".localdomain", ".home.arpa")
# Not public, whatever the table of this Python version says: Azure's wire server, which is the
# host of a virtual machine under a public address, and the local-use prefix of NAT64 (RFC 8215).
_INNER_NETWORKS: Final = (
    ipaddress.ip_network("168.63.129.16/32"),
    ipaddress.ip_network("64:ff9b:1::/48"),
)
# IPv6 addresses that carry an IPv4 address in their last 32 bits: the compatible ones of RFC 4291,
# and NAT64 (RFC 6052).
_CARRIERS: Final = (ipaddress.IPv6Network("::/96"), ipaddress.IPv6Network("64:ff9b::/96"))


@dataclass(frozen=True, slots=True)
class UrlPolicy:
    """What may be fetched on behalf of a client.

    Attributes:
        origins: Origins of the client's own APIs, as `origin_key` gives them. The program chose
            them, so they are trusted wherever they are.
        loopback: Whether this machine may be fetched from: the client talks to it (an emulator).
    """

    origins: frozenset[str]
    loopback: bool

    @classmethod
    def of(cls, *api_urls: str) -> UrlPolicy:
        """Return the reach of a client whose APIs have these addresses."""
        return cls(
            origins=frozenset(origin_key(url) for url in api_urls),
            loopback=any(is_loopback(url) for url in api_urls),
        )

    def trusts(self, url: str) -> bool:
        """Whether an address is on one of the client's own APIs."""
        return origin_key(url) in self.origins

    def check_url(self, url: str) -> str | None:
        """Return why an address must not be fetched, as half a sentence; `None` when it may be."""
        try:
            parts = urlsplit(url)
            _ = parts.port
        except ValueError:
            return "it is not a valid address"
        host = _plain_host(parts.hostname or "")
        if parts.scheme not in _DEFAULT_PORTS or not host:
            return "it is not an https address"
        if _AMBIGUOUS.search(url) or not (_HOST.fullmatch(host) or _parsed(host)):
            return "it is not a valid address"
        if parts.username is not None or parts.password is not None:
            return "it has credentials in it"
        if self.trusts(url):
            return None
        if _is_loopback_host(host):
            return None if self.loopback else "it is of this machine"
        if parts.scheme == "http":
            return "it is not an https address"
        if host in _INNER_NAMES or host.endswith(_INNER_SUFFIXES):
            return "its name is one of an inner network"
        address = _parsed(host)
        return None if address is None else self._objection_to(address)

    def check_peer(self, peer: str) -> str | None:
        """Return why a connection to an IP address must not be used; `None` when it may be."""
        address = _parsed(_plain_host(peer))
        if address is None:
            return "it does not lead to an internet address"
        return self._objection_to(address)

    def _objection_to(self, address: IPAddress) -> str | None:
        inner = carried_address(address)
        if inner.is_loopback and self.loopback:
            return None
        return None if is_public(inner) else "it leads into an inner network"


def forbidden(request: Request, objection: str) -> ResponseFormatError:
    """Return the error for an address that is not fetched.

    Args:
        request: The request that was to be sent there; of its address only the origin is shown.
        objection: Why it is not sent, as half a sentence.
    """
    origin = origin_of(request.path) or "An address"
    return ResponseFormatError(
        f"{origin} was not contacted: {objection}. An address that did not come from your program "
        "is contacted only when it is a public https address. Nothing was sent; report this to "
        "whoever gave the address."
    )


def origin_key(url: str) -> str:
    """Return scheme, host and port of an address in one form, whichever way it is written."""
    try:
        parts = urlsplit(url)
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme, 0)
    except ValueError:
        return ""
    return f"{parts.scheme}://{_plain_host(parts.hostname or '')}:{port}"


def is_loopback(url: str) -> bool:
    """Return whether an address is of this machine."""
    try:
        return _is_loopback_host(_plain_host(urlsplit(url).hostname or ""))
    except ValueError:
        return False


def is_public(address: IPAddress) -> bool:
    """Return whether an IP address is of the public internet."""
    inner = any(address in network for network in _INNER_NETWORKS)
    return address.is_global and not address.is_multicast and not inner


def carried_address(address: IPAddress) -> IPAddress:
    """Return the IPv4 address that an IPv6 address stands for, else the address itself.

    Packets to such an address end at the IPv4 address, so that is the one to be judged.
    """
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if int(address) > 1 and any(address in carrier for carrier in _CARRIERS):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def _plain_host(host: str) -> str:
    return host.rstrip(".").lower()


def _parsed(host: str) -> IPAddress | None:
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None


def _is_loopback_host(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    address = _parsed(host)
    return address is not None and carried_address(address).is_loopback
