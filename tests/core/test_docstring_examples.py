"""The examples in the documentation of the methods run, on the emulator."""

from __future__ import annotations

import hashlib
import inspect
import re
import textwrap
import wave
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image

from runcrate_core import Runcrate
from runcrate_core.progress import progress_bar
from runcrate_emulator import JobOutcome
from tests.core.both_clients import new_client
from tests.core.test_sync_async_parity import METHODS, SYNC_METHODS

# Executed with the documentation, or shown in the example of `videos.create`.
ELSEWHERE = ("chat.completions", "embeddings", "models", "videos.retrieve", "videos.wait")
SHOWN = [path for path in METHODS if not path.startswith(ELSEWHERE)]
EMULATOR = {"ssh": True, "clock_speed": 600.0}
PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl me"
JOB: Any = {"command": "python train.py", "gpu_type": "A100", "max_runtime_minutes": 5}
VIDEO: Any = {"prompt": "x", "model": "google/veo-3.0", "duration": 4}


def example_of(documented: Any) -> str:
    documentation = inspect.getdoc(documented) or ""
    found = re.search(r"```python\n(.*?)```", documentation, re.DOTALL)
    return textwrap.dedent(found[1]) if found else ""


def job_for(client: Runcrate, path: str) -> Any:
    """Return a video job, a job to cancel, or one that has ended."""
    if path.startswith("videos"):
        return client.videos.generate(**VIDEO)
    job = client.jobs.run(**JOB)
    return job if path == "jobs.cancel" else client.jobs.wait(job.id)


def running_instance(client: Runcrate, path: str) -> Any:
    made = client.instances.create(gpu_type="A100", max_runtime_minutes=10)
    return client.instances.wait_until_running(made.id)


MAKE: dict[str, Callable[[Runcrate, str], Any]] = {
    "instance": running_instance,
    "job": job_for,
    "video_id": lambda client, _: client.videos.generate(**VIDEO).id,
    "group": lambda client, _: client.jobs.run_group(**JOB, count=2),
    "volume": lambda client, _: client.storage.create(name="v", size_gb=10, region="us-east-1"),
    "key": lambda client, _: client.ssh_keys.create(name="k", public_key=PUBLIC_KEY),
    "environment": lambda client, _: client.environments.create(name="e"),
    "nightly": lambda client, _: client.schedules.create(
        kind="job", name="n", cron="0 2 * * *", spec=JOB
    ),
}


class Things(dict[str, Any]):
    """Objects that examples take for granted, made when one is named: `job`, `volume`, ..."""

    def __init__(self, client: Runcrate, path: str) -> None:
        super().__init__(client=client, archive=b"code", digest=hashlib.sha256(b"code").hexdigest())
        self._path = path

    def __missing__(self, name: str) -> Any:
        self[name] = made = MAKE[name](self["client"], self._path)
        return made


@pytest.mark.usefixtures("short_waits")
@pytest.mark.parametrize("path", [*SHOWN, "progress_bar"])
def test_examples_run(path, cloud, tmp_path, monkeypatch):
    documented = progress_bar if path == "progress_bar" else SYNC_METHODS[path]
    example = example_of(documented).replace("ssh-ed25519 AAAA...", PUBLIC_KEY)
    assert example
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my-project").mkdir()
    (tmp_path / "my-project" / "train.py").write_text("print('trained')")
    (tmp_path / "train.py").write_text("print('trained')")
    Image.new("RGB", (64, 64), "teal").save("first_frame.png")
    with wave.open("recording.wav", "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", "not compressed"))
        sound.writeframes(bytes(16000))
    seconds = 500 if path in {"jobs.cancel", "job_groups.cancel"} else 1
    cloud.world.on_job = lambda _: JobOutcome(artifacts={"model.pt": "done\n"}, seconds=seconds)
    with new_client(cloud.base_url, key=cloud.api_key) as client:
        exec(compile(example, path, "exec"), {}, Things(client, path))  # noqa: S102 - our own documentation
