"""Records of the workspace: environments, volumes, keys, schedules.

Instances and jobs, which have a life of their own, are in `instance_life` and `job_record`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal


@dataclass
class Environment:
    """A container for instances, volumes and jobs; its budget is set on the dashboard."""

    id: str
    name: str
    is_default: bool
    created_at: datetime
    updated_at: datetime
    monthly_budget_usd: Decimal | None = None


@dataclass
class SshKey:
    """A public key of the workspace."""

    id: str
    name: str
    public_key: str
    fingerprint: str
    type: str
    created_at: datetime
    last_used: datetime | None = None


@dataclass
class Volume:
    """A storage volume, paid weekly in advance.

    Attributes:
        paid_until: End of the week that is paid.
    """

    id: str
    name: str
    environment_id: str
    size_gb: int
    region: str
    created_at: datetime
    updated_at: datetime
    paid_until: datetime


CardBehaviour = Literal["succeeds", "card_declined", "payment_blocked", "authentication_required"]


@dataclass
class Upload:
    """A place for a job's code; the content arrives by a PUT to a signed link."""

    id: str
    size: int
    sha256: str | None
    expires_at: datetime
    file_id: str | None = None  # of its content among the made files, once it has arrived


@dataclass(frozen=True)
class JobGroup:
    """Jobs that were submitted together."""

    id: str
    environment_id: str
    max_parallel: int
    created_at: datetime
    job_ids: tuple[str, ...] = ()


ScheduleKind = Literal["instance", "job"]
ScheduleOutcome = Literal[
    "launched", "failed", "skipped_budget", "skipped_overlap", "no_access", "credential_revoked"
]


@dataclass
class Schedule:
    """A launch that starts later, once (`run_at`) or repeatedly (`cron`).

    Attributes:
        api_key: The key that created it or last changed its timing; a run launches as this key.
    """

    id: str
    name: str
    kind: ScheduleKind
    environment_id: str
    api_key: str = field(repr=False)
    spec: Mapping[str, Any]
    run_at: datetime | None
    cron: str | None
    timezone: str
    overlap: Literal["skip", "allow"]
    enabled: bool
    next_run_at: datetime | None
    created_at: datetime
    updated_at: datetime
    last_run_at: datetime | None = None
    last_status: ScheduleOutcome | None = None
    last_error: str | None = None
    last_instance_id: str | None = None
    last_job_id: str | None = None
    run_count: int = 0
