"""Identifiers in paths: whatever they are, they reach one endpoint or none."""

from urllib.parse import unquote

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runcrate_core.protocol.identifiers import MAX_SEGMENT_LENGTH, artifact_path, path_segment

ORIGIN = "https://www.runcrate.ai"


@given(st.text(st.characters()) | st.text(st.sampled_from("./\\% ")))
def test_a_segment_stays_one_segment_in_the_http_library_or_is_refused(value):
    try:
        segment = path_segment(value, "job_id")
    except ValueError:
        return
    url = httpx.URL(f"{ORIGIN}/api/v1/jobs/{segment}/logs")
    path = url.raw_path.decode("ascii")
    assert path.split("/")[:4] == ["", "api", "v1", "jobs"]
    assert path.split("/")[5:] == ["logs"]
    assert unquote(path.split("/")[4]) == value


@given(st.lists(st.text(min_size=1), min_size=1, max_size=4).map("/".join))
def test_an_artifact_path_never_leaves_its_job(value):
    try:
        path = artifact_path(value, "path")
    except ValueError:
        return
    url = httpx.URL(f"{ORIGIN}/api/v1/jobs/j/artifacts/{path}")
    below = url.raw_path.decode("ascii").removeprefix("/api/v1/jobs/j/artifacts/")
    assert unquote(below) == value


@pytest.mark.parametrize(
    ("bad", "problem"),
    [
        *((other, "must be text") for other in (None, 7, b"id")),
        *((blank, "is empty") for blank in ("", "\t ")),
        ("x" * (MAX_SEGMENT_LENGTH + 1), "513 characters"),
        *((control, "control character") for control in ("a\nb", "a\x7f")),
        ("a\ud800", "lone surrogate"),
        *((dots, "path segment") for dots in (".", "..", "a/..", "a\\..\\b")),
    ],
)
def test_44_what_is_no_identifier_is_refused_by_name(bad, problem):
    with pytest.raises(ValueError, match=problem) as caught:
        path_segment(bad, "job_id")
    assert "`job_id`" in str(caught.value)
    assert "Nothing was sent" in str(caught.value)


@pytest.mark.parametrize("bad", [None, "/absolute", "a//b", "a/./b", "../a", ""])
def test_44_a_path_that_leads_elsewhere_is_refused(bad):
    with pytest.raises(ValueError, match="`path`"):
        artifact_path(bad, "path")


def test_ordinary_identifiers_are_kept():
    assert path_segment("4c0c7462-6bc8-4b7b-93e6", "id") == "4c0c7462-6bc8-4b7b-93e6"
    assert path_segment("my volume/ü", "id") == "my%20volume%2F%C3%BC"
    assert artifact_path("run 1/model.pt", "path") == "run%201/model.pt"
