"""Validation of SSH public keys."""

from runcrate_emulator.bodies import Fields

_ALGORITHMS = (
    "ssh-ed25519",
    "ssh-rsa",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
)
_START_OF_ANY_KEY = "AAAA"  # base64 of the length that every key begins with


def check_public_key(fields: Fields, field: str, text: str) -> None:
    """Refuse what is not `algorithm material [comment]`, above all a private key.

    Raises:
        ApiError: 422 `validation_error`.
    """
    words = text.split()
    is_one_line = len(text.strip().splitlines()) == 1
    if not (
        is_one_line
        and len(words) > 1
        and words[0] in _ALGORITHMS
        and words[1].startswith(_START_OF_ANY_KEY)
        and words[1].isascii()
    ):
        fields.bad_value(field, "must be an SSH public key such as `ssh-ed25519 AAAA… name`")
