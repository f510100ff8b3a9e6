"""The progress bar for people."""

import io
import sys

import pytest

import runcrate_core as rc
from tests.servers import Reply

MP4 = b"\x00\x00\x00\x20ftypisom" + bytes(2036)


def test_a_bar_follows_a_download(scripted, tmp_path):
    screen = io.StringIO()
    _, both = scripted(Reply(body=[MP4], length=len(MP4)))
    with rc.progress_bar("video", file=screen, mininterval=0) as bar:
        both("videos.download", "v", tmp_path / "f.mp4", on_progress=bar)
    shown = screen.getvalue()
    assert "video: 100%" in shown
    assert "2.00k/2.00k" in shown


def test_a_bar_may_go_back_and_need_not_know_the_end():
    screen = io.StringIO()
    bar = rc.progress_bar(file=screen, mininterval=0)
    for done, total in ((0, None), (10, None), (0, 20), (20, 20)):
        bar(done, total)
    bar.close()
    bar.close()
    assert "10.0B [" in screen.getvalue()
    assert "100%" in screen.getvalue()


def test_without_tqdm_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    with pytest.raises(rc.ConfigurationError, match=r"runcrate-integrations\[progress\]"):
        rc.progress_bar()
