"""What type checkers know of the clients. Checked by `tests/test_typing.py`, never run.

An `ignore` marks a mistake that must be found; one that is not needed is itself an error.
"""

# pyright: strict, reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, assert_type

import runcrate_core as rc

if TYPE_CHECKING:
    from runcrate_core.api.known_values import JobStatus, StopReason


def sync(client: rc.Runcrate) -> None:
    """Results and arguments of the blocking client."""
    assert_type(client.billing.get_balance(), rc.Balance)
    assert_type(client.billing.get_balance().credits_balance, Decimal)
    assert_type(client.billing.list_transactions(limit=5), rc.Page[rc.Transaction])
    assert_type(client.billing.list_transactions()[0], rc.Transaction)

    assert_type(client.instances.list(), list[rc.Instance])
    assert_type(client.instances.update("i-1", max_runtime_minutes=None), rc.Instance)
    assert_type(client.instances.update("i-1", idle_shutdown_minutes=rc.UNCHANGED), rc.Instance)

    assert_type(client.templates.list(page_size=3).next_page(), rc.Page[rc.Template] | None)

    job = client.jobs.run(
        command="date", gpu_type=["A100", "H100:2"], max_runtime_minutes=5, env={"A": "1"}
    )
    assert_type(job, rc.Job)
    assert_type(client.jobs.rerun(job.id, webhook_url=None, max_runtime_minutes=9), rc.Job)
    group = client.jobs.run_group(command="date", gpu_type="A100", max_runtime_minutes=5, count=2)
    assert_type(group, rc.SubmittedJobGroup)
    assert_type(client.jobs.list(status="running").data, list[rc.Job])
    assert_type(client.jobs.list_all(tags={"a": "b"}), Iterator[rc.Job])
    assert_type(client.jobs.follow_logs(job.id), Iterator[rc.JobLogChunk])
    assert_type(client.jobs.wait(job.id, timeout=None, on_status=lambda job: job.status), rc.Job)
    assert_type(client.jobs.artifacts.download(job.id, "a", to=Path("a")), bytes | Path)
    for found in client.jobs.list():
        assert_type(found, rc.Job)

    completion = client.chat.completions.create(
        model="m", messages=[{"role": "user", "content": "Hi"}], temperature=0.2, stop=["."]
    )
    assert_type(completion, rc.ChatCompletion)
    assert_type(completion.choices[0].message.content, str | list[Any] | None)
    with client.chat.completions.stream(model="m", messages=[]) as stream:
        for chunk in stream:
            assert_type(chunk, rc.ChatCompletionChunk)
        assert_type(stream.completion, rc.ChatCompletion)
    assert_type(client.images.generate("a cat", model="m"), rc.ImageGeneration)
    assert_type(client.audio.transcriptions.create(b"RIFF", model="m"), rc.Transcription)
    assert_type(client.videos.generate("a cat", model="m", to=Path("a.mp4")), rc.Video)

    client.chat.completions.stream(messages=[])  # type: ignore[call-arg]
    client.chat.completions.create(model="m", messages=[], max_tokens="5")  # type: ignore[arg-type]
    client.images.generate("a cat")  # type: ignore[call-arg]
    client.videos.wait("v-1", time_out=60)  # type: ignore[call-arg]
    client.jobs.run(command="date", gpu_type="A100", max_runtime_minutes="5")  # type: ignore[arg-type]
    client.jobs.list(state="running")  # type: ignore[call-arg]
    client.instances.terminate("i-1", force=True)  # type: ignore[call-arg]


async def async_(client: rc.AsyncRuncrate) -> None:
    """Results and arguments of the asynchronous client."""
    assert_type(await client.billing.get_balance(), rc.Balance)

    pages = client.jobs.list(limit=5)
    assert_type(pages, rc.AsyncPages[rc.Job])
    page = await pages
    assert_type(page, rc.AsyncPage[rc.Job])
    assert_type(page.data, list[rc.Job])
    assert_type(await page.next_page(), rc.AsyncPage[rc.Job] | None)
    assert_type(client.jobs.follow_logs("j-1"), AsyncIterator[rc.JobLogChunk])
    async for job in pages:
        assert_type(job, rc.Job)
    async for job in page:
        assert_type(job, rc.Job)

    completion = await client.chat.completions.create(model="m", messages=[], max_tokens=5)
    assert_type(completion, rc.ChatCompletion)
    async with client.chat.completions.stream(model="m", messages=[]) as stream:
        async for chunk in stream:
            assert_type(chunk, rc.ChatCompletionChunk)
        assert_type(stream.completion, rc.ChatCompletion)
    assert_type(await client.videos.create("a cat", model="m", duration=4), rc.Video)
    assert_type(await client.instances.wait_until_running("i-1"), rc.Instance)

    await client.chat.completions.create(model="m", message=[])  # type: ignore[call-arg]
    await client.videos.create("a cat", model="m", seconds="4", duration="4")  # type: ignore[arg-type]
    list(page)  # type: ignore[call-overload]
    str(client.jobs.get("j-1").status)  # type: ignore[attr-defined]


def vocabularies(job: rc.Job, instance: rc.Instance) -> None:
    """Known values are offered by editors; others are text like them."""
    assert_type(job.status, JobStatus)
    assert_type(instance.stop_reason, StopReason | None)
    if job.status == "suspended":
        job.status.upper()
