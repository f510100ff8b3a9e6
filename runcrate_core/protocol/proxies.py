"""Proxies of the environment: which requests go through which, and which go directly."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from runcrate_core.errors import ConfigurationError
from runcrate_core.protocol.host_names import ascii_host

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

PROXY_SCHEMES: Final = ("http", "https", "socks5", "socks5h")


def proxy_routes(
    proxies: Mapping[str, str], *, hosts: Iterable[str], direct_hosts: Iterable[str]
) -> dict[str, str | None]:
    """Return which URL patterns go through which proxy (`None`: through none).

    Args:
        proxies: Proxy URLs by scheme (`http`, `https`, `all`, and `no` for the exceptions), as
            `urllib.request.getproxies` gives them.
        hosts: Hosts of the APIs, which networks in `NO_PROXY` are compared with.
        direct_hosts: Hosts that are never reached through a proxy, which would see the key.

    Returns:
        Patterns in the form that httpx mounts transports by.

    Raises:
        ConfigurationError: A variable is not usable. Its value is not shown: it may hold a
            password.
    """
    exceptions = [entry.strip() for entry in proxies.get("no", "").split(",") if entry.strip()]
    if "*" in exceptions:
        return {}
    routes: dict[str, str | None] = {}
    for scheme in ("http", "https", "all"):
        if proxies.get(scheme, "").strip():
            routes[f"{scheme}://"] = proxy_url(proxies[scheme], f"{scheme.upper()}_PROXY")
    if not routes:
        return {}
    for entry in exceptions:
        routes.update(dict.fromkeys(_patterns(entry, hosts), None))
    return routes | {_pattern(host): None for host in direct_hosts}


def proxy_url(value: str, variable: str) -> str:
    """Return the URL of a proxy, with `http://` if it has no scheme.

    Raises:
        ConfigurationError: It is not a URL, or of a scheme that is not supported. It is not shown.
    """
    value = value.strip()
    value = value if "://" in value else f"http://{value}"
    try:
        parts = urlsplit(value)
        _ = parts.port
        ascii_host(parts.hostname or "")
    except ValueError:
        raise ConfigurationError(
            f"{variable} is not the URL of a proxy (`http://proxy:3128`). Correct it, or unset it "
            "to connect directly. Nothing was sent."
        ) from None
    if parts.scheme not in PROXY_SCHEMES:
        raise ConfigurationError(
            f"{variable} names a proxy of an unknown kind; it must begin with "
            f"{', '.join(f'`{scheme}://`' for scheme in PROXY_SCHEMES)}. Nothing was sent."
        )
    return value


def _patterns(entry: str, hosts: Iterable[str]) -> Iterator[str]:
    """Return the patterns of one entry of `NO_PROXY`: a host, its port, a domain or a network."""
    if "/" in entry and "://" not in entry:
        try:
            network = ipaddress.ip_network(entry.replace("[", "").replace("]", ""), strict=False)
        except ValueError:
            raise _bad_exception(entry) from None
        yield from (_pattern(host) for host in hosts if _is_in(host, network))
        return
    address = _parsed(entry.strip("[]"))
    if address is not None:
        yield _pattern(str(address))
        return
    scheme, host, port = _split(entry)
    # `example.com` excepts its subdomains as well, `.example.com` them alone.
    star = "" if host == "localhost" or host.startswith(("[", "*")) else "*"
    yield f"{scheme}://{star}{host}{port}"


def _split(entry: str) -> tuple[str, str, str]:
    try:
        parts = urlsplit(entry if "://" in entry else f"all://{entry}")
        port = "" if parts.port is None else f":{parts.port}"
        host = parts.hostname or ""
        if ":" in host:
            return parts.scheme, f"[{host}]", port
        ascii_host(host.lstrip("*").lstrip("."))
    except ValueError:
        raise _bad_exception(entry) from None
    return parts.scheme, host, port


def _bad_exception(entry: str) -> ConfigurationError:
    return ConfigurationError(
        f"NO_PROXY has the entry {entry!r}, which is neither a host, a domain, an IP address nor a "
        "network. Correct or remove it. Nothing was sent."
    )


def _pattern(host: str) -> str:
    return f"all://[{host}]" if ":" in host else f"all://{host}"


def _is_in(host: str, network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> bool:
    address = _parsed(host)
    return address is not None and address in network


def _parsed(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
