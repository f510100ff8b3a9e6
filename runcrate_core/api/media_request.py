"""Requests whose JSON contains media, shared by images and videos."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from runcrate_core.protocol.media import (
    DataUri,
    image_uri,
    is_file,
    json_with_files,
    source_of,
)
from runcrate_core.protocol.request import Content, Request, json_request
from runcrate_core.protocol.steps import Flow, RunInThread


def media_request(
    *args: Any, body: Mapping[str, Any], media: Mapping[str, Any], **options: Any
) -> Flow[Request]:
    """Make a request whose JSON body may hold images.

    Args:
        args: As `json_request` takes them.
        body: Members of the JSON object; `Path`s, bytes and file objects in it are images too.
        media: Members that are images, where text must be a URL or encoded data.
        options: As `json_request` takes them.

    Raises:
        ValueError: A medium or a member is not usable; nothing was sent.
        OSError: A file cannot be read; nothing was sent.
    """
    texts: dict[str, Any] = {}
    files: dict[str, Any] = {}
    for name, value in media.items():
        if value is not None:
            source = source_of(value, name)
            (texts if isinstance(source, str) else files)[name] = source
    for name, value in body.items():
        many = isinstance(value, list | tuple) and any(map(is_file, value))
        if many:
            files[name] = [source_of(item, f"{name}[{n}]") for n, item in enumerate(value)]
        elif is_file(value):
            files[name] = source_of(value, name)
        else:
            texts[name] = value
    request = json_request(*args, body=texts, **options)
    if not files:
        return request
    content: Content = yield from RunInThread(functools.partial(_content, texts, files))
    return replace(request, content=content)


def _content(texts: Mapping[str, Any], files: Mapping[str, Any]) -> Content:
    uris: dict[str, Any] = {}
    for name, source in files.items():
        if isinstance(source, list):
            uris[name] = [_uri(item, f"{name}[{n}]") for n, item in enumerate(source)]
        else:
            uris[name] = _uri(source, name)
    return json_with_files(texts, uris)


def _uri(source: Any, argument: str) -> DataUri | str:
    return source if isinstance(source, str) else image_uri(source, argument)
