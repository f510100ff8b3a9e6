"""Code uploads and artifacts of jobs."""

from __future__ import annotations

import hashlib
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest

import runcrate_core as rc
from runcrate_core.api import code_uploads
from runcrate_core.protocol.steps import RunInThread
from runcrate_emulator import JobOutcome
from tests.core.agents import JOB
from tests.core.cloud import sent
from tests.core.test_code_archive import members_of, write
from tests.servers import Reply

CODE = ["train.py", "package/__init__.py", "package/model.py"]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write(tmp_path / "project", *CODE)


@pytest.fixture(autouse=True)
def _temporary_files_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    yield
    assert list(folder.iterdir()) == []


def uploaded(cloud: Any, upload: Any) -> bytes:
    file_id = cloud.world.uploads[upload.upload_id].file_id
    return bytes(cloud.world.media.get(file_id).data)


def test_a_directory_runs_as_a_job(cloud, both, project):
    reported: list[tuple[int, int]] = []
    watch = {"on_progress": lambda *state: reported.append(state)}
    upload = both("jobs.uploads.upload", str(project), **watch)
    assert upload.skipped == ()
    assert upload.url not in repr(upload)
    [put] = sent(cloud, f"PUT /uploads/{upload.upload_id}")
    assert put.key is None  # it goes to the storage
    content = uploaded(cloud, upload)
    packed = {name: content for name, (_, content) in members_of(content).items()}
    assert packed == {name: name.encode() for name in CODE}
    assert reported[-1] == (len(content), len(content))
    job = both("jobs.run", **JOB, code={"upload_id": upload.upload_id})
    assert job.code["sha256"] == hashlib.sha256(content).hexdigest()


def test_the_same_code_is_not_sent_twice(cloud, both, project):
    first = both("jobs.uploads.upload", project)
    os.utime(project / "train.py", (1, 1))
    again = both("jobs.uploads.upload", project)
    assert again.upload_id == first.upload_id
    assert again.url is None
    assert len(sent(cloud, f"PUT /uploads/{first.upload_id}")) == 1


def test_54_secrets_and_links_are_excluded_and_reported(cloud, both, project, tmp_path):
    write(project, "keys/server.pem", ".ssh/config", "package/__pycache__/model.pyc")
    outside = write(tmp_path / "outside", "private.txt")
    (project / "data").symlink_to(outside, target_is_directory=True)
    (project / "private.txt").symlink_to(outside / "private.txt")
    os.mkfifo(project / "pipe")
    upload = both("jobs.uploads.upload", project)
    assert set(members_of(uploaded(cloud, upload))) == set(CODE)
    assert {item.path: item.reason for item in upload.skipped} == {
        ".ssh": "it looks like a directory of secrets",
        "data": "it is a link, which may lead out of the directory",
        "keys/server.pem": "it looks like a secret",
        "package/__pycache__": "it is not code",
        "pipe": "it is not a regular file",
        "private.txt": "it is a link, which may lead out of the directory",
    }


def test_54_too_large_a_directory_is_refused_before_it_is_read(cloud, both, project):
    with (project / "weights.bin").open("wb") as file:
        file.truncate(5 * 1024**3)
    (project / "weights.bin").chmod(0)
    with pytest.raises(ValueError, match=r"weights\.bin \(5120 MiB\)"):
        both("jobs.uploads.upload", project)
    assert cloud.requests == []
    both("jobs.uploads.upload", project, exclude=["*.bin"])


def test_the_caller_decides_what_is_a_secret(cloud, both, project):
    write(project, "config/prod.env", "data/big.csv")
    upload = both("jobs.uploads.upload", project, include=["config/*"], exclude=["data/", "*.md"])
    assert set(members_of(uploaded(cloud, upload))) == {*CODE, "config/prod.env"}
    assert [item.path for item in upload.skipped] == ["data"]


