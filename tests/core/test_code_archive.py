"""Packing code: what stays at home, and the same bytes for the same files."""

from __future__ import annotations

import io
import os
import tarfile
import tempfile
from pathlib import Path
from unittest.mock import Mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runcrate_core.io.code_archive import make_archive, new_archive_file, scan, write_archive
from runcrate_core.protocol.code_archive import Choice, Entry, Kind

ALL = Choice()


SECRETS = """
    .env .ENV deploy/.env.production prod.env .env-prod .dev.vars .secrets.toml config.secret.json
    shop-firebase-adminsdk-abc-12.json gcp-key.json .hf_token openai_api_key apikey.txt api-key.txt
    user_accessKeys.csv deploy_key private.asc rclone.conf cookies.txt pip.ini server.pem
    tls/private.key id_rsa keys/id_ed25519 id_ecdsa_sk .netrc .npmrc .pypirc .git-credentials
    credentials.json service-account-prod.json infra/terraform.tfstate secrets.yaml
    .streamlit/secrets.toml
"""


@pytest.mark.parametrize("path", SECRETS.split())
def test_what_looks_like_a_secret_is_left_out(path):
    assert ALL.reason_to_skip(Entry(path)) == "it looks like a secret"
    assert Choice(include=(path,)).reason_to_skip(Entry(path)) is None


CODE = """
    train.py .env.example keys/id_ed25519.pub environment.yml environment.py tokenizer.json
    auth_token.py keyboard.py monkey .gitignore secrets_of_success.md
"""
DIRECTORY_OF_SECRETS = "it looks like a directory of secrets"
LINK = "it is a link, which may lead out of the directory"


@pytest.mark.parametrize(
    ("entry", "choice", "reason"),
    [
        *((Entry(path), ALL, None) for path in CODE.split()),
        (Entry(".git", Kind.DIRECTORY), ALL, "it is not code"),
        (Entry("web/node_modules", Kind.DIRECTORY), ALL, "it is not code"),
        (Entry("a/__pycache__", Kind.DIRECTORY), ALL, "it is not code"),
        (Entry(".aws", Kind.DIRECTORY), ALL, DIRECTORY_OF_SECRETS),
        (Entry(".envs", Kind.DIRECTORY), ALL, DIRECTORY_OF_SECRETS),
        (Entry("deploy/secrets", Kind.DIRECTORY), ALL, DIRECTORY_OF_SECRETS),
        (Entry("src", Kind.DIRECTORY), ALL, None),
        (Entry("environments", Kind.DIRECTORY), ALL, None),
        (Entry("data/big.csv"), Choice(exclude=("*.csv",)), "it is excluded"),
        (Entry("data"), Choice(exclude=("data",)), "it is excluded"),
        (Entry("data"), Choice(exclude=("data/",)), "it is excluded"),
        (Entry("data/big.csv"), Choice(exclude=("data/*",)), "it is excluded"),
        (Entry("other/data"), Choice(exclude=("data",)), "it is excluded"),
        (Entry("big.csv.py"), Choice(exclude=("*.csv",)), None),
        (Entry("data"), Choice(exclude=("DATA",)), None),
        (Entry(".env"), Choice(include=(".env",), exclude=(".env",)), "it is excluded"),
        (Entry("data", Kind.LINK), Choice(include=("*",)), LINK),
        (Entry("data", Kind.OTHER), Choice(include=("*",)), "it is not a regular file"),
    ],
)
def test_code_is_packed_and_what_is_excluded_or_not_code_is_not(entry, choice, reason):
    assert choice.reason_to_skip(entry) == reason


