"""The Runcrate API for Python: inference and GPU cloud behind one key, sync and async.

```python
from runcrate_core import Runcrate

client = Runcrate()  # reads RUNCRATE_API_KEY
print(client.billing.get_balance().credits_balance)
```

Names load when they are first used, so importing this package costs next to nothing.
"""

from runcrate_core.lazy_exports import Extra, lazy_exports
from runcrate_core.version import __version__ as __version__

# Type checkers and editors read the same names from `__init__.pyi`.
__all__, __getattr__, __dir__ = lazy_exports(
    "runcrate_core",
    {
        "api.audio": ("Speech", "Transcription", "TranscriptionSegment"),
        "api.billing": ("Balance", "Transaction", "UsageSummary"),
        "api.chat_completion": ("ChatCompletion",),
        "api.code_uploads": ("JobUpload",),
        "api.embeddings": ("Embeddings",),
        "api.environments": ("Environment",),
        "api.images": ("GeneratedImage", "ImageGeneration"),
        "api.instance_types": ("InstanceType",),
        "api.instances": ("Instance", "InstanceStatus"),
        "api.job_artifacts": ("JobArtifact",),
        "api.job_logs": ("JobLogChunk", "JobLogs"),
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
        "api.schedules": ("Schedule", "ScheduleRun"),
        "api.secrets": ("Secret",),
        "api.ssh_keys": ("SSHCertificate", "SSHKey"),
        "api.storage": ("StorageRegion", "Volume", "VolumeDeletion"),
        "api.templates": ("Template",),
        "api.top_ups": ("AutoRecharge", "PaymentMethod", "TopUp"),
        "api.videos": ("Video",),
        "client": ("AsyncRuncrate", "Runcrate"),
        "errors": (
            "AmbiguousLaunchError",
            "APIConnectionError",
            "APIStatusError",
            "APITimeoutError",
            "AuthenticationError",
            "BadRequestError",
            "ConfigurationError",
            "ConflictError",
            "HostKeyChangedError",
            "InstanceSetupError",
            "InsufficientCreditsError",
            "InternalServerError",
            "NotFoundError",
            "PermissionDeniedError",
            "RateLimitError",
            "RemoteFileError",
            "ResponseFormatError",
            "RuncrateError",
            "SpendRefusedError",
            "SSHAuthenticationError",
            "SSHConnectionError",
            "SSHError",
            "StreamError",
            "StreamStalledError",
            "StreamTruncatedError",
            "UnprocessableEntityError",
            "WaitTimeoutError",
        ),
        "hooks": ("RequestEvent",),
        "io.chat_stream": ("AsyncChatStream", "ChatStream"),
        "io.paging": ("AsyncPage", "AsyncPages", "Page"),
        "models_catalogue": ("get_model_info", "ModelInfo", "parse_model_info"),
        "progress": ("progress_bar", "ProgressBar"),
        "protocol.chat_types": ("ChatCompletionChunk",),
        "protocol.code_archive": ("SkippedFile",),
        "protocol.json_body": ("UNCHANGED",),
        "protocol.rate_limiter": ("RateLimit",),
        "protocol.response": ("ResponseInfo",),
        "protocol.timeouts": ("Timeout",),
        "spending.cleanup": ("CleanupReport",),
        "spending.guard": ("SpendGuard",),
        "spending.ledger": ("SpendLedger",),
        "spending.ledger_entry": ("LedgerEntry",),
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
        "ssh.commands": ("CommandResult",),
        "ssh.remote_paths": ("RemoteFile",),
        "ssh.shell": ("AsyncInstanceShell",),
        "ssh.sync_shell": ("InstanceShell",),
    },
    present=("__version__",),
    extra=Extra(module="asyncssh", name="asyncssh", extra="ssh"),
)
