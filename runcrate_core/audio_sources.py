"""Recordings that a program names: paths, folders, patterns and addresses."""

from __future__ import annotations

import functools
import glob
import hashlib
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from runcrate_core.protocol.media import is_url
from runcrate_core.protocol.redaction import origin_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_SEPARATORS: Final = re.escape(os.sep + (os.altsep or ""))
_ANY_DEPTH: Final = re.compile(rf"(?:^|(?<=[{_SEPARATORS}]))\*\*(?:[{_SEPARATORS}]+|$)")
AUDIO_SUFFIXES: Final = (".flac", ".m4a", ".mp3", ".mp4", ".ogg", ".wav", ".webm")


@dataclass(frozen=True, slots=True)
class AudioSource:
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
    def of_path(cls, path: str | os.PathLike[str], **known: Any) -> AudioSource:
        """Return the recording in a file; it is not opened yet."""
        # A name may hold bytes that are no text; what is made of it is stored and sent as text.
        named = os.fspath(path).encode(errors="backslashreplace").decode()
        return cls(Path(path), **{"source": named, "identity": named, **known})

    @classmethod
    def of_url(cls, url: str, **known: Any) -> AudioSource:
        """Return the recording at an https address; it is not fetched yet."""
        return cls(url, **{"source": _public(url), "identity": url, **known})

    @classmethod
    def of_bytes(cls, content: bytes, **known: Any) -> AudioSource:
        """Return the recording that some bytes are."""
        digest = hashlib.sha256(content).hexdigest()
        return cls(content, **{"source": f"bytes-{digest[:16]}", "identity": digest, **known})


AudioInput = str | os.PathLike[str] | AudioSource


def resolve_audio_sources(
    source: AudioInput | Iterable[AudioInput], **known: Any
) -> Iterator[AudioSource]:
    """Return the recordings that a program means.

    Args:
        source: The path of a file; that of a folder, for all recordings in it and in those within
            it; a pattern (`calls/*.mp3`, `**` for folders within folders); an https address; a
            `Recording`; or several of them. Those of a folder or pattern come sorted by name.
        known: Further attributes of those that are no `Recording` yet.

    Returns:
        The recordings. That a single path exists is not looked at; of a folder or pattern, there
        may be none. Each file comes once, however many links within them lead to it.

    Raises:
        ValueError: An address is not https, or a path is empty.
        TypeError: It is nothing of the above.
    """
    match source:
        case AudioSource():
            yield source
        case str() if is_url(source.strip()):
            yield AudioSource.of_url(source.strip(), **known)
        case str() if "://" in source:
            scheme = source.strip().partition("://")[0][:20]
            raise ValueError(
                f"`{scheme}://` addresses are not fetched, only https. Nothing was sent."
            )
        case "":
            raise ValueError("The path of the recordings is empty. Nothing was sent.")
        case str() | os.PathLike():
            yield from map(
                functools.partial(AudioSource.of_path, **known), _files(os.fspath(source))
            )
        case Iterable() if not isinstance(source, bytes | bytearray | memoryview):
            for each in source:
                yield from resolve_audio_sources(each, **known)
        case _:
            raise TypeError(
                f"`{type(source).__name__}` names no recording: give paths, folders, patterns, "
                "https addresses or `Recording`s (bytes: `Recording.of_bytes`). Nothing was sent."
            )


def _files(named: str) -> list[str]:
    if os.path.isdir(named):  # noqa: PTH112 - text in, text out: names stay as they were given
        named = os.path.join(glob.escape(named), "**", "*")  # noqa: PTH118 - the same
    elif not glob.has_magic(named) or os.path.exists(named):  # noqa: PTH110 - the same
        return [named]
    suffix = Path(named).suffix
    # Where the pattern does not say which kind of file is meant, other files may be there.
    is_open = not suffix or glob.has_magic(suffix)
    return _each_once(name for name in _matching(named) if not is_open or _is_audio(name))


def _matching(pattern: str) -> Iterator[str]:
    """Give what matches, as `glob` does, which would go round in circles of links for ages."""
    deep = _ANY_DEPTH.search(pattern)
    if deep is None:
        yield from glob.iglob(pattern)  # noqa: PTH207 - the same
        return
    head, tail = pattern[: deep.start()], pattern[deep.end() :] or "*"
    for top in glob.iglob(head) if head else [""]:  # noqa: PTH207 - the same
        for place in _folders(top):
            yield from _matching(os.path.join(glob.escape(place), tail))  # noqa: PTH118 - the same


def _folders(top: str) -> Iterator[str]:
    """Give a folder and those within it, each once, without the hidden ones."""
    entered: set[str] = set()
    for place, folders, _ in os.walk(top or os.curdir, followlinks=True):
        real = os.path.realpath(place)
        if real in entered:  # a link that leads back
            folders.clear()
            continue
        entered.add(real)
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield place if top else os.path.relpath(place).removeprefix(os.curdir)


def _each_once(found: Iterable[str]) -> list[str]:
    """Return files in the order of their names, each under its shortest: listening costs money."""
    by_file: dict[str, str] = {}
    for name in sorted(found, key=lambda name: (name.count(os.sep), name)):
        if os.path.isfile(name):  # noqa: PTH113 - the same
            by_file.setdefault(os.path.realpath(name), name)
    return sorted(by_file.values())


def _is_audio(name: str) -> bool:
    return Path(name).suffix.lower() in AUDIO_SUFFIXES


def _public(url: str) -> str:
    path = url.partition("://")[2].partition("/")[2]
    return f"{origin_of(url)}/{path.partition('?')[0].partition('#')[0]}"
