"""The gateway of all requests: origin, journal, key, rate limit, faults, last resort.

A pure ASGI middleware, so that a streamed response passes chunk by chunk and costs next to nothing.
"""

import asyncio
import math
import time
from datetime import timedelta

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from runcrate_emulator.errors import ApiError, Surface, envelope, surface_and_route
from runcrate_emulator.faults import Fault, usual_code
from runcrate_emulator.files import PAGE_MARK
from runcrate_emulator.infrastructure.webhooks import Courier
from runcrate_emulator.journal import RecordedRequest
from runcrate_emulator.keys import bearer_token, is_well_formed, masked
from runcrate_emulator.loopback import is_loopback
from runcrate_emulator.response import HungUpError, ResponseWriter
from runcrate_emulator.world import World

_CRASHED = ApiError(
    500, "internal_error", "The emulator itself failed; see `Emulator.crashes` for the reason."
)
_WINDOW = timedelta(minutes=1)  # seed 000: limits are per API key and minute
_KEPT_BODY_BYTES = 1_000_000  # larger bodies are audio or code, which nobody asserts on
_PAGE = "/"  # refreshes itself every other second; the journal is not filled with that
_OPEN_ROUTES = {("GET", "/v1/models")}  # served without a key, as llm-runcrate calls it


class Gateway:
    """Middleware around all endpoints."""

    def __init__(self, app: ASGIApp, world: World) -> None:
        self._app = app
        self._world = world
        self._courier = Courier(world)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond to one request; the server has neither a lifespan nor WebSockets."""
        request, started = Request(scope, receive), time.perf_counter()
        try:
            body = await request.body()
        except ClientDisconnect:
            return
        path, arrived_at = scope["path"], self._world.now()
        surface, route = surface_and_route(path)

        def record(status: int | None) -> None:
            marks = scope["query_string"].split(b"&")
            if path == _PAGE or (path.startswith("/files/") and PAGE_MARK in marks):
                return
            query, key = request.query_params, bearer_token(request.headers)
            entry = RecordedRequest(
                at=arrived_at,
                method=request.method,
                path=path,
                route=route,
                query={n: ("…",) if n == "signature" else tuple(query.getlist(n)) for n in query},
                headers={n: v for n, v in request.headers.items() if n != "authorization"},
                key=None if key is None else masked(key),
                status=status,
                duration_s=time.perf_counter() - started,
                body=body if len(body) <= _KEPT_BODY_BYTES else b"",
            )
            self._world.journal.append(entry)
            self._world.on_request(entry)

        response = ResponseWriter(scope, receive, send, record)
        try:
            await self._handle(request, surface, route, replaying(body, receive), response)
        except HungUpError:
            pass
        except ApiError as error:
            await _refusal(error, surface)(scope, receive, response)
        except Exception as crash:  # noqa: BLE001 - the last resort: remember it, send 500
            self._world.crashes.append(crash)
            if response.status is None:
                await _refusal(_CRASHED, surface)(scope, receive, response)
        finally:
            response.finish()
            self._courier.wake()

    async def _handle(
        self,
        request: Request,
        surface: Surface,
        route: str,
        receive: Receive,
        response: ResponseWriter,
    ) -> None:
        _check_origin(request.headers)
        fault = self._world.faults.take(request.method, route)
        if surface != "page":
            self._check_key_and_rate(request, surface, response)
        if fault is not None:
            if fault.latency_s:
                await asyncio.sleep(fault.latency_s)
            response.headers.update(fault.headers or {})
            if fault.drop_connection:
                await response.hang_up()
            if fault.does_no_work:
                await _fault_response(fault, surface)(request.scope, receive, response)
                return
            response.fault = fault
        self._world.settle()
        try:
            await self._app(request.scope, receive, response)
        except ApiError as error:  # a response like others, which the fault may change or lose
            await _refusal(error, surface)(request.scope, receive, response)
        if fault is not None and fault.lose_response:
            await response.hang_up()
        elif fault is not None and fault.replaces_response:
            response.fault = None
            await _fault_response(fault, surface)(request.scope, receive, response)

    def _check_key_and_rate(
        self, request: Request, surface: Surface, response: ResponseWriter
    ) -> None:
        world, key = self._world, bearer_token(request.headers)
        limit, now = world.requests_per_minute, world.now()
        started_at, used = world.rate_windows.get(key or "", (now, 0))
        if now >= started_at + _WINDOW:
            started_at, used = now, 0
        is_allowed = used < limit
        used += is_allowed  # a refused request does not count
        world.rate_windows[key or ""] = started_at, used
        emulated_s = (started_at + _WINDOW - now).total_seconds()
        left_s = emulated_s / (world.clock.speed or 1)  # of a clock that stands still: as it is
        response.headers.update(
            {
                "X-RateLimit-Limit": str(limit),
                "X-RateLimit-Remaining": str(max(limit - used, 0)),
                # The wait that a client works out of it and `Date` is one in real seconds.
                "X-RateLimit-Reset": str(math.ceil(time.time() + left_s)),
            }
        )
        if key is None:
            problem = "No API key was sent; send `Authorization: Bearer rc_live_…`."
        elif not is_well_formed(key):
            problem = "The API key is invalid; keys start with `rc_live_`."
        elif key not in world.keys:
            problem = "The API key is unknown; the emulator prints its own when it starts."
        elif key in world.deactivated_keys:
            problem = "The API key is deactivated; activate it on the dashboard."
        else:
            problem = ""
        if problem and (request.method, request.scope["path"]) not in _OPEN_ROUTES:
            code = "invalid_api_key" if surface == "inference" else "unauthorized"
            raise ApiError(401, code, problem)
        if not is_allowed:
            wait = max(math.ceil(left_s), 1)
            raise ApiError(
                429,
                "rate_limited",
                f"More than {limit} requests in a minute; nothing was done. "
                f"Send again in {wait} s.",
                headers={"Retry-After": str(wait)},
            )


def _check_origin(headers: Headers) -> None:
    """Refuse cross-origin requests of browsers.

    A page whose name resolves to this computer sends its own `Host`, any other page its `Origin`.
    """
    host = headers.get("host", "")
    origin = headers.get("origin")
    if not is_loopback(host) or (origin is not None and origin.lower() != f"http://{host}".lower()):
        raise ApiError(
            403,
            "forbidden",
            "The emulator serves programs on this computer only: `Host` must be a loopback name, "
            "and `Origin`, if sent, the emulator's own. Nothing was done.",
        )


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
    message = fault.message or "A fault that `Emulator.fail` injected."
    error = ApiError(status, fault.code or usual_code(status), message, details=fault.details)
    return _refusal(error, surface)