def test_archives_are_sent_as_they_are(cloud, both, tmp_path):
    archive = tmp_path / "code.tar.gz"
    with tarfile.open(archive, "w:gz") as written:
        written.addfile(tarfile.TarInfo("main.py"))
    content = archive.read_bytes()
    for source in (archive, content):
        upload = both("jobs.uploads.upload", source)
        assert uploaded(cloud, upload) == content
    assert archive.exists()


def test_a_place_without_checksum_is_asked_for_once(cloud, both):
    cloud.fail("POST /jobs/uploads", lose_response=True)
    with pytest.raises(rc.APIConnectionError):
        both("jobs.uploads.create", bytes=3)
    cloud.fail("POST /jobs/uploads", lose_response=True)
    assert both("jobs.uploads.create", bytes=3, sha256=hashlib.sha256(b"abc").hexdigest()).url
    assert len(sent(cloud, "POST /jobs/uploads")) == 3


def test_a_broken_upload_is_sent_again_whole(cloud, both, project):
    cloud.fail("PUT /uploads/{id}", drop_connection=True)
    upload = both("jobs.uploads.upload", project)
    first, second = sent(cloud, f"PUT /uploads/{upload.upload_id}")
    assert (first.status, second.status) == (None, 200)


def test_a_refusal_of_the_storage_tells_no_signature(scripted, project):
    refused = Reply(403, body=[b"<Error>Signature=hunter2</Error>"])
    server, both = scripted(refused)
    place = {"upload_id": "u-1", "url": f"{server.url}/put?Signature=hunter2"}
    server.replies = [Reply(201, {"data": place}), refused]
    with pytest.raises(rc.PermissionDeniedError) as caught:
        both("jobs.uploads.upload", project)
    put = server.received[1]
    assert put.method == "PUT"
    assert "authorization" not in put.headers
    assert int(put.headers["content-length"]) == len(put.body)
    assert "hunter2" not in f"{caught.value!r} {caught.value.__cause__} {caught.value.headers}"


def test_an_output_is_downloaded_and_one_that_is_not_there_or_differs_is_an_error(
    cloud, both, tmp_path
):
    cloud.world.on_job = lambda _: JobOutcome(artifacts={"run/m.pt": "model\n"})
    finished = both("jobs.wait", both("jobs.run", **JOB).id, poll_interval=0.02)
    [artifact] = both("jobs.artifacts.list", finished.id)
    assert (artifact.path, artifact.bytes) == ("run/m.pt", 6)
    assert "/files/" in both("jobs.artifacts.url", finished.id, "run/m.pt")
    assert both("jobs.artifacts.download", finished.id, "run/m.pt") == b"model\n"
    reported: list[tuple[int, int | None]] = []
    options = {"to": str(tmp_path / "m.pt"), "on_progress": lambda *state: reported.append(state)}
    target = both("jobs.artifacts.download", finished.id, artifact, **options)
    assert target == tmp_path / "m.pt"
    assert target.read_bytes() == b"model\n"
    assert reported[-1] == (6, 6)
    files = [request for request in cloud.requests if request.route.startswith("/files/")]
    assert [request.key for request in files] == [None, None]
    for method in ("jobs.artifacts.url", "jobs.artifacts.download"):
        with pytest.raises(rc.NotFoundError):
            both(method, finished.id, "nothing")
    lying = artifact.model_copy(update={"sha256": "0" * 64})
    target.write_text("earlier")
    with pytest.raises(rc.ResponseFormatError, match="SHA-256"):
        both("jobs.artifacts.download", finished.id, lying, to=target)
    assert target.read_text() == "earlier"


def test_an_upload_that_is_cancelled_while_packing_leaves_nothing(project):
    flow = code_uploads.upload(project)
    make_file = next(flow)
    assert isinstance(make_file, RunInThread)
    path: Path = make_file.function()
    flow.send(path)
    assert path.exists()
    flow.close()
    assert not path.exists()
