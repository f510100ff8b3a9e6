"""Generated files (media, job artifacts) and their short-lived signed links."""

import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from runcrate_emulator.clock import Clock
from runcrate_emulator.errors import ApiError

MAX_KEPT_BYTES = 512 * 2**20  # of all files together; the emulator's own, so that it fits a laptop
PAGE_MARK = b"from=page"
"""Part of the query of links on the emulator's own page, whose requests are not recorded."""
LINK_LIFETIME_S = 3600.0  # a job artifact's link is valid for one hour (official SDK 0.5.0)


class Signer:
    """Makes and checks signed paths; a signature covers the method, the path and its expiry."""

    def __init__(self, clock: Clock, secret: bytes) -> None:
        self._clock = clock
        self._secret = secret

    def sign(self, method: str, path: str, valid_for_s: float) -> str:
        """Return the path with an expiry and a signature in its query."""
        expires = str(int(self._clock.now().timestamp() + valid_for_s))
        query = urlencode({"expires": expires, "signature": self._tag(method, path, expires)})
        return f"{path}?{query}"

    def check(self, method: str, path: str, query: Mapping[str, str]) -> None:
        """Check the signature of a link; 403 for a wrong or an expired one."""
        expires, signature = query.get("expires", ""), query.get("signature", "")
        wanted = self._tag(method, path, expires)
        if not hmac.compare_digest(wanted.encode(), signature.encode()):
            raise ApiError(403, "forbidden", "The link's signature is wrong; ask for a new link.")
        if self._clock.now().timestamp() >= int(expires):
            raise ApiError(403, "forbidden", "The link has expired; ask for a new link.")

    def _tag(self, method: str, path: str, expires: str) -> str:
        text = f"{method} {path} {expires}".encode()
        return hmac.new(self._secret, text, hashlib.sha256).hexdigest()


@dataclass(frozen=True)
class StoredFile:
    """One generated file."""

    id: str
    kind: str
    name: str
    content_type: str
    data: bytes


class FileStore:
    """The generated files by id, oldest first; beyond `max_bytes` the oldest are removed."""

    def __init__(
        self, new_id: Callable[[str], str], signer: Signer, max_bytes: int = MAX_KEPT_BYTES
    ) -> None:
        self._new_id = new_id
        self._signer = signer
        self._max_bytes = max_bytes
        self._bytes = 0
        self._files: dict[str, StoredFile] = {}

    def put(self, kind: str, name: str, content_type: str, data: bytes) -> str:
        """Store a file and return its signed path, for example `/files/file-…?signature=…`."""
        return self.link(self.add(kind, name, content_type, data).id)

    def add(self, kind: str, name: str, content_type: str, data: bytes) -> StoredFile:
        """Store a file; `kind` is `image`, `video`, `speech`, `artifact` or `upload`."""
        made = StoredFile(self._new_id("file"), kind, name, content_type, data)
        self._files[made.id] = made
        self._bytes += len(data)
        while self._bytes > self._max_bytes and len(self._files) > 1:
            self.remove(next(iter(self._files)))
        return made

    def link(self, file_id: str, valid_for_s: float = LINK_LIFETIME_S) -> str:
        """Make a new signed path to a stored file."""
        return self._signer.sign("GET", f"/files/{file_id}", valid_for_s)

    def open(self, path: str, query: Mapping[str, str]) -> StoredFile:
        """The file of a link; 403 for a wrong link, 404 when the file is gone."""
        self._signer.check("GET", path, query)
        stored = self.get(path.removeprefix("/files/"))
        if stored is None:
            raise ApiError(404, "not_found", "The file is gone.")
        return stored

    def get(self, file_id: str) -> StoredFile | None:
        """The stored file, or None."""
        return self._files.get(file_id)

    def remove(self, file_id: str) -> None:
        """Remove a file; links to it get a 404 from now on."""
        gone = self._files.pop(file_id, None)
        if gone is not None:
            self._bytes -= len(gone.data)

    def find(self, name: str) -> StoredFile | None:
        """The stored file of this name, or None."""
        return next((file for file in self._files.values() if file.name == name), None)

    def newest(self, count: int) -> list[StoredFile]:
        """The last generated files, newest first."""
        return list(self._files.values())[: -count - 1 : -1]


async def serve_file(request: Request) -> Response:
    """GET /files/{id}: needs no key, but the signature of the link."""
    stored: StoredFile = request.app.state.world.media.open(request.url.path, request.query_params)
    disposition = f"inline; filename*=UTF-8''{quote(stored.name, safe='')}"
    return Response(
        stored.data,
        media_type=stored.content_type,
        headers={"Content-Disposition": disposition},
    )


routes = [Route("/files/{id}", serve_file, methods=["GET"])]
