from runcrate_core.agent_tools.annotations import (
    ToolAnnotations as ToolAnnotations,
)
from runcrate_core.agent_tools.failures import (
    explain_failure as explain_failure,
)
from runcrate_core.agent_tools.tool import (
    AgentTool as AgentTool,
)
from runcrate_core.agent_tools.tool import (
    ToolResult as ToolResult,
)
from runcrate_core.agent_tools.toolbox import (
    AgentToolbox as AgentToolbox,
)
from runcrate_core.agent_tools.toolkit_mixin import (
    ToolkitMixin as ToolkitMixin,
)
from runcrate_core.audio_sources import (
    AUDIO_SUFFIXES as AUDIO_SUFFIXES,
)
from runcrate_core.audio_sources import (
    AudioInput as AudioInput,
)
from runcrate_core.audio_sources import (
    AudioSource as AudioSource,
)
from runcrate_core.audio_sources import (
    resolve_audio_sources as resolve_audio_sources,
)
from runcrate_core.client_pair import (
    ClientPair as ClientPair,
)
from runcrate_core.io.map_ordered import (
    map_ordered as map_ordered,
)
from runcrate_core.lazy_exports import (
    Extra as Extra,
)
from runcrate_core.lazy_exports import (
    lazy_exports as lazy_exports,
)
from runcrate_core.media_arguments import (
    IMAGE_TOOL as IMAGE_TOOL,
)
from runcrate_core.media_arguments import (
    SPEECH_TOOL as SPEECH_TOOL,
)
from runcrate_core.media_arguments import (
    VIDEO_TOOL as VIDEO_TOOL,
)
from runcrate_core.media_arguments import (
    ImageArguments as ImageArguments,
)
from runcrate_core.media_arguments import (
    MediaTool as MediaTool,
)
from runcrate_core.media_arguments import (
    SpeechArguments as SpeechArguments,
)
from runcrate_core.media_arguments import (
    VideoArguments as VideoArguments,
)
from runcrate_core.media_failures import (
    explain_media_failure as explain_media_failure,
)
from runcrate_core.media_tools import (
    MediaFile as MediaFile,
)
from runcrate_core.media_tools import (
    MediaGenerator as MediaGenerator,
)
from runcrate_core.media_tools import (
    MediaResult as MediaResult,
)
from runcrate_core.media_tools import (
    SpeechFormat as SpeechFormat,
)
from runcrate_core.protocol.chat_types import (
    extract_cost as extract_cost,
)
from runcrate_core.protocol.chat_types import (
    extract_reasoning as extract_reasoning,
)
from runcrate_core.protocol.chat_types import (
    extract_usage as extract_usage,
)
from runcrate_core.protocol.transcripts import (
    Segment as Segment,
)
from runcrate_core.protocol.transcripts import (
    Transcript as Transcript,
)
from runcrate_core.protocol.transcripts import (
    TranscriptFormat as TranscriptFormat,
)
from runcrate_core.transcriber import (
    Transcriber as Transcriber,
)
from runcrate_core.transcriber import (
    TranscriptChunk as TranscriptChunk,
)
from runcrate_core.transcriber import (
    is_of_the_account as is_of_the_account,
)
