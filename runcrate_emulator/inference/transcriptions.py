"""POST /v1/audio/transcriptions: audio to text.

Formats as in seed 003. Speech of the emulator gets its text back; other audio gets a fixed text
with its length, and silence an empty one. `verbose_json` is in no document and refused.
"""

from decimal import Decimal
from typing import Literal

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from runcrate_emulator.bodies import MALFORMED, OUT_OF_RANGE, OpenBody, Text, parse_body, refuse
from runcrate_emulator.errors import ApiError
from runcrate_emulator.inference.catalogued import required_model
from runcrate_emulator.inference.media_requests import in_thread
from runcrate_emulator.media import transcript
from runcrate_emulator.media.audio_files import (
    Audio,
    AudioFileError,
    AudioTooLongError,
    read_audio,
)

MAX_FILE_BYTES = 25 * 1024 * 1024  # bytes; as OpenAI has it, the service documents no limit

MAX_AUDIO_S = 3600

_SECONDS_PER_MINUTE = 60
_ISO_639_1 = frozenset(
    """
    aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv
    cy da de dv dz ee el en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr
    ht hu hy hz ia id ie ig ii ik io is it iu ja jv ka kg ki kj kk kl km kn ko kr ks ku kv kw
    ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne ng nl nn no nr nv
    ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg si sk sl sm sn so sq sr
    ss st su sv sw ta te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi
    yo za zh zu
    """.split()  # noqa: SIM905 - a list of 184 quoted pairs would fill a page
)


class TranscriptionBody(OpenBody):
    """Fields of a request for a transcription, beside its file."""

    language: Text | None = None
    response_format: Literal["json", "text", "srt", "vtt"] = "json"


async def create(request: Request) -> Response:
    """POST /audio/transcriptions."""
    world = request.app.state.world
    async with request.form() as form:
        upload = form.get("file")
        texts = {name: value for name, value in form.items() if isinstance(value, str)}
        model = required_model(texts, "transcription")
        body = parse_body(TranscriptionBody, texts)
        if body.language is not None and body.language not in _ISO_639_1:
            refuse("language", "must be an ISO 639-1 code such as `en`", OUT_OF_RANGE)
        data = await _read_upload(upload)
    world.require_credit()
    audio = await in_thread(request, _read, data)
    minutes = Decimal(str(round(audio.seconds, 3))) / _SECONDS_PER_MINUTE
    world.charge_inference(
        model=model.id,
        cost_usd=model.unit_usd * minutes,
        description=f"Transcription by {model.id}, {audio.seconds:.1f} s",
    )
    spoken = world.speech.recall(data, audio)
    segments = [] if audio.is_silent else transcript.segments_of(spoken, audio.seconds)
    return _response(segments, audio.seconds, body.response_format, body.language)


async def _read_upload(upload: UploadFile | str | None) -> bytes:
    if not isinstance(upload, UploadFile):
        refuse("file", "is required, as a part with a file name")
    data = await upload.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise ApiError(
            413,
            "payload_too_large",
            f"`file` is larger than {MAX_FILE_BYTES // 2**20} MB; nothing was transcribed. "
            "Send it in pieces.",
            details={"field": "file"},
        )
    if not data:
        refuse("file", "is empty")
    return data


def _read(data: bytes) -> Audio:
    try:
        return read_audio(data, max_s=MAX_AUDIO_S)
    except AudioTooLongError:
        raise ApiError(
            413,
            "payload_too_large",
            f"`file` lasts longer than {MAX_AUDIO_S} s; nothing was transcribed. "
            "Send it in pieces.",
            details={"field": "file"},
        ) from None
    except AudioFileError as error:
        refuse("file", f"holds no audio that can be read: {error}", MALFORMED)


def _response(
    segments: list[transcript.Segment], seconds: float, text_format: str, language: str | None
) -> Response:
    text = transcript.as_text(segments)
    match text_format:
        case "text":
            return PlainTextResponse(text)
        case "srt":
            return PlainTextResponse(transcript.as_srt(segments))
        case "vtt":
            return PlainTextResponse(transcript.as_vtt(segments))
        case _:
            language = language or transcript.likely_language(text)
            body = transcript.as_json(segments, duration_s=seconds, language=language)
            return JSONResponse(body)


routes = [Route("/audio/transcriptions", create, methods=["POST"])]
