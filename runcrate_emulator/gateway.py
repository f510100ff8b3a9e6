"""The gateway that every request passes: origin, journal, key, rate limit, faults, last resort.

A pure ASGI middleware, so that a streamed response passes chunk by chunk and costs next to nothing.
"""

import asyncio
import math
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from starlette.datastructures import Headers
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from runcrate_emulator.courier import Courier
from runcrate_emulator.errors import ApiError, Surface, envelope, route_of, surface_of
from runcrate_emulator.faults import Fault, usual_code
from runcrate_emulator.files import PAGE_MARK
from runcrate_emulator.journal import RecordedRequest, kept_body
from runcrate_emulator.keys import bearer_token, is_well_formed, masked
from runcrate_emulator.loopback import is_loopback
from runcrate_emulator.rate_limit import Verdict, count_request
from runcrate_emulator.response import HungUpError, ResponseWriter
from runcrate_emulator.world import World

_CRASHED = ApiError(
    500, "internal_error", "The emulator itself failed; see `Emulator.crashes` for the reason."
)
_PAGE = "/"  # refreshes itself every other second; the journal is not filled with that
_OPEN_ROUTES = {("GET", "/v1/models")}  # answers without a key, as llm-runcrate calls it


@dataclass(frozen=True)
class _Request:
    """Fields of a request that the gateway needs."""

    method: str
    path: str
    query_string: str
    headers: Headers
    body: bytes
    started: float

    @property
    def surface(self) -> Surface:
        return surface_of(self.path)

    @property
    def is_of_page(self) -> bool:
        """True if the emulator's own page sent it: for itself, or for a file that it shows."""
        return self.path == _PAGE or (
            self.path.startswith("/files/") and PAGE_MARK in self.query_string.split("&")
        )

    @property
    def key(self) -> str | None:
        return bearer_token(self.headers)


class Gateway:
    """Middleware around all endpoints.

    Args:
        app: The endpoints.
        world: The state that holds keys, limits, planned faults and the journal.
    """

    def __init__(self, app: ASGIApp, world: World) -> None:
        self._app = app
        self._world = world
        self._courier = Courier(world)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond to one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = await read_body(receive)
        if body is None:
            return
        request = _Request(
            method=scope["method"],
            path=scope["path"],
            query_string=scope["query_string"].decode("latin-1"),
            headers=Headers(scope=scope),
            body=body,
            started=time.perf_counter(),
        )
        arrived_at = self._world.now()

        def record(status: int | None) -> None:
            if not request.is_of_page:
                self._world.journal.add(_entry(request, arrived_at, status))

        response = ResponseWriter(scope, receive, send, record)
        try:
            await self._handle(request, scope, replaying(body, receive), response)
        except HungUpError:
            pass
        except ApiError as error:
            await _refusal(error, request.surface)(scope, receive, response)
        except Exception as crash:  # noqa: BLE001 - the last resort: remember it, send 500
            self._world.crashes.append(crash)
            if not response.started:
                await _refusal(_CRASHED, request.surface)(scope, receive, response)
        finally:
            response.finish()
            self._courier.wake()

    async def _handle(
        self, request: _Request, scope: Scope, receive: Receive, response: ResponseWriter
    ) -> None:
        _check_origin(request)
        fault = self._world.faults.take(request.method, route_of(request.path))
        if request.surface != "page":
            verdict = self._count(request)
            # The wait that a client works out of `Reset` and `Date` is one in real seconds.
            response.add_headers(verdict.headers(time.time() + self._seconds_left(verdict)))
            self._check_key(request)
            if not verdict.allowed:
                raise self._rate_limited(verdict)
        if fault is not None:
            await self._strike_before_work(fault, request, scope, receive, response)
            if fault.does_no_work:
                return
        self._world.settle()
        await self._app(scope, receive, response)
        if fault is not None and fault.lose_response:
            await response.hang_up()
        elif fault is not None and fault.replaces_answer:
            response.release()
            await _fault_response(fault, request.surface)(scope, receive, response)

    async def _strike_before_work(
        self,
        fault: Fault,
        request: _Request,
        scope: Scope,
        receive: Receive,
        response: ResponseWriter,
    ) -> None:
        if fault.latency_s:
            await asyncio.sleep(fault.latency_s)
        response.add_headers(fault.headers or {})
        if fault.drop_connection:
            await response.hang_up()
        elif fault.does_no_work:
            await _fault_response(fault, request.surface)(scope, receive, response)
        else:
            response.strike(fault)

    def _count(self, request: _Request) -> Verdict:
        windows = self._world.rate_windows
        bucket = request.key or ""
        windows[bucket], verdict = count_request(
            windows.get(bucket), self._world.requests_per_minute, self._world.now()
        )
        return verdict

    def _check_key(self, request: _Request) -> None:
        if (request.method, request.path) in _OPEN_ROUTES:
            return
        key = request.key
        code = "invalid_api_key" if request.surface == "inference" else "unauthorized"
        if key is None:
            raise ApiError(
                401, code, "No API key was sent; send `Authorization: Bearer rc_live_…`."
            )
        if not is_well_formed(key):
            raise ApiError(401, code, "The API key is invalid; keys start with `rc_live_`.")
        if key not in self._world.key_permissions:
            raise ApiError(
                401,
                code,
                "The API key is unknown; the emulator prints its own when it starts, and has it "
                "in `Emulator.api_key`.",
            )
        if key in self._world.deactivated_keys:
            raise ApiError(401, code, "The API key is deactivated; activate it on the dashboard.")

    def _seconds_left(self, verdict: Verdict) -> float:
        """Real seconds until the next window; emulated ones while the clock stands still."""
        left = (verdict.resets_at - self._world.now()).total_seconds()
        real = self._world.clock.real_seconds(left)
        return left if real is None else real

    def _rate_limited(self, verdict: Verdict) -> ApiError:
        wait = max(math.ceil(self._seconds_left(verdict)), 1)
        return ApiError(
            429,
            "rate_limited",
            f"More than {verdict.limit} requests in a minute; nothing was done. "
            f"Send again in {wait} s.",
            headers={"Retry-After": str(wait)},
        )


