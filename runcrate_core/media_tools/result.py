"""Results of media tools: short text for the model, JSON values for the program, and files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class MediaFile:
    """A generated file.

    Attributes:
        path: Path of the file.
        content_type: Its media type.
        size: Bytes.
        seed: Seed of an image, when one was given.
        content: The bytes, kept only with `MediaGenerator.keep_content`.
    """

    path: Path
    content_type: str
    size: int
    seed: int | None = None
    content: bytes | None = field(default=None, repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Return the file as JSON values, without its bytes."""
        seed = {} if self.seed is None else {"seed": self.seed}
        path = str(self.path)
        return {"path": path, "content_type": self.content_type, "bytes": self.size, **seed}


@dataclass(frozen=True)
class MediaResult:
    """The result of a media tool.

    Attributes:
        text: A line or a few for the model.
        data: JSON values for the program: `files`, `model` and further known facts.
        files: The files, with their bytes when `MediaGenerator.keep_content` is set.
    """

    text: str
    data: dict[str, Any]
    files: tuple[MediaFile, ...] = ()

    @classmethod
    def of_files(
        cls, label: str, files: Sequence[MediaFile], model: str, facts: Mapping[str, Any]
    ) -> MediaResult:
        """Return the result of a call that generated files.

        Args:
            label: Name of one of them, such as `image`.
            files: The files.
            model: Identifier of the model.
            facts: Further values; those that are `None` are left out.
        """
        known = {name: value for name, value in facts.items() if value is not None}
        number = f"{len(files)} {label}{'s' if len(files) > 1 else ''}"
        names = ", ".join(f"{file.path.name} ({file.size:,} bytes)" for file in files)
        data = {"files": [file.to_dict() for file in files], "model": model, **known}
        return cls(f"Generated {number} with {model}: {names}.", data, tuple(files))
