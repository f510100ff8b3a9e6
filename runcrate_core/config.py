"""Client settings: key, URLs, environment, timeouts and retries, checked when they are given."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Final, Protocol, Self, cast
from urllib.parse import urlsplit

from runcrate_core.errors import ConfigurationError
from runcrate_core.protocol.host_names import ascii_host
from runcrate_core.protocol.request import Surface, header_pairs
from runcrate_core.protocol.timeouts import Timeout
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

_QUOTATION_MARKS: Final = "\"'`\u201c\u201d\u2018\u2019\u00ab\u00bb"


_VARIABLES: Final = (
    "RUNCRATE_API_KEY",
    "RUNCRATE_API_BASE",
    "RUNCRATE_API_URL",
    "RUNCRATE_ENVIRONMENT",
)


class SecretText(Protocol):
    """A text that does not show itself, such as pydantic's `SecretStr`."""

    def get_secret_value(self) -> str:
        """Return the text."""
        ...


class HiddenKey:
    """A key that does not show itself, as `repr` of local variables goes into error reports."""

    __slots__ = ("_key",)

    def __init__(self, key: str) -> None:
        self._key = key

    def get_secret_value(self) -> str:
        """Return the key."""
        return self._key


class EnvironmentVariables(dict[str, str]):
    """Environment variables that do not show their values."""

    def __repr__(self) -> str:
        return f"<{len(self)} environment variables>"

    @classmethod
    def of_process(cls) -> Self:
        """Return those that the clients read; to copy all would take longer than the rest."""
        return cls({name: os.environ[name] for name in _VARIABLES if name in os.environ})


class ParsedUrl(Protocol):
    """A URL as an object, such as `httpx.URL` or pydantic's `AnyHttpUrl`; `str` gives its text."""

    @property
    def scheme(self) -> str:
        """The part before `://`."""
        ...


_VERSION_PART: Final = {Surface.INFERENCE: "/v1", Surface.INFRASTRUCTURE: "/api/v1"}


@dataclass(frozen=True, slots=True)
class Config:
    """The settings of a client. Made by `resolve_config`, changed by `changed`.

    Attributes:
        api_key: The key; never shown by `repr`.
        inference_url: Address of the inference API, with its version part.
        base_url: Address of the infrastructure API, with its version part.
        environment: Environment that infrastructure calls are aimed at (seed 003).
        timeout: Limits that override those of each kind of call.
        stream_idle_timeout: Seconds a stream may stay without content.
        max_retries: Retries after the first attempt.
        default_headers: Sent with every request to the two APIs; never shown by `repr`.
        wait_for_rate_limit: Whether calls wait for the next window instead of running into 429.
        on_request: Called with a `RequestEvent` after each attempt.
    """

    api_key: str | None = field(repr=False)
    inference_url: str
    base_url: str
    environment: str | None = None
    timeout: Timeout | None = None
    stream_idle_timeout: float = 120.0
    max_retries: int = 3
    default_headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    wait_for_rate_limit: bool = True
    on_request: Callable[[RequestEvent], object] | None = field(default=None, repr=False)

    def __deepcopy__(self, memo: dict[int, Any]) -> Config:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle without the key and the headers; the key is read again from the environment."""
        public = {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if field.name not in {"api_key", "default_headers"}
        }
        return _unpickled, (public,)

    def url_of(self, surface: Surface) -> str:
        """Return the URL of one of the two APIs, with its version part."""
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
    return Config(api_key=clean_key(hidden(os.environ.get("RUNCRATE_API_KEY"))), **public)


CHANGEABLE: Final = (
    "default_headers",
    "environment",
    "max_retries",
    "on_request",
    "stream_idle_timeout",
    "timeout",
    "wait_for_rate_limit",
)


def resolve_config(
    *,
    api_key: str | SecretText | None = None,
    base_url: str | ParsedUrl | None = None,
    inference_url: str | ParsedUrl | None = None,
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
        ConfigurationError: No key, a key that is none, a URL that is not usable or an
            option out of range. The key is not shown.
    """
    if variables is None:
        variables = EnvironmentVariables.of_process()
    api_key = hidden(api_key)
    if options.get("environment") is None:
        options["environment"] = variable(variables, "RUNCRATE_ENVIRONMENT")
    if api_key is None:
        api_key = hidden(variable(variables, "RUNCRATE_API_KEY"))
    config = Config(
        api_key=clean_key(api_key),
        inference_url=api_url(inference_url, Surface.INFERENCE, variables),
        base_url=api_url(base_url, Surface.INFRASTRUCTURE, variables),
        **_checked(**options),
    )
    if is_own_host(config.inference_url) and is_own_host(config.base_url):
        require_own_key(config.api_key)
    return config


