"""What agents make: pictures, speech and films, in a folder the program chose."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

import runcrate_core as rc
import runcrate_core.toolkit as rt
from runcrate_core.media_tools import media_directory, video_tool
from runcrate_core.media_tools.generator import MediaGenerator
from tests.servers import Reply, ScriptedServer

PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)
MP3 = b"ID3" + bytes(200)
MP4 = b"\x00\x00\x00\x18ftypisom" + bytes(200)
PICTURE = Reply(json={"data": [{"b64_json": base64.b64encode(PNG).decode()}]})
SOUND = Reply(body=[MP3], length=len(MP3), headers={"content-type": "audio/mpeg"})
FILM = Reply(body=[MP4], length=len(MP4), headers={"content-type": "video/mp4"})


def job(status: str, **more: Any) -> Reply:
    return Reply(json={"id": "video-1", "status": status, **more})


def images(run: Any, url: str, studio: MediaGenerator, **args: Any) -> rt.MediaResult:
    arguments = rt.ImageArguments(**{"prompt": "A fox", **args})
    answer: rt.MediaResult = run(lambda client: client.run(studio.generate_images(arguments)), url)
    return answer


def speech(run: Any, url: str, studio: MediaGenerator, **args: Any) -> rt.MediaResult:
    arguments = rt.SpeechArguments(**{"text": "Hello.", **args})
    answer: rt.MediaResult = run(lambda client: client.run(studio.generate_speech(arguments)), url)
    return answer


def generate_video(
    run: Any, url: str, studio: MediaGenerator, told: Any = None, **args: Any
) -> rt.MediaResult:
    arguments = rt.VideoArguments(**(args or {"prompt": "Waves"}))
    answer: rt.MediaResult = run(
        lambda client: client.run(studio.generate_video(arguments, told)), url
    )
    return answer


def test_pictures_go_into_the_folder_under_names_made_here(run: Any, tmp_path: Path) -> None:
    studio = MediaGenerator(tmp_path / "deep" / "down", keep_content=True)
    with ScriptedServer(PICTURE) as server:
        answer = images(run, server.url, studio, count=2, seed=2**31 - 1, width=256, height=512)
        bodies = [request.json for request in server.received]
    assert [body["seed"] for body in bodies] == [2**31 - 1, 0]
    assert bodies[0]["width"] == 256
    assert "image" not in bodies[0]
    paths = [made.path for made in answer.files]
    assert len(set(paths)) == 2
    for path, made in zip(paths, answer.files, strict=True):
        assert path.parent == studio.directory
        assert path.suffix == ".png"
        assert path.read_bytes() == made.content == PNG
    assert answer.data == {
        "files": [
            {"path": str(path), "content_type": "image/png", "bytes": len(PNG), "seed": seed}
            for path, seed in zip(paths, (2**31 - 1, 0), strict=True)
        ],
        "model": studio.image_model,
        "seed": 2**31 - 1,
        "width": 256,
        "height": 512,
        "cost_usd": 0.006,
        "cost_source": "catalogue",
    }
    assert json.loads(json.dumps(answer.data)) == answer.data
    assert answer.text.startswith(f"Generated 2 images with {studio.image_model}: ")


def picture(**told: Any) -> Reply:
    return Reply(json={"data": [{"b64_json": base64.b64encode(PNG).decode()}], **told})


@pytest.mark.parametrize(
    ("replies", "model", "cost"),
    [
        ([picture(cost_usd=0.01), picture(cost_usd="0.02")], "a/b", (0.03, "server")),
        ([picture(usage={"cost": 0.01}), picture(cost_usd=0.0)], "a/b", (0.01, "server")),
        ([picture(usage={"estimated_cost": 1}), picture(cost_usd=2)], "a/b", (3.0, "server")),
        ([picture(cost_usd=0.01), picture()], "a/b", None),
        ([picture(cost_usd=-1), picture(cost_usd=True)], "a/b", None),
        ([picture(usage={"total_tokens": 5}), picture(cost_usd="NaN")], "a/b", None),
        ([picture(), picture(cost_usd=9)], MediaGenerator.image_model, (0.006, "catalogue")),
        ([picture(), picture()], "deepseek-ai/DeepSeek-V3.2", None),
    ],
)
def test_the_cost_of_pictures_is_what_is_told_or_published_and_else_unknown(
    run: Any, tmp_path: Path, replies: list[Reply], model: str, cost: Any
) -> None:
    with ScriptedServer(*replies) as server:
        answer = images(run, server.url, MediaGenerator(tmp_path, image_model=model), count=2)
    told = {name: value for name, value in answer.data.items() if name.startswith("cost")}
    assert told == ({} if cost is None else {"cost_usd": cost[0], "cost_source": cost[1]})


def test_the_cost_of_a_film_is_known_where_the_api_tells_it(run: Any, tmp_path: Path) -> None:
    told = {"cost_usd": 1.2, "cost_source": "server"}
    begun = job("queued", cost_usd=1.2)
    with ScriptedServer(begun, job("completed", usage={"cost": "1.20"}), FILM) as server:
        answer = generate_video(run, server.url, MediaGenerator(tmp_path))
    assert answer.data.items() >= told.items()
    with ScriptedServer(begun) as server:
        answer = generate_video(run, server.url, MediaGenerator(tmp_path, wait=False))
    assert answer.data.items() >= told.items()
    with ScriptedServer(job("queued"), job("completed"), FILM) as server:
        answer = generate_video(run, server.url, MediaGenerator(tmp_path))
    assert "cost_usd" not in answer.data


def test_bytes_are_not_kept_unless_asked_for(run: Any, tmp_path: Path) -> None:
    with ScriptedServer(PICTURE) as server:
        (made,) = images(run, server.url, MediaGenerator(tmp_path)).files
    assert made.content is None
    assert "seed" not in made.to_dict()


def test_a_picture_that_comes_as_an_address_is_fetched(run: Any, tmp_path: Path) -> None:
    file = Reply(body=[PNG], length=len(PNG), headers={"content-type": "image/png"})
    with ScriptedServer(file) as server:
        server.replies.insert(0, Reply(json={"data": [{"url": f"{server.url}/made.png"}]}))
        (made,) = images(run, server.url, MediaGenerator(tmp_path)).files
    assert made.path.read_bytes() == PNG


@pytest.mark.parametrize(
    "named", ["fox.png", "https://host.test/fox.png", "data:image/png;base64,"]
)
def test_a_picture_can_be_changed(run: Any, tmp_path: Path, named: str) -> None:
    (tmp_path / "fox.png").write_bytes(PNG)
    if named.startswith("data:"):
        named += base64.b64encode(PNG).decode()
    studio = MediaGenerator(tmp_path)
    with ScriptedServer(PICTURE) as server:
        answer = images(run, server.url, studio, image=named)
        (body,) = [request.json for request in server.received]
    assert answer.data["model"] == body["model"] == studio.edit_model
    expected = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
    assert body["image"] == (named if named.startswith("https") else expected)


@pytest.mark.parametrize(
    "named",
    ["none.png", "../secret.png", "/etc/passwd", "sub/fox.png", "..", "link.png", "a\nb"],
)
def test_no_other_file_can_be_named(run: Any, tmp_path: Path, named: str) -> None:
    folder = tmp_path / "made"
    (folder / "sub").mkdir(parents=True)
    for path in (tmp_path / "secret.png", folder / "sub" / "fox.png"):
        path.write_bytes(PNG)
    (folder / "link.png").symlink_to(tmp_path / "secret.png")
    with ScriptedServer(PICTURE) as server:
        with pytest.raises(ValueError, match=r"is not a file of.*Nothing was sent"):
            images(run, server.url, MediaGenerator(folder), image=named)
        assert server.sent == 0


def test_a_name_is_shown_without_secrets(run: Any, tmp_path: Path) -> None:
    with ScriptedServer(PICTURE) as server, pytest.raises(ValueError, match="redacted") as caught:
        images(run, server.url, MediaGenerator(tmp_path), image="rc_live_secret")
    assert "rc_live_secret" not in str(caught.value)


def test_too_many_pictures_are_refused_unsent(run: Any, tmp_path: Path) -> None:
    with ScriptedServer(PICTURE) as server:
        with pytest.raises(ValueError, match="the maximum is 2"):
            images(run, server.url, MediaGenerator(tmp_path, max_images=2), count=3)
        assert server.sent == 0


def test_what_was_made_before_a_failure_is_named(run: Any, tmp_path: Path) -> None:
    refused = Reply(402, json={"error": {"message": "No credits."}})
    with ScriptedServer(PICTURE, refused) as server:
        with pytest.raises(rc.InsufficientCreditsError) as caught:
            images(run, server.url, MediaGenerator(tmp_path), count=2)
    (path,) = tmp_path.iterdir()
    told = rt.explain_media_failure(caught.value)
    assert told is not None
    assert f"Generated before this failed: {path.name}." in told
    assert "tell the user" in told


def test_a_first_failure_has_no_note(run: Any, tmp_path: Path) -> None:
    with ScriptedServer(Reply(402, json={"error": {"message": "No credits."}})) as server:
        with pytest.raises(rc.InsufficientCreditsError) as caught:
            images(run, server.url, MediaGenerator(tmp_path))
    assert not hasattr(caught.value, "__notes__")


def test_speech(run: Any, tmp_path: Path) -> None:
    studio = MediaGenerator(tmp_path, voice="af_heart")
    with ScriptedServer(SOUND) as server:
        answer = speech(run, server.url, studio, speed=1.5)
        speech(run, server.url, studio, voice="af_bella")
        first, second = [request.json for request in server.received]
    assert (first["voice"], first["speed"], first["response_format"]) == ("af_heart", 1.5, "mp3")
    assert second["voice"] == "af_bella"
    assert "speed" not in second
    (made,) = answer.files
    assert made.path.suffix == ".mp3"
    assert (answer.data["voice"], answer.data["characters"]) == ("af_heart", 6)
    assert answer.text.startswith("Generated 1 audio file with")


def test_bare_samples_are_named_by_what_they_are_declared(run: Any, tmp_path: Path) -> None:
    samples = Reply(body=[bytes(8)], length=8, headers={"content-type": "audio/pcm"})
    with ScriptedServer(samples) as server:
        (made,) = speech(run, server.url, MediaGenerator(tmp_path, speech_format="pcm")).files
    assert (made.path.suffix, made.content_type) == (".pcm", "audio/pcm")


def test_a_film_is_waited_for_and_its_progress_told(run: Any, tmp_path: Path) -> None:
    told: list[str] = []
    studio = MediaGenerator(tmp_path, poll_interval=0.05)
    script = (job("queued"), job("queued"), job("processing"), job("completed"), FILM)
    with ScriptedServer(*script) as server:
        answer = generate_video(run, server.url, studio, lambda state: told.append(state.status))
        assert server.received[0].json["model"] == studio.video_model
    assert told == ["queued", "processing", "completed"]
    (made,) = answer.files
    assert made.path.read_bytes() == MP4
    assert (made.content_type, made.path.suffix) == ("video/mp4", ".mp4")
    assert answer.data["video_id"] == "video-1"


def test_how_much_of_a_film_is_done_is_told_on_request(scripted: Any, tmp_path: Path) -> None:
    told: list[Any] = []
    studio = MediaGenerator(tmp_path, poll_interval=0.05)
    working = [job("processing", progress=percent) for percent in (0, 40, 40, 90)]
    script = (job("queued"), job("queued"), *working, job("completed", progress=100), FILM)
    _, both = scripted(*script)
    flow = studio.generate_video(
        rt.VideoArguments(prompt="Waves"),
        lambda generate_video: told.append((generate_video.status, generate_video.fraction_done)),
        each_percent=True,
    )
    both("run", flow)
    assert told == [
        ("queued", None),
        ("processing", 0.0),
        ("processing", 0.4),
        ("processing", 0.9),
        ("completed", 1.0),
    ]


@pytest.mark.parametrize("progress", [None, True, "half", -1, 101, float("nan"), [50], {}])
def test_an_odd_percentage_is_none(progress: Any) -> None:
    assert rc.Video(id="1", status="processing", progress=progress).fraction_done is None
    assert rc.Video(id="1", status="completed", progress=progress).fraction_done == 1.0


def test_a_film_of_a_picture_and_its_length(run: Any, tmp_path: Path) -> None:
    (tmp_path / "fox.png").write_bytes(PNG)
    with ScriptedServer(job("completed"), job("completed"), FILM) as server:
        answer = generate_video(
            run, server.url, MediaGenerator(tmp_path), prompt="Go", image="fox.png", duration=4
        )
        assert server.received[0].json["image"].startswith("data:image/png")
    assert answer.data["duration_s"] == 4


def test_a_film_that_is_not_waited_for(run: Any, tmp_path: Path) -> None:
    studio = MediaGenerator(tmp_path, wait=False)
    with ScriptedServer(job("queued", model="other/model")) as server:
        answer = generate_video(run, server.url, studio)
        assert server.sent == 1
    assert answer.data == {
        "files": [],
        "model": "other/model",
        "video_id": "video-1",
        "status": "queued",
    }
    assert "video_id='video-1'" in answer.text


def test_a_film_is_asked_for_later(run: Any, tmp_path: Path) -> None:
    studio = MediaGenerator(tmp_path, wait=False)
    with ScriptedServer(job("completed"), job("completed"), FILM) as server:
        answer = generate_video(run, server.url, studio, video_id="video-1")
        assert [request.method for request in server.received] == ["GET", "GET", "GET"]
    assert answer.files[0].path.read_bytes() == MP4


def test_a_film_that_takes_too_long_is_named_with_its_last_status(run: Any, tmp_path: Path) -> None:
    studio = MediaGenerator(tmp_path, timeout=0.06, poll_interval=0.05)
    with ScriptedServer(job("queued"), job("processing")) as server:
        answer = generate_video(run, server.url, studio)
    assert answer.data["status"] == "processing"
    assert "not done after 0 s" in answer.text


def test_a_request_without_answer_is_not_taken_for_a_film_that_takes_long(
    scripted: Any, tmp_path: Path
) -> None:
    replies = job("completed"), job("completed"), Reply(end="hold", body=[])
    _, both = scripted(*replies, timeout=0.1, max_retries=0)
    arguments = rt.VideoArguments(video_id="video-1")
    studio = MediaGenerator(tmp_path)
    with pytest.raises(rc.APITimeoutError) as caught:
        both("run", studio.generate_video(arguments))
    assert caught.value.__notes__ == ["The video_id is 'video-1'."]


def test_a_film_that_failed_is_named(run: Any, tmp_path: Path) -> None:
    failed = job("failed", error={"message": "Too dark."})
    with ScriptedServer(job("queued"), failed) as server:
        with pytest.raises(rc.RuncrateError, match="Too dark") as caught:
            generate_video(run, server.url, MediaGenerator(tmp_path, wait=True, poll_interval=0.05))
    assert "video-1" in (rt.explain_media_failure(caught.value) or "")


def test_a_film_that_failed_earlier_is_said_without_waiting(run: Any, tmp_path: Path) -> None:
    with ScriptedServer(job("failed")) as server, pytest.raises(rc.RuncrateError, match="failed"):
        generate_video(run, server.url, MediaGenerator(tmp_path, wait=False), video_id="video-1")


def test_a_film_whose_download_fails_can_be_fetched_later(run: Any, tmp_path: Path) -> None:
    script = (job("completed"), job("completed"), Reply(404, json={"error": {"message": "Gone."}}))
    with ScriptedServer(*script) as server:
        with pytest.raises(rc.NotFoundError) as caught:
            generate_video(run, server.url, MediaGenerator(tmp_path))
    assert "The video_id is 'video-1'." in (rt.explain_media_failure(caught.value) or "")


@pytest.mark.parametrize("make", [images, speech, generate_video])
def test_an_unusable_folder_is_found_before_anything_is_paid_for(
    run: Any, tmp_path: Path, make: Any
) -> None:
    (tmp_path / "file").touch()
    with ScriptedServer(PICTURE) as server:
        with pytest.raises(rc.ConfigurationError, match="Choose another") as caught:
            make(run, server.url, MediaGenerator(tmp_path / "file"))
        assert server.sent == 0
    assert rt.explain_media_failure(caught.value) is None


@pytest.mark.parametrize("given", [{}, {"prompt": "x", "video_id": "y"}])
def test_a_film_is_either_new_or_an_earlier_one(given: dict[str, str]) -> None:
    with pytest.raises(ValidationError) as caught:
        rt.VideoArguments(**given)  # type: ignore[arg-type]
    told = rt.explain_media_failure(caught.value)
    assert told is not None
    assert told.startswith("The arguments are wrong: Give either `prompt` for a new video or")


def test_empty_text_is_not_given_where_it_may_be_left_out() -> None:
    """Models fill every field of a schema, and write nothing into those that they do not mean."""
    generate_video = rt.VideoArguments(prompt="Waves", video_id="", image=" ")
    assert (generate_video.prompt, generate_video.video_id, generate_video.image) == (
        "Waves",
        None,
        None,
    )
    assert rt.VideoArguments(prompt="", video_id="v").prompt is None
    assert rt.ImageArguments(prompt="x", image="", negative_prompt="").image is None
    assert rt.ImageArguments(prompt="x", count=None).count == 1  # type: ignore[arg-type]
    assert rt.SpeechArguments(text="x", voice="").voice is None
    for wrong in ({"prompt": ""}, {"prompt": "x", "path": ""}):
        with pytest.raises(ValidationError):
            rt.ImageArguments(**wrong)  # type: ignore[arg-type]


def test_what_was_made_before_a_full_disk_is_told_and_so_is_the_film(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    studio = MediaGenerator(tmp_path, poll_interval=0.01)
    with monkeypatch.context() as patch, ScriptedServer(PICTURE, PICTURE) as server:
        write, left = media_directory.write_whole, [True]
        patch.setattr(
            media_directory,
            "write_whole",
            lambda *args: write(*args) if left and left.pop() else full(),
        )
        with pytest.raises(OSError, match="No space") as caught:
            images(run, server.url, studio, count=2)
    [made] = list(tmp_path.iterdir())
    assert made.name in str(rt.explain_media_failure(caught.value))

    with monkeypatch.context() as patch, ScriptedServer(job("queued"), job("completed")) as server:
        patch.setattr(video_tool.videos, "download", full)
        with pytest.raises(OSError, match="No space") as caught:
            generate_video(run, server.url, studio)
    assert "video-1" in str(rt.explain_media_failure(caught.value))


def test_arguments_are_strict() -> None:
    with pytest.raises(ValidationError):
        rt.ImageArguments(prompt="x", path="/etc/passwd")  # type: ignore[call-arg]
    with pytest.raises(ValidationError):
        rt.SpeechArguments(text="  ")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (rc.APIConnectionError("Cut."), "It may have been generated and billed"),
        (rc.AmbiguousLaunchError("Lost."), "It may have been generated and billed"),
        (rc.AuthenticationError("No."), "The key is not accepted"),
        (rc.PermissionDeniedError("No."), "The key lacks the permission"),
        (rc.RateLimitError("Slow."), "Wait before calling again"),
        (rc.NotFoundError("None."), "does not exist"),
        (rc.UnprocessableEntityError("Odd."), "Change the arguments"),
        (rc.InternalServerError("Broken."), "Try again later"),
        (rc.RuncrateError("rc_live_secret leaked"), "[redacted] leaked"),
        (rc.ResponseFormatError("No picture."), "No picture."),
        (ValueError("Too big."), "Too big."),
        (OSError("disk"), "could not be saved"),
    ],
)
def test_a_model_is_told_what_to_do(error: Exception, told: str) -> None:
    text = rt.explain_media_failure(error)
    assert text is not None
    assert told in text
    assert "rc_live_secret" not in text


@pytest.mark.parametrize("error", [rc.ConfigurationError("No key."), KeyError("x")])
def test_what_only_the_program_can_set_right_is_not_told(error: Exception) -> None:
    assert rt.explain_media_failure(error) is None
