from langchain_runcrate.chat_models import (
    ChatRuncrate as ChatRuncrate,
)
from langchain_runcrate.costs import (
    RuncrateCostCallbackHandler as RuncrateCostCallbackHandler,
)
from langchain_runcrate.document_loaders import (
    RuncrateTranscriptionLoader as RuncrateTranscriptionLoader,
)
from langchain_runcrate.document_loaders import (
    RuncrateTranscriptionParser as RuncrateTranscriptionParser,
)
from langchain_runcrate.embeddings import (
    RuncrateEmbeddings as RuncrateEmbeddings,
)
from langchain_runcrate.errors import (
    RuncrateAuthenticationError as RuncrateAuthenticationError,
)
from langchain_runcrate.errors import (
    RuncrateConnectionError as RuncrateConnectionError,
)
from langchain_runcrate.errors import (
    RuncrateContextOverflowError as RuncrateContextOverflowError,
)
from langchain_runcrate.errors import (
    RuncrateInsufficientCreditsError as RuncrateInsufficientCreditsError,
)
from langchain_runcrate.errors import (
    RuncrateInvalidRequestError as RuncrateInvalidRequestError,
)
from langchain_runcrate.errors import (
    RuncrateModelNotFoundError as RuncrateModelNotFoundError,
)
from langchain_runcrate.errors import (
    RuncratePermissionDeniedError as RuncratePermissionDeniedError,
)
from langchain_runcrate.errors import (
    RuncrateRateLimitError as RuncrateRateLimitError,
)
from langchain_runcrate.errors import (
    RuncrateRefusalError as RuncrateRefusalError,
)
from langchain_runcrate.errors import (
    RuncrateResponseError as RuncrateResponseError,
)
from langchain_runcrate.errors import (
    RuncrateServerError as RuncrateServerError,
)
from langchain_runcrate.errors import (
    RuncrateStatusError as RuncrateStatusError,
)
from langchain_runcrate.errors import (
    RuncrateStreamError as RuncrateStreamError,
)
from langchain_runcrate.errors import (
    RuncrateStreamStalledError as RuncrateStreamStalledError,
)
from langchain_runcrate.errors import (
    RuncrateStreamTruncatedError as RuncrateStreamTruncatedError,
)
from langchain_runcrate.errors import (
    RuncrateTimeoutError as RuncrateTimeoutError,
)
from langchain_runcrate.errors import (
    RuncrateUnprocessableError as RuncrateUnprocessableError,
)
from langchain_runcrate.media_tools import (
    RuncrateImageTool as RuncrateImageTool,
)
from langchain_runcrate.media_tools import (
    RuncrateSpeechTool as RuncrateSpeechTool,
)
from langchain_runcrate.media_tools import (
    RuncrateVideoTool as RuncrateVideoTool,
)
from langchain_runcrate.registration import (
    register as register,
)
from langchain_runcrate.sandbox import (
    RuncrateSandbox as RuncrateSandbox,
)
from langchain_runcrate.toolkit import (
    RuncrateToolkit as RuncrateToolkit,
)
from runcrate_core import __version__ as __version__
