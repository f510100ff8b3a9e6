"""Reading a job's body; every bad field is a 422 (official SDK 0.5.0)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from runcrate_emulator.bodies import OUT_OF_RANGE, Fields
from runcrate_emulator.infrastructure.catalogue import INSTANCE_TYPES, REGIONS
from runcrate_emulator.infrastructure.job_record import GpuCandidate, JobSpec
from runcrate_emulator.infrastructure.launches import LONGEST_NAME, check_variable_names
from runcrate_emulator.infrastructure.template_list import TEMPLATES
from runcrate_emulator.infrastructure.webhooks import is_acceptable

_MAX_COMMAND_BYTES = 64 * 1024
_MAX_RUNTIME_MINUTES = (1, 10_080)
_CAPACITY_WAIT_MINUTES = (0, 1_440)
_DEFAULT_CAPACITY_WAIT = 30
_MAX_RETRIES = 10
_MAX_GPUS = 8
_MAX_JOBS_IN_GROUP = 100  # the emulator's own
_RETRY_REASONS = ("machine_failure", "nonzero_exit")
_WEBHOOK_EVENTS = ("started", "finished")
_CANDIDATE = re.compile(r"(?P<type>[^:]+)(?::(?P<count>[1-8]))?")


@dataclass(frozen=True)
class GroupSpec:
    """Several jobs that are submitted together."""

    jobs: tuple[JobSpec, ...]
    max_parallel: int


def is_group(body: Mapping[str, Any]) -> bool:
    """True if a submit body means a group."""
    return any(body.get(field) is not None for field in ("count", "params", "max_parallel"))


def parse_group(body: Mapping[str, Any]) -> GroupSpec:
    """Read a group: `count` copies, or one job per entry of `params`, merged over `env`.

    Raises:
        ApiError: 422 `validation_error`.
    """
    fields = Fields(body, shape_status=OUT_OF_RANGE)
    count = fields.integer("count", 1, _MAX_JOBS_IN_GROUP)
    params = _params(fields)
    if (count is None) == (params is None):
        fields.bad_value("count", "or `params` is required, and only one of them")
    variants = params if params is not None else [{}] * (count or 0)
    max_parallel = fields.integer("max_parallel", 1, _MAX_JOBS_IN_GROUP) or len(variants)
    rest = {k: v for k, v in body.items() if k not in ("count", "params", "max_parallel")}
    parse_job(rest)
    env = rest.get("env") or {}
    return GroupSpec(
        tuple(parse_job({**rest, "env": {**env, **variant}}) for variant in variants), max_parallel
    )


def _params(fields: Fields) -> list[dict[str, str]] | None:
    params = fields.raw("params")
    if params is None:
        return None
    if (
        not isinstance(params, list)
        or not 0 < len(params) <= _MAX_JOBS_IN_GROUP
        or not all(
            isinstance(entry, dict) and all(isinstance(v, str) for v in entry.values())
            for entry in params
        )
    ):
        fields.bad_value("params", f"must be a list of 1 to {_MAX_JOBS_IN_GROUP} env objects")
    return params


def parse_job(body: Mapping[str, Any]) -> JobSpec:
    """Read a single job.

    Raises:
        ApiError: 422 `validation_error`.
    """
    fields = Fields(body, shape_status=OUT_OF_RANGE)
    command = fields.required("command", fields.text("command"))
    if len(command.encode("utf-8", "replace")) > _MAX_COMMAND_BYTES:
        fields.bad_value("command", "must be at most 64 KB")
    region = fields.text("region")
    if region is not None and not any(place.answers_to(region) for place in REGIONS):
        fields.bad_value("region", "is no region id, start of one, city or country")
    template = fields.text("template")
    if template is not None and template not in TEMPLATES:
        fields.bad_value("template", "is not a template")
    env = fields.text_map("env") or {}
    check_variable_names(fields, "env", env)
    spec = JobSpec(
        body=dict(body),
        command=command,
        candidates=_candidates(fields, region),
        max_runtime_minutes=fields.required(
            "max_runtime_minutes", fields.integer("max_runtime_minutes", *_MAX_RUNTIME_MINUTES)
        ),
        name=fields.text("name", longest=LONGEST_NAME),
        template=template,
        image=fields.text("image"),
        image_registry_auth=_registry_auth(fields),
        env=env,
        storage_id=fields.text("storage_id"),
        region=region,
        capacity_wait_minutes=_or_default(
            fields.integer("capacity_wait_minutes", *_CAPACITY_WAIT_MINUTES), _DEFAULT_CAPACITY_WAIT
        ),
        max_retries=fields.integer("max_retries", 0, _MAX_RETRIES) or 0,
        retry_on=_subset(fields, "retry_on", _RETRY_REASONS),
        retry_exit_codes=_exit_codes(fields),
        tags=fields.text_map("tags") or {},
        webhook_url=_webhook_url(fields),
        webhook_events=_subset(fields, "webhook_events", _WEBHOOK_EVENTS),
        code=_code(fields),
        allow_cpu_container=fields.boolean("allow_cpu_container") or False,
    )
    fields.finish()
    return spec


def _or_default(value: int | None, default: int) -> int:
    return default if value is None else value


def _candidates(fields: Fields, region: str | None) -> tuple[GpuCandidate, ...]:
    default_count = fields.integer("gpu_count", 1, _MAX_GPUS) or 1
    value = fields.required("gpu_type", fields.raw("gpu_type"))
    entries = [value] if isinstance(value, str) else value
    if not isinstance(entries, list) or not entries:
        fields.bad_value("gpu_type", "must be a GPU or a list of GPUs")
    candidates = []
    for entry in entries:
        found = _CANDIDATE.fullmatch(entry) if isinstance(entry, str) else None
        if found is None:
            fields.bad_value("gpu_type", "has an entry that is not like `A100` or `A100-80GB:2`")
        candidate = GpuCandidate(found["type"], int(found["count"] or default_count))
        if not any(
            kind.is_called(candidate.gpu_type)
            and kind.gpu_count in (candidate.gpu_count, 0)
            and (region is None or kind.region.answers_to(region))
            for kind in INSTANCE_TYPES
        ):
            fields.bad_value("gpu_type", f"has `{entry}`, which is not offered; list the types")
        candidates.append(candidate)
    return tuple(candidates)


def _subset(fields: Fields, name: str, choices: tuple[str, ...]) -> tuple[str, ...]:
    values = fields.texts(name) or []
    if not set(values) <= set(choices):
        fields.bad_value(name, f"may hold {', '.join(choices)}")
    return tuple(dict.fromkeys(values))


def _exit_codes(fields: Fields) -> tuple[int, ...]:
    codes = fields.raw("retry_exit_codes")
    if codes is None:
        return ()
    if not isinstance(codes, list) or not all(
        isinstance(code, int) and not isinstance(code, bool) for code in codes
    ):
        fields.bad_value("retry_exit_codes", "must be a list of whole numbers")
    return tuple(codes)


def _webhook_url(fields: Fields) -> str | None:
    url = fields.text("webhook_url")
    if url is not None and not is_acceptable(url):
        fields.bad_value("webhook_url", "must be an https URL")
    return url


def _registry_auth(fields: Fields) -> dict[str, str] | None:
    auth = fields.text_map("image_registry_auth")
    if auth is not None and auth.keys() != {"username_env", "password_env"}:
        fields.bad_value("image_registry_auth", "must have `username_env` and `password_env`")
    return auth


def _code(fields: Fields) -> dict[str, Any] | None:
    """Where the code comes from: an upload, or a git repository over https."""
    code = fields.object("code")
    if code is None:
        return None
    if code.keys() == {"upload_id"} and isinstance(code["upload_id"], str):
        return code
    git = code.get("git")
    if code.keys() != {"git"} or not isinstance(git, dict):
        fields.bad_value("code", 'must be {"upload_id"} or {"git": {"url", "ref", "token_env"}}')
    inner = Fields(git, prefix="code.git.", shape_status=OUT_OF_RANGE)
    url = inner.required("url", inner.text("url"))
    if not url.startswith("https://"):
        inner.bad_value("url", "must be an https URL")
    inner.text("ref")
    inner.text("token_env")
    inner.finish()
    return code
