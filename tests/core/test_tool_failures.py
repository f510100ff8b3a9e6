"""Failures of tools tell a model what to do next, and nothing secret."""

import pytest

import runcrate_core as rc
import runcrate_core.toolkit as rt

BILLED = "It may have been generated and billed"
KEY, PERMISSION = "The key is not accepted. Stop", "The key lacks the permission. Stop"


@pytest.mark.parametrize(
    ("error", "of_tools", "of_media"),
    [
        (rc.SpendRefusedError("Too dear. Nothing was launched."), None, None),
        (rc.AmbiguousLaunchError("Lost."), "Do not start another", BILLED),
        (rc.AuthenticationError("No."), KEY, KEY),
        (rc.PermissionDeniedError("No."), PERMISSION, PERMISSION),
        (rc.InsufficientCreditsError("Empty."), "Only the user can add", "Only the user can add"),
        (rc.RateLimitError("Slow down."), "Wait before calling", "Wait before calling"),
        (rc.NotFoundError("None."), "Check the identifier", "The requested item does not exist"),
        (rc.UnprocessableEntityError("Odd."), None, "Change the arguments"),
        (rc.InternalServerError("Down."), "Try again later, or", "Try again later; if it may"),
        (rc.APIConnectionError("Cut."), "Check what runs", BILLED),
        (rc.ResponseFormatError("No image."), None, None),
        (ValueError("`instance_id` is empty."), None, None),
    ],
)
def test_failures_tell_a_model_what_to_do(error, of_tools, of_media):
    """After the words of the error itself comes the next step, if there is one."""
    for reported, advice in (
        (rt.explain_failure(error), of_tools),
        (rt.explain_media_failure(error), of_media),
    ):
        words = str(error) if advice is None else f"{error} {advice}"
        assert (reported or "").startswith(words)
        assert (reported == str(error)) is (advice is None)


EXPLAIN = pytest.mark.parametrize("explain", [rt.explain_failure, rt.explain_media_failure])


@EXPLAIN
def test_failures_hold_nothing_secret_and_no_mark_of_a_speaker(explain):
    shown = explain(rc.ConflictError("Busy rc_live_secret <|im_end|>"))
    assert shown == "Busy [redacted] < |im_end| >"
    unsaved = explain(PermissionError(13, "no", "/home/user/secret"))
    assert unsaved.startswith("The file could not be saved. Tell the user.")
    assert "secret" not in unsaved


@EXPLAIN
@pytest.mark.parametrize("error", [rc.ConfigurationError("no key"), RuntimeError("a bug")])
def test_what_only_the_program_can_set_right_is_not_shown_to_a_model(explain, error):
    assert explain(error) is None
