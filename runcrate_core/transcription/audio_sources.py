"""Audio sources of a program: paths, directories, patterns and https URLs."""

from __future__ import annotations

import functools
import glob
import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from runcrate_core.protocol.media import is_url
from runcrate_core.protocol.redaction import origin_of

_SEPARATORS: Final = re.escape(os.sep + (os.altsep or ""))
_ANY_DEPTH: Final = re.compile(rf"(?:^|(?<=[{_SEPARATORS}]))\*\*(?:[{_SEPARATORS}]+|$)")
AUDIO_SUFFIXES: Final = (".flac", ".m4a", ".mp3", ".mp4", ".ogg", ".wav", ".webm")


@dataclass(frozen=True, slots=True)
class AudioSource:
    """An audio file, and its names.

    Attributes:
        media: A `Path`, bytes, or an https URL.
        source: Its name in results and errors. Of a URL only host and path: the rest may be a
            signature.
        identity: Its unique name, which stays the same from run to run.
        filename: The file name sent to the API, where `media` has none.
        metadata: Added to the results; takes precedence over the values of the transcription.
    """

    media: Path | bytes | str = field(repr=False)
    source: str
    identity: str = field(repr=False)
    filename: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def of_path(cls, path: str | os.PathLike[str], **known: Any) -> AudioSource:
        """Return a file as a source; it is not opened yet."""
        # A name may hold bytes that are not text; results and requests hold text.
        named = os.fspath(path).encode(errors="backslashreplace").decode()
        return cls(Path(path), **{"source": named, "identity": named, **known})

    @classmethod
    def of_url(cls, url: str, **known: Any) -> AudioSource:
        """Return an https URL as a source; it is not fetched yet."""
        return cls(url, **{"source": _public(url), "identity": url, **known})

    @classmethod
    def of_bytes(cls, content: bytes, **known: Any) -> AudioSource:
        """Return bytes as a source."""
        digest = hashlib.sha256(content).hexdigest()
        return cls(content, **{"source": f"bytes-{digest[:16]}", "identity": digest, **known})


AudioInput = str | os.PathLike[str] | AudioSource


def resolve_audio_sources(
    source: AudioInput | Iterable[AudioInput], **known: Any
) -> Iterator[AudioSource]:
    """Return the audio files of paths, directories, patterns and URLs.

    Args:
        source: The path of a file; that of a directory, for all audio files in it and in its
            subdirectories; a pattern (`calls/*.mp3`, `**` for nested directories); an https URL;
            an `AudioSource`; or several of them. Those of a directory or pattern are sorted by
            name.
        known: Further attributes of those that are not an `AudioSource` yet.

    Returns:
        The sources. A single path is not checked for existence; a directory or pattern may have
        none. Each file is returned once, however many links lead to it.

    Raises:
        ValueError: A URL is not https, or a path is empty.
        TypeError: It is none of the above.
    """
    match source:
        case AudioSource():
            yield source
        case str() if is_url(source.strip()):
            yield AudioSource.of_url(source.strip(), **known)
        case str() if "://" in source:
            scheme = source.strip().partition("://")[0][:20]
            raise ValueError(f"`{scheme}://` URLs are not fetched, only https. Nothing was sent.")
        case "":
            raise ValueError("The path of the audio files is empty. Nothing was sent.")
        case str() | os.PathLike():
            yield from map(
                functools.partial(AudioSource.of_path, **known), _files(os.fspath(source))
            )
        case Iterable() if not isinstance(source, bytes | bytearray | memoryview):
            for each in source:
                yield from resolve_audio_sources(each, **known)
        case _:
            raise TypeError(
                f"`{type(source).__name__}` is not an audio source: give paths, directories, "
                "patterns, https URLs or `AudioSource`s (bytes: `AudioSource.of_bytes`). Nothing "
                "was sent."
            )


def _files(path: str) -> list[str]:
    if os.path.isdir(path):  # noqa: PTH112 - text in, text out: names stay as they were given
        path = os.path.join(glob.escape(path), "**", "*")  # noqa: PTH118 - the same
    elif not glob.has_magic(path) or os.path.exists(path):  # noqa: PTH110 - the same
        return [path]
    suffix = Path(path).suffix
    # A pattern without a suffix may match files of other kinds.
    is_open = not suffix or glob.has_magic(suffix)
    return _unique_files(name for name in _matching(path) if not is_open or _is_audio(name))


def _matching(pattern: str) -> Iterator[str]:
    """Yield the matches, as `glob` does, but without following circular links."""
    deep = _ANY_DEPTH.search(pattern)
    if deep is None:
        yield from glob.iglob(pattern)  # noqa: PTH207 - the same
        return
    head, tail = pattern[: deep.start()], pattern[deep.end() :] or "*"
    for top in glob.iglob(head) if head else [""]:  # noqa: PTH207 - the same
        for directory in _directories(top):
            yield from _matching(os.path.join(glob.escape(directory), tail))  # noqa: PTH118 - the same


def _directories(top: str) -> Iterator[str]:
    """Yield a directory and its subdirectories, each once, without the hidden ones."""
    entered: set[str] = set()
    for directory, names, _ in os.walk(top or os.curdir, followlinks=True):
        real = os.path.realpath(directory)
        if real in entered:  # a link that leads back
            names.clear()
            continue
        entered.add(real)
        names[:] = [name for name in names if not name.startswith(".")]
        yield directory if top else os.path.relpath(directory).removeprefix(os.curdir)


def _unique_files(names: Iterable[str]) -> list[str]:
    """Return each file once, under its shortest name, sorted: each transcription is billed."""
    by_file: dict[str, str] = {}
    for name in sorted(names, key=lambda name: (name.count(os.sep), name)):
        if os.path.isfile(name):  # noqa: PTH113 - the same
            by_file.setdefault(os.path.realpath(name), name)
    return sorted(by_file.values())


def _is_audio(name: str) -> bool:
    return Path(name).suffix.lower() in AUDIO_SUFFIXES


def _public(url: str) -> str:
    path = url.partition("://")[2].partition("/")[2]
    return f"{origin_of(url)}/{path.partition('?')[0].partition('#')[0]}"
