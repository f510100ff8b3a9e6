"""How the parts of this package hold their clients, and keep the key out of everything else."""

from __future__ import annotations

import pickle
from typing import Any

from llama_index.core.bridge.pydantic import ConfigDict, Field, PrivateAttr
from llama_index.core.schema import BaseComponent
from pydantic import AliasChoices, SecretStr

from runcrate_core import AsyncRuncrate, ConfigurationError, Runcrate

# Arguments that leave the object when its clients have been made of them.
_TAKEN_AWAY = ("api_key", "default_headers", "client", "async_client")


class Connected(BaseComponent):
    """A component that talks to Runcrate.

    The key goes into the clients and nowhere else: it is not in `repr`, `to_dict`, `to_json`,
    pickles, events or validation errors. A pickle holds the settings; where it is loaded, the key
    is read from `RUNCRATE_API_KEY`.

    The clients may be used from any thread and under any number of event loops, one after another
    or at once, which LlamaIndex does behind many blocking calls (evaluators, extractors, property
    graphs). They make all repeats there are; see `max_retries`.
    """

    # A validation error must not print the arguments: the key is one of them.
    model_config = ConfigDict(
        hide_input_in_errors=True, arbitrary_types_allowed=True, populate_by_name=True
    )

    api_base: str | None = Field(
        default=None,
        frozen=True,
        validation_alias=AliasChoices("api_base", "base_url"),
        description="Address of the inference API, with or without `/v1`; otherwise "
        "RUNCRATE_API_BASE, otherwise Runcrate's own.",
    )
    timeout: float | None = Field(
        default=None,
        description="Seconds of silence while waiting for an answer; 600 for chat otherwise.",
    )
    max_retries: int | None = Field(
        default=None, frozen=True, ge=0, description="Repeats after the first attempt; 3 otherwise."
    )
    stream_idle_timeout: float | None = Field(
        default=None,
        frozen=True,
        description="Seconds a stream may stay without content; 120 otherwise.",
    )
    api_key: SecretStr | str | None = Field(
        default=None,
        exclude=True,
        repr=False,
        description="The key, or RUNCRATE_API_KEY. Reads as None afterwards: the clients have it.",
    )
    default_headers: dict[str, str] | None = Field(
        default=None,
        exclude=True,
        repr=False,
        description="Sent with every request. Reads as None afterwards.",
    )
    client: Any = Field(
        default=None,
        exclude=True,
        repr=False,
        description="A `Runcrate` to use instead of one made from the settings above.",
    )
    async_client: Any = Field(
        default=None,
        exclude=True,
        repr=False,
        description="An `AsyncRuncrate` to use instead of one made from the settings above.",
    )

    _client: Runcrate | None = PrivateAttr()
    _async_client: AsyncRuncrate | None = PrivateAttr()

    def model_post_init(self, context: Any, /) -> None:
        """Make the clients, and forget what only they need to know."""
        super().model_post_init(context)
        given = {name: getattr(self, name) for name in _TAKEN_AWAY}
        for name in _TAKEN_AWAY:
            self.__dict__[name] = None
        key = given["api_key"]
        settings: dict[str, Any] = {
            "api_key": key.get_secret_value() if isinstance(key, SecretStr) else key,
            "inference_url": self.api_base,
            "default_headers": given["default_headers"],
        }
        for name in ("max_retries", "stream_idle_timeout"):
            if (value := getattr(self, name)) is not None:
                settings[name] = value
        self._client, self._async_client = given["client"], given["async_client"]
        # Where one is given, the other is not guessed: it would go to another address.
        if self._client is None and self._async_client is None:
            self._client, self._async_client = Runcrate(**settings), AsyncRuncrate(**settings)

    @property
    def blocking_client(self) -> Runcrate:
        """The client of the blocking calls.

        Raises:
            ConfigurationError: Only an `async_client` was given.
        """
        if self._client is None:
            raise _missing("client", "a blocking")
        return self._client

    @property
    def asynchronous_client(self) -> AsyncRuncrate:
        """The client of the asynchronous calls.

        Raises:
            ConfigurationError: Only a `client` was given.
        """
        if self._async_client is None:
            raise _missing("async_client", "an asynchronous")
        return self._async_client

    def __getstate__(self) -> dict[str, Any]:
        # The base class leaves out, with no more than a log line, what cannot be pickled: the
        # copy would then talk to another address. Better to fail here, with the client's reason.
        pickle.dumps((self._client, self._async_client))
        return super().__getstate__()

    def __setstate__(self, state: dict[str, Any]) -> None:
        clients = state["__pydantic_private__"]
        fields = state["__dict__"] | {
            "client": clients["_client"],
            "async_client": clients["_async_client"],
        }
        type(self).__init__(self, **fields)

    def close(self) -> None:
        """Close the connections of the blocking calls; later blocking calls are refused."""
        if self._client is not None:
            self._client.close()

    async def aclose(self) -> None:
        """Close the connections of the running event loop; later asynchronous calls are refused."""
        if self._async_client is not None:
            await self._async_client.aclose()


def _missing(argument: str, kind: str) -> ConfigurationError:
    return ConfigurationError(
        f"This was {kind} call, and only a client for calls of the other kind was given. Give "
        f"`{argument}` as well. Nothing was sent."
    )
