"""What a client is set up with: key, addresses, environment, times and repeats."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from runcrate_core.errors import ConfigurationError
from runcrate_core.protocol.request import Surface, header_pairs
from runcrate_core.protocol.url_policy import is_loopback

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from runcrate_core.hooks import RequestEvent

# The host with `www`, as in the official SDK 0.5.0: the bare domain of the documentation may
# answer with a redirect, and a redirect is never followed with the key.
DEFAULT_BASE_URL: Final = "https://www.runcrate.ai"
DEFAULT_INFERENCE_URL: Final = "https://api.runcrate.ai"
KEY_PREFIX: Final = "rc_live_"
KEYS_PAGE: Final = "https://www.runcrate.ai/dashboard/api-keys"
OWN_DOMAIN: Final = "runcrate.ai"

_VERSION_PART: Final = {Surface.INFERENCE: "/v1", Surface.INFRASTRUCTURE: "/api/v1"}


@dataclass(frozen=True, slots=True)
class Config:
    """The settings of a client. Made by `resolve_config`, changed by `changed`.

    Attributes:
        api_key: The key; never shown by `repr`.
        inference_url: Address of the inference API, with its version part.
        base_url: Address of the infrastructure API, with its version part.
        environment: Environment that infrastructure calls are aimed at (seed 003).
        timeout: Seconds of silence while reading that override the limit of each kind of call.
        stream_idle_timeout: Seconds a stream may stay without content.
        max_retries: Repeats after the first attempt.
        default_headers: Sent with every request to the two APIs; never shown by `repr`.
        wait_for_rate_limit: Whether calls wait for the next window instead of running into 429.
        on_request: Called with a `RequestEvent` after each attempt.
    """

    api_key: str | None = field(repr=False)
    inference_url: str
    base_url: str
    environment: str | None = None
    timeout: float | None = None
    stream_idle_timeout: float = 120.0
    max_retries: int = 3
    default_headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    wait_for_rate_limit: bool = True
    on_request: Callable[[RequestEvent], object] | None = field(default=None, repr=False)

    def __deepcopy__(self, memo: dict[int, Any]) -> Config:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle without the key and the headers; the key is read anew from the environment."""
        public = {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if field.name not in {"api_key", "default_headers"}
        }
        return _unpickled, (public,)

    def url_of(self, surface: Surface) -> str:
        """Return the address of one of the two APIs, with its version part."""
        return self.inference_url if surface is Surface.INFERENCE else self.base_url

    def key_for(self, surface: Surface) -> str | None:
        """Return the key to send to one of the two APIs.

        Raises:
            ConfigurationError: That API is Runcrate's own and the key is none of its keys.
        """
        if is_own_host(self.url_of(surface)):
            require_own_key(self.api_key)
        return self.api_key

    def changed(self, **changes: Any) -> Config:
        """Return the settings with changes, checked as the constructor's arguments are.

        Raises:
            ConfigurationError: A value is not usable, or there is no such setting.
        """
        unknown = changes.keys() - set(CHANGEABLE)
        if unknown:
            raise ConfigurationError(
                f"There is no option {', '.join(f'`{name}`' for name in sorted(unknown))}. "
                f"Options that can be changed: {', '.join(CHANGEABLE)}."
            )
        return replace(self, **_checked(**changes))


def _unpickled(public: dict[str, Any]) -> Config:
    return Config(api_key=clean_key(os.environ.get("RUNCRATE_API_KEY")), **public)


CHANGEABLE: Final = (
    "default_headers",
    "environment",
    "max_retries",
    "on_request",
    "stream_idle_timeout",
    "timeout",
    "wait_for_rate_limit",
)


def resolve_config(  # one argument for each setting
    *,
    api_key: str | None = None,
    base_url: str | None = None,
    inference_url: str | None = None,
    variables: Mapping[str, str] | None = None,
    **options: Any,
) -> Config:
    """Make settings from arguments, environment variables and defaults, in this order.

    Args:
        api_key: The key, or `RUNCRATE_API_KEY`.
        base_url: Address of the infrastructure API, or `RUNCRATE_API_URL`.
        inference_url: Address of the inference API, or `RUNCRATE_API_BASE`.
        variables: Environment variables; those of the process when not given.
        options: The other settings of `Config`; the environment also from `RUNCRATE_ENVIRONMENT`.

    Raises:
        ConfigurationError: No key, a key that is none, an address that is not usable or an
            option out of range. The key is not shown.
    """
    variables = os.environ if variables is None else variables
    if options.get("environment") is None:
        options["environment"] = variables.get("RUNCRATE_ENVIRONMENT") or None
    config = Config(
        api_key=clean_key(api_key if api_key is not None else variables.get("RUNCRATE_API_KEY")),
        inference_url=normal_url(
            inference_url or variables.get("RUNCRATE_API_BASE") or DEFAULT_INFERENCE_URL,
            Surface.INFERENCE,
        ),
        base_url=normal_url(
            base_url or variables.get("RUNCRATE_API_URL") or DEFAULT_BASE_URL,
            Surface.INFRASTRUCTURE,
        ),
        **_checked(**options),
    )
    if is_own_host(config.inference_url) and is_own_host(config.base_url):
        require_own_key(config.api_key)
    return config


