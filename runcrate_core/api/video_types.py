"""Video jobs: state in responses, and the video file after a download.

Facts: seed 002 (statuses) and the reference pages of the endpoints.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, Self

from pydantic import PrivateAttr

from runcrate_core.api.envelope import ApiModel, UtcDatetime
from runcrate_core.api.notebook import Bundle, file_bundle
from runcrate_core.protocol.failure_reason import failure_reason

COMPLETED: Final = "completed"
# `failed` is documented (seed 002); the others are what similar services call a failure.
FAILED_STATUSES: Final = frozenset({"failed", "error", "cancelled", "canceled", "expired"})


class Video(ApiModel):
    """A video job. It plays in a notebook once the video was downloaded.

    Attributes:
        status: `queued`, `processing`, `completed` or `failed` (seed 002); open text.
        created_at: When it was submitted, when the API tells.
    """

    id: str
    status: str = ""
    created_at: UtcDatetime | None = None

    _path: Path | None = PrivateAttr(default=None)

    @property
    def is_completed(self) -> bool:
        """True if the video can be downloaded."""
        return self.status.lower() == COMPLETED

    @property
    def has_failed(self) -> bool:
        """True if there will be no video."""
        return self.status.lower() in FAILED_STATUSES

    @property
    def fraction_done(self) -> float | None:
        """Progress from 0 to 1; `None` if the API does not report it.

        Runcrate documents no such member; OpenAI's API has it in percent, as `progress`.
        """
        if self.is_completed:
            return 1.0
        percent = self.to_dict().get("progress")
        if isinstance(percent, bool) or not isinstance(percent, int | float):
            return None
        return percent / 100 if 0 <= percent <= 100 else None  # noqa: PLR2004 - percent

    @property
    def failure_reason(self) -> str | None:
        """The API's reason for a failure; `None` if it gives none."""
        return failure_reason(self.to_dict())

    @property
    def path(self) -> Path | None:
        """Path of the video, if `generate` has downloaded it."""
        return self._path

    def downloaded_to(self, path: Path) -> Self:
        """Remember the path of the video; return the job itself."""
        self._path = path
        return self

    def _repr_mimebundle_(self, **_: Any) -> Bundle:
        if self._path is None:
            return {"text/plain": repr(self)}
        return file_bundle(self._path, repr(self))
