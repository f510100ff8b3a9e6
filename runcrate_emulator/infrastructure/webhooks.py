"""Webhook bodies and URL rules of jobs. Pure.

The documents name only the fact: a signed POST to an https address when the job starts or finishes.
Body and signature are the emulator's own, and the header's name says so. It is sent once: no
repeats are documented. Only addresses of this machine are called, whatever a job asks for.
"""

import hashlib
import hmac
import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import SplitResult, urlsplit

from runcrate_emulator.infrastructure.wire import dumps
from runcrate_emulator.loopback import is_loopback

if TYPE_CHECKING:
    from runcrate_emulator.infrastructure.job_record import Job

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
    """

    at: datetime
    job_id: str
    event: WebhookEvent
    url: str = field(repr=False)
    status: int | None
    problem: str | None
    body: bytes = field(repr=False)

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
) -> tuple[WebhookDelivery, str]:
    """A webhook call to make, without its outcome, and the signature of its body."""
    body = dumps({"event": event, "job": view})
    secret = webhook_secret(job).encode()
    signature = f"sha256={hmac.new(secret, body, hashlib.sha256).hexdigest()}"
    url = job.spec.webhook_url or ""
    return WebhookDelivery(at, job.id, event, url, status=None, problem=None, body=body), signature


def is_local(url: str) -> bool:
    """True if an address is on this machine: `localhost` or a loopback address."""
    return is_loopback(_split(url).netloc)


def is_acceptable(url: str) -> bool:
    """True if a job may name an address: https, and for this machine also plain http."""
    parts = _split(url)
    is_allowed = parts.scheme == "https" or (parts.scheme == "http" and is_local(url))
    return is_allowed and bool(parts.hostname)


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port  # reading it checks it
    except ValueError:
        return SplitResult("", "", "", "", "")
    return parts