def write(folder: Path, *names: str) -> Path:
    """Write files whose content is their name."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return folder


def pack(folder: Path) -> bytes:
    target = io.BytesIO()
    write_archive(folder, scan(folder, ALL)[0], target)
    return target.getvalue()


def members_of(archive: bytes) -> dict[str, tuple[tarfile.TarInfo, bytes]]:
    found = {}
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as opened:
        for member in opened.getmembers():
            file = opened.extractfile(member)
            assert file is not None  # it is neither a folder nor a link that leads out
            found[member.name] = member, file.read()
    return found


# Names as a file system takes them: no separator, no NUL, at most 255 bytes, not `.` and `..`.
names = (
    st.text(st.characters(exclude_characters="/\0", exclude_categories=("Cs",)), min_size=1)
    .filter(lambda name: name not in {".", ".."} and len(name.encode()) <= 100)
    .filter(lambda name: ALL.reason_to_skip(Entry(name)) is None)
    .filter(lambda name: ALL.reason_to_skip(Entry(name, Kind.DIRECTORY)) is None)
)
trees = st.dictionaries(
    st.tuples(names.map("d{}".format), names).map("/".join) | names.map("f{}".format),
    st.binary(max_size=50),
)


@settings(deadline=None, max_examples=50)
@given(trees)
def test_an_archive_holds_the_files_and_nothing_that_leads_elsewhere(tree):
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        for folder in (Path(one), Path(other)):
            for path, content in tree.items() if folder == Path(one) else reversed(tree.items()):
                (folder / path).parent.mkdir(exist_ok=True)
                (folder / path).write_bytes(content)
                os.utime(folder / path, (len(path), len(content)))
        archive = pack(Path(one))
        assert archive == pack(Path(other))
    members = members_of(archive)
    for member, _ in members.values():
        if hasattr(tarfile, "data_filter"):  # since Python 3.11.4
            tarfile.data_filter(member, "/somewhere")  # refuses what leads out of the folder
        assert member.isreg()
        assert (member.uid, member.gid, member.uname, member.mtime) == (0, 0, "", 0)
    assert {name: content for name, (_, content) in members.items()} == tree
    assert [*members] == sorted(tree, key=lambda path: path.split("/"))  # on any file system


def test_only_whether_a_file_can_be_run_is_kept_of_its_mode(tmp_path):
    write(tmp_path, "plain", "tool")
    (tmp_path / "plain").chmod(0o600)
    (tmp_path / "tool").chmod(0o700)
    modes = {name: member.mode for name, (member, _) in members_of(pack(tmp_path)).items()}
    assert modes == {"plain": 0o644, "tool": 0o755}


@pytest.mark.parametrize("code", [b"packed", None], ids=["bytes", "folder"])
def test_an_archive_that_nobody_waits_for_any_more_is_not_written(tmp_path, code):
    # A cancelled upload removes the file while its thread is still looking at the code.
    source, target = tmp_path / "code", tmp_path / "removed.tar.gz"
    source.mkdir()
    with pytest.raises(ValueError, match="no file to pack"):
        make_archive(source, ALL, target)
    (source / "train.py").touch()
    with pytest.raises(FileNotFoundError):
        make_archive(code or source, ALL, target)
    assert not target.exists()


def test_a_link_that_takes_a_files_place_is_not_followed(tmp_path):
    write(tmp_path, "private", "code/train.py")
    files, _ = scan(tmp_path / "code", ALL)
    (tmp_path / "code/train.py").unlink()
    (tmp_path / "code/train.py").symlink_to(tmp_path / "private")
    with pytest.raises(OSError, match="symbolic links"):
        write_archive(tmp_path / "code", files, io.BytesIO())


def test_a_folder_that_cannot_be_read_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "scandir", Mock(side_effect=PermissionError))
    with pytest.raises(PermissionError):
        scan(tmp_path, ALL)


@pytest.mark.parametrize("pattern", ["./data", "/data", "data/", "data/**", "[odd]", "ABSOLUTE"])
def test_an_excluded_directory_is_left_out_however_it_is_written(tmp_path, pattern):
    write(tmp_path, "main.py", "data/big.bin", "[odd]/big.bin")
    pattern = str(tmp_path / "data") if pattern == "ABSOLUTE" else pattern
    archive = make_archive(tmp_path, Choice(exclude=(pattern, "nothing")), new_archive_file())
    archive.path.unlink()
    assert [file.reason for file in archive.skipped] == ["it is excluded"]
    assert archive.unmatched == ("nothing",)


@pytest.mark.parametrize("content", [b"print(1)", b"PK\x03\x04", b"\x1f\x8bnothing", b""])
def test_what_is_no_archive_is_refused(content):
    target = new_archive_file()
    with pytest.raises(ValueError, match=r"not a \.tar\.gz"):
        make_archive(content, Choice(), target)
    target.unlink()
