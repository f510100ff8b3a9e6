"""Connection settings of all LangChain components: key, URL, timeouts, retries."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from langchain_core.utils import secret_from_env
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, SecretStr, field_validator

# Names load on first use: importing this package loads no HTTP client.
import runcrate_core
from runcrate_core import RequestEvent, Timeout, toolkit
from runcrate_core.toolkit import inference_url_from_environment

if TYPE_CHECKING:
    from runcrate_core import AsyncRuncrate, Runcrate
    from runcrate_core.toolkit import ClientLease, TimeoutLike

    # What the argument takes: seconds, `(connect, read)`, or an `httpx.Timeout` among others.
    TimeoutArgument = float | tuple[float | None, float | None] | Timeout | TimeoutLike | None
else:
    TimeoutArgument = float | Timeout | None  # what it is converted to

KEY_VARIABLE = "RUNCRATE_API_KEY"

# Not inside the class, where pydantic's mypy plugin would take it to mean field names alone.
_CONFIG = ConfigDict(
    arbitrary_types_allowed=True,
    populate_by_name=True,
    hide_input_in_errors=True,  # an error that shows its input would show the key
)

key_from_environment = secret_from_env(KEY_VARIABLE, default=None)


class ClientSettings(NamedTuple):
    """The fields that a model's clients are made from."""

    api_key: SecretStr | str | None
    inference_url: str
    timeout: Any
    max_retries: int
    http_client: Any
    http_async_client: Any
    on_request: Callable[[RequestEvent], object] | None
    default_headers: tuple[tuple[str, str], ...]
    stream_idle_timeout: float | None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.inference_url!r})"  # no key and no headers

    def lease(self) -> ClientLease:
        """Return a lease on the connections of the account, with these settings.

        Raises:
            ConfigurationError: They are not usable; nothing was sent.
        """
        options = self._asdict() | {"default_headers": dict(self.default_headers)}
        http, async_http = options.pop("http_client"), options.pop("http_async_client")
        if isinstance(self.api_key, str):  # text was assigned to the attribute
            options["api_key"] = SecretStr(self.api_key)  # shown in no frame of a failing call
        client = runcrate_core.Runcrate(**options, http_client=http)
        if http is None and async_http is None:
            return toolkit.ClientLease(client, settings=self)
        async_client = runcrate_core.AsyncRuncrate(**options, http_client=async_http)
        return toolkit.ClientLease(client, async_client, settings=self)


