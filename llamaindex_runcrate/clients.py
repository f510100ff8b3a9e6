"""Client ownership of this package's components: shared connections, and a key shown nowhere."""

from __future__ import annotations

import pickle
import threading
import weakref
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
_CONNECTION: Final = frozenset({*_SETTINGS, "client", "async_client"})


class Clients:
    """A component's hold on its clients.

    Copies of a component use the same connections, each with a hold of its own: the connections
    are closed when the last hold is.

    Args:
        client: A client of either kind, or the pair itself.
        async_client: An asynchronous client, next to a blocking one.
        are_own: They were made for the component, and are closed with it.
    """

    def __init__(self, client: Any, async_client: Any = None, *, are_own: bool = False) -> None:
        is_pair = isinstance(client, toolkit.SyncAsyncClients)
        self.pair = client if is_pair else toolkit.SyncAsyncClients(client, async_client)
        self._are_own = are_own
        self._closed = False
        self._group = _Group()
        self._group.join(self)

    def shared(self, pair: Any = None) -> Clients:
        """Return another hold on the same connections.

        Args:
            pair: Clients with other settings that share the connections.
        """
        other = Clients(pair or self.pair, are_own=self._are_own)
        other._closed = self._closed
        other._group = self._group
        self._group.join(other)
        return other

    def changed(self, **settings: Any) -> Clients:
        """Return a hold on clients with other settings; see `SyncAsyncClients.changed`."""
        pair = self.pair.changed(**settings)
        if settings.keys().isdisjoint({"api_key", "inference_url"}):
            return self.shared(pair)
        return Clients(pair, are_own=True)

    def require_open(self) -> None:
        """Raise where this hold was closed.

        Raises:
            ConfigurationError: It was.
        """
        if self._closed and self._are_own:
            raise runcrate_core.ConfigurationError(
                "The connections of this object are closed. Nothing was sent. Make a new object."
            )

    def close(self) -> None:
        """Give the blocking client up, and close it where this was the last hold on its own."""
        self._closed = True
        for pair in self._group.leave(self):
            pair.close()
            if self._are_own:
                pair.sync.close()

    async def aclose(self) -> None:
        """Give both clients up, and close them where this was the last hold on its own."""
        self._closed = True
        for pair in self._group.leave(self):
            pair.close()
            if self._are_own:
                pair.sync.close()
            await pair.aclose()

    def __copy__(self) -> Clients:
        return self.shared()

    def __deepcopy__(self, memo: dict[int, Any]) -> Clients:
        return self.shared()

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpickled, (self.pair, self._are_own)


class _Group:
    """The holds on the same connections."""

    def __init__(self) -> None:
        self._holds: weakref.WeakSet[Clients] = weakref.WeakSet()
        self._pairs: list[Any] = []
        self._lock = threading.Lock()

    def join(self, hold: Clients) -> None:
        with self._lock:
            self._holds.add(hold)
            if hold.pair not in self._pairs:
                self._pairs.append(hold.pair)

    def leave(self, hold: Clients) -> list[Any]:
        """Remove a hold, and return the pairs to close: all of them after the last hold."""
        with self._lock:
            self._holds.discard(hold)
            return [] if self._holds else self._pairs


def _unpickled(pair: Any, are_own: bool) -> Clients:  # noqa: FBT001 - made by `__reduce__`
    return Clients(pair, are_own=are_own)


