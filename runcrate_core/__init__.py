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
    from runcrate_core.agent_tools.annotations import (
        ToolAnnotations,
    )
    from runcrate_core.agent_tools.failures import (
        explain_failure,
    )
    from runcrate_core.agent_tools.tool import (
        AgentTool,
        ToolResult,
    )
    from runcrate_core.agent_tools.toolbox import (
        AgentToolbox,
    )
    from runcrate_core.agent_tools.toolkit_mixin import (
        ToolkitMixin,
    )
    from runcrate_core.api.audio import (
        Speech,
        Transcription,
        TranscriptionSegment,
    )
    from runcrate_core.api.billing import (
        Balance,
        Transaction,
        UsageSummary,
    )
    from runcrate_core.api.chat import (
        ChatCompletion,
    )
    from runcrate_core.api.code_uploads import (
        JobUpload,
    )
    from runcrate_core.api.embeddings import (
        Embeddings,
    )
    from runcrate_core.api.environments import (
        Environment,
    )
    from runcrate_core.api.images import (
        GeneratedImage,
        ImageGeneration,
    )
    from runcrate_core.api.instance_types import (
        Instance,
        InstanceStatus,
        InstanceType,
    )
    from runcrate_core.api.job_artifacts import (
        JobArtifact,
    )
    from runcrate_core.api.job_logs import (
        JobLogChunk,
        JobLogs,
    )
    from runcrate_core.api.job_types import (
        GpuCandidate,
        GpuSample,
        Job,
        JobAttempt,
        JobChanges,
        JobEvent,
        JobFilters,
        JobGroup,
        JobMetricPoint,
        JobOptions,
        SubmittedJobGroup,
    )
    from runcrate_core.api.models import (
        Model,
    )
    from runcrate_core.api.schedules import (
        Schedule,
        ScheduleRun,
    )
    from runcrate_core.api.secrets import (
        Secret,
    )
    from runcrate_core.api.ssh_keys import (
        SSHCertificate,
        SSHKey,
    )
    from runcrate_core.api.storage import (
        StorageRegion,
        Volume,
        VolumeDeletion,
    )
    from runcrate_core.api.templates import (
        Template,
    )
    from runcrate_core.api.top_ups import (
        AutoRecharge,
        PaymentMethod,
        TopUp,
    )
    from runcrate_core.api.video_types import (
        Video,
    )
    from runcrate_core.audio_sources import (
        AUDIO_SUFFIXES,
        AudioInput,
        AudioSource,
        resolve_audio_sources,
    )
    from runcrate_core.client import (
        AsyncRuncrate,
        Runcrate,
    )
    from runcrate_core.client_pair import (
        ClientPair,
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
    from runcrate_core.hooks import (
        RequestEvent,
    )
    from runcrate_core.io.chat_stream import (
        AsyncChatStream,
        ChatStream,
    )
    from runcrate_core.io.map_ordered import (
        map_ordered,
    )
    from runcrate_core.io.paging import (
        AsyncPage,
        AsyncPages,
        Page,
    )
    from runcrate_core.media_arguments import (
        IMAGE_TOOL,
        SPEECH_TOOL,
        VIDEO_TOOL,
        ImageArguments,
        MediaTool,
        SpeechArguments,
        VideoArguments,
    )
    from runcrate_core.media_failures import (
        explain_media_failure,
    )
    from runcrate_core.media_tools import (
        MediaFile,
        MediaGenerator,
        MediaResult,
        SpeechFormat,
    )
    from runcrate_core.models_catalogue import (
        ModelInfo,
        get_model_info,
        parse_model_info,
    )
    from runcrate_core.progress import (
        ProgressBar,
        progress_bar,
    )
    from runcrate_core.protocol.chat_types import (
        ChatCompletionChunk,
        extract_cost,
        extract_reasoning,
        extract_usage,
    )
    from runcrate_core.protocol.code_archive import (
        SkippedFile,
    )
    from runcrate_core.protocol.json_body import (
        UNCHANGED,
    )
    from runcrate_core.protocol.rate_limiter import (
        RateLimit,
    )
    from runcrate_core.protocol.response import (
        ResponseInfo,
    )
    from runcrate_core.protocol.transcripts import (
        Segment,
        Transcript,
        TranscriptFormat,
    )
    from runcrate_core.spending.cleanup import (
        CleanupReport,
    )
    from runcrate_core.spending.guard import (
        SpendGuard,
    )
    from runcrate_core.spending.ledger import (
        LedgerEntry,
        SpendLedger,
    )
    from runcrate_core.spending.limits import (
        SpendLimits,
    )
    from runcrate_core.spending.plans import (
        ApproveCallback,
        JobPlan,
        LaunchPlan,
        LifetimeExtension,
        Proposal,
        RunningResource,
    )
    from runcrate_core.spending.session import (
        SpendSession,
    )
    from runcrate_core.transcriber import (
        Transcriber,
        TranscriptChunk,
        is_of_the_account,
    )

__all__ = [
    "AUDIO_SUFFIXES",
    "IMAGE_TOOL",
    "SPEECH_TOOL",
    "UNCHANGED",
    "VIDEO_TOOL",
    "APIConnectionError",
    "APIStatusError",
    "APITimeoutError",
    "AgentTool",
    "AgentToolbox",
    "AmbiguousLaunchError",
    "ApproveCallback",
    "AsyncChatStream",
    "AsyncPage",
    "AsyncPages",
    "AsyncRuncrate",
    "AudioInput",
    "AudioSource",
    "AuthenticationError",
    "AutoRecharge",
    "BadRequestError",
    "Balance",
    "ChatCompletion",
    "ChatCompletionChunk",
    "ChatStream",
    "CleanupReport",
    "ClientPair",
    "ConfigurationError",
    "ConflictError",
    "Embeddings",
    "Environment",
    "GeneratedImage",
    "GpuCandidate",
    "GpuSample",
    "ImageArguments",
    "ImageGeneration",
    "Instance",
    "InstanceStatus",
    "InstanceType",
    "InsufficientCreditsError",
    "InternalServerError",
    "Job",
    "JobArtifact",
    "JobAttempt",
    "JobChanges",
    "JobEvent",
    "JobFilters",
    "JobGroup",
    "JobLogChunk",
    "JobLogs",
    "JobMetricPoint",
    "JobOptions",
    "JobPlan",
    "JobUpload",
    "LaunchPlan",
    "LedgerEntry",
    "LifetimeExtension",
    "MediaFile",
    "MediaGenerator",
    "MediaResult",
    "MediaTool",
    "Model",
    "ModelInfo",
    "NotFoundError",
    "Page",
    "PaymentMethod",
    "PermissionDeniedError",
    "ProgressBar",
    "Proposal",
    "RateLimit",
    "RateLimitError",
    "RequestEvent",
    "ResponseFormatError",
    "ResponseInfo",
    "Runcrate",
    "RuncrateError",
    "RunningResource",
    "SSHCertificate",
    "SSHKey",
    "Schedule",
    "ScheduleRun",
    "Secret",
    "Segment",
    "SkippedFile",
    "Speech",
    "SpeechArguments",
    "SpeechFormat",
    "SpendGuard",
    "SpendLedger",
    "SpendLimits",
    "SpendRefusedError",
    "SpendSession",
    "StorageRegion",
    "StreamError",
    "StreamStalledError",
    "StreamTruncatedError",
    "SubmittedJobGroup",
    "Template",
    "ToolAnnotations",
    "ToolResult",
    "ToolkitMixin",
    "TopUp",
    "Transaction",
    "Transcriber",
    "Transcript",
    "TranscriptChunk",
    "TranscriptFormat",
    "Transcription",
    "TranscriptionSegment",
    "UnprocessableEntityError",
    "UsageSummary",
    "Video",
    "VideoArguments",
    "Volume",
    "VolumeDeletion",
    "__version__",
    "explain_failure",
    "explain_media_failure",
    "extract_cost",
    "extract_reasoning",
    "extract_usage",
    "get_model_info",
    "is_of_the_account",
    "map_ordered",
    "parse_model_info",
    "progress_bar",
    "resolve_audio_sources",
]

# Where each public name lives.
_NAMES: dict[str, tuple[str, ...]] = {
    "agent_tools.annotations": ("ToolAnnotations",),
    "agent_tools.failures": ("explain_failure",),
    "agent_tools.toolkit_mixin": ("ToolkitMixin",),
    "agent_tools.tool": ("AgentTool", "ToolResult"),
    "agent_tools.toolbox": ("AgentToolbox",),
    "api.audio": (
        "Speech",
        "Transcription",
        "TranscriptionSegment",
    ),
    "api.billing": (
        "Balance",
        "Transaction",
        "UsageSummary",
    ),
    "api.chat": ("ChatCompletion",),
    "api.code_uploads": ("JobUpload",),
    "api.embeddings": ("Embeddings",),
    "api.environments": ("Environment",),
    "api.images": (
        "GeneratedImage",
        "ImageGeneration",
    ),
    "api.instance_types": (
        "Instance",
        "InstanceStatus",
        "InstanceType",
    ),
    "api.job_artifacts": ("JobArtifact",),
    "api.job_logs": (
        "JobLogChunk",
        "JobLogs",
    ),
    "api.job_types": (
        "GpuCandidate",
        "GpuSample",
        "Job",
        "JobAttempt",
        "JobChanges",
        "JobEvent",
        "JobFilters",
        "JobGroup",
        "JobMetricPoint",
        "JobOptions",
        "SubmittedJobGroup",
    ),
    "api.models": ("Model",),
    "api.video_types": ("Video",),
    "api.schedules": (
        "Schedule",
        "ScheduleRun",
    ),
    "api.secrets": ("Secret",),
    "api.ssh_keys": (
        "SSHCertificate",
        "SSHKey",
    ),
    "api.storage": (
        "StorageRegion",
        "Volume",
        "VolumeDeletion",
    ),
    "api.templates": ("Template",),
    "api.top_ups": (
        "AutoRecharge",
        "PaymentMethod",
        "TopUp",
    ),
    "models_catalogue": (
        "ModelInfo",
        "parse_model_info",
        "get_model_info",
    ),
    "client": (
        "AsyncRuncrate",
        "Runcrate",
    ),
    "client_pair": ("ClientPair",),
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
    "io.paging": (
        "AsyncPage",
        "AsyncPages",
        "Page",
    ),
    "hooks": ("RequestEvent",),
    "progress": (
        "ProgressBar",
        "progress_bar",
    ),
    "protocol.response": ("ResponseInfo",),
    "protocol.chat_types": (
        "ChatCompletionChunk",
        "extract_cost",
        "extract_reasoning",
        "extract_usage",
    ),
    "protocol.code_archive": ("SkippedFile",),
    "protocol.json_body": ("UNCHANGED",),
    "protocol.rate_limiter": ("RateLimit",),
    "spending.cleanup": ("CleanupReport",),
    "spending.guard": ("SpendGuard",),
    "spending.ledger": ("LedgerEntry", "SpendLedger"),
    "spending.limits": ("SpendLimits",),
    "spending.plans": (
        "ApproveCallback",
        "JobPlan",
        "LaunchPlan",
        "LifetimeExtension",
        "Proposal",
        "RunningResource",
    ),
    "spending.session": ("SpendSession",),
    "io.map_ordered": ("map_ordered",),
    "media_arguments": (
        "IMAGE_TOOL",
        "SPEECH_TOOL",
        "VIDEO_TOOL",
        "ImageArguments",
        "MediaTool",
        "SpeechArguments",
        "VideoArguments",
    ),
    "media_failures": ("explain_media_failure",),
    "media_tools": (
        "MediaFile",
        "MediaResult",
        "MediaGenerator",
        "SpeechFormat",
    ),
    "protocol.transcripts": (
        "Segment",
        "Transcript",
        "TranscriptFormat",
    ),
    "audio_sources": (
        "AUDIO_SUFFIXES",
        "AudioSource",
        "AudioInput",
        "resolve_audio_sources",
    ),
    "transcriber": (
        "TranscriptChunk",
        "Transcriber",
        "is_of_the_account",
    ),
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
