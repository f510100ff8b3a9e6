"""Audio: text to speech, and speech to text.

Facts: seed 003 and the reference pages of the endpoints.
"""

from __future__ import annotations

import asyncio
import functools
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from runcrate_core.api.envelope import ApiModel, LenientModel, validated
from runcrate_core.api.notebook import Bundle, player_bundle
from runcrate_core.api.resources import AsyncResource, SyncResource, async_endpoint, endpoint
from runcrate_core.io.files import write_atomically
from runcrate_core.protocol.downloads import download_flow
from runcrate_core.protocol.error_mapping import raise_error_within
from runcrate_core.protocol.file_sources import BytesSource, FixedSource, PathSource, watched
from runcrate_core.protocol.json_body import without_none
from runcrate_core.protocol.media import (
    MediaInput,
    bytes_of_text,
    head_of,
    is_url,
    name_of_source,
    source_of,
    type_of_source,
)
from runcrate_core.protocol.media_types import contradicts, media_type, suffix_of
from runcrate_core.protocol.multipart import (
    FilePart,
    Form,
    boundary_of,
    encode_form,
    form_fields,
)
from runcrate_core.protocol.request import (
    FileSource,
    ReadTimeout,
    Request,
    RetrySafety,
    Surface,
    header_pairs,
    json_request,
)
from runcrate_core.protocol.response import (
    Response,
    ResponseInfo,
    json_object,
    malformed,
)
from runcrate_core.protocol.steps import Call, Flow, RunInThread
from runcrate_core.protocol.timeouts import TimeoutLike

_JSON: Final = "application/json"


