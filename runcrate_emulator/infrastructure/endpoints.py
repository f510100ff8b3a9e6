"""Endpoints of the infrastructure API: handlers get a `Call` and return plain data."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol, TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from runcrate_emulator.bodies import Body, read_body, refuse
from runcrate_emulator.infrastructure.records import Environment
from runcrate_emulator.infrastructure.wire import Result, not_found, response_of
from runcrate_emulator.keys import bearer_token
from runcrate_emulator.world import World


class Scoped(Protocol):
    """Anything that belongs to an environment."""

    @property
    def environment_id(self) -> str:
        """The environment's id."""


S = TypeVar("S", bound=Scoped)
B = TypeVar("B", bound=Body)


class Call:
    """One request to an endpoint.

    Attributes:
        request: The request.
        world: The world that it is about.
        id: The `{id}` of the path; empty where the path has none.
        query: Its query parameters.
        api_key: The key that it was sent with.
    """

    def __init__(self, request: Request) -> None:
        self.request = request
        self.world: World = request.app.state.world
        self.id: str = request.path_params.get("id", "")
        self.query = request.query_params
        self.api_key = bearer_token(request.headers) or ""

    @property
    def environment(self) -> Environment:
        """The environment of the `environment` parameter, or the default one."""
        return self.world.environment(self.query.get("environment"))

    async def read(self, model: type[B]) -> B:
        """The JSON body, checked against its table."""
        return await read_body(self.request, model)

    def in_scope(self, records: dict[str, S], *searched: str) -> list[S]:
        """The records of the environment, newest first.

        Of the `searched` attributes one must contain the `search` parameter, if it is sent.
        """
        environment_id = self.environment.id
        return [
            record
            for record in reversed(records.values())
            if record.environment_id == environment_id
            and (not searched or self.matches(*(getattr(record, name) for name in searched)))
        ]

    def find(self, records: Mapping[str, S], label: str) -> S:
        """The record of the environment that the path names by its id."""
        record = records.get(self.id)
        if record is None or record.environment_id != self.environment.id:
            raise not_found(label, self.id)
        return record

    def matches(self, *texts: str) -> bool:
        """True if the `search` parameter occurs in one of the texts; true without one."""
        wanted = self.query.get("search", "").casefold()
        return any(wanted in text.casefold() for text in texts)

    def integer(self, name: str, default: int, least: int, most: int = 10**9) -> int:
        """Read a whole number of a range from the query."""
        text = self.query.get(name)
        if text is None:
            return default
        digits = text.removeprefix("-")
        if not (digits.isascii() and digits.isdigit()) or len(digits) > len(str(2**63)):
            refuse(name, "must be a whole number")
        value = int(text)
        if not least <= value <= most:
            refuse(name, f"must be from {least} to {most}")
        return value

    def choice(self, name: str, choices: Sequence[str]) -> str | None:
        """Read one of a fixed set from the query."""
        text = self.query.get(name)
        if text is not None and text not in choices:
            refuse(name, f"must be one of {', '.join(choices)}")
        return text

    def url(self, path: str) -> str:
        """A path of this server as a URL, under the host name that the client used."""
        return f"{self.request.url.scheme}://{self.request.url.netloc}{path}"


Handler = Callable[[Call], Awaitable[Result]]


class Endpoints(list[Route]):
    """The routes of a subject, in the order in which its handlers are defined."""

    def add(self, endpoint: str, status: int = 200) -> Callable[[Handler], Handler]:
        """Make a function the handler of an endpoint such as `GET /instances/{id}`."""
        method, path = endpoint.split()

        def register(handler: Handler) -> Handler:
            async def respond(request: Request) -> Response:
                return response_of(await handler(Call(request)), status)

            self.append(Route(path, respond, methods=[method]))
            return handler

        return register

    def read(self, path: str, view: Callable[[Call], Result]) -> None:
        """Make the value of an expression the response to `GET`."""

        @self.add(f"GET {path}")
        async def respond(call: Call) -> Result:
            return view(call)
