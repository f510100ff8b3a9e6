"""Fault table, row 48: names that a server gave, and where files with them are put."""

import os
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runcrate_core.io.files import PartFile, path_inside, require_target, write_atomically
from runcrate_core.protocol.file_names import (
    MAX_NAME_BYTES,
    part_file_name,
    safe_file_name,
)

DEVICES = {"con", "prn", "aux", "nul", "com1", "lpt9"}


@pytest.mark.parametrize(
    ("given_name", "safe"),
    [
        ("cat.png", "cat.png"),
        ("../../.bashrc", "bashrc"),
        ("/etc/passwd", "passwd"),
        ("C:\\Users\\me\\cat.png", "cat.png"),
        ("..\\..\\cat.png", "cat.png"),
        ("a\x00b\r\nc", "abc"),
        ("CON", "_CON"),
        ("nul.tar.gz", "_nul.tar.gz"),
        ("com¹.txt", "_com¹.txt"),
        ("aux .txt", "_aux .txt"),
        ("model.txt:secret", "model.txt_secret"),
        ('what?*<>|".txt', "what______.txt"),
        ("trailing. . ", "trailing"),
        ("\u202egnp.exe", "gnp.exe"),
        ("e\u0301.png", "é.png"),
        ("日本語.png", "日本語.png"),
        ("x" * 300 + ".png", "x" * 196 + ".png"),
        ("é" * 150 + ".tar.gz", "é" * 98 + ".gz"),
        ("x" * 300, "x" * 200),
        ("x." + "y" * 300, "x." + "y" * 198),
    ],
)
def test_48_of_a_name_the_safe_part_is_left(given_name, safe):
    assert safe_file_name(given_name) == safe


@pytest.mark.parametrize("name", ["", ".", "..", "...", "a/", "/", "\\", "\x00", " . ", "\u200b"])
def test_48_a_name_of_which_nothing_is_left(name):
    with pytest.raises(ValueError, match="is not a file name"):
        safe_file_name(name)
    assert safe_file_name(name, "file.bin") == "file.bin"


@given(st.text(max_size=400))
def test_every_safe_name_is_plain(name):
    safe = safe_file_name(name, "fallback")
    assert safe == safe_file_name(safe)
    assert 0 < len(safe.encode()) <= MAX_NAME_BYTES
    assert Path(safe).name == safe
    assert not set(safe) & set('/\\:*?"<>|\x00')
    assert not safe.startswith((".", " "))
    assert not safe.endswith((".", " "))
    assert all(unicodedata.category(character) not in {"Cc", "Cf", "Cs"} for character in safe)
    assert safe.partition(".")[0].strip().lower() not in DEVICES


@given(st.text(st.characters(exclude_characters="/\x00", exclude_categories=["Cs"]), min_size=1))
def test_a_temporary_name_is_never_too_long(name):
    made = part_file_name(name, "0123456789ab")
    assert made.endswith(".0123456789ab.part")
    assert len(made.encode()) <= 255


def test_48_a_file_is_put_inside_its_folder_and_not_where_a_link_leads(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    assert path_inside(folder, "../../x.png") == folder / "x.png"
    (folder / "inner.png").symlink_to(folder / "other.png")
    assert path_inside(folder, "inner.png") == folder / "inner.png"
    (folder / "x.png").symlink_to(tmp_path / "outside.png")
    with pytest.raises(ValueError, match="leads out of it"):
        path_inside(folder, "x.png")


def test_a_written_file_replaces_a_link_and_has_the_mode_that_the_user_wants(tmp_path):
    outside = tmp_path / "outside.txt"
    outside.write_bytes(b"kept")
    link = tmp_path / "link.txt"
    link.symlink_to(outside)
    before = os.umask(0o027)
    try:
        assert write_atomically(link, b"new") == link
    finally:
        os.umask(before)
    assert link.read_bytes() == b"new"
    assert not link.is_symlink()
    assert link.stat().st_mode & 0o777 == 0o640
    assert outside.read_bytes() == b"kept"
    link.chmod(0o600)
    write_atomically(link, b"newer")
    assert link.stat().st_mode & 0o777 == 0o600


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    target = tmp_path / "x.txt"
    target.write_bytes(b"old")

    def refuse(self, target):
        raise PermissionError(13, "no", str(target))

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(PermissionError):
        write_atomically(target, b"new")
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_target_is_checked_before_anything_is_done(tmp_path):
    require_target(tmp_path / "new.txt")
    with pytest.raises(FileNotFoundError, match="does not exist"):
        require_target(tmp_path / "missing" / "new.txt")
    with pytest.raises(IsADirectoryError, match="not a file"):
        require_target(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    for device in (tmp_path / "pipe", Path("/dev/null")):
        with pytest.raises(OSError, match="a pipe or device"):
            require_target(device)


def test_48_a_link_at_the_temporary_name_is_not_followed(tmp_path, monkeypatch):
    monkeypatch.setattr("runcrate_core.io.files.secrets.token_hex", lambda _: "known")
    outside = tmp_path / "outside.txt"
    (tmp_path / "x.txt.known.part").symlink_to(outside)
    with pytest.raises(FileExistsError):
        PartFile(tmp_path / "x.txt").create()
    assert not outside.exists()


def test_a_temporary_file_does_nothing_after_it_was_discarded(tmp_path):
    part = PartFile(tmp_path / "x.txt")
    part.discard()
    part.create()
    part.write(b"late")
    part.move_to(tmp_path / "x.txt")
    assert list(tmp_path.iterdir()) == []