def variable(variables: Mapping[str, str], name: str) -> str | None:
    """Return an environment variable without white space around it; `None` if nothing is left.

    Raises:
        ConfigurationError: It is in quotation marks, which some readers of `.env` files keep, or
            has a line end or another control character. Its value is not shown.
    """
    value = variables.get(name, "").strip()
    if value and (value[0] in _QUOTATION_MARKS or value[-1] in _QUOTATION_MARKS):
        del value  # it may be the key, and local variables go into error reports
        raise ConfigurationError(
            f"{name} has quotation marks around its value, which are part of it. Remove them. "
            "Nothing was sent."
        )
    if not value.isprintable():
        del value
        raise _control_character(name)
    return value or None


def _control_character(name: str) -> ConfigurationError:
    return ConfigurationError(
        f"{name} has a line end or another control character in it. Nothing was sent."
    )


def _one_line(value: str, name: str) -> str:
    if not value.isprintable():
        raise _control_character(name)
    return value


def hidden(key: str | SecretText | None) -> SecretText | None:
    """Return a key that local variables may hold: text goes into error reports with them."""
    return HiddenKey(key) if isinstance(key, str) else key


def clean_key(key: str | SecretText | None) -> str | None:
    """Return a key without the white space around it that copying adds.

    Raises:
        ConfigurationError: It is not text, or has characters that a header cannot carry. It is
            not shown.
    """
    if key is None:
        return None
    reveal = getattr(key, "get_secret_value", None)
    text = reveal() if callable(reveal) else key
    if not isinstance(text, str):
        raise ConfigurationError(
            f"`api_key` must be text or a `SecretStr`, not `{type(text).__name__}`. Nothing was "
            "sent."
        )
    text = text.strip()
    if not all("!" <= character <= "~" for character in text):
        del key, text  # local variables go into error reports
        raise ConfigurationError(
            "The API key (`api_key` or RUNCRATE_API_KEY) has spaces, quotation marks or other "
            f"characters that a key cannot have. Copy it again from {KEYS_PAGE}. Nothing was sent."
        )
    return text or None


def require_own_key(key: str | None) -> None:
    """Refuse a missing key, or one that is not Runcrate's, for Runcrate's own hosts.

    Raises:
        ConfigurationError: As said. The key is not shown.
    """
    if key is None:
        raise ConfigurationError(
            "There is no API key. Nothing was sent. Set RUNCRATE_API_KEY or pass `api_key`; make "
            f"one at {KEYS_PAGE}. Without one, use the local emulator: `runcrate-emulator`."
        )
    if not key.startswith(KEY_PREFIX) or key == KEY_PREFIX:
        del key
        raise ConfigurationError(
            f"The API key does not start with `{KEY_PREFIX}`, so it is not a Runcrate key. "
            f"Copy it again from {KEYS_PAGE}. Nothing was sent."
        )


def is_own_host(url: str) -> bool:
    """Return whether a URL is one of Runcrate's own hosts."""
    host = (urlsplit(url).hostname or "").rstrip(".").lower()
    return host == OWN_DOMAIN or host.endswith(f".{OWN_DOMAIN}")


_URL_SETTINGS: Final = {
    Surface.INFERENCE: ("inference_url", "RUNCRATE_API_BASE", DEFAULT_INFERENCE_URL),
    Surface.INFRASTRUCTURE: ("base_url", "RUNCRATE_API_URL", DEFAULT_BASE_URL),
}


def api_url(given: str | ParsedUrl | None, surface: Surface, variables: Mapping[str, str]) -> str:
    """Return the URL of one of the two APIs: the argument, else its variable, else the default.

    Raises:
        ConfigurationError: As `normal_url`; it names the argument or the variable.
    """
    argument, name, default = _URL_SETTINGS[surface]
    if given is not None and given != "":
        return normal_url(given, surface, f"`{argument}`")
    return normal_url(variable(variables, name) or default, surface, name)


