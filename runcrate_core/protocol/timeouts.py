"""Time limits of one attempt, each in seconds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final, Protocol

# Unless a total is given: a response that is still arriving after so many times the silence that
# is allowed within it comes from a server that sends a byte now and then.
TOTAL_PER_READ: Final = 3.0
# Sockets refuse longer limits; nobody waits for three years.
MAX_FINITE_S: Final = 1e8
# The fields of a `Timeout`, in order.
NAMES: Final = ("read", "connect", "write", "pool", "total")


class TimeoutLike(Protocol):
    """A `Timeout` or an `httpx.Timeout`."""

    @property
    def read(self) -> float | None:
        """Silence while waiting for the response."""
        ...

    @property
    def connect(self) -> float | None:
        """Opening a connection."""
        ...

    @property
    def write(self) -> float | None:
        """Silence while sending."""
        ...

    @property
    def pool(self) -> float | None:
        """Waiting for a connection of a full pool."""
        ...


@dataclass(frozen=True, slots=True)
class Timeout:
    """Time limits of one attempt in seconds; `None` keeps the default, `math.inf` sets no limit.

    Attributes:
        read: Silence while waiting for the response or between two parts of it. Default: 60, chat
            600, media 300, launches 90.
        connect: Opening a connection. Default: 5, or `read` if that is less.
        write: Silence while sending. Default: 60.
        pool: Waiting for a connection of a full pool, that is for other calls of this program.
            Default: 600.
        total: Receiving the complete response, from the end of the request on. Default: three
            times `read`. Streams and downloads have it until their body starts.

    Raises:
        ValueError: A limit is not a number above 0.

    Example:
        ```python
        from runcrate_core import Runcrate, Timeout

        client = Runcrate(timeout=Timeout(connect=30, read=120))
        ```
    """

    read: float | None = None
    connect: float | None = None
    write: float | None = None
    pool: float | None = None
    total: float | None = None

    def __post_init__(self) -> None:
        for name in NAMES:
            value = getattr(self, name)
            if value is not None and not _is_limit(value):
                raise ValueError(
                    f"`{name}` of a timeout must be a number of seconds above 0, not "
                    f"{value!r}. Nothing was sent."
                )

    @classmethod
    def of(cls, value: Any, argument: str = "timeout") -> Timeout | None:
        """Return the limits that an argument stands for; `None` when it is not given.

        Args:
            value: Seconds of silence, a `Timeout`, or an `httpx.Timeout` (in which `None` means no
                limit).
            argument: The name of the argument, for the error.

        Raises:
            ValueError: It is none of these, or a limit is not above 0.
        """
        if value is None or isinstance(value, cls):
            return value
        if _is_limit(value):
            return cls(read=float(value), write=float(value))
        names = ("read", "connect", "write", "pool")
        if all(hasattr(value, name) for name in names):
            limits = {name: getattr(value, name) for name in names}
            return cls(**{name: math.inf if it is None else it for name, it in limits.items()})
        raise ValueError(
            f"`{argument}` must be a number of seconds above 0, a `Timeout` or an "
            f"`httpx.Timeout`, not {value!r}. Nothing was sent."
        )

    def over(self, defaults: Timeout | None) -> Timeout:
        """Return these limits, with those of `defaults` where one is not set."""
        if defaults is None:
            return self
        merged = (
            getattr(defaults if getattr(self, name) is None else self, name) for name in NAMES
        )
        return Timeout(*merged)


def finite(seconds: float | None) -> float | None:
    """Return a limit as the HTTP library takes it: sockets do not know infinite times."""
    return None if seconds is None or seconds > MAX_FINITE_S else seconds


def _is_limit(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value > 0
