"""The refusal of a request because of one field of its body."""

from runcrate_emulator.errors import ApiError


def invalid(field: str, message: str, status: int = 400) -> ApiError:
    """Build the refusal.

    Args:
        field: Path of the field, as `messages[0].role`.
        message: What is wrong with it, to follow its name.
        status: 400 for a missing field or one of a wrong form, 422 for one out of its range.
    """
    return ApiError(status, "validation_error", f"`{field}` {message}", details={"field": field})
