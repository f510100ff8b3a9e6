"""The Runcrate API for Python: inference and GPU cloud behind one key, blocking and asynchronous.

```python
from runcrate_core import Runcrate

client = Runcrate()  # reads RUNCRATE_API_KEY
print(client.billing.get_balance().credits_balance)
```

Names load when they are first used, so importing this package costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from runcrate_core.version import __version__

if TYPE_CHECKING:
    from runcrate_core.api.billing import (
        Balance,
    )
    from runcrate_core.api.chat import (
        ChatCompletion,
    )
    from runcrate_core.api.embeddings import (
        Embeddings,
    )
    from runcrate_core.api.instances import (
        Instance,
        InstanceStatus,
        InstanceType,
    )
    from runcrate_core.api.models import (
        Model,
    )
    from runcrate_core.catalogue import (
        ModelFacts,
        facts_of,
        model_facts,
    )
    from runcrate_core.client import (
        AsyncRuncrate,
        Runcrate,
    )
    from runcrate_core.errors import (
        AmbiguousLaunchError,
        APIConnectionError,
        APIStatusError,
        APITimeoutError,
        AuthenticationError,
        BadRequestError,
        ConfigurationError,
        ConflictError,
        InsufficientCreditsError,
        InternalServerError,
        NotFoundError,
        PermissionDeniedError,
        RateLimitError,
        ResponseFormatError,
        RuncrateError,
        SpendRefusedError,
        StreamError,
        StreamStalledError,
        StreamTruncatedError,
        UnprocessableEntityError,
    )
    from runcrate_core.guard import (
        EndReport,
        SpendGuard,
    )
    from runcrate_core.io.chat_stream import (
        AsyncChatStream,
        ChatStream,
    )
    from runcrate_core.observing import (
        RequestEvent,
    )
    from runcrate_core.protocol.answer import (
        ResponseInfo,
    )
    from runcrate_core.protocol.chat_shapes import (
        ChatCompletionChunk,
        cost_of,
        reasoning_of,
        usage_of,
    )
    from runcrate_core.protocol.rate_limit import (
        RateLimit,
    )
    from runcrate_core.spending import (
        LaunchPlan,
        RunningMachine,
        SpendEntry,
        SpendLedger,
        SpendLimits,
    )

__all__ = [
    "APIConnectionError",
    "APIStatusError",
    "APITimeoutError",
    "AmbiguousLaunchError",
    "AsyncChatStream",
    "AsyncRuncrate",
    "AuthenticationError",
    "BadRequestError",
    "Balance",
    "ChatCompletion",
    "ChatCompletionChunk",
    "ChatStream",
    "ConfigurationError",
    "ConflictError",
    "Embeddings",
    "EndReport",
    "Instance",
    "InstanceStatus",
    "InstanceType",
    "InsufficientCreditsError",
    "InternalServerError",
    "LaunchPlan",
    "Model",
    "ModelFacts",
    "NotFoundError",
    "PermissionDeniedError",
    "RateLimit",
    "RateLimitError",
    "RequestEvent",
    "ResponseFormatError",
    "ResponseInfo",
    "Runcrate",
    "RuncrateError",
    "RunningMachine",
    "SpendEntry",
    "SpendGuard",
    "SpendLedger",
    "SpendLimits",
    "SpendRefusedError",
    "StreamError",
    "StreamStalledError",
    "StreamTruncatedError",
    "UnprocessableEntityError",
    "__version__",
    "cost_of",
    "facts_of",
    "model_facts",
    "reasoning_of",
    "usage_of",
]

# Where each public name lives.
_NAMES: dict[str, tuple[str, ...]] = {
    "api.billing": ("Balance",),
    "api.chat": ("ChatCompletion",),
    "api.embeddings": ("Embeddings",),
    "api.instances": (
        "Instance",
        "InstanceStatus",
        "InstanceType",
    ),
    "api.models": ("Model",),
    "catalogue": (
        "ModelFacts",
        "facts_of",
        "model_facts",
    ),
    "client": (
        "AsyncRuncrate",
        "Runcrate",
    ),
    "errors": (
        "AmbiguousLaunchError",
        "APIConnectionError",
        "APIStatusError",
        "APITimeoutError",
        "AuthenticationError",
        "BadRequestError",
        "ConfigurationError",
        "ConflictError",
        "InsufficientCreditsError",
        "InternalServerError",
        "NotFoundError",
        "PermissionDeniedError",
        "RateLimitError",
        "ResponseFormatError",
        "RuncrateError",
        "SpendRefusedError",
        "StreamError",
        "StreamStalledError",
        "StreamTruncatedError",
        "UnprocessableEntityError",
    ),
    "io.chat_stream": (
        "AsyncChatStream",
        "ChatStream",
    ),
    "observing": ("RequestEvent",),
    "protocol.answer": ("ResponseInfo",),
    "protocol.chat_shapes": (
        "ChatCompletionChunk",
        "cost_of",
        "reasoning_of",
        "usage_of",
    ),
    "protocol.rate_limit": ("RateLimit",),
    "spending": ("LaunchPlan", "RunningMachine", "SpendEntry", "SpendLedger", "SpendLimits"),
    "guard": ("EndReport", "SpendGuard"),
}
_HOME = {name: module for module, names in _NAMES.items() for name in names}


def __getattr__(name: str) -> Any:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"runcrate_core.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