class Connected(BaseComponent):
    """A component that talks to Runcrate.

    The key goes into the clients and nowhere else: it is not in `repr`, `to_dict`, `to_json`,
    pickles, events or validation errors. A pickle holds the settings; where it is loaded, the key
    is read from `RUNCRATE_API_KEY`.

    The clients may be used from any thread and under any number of event loops, one after another
    or at once, which LlamaIndex does behind many blocking calls (evaluators, extractors, property
    graphs). Only they retry; see `max_retries`.
    """

    model_config = ConfigDict(
        hide_input_in_errors=True,  # the key is one of the arguments
        extra="forbid",  # a misspelt setting would go unnoticed
        arbitrary_types_allowed=True,
        populate_by_name=True,
    )

    api_base: str | None = Field(
        default=None,
        validation_alias=AliasChoices("api_base", "base_url"),
        description="URL of the inference API, with or without `/v1`; otherwise "
        "RUNCRATE_API_BASE, otherwise Runcrate's own.",
    )
    timeout: float | Timeout | None = Field(
        default=None,
        description="Seconds of silence while waiting for an answer, 600 for chat otherwise; or a "
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
        description="An `AsyncRuncrate` next to `client`; its twin otherwise.",
    )

    _clients: Clients = PrivateAttr()

    @field_validator("timeout", mode="before")
    @classmethod
    def _timeout_in_any_form(cls, value: Any) -> Any:
        return value if isinstance(value, int | float | dict) else Timeout.of(value)

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
        if isinstance(client, Clients):
            self._clients = client
        elif client is None and async_client is None:
            self._clients = Clients(runcrate_core.Runcrate(**self._settings(given)), are_own=True)
        else:
            self._clients = Clients(client, async_client)

    def _settings(self, given: dict[str, Any]) -> dict[str, Any]:
        key = given["api_key"]
        settings: dict[str, Any] = {
            "api_key": key.get_secret_value() if isinstance(key, SecretStr) else key,
            "inference_url": self.api_base,
            "default_headers": given["default_headers"],
            "max_retries": self.max_retries,
            "stream_idle_timeout": self.stream_idle_timeout,
        }
        return {name: value for name, value in settings.items() if value is not None}

    @property
    def _sync_client(self) -> Runcrate:
        """The client of the blocking calls.

        Raises:
            ConfigurationError: Only an `async_client` was given, with connections of its own.
        """
        self._clients.require_open()
        return self._clients.pair.sync

    @property
    def _async_client(self) -> AsyncRuncrate:
        """The client of the asynchronous calls; it shares the other's budget and rate limit.

        Raises:
            ConfigurationError: Only a `client` was given, with connections of its own.
        """
        return self._clients.pair.async_

    def _changed_clients(self, changes: Mapping[str, Any]) -> Clients:
        """Return the clients with other values of connection fields."""
        if not changes.keys().isdisjoint({"client", "async_client"}):
            return Clients(changes.get("client"), changes.get("async_client"))
        settings = {_SETTINGS[name]: value for name, value in changes.items()}
        account = {
            name: settings[name] for name in ("api_key", "inference_url") if name in settings
        }
        options = {name: value for name, value in settings.items() if value is not None}
        return self._clients.changed(**(options | account))

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
        changes = {name: values.pop(name) for name in list(values) if name in _CONNECTION}
        clients = self._changed_clients(changes) if changes else None
        copied = super().model_copy(update=values, deep=deep)
        if clients is not None:
            copied._connect(clients, changes)  # noqa: SLF001 - of this class
        return copied

    def __setattr__(self, name: str, value: Any) -> None:
        """Set a field. A new key or URL gives the object new connections."""
        if name in _CONNECTION:
            changes = {name: value}
            self._connect(self._changed_clients(changes), changes)
        else:
            super().__setattr__(name, value)

    def _connect(self, clients: Clients, changes: Mapping[str, Any]) -> None:
        self._clients = clients
        for name, value in changes.items():
            if name not in _REMOVED:
                self.__dict__["api_base" if name == "base_url" else name] = value

    def __copy__(self) -> Self:
        copied = super().__copy__()
        copied._clients = self._clients.shared()  # noqa: SLF001 - of this class
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
        """Close the connections of blocking calls, unless a copy uses them; refuse further calls.

        Clients that were given are left alone, here as in `aclose`.
        """
        self._clients.close()

    async def aclose(self) -> None:
        """Close the connections of blocking calls and of the running event loop; see `close`."""
        await self._clients.aclose()
