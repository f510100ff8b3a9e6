"""Any JSON value, for tests that hold for all of them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)


def json_values(texts: Any = TEXTS, names: Any = None, max_leaves: int = 8) -> Any:
    """Return a strategy of values with these texts; `names` are those of members."""
    names = texts if names is None else names
    return st.recursive(
        st.none() | st.booleans() | NUMBERS | texts,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=5),
        max_leaves=max_leaves,
    )
