"""API keys: format, header, and masked form."""

from collections.abc import Mapping

KEY_PREFIX = "rc_live_"
API_KEY = "rc_live_emulator"
"""The emulator's own key; the only one that may top up unless the dashboard says otherwise."""
TEST_KEY = "rc_live_test"
"""The key that tests use; it has no billing permission."""

PROJECT_ID = "workspace-emulator"
OWNER = "owner@emulator.invalid"

_SHOWN_CHARACTERS = 4


def bearer_token(headers: Mapping[str, str]) -> str | None:
    """The key in an `Authorization: Bearer` header; None without one."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None


def is_well_formed(key: str) -> bool:
    """True if a key looks like one of the service's."""
    return key.startswith(KEY_PREFIX) and key != KEY_PREFIX


def masked(key: str) -> str:
    """A key that may be shown: its prefix, and its last characters if it is long."""
    prefix = KEY_PREFIX if key.startswith(KEY_PREFIX) else ""
    rest = key[len(prefix) :]
    shown = rest[-_SHOWN_CHARACTERS:] if len(rest) > 2 * _SHOWN_CHARACTERS else ""
    return f"{prefix}…{shown}"
