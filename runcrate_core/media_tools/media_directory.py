"""The directory of generated media: file names are chosen here, never by a model."""

from __future__ import annotations

import contextlib
import functools
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from runcrate_core.errors import ConfigurationError
from runcrate_core.io.files import path_inside, write_atomically
from runcrate_core.media_tools.result import MediaFile
from runcrate_core.protocol.media import is_url
from runcrate_core.protocol.media_types import media_type, suffix_of
from runcrate_core.protocol.redaction import redact
from runcrate_core.protocol.steps import Flow, RunInThread

_NAME_BYTES: Final = 4


@dataclass(frozen=True)
class MediaDirectory:
    """A directory that the program chose.

    Attributes:
        path: The directory; created when it does not exist.
        keep_content: Whether the bytes of written files are kept in memory as well.
    """

    path: Path
    keep_content: bool = False

    def create(self) -> Flow[None]:
        """Create the directory, before anything is billed whose output is stored in it.

        Raises:
            ConfigurationError: It cannot be created, or not written.
        """
        try:
            yield from RunInThread(functools.partial(self.path.mkdir, parents=True, exist_ok=True))
            is_writable = yield from RunInThread(
                functools.partial(os.access, self.path, os.W_OK | os.X_OK)
            )
        except OSError as error:
            raise ConfigurationError(
                f"The media directory cannot be created ({error.strerror}). Choose another. "
                "Nothing was sent."
            ) from None
        if not is_writable:
            raise ConfigurationError(
                "The media directory cannot be written. Choose another. Nothing was sent."
            )

    def new_path(self, label: str) -> Path:
        """Return a path for a new file, without its suffix."""
        return self.path / f"{label}-{secrets.token_hex(_NAME_BYTES)}"

    def write(
        self, label: str, content: bytes, declared: str = "", seed: int | None = None
    ) -> Flow[MediaFile]:
        """Write a new file.

        Args:
            label: First part of its name.
            content: Its bytes, which decide on its suffix.
            declared: The media type that the API declared.
            seed: Seed of an image.
        """
        target = self.new_path(label)
        target = target.with_name(target.name + suffix_of(content[:512], declared))
        yield from RunInThread(functools.partial(write_atomically, target, content))
        content_type = media_type(content[:512], declared)
        kept = content if self.keep_content else None
        return MediaFile(target, content_type, len(content), seed, kept)

    def write_text(self, label: str, text: str, suffix: str) -> Flow[MediaFile]:
        """Write a new text file."""
        target = self.new_path(label)
        content = text.encode()
        target = target.with_name(target.name + suffix)
        yield from RunInThread(functools.partial(write_atomically, target, content))
        return MediaFile(target, "text/plain", len(content))

    def resolve(self, source: str | None) -> Flow[str | Path | None]:
        """Return the media that a model named: a URL, a data URI, or a file of this directory.

        Raises:
            ValueError: It is none of these.
        """
        if source is None or is_url(source) or source[:5].lower() == "data:":
            return source
        return (yield from RunInThread(functools.partial(self._file, source)))

    def _file(self, name: str) -> Path:
        # Only a bare name: a model may have written a path to anything.
        if name and Path(name).name == name:
            with contextlib.suppress(ValueError):  # not a name, or a link out of the directory
                path = path_inside(self.path, name)
                if path.name == name and path.is_file():
                    return path
        raise ValueError(
            f"{redact(name[:80])!r} is not a file of the media directory. Give the name of a file "
            "in it, an https URL or a data URI. Nothing was sent."
        )
