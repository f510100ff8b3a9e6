"""Short-lived SSH certificates: the time for which one is valid, read from its text.

The layout is that of OpenSSH (`PROTOCOL.certkeys`), for the Ed25519 keys that are made here.
"""

from __future__ import annotations

import base64
import binascii
import struct
from datetime import UTC, datetime
from typing import Final

_FIELDS_BEFORE_SERIAL: Final = 3  # type, nonce, public key
_FOREVER: Final = 2**63


def valid_until(certificate: str) -> datetime | None:
    """Return when a certificate expires; `None` when it never does, or when it has another form.

    Args:
        certificate: One line, `type base64 [comment]`.
    """
    try:
        data = base64.b64decode(certificate.split()[1])
        position = 0
        for _ in range(_FIELDS_BEFORE_SERIAL):
            position = _skip(data, position)
        position += 8 + 4  # serial number, kind
        position = _skip(data, _skip(data, position))  # key id, principals
        (before,) = struct.unpack_from(">Q", data, position + 8)
        return None if before >= _FOREVER else datetime.fromtimestamp(before, UTC)
    except (IndexError, ValueError, OverflowError, struct.error, binascii.Error):
        return None


def _skip(data: bytes, position: int) -> int:
    """Return the position after a string with its length in front."""
    (length,) = struct.unpack_from(">I", data, position)
    return int(position + 4 + length)
