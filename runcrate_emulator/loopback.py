"""Loopback names: the emulator listens, and calls, on this computer only."""

import ipaddress
from urllib.parse import urlsplit

LOOPBACK = "127.0.0.1"  # never another address: there are no secrets worth a network


def is_loopback(authority: str) -> bool:
    """True for `localhost` or a loopback address, with or without a port."""
    try:
        name = urlsplit(f"//{authority}").hostname or ""
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
