"""A misspelt argument is an error at run time too, not a setting that nobody notices."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from langchain_runcrate import (
    RuncrateEmbeddings,
    RuncrateImageTool,
    RuncrateSpeechTool,
    RuncrateTranscriptionLoader,
    RuncrateTranscriptionParser,
    RuncrateVideoTool,
)

CLASSES: list[tuple[type, dict[str, Any]]] = [
    (RuncrateEmbeddings, {"model": "m"}),
    (RuncrateImageTool, {}),
    (RuncrateSpeechTool, {}),
    (RuncrateVideoTool, {}),
    (RuncrateTranscriptionLoader, {"source": "a.mp3"}),
    (RuncrateTranscriptionParser, {}),
]


@pytest.mark.parametrize(("kind", "needed"), CLASSES)
def test_misspelt_arguments_are_refused(kind: type, needed: dict[str, Any]) -> None:
    kind(**needed, api_key="rc_live_test")
    with pytest.raises(ValidationError, match="max_retrys") as caught:
        kind(**needed, api_key="rc_live_test", max_retrys=0)
    assert "rc_live" not in str(caught.value)
