from runcrate_core.api.audio import (
    Speech as Speech,
)
from runcrate_core.api.audio import (
    Transcription as Transcription,
)
from runcrate_core.api.audio import (
    TranscriptionSegment as TranscriptionSegment,
)
from runcrate_core.api.billing import (
    Balance as Balance,
)
from runcrate_core.api.billing import (
    Transaction as Transaction,
)
from runcrate_core.api.billing import (
    UsageSummary as UsageSummary,
)
from runcrate_core.api.chat_completion import (
    ChatCompletion as ChatCompletion,
)
from runcrate_core.api.code_uploads import (
    JobUpload as JobUpload,
)
from runcrate_core.api.embeddings import (
    Embeddings as Embeddings,
)
from runcrate_core.api.environments import (
    Environment as Environment,
)
from runcrate_core.api.images import (
    GeneratedImage as GeneratedImage,
)
from runcrate_core.api.images import (
    ImageGeneration as ImageGeneration,
)
from runcrate_core.api.instance_types import (
    InstanceType as InstanceType,
)
from runcrate_core.api.instances import (
    Instance as Instance,
)
from runcrate_core.api.instances import (
    InstanceStatus as InstanceStatus,
)
from runcrate_core.api.job_artifacts import (
    JobArtifact as JobArtifact,
)
from runcrate_core.api.job_logs import (
    JobLogChunk as JobLogChunk,
)
from runcrate_core.api.job_logs import (
    JobLogs as JobLogs,
)
from runcrate_core.api.job_types import (
    GpuCandidate as GpuCandidate,
)
from runcrate_core.api.job_types import (
    GpuSample as GpuSample,
)
from runcrate_core.api.job_types import (
    Job as Job,
)
from runcrate_core.api.job_types import (
    JobAttempt as JobAttempt,
)
from runcrate_core.api.job_types import (
    JobChanges as JobChanges,
)
from runcrate_core.api.job_types import (
    JobEvent as JobEvent,
)
from runcrate_core.api.job_types import (
    JobFilters as JobFilters,
)
from runcrate_core.api.job_types import (
    JobGroup as JobGroup,
)
from runcrate_core.api.job_types import (
    JobMetricPoint as JobMetricPoint,
)
from runcrate_core.api.job_types import (
    JobOptions as JobOptions,
)
from runcrate_core.api.job_types import (
    SubmittedJobGroup as SubmittedJobGroup,
)
from runcrate_core.api.models import (
    Model as Model,
)
from runcrate_core.api.schedules import (
    Schedule as Schedule,
)
from runcrate_core.api.schedules import (
    ScheduleRun as ScheduleRun,
)
from runcrate_core.api.secrets import (
    Secret as Secret,
)
from runcrate_core.api.ssh_keys import (
    SSHCertificate as SSHCertificate,
)
from runcrate_core.api.ssh_keys import (
    SSHKey as SSHKey,
)
from runcrate_core.api.storage import (
    StorageRegion as StorageRegion,
)
from runcrate_core.api.storage import (
    Volume as Volume,
)
from runcrate_core.api.storage import (
    VolumeDeletion as VolumeDeletion,
)
from runcrate_core.api.templates import (
    Template as Template,
)
from runcrate_core.api.top_ups import (
    AutoRecharge as AutoRecharge,
)
from runcrate_core.api.top_ups import (
    PaymentMethod as PaymentMethod,
)
from runcrate_core.api.top_ups import (
    TopUp as TopUp,
)
from runcrate_core.api.videos import (
    Video as Video,
)
from runcrate_core.client import (
    AsyncRuncrate as AsyncRuncrate,
)
from runcrate_core.client import (
    Runcrate as Runcrate,
)
from runcrate_core.errors import (
    AmbiguousLaunchError as AmbiguousLaunchError,
)
from runcrate_core.errors import (
    APIConnectionError as APIConnectionError,
)
from runcrate_core.errors import (
    APIStatusError as APIStatusError,
)
from runcrate_core.errors import (
    APITimeoutError as APITimeoutError,
)
from runcrate_core.errors import (
    AuthenticationError as AuthenticationError,
)
from runcrate_core.errors import (
    BadRequestError as BadRequestError,
)
from runcrate_core.errors import (
    ConfigurationError as ConfigurationError,
)
from runcrate_core.errors import (
    ConflictError as ConflictError,
)
from runcrate_core.errors import (
    HostKeyChangedError as HostKeyChangedError,
)
from runcrate_core.errors import (
    InstanceSetupError as InstanceSetupError,
)
from runcrate_core.errors import (
    InsufficientCreditsError as InsufficientCreditsError,
)
from runcrate_core.errors import (
    InternalServerError as InternalServerError,
)
from runcrate_core.errors import (
    NotFoundError as NotFoundError,
)
from runcrate_core.errors import (
    PermissionDeniedError as PermissionDeniedError,
)
from runcrate_core.errors import (
    RateLimitError as RateLimitError,
)
from runcrate_core.errors import (
    RemoteFileError as RemoteFileError,
)
from runcrate_core.errors import (
    ResponseFormatError as ResponseFormatError,
)
from runcrate_core.errors import (
    RuncrateError as RuncrateError,
)
from runcrate_core.errors import (
    SpendRefusedError as SpendRefusedError,
)
from runcrate_core.errors import (
    SSHAuthenticationError as SSHAuthenticationError,
)
from runcrate_core.errors import (
    SSHConnectionError as SSHConnectionError,
)
from runcrate_core.errors import (
    SSHError as SSHError,
)
from runcrate_core.errors import (
    StreamError as StreamError,
)
from runcrate_core.errors import (
    StreamStalledError as StreamStalledError,
)
from runcrate_core.errors import (
    StreamTruncatedError as StreamTruncatedError,
)
from runcrate_core.errors import (
    UnprocessableEntityError as UnprocessableEntityError,
)
from runcrate_core.errors import (
    WaitTimeoutError as WaitTimeoutError,
)
from runcrate_core.hooks import (
    RequestEvent as RequestEvent,
)
from runcrate_core.io.chat_stream import (
    AsyncChatStream as AsyncChatStream,
)
from runcrate_core.io.chat_stream import (
    ChatStream as ChatStream,
)
from runcrate_core.io.paging import (
    AsyncPage as AsyncPage,
)
from runcrate_core.io.paging import (
    AsyncPages as AsyncPages,
)
from runcrate_core.io.paging import (
    Page as Page,
)
from runcrate_core.models_catalogue import (
    ModelInfo as ModelInfo,
)
from runcrate_core.models_catalogue import (
    get_model_info as get_model_info,
)
from runcrate_core.models_catalogue import (
    parse_model_info as parse_model_info,
)
from runcrate_core.progress import (
    ProgressBar as ProgressBar,
)
from runcrate_core.progress import (
    progress_bar as progress_bar,
)
from runcrate_core.protocol.chat_types import (
    ChatCompletionChunk as ChatCompletionChunk,
)
from runcrate_core.protocol.code_archive import (
    SkippedFile as SkippedFile,
)
from runcrate_core.protocol.json_body import (
    UNCHANGED as UNCHANGED,
)
from runcrate_core.protocol.rate_limiter import (
    RateLimit as RateLimit,
)
from runcrate_core.protocol.response import (
    ResponseInfo as ResponseInfo,
)
from runcrate_core.protocol.timeouts import (
    Timeout as Timeout,
)
from runcrate_core.spending.cleanup import (
    CleanupReport as CleanupReport,
)
from runcrate_core.spending.guard import (
    SpendGuard as SpendGuard,
)
from runcrate_core.spending.ledger import (
    SpendLedger as SpendLedger,
)
from runcrate_core.spending.ledger_entry import (
    LedgerEntry as LedgerEntry,
)
from runcrate_core.spending.limits import (
    SpendLimits as SpendLimits,
)
from runcrate_core.spending.plans import (
    ApproveCallback as ApproveCallback,
)
from runcrate_core.spending.plans import (
    JobPlan as JobPlan,
)
from runcrate_core.spending.plans import (
    LaunchPlan as LaunchPlan,
)
from runcrate_core.spending.plans import (
    LifetimeExtension as LifetimeExtension,
)
from runcrate_core.spending.plans import (
    Proposal as Proposal,
)
from runcrate_core.spending.plans import (
    RunningResource as RunningResource,
)
from runcrate_core.spending.session import (
    SpendSession as SpendSession,
)
from runcrate_core.ssh.commands import (
    CommandResult as CommandResult,
)
from runcrate_core.ssh.remote_paths import (
    RemoteFile as RemoteFile,
)
from runcrate_core.ssh.shell import (
    AsyncInstanceShell as AsyncInstanceShell,
)
from runcrate_core.ssh.sync_shell import (
    InstanceShell as InstanceShell,
)
from runcrate_core.version import __version__ as __version__
