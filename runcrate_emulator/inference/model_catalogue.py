"""The models that the emulator offers, and `GET /models`, which needs no key.

Every id is in one of Runcrate's published documents or official packages, written as printed
there; they are in `models.json`. Prices, context lengths and durations are taken from the same
places where they state any; everything else is the emulator's own choice, and each record lists
those fields in `emulator_values`. Models that the documents name without an id are left out: an
invented id would work here and nowhere else.
"""

from decimal import Decimal
from importlib.resources import files
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

Kind = Literal["chat", "embedding", "image", "video", "speech", "transcription"]

_CREATED: Final = 1_767_225_600  # 2026-01-01 for every model: the emulator's own choice


class Model(BaseModel):
    """One model of the catalogue.

    Attributes:
        id: The case-sensitive name that a request gives in `model`.
        kind: Which endpoint serves it.
        input_modalities: What it reads: `text`, `image`, `audio`, `video`, `file`.
        output_modalities: What it makes.
        supported_features: What a chat model can do besides writing text: `tools`,
            `structured_outputs`, `json_mode`, `reasoning`, `vision`, `logprobs`.
        context_length: Most tokens of prompt and reply together; `None` where it has no meaning.
        max_output_tokens: Most tokens of one reply; `None` where it has no meaning.
        input_usd_per_million: Price of a million prompt tokens in US dollars.
        output_usd_per_million: Price of a million completion tokens in US dollars.
        unit_usd: Price in US dollars of one `unit` of a media model.
        unit: What a media model is charged by: `image`, `second`, `minute` or `million characters`.
        dimensions: Length of an embedding model's vectors.
        durations: Seconds of video that a request may ask for; empty means any from 1 to 20.
        voices: Names of a speech model's voices, the default first.
        edits_images: Whether an image model takes source images.
        aliases: Other spellings that a document prints for the same model.
        emulator_values: Names of the fields above that no document states.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    kind: Kind
    input_modalities: tuple[str, ...] = ("text",)
    output_modalities: tuple[str, ...] = ("text",)
    supported_features: tuple[str, ...] = ()
    context_length: int | None = None
    max_output_tokens: int | None = None
    input_usd_per_million: Decimal = Decimal(0)
    output_usd_per_million: Decimal = Decimal(0)
    unit_usd: Decimal = Decimal(0)
    unit: str = ""
    dimensions: int | None = None
    durations: tuple[int, ...] = ()
    voices: tuple[str, ...] = ()
    edits_images: bool = False
    aliases: tuple[str, ...] = ()
    emulator_values: tuple[str, ...] = ()

    def cost_usd(self, prompt_tokens: int, completion_tokens: int = 0) -> Decimal:
        """The price in US dollars of a request with these token counts."""
        return (
            self.input_usd_per_million * prompt_tokens
            + self.output_usd_per_million * completion_tokens
        ) / 1_000_000

    def listed(self) -> dict[str, Any]:
        """The entry in the response of `GET /v1/models`.

        `id`, `input_modalities`, `output_modalities` and `supported_features` are read by official
        software; the other fields are the emulator's extension, and `emulator_values` says which
        of their values are its own.
        """
        pricing = {"unit": self.unit, "usd": str(self.unit_usd)}
        if not self.unit:
            pricing = {
                "input_usd_per_million_tokens": str(self.input_usd_per_million),
                "output_usd_per_million_tokens": str(self.output_usd_per_million),
            }
        own = self.model_dump(include={"kind", "dimensions", "durations", "voices", "aliases"})
        return {
            "object": "model",
            "created": _CREATED,
            "owned_by": self.id.partition("/")[0],
            **self.model_dump(include=_LISTED),
            "emulator": {**own, "pricing": pricing, "emulator_values": self.emulator_values},
        }


_LISTED: Final = {
    "id",
    "input_modalities",
    "output_modalities",
    "supported_features",
    "context_length",
    "max_output_tokens",
}
_ROWS: Final = files("runcrate_emulator.inference").joinpath("models.json").read_text("utf-8")
MODELS: Final = TypeAdapter(tuple[Model, ...]).validate_json(_ROWS)
_BY_ID: Final = {name: model for model in MODELS for name in (model.id, *model.aliases)}


def find(model_id: str) -> Model | None:
    """The model with this exact id or documented alias, or `None`."""
    return _BY_ID.get(model_id)


async def list_all(_: Request) -> Response:
    """List every model, with what it reads, makes and supports."""
    return JSONResponse({"object": "list", "data": [model.listed() for model in MODELS]})


routes = [Route("/models", list_all, methods=["GET"])]
