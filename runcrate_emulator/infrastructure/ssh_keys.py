"""SSH keys of the workspace. Their fields are camelCase on the wire."""

import base64
import binascii
import hashlib
import re
from typing import Annotated, Any

from runcrate_emulator.bodies import Body, Name, Text, must
from runcrate_emulator.infrastructure.endpoints import Call, Endpoints
from runcrate_emulator.infrastructure.records import SshKey
from runcrate_emulator.infrastructure.wire import CREATED, Result, conflict, fields, not_found
from runcrate_emulator.keys import PROJECT_ID

# `algorithm material [comment]`; the length that every key begins with is AAAA in base64.
_PUBLIC_KEY = re.compile(
    r"\s*(ssh-(ed25519|rsa)|ecdsa-sha2-nistp(256|384|521)"
    r"|sk-(ssh-ed25519|ecdsa-sha2-nistp256)@openssh\.com)[ \t]+AAAA[!-~]*([ \t].*)?\s*"
)
PublicKey = Annotated[
    Text,
    must(_PUBLIC_KEY.fullmatch, "must be an SSH public key such as `ssh-ed25519 AAAA… name`"),
]


class _NewKey(Body):
    name: Name
    public_key: PublicKey
    type: Name | None = None


routes = Endpoints()


routes.read(
    "/ssh-keys", lambda call: [_view(key) for key in reversed(call.world.ssh_keys.values())]
)


@routes.add("POST /ssh-keys", CREATED)
async def _create_key(call: Call) -> Result:
    """409 for a key or a name that is there already."""
    world = call.world
    body = await call.read(_NewKey)
    algorithm, material = body.public_key.split()[:2]
    try:
        content = base64.b64decode(material, validate=True)
    except binascii.Error:  # the examples of the documents are shortened
        content = material.encode()
    digest = base64.b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
    fingerprint = f"SHA256:{digest}"  # as `ssh-keygen` writes it
    for known in world.ssh_keys.values():
        if known.fingerprint == fingerprint or known.name == body.name:
            raise conflict(
                f"This key or name exists already, as `{known.id}` ({known.name}); "
                "nothing was added.",
            )
    key = SshKey(
        id=world.new_id(),
        name=body.name,
        public_key=body.public_key,
        fingerprint=fingerprint,
        type=body.type or algorithm,
        created_at=world.moment,
    )
    world.ssh_keys[key.id] = key
    return _view(key)


@routes.add("DELETE /ssh-keys/{id}")
async def _delete_key(call: Call) -> Result:
    """Instances that have the key keep it."""
    identifier = call.id
    if call.world.ssh_keys.pop(identifier, None) is None:
        raise not_found("SSH key", identifier)
    return None


def _view(key: SshKey) -> dict[str, Any]:
    return fields(key, "id name fingerprint type createdAt lastUsed") | {"projectId": PROJECT_ID}