def clean_key(key: str | None) -> str | None:
    """Return a key without the white space around it that copying adds.

    Raises:
        ConfigurationError: It has characters that a header cannot carry. It is not shown.
    """
    if key is None:
        return None
    key = key.strip()
    if not all("!" <= character <= "~" for character in key):
        raise ConfigurationError(
            "The API key has spaces, quotation marks or other characters that a key cannot have. "
            f"Copy it again from {KEYS_PAGE}. Nothing was sent."
        )
    return key or None


def require_own_key(key: str | None) -> None:
    """Refuse a missing key, or one that is not Runcrate's, for Runcrate's own hosts.

    Raises:
        ConfigurationError: As said. The key is not shown.
    """
    if key is None:
        raise ConfigurationError(
            "There is no API key. Set RUNCRATE_API_KEY or pass `api_key`; keys are made at "
            f"{KEYS_PAGE}. Without one, use the local emulator: `runcrate-emulator`."
        )
    if not key.startswith(KEY_PREFIX) or key == KEY_PREFIX:
        raise ConfigurationError(
            f"The API key does not start with `{KEY_PREFIX}`, so it is not a Runcrate key. "
            f"Copy it again from {KEYS_PAGE}. Nothing was sent."
        )


def is_own_host(url: str) -> bool:
    """Return whether an address is one of Runcrate's own hosts."""
    host = (urlsplit(url).hostname or "").rstrip(".").lower()
    return host == OWN_DOMAIN or host.endswith(f".{OWN_DOMAIN}")


def normal_url(url: str, surface: Surface) -> str:
    """Return an address with its version part and without a slash at the end.

    Both forms are in use: with `/v1` and `/api/v1` in the documentation (seeds 000, 001), without
    in the SDKs (seed 003).

    Raises:
        ConfigurationError: It is not https (plain http is for loopback only), or has
            credentials, a query or a fragment.
    """
    name = "inference_url" if surface is Surface.INFERENCE else "base_url"
    try:
        parts = urlsplit(url.strip())
        _ = parts.port
    except ValueError:
        raise ConfigurationError(f"`{name}` is not an address. Nothing was sent.") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ConfigurationError(
            f"`{name}` must be an https:// address (got scheme {parts.scheme!r}). Nothing was sent."
        )
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise ConfigurationError(
            f"`{name}` must not hold credentials, a query or a fragment. Nothing was sent."
        )
    if parts.scheme == "http" and not is_loopback(url):
        raise ConfigurationError(
            f"`{name}` is plain http, which would send the key in the clear; only an address of "
            "this machine may be. Use https. Nothing was sent."
        )
    version = _VERSION_PART[surface]
    path = parts.path.rstrip("/")
    if surface is Surface.INFERENCE:
        path = path or version
    elif not path.endswith(version):
        path += version
    return f"{parts.scheme}://{parts.netloc}{path}"


def _checked(**options: Any) -> dict[str, Any]:
    checked = dict(options)
    for name in ("timeout", "stream_idle_timeout"):
        if name in checked:
            checked[name] = _seconds(name, checked[name])
    if checked.get("stream_idle_timeout", 0) is None:
        checked["stream_idle_timeout"] = math.inf
    retries = checked.get("max_retries", 0)
    if not isinstance(retries, int) or isinstance(retries, bool) or retries < 0:
        raise ConfigurationError(f"`max_retries` must be a whole number from 0, not {retries!r}.")
    if "default_headers" in checked:
        try:
            checked["default_headers"] = header_pairs(dict(checked["default_headers"] or {}))
        except ValueError as error:
            raise ConfigurationError(str(error)) from None
    return checked


def _seconds(name: str, value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        raise ConfigurationError(f"`{name}` must be a number of seconds above 0, not {value!r}.")
    return float(value)
