"""POST /v1/audio/speech: a hum of the right length, whose text a transcription returns.

Formats, voices and `speed` as in seed 003 and the service's speech reference. What the documents
leave open is the emulator's own choice: PCM is mono, 24 kHz, signed 16-bit little-endian; the
longest input is 4096 characters; `speed` runs from 0.25 to 4.
"""

from decimal import Decimal

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from runcrate_emulator.bodies import Fields, read_object
from runcrate_emulator.inference.catalogued import required_model
from runcrate_emulator.inference.media_requests import in_thread
from runcrate_emulator.media.audio_files import pcm_bytes, to_mp3
from runcrate_emulator.media.speech import Spoken, speak

MAX_INPUT = 4096
MIN_SPEED, MAX_SPEED = 0.25, 4.0

_CONTENT_TYPES = {"mp3": "audio/mpeg", "pcm": "audio/pcm"}
_MIN_PITCH_HZ, _MAX_PITCH_HZ = 95, 200
_MILLION = Decimal(1_000_000)


async def create(request: Request) -> Response:
    """POST /audio/speech."""
    world = request.app.state.world
    body = await read_object(request)
    model = required_model(body, "speech")
    fields = Fields(body)
    text = fields.required("input", fields.text("input", longest=MAX_INPUT))
    voice = fields.one_of("voice", model.voices) or model.voices[0]
    audio_format = fields.one_of("response_format", tuple(_CONTENT_TYPES)) or "mp3"
    speed = fields.number("speed", MIN_SPEED, MAX_SPEED)
    world.require_credit()
    data, spoken = await in_thread(
        request,
        _speak,
        text,
        pitch_of(voice, model.voices),
        1.0 if speed is None else speed,
        audio_format,
    )
    world.charge_inference(
        model=model.id,
        cost_usd=model.unit_usd * len(text) / _MILLION,
        description=f"Speech by {model.id}, {len(text)} characters",
    )
    world.speech.remember(data, spoken)
    if audio_format == "mp3":  # for the emulator's own page; a browser cannot play bare samples
        world.media.add("speech", f"{voice}.mp3", _CONTENT_TYPES["mp3"], data)
    return Response(data, media_type=_CONTENT_TYPES[audio_format])


def pitch_of(voice: str, voices: tuple[str, ...]) -> int:
    """Spread a model's voices evenly over the range of pitch, in Hz."""
    step = (_MAX_PITCH_HZ - _MIN_PITCH_HZ) / max(len(voices) - 1, 1)
    return round(_MAX_PITCH_HZ - step * voices.index(voice))


def _speak(text: str, pitch_hz: int, speed: float, audio_format: str) -> tuple[bytes, Spoken]:
    samples, spoken = speak(text, pitch_hz=pitch_hz, speed=speed)
    if audio_format == "mp3":
        return to_mp3(samples, spoken.comment), spoken
    return pcm_bytes(samples), spoken


routes = [Route("/audio/speech", create, methods=["POST"])]
