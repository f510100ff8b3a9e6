"""Constructor arguments: aliases, and errors for unknown or misplaced ones."""

from __future__ import annotations

import warnings
from functools import cache
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import BaseModel

# Arguments that the official wrapper inherits from `ChatOpenAI` and that mean nothing here.
_WITHOUT_EFFECT: Final = {
    "async_client": "pass `http_async_client`",
    "client": "pass `http_client`",
    "default_query": "pass `http_client` with `params`",
    "http_socket_options": "pass `http_client`",
    "openai_proxy": "set HTTPS_PROXY, or pass `http_client`",
    "organization": "a Runcrate key belongs to one workspace",
    "root_async_client": "pass `http_async_client`",
    "root_client": "pass `http_client`",
    "tiktoken_model_name": "tokens are counted without a tokenizer",
    "use_previous_response_id": "there is no Responses API",
    "use_responses_api": "there is no Responses API",
}

# Names of other classes, which must not reach `model_kwargs`: it is shown, traced and sent.
OTHER_NAMES: Final = {"openai_api_key": "api_key", "openai_api_base": "base_url"}


# Names that LangChain's users know some arguments by; documented are the others.
_SECOND_NAMES: Final = {
    "max_completion_tokens": "max_tokens",
    "stop_sequences": "stop",
    "stream_chunk_timeout": "stream_idle_timeout",
}


def constructor_arguments(kind: type[BaseModel], values: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of a model's constructor, the unknown ones in `model_kwargs`.

    Args:
        kind: The class.
        values: What it was called with; not changed.

    Raises:
        ValueError: An argument is given twice, under both its names or in `model_kwargs`; headers
            are given where they would be traced; or a key is given under a name of `ChatOpenAI`.
    """
    refuse_misplaced({**(values.get("model_kwargs") or {}), **values})
    names = _names(kind)
    known = {name: value for name, value in values.items() if name in names}
    for name, alias in names.items():
        if alias is not None and name in known and alias in known:
            raise ValueError(f"`{name}` and `{alias}` are the same argument: give one of them.")
    model_kwargs = dict(known.pop("model_kwargs", None) or {})
    for name, value in values.items():
        if name in names or name == "model_kwargs":
            continue
        if (instead := _WITHOUT_EFFECT.get(name)) is not None:
            if value not in (None, False):
                _warn(f"`{name}` has no effect: {instead}.")
            continue
        if name in model_kwargs:
            raise ValueError(f"`{name}` is given twice: as an argument and in `model_kwargs`.")
        _warn(f"`{name}` is not an argument of {kind.__name__}; it is sent with each request.")
        model_kwargs[name] = value
    for name in [name for name in model_kwargs if name in names]:
        alias = names[name]
        if name in known or (alias is not None and alias in known):
            raise ValueError(f"`{name}` is given twice: as an argument and in `model_kwargs`.")
        known[name] = model_kwargs.pop(name)
    if model_kwargs:
        known["model_kwargs"] = model_kwargs
    return {_SECOND_NAMES.get(name, name): value for name, value in known.items()}


def refuse_misplaced(given: Mapping[str, Any]) -> None:
    """Refuse arguments that would be shown, traced or sent."""
    if "extra_headers" in given:
        raise ValueError("Give headers as `default_headers`, which is kept out of every trace.")
    for name, ours in OTHER_NAMES.items():
        if name in given:
            raise ValueError(f"`{name}` is called `{ours}` here.")


@cache
def _names(kind: type[BaseModel]) -> dict[str, str | None]:
    """Return every name that the constructor knows; fields with their other name."""
    fields = kind.model_fields
    aliases: dict[str, str | None] = {field.alias: None for field in fields.values() if field.alias}
    names = aliases | {name: field.alias for name, field in fields.items()}
    for second, name in _SECOND_NAMES.items():
        if name in fields:
            names |= {second: None, name: second}
    return names


def _warn(message: str) -> None:
    # Up through the validator and the constructors of the base classes.
    warnings.warn(message, stacklevel=7)
