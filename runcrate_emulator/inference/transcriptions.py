"""POST /v1/audio/transcriptions: audio to text.

Formats as in seed 003. Speech of the emulator gets its text back; other audio gets a fixed text
with its length, and silence an empty one. `verbose_json` is in no document and refused.
"""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from runcrate_emulator.bodies import OpenBody, parse_body, refuse
from runcrate_emulator.inference.requests import (
    in_thread,
    require_credit,
    required_model,
    too_large,
)
from runcrate_emulator.media import transcript
from runcrate_emulator.media.audio_files import AudioFileError, read_audio

MAX_FILE_BYTES = 25 * 1024 * 1024  # bytes; as OpenAI has it, the service documents no limit

MAX_AUDIO_S = 3600

_SECONDS_PER_MINUTE = 60
_ADVICE = "nothing was transcribed. Send it in pieces."


class TranscriptionBody(OpenBody):
    """Fields of a request for a transcription, beside its file."""

    language: Annotated[str, Field(pattern="^[a-z]{2}$")] | None = None  # ISO 639-1
    response_format: Literal["json", "text", "srt", "vtt"] = "json"


async def create(request: Request) -> Response:
    """POST /audio/transcriptions."""
    world = request.app.state.world
    async with request.form() as form:
        upload = form.get("file")
        texts = {name: value for name, value in form.items() if isinstance(value, str)}
        model = required_model(texts, "transcription")
        body = parse_body(TranscriptionBody, texts)
        if not isinstance(upload, UploadFile):
            refuse("file", "is required, as a part with a file name")
        data = await upload.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise too_large("file", f"is larger than {MAX_FILE_BYTES // 2**20} MB; {_ADVICE}")
    if not data:
        refuse("file", "is empty")
    require_credit(world)
    try:
        audio = await in_thread(request, read_audio, data, max_s=MAX_AUDIO_S)
    except AudioFileError as error:
        refuse("file", f"holds no audio that can be read: {error}")
    if audio.seconds > MAX_AUDIO_S:
        raise too_large("file", f"lasts longer than {MAX_AUDIO_S} s; {_ADVICE}")
    minutes = Decimal(str(round(audio.seconds, 3))) / _SECONDS_PER_MINUTE
    world.charge_inference(
        model.id, model.unit_usd * minutes, f"Transcription by {model.id}, {audio.seconds:.1f} s"
    )
    spoken = world.speech.recall(data, audio)
    segments = [] if audio.is_silent else transcript.segments_of(spoken, audio.seconds)
    if body.response_format == "json":
        language = body.language or "en"  # no language is recognized
        shown = transcript.as_json(segments, duration_s=audio.seconds, language=language)
        return JSONResponse(shown)
    forms = {"text": transcript.as_text, "srt": transcript.as_srt, "vtt": transcript.as_vtt}
    return PlainTextResponse(forms[body.response_format](segments))


routes = [Route("/audio/transcriptions", create, methods=["POST"])]
