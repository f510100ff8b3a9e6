"""Client ownership of this package's components: shared connections, and a key shown nowhere."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Self

from llama_index.core.bridge.pydantic import (
    ConfigDict,
    Field,
    PrivateAttr,
    field_validator,
    model_validator,
)
from llama_index.core.schema import BaseComponent
from pydantic import AliasChoices, SecretStr

# Names load on first use: importing this package loads no HTTP client.
import runcrate_core
from runcrate_core import Timeout, toolkit

if TYPE_CHECKING:
    from runcrate_core import AsyncRuncrate, Runcrate
    from runcrate_core.toolkit import ClientLease, SyncAsyncClients

# Arguments that are removed from the object when its clients have been made from them.
_REMOVED: Final = ("api_key", "default_headers", "client", "async_client")
# Fields that the clients are made from, with the names of the clients' own arguments.
_SETTINGS: Final = {
    "api_key": "api_key",
    "api_base": "inference_url",
    "base_url": "inference_url",
    "default_headers": "default_headers",
    "max_retries": "max_retries",
    "stream_idle_timeout": "stream_idle_timeout",
}
# All arguments of the connection.
CONNECTION: Final = frozenset({*_SETTINGS, "client", "async_client"})


class Connected(BaseComponent):
    """A component that talks to Runcrate.

    The key goes into the clients and nowhere else: it is not in `repr`, `to_dict`, `to_json`,
    pickles, events or validation errors. A pickle holds the settings; where it is loaded, the key
    is read from `RUNCRATE_API_KEY`.

    The clients may be used from any thread and under any number of event loops, one after another
    or at once, which LlamaIndex does behind many sync calls (evaluators, extractors, property
    graphs). Only they retry; see `max_retries`.
    """

    model_config = ConfigDict(
        hide_input_in_errors=True,  # the key is one of the arguments
        extra="forbid",  # a misspelt setting would go unnoticed
        arbitrary_types_allowed=True,
        populate_by_name=True,
    )

    if not TYPE_CHECKING:  # type checkers read the fields

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            # The local variables of a failing constructor go into error reports.
            if isinstance(kwargs.get("api_key"), str):
                kwargs["api_key"] = SecretStr(kwargs["api_key"])
            super().__init__(*args, **kwargs)

    api_base: str | None = Field(
        default=None,
        validation_alias=AliasChoices("api_base", "base_url"),
        description="URL of the inference API, with or without `/v1`; otherwise "
        "RUNCRATE_API_BASE, otherwise Runcrate's own.",
    )
    if TYPE_CHECKING:
        base_url: str | None = None
        """Another name of `api_base`."""
    else:

        @property
        def base_url(self) -> str | None:
            """Another name of `api_base`."""
            return self.api_base

    timeout: float | Timeout | None = Field(
        default=None,
        description="Seconds of silence while waiting for a response, 600 for chat otherwise; or a "
        "`runcrate_core.Timeout` or `httpx.Timeout`.",
    )
    max_retries: int | None = Field(
        default=None, ge=0, description="Retries after the first attempt; 3 otherwise."
    )
    stream_idle_timeout: float | None = Field(
        default=None,
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
        description="A `Runcrate` or `AsyncRuncrate` to use instead of one made from the settings "
        "above; it may be shared, and is not closed with this object.",
    )
    async_client: Any = Field(
        default=None,
        exclude=True,
        repr=False,
        description="An `AsyncRuncrate` next to `client`; made with the same settings otherwise.",
    )

    _clients: ClientLease | SyncAsyncClients = PrivateAttr()

    @field_validator("timeout", mode="before")
    @classmethod
    def _timeout_in_any_form(cls, value: Any) -> Any:
        return value if isinstance(value, int | float | dict) else Timeout.of(value)

    @field_validator("additional_kwargs", check_fields=False)
    @classmethod
    def _without_headers(cls, value: dict[str, Any]) -> dict[str, Any]:
        if "extra_headers" in value:
            raise ValueError("Give headers as `default_headers`, which is kept out of every dump.")
        return value

    @model_validator(mode="before")
    @classmethod
    def _without_class_name(cls, fields: Any) -> Any:
        """Accept the output of `to_dict`, which names the class as well."""
        if isinstance(fields, dict):
            return {name: value for name, value in fields.items() if name != "class_name"}
        return fields

    def model_post_init(self, context: Any, /) -> None:
        """Make the clients, and remove the arguments that only they need."""
        super().model_post_init(context)
        given = {name: getattr(self, name) for name in _REMOVED}
        for name in _REMOVED:
            self.__dict__[name] = None
        client, async_client = given["client"], given["async_client"]
        if client is None and async_client is None:
            client = runcrate_core.Runcrate(**self._settings(given))
            self._clients = toolkit.ClientLease(client)
        elif isinstance(client, toolkit.ClientLease | toolkit.SyncAsyncClients):
            self._clients = client  # of a pickle
        else:
            self._clients = toolkit.SyncAsyncClients(client, async_client)

    def _settings(self, given: dict[str, Any]) -> dict[str, Any]:
        key = given["api_key"]
        settings: dict[str, Any] = {
            "api_key": SecretStr(key) if isinstance(key, str) else key,
            "inference_url": self.api_base,
            "default_headers": given["default_headers"],
            "max_retries": self.max_retries,
            "stream_idle_timeout": self.stream_idle_timeout,
        }
        return {name: value for name, value in settings.items() if value is not None}

    @property
    def _sync_client(self) -> Runcrate:
        """The client of the sync calls.

        Raises:
            ConfigurationError: Only an `async_client` was given, with connections of its own.
        """
        return self._clients.sync

    @property
    def _async_client(self) -> AsyncRuncrate:
        """The client of the asynchronous calls; it shares the other's budget and rate limit.

        Raises:
            ConfigurationError: Only a `client` was given, with connections of its own.
        """
        return self._clients.async_

    def _changed_clients(self, changes: Mapping[str, Any]) -> ClientLease | SyncAsyncClients:
        """Return the clients with other values of connection fields."""
        if not changes.keys().isdisjoint({"client", "async_client"}):
            return toolkit.SyncAsyncClients(changes.get("client"), changes.get("async_client"))
        account = ("api_key", "inference_url")  # None is read from the environment
        settings = {_SETTINGS[name]: value for name, value in changes.items()}
        return self._clients.changed(
            **{name: it for name, it in settings.items() if it is not None or name in account}
        )

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy with other values, which are not validated.

        Copies share their connections, which stay open until the last of them is closed. With
        another `api_key` or `api_base` a copy has connections of its own.

        Args:
            update: New values of fields.
            deep: The values are copied too.

        Raises:
            ConfigurationError: A connection cannot be made with these values.
        """
        values = dict(update or {})
        changes = {name: values.pop(name) for name in list(values) if name in CONNECTION}
        clients = self._changed_clients(changes) if changes else None
        copied = super().model_copy(update=values, deep=deep)
        if clients is not None:
            copied._connect(clients, changes)  # noqa: SLF001 - of this class
        return copied

    def __setattr__(self, name: str, value: Any) -> None:
        """Set a field. A new key or URL gives the object new connections."""
        if name in CONNECTION:
            changes = {name: value}
            self._connect(self._changed_clients(changes), changes)
        else:
            super().__setattr__(name, value)

    def _connect(self, clients: ClientLease | SyncAsyncClients, changes: Mapping[str, Any]) -> None:
        self._clients = clients
        for name, value in changes.items():
            if name not in _REMOVED:
                self.__dict__["api_base" if name == "base_url" else name] = value

    def __copy__(self) -> Self:
        copied = super().__copy__()
        copied._clients = copy.copy(self._clients)  # noqa: SLF001 - of this class
        return copied

    def __getstate__(self) -> dict[str, Any]:
        # The base class only logs attributes that cannot be pickled and leaves them out: the copy
        # would then use another URL. Failing here gives the client's own reason.
        pickle.dumps(self._clients)
        return super().__getstate__()

    def __setstate__(self, state: dict[str, Any]) -> None:
        clients = state["__pydantic_private__"]["_clients"]
        type(self).__init__(self, **(state["__dict__"] | {"client": clients}))

    def close(self) -> None:
        """Close the connections of sync calls, unless others use them; refuse further calls.

        Objects with the same key and URL share connections. Clients that were given stay open.
        """
        self._clients.close()

    async def aclose(self) -> None:
        """Close the connections of sync calls and of the running event loop; see `close`."""
        await self._clients.aclose()
