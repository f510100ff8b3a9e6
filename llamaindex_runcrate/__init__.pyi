from llamaindex_runcrate.approval import (
    ApprovalRequiredEvent as ApprovalRequiredEvent,
)
from llamaindex_runcrate.embedding import (
    RuncrateEmbedding as RuncrateEmbedding,
)
from llamaindex_runcrate.infrastructure import (
    RuncrateInfrastructureToolSpec as RuncrateInfrastructureToolSpec,
)
from llamaindex_runcrate.llm import (
    RuncrateLLM as RuncrateLLM,
)
from llamaindex_runcrate.media_tools import (
    RuncrateMediaToolSpec as RuncrateMediaToolSpec,
)
from llamaindex_runcrate.tool_progress import (
    ToolProgressEvent as ToolProgressEvent,
)
from llamaindex_runcrate.transcription_reader import (
    RuncrateTranscriptionReader as RuncrateTranscriptionReader,
)
from llamaindex_runcrate.transcription_reader import (
    audio_file_extractor as audio_file_extractor,
)
from runcrate_core import __version__ as __version__
