"""The examples in the documentation of the methods run, on the emulator."""

from __future__ import annotations

import hashlib
import inspect
import re
import textwrap
import wave
from typing import Any

import pytest
from PIL import Image

from runcrate_core import Runcrate
from runcrate_core.progress import progress_bar
from runcrate_emulator import JobOutcome
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


class Things(dict[str, Any]):
    """Objects that examples take for granted, made when one is named: `job`, `volume`, ..."""

    def __init__(self, client: Runcrate, path: str) -> None:
        super().__init__(client=client, archive=b"code", digest=hashlib.sha256(b"code").hexdigest())
        self._client = client
        self._path = path

    def __missing__(self, name: str) -> Any:
        make = getattr(self, f"make_{name}", None)
        if make is None:
            raise KeyError(name)
        self[name] = made = make()
        return made

    def make_instance(self) -> Any:
        made = self._client.instances.create(gpu_type="A100", max_runtime_minutes=10)
        return self._client.instances.wait_until_running(made.id, poll_interval=0.05)

    def make_job(self) -> Any:
        if self._path.startswith("videos"):
            return self._client.videos.generate(**VIDEO, poll_interval=0.05)
        job = self._client.jobs.run(**JOB)
        return job if self._path == "jobs.cancel" else self._client.jobs.wait(job.id)

    def make_video_id(self) -> str:
        return str(self._client.videos.generate(**VIDEO, poll_interval=0.05).id)

    def make_group(self) -> Any:
        return self._client.jobs.run_group(**JOB, count=2)

    def make_volume(self) -> Any:
        return self._client.storage.create(name="v", size_gb=10, region="us-east-1")

    def make_key(self) -> Any:
        return self._client.ssh_keys.create(name="k", public_key=PUBLIC_KEY)

    def make_environment(self) -> Any:
        return self._client.environments.create(name="e")

    def make_nightly(self) -> Any:
        return self._client.schedules.create(kind="job", name="n", cron="0 2 * * *", spec=JOB)


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
    with Runcrate(
        cloud.api_key, base_url=cloud.base_url, inference_url=cloud.inference_url
    ) as client:
        exec(compile(example, path, "exec"), {}, Things(client, path))  # noqa: S102 - our own documentation
