"""The dot product, which is most of the work of listening."""

import math
import operator
import sys
from collections.abc import Sequence

__all__ = ["sumprod"]

if sys.version_info >= (3, 12):
    sumprod = math.sumprod
else:

    def sumprod(first: Sequence[float], second: Sequence[float], /) -> float:
        """Multiply pairwise and add up, as `math.sumprod` does from Python 3.12 on."""
        return float(sum(map(operator.mul, first, second)))
