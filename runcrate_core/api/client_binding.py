"""Results that can send further requests with the client that they came from."""

from __future__ import annotations

from typing import Any

from runcrate_core.errors import ConfigurationError
from runcrate_core.protocol.steps import Runner


class ClientBinding:
    """The client that a result is bound to.

    Copies share it; a pickle does not hold it, as it does not hold connections.
    """

    __slots__ = ("_runner",)

    def __init__(self, runner: Runner | None = None) -> None:
        self._runner = runner

    @property
    def runner(self) -> Runner:
        """The runner of the result's client.

        Raises:
            ConfigurationError: The result did not come from a client of this process.
        """
        if self._runner is None:
            raise ConfigurationError(
                "This needs a request, and the value is not connected to a client: it was made by "
                "hand, or unpickled. Get it from a client again. Nothing was sent."
            )
        return self._runner

    def __copy__(self) -> ClientBinding:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> ClientBinding:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return ClientBinding, ()
