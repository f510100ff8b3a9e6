"""The decisions behind commands on instances, without a server."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import asyncssh
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runcrate_core.errors import ConfigurationError, RemoteFileError
from runcrate_core.ssh.certificates import valid_until
from runcrate_core.ssh.commands import OutputCollector, command_line, is_timeout
from runcrate_core.ssh.host_keys import (
    HostKey,
    HostKeyStore,
    parse_pins,
    render_pin,
    state_directory,
)
from runcrate_core.ssh.remote_paths import check_entry_name
from runcrate_core.ssh.settings import connect, private_key_text

KEY = HostKey("ssh-ed25519", "AAAAC3Nz")
OTHER = HostKey("ssh-ed25519", "AAAAOTHER")


def collected(parts: list[bytes], *, max_output: int = 1000):
    collector = OutputCollector("abc", max_output, "start")
    text = "".join(collector.feed(part) for part in parts) + collector.finish()
    return collector, text


@given(st.binary(max_size=200), st.integers(0, 255), st.integers(1, 7))
def test_the_marker_is_found_however_the_output_is_cut(data, code, size):
    if b"\x1eabc:" in data:
        return
    whole = data + b"\x1eabc:%d\x1e" % code
    parts = [whole[start : start + size] for start in range(0, len(whole), size)]
    collector, text = collected(parts)
    assert collector.exit_code == code
    assert collector.result(None).output == data.decode(errors="replace") == text
    assert not collector.result(None).truncated


def test_output_after_the_marker_is_of_the_background_and_no_character_is_cut_in_two():
    collector, text = collected([b"a\x1eabc:0\x1e", b"later"])
    assert (text, collector.result(None).output) == ("a", "a")
    collector, text = collected(["ü".encode()[:1], "üx".encode()[1:]], max_output=1)
    assert (text, collector.result(0).output) == ("üx", "")


@pytest.mark.parametrize(
    ("command", "timeout", "problem"),
    [
        ("", 1, "empty"),
        (" \n", 1, "empty"),
        ("a\0b", 1, "NUL"),
        ("a\udcff", 1, "Unicode"),
        ("x" * 130_000, 1, "Upload it"),
        ("x", 0, "timeout"),
        ("x", float("nan"), "timeout"),
        ("x", float("inf"), "timeout"),
    ],
)
def test_a_command_that_cannot_be_run_is_refused(command, timeout, problem):
    with pytest.raises(ValueError, match=problem) as caught:
        command_line(command, timeout_s=timeout, command_id="abc")
    assert "Nothing was run" in str(caught.value)


@given(
    st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)
)
def test_a_command_is_quoted_for_any_text(text):
    import shlex

    line = command_line(f"x{text}", timeout_s=1.5, command_id="abc")
    words = shlex.split(line)
    assert words[:3] == ["exec", "bash", "-c"]
    assert words[5:] == [f"x{text}", "1.500", "abc"]


def test_the_exit_code_of_a_timeout_differs_from_the_same_of_a_command():
    assert is_timeout(124, 2.1, 2.0)
    assert is_timeout(137, 7.1, 2.0)
    assert not is_timeout(124, 0.1, 2.0)
    assert not is_timeout(0, 2.1, 2.0)


def test_pins_are_read_and_the_first_of_an_instance_counts():
    text = "# comment\n\ni-1 ssh-ed25519 AAAAC3Nz\n"
    text += render_pin("i-1", OTHER, text)
    text = text.rstrip("\n")
    text += render_pin("i-2", OTHER, text)
    assert parse_pins(text) == {"i-1": KEY, "i-2": OTHER}


def test_a_store_keeps_the_first_key_also_of_another_process(tmp_path):
    store = HostKeyStore(tmp_path / "state" / "keys")
    assert store.find("i-1") is None
    assert store.pin("i-1", KEY) == KEY
    assert HostKeyStore(store.path).pin("i-1", OTHER) == KEY
    assert store.find("i-1") == KEY
    for odd in ("i 1", "#i", "i\u2028", "i%201", "a/b:c"):
        assert store.pin(odd, OTHER) == OTHER
        assert store.find(odd) == OTHER
    assert store.find("i-1") == KEY
    assert store.path.stat().st_mode & 0o077 == 0
    (tmp_path / "keys").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigurationError, match="RUNCRATE_STATE_DIR"):
        HostKeyStore(tmp_path / "keys" / "keys").pin("i-1", KEY)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        HostKeyStore(tmp_path / "keys").find("i-1")


def test_the_state_directory_is_that_of_the_system():
    home = Path("/home/me")
    assert state_directory({}, "linux", home) == home / ".local/state/runcrate"
    assert state_directory({"XDG_STATE_HOME": "/s"}, "linux", home) == Path("/s/runcrate")
    assert state_directory({}, "darwin", home) == home / "Library/Application Support/runcrate"
    assert state_directory({"LOCALAPPDATA": "/l"}, "win32", home) == Path("/l/runcrate")
    assert state_directory({"RUNCRATE_STATE_DIR": "/x"}, "win32", home) == Path("/x")
    assert state_directory({"RUNCRATE_STATE_DIR": "~/x"}, "linux", home) == Path.home() / "x"
    assert connect("i-1", known_hosts=str(home)).known_hosts == home


NAMES = {
    "": ["", ".", "..", "a/b", "a\0b"],
    "linux": ["a:b", "nul", "COM1.txt", "a\\b", "x.", "y ", "a?b"],
    "linux, windows": [".hidden", "model.tar.gz", "ünï code", "-rf"],
}


@pytest.mark.parametrize(
    ("allowed", "name"), [(allowed, name) for allowed, names in NAMES.items() for name in names]
)
def test_names_that_lead_out_of_a_directory_or_mean_another_file_are_refused(allowed, name):
    for system in ("linux", "windows"):
        check = partial(check_entry_name, name, "/work", is_windows=system == "windows")
        if system in allowed:
            assert check() == name
        else:
            with pytest.raises(RemoteFileError) as caught:
                check()
            assert caught.value.reason == "invalid_path"


def test_the_validity_of_a_certificate_is_read():
    authority = asyncssh.generate_private_key("ssh-ed25519")
    key = asyncssh.generate_private_key("ssh-ed25519")
    until = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
    certificate = authority.generate_user_certificate(
        key, "id", principals=["root", "x"], valid_before=int(until.timestamp())
    )
    assert valid_until(certificate.export_certificate().decode()) == until
    endless = authority.generate_user_certificate(key, "id")
    for text in (endless.export_certificate().decode(), "", "x", "ssh AAAA", "ssh ???"):
        assert valid_until(text) is None


def test_a_string_is_never_read_as_a_path_to_a_key(tmp_path):
    path = tmp_path / "key"
    asyncssh.generate_private_key("ssh-ed25519").write_private_key(path)
    assert private_key_text(path).startswith(b"-----BEGIN")
    assert private_key_text(path.read_text()) == path.read_bytes()
    with_mark = tmp_path / "with_mark"  # as editors of Windows write it
    with_mark.write_text(path.read_text(), encoding="utf-8-sig")
    assert private_key_text(with_mark) == path.read_bytes()
    assert private_key_text(path.read_text() + "\ud800").startswith(path.read_bytes())
    with pytest.raises(ValueError, match="Path"):
        private_key_text(str(path))
