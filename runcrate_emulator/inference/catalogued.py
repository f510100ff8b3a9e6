"""Finding the model that a request names, for the endpoint that it was sent to."""

from collections.abc import Mapping
from typing import Any

from runcrate_emulator.errors import ApiError, invalid
from runcrate_emulator.inference.model_catalogue import Kind, Model, find


def required_model(body: Mapping[str, Any], kind: Kind) -> Model:
    """The catalogue's model for a body.

    Raises:
        ApiError: 400 if `model` is missing, 404 `model_not_found` if there is no such model, 422
            if it is of another kind.
    """
    model_id = body.get("model")
    if not isinstance(model_id, str) or not model_id:
        raise invalid("model", "must name a model of `GET /v1/models`.")
    model = find(model_id)
    if model is None:
        raise ApiError(
            404,
            "model_not_found",
            f"There is no model {model_id!r}; `GET /v1/models` lists those there are.",
            details={"field": "model"},
        )
    if model.kind != kind:
        raise invalid(
            "model", f"names {model_id!r}, a model for {model.kind}, not for {kind}.", 422
        )
    return model
