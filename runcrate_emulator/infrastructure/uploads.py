"""Uploads of a job's code: a place is made, then the archive is PUT to a signed link.

No emulated job unpacks the content; it is there for the program of a test (`JobRun.code`).
"""

import hashlib
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from runcrate_emulator.bodies import Body, read_body
from runcrate_emulator.errors import ApiError
from runcrate_emulator.infrastructure.job_outputs import absolute
from runcrate_emulator.infrastructure.records import Upload
from runcrate_emulator.infrastructure.wire import CREATED, iso, not_found, one, world_of

if TYPE_CHECKING:
    from runcrate_emulator.world import World

_MAX_BYTES = 1_000_000_000  # 1 GB (official SDK 0.5.0)
_USABLE_FOR = timedelta(hours=24)  # official SDK 0.5.0
_LINK_LIFETIME = timedelta(hours=1)  # the emulator's own


class _NewUpload(Body):
    bytes: int = Field(ge=1, le=_MAX_BYTES)
    sha256: str | None = Field(None, pattern="^[0-9a-f]{64}$")


async def create_upload(request: Request) -> Response:
    """POST /jobs/uploads; the same `sha256` answers the same upload."""
    world = world_of(request)
    body = await read_body(request, _NewUpload)
    size, sha256 = body.bytes, body.sha256
    known = [
        upload
        for upload in world.uploads.values()
        if sha256 is not None and upload.sha256 == sha256 and upload.expires_at > world.moment
    ]
    upload = known[-1] if known else _new_upload(world, size, sha256)
    is_new = upload.file_id is None
    path = world.signer.sign("PUT", f"/uploads/{upload.id}", _LINK_LIFETIME.total_seconds())
    return one(
        {
            "upload_id": upload.id,
            "url": absolute(request, path) if is_new else None,
            "url_expires_at": iso(world.moment + _LINK_LIFETIME) if is_new else None,
            "expires_at": iso(upload.expires_at),
            "max_bytes": _MAX_BYTES,
        },
        CREATED,
    )


def _new_upload(world: "World", size: int, sha256: str | None) -> Upload:
    upload = Upload(
        id=world.new_id("upload"),
        size=size,
        sha256=sha256,
        created_at=world.moment,
        expires_at=world.moment + _USABLE_FOR,
    )
    world.uploads[upload.id] = upload
    return upload


async def put_upload(request: Request) -> Response:
    """PUT /uploads/{id}: needs no key, but the signature of the link."""
    world = world_of(request)
    query = request.query_params
    world.signer.check(
        "PUT", request.url.path, query.get("expires", ""), query.get("signature", "")
    )
    identifier: str = request.path_params["id"]
    upload = world.uploads.get(identifier)
    if upload is None:
        raise not_found("upload", identifier)
    content = await request.body()
    if len(content) != upload.size:
        raise ApiError(
            400,
            "validation_error",
            f"{len(content)} bytes arrived, {upload.size} were announced; nothing was kept.",
        )
    digest = hashlib.sha256(content).hexdigest()
    if upload.sha256 not in (None, digest):
        raise ApiError(
            400, "validation_error", "The content has another SHA-256; nothing was kept."
        )
    kept = world.media.add("upload", f"{upload.id}.tar.gz", "application/gzip", content)
    world.uploads[upload.id] = replace(upload, file_id=kept.id, sha256=digest)
    return Response(status_code=200)


routes = [Route("/jobs/uploads", create_upload, methods=["POST"])]
signed_routes = [Route("/uploads/{id}", put_upload, methods=["PUT"])]
