"""Arguments that mean nothing are refused by name, before anything is sent."""

from __future__ import annotations

import inspect
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.core.test_odd_responses import arguments
from tests.core.test_sync_async_parity import METHODS, SYNC_METHODS

PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)
WAV = b"RIFF\x24\x00\x00\x00WAVEfmt "
JOB = {"command": "echo hello", "gpu_type": "A100", "max_runtime_minutes": 10}
SCHEDULE = {"kind": "job", "spec": JOB}
NIGHTLY = {"kind": "job", "cron": "0 2 * * *"}
NAIVE = datetime(2026, 1, 1)  # noqa: DTZ001 - the mistake
NO_MOMENTS = (NAIVE, "2026-10-21T02:00:00", "tomorrow")
BOTH_TIMES = {"run_at": datetime(2026, 1, 1, tzinfo=UTC), "cron": "0 2 * * *"}
IMAGE: dict[str, Any] = {"prompt": "p", "model": "m"}
AUDIO: dict[str, Any] = {"file": WAV, "model": "m"}
NOTHING_SENT = "Nothing was sent"


async def tell(done: int, total: int) -> None: ...


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("images.generate", IMAGE | {"image": "./photo.png"}, "`image` is text"),
    ("images.generate", IMAGE | {"mask": "/etc/passwd"}, "`mask` is text"),
    ("images.generate", IMAGE | {"control_image": b"SECRET=1"}, "`control_image` is not an image"),
    ("images.generate", IMAGE | {"input_images": [PNG, b"x"]}, r"`input_images\[1\]` is not an im"),
    ("images.generate", IMAGE | {"image": Path("missing.png")}, "missing.png"),
    ("images.generate", IMAGE | {"seed": float("nan")}, "`seed` is nan"),
    ("audio.transcriptions.create", AUDIO | {"file": "recording.wav"}, "`file` is text"),
    ("audio.transcriptions.create", AUDIO | {"file": b""}, "`file` is empty"),
    ("audio.transcriptions.create", AUDIO | {"file": PNG}, "`file` is `image/png`, not audio"),
    ("audio.transcriptions.create", AUDIO | {"file": "data:audio/wav;base64,!"}, "valid base64"),
    ("audio.transcriptions.create", AUDIO | {"file": Path("none.wav")}, "none.wav"),
    ("audio.transcriptions.create", AUDIO | {"prompt": {}}, "`prompt` is of type"),
    ("audio.transcriptions.create", AUDIO | {"extra_headers": {"x": "a\nb"}}, "header"),
    ("audio.transcriptions.create", AUDIO | {"on_progress": tell}, "an ordinary function"),
    ("jobs.uploads.upload", {"source": b"", "on_progress": tell}, "an ordinary function"),
    ("jobs.uploads.upload", {"source": ".", "include": "*.env"}, "is a list of patterns"),
    ("jobs.uploads.upload", {"source": ".", "exclude": "data"}, "is a list of patterns"),
    ("jobs.uploads.upload", {"source": Path("none")}, "neither a directory nor"),
    *(
        ("chat.completions.create", {"model": "m", "messages": odd}, "must be a list of messages")
        for odd in ("Hello", {"role": "user", "content": "Hello"}, 5)
    ),
    ("embeddings.create", {"model": "e", "input": "x", "extra_headers": [("a", "b")]}, "be a dict"),
    ("embeddings.create", {"model": "e", "input": ""}, "`input` is empty"),
    ("embeddings.create", {"model": "e", "input": []}, "`input` is empty"),
    *(
        ("instances.create", given, "either `gpu_type` or `instance_type_id`")
        for given in ({}, {"gpu_type": "A100", "instance_type_id": "x"})
    ),
    ("instances.create", {"gpu_type": "A", "max_runtime_minuts": 5}, "is `max_runtime_minutes` me"),
    ("jobs.run", JOB | {"max_retires": 2}, "is `max_retries` meant"),
    ("jobs.run_group", JOB | {"count": 2, "maxparallel": 1}, "is `max_parallel` meant"),
    ("jobs.rerun", {"job_id": "j", "max_runtime_minuts": 5}, "is `max_runtime_minutes` meant"),
    ("schedules.create", NIGHTLY | {"spec": JOB | {"max_retires": 2}}, "is `max_retries` meant"),
    ("ssh_keys.create", {"name": "k", "public_key": "-----BEGIN PRIVATE KEY-----"}, "private key"),
    *(
        ("jobs.run", JOB | {field: 2}, f"{field} are for `run_group`")
        for field in ("count", "params", "max_parallel")
    ),
    ("jobs.run", JOB | {"env": {"VALUE": b"bytes"}}, r"`env\.VALUE`"),
    ("jobs.wait", {"job_id": "j", "poll_interval": 0}, "seconds"),
    ("jobs.wait", {"job_id": "j", "timeout": -1}, "seconds"),
    ("videos.generate", IMAGE | {"timeout": "10"}, "must be seconds"),
    ("videos.generate", IMAGE | {"poll_interval": float("nan")}, "must be seconds"),
    ("jobs.run_group", JOB, "either `count` or `params`"),
    ("jobs.run_group", JOB | {"count": 2, "params": [{"A": "1"}]}, "either `count` or `params`"),
    ("jobs.list", {"created_after": NAIVE}, "`created_after`"),
    ("jobs.list", {"created_after": NAIVE.date()}, "`created_after`"),
    ("schedules.create", SCHEDULE, NOTHING_SENT),
    ("schedules.create", SCHEDULE | BOTH_TIMES, NOTHING_SENT),
    *(("schedules.create", SCHEDULE | {"run_at": time}, NOTHING_SENT) for time in NO_MOMENTS),
    *(
        ("schedules.update", {"schedule_id": "s-1", "run_at": time}, NOTHING_SENT)
        for time in NO_MOMENTS
    ),
    ("schedules.update", {"schedule_id": "s-1"}, NOTHING_SENT),
    ("schedules.update", {"schedule_id": "s-1"} | BOTH_TIMES, NOTHING_SENT),
    ("environments.update", {"environment_id": "e-1"}, "name, is_default"),
    ("billing.usage", {"from_date": NAIVE}, "`from_date` has no time zone"),
    ("billing.top_up", {"amount_usd": float("nan")}, "`amount_usd`"),
]


@pytest.mark.parametrize(("method", "given", "problem"), REFUSED)
def test_what_means_nothing_is_refused_unsent(cloud, both, method, given, problem):
    with pytest.raises((ValueError, TypeError, FileNotFoundError), match=problem):
        both(method, **given)
    assert cloud.requests == []


def identifier_of(path: str) -> str:
    """Return the name of the identifier that a method takes first, or an empty text."""
    first = next(iter(inspect.signature(SYNC_METHODS[path]).parameters), "")
    return first if first.endswith("_id") else ""


@pytest.mark.parametrize("path", [path for path in METHODS if identifier_of(path)])
def test_44_what_is_no_identifier_reaches_no_endpoint(cloud, both, path, tmp_path):
    name = identifier_of(path)
    for bad in ("", " ", "..", "a/../b", ".", "a\r\nb", "x" * 600, 17, None):
        with pytest.raises(ValueError, match=f"`{name}` "):
            both(path, **{**arguments(path, tmp_path), name: bad})
    assert cloud.requests == []