def _check_origin(request: _Request) -> None:
    """Refuse what a web page elsewhere can make a browser send.

    A page whose name resolves to this computer sends its own `Host`, any other page its `Origin`.

    Raises:
        ApiError: 403 `forbidden`.
    """
    host = request.headers.get("host", "")
    origin = request.headers.get("origin")
    if not is_loopback(host) or (origin is not None and origin.lower() != f"http://{host}".lower()):
        raise ApiError(
            403,
            "forbidden",
            "The emulator serves programs on this computer only: `Host` must be a loopback name, "
            "and `Origin`, if sent, the emulator's own. Nothing was done.",
        )


async def read_body(receive: Receive) -> bytes | None:
    """Read the whole request body; None when the client left before sending it all."""
    parts = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


def replaying(body: bytes, receive: Receive) -> Receive:
    """A `receive` that hands out a body already read, then whatever follows it."""
    pending: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return pending.pop() if pending else await receive()

    return replay


def _refusal(error: ApiError, surface: Surface) -> Response:
    return JSONResponse(envelope(error, surface), error.status, error.headers)


def _fault_response(fault: Fault, surface: Surface) -> Response:
    status = fault.status or 200
    if fault.body is not None:
        return Response(fault.body, status, media_type="application/json")
    message = fault.message or "A fault that was asked for with `Emulator.fail`."
    error = ApiError(status, fault.code or usual_code(status), message, details=fault.details)
    return _refusal(error, surface)


def _entry(request: _Request, arrived_at: Any, status: int | None) -> RecordedRequest:
    query: dict[str, tuple[str, ...]] = {}
    for name, value in parse_qsl(request.query_string, keep_blank_values=True):
        shown = "…" if name == "signature" else value
        query[name] = (*query.get(name, ()), shown)
    return RecordedRequest(
        at=arrived_at,
        method=request.method,
        path=request.path,
        route=route_of(request.path),
        query=query,
        headers={n: v for n, v in request.headers.items() if n != "authorization"},
        key=None if request.key is None else masked(request.key),
        status=status,
        duration_s=time.perf_counter() - request.started,
        body=kept_body(request.body),
    )
