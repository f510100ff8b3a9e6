"""The catalogue of models.

Facts: what the official `llm-runcrate` plugin reads of the endpoint (tag "Models" of seed 001).
"""

from __future__ import annotations

from typing import Any

from runcrate_core.api.envelope import ApiModel, parse_list
from runcrate_core.api.resources import AsyncResource, SyncResource, async_endpoint, endpoint
from runcrate_core.protocol.request import RetrySafety, Surface, json_request
from runcrate_core.protocol.steps import Call


class Model(ApiModel):
    """A model of the catalogue; any further field that the service sends is kept.

    Attributes:
        id: Identifier, to be used as it is (upper and lower case matter).
        input_modalities: `text`, `image`, `audio`, ...
        output_modalities: `text`, `image`, ...
        supported_features: `tools`, `structured_outputs`, ...
        context_length: Maximum tokens of a request and its response, if reported.
        pricing: Prices, if reported.
    """

    id: str
    input_modalities: list[str] | None = None
    output_modalities: list[str] | None = None
    supported_features: list[str] | None = None
    context_length: int | None = None
    pricing: Any = None


def list_models() -> Call[list[Model]]:
    """List the models of the catalogue.

    The service lists them without a key as well.

    Example:
        ```python
        for model in client.models.list():
            print(model.id, model.supported_features)
        ```
    """
    request = json_request(Surface.INFERENCE, "GET", "/models", retry=RetrySafety.SAFE)
    return Call(request, parse_list(Model, request))


class Models(SyncResource):
    """`client.models`."""

    list = endpoint(list_models)


class AsyncModels(AsyncResource):
    """`client.models` of the asynchronous client."""

    list = async_endpoint(list_models)
