"""Media that agents generate: images, speech and video, in a directory the program chose."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from pydantic import ValidationError

import runcrate_core as rc
import runcrate_core.toolkit as rt
from runcrate_core.media_tools import media_directory, video_tool
from runcrate_core.media_tools.generator import MediaGenerator
from tests.servers import Reply, raw_reply

PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)
PNG_URI = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
MP3 = b"ID3" + bytes(200)
MP4 = b"\x00\x00\x00\x18ftypisom" + bytes(200)
SPEECH, VIDEO = raw_reply(MP3, "audio/mpeg"), raw_reply(MP4, "video/mp4")
NO_CREDITS = Reply(402, json={"error": {"message": "No credits."}})


def image(**fields: Any) -> Reply:
    return Reply(json={"data": [{"b64_json": base64.b64encode(PNG).decode()}], **fields})


def job(status: str, **fields: Any) -> Reply:
    return Reply(json={"id": "video-1", "status": status, **fields})


IMAGE = image()
DONE = (job("completed"), job("completed"), VIDEO)
ARGUMENTS: dict[str, Any] = {
    "images": (rt.ImageArguments, {"prompt": "A fox"}),
    "speech": (rt.SpeechArguments, {"text": "Hello."}),
    "video": (rt.VideoArguments, {"prompt": "Waves"}),
}


class Make:
    """`make("images", *replies, using={...}, **arguments)` on a generator with those options."""

    def __init__(self, scripted, directory):
        self.scripted, self.directory = scripted, directory
        self.server = self.generator = None

    def __call__(self, kind, *replies, using=None, client=None, watching=None, **arguments):
        self.server, both = self.scripted(*replies, **(client or {}))
        options = {"directory": self.directory, "poll_interval": 0.01} | (using or {})
        self.generator = MediaGenerator(**options)
        model, least = ARGUMENTS[kind]
        given = model(**(least | arguments if "video_id" not in arguments else arguments))
        flow = getattr(self.generator, f"generate_{kind}")(given, **(watching or {}))
        return both("run", flow)

    @property
    def sent(self):
        """The bodies of the requests."""
        return [request.json for request in self.server.received]


@pytest.fixture
def make(scripted, tmp_path):
    return Make(scripted, tmp_path)


def test_images_are_saved_in_the_directory_under_generated_names(make):
    directory = make.directory / "deep" / "down"
    using = {"directory": directory, "keep_content": True}
    asked = {"seed": 2**31 - 1, "width": 256, "height": 512}
    result = make("images", IMAGE, using=using, count=2, **asked)
    assert [body["seed"] for body in make.sent] == [2**31 - 1, 0]
    assert make.sent[0]["width"] == 256
    assert "image" not in make.sent[0]
    paths = [file.path for file in result.files]
    assert len(set(paths)) == 2
    for path, file in zip(paths, result.files, strict=True):
        assert (path.parent, path.suffix) == (directory, ".png")
        assert path.read_bytes() == file.content == PNG
    assert result.data == {
        "files": [
            {"path": str(path), "content_type": "image/png", "bytes": len(PNG), "seed": seed}
            for path, seed in zip(paths, (2**31 - 1, 0), strict=True)
        ],
        "model": make.generator.image_model,
        **asked,
        "cost_usd": 0.006,
        "cost_source": "catalogue",
    }
    assert json.loads(json.dumps(result.data)) == result.data
    assert result.text.startswith(f"Generated 2 images with {make.generator.image_model}: ")


@pytest.mark.parametrize(
    ("replies", "model", "cost"),
    [
        ([image(cost_usd=0.01), image(cost_usd="0.02")], "a/b", (0.03, "server")),
        ([image(usage={"cost": 0.01}), image(cost_usd=0.0)], "a/b", (0.01, "server")),
        ([image(usage={"estimated_cost": 1}), image(cost_usd=2)], "a/b", (3.0, "server")),
        ([image(cost_usd=0.01), image()], "a/b", None),
        ([image(cost_usd=-1), image(cost_usd=True)], "a/b", None),
        ([image(usage={"total_tokens": 5}), image(cost_usd="NaN")], "a/b", None),
        ([image(), image(cost_usd=9)], MediaGenerator.image_model, (0.006, "catalogue")),
        ([image(), image()], "deepseek-ai/DeepSeek-V3.2", None),
    ],
)
def test_the_cost_of_images_is_reported_or_published_and_else_unknown(make, replies, model, cost):
    result = make("images", *replies, using={"image_model": model}, count=2)
    found = {name: value for name, value in result.data.items() if name.startswith("cost")}
    assert found == ({} if cost is None else {"cost_usd": cost[0], "cost_source": cost[1]})


def test_the_cost_of_a_video_is_known_where_the_api_reports_it(make):
    cost = {"cost_usd": 1.2, "cost_source": "server"}
    queued = job("queued", cost_usd=1.2)
    done = make("video", queued, job("completed", usage={"cost": "1.20"}), VIDEO)
    assert done.data.items() >= cost.items()
    assert make("video", queued, using={"wait": False}).data.items() >= cost.items()
    assert "cost_usd" not in make("video", *DONE).data


@pytest.mark.parametrize("named", ["fox.png", "https://host.test/fox.png", PNG_URI])
def test_an_image_can_be_edited(make, named):
    (make.directory / "fox.png").write_bytes(PNG)
    result = make("images", IMAGE, image=named)
    [body] = make.sent
    assert result.data["model"] == body["model"] == make.generator.edit_model
    assert body["image"] == (named if named.startswith("https") else PNG_URI)
    [file] = result.files
    assert file.content is None  # unless it is asked for
    assert "seed" not in file.to_dict()


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        *(
            ({"image": name}, r"is not a file of.*Nothing was sent")
            for name in ("no.png", "../s.png", "/etc/passwd", "sub/s.png", "..", "link.png", "a\nb")
        ),
        ({"image": "rc_live_secret"}, "redacted"),
        ({"count": 3}, "the maximum is 2"),
    ],
    ids=repr,
)
def test_no_other_file_can_be_named_and_not_too_many_made(make, tmp_path, arguments, problem):
    directory = tmp_path / "generated"
    (directory / "sub").mkdir(parents=True)
    for path in (tmp_path / "s.png", directory / "sub" / "s.png"):
        path.write_bytes(PNG)
    (directory / "link.png").symlink_to(tmp_path / "s.png")
    with pytest.raises(ValueError, match=problem) as caught:
        make("images", IMAGE, using={"directory": directory, "max_images": 2}, **arguments)
    assert "rc_live_secret" not in str(caught.value)
    assert make.sent == []


@pytest.mark.parametrize("generated", [0, 1])
def test_files_generated_before_a_failure_are_named(make, generated):
    with pytest.raises(rc.InsufficientCreditsError) as caught:
        make("images", *[IMAGE] * generated, NO_CREDITS, count=2)
    text = rt.explain_media_failure(caught.value) or ""
    assert "tell the user" in text
    names = ", ".join(path.name for path in make.directory.iterdir())
    assert bool(names) is bool(generated)
    assert (f"Generated before this failed: {names}." in text) is bool(generated)


def test_speech_is_saved_in_the_voice_of_the_call_or_of_the_program(make):
    using = {"voice": "af_heart"}
    result = make("speech", SPEECH, using=using, speed=1.5)
    [body] = make.sent
    assert (body["voice"], body["speed"], body["response_format"]) == ("af_heart", 1.5, "mp3")
    [file] = result.files
    assert (file.path.suffix, result.data["voice"]) == (".mp3", "af_heart")
    assert result.data["characters"] == 6
    assert result.text.startswith("Generated 1 audio file with")
    make("speech", SPEECH, using=using, voice="af_bella")
    [body] = make.sent
    assert body["voice"] == "af_bella"
    assert "speed" not in body


PERCENTS = (0, 40, 40, 90)


@pytest.mark.parametrize(("each_percent", "fractions"), [(False, [0.0]), (True, [0.0, 0.4, 0.9])])
def test_a_video_is_waited_for_and_each_status_or_percent_reported(make, each_percent, fractions):
    (make.directory / "fox.png").write_bytes(PNG)
    reported: list[Any] = []
    working = [job("processing", progress=percent) for percent in PERCENTS]
    result = make(
        "video",
        *(job("queued"), job("queued"), *working, job("completed", progress=100), VIDEO),
        watching={
            "on_status": lambda video: reported.append((video.status, video.fraction_done)),
            "each_percent": each_percent,
        },
        image="fox.png",
        duration=4,
    )
    processing = [("processing", fraction) for fraction in fractions]
    assert reported == [("queued", None), *processing, ("completed", 1.0)]
    body = make.server.received[0].json
    assert (body["model"], body["image"]) == (make.generator.video_model, PNG_URI)
    [file] = result.files
    assert file.path.read_bytes() == MP4
    assert (file.content_type, file.path.suffix) == ("video/mp4", ".mp4")
    assert (result.data["video_id"], result.data["duration_s"]) == ("video-1", 4)


@pytest.mark.parametrize("progress", [None, True, "half", -1, 101, float("nan"), [50], {}])
def test_an_odd_percentage_is_none(progress):
    assert rc.Video(id="1", status="processing", progress=progress).fraction_done is None
    assert rc.Video(id="1", status="completed", progress=progress).fraction_done == 1.0


def test_a_video_that_is_not_waited_for_is_fetched_later(make):
    result = make("video", job("queued", model="other/model"), using={"wait": False})
    assert make.server.sent == 1
    job_of_it = {"model": "other/model", "video_id": "video-1", "status": "queued"}
    assert result.data == {"files": [], **job_of_it}
    assert "video_id='video-1'" in result.text
    result = make("video", *DONE, using={"wait": False}, video_id="video-1")
    assert [request.method for request in make.server.received] == ["GET", "GET", "GET"]
    assert result.files[0].path.read_bytes() == MP4


def test_a_video_that_takes_too_long_is_named_with_its_last_status(make):
    using = {"timeout": 0.06, "poll_interval": 0.05}
    result = make("video", job("queued"), job("processing"), using=using)
    assert result.data["status"] == "processing"
    assert "not done after 0 s" in result.text


def test_a_request_without_response_is_not_taken_for_a_video_that_takes_long(make):
    client = {"timeout": 0.1, "max_retries": 0}
    silent = Reply(end="hold", body=[])
    with pytest.raises(rc.APITimeoutError) as caught:
        make("video", *DONE[:2], silent, client=client, video_id="video-1")
    assert caught.value.__notes__ == ["The video_id is 'video-1'."]


GONE = Reply(404, json={"error": {"message": "Gone."}})
DARK = job("failed", error={"message": "Too dark."})


@pytest.mark.parametrize(
    ("replies", "arguments", "words"),
    [
        ((job("queued"), DARK), {}, "Too dark"),
        ((*DONE[:2], GONE), {}, "Gone"),
        ((job("failed"),), {"using": {"wait": False}, "video_id": "video-1"}, "failed"),
    ],
    ids=["failed", "download failed", "failed earlier"],
)
def test_a_video_that_failed_is_named(make, replies, arguments, words):
    with pytest.raises(rc.RuncrateError, match=words) as caught:
        make("video", *replies, **arguments)
    assert "video-1" in (rt.explain_media_failure(caught.value) or "")


@pytest.mark.parametrize("kind", ARGUMENTS)
def test_an_unusable_directory_is_found_before_anything_is_paid_for(make, kind, monkeypatch):
    (make.directory / "file").touch()
    with pytest.raises(rc.ConfigurationError, match="Choose another"):
        make(kind, IMAGE, using={"directory": make.directory / "file"})
    monkeypatch.setattr("os.access", lambda *_: False)  # `root` may write everywhere
    with pytest.raises(rc.ConfigurationError, match="directory cannot be written"):
        make(kind, IMAGE)
    assert make.sent == []


def test_arguments_are_strict_and_empty_text_counts_as_not_given():
    """Models fill every field of a schema, and write nothing into those that they do not mean."""
    video = rt.VideoArguments(prompt="Waves", video_id="", image=" ")
    assert (video.prompt, video.video_id, video.image) == ("Waves", None, None)
    assert rt.VideoArguments(prompt="", video_id="v").prompt is None
    assert rt.ImageArguments(prompt="x", image="", negative_prompt="").image is None
    assert rt.ImageArguments(prompt="x", count=None).count == 1
    assert rt.SpeechArguments(text="x", voice="").voice is None
    for model, wrong in (
        (rt.ImageArguments, {"prompt": ""}),
        (rt.ImageArguments, {"prompt": "x", "path": ""}),
        (rt.ImageArguments, {"prompt": "x", "path": "/etc/passwd"}),
        (rt.SpeechArguments, {"text": "  "}),
        (rt.VideoArguments, {"prompt": "x", "video_id": "y"}),
    ):
        with pytest.raises(ValidationError):
            model(**wrong)


def test_files_generated_before_a_full_disk_are_named_and_so_is_the_video(make, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    writes = iter([media_directory.write_atomically, full])

    def write(*args):
        return next(writes)(*args)

    monkeypatch.setattr(media_directory, "write_atomically", write)
    with pytest.raises(OSError, match="No space") as caught:
        make("images", IMAGE, count=2)
    [file] = list(make.directory.iterdir())
    assert file.name in str(rt.explain_media_failure(caught.value))

    monkeypatch.setattr(video_tool.videos, "download", full)
    with pytest.raises(OSError, match="No space") as caught:
        make("video", job("queued"), job("completed"))
    assert "video-1" in str(rt.explain_media_failure(caught.value))
