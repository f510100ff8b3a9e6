"""Calling webhooks in the background: no request to the emulator waits for them.

Time passes in the emulator when it is asked something. While a job with a webhook lives, the
courier also looks on its own, again and again.
"""

import asyncio
import logging
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

import httpx

from runcrate_emulator.infrastructure.webhooks import SIGNATURE_HEADER, WebhookDelivery, is_local
from runcrate_emulator.world import World

_LOG = logging.getLogger("runcrate_emulator.webhooks")
_LOOK_S = 0.02  # real seconds
_RESPONSE_S = 10.0  # real seconds that a receiver may take
_NOT_LOCAL = "not sent: the emulator calls only addresses of this machine"


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
            delivery, signature = self._world.announcements.popleft()
            self._begin(_deliver(delivery, signature, record))

    def _begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (crash := task.exception()) is not None:
            self._world.crashes.append(crash)


async def _deliver(
    delivery: WebhookDelivery, signature: str, record: list[WebhookDelivery]
) -> None:
    if is_local(delivery.url):
        status, problem = await _post(delivery.url, delivery.body, signature)
        delivery = replace(delivery, status=status, problem=problem)
    else:
        delivery = replace(delivery, problem=_NOT_LOCAL)
    outcome = delivery.problem or delivery.status
    _LOG.info("webhook `%s` of %s: %s", delivery.event, delivery.job_id, outcome)
    record.append(delivery)


async def _post(address: str, body: bytes, signature: str) -> tuple[int | None, str | None]:
    url = httpx.URL(address)
    if url.host == "localhost":
        url = url.copy_with(host="127.0.0.1")  # whatever a hosts file says
    headers = {"Content-Type": "application/json", SIGNATURE_HEADER: signature}
    try:
        # No proxy and no redirect could lead off this machine; and its https needs no certificate
        # that an authority has signed.
        async with httpx.AsyncClient(
            verify=False,  # noqa: S501 - loopback only
            trust_env=False,
            follow_redirects=False,
            timeout=_RESPONSE_S,
        ) as client:
            response = await client.post(url, content=body, headers=headers)
    except httpx.HTTPError as error:
        return None, f"no response ({type(error).__name__})"
    return response.status_code, None