class RuncrateConnection(BaseModel):
    """Fields and life cycle of a connection, for models, embeddings and tools to inherit.

    Neither the key nor the headers are ever part of a repr, a serialisation or a pickle; an
    unpickled object reads the key from the environment of its new process.
    """

    model_config = _CONFIG

    if not TYPE_CHECKING:  # type checkers read the fields

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            # The local variables of a failing constructor go into error reports.
            if isinstance(kwargs.get("api_key"), str):
                kwargs["api_key"] = SecretStr(kwargs["api_key"])
            super().__init__(*args, **kwargs)

    api_key: SecretStr | str | None = Field(default_factory=key_from_environment)
    """Runcrate API key (`rc_live_...`). Read from `RUNCRATE_API_KEY` if not given.

    For a URL that is not Runcrate's own, any text will do. Kept as a `SecretStr`.
    """

    api_base: str = Field(default_factory=inference_url_from_environment, alias="base_url")
    """URL of the inference API. Read from `RUNCRATE_API_BASE` if not given."""

    request_timeout: TimeoutArgument = Field(default=None, alias="timeout")
    """Seconds of silence after which a call that is not streamed is given up.

    A `runcrate_core.Timeout`, an `httpx.Timeout` and `(connect, read)` set the other limits too.
    """

    max_retries: int = Field(default=3, ge=0)
    """Retries after the first attempt. `Retry-After` and the rate limit are honoured."""

    default_headers: Mapping[str, str] | None = Field(default=None, exclude=True, repr=False)
    """Headers to send with every request. Not serialised: they may hold credentials."""

    http_client: Any = Field(default=None, exclude=True, repr=False)
    """An `httpx.Client` to use, for proxies or certificates. It is not closed."""

    http_async_client: Any = Field(default=None, exclude=True, repr=False)
    """An `httpx.AsyncClient` to use for asynchronous calls. It is not closed."""

    on_request: Callable[[RequestEvent], object] | None = Field(
        default=None, exclude=True, repr=False
    )
    """Called with a `RequestEvent` after each attempt and at the end of each stream, for tracing.

    Not part of a pickle. See `runcrate_core.hooks.opentelemetry`.
    """

    _lease: Any = PrivateAttr(default=None)  # a `ClientLease`, from the first call on

    def model_post_init(self, context: Any, /) -> None:
        """Call LangChain's base classes, which private fields would replace."""
        super().model_post_init(context)

    @field_validator("api_key", mode="before")
    @classmethod
    def _secret_key(cls, value: Any) -> Any:
        return SecretStr(value) if isinstance(value, str) else value

    @field_validator("api_base", mode="before")
    @classmethod
    def _address_or_default(cls, value: Any) -> Any:
        return inference_url_from_environment() if value is None else value

    @field_validator("max_retries", mode="before")
    @classmethod
    def _retries_or_default(cls, value: Any) -> Any:
        return cls.model_fields["max_retries"].default if value is None else value

    @field_validator("request_timeout", mode="before")
    @classmethod
    def _timeout_in_any_form(cls, value: Any) -> Any:
        match value:
            case [connect, read]:
                return Timeout(connect=connect, read=read)
            case None | int() | float() | dict():
                return value
            case _:
                return Timeout.of(value)

    def close(self) -> None:
        """Close the connections, unless another object with the same settings uses them.

        The object stays usable: its next call opens new ones.
        """
        if (pool := self._given_up()) is not None:
            pool.close_unused()

    async def aclose(self) -> None:
        """Close the connections of the running event loop as well; see `close`."""
        if (pool := self._given_up()) is not None:
            await pool.aclose_unused()

    def _given_up(self) -> Any:
        lease, self._lease = self._lease, None
        return None if lease is None else lease.pool

    def _client_settings(self) -> ClientSettings:
        values = self.__dict__  # where Pydantic keeps the fields
        headers = values["default_headers"]
        return ClientSettings(
            values["api_key"],
            values["api_base"],
            values["request_timeout"],
            values["max_retries"],
            values["http_client"],
            values["http_async_client"],
            values["on_request"],
            tuple(headers.items()) if headers else (),
            values.get("stream_idle_timeout", 120.0),
        )

    def _clients(self) -> Any:
        """Return clients with the present settings of the object, which may have changed."""
        lease, settings = self._lease, self._client_settings()
        if lease is None or lease.settings != settings:
            self._lease = lease = settings.lease()
        return lease

    def _sync_client(self) -> Runcrate:
        client: Runcrate = self._clients().sync
        return client

    def _async_client(self) -> AsyncRuncrate:
        client: AsyncRuncrate = self._clients().async_
        return client

    def __getstate__(self) -> dict[Any, Any]:
        if self.http_client is not None or self.http_async_client is not None:
            raise pickle.PicklingError(
                f"A {type(self).__name__} with a custom `http_client` cannot be pickled: its "
                "connections live in this process."
            )
        state = super().__getstate__()
        fields = {**state["__dict__"], "api_key": None, "default_headers": None, "on_request": None}
        fields.pop("_serialized", None)  # LangChain's cache, created again when needed
        private = {**(state["__pydantic_private__"] or {}), "_lease": None}
        return {**state, "__dict__": fields, "__pydantic_private__": private}

    def __setstate__(self, state: dict[Any, Any]) -> None:
        super().__setstate__(state)
        self.__dict__["api_key"] = key_from_environment()

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        memo = {} if memo is None else memo
        for shared in (self.http_client, self.http_async_client):
            memo[id(shared)] = shared  # connections are shared by copies, never copied
        return super().__deepcopy__(memo)
