"""POST /v1/audio/speech: a hum of the right length, whose text a transcription returns.

Formats, voices and `speed` as in seed 003 and the service's speech reference. What the documents
leave open is the emulator's own choice: PCM is mono, 24 kHz, signed 16-bit little-endian; the
longest input is 4096 characters; `speed` runs from 0.25 to 4.
"""

from typing import Annotated, Literal

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from runcrate_emulator.bodies import OUT_OF_RANGE, OpenBody, Text, parse_body, read_object, refuse
from runcrate_emulator.inference.requests import in_thread, require_credit, required_model
from runcrate_emulator.media.audio_files import to_mp3
from runcrate_emulator.media.speech import speak

MAX_INPUT = 4096
_CONTENT_TYPES = {"mp3": "audio/mpeg", "pcm": "audio/pcm"}
_MIN_PITCH_HZ, _MAX_PITCH_HZ = 95, 200


class SpeechBody(OpenBody):
    """Fields of a request for speech."""

    input: Annotated[Text, Field(max_length=MAX_INPUT)]
    voice: Text | None = None
    response_format: Literal["mp3", "pcm"] = "mp3"
    speed: Annotated[float, Field(ge=0.25, le=4)] = 1.0


async def create(request: Request) -> Response:
    """POST /audio/speech."""
    world = request.app.state.world
    values = await read_object(request)
    model = required_model(values, "speech")
    body = parse_body(SpeechBody, values)
    voice = body.voice or model.voices[0]
    if voice not in model.voices:
        refuse("voice", f"must be one of {', '.join(model.voices)}", OUT_OF_RANGE)
    # The voices of a model are spread evenly over the range of pitch.
    share = model.voices.index(voice) / max(len(model.voices) - 1, 1)
    pitch = round(_MAX_PITCH_HZ - (_MAX_PITCH_HZ - _MIN_PITCH_HZ) * share)
    require_credit(world)
    samples, spoken = await in_thread(request, speak, body.input, pitch_hz=pitch, speed=body.speed)
    is_mp3 = body.response_format == "mp3"
    data = samples.tobytes()
    if is_mp3:
        data = await in_thread(request, to_mp3, samples, spoken.comment)
    world.charge_inference(
        model.id,
        model.unit_usd * len(body.input) / 1_000_000,
        f"Speech by {model.id}, {len(body.input)} characters",
    )
    world.speech.remember(data, spoken)
    if is_mp3:  # for the page; a browser cannot play bare samples
        world.media.add("speech", f"{voice}.mp3", _CONTENT_TYPES["mp3"], data)
    return Response(data, media_type=_CONTENT_TYPES[body.response_format])


routes = [Route("/audio/speech", create, methods=["POST"])]
