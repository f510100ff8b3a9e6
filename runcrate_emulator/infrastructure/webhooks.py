"""Webhooks of jobs: which URLs are allowed, bodies and signatures, and calls in the background.

The documents name only the fact: a signed POST to an https address when the job starts or finishes.
Body and signature are the emulator's own, and the header's name says so. It is sent once: no
repeats are documented. Only addresses of this computer are called, whatever a job asks for.

Time passes in the emulator when it gets a request. While a job with a webhook lives, the courier
also checks on its own, repeatedly.
"""

import asyncio
import hashlib
import hmac
import json
import logging
from collections.abc import Coroutine
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

import httpx

from runcrate_emulator.infrastructure.wire import dumps
from runcrate_emulator.loopback import LOOPBACK, is_loopback
from runcrate_emulator.world import World

if TYPE_CHECKING:
    from runcrate_emulator.infrastructure.job_record import Job

_LOG = logging.getLogger("runcrate_emulator.webhooks")
_LOOK_S = 0.02  # real seconds
_RESPONSE_S = 10.0  # real seconds that a receiver may take
_NOT_LOCAL = "not sent: the emulator calls only loopback URLs"
WebhookEvent = Literal["started", "finished"]

SIGNATURE_HEADER = "X-Runcrate-Emulator-Signature"
"""`sha256=` and the hexadecimal HMAC-SHA256 of the body, with the job's webhook secret as key."""


@dataclass(frozen=True)
class WebhookDelivery:
    """Outcome of a webhook delivery.

    Attributes:
        at: Emulated time of the event.
        job_id: The job that it is about.
        event: `started` or `finished`.
        url: The address, as the job gave it.
        status: Status of the response; None when none came, or when nothing was sent.
        problem: Why nothing was sent, or why no response came; None for a response of any status.
        body: What was sent, or would have been.
        signature: That of the body.
    """

    at: datetime
    job_id: str
    event: WebhookEvent
    url: str = field(repr=False)
    status: int | None
    problem: str | None
    body: bytes = field(repr=False)
    signature: str = field(repr=False)

    @property
    def json(self) -> Any:
        """The body, read."""
        return json.loads(self.body)


def webhook_secret(job: "Job") -> str:
    """The key of a job's signatures; the jobs of a group share one."""
    seed = job.group_id or job.id
    return f"whsec_{hashlib.sha256(seed.encode()).hexdigest()[:32]}"


def announce(
    job: "Job", event: WebhookEvent, view: dict[str, Any], at: datetime
) -> WebhookDelivery:
    """A webhook call to make, without its outcome."""
    body = dumps({"event": event, "job": view})
    secret = webhook_secret(job).encode()
    signature = f"sha256={hmac.new(secret, body, hashlib.sha256).hexdigest()}"
    url = job.spec.webhook_url or ""
    return WebhookDelivery(at, job.id, event, url, None, None, body, signature)


def is_acceptable(url: str) -> bool:
    """True if a job may name a URL: https, and for loopback also plain http."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # reading it checks it
    except ValueError:
        return False
    is_allowed = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.netloc))
    return is_allowed and bool(parts.hostname)


class Courier:
    """Sends the `announcements` of a world; its `webhooks` record what became of them."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._tasks: set[asyncio.Task[None]] = set()  # the event loop itself keeps no task alive
        self._watch: asyncio.Task[None] | None = None

    def wake(self) -> None:
        """Send what is due, and watch over what will be; called after every request."""
        self._send_all()
        if self._is_awaited() and (self._watch is None or self._watch.done()):
            self._watch = self._begin(self._watch_over())

    def _is_awaited(self) -> bool:
        return any(job.spec.webhook_url is not None for job in self._world.live_jobs.values())

    async def _watch_over(self) -> None:
        while self._is_awaited():
            await asyncio.sleep(_LOOK_S)
            self._world.settle()
            self._send_all()

    def _send_all(self) -> None:
        record = self._world.webhooks  # a reset begins a new one, which owes nothing to the old
        while self._world.announcements:
            self._begin(_deliver(self._world.announcements.popleft(), record))

    def _begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        async def guarded() -> None:
            try:
                await work
            except Exception as crash:  # noqa: BLE001 - nobody awaits it; a test looks at it
                self._world.crashes.append(crash)

        task = asyncio.get_running_loop().create_task(guarded())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


async def _deliver(delivery: WebhookDelivery, record: list[WebhookDelivery]) -> None:
    status: int | None = None
    problem: str | None = _NOT_LOCAL
    if is_loopback(urlsplit(delivery.url).netloc):
        url = httpx.URL(delivery.url)
        if url.host == "localhost":
            url = url.copy_with(host=LOOPBACK)  # whatever a hosts file says
        headers = {"Content-Type": "application/json", SIGNATURE_HEADER: delivery.signature}
        try:
            # No proxy and no redirect could lead off this computer; and its https needs no
            # certificate that an authority has signed.
            async with httpx.AsyncClient(
                verify=False,  # noqa: S501 - loopback only
                trust_env=False,
                follow_redirects=False,
                timeout=_RESPONSE_S,
            ) as client:
                response = await client.post(url, content=delivery.body, headers=headers)
            status, problem = response.status_code, None
        except httpx.HTTPError as error:
            problem = f"no response ({type(error).__name__})"
    _LOG.info("webhook `%s` of %s: %s", delivery.event, delivery.job_id, problem or status)
    record.append(replace(delivery, status=status, problem=problem))
