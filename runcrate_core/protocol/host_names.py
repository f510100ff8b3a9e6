"""Host names: checked before a resolver or an HTTP library sees them."""

from __future__ import annotations

import ipaddress
import re
from typing import Final

MAX_LABEL_LENGTH: Final = 63
MAX_NAME_LENGTH: Final = 253
_NAME: Final = re.compile(
    rf"(?:[a-z0-9_-]{{1,{MAX_LABEL_LENGTH}}}\.)*[a-z0-9_-]{{1,{MAX_LABEL_LENGTH}}}"
)


def ascii_host(host: str) -> str:
    """Return a host as it is resolved: an IP address, or a name in lower case and in ASCII.

    Args:
        host: A name, an IPv4 address or an IPv6 address without brackets.

    Raises:
        ValueError: A label is empty, longer than 63 characters or has a character that a name
            cannot have; or the name has an ASCII form that stands for another name as well.
    """
    host = host.lower()
    if ":" in host:
        return str(ipaddress.ip_address(host.partition("%")[0])) if "%" not in host else host
    name = host.removesuffix(".")
    if not name.isascii():
        try:
            ascii_name = name.encode("idna").decode("ascii")
            is_same = ascii_name.encode("ascii").decode("idna") == name
        except UnicodeError:
            raise ValueError("it is not a host name") from None
        if not is_same:
            raise ValueError("its name can be read as another one; write it in its `xn--` form")
        name = ascii_name
    if not _NAME.fullmatch(name) or len(name) > MAX_NAME_LENGTH:
        raise ValueError("a part of its host name is empty, too long or not allowed")
    return name + host[len(host.removesuffix(".")) :]
