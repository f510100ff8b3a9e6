"""Recordings that a program names: paths, folders, patterns and addresses."""

from __future__ import annotations

import functools
import glob
import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from runcrate_core.protocol.media import is_url
from runcrate_core.protocol.redaction import origin_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

AUDIO_SUFFIXES: Final = (".flac", ".m4a", ".mp3", ".mp4", ".ogg", ".wav", ".webm")


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording, and what it is called.

    Attributes:
        media: A `Path`, bytes, or the https address of one.
        source: What it is called in results and errors. Of an address no more than host and path:
            the rest may be a signature.
        identity: What tells it from others, and stays the same from run to run.
        filename: What the API is told as its name, where `media` has none.
        metadata: Goes into the results, over what is found out here.
    """

    media: Path | bytes | str = field(repr=False)
    source: str
    identity: str = field(repr=False)
    filename: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def of_path(cls, path: str | os.PathLike[str], **known: Any) -> Recording:
        """Return the recording in a file; it is not opened yet."""
        return cls(Path(path), **{"source": os.fspath(path), "identity": os.fspath(path), **known})

    @classmethod
    def of_url(cls, url: str, **known: Any) -> Recording:
        """Return the recording at an https address; it is not fetched yet."""
        return cls(url, **{"source": _public(url), "identity": url, **known})

    @classmethod
    def of_bytes(cls, content: bytes, **known: Any) -> Recording:
        """Return the recording that some bytes are."""
        digest = hashlib.sha256(content).hexdigest()
        return cls(content, **{"source": f"bytes-{digest[:16]}", "identity": digest, **known})


RecordingSource = str | os.PathLike[str] | Recording


def recordings_of(
    source: RecordingSource | Iterable[RecordingSource], **known: Any
) -> Iterator[Recording]:
    """Return the recordings that a program means.

    Args:
        source: The path of a file; that of a folder, for all recordings in it and in those within
            it; a pattern (`calls/*.mp3`, `**` for folders within folders); an https address; a
            `Recording`; or several of them. Those of a folder or pattern come sorted by name.
        known: Further attributes of those that are no `Recording` yet.

    Returns:
        The recordings. That a single path exists is not looked at; of a folder or pattern, there
        may be none.
    """
    match source:
        case Recording():
            yield source
        case str() if is_url(source.strip()):
            yield Recording.of_url(source.strip(), **known)
        case str() | os.PathLike():
            yield from map(functools.partial(Recording.of_path, **known), _files(os.fspath(source)))
        case _:
            for each in source:
                yield from recordings_of(each, **known)


def _files(named: str) -> list[str]:
    if os.path.isdir(named):  # noqa: PTH112 - text in, text out: names stay as they were given
        return _found(os.path.join(glob.escape(named), "**", "*"))  # noqa: PTH118 - the same
    if glob.has_magic(named) and not os.path.exists(named):  # noqa: PTH110 - the same
        return _found(named)
    return [named]


def _found(pattern: str) -> list[str]:
    files = [found for found in glob.glob(pattern, recursive=True) if Path(found).is_file()]  # noqa: PTH207 - the same
    suffix = Path(pattern).suffix
    if not suffix or glob.has_magic(suffix):
        # The pattern does not say which kind of file is meant, so other files may be there.
        files = [found for found in files if Path(found).suffix.lower() in AUDIO_SUFFIXES]
    return sorted(files)


def _public(url: str) -> str:
    path = url.partition("://")[2].partition("/")[2]
    return f"{origin_of(url)}/{path.partition('?')[0].partition('#')[0]}"
