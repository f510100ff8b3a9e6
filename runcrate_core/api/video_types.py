"""What a video job is: its state as answered, and the film once it is on the disk.

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
# `failed` is documented (seed 002); the others are what similar services call an end without film.
FAILED_STATUSES: Final = frozenset({"failed", "error", "cancelled", "canceled", "expired"})


class Video(ApiModel):
    """A video job. In a notebook it plays its film, once that was downloaded.

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
        """Whether the film can be downloaded."""
        return self.status.lower() == COMPLETED

    @property
    def has_failed(self) -> bool:
        """Whether there will be no film."""
        return self.status.lower() in FAILED_STATUSES

    @property
    def fraction_done(self) -> float | None:
        """How much of the film is made, from 0 to 1; `None` where the API does not tell.

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
        """What the API says about a failure, wherever it says it; `None` when it does not."""
        return failure_reason(self.to_dict())

    @property
    def path(self) -> Path | None:
        """Where the film is, when `generate` has downloaded it."""
        return self._path

    def downloaded_to(self, path: Path) -> Self:
        """Remember where the film is; return the job itself."""
        self._path = path
        return self

    def _repr_mimebundle_(self, **_: Any) -> Bundle:
        if self._path is None:
            return {"text/plain": repr(self)}
        return file_bundle(self._path, repr(self))
