"""SSH keys of the workspace. Their fields are camelCase on the wire."""

import base64
import binascii
import hashlib
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from runcrate_emulator.bodies import Fields, read_object
from runcrate_emulator.errors import ApiError
from runcrate_emulator.infrastructure.launches import LONGEST_NAME
from runcrate_emulator.infrastructure.public_keys import check_public_key
from runcrate_emulator.infrastructure.records import SshKey
from runcrate_emulator.infrastructure.wire import (
    CREATED,
    iso,
    many,
    not_found,
    nothing,
    one,
    world_of,
)
from runcrate_emulator.workspace import PROJECT_ID


async def list_keys(request: Request) -> Response:
    """GET /ssh-keys, newest first."""
    world = world_of(request)
    return many(_view(key) for key in reversed(world.ssh_keys.values()))


async def create_key(request: Request) -> Response:
    """POST /ssh-keys; 409 for a key or a name that is there already."""
    world = world_of(request)
    fields = Fields(await read_object(request))
    name = fields.required("name", fields.text("name", longest=LONGEST_NAME))
    public_key = fields.required("public_key", fields.text("public_key"))
    kind = fields.text("type", longest=LONGEST_NAME)
    check_public_key(fields, "public_key", public_key)
    fields.finish()
    algorithm, material = public_key.split()[:2]
    fingerprint = _fingerprint(material)
    for known in world.ssh_keys.values():
        if known.fingerprint == fingerprint or known.name == name:
            raise ApiError(
                409,
                "conflict",
                f"This key or this name is already there, as `{known.id}` ({known.name}); "
                "nothing was added.",
            )
    key = SshKey(
        id=world.new_id(),
        name=name,
        public_key=public_key,
        fingerprint=fingerprint,
        type=kind or algorithm,
        created_at=world.moment,
    )
    world.ssh_keys[key.id] = key
    return one(_view(key), CREATED)


async def delete_key(request: Request) -> Response:
    """DELETE /ssh-keys/{id}; machines that have the key keep it."""
    world = world_of(request)
    identifier: str = request.path_params["id"]
    if world.ssh_keys.pop(identifier, None) is None:
        raise not_found("SSH key", identifier)
    return nothing()


def _fingerprint(material: str) -> str:
    """The SHA-256 fingerprint as `ssh-keygen` writes it; of the text where it is no base64."""
    try:
        content = base64.b64decode(material, validate=True)
    except binascii.Error:
        content = material.encode()
    return "SHA256:" + base64.b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")


def _view(key: SshKey) -> dict[str, Any]:
    return {
        "id": key.id,
        "name": key.name,
        "fingerprint": key.fingerprint,
        "type": key.type,
        "createdAt": iso(key.created_at),
        "lastUsed": iso(key.last_used),
        "projectId": PROJECT_ID,
    }


routes = [
    Route("/ssh-keys", list_keys, methods=["GET"]),
    Route("/ssh-keys", create_key, methods=["POST"]),
    Route("/ssh-keys/{id}", delete_key, methods=["DELETE"]),
]