def inference_url_from_environment() -> str:
    """Return the URL of the inference API from `RUNCRATE_API_BASE`, else Runcrate's own.

    Raises:
        ConfigurationError: The variable is not usable.
    """
    return api_url(None, Surface.INFERENCE, EnvironmentVariables.of_process())


def normal_url(url: str | ParsedUrl, surface: Surface, name: str | None = None) -> str:
    """Return a URL with its version part and without a slash at the end.

    Both forms are in use: with `/v1` and `/api/v1` in the documentation (seeds 000, 001), without
    in the SDKs (seed 003).

    Raises:
        ConfigurationError: It is not https (plain http is for loopback only), or has
            credentials, a query or a fragment.
    """
    name = name or f"`{_URL_SETTINGS[surface][0]}`"
    text = _url_text(url, name)
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ConfigurationError(f"{name} is not a URL. Nothing was sent.") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ConfigurationError(
            f"{name} must be an https:// URL (got scheme {parts.scheme!r}). Nothing was sent."
        )
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise ConfigurationError(
            f"{name} must not hold credentials, a query or a fragment. Nothing was sent."
        )
    try:
        host = ascii_host(parts.hostname)
    except ValueError as error:
        raise ConfigurationError(f"{name} is not usable: {error}. Nothing was sent.") from None
    if parts.scheme == "http" and not is_loopback(text):
        raise ConfigurationError(
            f"{name} is plain http, which would send the key in the clear; only a URL of "
            "this computer may be. Use https. Nothing was sent."
        )
    version = _VERSION_PART[surface]
    path = parts.path.rstrip("/")
    if surface is Surface.INFERENCE:
        path = path or version
    elif not path.endswith(version):
        path += version
    shown_host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown_host}{'' if port is None else f':{port}'}{path}"


def _url_text(url: object, name: str) -> str:
    if not isinstance(url, str) and not isinstance(getattr(url, "scheme", None), str):
        raise ConfigurationError(
            f"{name} must be a URL as text or an `httpx.URL`, not `{type(url).__name__}`. Nothing "
            "was sent."
        )
    return _one_line(str(url).strip(), name)


def _checked(**options: Any) -> dict[str, Any]:
    return {name: _CHECKS[name](value) for name, value in options.items()}


def _checked_timeout(value: object) -> Timeout | None:
    try:
        return Timeout.of(value)
    except ValueError as error:
        raise ConfigurationError(str(error)) from None


def _checked_idle_timeout(value: object) -> float:
    if value is None:
        return math.inf
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        raise ConfigurationError(
            f"`stream_idle_timeout` must be a number of seconds above 0, not {value!r}."
        )
    return float(value)


def _checked_retries(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ConfigurationError(f"`max_retries` must be a whole number from 0, not {value!r}.")
    return value


def _checked_headers(value: object) -> tuple[tuple[str, str], ...]:
    try:
        return header_pairs(dict(cast("Mapping[str, str]", value or {})))
    except (TypeError, ValueError) as error:
        is_ours = str(error).endswith("Nothing was sent.")
        raise ConfigurationError(
            str(error)
            if is_ours
            else "`default_headers` must be a mapping of names to text. Nothing was sent."
        ) from None


def _checked_environment(value: object) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise ConfigurationError(
            f"`environment` must be a name as text, not `{type(value).__name__}`. Nothing was sent."
        )
    return _one_line(value.strip(), "`environment`") or None


def _checked_hook(value: object) -> Callable[[RequestEvent], object] | None:
    if value is not None and not callable(value):
        raise ConfigurationError(
            f"`on_request` must be a function, not `{type(value).__name__}`. Nothing was sent."
        )
    return value


def _checked_switch(value: object) -> bool:
    if not isinstance(value, bool):
        raise ConfigurationError(
            f"`wait_for_rate_limit` must be True or False, not {value!r}. Nothing was sent."
        )
    return value


_CHECKS: Final[Mapping[str, Callable[[object], Any]]] = {
    "default_headers": _checked_headers,
    "environment": _checked_environment,
    "max_retries": _checked_retries,
    "on_request": _checked_hook,
    "stream_idle_timeout": _checked_idle_timeout,
    "timeout": _checked_timeout,
    "wait_for_rate_limit": _checked_switch,
}
