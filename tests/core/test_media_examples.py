"""The examples in the documentation of media methods run, on the emulator."""

from __future__ import annotations

import inspect
import re
import textwrap
import wave
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

import runcrate_core as rc
from runcrate_core.progress import progress_bar
from runcrate_emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# What the seed's guide for another language shows of media, and where its counterpart is shown.
GUIDE = {
    'model="black-forest-labs/FLUX.1-schnell",\n    width=1024': "images.generate",
    '.save("city")': "images.generate",
    "num_inference_steps=4": "images.generate",
    'model="black-forest-labs/FLUX.1-kontext-pro",\n    image=path': "images.generate",
    'path="output.mp4"': "videos.generate",
    "on_status=": "videos.generate",
    "videos.create(": "videos.create",
    "videos.wait(": "videos.create",
    "videos.download(": "videos.create",
    'image=Path("first_frame.png")': "videos.create",
    "seed=42": "videos.create",
    'negative_prompt="blurry"': "videos.create",
    'voice="af_heart"': "audio.speech.create",
    "speed=1.5": "audio.speech.create",
    '.save("speech.mp3")': "audio.speech.create",
    'Path("recording.wav")': "audio.transcriptions.create",
    'response_format="srt"': "audio.transcriptions.create",
    "result.text": "audio.transcriptions.create",
}
METHODS = sorted({*GUIDE.values(), "videos.download"})


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with Emulator() as running:
        yield running


def example_of(documented: object) -> str:
    documentation = inspect.getdoc(documented) or ""
    found = re.search(r"```python\n(.*?)```", documentation, re.DOTALL)
    assert found
    return textwrap.dedent(found[1])


def method_of(client: Any, path: str) -> Any:
    for name in path.split("."):
        client = getattr(client, name)
    return client


@pytest.fixture
def client(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[rc.Runcrate]:
    """A client that waits on the emulator's clock, in a folder with what the examples take."""
    clock = SimpleNamespace(sleep=emulator.clock.advance)
    monkeypatch.setattr("runcrate_core.io.driver.time", clock)
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (64, 64), "teal").save("first_frame.png")
    with wave.open("recording.wav", "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(16000))
    with rc.Runcrate(
        emulator.api_key, base_url=emulator.base_url, inference_url=emulator.inference_url
    ) as made:
        yield made


@pytest.mark.parametrize("path", METHODS)
def test_examples_run(path: str, client: rc.Runcrate) -> None:
    names: dict[str, Any] = {"client": client}
    if path == "videos.download":
        names["job"] = client.videos.generate("x", model="google/veo-3.0", duration=4)
    exec(example_of(method_of(client, path)), names)  # noqa: S102 - our own documentation


def test_the_example_of_the_bar_runs(client: rc.Runcrate) -> None:
    job = client.videos.generate("x", model="google/veo-3.0", duration=4)
    names = {"client": client, "video_id": job.id}
    exec(example_of(progress_bar), names)  # noqa: S102 - our own documentation


@pytest.mark.parametrize(("shown", "path"), GUIDE.items())
def test_what_the_guide_shows_is_shown(shown: str, path: str, client: rc.Runcrate) -> None:
    assert shown in example_of(method_of(client, path))
