"""URL policy against SSRF, for URLs that a response, a redirect or a model names.

Fetching any URL would let its author reach what only this computer reaches (a cloud's metadata
service, a router, a database). So a URL is judged twice: its text before anything is sent, and the
IP address of each new connection before anything is sent over it. The second leaves no gap between
looking a name up and connecting to it.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from runcrate_core.errors import ResponseFormatError
from runcrate_core.protocol.host_names import ascii_host
from runcrate_core.protocol.redaction import origin_of

if TYPE_CHECKING:
    from runcrate_core.protocol.request import Request

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
# Two parsers may read a URL with these differently, and what is checked must be what is sent.
_AMBIGUOUS: Final = re.compile(r"[\x00-\x20\\\x7f]")
# Names that mean this computer, its network or a cloud's metadata service wherever they resolve to.
_INNER_NAMES: Final = frozenset({"localhost", "metadata", "instance-data", "ip6-localhost"})
_INNER_SUFFIXES: Final = (".localhost", ".local", ".internal", ".localdomain", ".home.arpa")
# The special-purpose registries of IANA (RFC 6890 and its updates), multicast, and Azure's wire
# server, which is the host of a virtual machine under a public address. Listed here because the
# table of a Python version lacks what was registered after it.
_SPECIAL_V4: Final = tuple(
    ipaddress.IPv4Network(network)
    for network in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "168.63.129.16/32",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)
# Of IPv6, only this range is of the public internet, but for these parts of it.
_PUBLIC_V6: Final = ipaddress.IPv6Network("2000::/3")
_SPECIAL_V6: Final = tuple(
    ipaddress.IPv6Network(network)
    for network in ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20")
)
# IPv6 addresses that carry an IPv4 address in their last 32 bits: the compatible ones of RFC 4291,
# and NAT64 (RFC 6052).
_CARRIERS: Final = (ipaddress.IPv6Network("::/96"), ipaddress.IPv6Network("64:ff9b::/96"))


@dataclass(frozen=True, slots=True)
class UrlPolicy:
    """URLs that may be fetched on behalf of a client.

    Attributes:
        origins: Origins of the client's own APIs, as `origin_key` gives them. The program chose
            them, so they are trusted wherever they are, an emulator on this computer included;
            other ports of this computer are not.
    """

    origins: frozenset[str]

    @classmethod
    def of(cls, *api_urls: str) -> UrlPolicy:
        """Return the policy of a client whose APIs have these URLs."""
        return cls(origins=frozenset(origin_key(url) for url in api_urls))

    def trusts(self, url: str) -> bool:
        """True if a URL is on one of the client's own APIs."""
        return origin_key(url) in self.origins

    def check_url(self, url: str) -> str | None:
        """Return why a URL must not be fetched, as half a sentence; `None` when it may be."""
        try:
            parts = urlsplit(url)
            _ = parts.port
        except ValueError:
            return "it is not a valid URL"
        host = _plain_host(parts.hostname or "")
        if parts.scheme not in _DEFAULT_PORTS or not host:
            return "it is not an https URL"
        if _AMBIGUOUS.search(url) or not _is_host(host):
            return "it is not a valid URL"
        if parts.username is not None or parts.password is not None:
            return "it has credentials in it"
        if self.trusts(url):
            return None
        if _is_loopback_host(host):
            return "it is of this computer"
        if parts.scheme == "http":
            return "it is not an https URL"
        if host in _INNER_NAMES or host.endswith(_INNER_SUFFIXES):
            return "its name is one of a private network"
        address = _parsed(host)
        return None if address is None else _violation(address)

    def check_peer(self, peer: str) -> str | None:
        """Return why a connection to an IP address must not be used; `None` when it may be."""
        address = _parsed(_plain_host(peer))
        if address is None:
            return "its host does not resolve to an internet address"
        return _violation(address)


def _violation(address: IPAddress) -> str | None:
    return None if is_public(carried_address(address)) else "it leads into a private network"


def forbidden(request: Request, violation: str) -> ResponseFormatError:
    """Return the error for a URL that is not fetched.

    Args:
        request: The request that was to be sent there; of its URL only the origin is shown.
        violation: Why it is not sent, as half a sentence.
    """
    origin = origin_of(request.path) or "A URL"
    return ResponseFormatError(
        f"{origin} was not contacted: {violation}. A URL that did not come from your program "
        "is contacted only if it is a public https URL. Nothing was sent; report this to "
        "whoever provided the URL."
    )


def origin_key(url: str) -> str:
    """Return scheme, host and port of a URL in one form, whichever way it is written.

    `localhost`, `127.0.0.1` and `::1` are one host: an emulator is reached by each of them.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme, 0)
    except ValueError:
        return ""
    host = _plain_host(parts.hostname or "")
    return f"{parts.scheme}://{'localhost' if host in _LOOPBACK_NAMES else host}:{port}"


_LOOPBACK_NAMES: Final = frozenset({"localhost", "127.0.0.1", "::1"})


def is_loopback(url: str) -> bool:
    """Return whether a URL is of this computer, so that plain http does not leave it.

    An IPv6 address that carries a loopback address is not: a gateway may take its packets.
    """
    try:
        host = _plain_host(urlsplit(url).hostname or "")
    except ValueError:
        return False
    address = _parsed(host)
    return _is_local_name(host) or (
        address is not None
        and address.is_loopback
        and (isinstance(address, ipaddress.IPv4Address) or address.ipv4_mapped is None)
    )


def is_public(address: IPAddress) -> bool:
    """Return whether an IP address is of the public internet."""
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _SPECIAL_V4)
    return address in _PUBLIC_V6 and not any(address in network for network in _SPECIAL_V6)


def carried_address(address: IPAddress) -> IPAddress:
    """Return the IPv4 address that an IPv6 address stands for, else the address itself.

    Packets to such an address end at the IPv4 address, so that is the one to be checked.
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


def _is_host(host: str) -> bool:
    try:
        return host.isascii() and (_parsed(host) is not None or bool(ascii_host(host)))
    except ValueError:
        return False


def _plain_host(host: str) -> str:
    return host.rstrip(".").lower()


def _parsed(host: str) -> IPAddress | None:
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None


def _is_loopback_host(host: str) -> bool:
    address = _parsed(host)
    return _is_local_name(host) or (address is not None and carried_address(address).is_loopback)


def _is_local_name(host: str) -> bool:
    return host == "localhost" or host.endswith(".localhost")