@dataclass(frozen=True, slots=True)
class Speech:
    """Generated speech. It renders as a player in notebooks.

    Attributes:
        content: The audio file.
        content_type: Its media type (`audio/mpeg`, `audio/pcm`, ...).
        response: Head of the response.
    """

    content: bytes = field(repr=False)
    content_type: str
    response: ResponseInfo | None = field(default=None, repr=False, compare=False)

    def to_bytes(self) -> bytes:
        """Return the audio file."""
        return self.content

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the audio file. An existing file is replaced atomically.

        Args:
            path: Where to; without a suffix it gets the one of what came (`.mp3`, ...).

        Returns:
            Where it is.
        """
        target = Path(path)
        if not (target.suffix or target.is_dir()):
            suffix = suffix_of(self.content[:512], self.content_type)
            target = target.with_name(target.name + suffix)
        return write_atomically(target, self.content)

    async def asave(self, path: str | os.PathLike[str]) -> Path:
        """Write the audio file without blocking the event loop; see `save`."""
        return await asyncio.to_thread(self.save, path)

    def _repr_mimebundle_(self, **_: Any) -> Bundle:
        return player_bundle(self.content, self.content_type, repr(self))


def create_speech(
    input: str,  # noqa: A002 - the API's name
    *,
    model: str,
    voice: str | None = None,
    response_format: Literal["mp3", "pcm"] | None = None,
    extra_headers: Mapping[str, str] | None = None,
    timeout: float | TimeoutLike | None = None,
    **extra: Any,
) -> Call[Speech]:
    """Synthesize speech from text.

    It costs money, so a request whose response was lost is not sent again.

    Args:
        input: The text; how long it may be depends on the model.
        model: Identifier of a speech model.
        voice: A voice of the model (`af_heart` of `hexgrad/Kokoro-82M`).
        response_format: `mp3`, or bare samples; mp3 when not given.
        extra_headers: Headers of this call.
        timeout: Seconds of silence while waiting for the response.
        extra: Any other field (`speed`, `language`, ...), passed on to the model's provider.

    Raises:
        ValueError: A field is not JSON; nothing was sent.
        ResponseFormatError: The response is not audio.
        APIConnectionError: No response came; the speech may have been made and charged.

    Example:
        ```python
        speech = client.audio.speech.create(
            "Hello from Runcrate!",
            model="hexgrad/Kokoro-82M",
            voice="af_heart",
            speed=1.5,
        )
        speech.save("speech.mp3")
        ```
    """
    request = json_request(
        Surface.INFERENCE,
        "POST",
        "/audio/speech",
        retry=RetrySafety.NEVER,
        read_timeout=ReadTimeout.MEDIA,
        body=without_none(
            model=model, input=input, voice=voice, response_format=response_format, **extra
        ),
        headers=extra_headers,
        timeout=timeout,
    )
    return Call(request, lambda response: _read_speech(response, request))


def _read_speech(response: Response, request: Request) -> Speech:
    kind = media_type(response.body[:512], response.content_type)
    if not response.body:
        raise malformed(response, request, "the body is empty")
    if contradicts(kind, "audio"):
        if kind == _JSON:
            raise_error_within(response, json_object(response, request), request)
        raise malformed(response, request, f"the body is `{kind}`, not audio")
    return Speech(response.body, kind, ResponseInfo(response.status, response.headers))


# Anything else is not a time, and read as if it had not been sent.
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class TranscriptionSegment(LenientModel):
    """A part of a transcription.

    Attributes:
        start: Seconds from the beginning.
        end: Seconds from the beginning.
    """

    start: Seconds | None = None
    end: Seconds | None = None
    text: str = ""


class Transcription(ApiModel):
    """A transcription.

    Attributes:
        text: The words; with `response_format` `srt` or `vtt`, the subtitle file.
        duration: Length of the audio in seconds, if reported.
        language: Spoken language, if reported.
        segments: Its parts with their times, if reported.
    """

    text: str
    duration: Seconds | None = None
    language: str | None = None
    segments: list[TranscriptionSegment] | None = None

    def __str__(self) -> str:
        return self.text


def create_transcription(
    file: MediaInput,
    *,
    model: str,
    language: str | None = None,
    response_format: Literal["json", "text", "srt", "vtt"] | None = None,
    filename: str | None = None,
    on_progress: Callable[[int, int | None], Any] | None = None,
    extra_headers: Mapping[str, str] | None = None,
    timeout: float | TimeoutLike | None = None,
    **extra: Any,
) -> Flow[Transcription]:
    """Transcribe an audio file.

    It costs money, so a request whose response was lost is not sent again. The file is read from
    the disk as it is sent.

    Args:
        file: The audio file (mp3, wav, m4a, flac, ogg, webm, mp4, ...): a `Path`, bytes, a binary
            file object, a data URI, base64, or an https URL, which is downloaded first. Text is
            never read as a path.
        model: Identifier of a transcription model.
        language: What is spoken, as a hint: `en`, `de`, ... (ISO 639-1).
        response_format: `json` when not given; `srt` and `vtt` give subtitles in `text`.
        filename: What to call the file, instead of its own name.
        on_progress: Called with the bytes sent and all of them, in the thread that reads them.
        extra_headers: Headers of this call.
        timeout: Seconds of silence while waiting for the response.
        extra: Any other field, passed on to the model's provider.

    Raises:
        ValueError: The file or a field is not usable; nothing was sent.
        OSError: The file cannot be read; nothing was sent.
        APIConnectionError: No response came; it may have been transcribed and charged.

    Example:
        ```python
        from pathlib import Path

        result = client.audio.transcriptions.create(
            Path("recording.wav"),
            model="openai/whisper-1",
            language="en",
            response_format="srt",
        )
        print(result.text)
        ```
    """
    fields = form_fields(
        {"model": model, "language": language, "response_format": response_format, **extra}
    )
    headers = header_pairs(extra_headers or {})
    directory: Path | None = None
    try:
        if isinstance(file, str) and is_url(file.strip()):
            directory = yield from RunInThread(_new_directory)
            path = yield from download_flow(file.strip(), directory / "audio", media="audio")
            source: FileSource = PathSource(path)
        else:
            source = _source(file)
        form = yield from RunInThread(
            functools.partial(_form, fields, source, filename, on_progress)
        )
        request = Request(
            surface=Surface.INFERENCE,
            method="POST",
            path="/audio/transcriptions",
            route="/audio/transcriptions",
            retry=RetrySafety.NEVER,
            read_timeout=ReadTimeout.MEDIA,
            content=form.content,
            content_type=form.content_type,
            headers=headers,
            timeout=timeout,
        )
        return (yield from Call(request, lambda response: _read_transcription(response, request)))
    finally:
        if directory is not None:
            # Not a step: it also has to happen when nothing can be asked for any more.
            shutil.rmtree(directory, ignore_errors=True)


def _source(file: MediaInput) -> FileSource:
    source = source_of(file, "file")
    return BytesSource(bytes_of_text(source, "file")) if isinstance(source, str) else source


def _new_directory() -> Path:
    return Path(tempfile.mkdtemp(prefix="runcrate-"))


def _form(
    fields: tuple[tuple[str, str], ...],
    source: FileSource,
    filename: str | None,
    on_progress: Callable[[int, int | None], Any] | None,
) -> Form:
    head = head_of(source, "file")
    kind = type_of_source(source, head)
    if contradicts(kind, "audio"):
        raise ValueError(f"`file` is `{kind}`, not audio. Nothing was sent.")
    name = filename or name_of_source(source) or f"audio{suffix_of(head)}"
    part = FilePart("file", name, kind, FixedSource.of(source))
    boundary = boundary_of(fields, [part])
    if on_progress is not None:
        part = replace(part, source=watched(part.source, on_progress))
    return encode_form(fields, [part], boundary)


def _read_transcription(response: Response, request: Request) -> Transcription:
    """Read JSON or plain text: which one comes for `text`, `srt` and `vtt` is not documented."""
    about = ResponseInfo(response.status, response.headers)
    if response.content_type == "text/html":
        raise malformed(response, request, "the body is a web page")
    if response.content_type == _JSON or _is_object(response.body):
        value = _spoken(response, request)
        raise_error_within(response, value, request)
        return validated(Transcription, value, response, request).with_response(about)
    text = response.body.decode("utf-8", "replace")
    return Transcription(text=text).with_response(about)


def _spoken(response: Response, request: Request) -> dict[str, Any]:
    try:
        value = json.loads(response.body)
    except (ValueError, RecursionError):
        value = None
    return {"text": value} if isinstance(value, str) else json_object(response, request)


def _is_object(body: bytes) -> bool:
    """True if a body that is not declared as JSON is a transcription or an error in JSON."""
    if not body.lstrip().startswith(b"{"):
        return False
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict) and (isinstance(value.get("text"), str) or "error" in value)


class SpeechResource(SyncResource):
    """`client.audio.speech`."""

    create = endpoint(create_speech)


class Transcriptions(SyncResource):
    """`client.audio.transcriptions`."""

    create = endpoint(create_transcription)


class AsyncSpeechResource(AsyncResource):
    """`client.audio.speech` of the asynchronous client."""

    create = async_endpoint(create_speech)


class AsyncTranscriptions(AsyncResource):
    """`client.audio.transcriptions` of the asynchronous client."""

    create = async_endpoint(create_transcription)


class Audio(SyncResource):
    """`client.audio`."""

    @functools.cached_property
    def speech(self) -> SpeechResource:
        """Text to speech."""
        return SpeechResource(self._driver)

    @functools.cached_property
    def transcriptions(self) -> Transcriptions:
        """Speech to text."""
        return Transcriptions(self._driver)


class AsyncAudio(AsyncResource):
    """`client.audio` of the asynchronous client."""

    @functools.cached_property
    def speech(self) -> AsyncSpeechResource:
        """Text to speech."""
        return AsyncSpeechResource(self._driver)

    @functools.cached_property
    def transcriptions(self) -> AsyncTranscriptions:
        """Speech to text."""
        return AsyncTranscriptions(self._driver)
